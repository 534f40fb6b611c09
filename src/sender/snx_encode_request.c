
/*
 * Copyright (C) ngx_sentry authors
 *
 * The request interface of an event.
 */


#include <strings.h>

#include "snx_encode.h"
#include "snx_text.h"


#define SNX_ENCODE_METHOD_MAX   64
#define SNX_ENCODE_HEADER_MAX   128    /* a header's name */
#define SNX_ENCODE_MERGED_MAX   4096   /* repeated headers, all cookies */
#define SNX_ENCODE_BODY_MAX     8192
#define SNX_ENCODE_ENV_MAX      256


/* Where a URL's host ends. */

static int
snx_encode_host_ends(char c)
{
    return c == '/' || c == '?' || c == '#' || c == '\0';
}


/*
 * Sentry's own reader refuses the whole event when the URL's host is none,
 * and the host is what the client sent: bytes that no host has become "_".
 */

static void
snx_encode_url(snx_json_t *j, snx_str_t url)
{
    char     text[SNX_URL_MAX + SNX_ENCODE_ENV_MAX + 1], *p;
    size_t   n;

    n = snx_text_utf8(url, text, sizeof(text) - 1, NULL);
    text[n] = '\0';

    if (strncasecmp(text, "http://", 7) == 0) {
        p = text + 7;

    } else if (strncasecmp(text, "https://", 8) == 0) {
        p = text + 8;

    } else {
        return;
    }

    if (snx_encode_host_ends(*p) || *p == ':') {
        return;
    }

    for ( /* void */ ; !snx_encode_host_ends(*p); p++) {

        if ((*p >= 'a' && *p <= 'z') || (*p >= '-' && *p <= '9')) {
            continue;
        }

        if (*p <= ' ' || *p >= 0x7f || strchr("\"%<>@\\^`{|}", *p) != NULL) {
            *p = '_';
        }
    }

    snx_json_str(j, "url", snx_str(text, n), n);
}


static const snx_field_t *
snx_encode_same_header(const snx_fields_t *fields, const snx_field_t *from,
    const snx_field_t *to, snx_str_t name)
{
    while (from != to) {
        if (from->key.len == name.len && snx_text_ieq(from->key, name)) {
            return from;
        }

        from = snx_fields_next(fields, from);
    }

    return NULL;
}


/* f and all headers of its name behind it, as HTTP joins them. */

static void
snx_encode_merged(snx_json_t *j, const snx_fields_t *fields,
    const snx_field_t *f)
{
    char                buf[SNX_ENCODE_MERGED_MAX];
    snx_str_t           value;
    snx_text_t          text;
    const snx_field_t  *more;

    value = f->value;
    more = snx_encode_same_header(fields, snx_fields_next(fields, f), NULL,
                                  f->key);
    if (more != NULL) {
        snx_text_init(&text, buf, sizeof(buf));
        snx_text_add(&text, value);

        while (more != NULL) {
            snx_text_addz(&text, ", ");
            snx_text_add(&text, more->value);
            more = snx_encode_same_header(fields,
                                          snx_fields_next(fields, more), NULL,
                                          f->key);
        }

        value = snx_str(text.data, text.len);
    }

    snx_json_name(j, f->key, SNX_ENCODE_HEADER_MAX);
    snx_json_text(j, NULL, value, SNX_ENCODE_MERGED_MAX);
}


/*
 * All cookies as one Cookie header: names may repeat, Sentry takes it apart
 * itself, and all of its readers accept it, unlike request.cookies, where
 * one wants a string and the other an object.
 */

static void
snx_encode_cookies(snx_json_t *j, const snx_fields_t *fields)
{
    char                buf[SNX_ENCODE_MERGED_MAX];
    snx_text_t          text;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_COOKIE);

    if (f == NULL) {
        return;
    }

    snx_text_init(&text, buf, sizeof(buf));

    for ( /* void */ ; f != NULL; f = snx_fields_next(fields, f)) {

        if (text.len != 0) {
            snx_text_addz(&text, "; ");
        }

        if (f->key.len != 0) {
            snx_text_add(&text, f->key);
            snx_text_addz(&text, "=");
        }

        snx_text_add(&text, f->value);
    }

    snx_json_str(j, "Cookie", snx_str(text.data, text.len),
                 SNX_ENCODE_MERGED_MAX);
}


static void
snx_encode_headers(snx_json_t *j, const snx_fields_t *fields)
{
    int                 cookies;
    const snx_field_t  *f, *first;

    first = snx_fields_first(fields, SNX_F_HEADER);
    cookies = snx_fields_first(fields, SNX_F_COOKIE) != NULL;

    if (first == NULL && !cookies) {
        return;
    }

    snx_json_object(j, "headers");

    for (f = first; f != NULL; f = snx_fields_next(fields, f)) {

        if (f->key.len == 0
            || (cookies && snx_text_ieq(f->key, snx_cstr("Cookie")))
            || snx_encode_same_header(fields, first, f, f->key) != NULL)
        {
            continue;
        }

        snx_encode_merged(j, fields, f);
    }

    snx_encode_cookies(j, fields);
    snx_json_close(j);
}


/* Values of env are strings, as in CGI. */

static void
snx_encode_port(snx_json_t *j, const char *key,
    const snx_fields_t *fields, snx_field_id_t id)
{
    char        buf[24];
    int64_t     port;
    snx_text_t  text;

    if (!snx_fields_num(fields, id, &port)) {
        return;
    }

    snx_text_init(&text, buf, sizeof(buf));
    snx_text_addn(&text, port);

    snx_json_str(j, key, snx_str(text.data, text.len), sizeof(buf));
}


static void
snx_encode_env(snx_json_t *j, const snx_fields_t *fields)
{
    snx_json_object(j, "env");

    snx_json_str(j, "SERVER_NAME", snx_fields_str(fields, SNX_F_VHOST),
                 SNX_ENCODE_ENV_MAX);
    snx_json_str(j, "SERVER_ADDR",
                 snx_fields_str(fields, SNX_F_SERVER_ADDR),
                 SNX_ENCODE_ENV_MAX);
    snx_encode_port(j, "SERVER_PORT", fields, SNX_F_SERVER_PORT);
    snx_json_str(j, "SERVER_PROTOCOL",
                 snx_fields_str(fields, SNX_F_PROTOCOL), SNX_ENCODE_ENV_MAX);
    snx_json_str(j, "REMOTE_ADDR",
                 snx_fields_str(fields, SNX_F_REMOTE_ADDR),
                 SNX_ENCODE_ENV_MAX);
    snx_encode_port(j, "REMOTE_PORT", fields, SNX_F_REMOTE_PORT);
    snx_json_close(j);
}


void
snx_encode_request(snx_json_t *j, const snx_fields_t *fields)
{
    int64_t  size;

    if (snx_fields_first(fields, SNX_F_METHOD) == NULL
        && snx_fields_first(fields, SNX_F_URL) == NULL
        && snx_fields_first(fields, SNX_F_HEADER) == NULL)
    {
        return;
    }

    snx_json_object(j, "request");

    snx_json_str(j, "method", snx_fields_str(fields, SNX_F_METHOD),
                 SNX_ENCODE_METHOD_MAX);
    snx_encode_url(j, snx_fields_str(fields, SNX_F_URL));
    snx_json_str(j, "query_string",
                 snx_fields_str(fields, SNX_F_QUERY), SNX_QUERY_MAX);
    snx_encode_headers(j, fields);
    snx_json_str(j, "data", snx_fields_str(fields, SNX_F_BODY_DATA),
                 SNX_ENCODE_BODY_MAX);

    if (snx_fields_num(fields, SNX_F_BODY_SIZE, &size) && size >= 0) {
        snx_json_num(j, "body_size", size);
    }

    snx_encode_env(j, fields);
    snx_json_close(j);
}
