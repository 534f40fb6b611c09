
/*
 * Copyright (C) ngx_sentry authors
 *
 * The spans of a transaction.  Ops are those that Sentry knows; what nginx
 * does besides is "http", told apart by its description.
 */


#include "snx_encode.h"
#include "snx_text.h"


#define SNX_ENCODE_DESCRIPTION_MAX  512
#define SNX_ENCODE_ADDRESS_MAX      128

/* The largest span; without that room no further one is begun. */
#define SNX_ENCODE_SPAN_MAX         8192


typedef struct {
    const char  *op;
    const char  *description;      /* NULL: of its own */
    const char  *origin;
} snx_encode_span_kind_t;


static const snx_encode_span_kind_t  snx_encode_span_kinds[] = {
    { "http", "TLS handshake", "auto.http.nginx" },
    { "middleware", "limit_req delay", "auto.http.nginx" },
    { "http", "read request body", "auto.http.nginx" },
    { "cache.get", NULL, "auto.cache.nginx" },
    { "handler", NULL, "auto.http.nginx.subrequest" },
    { "http.client", NULL, "auto.http.nginx.upstream" },
    { "http", "connect", "auto.http.nginx.upstream" },
    { "http", "wait for response", "auto.http.nginx.upstream" },
    { "http", "read response", "auto.http.nginx.upstream" },
    { "http", "send response", "auto.http.nginx" }
};


/* The parts of an upstream URL around the server's address. */

typedef struct {
    snx_str_t  scheme;             /* "http://" */
    snx_str_t  path;
} snx_encode_target_t;


static snx_str_t
snx_encode_last_address(const snx_fields_t *fields)
{
    snx_str_t           address;
    snx_upstream_t      try;
    const snx_field_t  *f;

    address = snx_str(NULL, 0);

    for (f = snx_fields_first(fields, SNX_F_UPSTREAM);
         f != NULL;
         f = snx_fields_next(fields, f))
    {
        if (snx_spans_try(f, &try) && try.request == 0) {
            address = f->value;
        }
    }

    return address;
}


/* The URL has the address of the last try; the others have the same path. */

static void
snx_encode_target(const snx_fields_t *fields, snx_encode_target_t *target)
{
    size_t     i;
    snx_str_t  url, last;

    url = snx_fields_str(fields, SNX_F_UPSTREAM_URL);
    last = snx_encode_last_address(fields);

    target->scheme = snx_str(NULL, 0);
    target->path = snx_str(NULL, 0);

    for (i = 0; i + 3 <= url.len; i++) {
        if (memcmp(url.data + i, "://", 3) == 0) {
            target->scheme = snx_str(url.data, i + 3);
            break;
        }
    }

    i = target->scheme.len;

    if (i == 0 || last.len == 0 || url.len - i < last.len
        || memcmp(url.data + i, last.data, last.len) != 0)
    {
        return;
    }

    i += last.len;
    target->path = snx_str(url.data + i, url.len - i);

    for (i = 0; i < target->path.len; i++) {
        if (target->path.data[i] == '?') {
            target->path.len = i;
        }
    }
}


/* "10.0.0.1:8080", "[::1]:80", "unix:/run/app.sock". */

static void
snx_encode_address(snx_json_t *j, snx_str_t peer)
{
    int64_t    port;
    snx_str_t  host;

    if (peer.len > 5 && memcmp(peer.data, "unix:", 5) == 0) {
        host = snx_str(peer.data + 5, peer.len - 5);
        port = 0;

    } else {
        snx_encode_host_port(peer, &host, &port);
    }

    snx_json_str(j, "server.address", host, SNX_ENCODE_ADDRESS_MAX);

    if (port != 0) {
        snx_json_num(j, "server.port", port);
    }
}


static void
snx_encode_try_description(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_target_t *target, const snx_upstream_t *try,
    snx_str_t address)
{
    char        buf[SNX_ENCODE_DESCRIPTION_MAX];
    snx_str_t   method;
    snx_text_t  text;

    snx_text_init(&text, buf, sizeof(buf));

    if (try->request == 0) {
        method = snx_fields_str(fields, SNX_F_METHOD);

        if (method.len != 0) {
            snx_text_add(&text, method);
            snx_text_addz(&text, " ");
        }

        snx_text_add(&text, target->scheme);
    }

    snx_text_add(&text, address);

    if (try->request == 0) {
        snx_text_add(&text, target->path);
    }

    snx_json_str(j, "description", snx_str(text.data, text.len),
                 SNX_ENCODE_DESCRIPTION_MAX);
}


/*
 * nginx gives a try that was never answered the status it would answer with
 * itself: that tells what failed, but nobody sent it.
 */

static void
snx_encode_try(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_target_t *target, const snx_span_t *span)
{
    snx_upstream_t  try;

    (void) snx_spans_try(span->field, &try);

    snx_encode_try_description(j, fields, target, &try, span->field->value);

    snx_json_const(j, "status", try.status > 0
                                ? snx_encode_span_status(try.status)
                                : "internal_error");

    snx_json_object(j, "data");

    if (try.request == 0) {
        snx_json_str(j, "http.request.method",
                     snx_fields_str(fields, SNX_F_METHOD),
                     SNX_ENCODE_ADDRESS_MAX);
    }

    snx_encode_address(j, span->field->value);

    if (try.status > 0 && try.header_ms >= 0) {
        snx_json_num(j, "http.response.status_code", try.status);
    }

    if (try.bytes_received > 0) {
        snx_json_num(j, "http.response.size", try.bytes_received);
    }

    if (span->resent > 0) {
        snx_json_num(j, "http.request.resend_count", span->resent);
    }

    snx_json_close(j);
}


static void
snx_encode_subrequest(snx_json_t *j, const snx_span_t *span)
{
    snx_subrequest_t  sub;

    (void) snx_spans_subrequest(span->field, &sub);

    snx_json_str(j, "description", span->field->value,
                 SNX_ENCODE_DESCRIPTION_MAX);

    if (sub.status != 0) {
        snx_json_const(j, "status", snx_encode_span_status(sub.status));
        snx_json_object(j, "data");
        snx_json_num(j, "http.response.status_code", sub.status);
        snx_json_close(j);
    }
}


static void
snx_encode_cache(snx_json_t *j, const snx_fields_t *fields)
{
    size_t     i;
    int        hit;
    snx_str_t  status;

    static const char  *hits[] = { "HIT", "STALE", "UPDATING", "REVALIDATED" };

    hit = 0;
    status = snx_fields_str(fields, SNX_F_CACHE_STATUS);

    for (i = 0; i < sizeof(hits) / sizeof(hits[0]); i++) {
        hit |= snx_text_ieq(status, snx_cstr(hits[i]));
    }

    snx_json_str(j, "description", snx_fields_str(fields, SNX_F_TRANSACTION),
                 SNX_NAME_MAX);
    snx_json_object(j, "data");
    snx_json_bool(j, "cache.hit", hit);
    snx_json_close(j);
}


static void
snx_encode_span(snx_json_t *j, const snx_fields_t *fields,
    const snx_spans_t *spans, const snx_span_t *span,
    const snx_encode_target_t *target)
{
    snx_str_t                      trace;
    const snx_encode_span_kind_t  *kind;

    kind = &snx_encode_span_kinds[span->kind];
    trace = snx_encode_trace_id(fields);

    snx_json_object(j, NULL);
    snx_json_hex(j, "trace_id", trace.data, 16);
    snx_json_hex(j, "span_id", span->id, 8);
    snx_json_hex(j, "parent_span_id",
                 span->parent ? spans->span[span->parent - 1].id
                              : snx_encode_span_id(fields).data, 8);
    snx_json_time(j, "start_timestamp", span->start_us);
    snx_json_time(j, "timestamp", span->end_us);
    snx_json_const(j, "op", kind->op);
    snx_json_const(j, "origin", kind->origin);

    switch (span->kind) {

    case SNX_SPAN_TRY:
        snx_encode_try(j, fields, target, span);
        break;

    case SNX_SPAN_SUBREQUEST:
        snx_encode_subrequest(j, span);
        break;

    case SNX_SPAN_CACHE:
        snx_encode_cache(j, fields);
        break;

    default:
        snx_json_const(j, "description", kind->description);
    }

    snx_json_close(j);
}


void
snx_encode_spans(snx_json_t *j, const snx_fields_t *fields,
    const snx_spans_t *spans)
{
    uint32_t             i;
    snx_encode_target_t  target;

    snx_encode_target(fields, &target);

    snx_json_array(j, "spans");

    for (i = 0;
         i < spans->n && j->end - j->pos > SNX_ENCODE_SPAN_MAX;
         i++)
    {
        snx_encode_span(j, fields, spans, &spans->span[i], &target);
    }

    snx_json_close(j);
}
