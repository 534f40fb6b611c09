
/*
 * Copyright (C) ngx_sentry authors
 *
 * A transaction: what an event has, less its reason, and the attributes of
 * the request by Sentry's names for them.  Its spans are next door.
 */


#include "snx_encode.h"
#include "snx_text.h"


#define SNX_ENCODE_ATTRIBUTE_MAX  256
#define SNX_ENCODE_AGENT_MAX      512
#define SNX_ENCODE_RATE_PLACES    9


void
snx_encode_host_port(snx_str_t text, snx_str_t *host, int64_t *port)
{
    size_t   i;
    int64_t  n, unit;

    *host = text;
    *port = 0;

    n = 0;
    unit = 1;

    for (i = text.len; i > 0 && unit <= 100000; i--, unit *= 10) {
        if (text.data[i - 1] < '0' || text.data[i - 1] > '9') {
            break;
        }

        n += unit * (text.data[i - 1] - '0');
    }

    if (i > 0 && unit > 1 && n <= UINT16_MAX && text.data[i - 1] == ':') {
        host->len = i - 1;
        *port = n;
    }

    if (host->len > 1 && host->data[0] == '['
        && host->data[host->len - 1] == ']')
    {
        host->data++;
        host->len -= 2;
    }
}


/* url.*, server.*: the parts of an absolute URL without its query. */

static void
snx_encode_url_parts(snx_json_t *j, snx_str_t url)
{
    size_t     i, host;
    int64_t    port;
    snx_str_t  name;

    for (i = 0; i < url.len && url.data[i] != ':'; i++) { /* void */ }

    if (url.len - i < 3 || memcmp(url.data + i, "://", 3) != 0) {
        return;
    }

    snx_json_str(j, "url.scheme", snx_str(url.data, i),
                 SNX_ENCODE_ATTRIBUTE_MAX);

    host = i + 3;

    for (i = host; i < url.len && url.data[i] != '/'; i++) { /* void */ }

    snx_json_str(j, "url.path", snx_str(url.data + i, url.len - i),
                 SNX_URL_MAX);

    snx_encode_host_port(snx_str(url.data + host, i - host), &name, &port);
    snx_json_str(j, "server.address", name, SNX_ENCODE_ATTRIBUTE_MAX);
}


/* "HTTP/1.1", "HTTP/2.0": "1.1", "2". */

static void
snx_encode_protocol(snx_json_t *j, snx_str_t protocol)
{
    if (protocol.len < 6 || memcmp(protocol.data, "HTTP/", 5) != 0) {
        return;
    }

    protocol = snx_str(protocol.data + 5, protocol.len - 5);

    if (protocol.len == 3 && protocol.data[0] > '1'
        && memcmp(protocol.data + 1, ".0", 2) == 0)
    {
        protocol.len = 1;
    }

    snx_json_const(j, "network.protocol.name", "http");
    snx_json_str(j, "network.protocol.version", protocol,
                 SNX_ENCODE_ATTRIBUTE_MAX);
}


static void
snx_encode_agent(snx_json_t *j, const snx_fields_t *fields)
{
    const snx_field_t  *f;

    for (f = snx_fields_first(fields, SNX_F_HEADER);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        if (snx_text_ieq(f->key, snx_cstr("User-Agent"))) {
            snx_json_str(j, "user_agent.original", f->value,
                         SNX_ENCODE_AGENT_MAX);
            return;
        }
    }
}


/* A name of the kind "METHOD route" tells the route. */

static void
snx_encode_route(snx_json_t *j, const snx_fields_t *fields)
{
    snx_str_t  name, method, source;

    name = snx_fields_str(fields, SNX_F_TRANSACTION);
    method = snx_fields_str(fields, SNX_F_METHOD);
    source = snx_fields_str(fields, SNX_F_TRANSACTION_SOURCE);

    if (!snx_text_ieq(source, snx_cstr("route"))) {
        return;
    }

    if (method.len != 0 && name.len > method.len + 1
        && memcmp(name.data, method.data, method.len) == 0
        && name.data[method.len] == ' ')
    {
        name = snx_str(name.data + method.len + 1,
                       name.len - method.len - 1);
    }

    snx_json_str(j, "http.route", name, SNX_NAME_MAX);
}


typedef struct {
    snx_field_id_t    id;
    const char       *key;
    size_t            max;     /* of a string, 0: a number */
} snx_encode_attribute_t;


static const snx_encode_attribute_t  snx_encode_attribute_map[] = {
    { SNX_F_METHOD, "http.request.method", SNX_ENCODE_ATTRIBUTE_MAX },
    { SNX_F_STATUS, "http.response.status_code", 0 },
    { SNX_F_URL, "url.full", SNX_URL_MAX },
    { SNX_F_QUERY, "url.query", SNX_QUERY_MAX },
    { SNX_F_SERVER_PORT, "server.port", 0 },
    { SNX_F_REMOTE_ADDR, "client.address", SNX_ENCODE_ATTRIBUTE_MAX },
    { SNX_F_REMOTE_PORT, "client.port", 0 },
    { SNX_F_SERVER_ADDR, "network.local.address", SNX_ENCODE_ATTRIBUTE_MAX },
    { SNX_F_TLS_PROTOCOL, "tls.protocol.version", SNX_ENCODE_ATTRIBUTE_MAX },
    { SNX_F_BODY_SIZE, "http.request.body.size", 0 },
    { SNX_F_RESPONSE_BYTES, "http.response.body.size", 0 },
    { SNX_F_BYTES_SENT, "http.response.size", 0 },
    { SNX_F_WORKER_PID, "process.pid", 0 }
};


void
snx_encode_attributes(snx_json_t *j, const snx_fields_t *fields)
{
    size_t                         i;
    double                         rate;
    int64_t                        num;
    const snx_encode_attribute_t  *map;

    for (i = 0;
         i < sizeof(snx_encode_attribute_map) / sizeof(snx_encode_attribute_t);
         i++)
    {
        map = &snx_encode_attribute_map[i];

        if (map->max != 0) {
            snx_json_str(j, map->key, snx_fields_str(fields, map->id),
                         map->max);

        } else if (snx_fields_num(fields, map->id, &num) && num >= 0) {
            snx_json_num(j, map->key, num);
        }
    }

    snx_encode_url_parts(j, snx_fields_str(fields, SNX_F_URL));
    snx_encode_protocol(j, snx_fields_str(fields, SNX_F_PROTOCOL));
    snx_encode_route(j, fields);
    snx_encode_agent(j, fields);

    if (snx_fields_rate(fields, &rate)) {
        snx_json_decimal(j, "sentry.sample_rate", (int64_t) (rate * 1e9 + 0.5),
                         SNX_ENCODE_RATE_PLACES);
    }
}


static void
snx_encode_times(snx_json_t *j, const snx_spans_t *spans)
{
    snx_json_time(j, "start_timestamp", spans->start_us);
    snx_json_time(j, "timestamp", spans->end_us);

    if (spans->upstream_us < 0) {
        return;
    }

    snx_json_object(j, "measurements");
    snx_json_object(j, "upstream_time");
    snx_json_ms(j, "value", spans->upstream_us);
    snx_json_const(j, "unit", "millisecond");
    snx_json_close(j);
    snx_json_close(j);
}


snx_rc_t
snx_encode_transaction(snx_encode_t *encode, const snx_fields_t *fields,
    int64_t now_us, char *out, size_t cap, size_t *len)
{
    snx_str_t    id;
    snx_json_t  *j;

    id = snx_fields_str(fields, SNX_F_EVENT_ID);

    if (id.len != 16) {
        return SNX_INVALID;
    }

    snx_spans_read(&encode->spans, fields, now_us);

    j = &encode->json;

    snx_json_begin(j, out, cap);
    snx_json_const(j, "type", "transaction");
    snx_json_hex(j, "event_id", id.data, id.len);
    snx_json_const(j, "platform", "other");

    snx_encode_times(j, &encode->spans);
    snx_encode_place(j, fields);
    snx_encode_name(j, fields);
    snx_encode_tags(j, fields);
    snx_encode_user(j, fields);
    snx_encode_request(j, fields);
    snx_encode_contexts(j, fields, encode, 1);
    snx_encode_sdk(j);
    snx_encode_spans(j, fields, &encode->spans);

    return snx_json_end(j, len);
}
