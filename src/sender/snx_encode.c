
/*
 * Copyright (C) ngx_sentry authors
 *
 * The event itself: identity, tags, user.  Its parts are next door: reason
 * (exception, message, breadcrumbs), request, contexts.
 */


#include <arpa/inet.h>
#include <stdio.h>

#include "snx_encode.h"
#include "snx_text.h"


#define SNX_ENCODE_ENVIRONMENT_MAX  64
#define SNX_ENCODE_USER_MAX         128
#define SNX_ENCODE_FINGERPRINT_MAX  512


void
snx_encode_init(snx_encode_t *encode, const char *os_name,
    const char *os_version)
{
    memset(&encode->json, 0, sizeof(snx_json_t));

    (void) snprintf(encode->os_name, sizeof(encode->os_name), "%s", os_name);
    (void) snprintf(encode->os_version, sizeof(encode->os_version), "%s",
                    os_version);
}


const char *
snx_encode_level(int64_t level)
{
    switch (level) {

    case SNX_LEVEL_DEBUG:
        return "debug";

    case SNX_LEVEL_INFO:
        return "info";

    case SNX_LEVEL_WARNING:
        return "warning";

    case SNX_LEVEL_FATAL:
        return "fatal";

    default:
        return "error";
    }
}


int
snx_encode_repeated(const snx_fields_t *fields, const snx_field_t *f)
{
    const snx_field_t  *p;

    for (p = snx_fields_first(fields, f->id);
         p != f;
         p = snx_fields_next(fields, p))
    {
        if (p->key.len == f->key.len
            && memcmp(p->key.data, f->key.data, f->key.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
snx_encode_identity(snx_json_t *j, const snx_fields_t *fields, int64_t now_us)
{
    int64_t    level, time_us;
    snx_str_t  id;

    level = SNX_LEVEL_ERROR;
    time_us = now_us;

    (void) snx_fields_num(fields, SNX_F_LEVEL, &level);
    (void) snx_fields_num(fields, SNX_F_TIMESTAMP_US, &time_us);

    id = snx_fields_str(fields, SNX_F_EVENT_ID);

    snx_json_hex(j, "event_id", id.data, id.len);
    snx_json_time(j, "timestamp", time_us);
    snx_json_const(j, "platform", "other");
    snx_json_const(j, "level", snx_encode_level(level));
    snx_json_const(j, "logger", "nginx");
}


void
snx_encode_place(snx_json_t *j, const snx_fields_t *fields)
{
    snx_json_str(j, "server_name",
                 snx_fields_str(fields, SNX_F_SERVER_NAME), SNX_NAME_MAX);
    snx_json_str(j, "release", snx_fields_str(fields, SNX_F_RELEASE),
                 SNX_NAME_MAX);
    snx_json_str(j, "environment",
                 snx_fields_str(fields, SNX_F_ENVIRONMENT),
                 SNX_ENCODE_ENVIRONMENT_MAX);
}


void
snx_encode_name(snx_json_t *j, const snx_fields_t *fields)
{
    size_t       i;
    const char  *source;
    snx_str_t    name, given;

    static const char  *known[] = {
        "url", "route", "view", "component", "task"
    };

    name = snx_fields_str(fields, SNX_F_TRANSACTION);

    if (name.len == 0) {
        return;
    }

    source = "custom";
    given = snx_fields_str(fields, SNX_F_TRANSACTION_SOURCE);

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (snx_text_ieq(given, snx_cstr(known[i]))) {
            source = known[i];
        }
    }

    snx_json_str(j, "transaction", name, SNX_NAME_MAX);

    snx_json_object(j, "transaction_info");
    snx_json_const(j, "source", source);
    snx_json_close(j);
}


/* Here and in tags, no more than can be configured, whatever the record has. */

static void
snx_encode_fingerprint(snx_json_t *j, const snx_fields_t *fields)
{
    int                 n;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_FINGERPRINT);

    if (f == NULL) {
        return;
    }

    snx_json_array(j, "fingerprint");

    for (n = 0;
         f != NULL && n < SNX_FINGERPRINT_MAX_N;
         f = snx_fields_next(fields, f), n++)
    {
        snx_json_str(j, NULL, f->value, SNX_ENCODE_FINGERPRINT_MAX);
    }

    snx_json_close(j);
}


/* Sentry refuses a tag with a line break. */

static void
snx_encode_tag(snx_json_t *j, snx_str_t value)
{
    char    buf[SNX_TAG_VALUE_MAX];
    size_t  i, n;

    n = value.len < sizeof(buf) ? value.len : sizeof(buf);

    if (memchr(value.data, '\n', n) == NULL
        && memchr(value.data, '\r', n) == NULL)
    {
        snx_json_text(j, NULL, value, SNX_TAG_VALUE_MAX);
        return;
    }

    for (i = 0; i < n; i++) {
        buf[i] = (value.data[i] == '\n' || value.data[i] == '\r')
                 ? ' ' : (char) value.data[i];
    }

    snx_json_text(j, NULL, snx_str(buf, n), SNX_TAG_VALUE_MAX);
}


void
snx_encode_tags(snx_json_t *j, const snx_fields_t *fields)
{
    int                 n;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_TAG);

    if (f == NULL) {
        return;
    }

    snx_json_object(j, "tags");

    for (n = 0;
         f != NULL && n < SNX_TAGS_MAX_N;
         f = snx_fields_next(fields, f), n++)
    {
        if (f->key.len == 0 || snx_encode_repeated(fields, f)) {
            continue;
        }

        snx_json_name(j, f->key, SNX_TAG_KEY_MAX);
        snx_encode_tag(j, f->value);
    }

    snx_json_close(j);
}


static int
snx_encode_is_ip(snx_str_t s)
{
    char             text[INET6_ADDRSTRLEN];
    struct in6_addr  addr;

    if (s.len == 0 || s.len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, s.data, s.len);
    text[s.len] = '\0';

    return strlen(text) == s.len
           && (inet_pton(AF_INET, text, &addr) == 1
               || inet_pton(AF_INET6, text, &addr) == 1);
}


void
snx_encode_user(snx_json_t *j, const snx_fields_t *fields)
{
    int                 open;
    size_t              i;
    const snx_field_t  *f;

    static const char  *keys[] = { "id", "username", "email", "ip_address" };

    open = 0;

    for (f = snx_fields_first(fields, SNX_F_USER);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        for (i = 0; i < 4; i++) {
            if (f->key.len == strlen(keys[i])
                && memcmp(f->key.data, keys[i], f->key.len) == 0)
            {
                break;
            }
        }

        if (i == 4 || f->value.len == 0 || snx_encode_repeated(fields, f)
            || (i == 3 && !snx_encode_is_ip(f->value)))
        {
            continue;
        }

        if (!open) {
            snx_json_object(j, "user");
            open = 1;
        }

        snx_json_str(j, keys[i], f->value, SNX_ENCODE_USER_MAX);
    }

    if (open) {
        snx_json_close(j);
    }
}


void
snx_encode_sdk(snx_json_t *j)
{
    snx_json_object(j, "sdk");
    snx_json_const(j, "name", SNX_SDK_NAME);
    snx_json_const(j, "version", SNX_VERSION);
    snx_json_close(j);
}


snx_rc_t
snx_encode_event(snx_encode_t *encode, const snx_fields_t *fields,
    int64_t now_us, char *out, size_t cap, size_t *len)
{
    snx_json_t  *j;

    if (snx_fields_str(fields, SNX_F_EVENT_ID).len != 16) {
        return SNX_INVALID;
    }

    j = &encode->json;

    snx_json_begin(j, out, cap);

    snx_encode_identity(j, fields, now_us);
    snx_encode_place(j, fields);
    snx_encode_name(j, fields);
    snx_encode_reason(j, fields);
    snx_encode_fingerprint(j, fields);
    snx_encode_tags(j, fields);
    snx_encode_user(j, fields);
    snx_encode_request(j, fields);
    snx_encode_contexts(j, fields, encode, 0);
    snx_encode_sdk(j);

    return snx_json_end(j, len);
}
