
/*
 * Copyright (C) ngx_sentry authors
 *
 * The contexts of an event: trace, response, runtime, os, nginx's own and
 * those of the configuration.
 */


#include "snx_encode.h"


#define SNX_ENCODE_SHORT_MAX    128
#define SNX_ENCODE_LOCATION_MAX 512


const char *
snx_encode_span_status(int64_t status)
{
    switch (status) {

    case 401:
        return "unauthenticated";

    case 403:
        return "permission_denied";

    case 404:
        return "not_found";

    case 409:
        return "already_exists";

    case 413:
        return "failed_precondition";

    case 429:
        return "resource_exhausted";

    case 499:
        return "cancelled";

    case 501:
        return "unimplemented";

    case 503:
        return "unavailable";

    case 504:
        return "deadline_exceeded";

    default:
        return status < 400 ? "ok"
               : status < 500 ? "invalid_argument"
               : "internal_error";
    }
}


/*
 * Name and key of a field of sentry_context; 0 when it is none: not even
 * named, or without a value.
 */

static int
snx_encode_pair(const snx_field_t *f, snx_str_t *name, snx_str_t *key)
{
    const unsigned char  *p;

    p = f->key.len == 0 ? NULL : memchr(f->key.data, '\0', f->key.len);

    if (p == NULL || f->value.len == 0) {
        return 0;
    }

    *name = snx_str(f->key.data, (size_t) (p - f->key.data));
    *key = snx_str(p + 1, f->key.len - name->len - 1);

    return name->len != 0 && key->len != 0;
}


static int
snx_encode_same(snx_str_t a, snx_str_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}


/*
 * Closes the context of that name, which was opened at from, with what
 * sentry_context adds to it.  Ours is never overridden.
 */

static void
snx_encode_close(snx_json_t *j, const snx_fields_t *fields, snx_str_t context,
    const char *from)
{
    snx_str_t           name, key;
    const snx_field_t  *f;

    for (f = snx_fields_first(fields, SNX_F_CONTEXT);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        if (snx_encode_pair(f, &name, &key) && snx_encode_same(name, context)
            && !snx_encode_repeated(fields, f) && !snx_json_has(j, from, key))
        {
            snx_json_name(j, key, SNX_ENCODE_SHORT_MAX);
            snx_json_str(j, NULL, f->value, SNX_CONTEXT_VALUE_MAX);
        }
    }

    snx_json_close(j);
}


static int
snx_encode_is_id(snx_str_t id, size_t len)
{
    size_t  i;

    if (id.len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (id.data[i] != 0) {
            return 1;
        }
    }

    return 0;
}


snx_str_t
snx_encode_trace_id(const snx_fields_t *fields)
{
    snx_str_t  id;

    id = snx_fields_str(fields, SNX_F_TRACE_ID);

    return snx_encode_is_id(id, 16) ? id
                                    : snx_fields_str(fields, SNX_F_EVENT_ID);
}


snx_str_t
snx_encode_span_id(const snx_fields_t *fields)
{
    snx_str_t  id;

    id = snx_fields_str(fields, SNX_F_SPAN_ID);

    return snx_encode_is_id(id, 8)
           ? id : snx_str(snx_fields_str(fields, SNX_F_EVENT_ID).data, 8);
}


static void
snx_encode_trace(snx_json_t *j, const snx_fields_t *fields, int attributes)
{
    int          known;
    int64_t      status;
    snx_str_t    trace_id, span_id, parent;
    const char  *from;

    trace_id = snx_encode_trace_id(fields);
    span_id = snx_encode_span_id(fields);
    parent = snx_fields_str(fields, SNX_F_PARENT_SPAN_ID);

    snx_json_object(j, "trace");
    from = j->pos;

    snx_json_hex(j, "trace_id", trace_id.data, trace_id.len);
    snx_json_hex(j, "span_id", span_id.data, span_id.len);

    if (snx_encode_is_id(parent, 8)) {
        snx_json_hex(j, "parent_span_id", parent.data, parent.len);
    }

    known = snx_fields_num(fields, SNX_F_STATUS, &status);

    /* an HTTP/0.9 upstream's answer has none, a transaction has an op */

    if (known || attributes) {
        snx_json_const(j, "op", "http.server");
    }

    if (known) {
        snx_json_const(j, "status", snx_encode_span_status(status));
    }

    snx_json_const(j, "origin", "auto.http.nginx");

    if (attributes) {
        snx_json_object(j, "data");
        snx_encode_attributes(j, fields);
        snx_json_close(j);
    }

    snx_encode_close(j, fields, snx_cstr("trace"), from);
}


static void
snx_encode_response(snx_json_t *j, const snx_fields_t *fields)
{
    int64_t      status, size;
    const char  *from;

    if (!snx_fields_num(fields, SNX_F_STATUS, &status)
        || status < 0 || status > UINT16_MAX)
    {
        return;
    }

    snx_json_object(j, "response");
    from = j->pos;

    snx_json_num(j, "status_code", status);

    if (snx_fields_num(fields, SNX_F_RESPONSE_BYTES, &size) && size >= 0) {
        snx_json_num(j, "body_size", size);
    }

    snx_encode_close(j, fields, snx_cstr("response"), from);
}


static void
snx_encode_machine(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_t *encode)
{
    const char  *from;

    snx_json_object(j, "runtime");
    from = j->pos;

    snx_json_const(j, "name", "nginx");
    snx_json_str(j, "version",
                 snx_fields_str(fields, SNX_F_NGINX_VERSION),
                 SNX_ENCODE_SHORT_MAX);

    snx_encode_close(j, fields, snx_cstr("runtime"), from);

    if (encode->os_name[0] == '\0') {
        return;
    }

    snx_json_object(j, "os");
    from = j->pos;

    snx_json_str(j, "name", snx_cstr(encode->os_name), SNX_ENCODE_SHORT_MAX);
    snx_json_str(j, "version", snx_cstr(encode->os_version),
                 SNX_ENCODE_SHORT_MAX);

    snx_encode_close(j, fields, snx_cstr("os"), from);
}


static void
snx_encode_size(snx_json_t *j, const char *key, int64_t size)
{
    if (size >= 0) {
        snx_json_num(j, key, size);
    }
}


static void
snx_encode_upstreams(snx_json_t *j, const snx_fields_t *fields)
{
    int                 n;
    snx_upstream_t      packed;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_UPSTREAM);

    if (f == NULL) {
        return;
    }

    snx_json_array(j, "upstream");

    for (n = 0;
         f != NULL && n < SNX_UPSTREAMS_MAX_N;
         f = snx_fields_next(fields, f))
    {
        if (f->key.len != sizeof(packed)) {
            continue;
        }

        memcpy(&packed, f->key.data, sizeof(packed));
        n++;

        snx_json_object(j, NULL);

        snx_json_str(j, "address", f->value, SNX_ENCODE_SHORT_MAX);

        if (packed.status > 0) {
            snx_json_num(j, "status", packed.status);
        }

        snx_json_ms(j, "connect_time", packed.connect_ms);
        snx_json_ms(j, "header_time", packed.header_ms);
        snx_json_ms(j, "response_time", packed.response_ms);
        snx_encode_size(j, "bytes_sent", packed.bytes_sent);
        snx_encode_size(j, "bytes_received", packed.bytes_received);

        snx_json_close(j);
    }

    snx_json_close(j);
}


typedef struct {
    snx_field_id_t    id;
    const char       *key;
    size_t            max;     /* of a string, 0: a number */
} snx_encode_map_t;


/* In the order of the JSON. */

static const snx_encode_map_t  snx_encode_nginx_map[] = {
    { SNX_F_LOCATION, "location", SNX_ENCODE_LOCATION_MAX },
    { SNX_F_VHOST, "server", SNX_ENCODE_SHORT_MAX },
    { SNX_F_WORKER_PID, "worker_pid", 0 },
    { SNX_F_CONNECTION, "connection", 0 },
    { SNX_F_CONNECTION_REQUESTS, "connection_requests", 0 },
    { SNX_F_REQUEST_LENGTH, "request_length", 0 },
    { SNX_F_BYTES_SENT, "bytes_sent", 0 },
    { SNX_F_TLS_PROTOCOL, "tls_protocol", SNX_ENCODE_SHORT_MAX },
    { SNX_F_TLS_CIPHER, "tls_cipher", SNX_ENCODE_SHORT_MAX },
    { SNX_F_CACHE_STATUS, "cache_status", SNX_ENCODE_SHORT_MAX },
    { SNX_F_UPSTREAM_URL, "upstream_url", SNX_URL_MAX },
    { SNX_F_SUBREQUESTS, "subrequests", 0 },
    { SNX_F_HELD_BACK, "held_back", 0 },
    { SNX_F_PROCESS, "process", SNX_ENCODE_SHORT_MAX },
    { SNX_F_PID, "pid", 0 },
    { SNX_F_TRUNCATED, "fields_left_out", 0 }
};


static void
snx_encode_nginx(snx_json_t *j, const snx_fields_t *fields)
{
    size_t                   i;
    int64_t                  num;
    const char              *from;
    const snx_encode_map_t  *map;

    snx_json_object(j, "nginx");
    from = j->pos;

    for (i = 0;
         i < sizeof(snx_encode_nginx_map) / sizeof(snx_encode_map_t);
         i++)
    {
        map = &snx_encode_nginx_map[i];

        if (map->max != 0) {
            snx_json_str(j, map->key, snx_fields_str(fields, map->id),
                         map->max);

        } else if (snx_fields_num(fields, map->id, &num)) {
            snx_json_num(j, map->key, num);
        }
    }

    if (snx_fields_num(fields, SNX_F_REQUEST_TIME_MS, &num)) {
        snx_json_ms(j, "request_time", num);
    }

    snx_encode_upstreams(j, fields);
    snx_encode_close(j, fields, snx_cstr("nginx"), from);
}


/* Whether the context is one of ours, or a field before f names it too. */

static int
snx_encode_known(const snx_fields_t *fields, const snx_field_t *f,
    snx_str_t context)
{
    size_t              i;
    snx_str_t           name, key;
    const snx_field_t  *p;

    static const snx_str_t  ours[] = {
        snx_string("trace"), snx_string("response"), snx_string("runtime"),
        snx_string("os"), snx_string("nginx")
    };

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (snx_encode_same(context, ours[i])) {
            return 1;
        }
    }

    for (p = snx_fields_first(fields, SNX_F_CONTEXT);
         p != f;
         p = snx_fields_next(fields, p))
    {
        if (snx_encode_pair(p, &name, &key) && snx_encode_same(name, context))
        {
            return 1;
        }
    }

    return 0;
}


/* The contexts that sentry_context names. */

static void
snx_encode_custom(snx_json_t *j, const snx_fields_t *fields)
{
    const char         *from;
    snx_str_t           name, key;
    const snx_field_t  *f;

    for (f = snx_fields_first(fields, SNX_F_CONTEXT);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        if (!snx_encode_pair(f, &name, &key)
            || snx_encode_known(fields, f, name))
        {
            continue;
        }

        snx_json_name(j, name, SNX_ENCODE_SHORT_MAX);
        snx_json_object(j, NULL);
        from = j->pos;
        snx_encode_close(j, fields, name, from);
    }
}


void
snx_encode_contexts(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_t *encode, int attributes)
{
    snx_json_object(j, "contexts");

    snx_encode_trace(j, fields, attributes);
    snx_encode_response(j, fields);
    snx_encode_machine(j, fields, encode);
    snx_encode_nginx(j, fields);
    snx_encode_custom(j, fields);

    snx_json_close(j);
}
