
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


static void
snx_encode_trace(snx_json_t *j, cJSON *contexts, const snx_fields_t *fields)
{
    cJSON      *trace;
    int64_t     status;
    snx_str_t   trace_id, span_id, parent;

    trace_id = snx_encode_trace_id(fields);
    span_id = snx_fields_str(fields, SNX_F_SPAN_ID);
    parent = snx_fields_str(fields, SNX_F_PARENT_SPAN_ID);

    if (!snx_encode_is_id(span_id, 8)) {
        span_id = snx_str(snx_fields_str(fields, SNX_F_EVENT_ID).data, 8);
    }

    trace = snx_json_object(j, contexts, "trace");

    snx_json_hex(j, trace, "trace_id", trace_id.data, trace_id.len);
    snx_json_hex(j, trace, "span_id", span_id.data, span_id.len);

    if (snx_encode_is_id(parent, 8)) {
        snx_json_hex(j, trace, "parent_span_id", parent.data, parent.len);
    }

    if (snx_fields_num(fields, SNX_F_STATUS, &status)) {
        snx_json_ref(j, trace, "op", "http.server");
        snx_json_ref(j, trace, "status", snx_encode_span_status(status));
    }

    snx_json_ref(j, trace, "origin", "auto.http.nginx");
}


static void
snx_encode_response(snx_json_t *j, cJSON *contexts,
    const snx_fields_t *fields)
{
    cJSON    *response;
    int64_t   status, size;

    if (!snx_fields_num(fields, SNX_F_STATUS, &status)
        || status < 0 || status > UINT16_MAX)
    {
        return;
    }

    response = snx_json_object(j, contexts, "response");

    snx_json_num(j, response, "status_code", status);

    if (snx_fields_num(fields, SNX_F_RESPONSE_BYTES, &size) && size >= 0) {
        snx_json_num(j, response, "body_size", size);
    }
}


static void
snx_encode_machine(snx_json_t *j, cJSON *contexts,
    const snx_fields_t *fields, const snx_encode_t *encode)
{
    cJSON  *runtime, *os;

    runtime = snx_json_object(j, contexts, "runtime");

    snx_json_ref(j, runtime, "name", "nginx");
    snx_json_str(j, runtime, "version",
                 snx_fields_str(fields, SNX_F_NGINX_VERSION),
                 SNX_ENCODE_SHORT_MAX);

    if (encode->os_name[0] == '\0') {
        return;
    }

    os = snx_json_object(j, contexts, "os");

    snx_json_ref(j, os, "name", encode->os_name);
    snx_json_str(j, os, "version", snx_cstr(encode->os_version),
                 SNX_ENCODE_SHORT_MAX);
}


static void
snx_encode_size(snx_json_t *j, cJSON *parent, const char *key, int64_t size)
{
    if (size >= 0) {
        snx_json_num(j, parent, key, size);
    }
}


static void
snx_encode_upstreams(snx_json_t *j, cJSON *nginx, const snx_fields_t *fields)
{
    int                 n;
    cJSON              *list, *try;
    snx_upstream_t      packed;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_UPSTREAM);

    if (f == NULL) {
        return;
    }

    list = snx_json_array(j, nginx, "upstream");

    for (n = 0;
         f != NULL && n < SNX_UPSTREAMS_MAX_N;
         f = snx_fields_next(fields, f))
    {
        if (f->key.len != sizeof(packed)) {
            continue;
        }

        memcpy(&packed, f->key.data, sizeof(packed));
        n++;

        try = snx_json_object(j, list, NULL);

        snx_json_str(j, try, "address", f->value, SNX_ENCODE_SHORT_MAX);

        if (packed.status > 0) {
            snx_json_num(j, try, "status", packed.status);
        }

        snx_json_ms(j, try, "connect_time", packed.connect_ms);
        snx_json_ms(j, try, "header_time", packed.header_ms);
        snx_json_ms(j, try, "response_time", packed.response_ms);
        snx_encode_size(j, try, "bytes_sent", packed.bytes_sent);
        snx_encode_size(j, try, "bytes_received", packed.bytes_received);
    }
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
    { SNX_F_HELD_BACK, "held_back", 0 },
    { SNX_F_PROCESS, "process", SNX_ENCODE_SHORT_MAX },
    { SNX_F_PID, "pid", 0 },
    { SNX_F_TRUNCATED, "fields_left_out", 0 }
};


static void
snx_encode_nginx(snx_json_t *j, cJSON *contexts, const snx_fields_t *fields)
{
    size_t                   i;
    cJSON                   *nginx;
    int64_t                  num;
    const snx_encode_map_t  *map;

    nginx = snx_json_object(j, contexts, "nginx");

    for (i = 0;
         i < sizeof(snx_encode_nginx_map) / sizeof(snx_encode_map_t);
         i++)
    {
        map = &snx_encode_nginx_map[i];

        if (map->max != 0) {
            snx_json_str(j, nginx, map->key, snx_fields_str(fields, map->id),
                         map->max);

        } else if (snx_fields_num(fields, map->id, &num)) {
            snx_json_num(j, nginx, map->key, num);
        }
    }

    if (snx_fields_num(fields, SNX_F_REQUEST_TIME_MS, &num)) {
        snx_json_ms(j, nginx, "request_time", num);
    }

    snx_encode_upstreams(j, nginx, fields);
}


/* Ours are never overridden: a name that is taken is left out. */

static void
snx_encode_custom(snx_json_t *j, cJSON *contexts, const snx_field_t *f)
{
    char                 *name, *key;
    cJSON                *context;
    const unsigned char  *p;

    p = f->key.len == 0 ? NULL : memchr(f->key.data, '\0', f->key.len);

    if (p == NULL || p == f->key.data || f->value.len == 0) {
        return;
    }

    name = snx_json_copy(j, snx_str(f->key.data, (size_t) (p - f->key.data)),
                         SNX_ENCODE_SHORT_MAX);
    key = snx_json_copy(j, snx_str(p + 1, f->key.len - 1
                                          - (size_t) (p - f->key.data)),
                        SNX_ENCODE_SHORT_MAX);

    if (*name == '\0' || *key == '\0') {
        return;
    }

    context = cJSON_GetObjectItemCaseSensitive(contexts, name);

    if (context == NULL) {
        context = snx_json_object(j, contexts, name);

    } else if (cJSON_GetObjectItemCaseSensitive(context, key) != NULL) {
        return;
    }

    snx_json_str(j, context, key, f->value, SNX_CONTEXT_VALUE_MAX);
}


void
snx_encode_contexts(snx_json_t *j, cJSON *event, const snx_fields_t *fields,
    const snx_encode_t *encode)
{
    cJSON              *contexts;
    const snx_field_t  *f;

    contexts = snx_json_object(j, event, "contexts");

    snx_encode_trace(j, contexts, fields);
    snx_encode_response(j, contexts, fields);
    snx_encode_machine(j, contexts, fields, encode);
    snx_encode_nginx(j, contexts, fields);

    for (f = snx_fields_first(fields, SNX_F_CONTEXT);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        snx_encode_custom(j, contexts, f);
    }
}
