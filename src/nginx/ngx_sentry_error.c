
/*
 * Copyright (C) ngx_sentry authors
 *
 * What went wrong as the exceptions of an event.  The types are a small fixed
 * vocabulary, so that issues group and alerts can name them; without a line
 * of the log that gives one the status does.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static ngx_sentry_reason_t *ngx_sentry_error_main(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons);
static void ngx_sentry_error_header(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *main);
static void ngx_sentry_error_cause(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, snx_rec_writer_t *rec);
static size_t ngx_sentry_error_value(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, u_char *buf, size_t cap);
static void ngx_sentry_error_summary(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, snx_text_t *value);
static void ngx_sentry_error_detail(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, snx_text_t *value);


typedef struct {
    ngx_uint_t   status;
    snx_str_t    type;         /* empty: by class */
    snx_str_t    reason;
} ngx_sentry_error_t;


static const ngx_sentry_error_t  ngx_sentry_errors[] = {
    { 400, snx_string("BadRequest"), snx_string("Bad Request") },
    { 401, snx_null_string, snx_string("Unauthorized") },
    { 402, snx_null_string, snx_string("Payment Required") },
    { 403, snx_null_string, snx_string("Forbidden") },
    { 404, snx_null_string, snx_string("Not Found") },
    { 405, snx_null_string, snx_string("Method Not Allowed") },
    { 406, snx_null_string, snx_string("Not Acceptable") },
    { 408, snx_string("RequestTimeout"), snx_string("Request Timeout") },
    { 409, snx_null_string, snx_string("Conflict") },
    { 410, snx_null_string, snx_string("Gone") },
    { 411, snx_string("BadRequest"), snx_string("Length Required") },
    { 412, snx_null_string, snx_string("Precondition Failed") },
    { 413, snx_string("RequestTooLarge"),
           snx_string("Request Entity Too Large") },
    { 414, snx_string("RequestTooLarge"), snx_string("URI Too Long") },
    { 415, snx_null_string, snx_string("Unsupported Media Type") },
    { 416, snx_null_string, snx_string("Range Not Satisfiable") },
    { 421, snx_null_string, snx_string("Misdirected Request") },
    { 422, snx_null_string, snx_string("Unprocessable Entity") },
    { 429, snx_string("LimitExceeded"), snx_string("Too Many Requests") },
    { 431, snx_string("RequestTooLarge"),
           snx_string("Request Header Fields Too Large") },
    { 444, snx_null_string, snx_string("Closed Without Response") },
    { 494, snx_string("RequestTooLarge"),
           snx_string("Request Header Too Large") },
    { 495, snx_string("BadRequest"), snx_string("SSL Certificate Error") },
    { 496, snx_string("BadRequest"), snx_string("SSL Certificate Required") },
    { 497, snx_string("BadRequest"),
           snx_string("HTTP Request Sent to HTTPS Port") },
    { 500, snx_null_string, snx_string("Internal Server Error") },
    { 501, snx_null_string, snx_string("Not Implemented") },
    { 502, snx_string("UpstreamError"), snx_string("Bad Gateway") },
    { 503, snx_null_string, snx_string("Service Unavailable") },
    { 504, snx_string("UpstreamTimeout"), snx_string("Gateway Timeout") },
    { 505, snx_string("BadRequest"),
           snx_string("HTTP Version Not Supported") },
    { 507, snx_null_string, snx_string("Insufficient Storage") },
    { 0, snx_null_string, snx_null_string }
};


static const ngx_sentry_error_t *
ngx_sentry_error_find(ngx_uint_t status)
{
    const ngx_sentry_error_t  *e;

    for (e = ngx_sentry_errors; e->status; e++) {
        if (e->status == status) {
            break;
        }
    }

    return e;
}


snx_str_t
ngx_sentry_error_type(ngx_uint_t status, ngx_uint_t upstream)
{
    const ngx_sentry_error_t  *e;

    /* an answer of the application's own */

    if (upstream) {
        return snx_cstr(status >= 500 ? "UpstreamError" : "ClientError");
    }

    e = ngx_sentry_error_find(status);

    if (e->type.len) {
        return e->type;
    }

    return snx_cstr(status >= 500 ? "ServerError" : "ClientError");
}


static snx_str_t
ngx_sentry_error_reason(ngx_uint_t status)
{
    const ngx_sentry_error_t  *e;

    e = ngx_sentry_error_find(status);

    if (e->reason.len) {
        return e->reason;
    }

    return snx_cstr(status >= 500 ? "Server Error" : "Client Error");
}


ngx_http_upstream_state_t *
ngx_sentry_error_last_try(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return NULL;
    }

    state = r->upstream_states->elts;

    for (i = r->upstream_states->nelts; i != 0; i--) {
        if (state[i - 1].peer) {
            return &state[i - 1];
        }
    }

    return NULL;
}


/* What failed it, after all that led to it. */

static ngx_sentry_reason_t *
ngx_sentry_error_main(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons)
{
    ngx_sentry_reason_t  *main;

    ngx_sentry_reason_find(event, reasons);

    main = &reasons->reason[reasons->n - 1];
    ngx_sentry_error_header(event, main);

    return main;
}


snx_str_t
ngx_sentry_error_class(ngx_sentry_event_t *event)
{
    ngx_sentry_reasons_t  reasons;

    return ngx_sentry_error_main(event, &reasons)->type;
}


void
ngx_sentry_error_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    u_char                 text[SNX_TEXT_MAX];
    ngx_uint_t             i;
    ngx_sentry_reason_t   *main;
    ngx_sentry_reasons_t   reasons;

    if (event->type.len) {
        snx_rec_str(rec, SNX_F_EXC_TYPE, event->type);
        snx_rec_str(rec, SNX_F_EXC_VALUE, event->value);
        return;
    }

    main = ngx_sentry_error_main(event, &reasons);
    event->type = main->type;

    if (main->error) {
        snx_rec_num(rec, SNX_F_EXC_ERRNO, main->error);
    }

    snx_rec_str(rec, SNX_F_EXC_TYPE, main->type);
    snx_rec_str(rec, SNX_F_EXC_VALUE,
                snx_str(text, ngx_sentry_error_value(event, main, text,
                                                     sizeof(text))));

    for (i = 0; i + 1 < reasons.n; i++) {
        ngx_sentry_error_cause(event, &reasons.reason[i], rec);
    }
}


/*
 * A header that is too large is answered with 400 like all that is wrong in
 * it; then the buffer it did not fit in is full.
 */

static void
ngx_sentry_error_header(ngx_sentry_event_t *event, ngx_sentry_reason_t *main)
{
    ngx_buf_t  *b;

    b = event->request->header_in;

    if (event->status == NGX_HTTP_BAD_REQUEST && main->text.len == 0
        && b && b->start && b->pos == b->end)
    {
        main->type = snx_cstr("RequestTooLarge");
    }
}


static void
ngx_sentry_error_cause(ngx_sentry_event_t *event, ngx_sentry_reason_t *reason,
    snx_rec_writer_t *rec)
{
    size_t              cap;
    unsigned char      *p;
    snx_cause_field_t   cause;

    ngx_memzero(&cause, sizeof(snx_cause_field_t));
    cause.error = reason->error;

    p = snx_rec_open(rec, SNX_F_CAUSE, snx_str(&cause, sizeof(cause)),
                     reason->type.len + 2, &cap);

    if (p == NULL) {
        return;
    }

    cap = ngx_min(cap, NGX_SENTRY_REASON_MAX);

    ngx_memcpy(p, reason->type.data, reason->type.len);
    p += reason->type.len;
    *p++ = '\0';
    cap -= reason->type.len + 1;

    snx_rec_close(rec, reason->type.len + 1
                       + ngx_sentry_error_value(event, reason, p, cap));
}


/* What the line says, and which server it was. */

static size_t
ngx_sentry_error_value(ngx_sentry_event_t *event, ngx_sentry_reason_t *reason,
    u_char *buf, size_t cap)
{
    snx_text_t  value;

    snx_text_init(&value, buf, cap);

    if (reason->text.len == 0) {
        ngx_sentry_error_summary(event, reason, &value);
        return value.len;
    }

    value.len = snx_scrub_text(&event->conf->scrub, reason->text, buf, cap);

    if (reason->peer == NULL || reason->peer->len == 0
        || snx_text_ihas(snx_str(buf, value.len),
                         ngx_sentry_str(reason->peer)))
    {
        return value.len;
    }

    if (value.len < sizeof(" upstream") - 1
        || ngx_memcmp(buf + value.len - (sizeof(" upstream") - 1),
                      " upstream", sizeof(" upstream") - 1) != 0)
    {
        snx_text_addz(&value, ", upstream");
    }

    snx_text_addz(&value, " ");
    snx_text_add(&value, ngx_sentry_str(reason->peer));

    return value.len;
}


/* "502 Bad Gateway in location /api/, upstream 10.0.0.7:8000" */

static void
ngx_sentry_error_summary(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, snx_text_t *value)
{
    ngx_uint_t                  status;
    ngx_str_t                  *peer;
    ngx_http_upstream_state_t  *state;

    status = reason->status ? reason->status : event->status;
    peer = reason->peer;

    if (peer == NULL) {
        state = ngx_sentry_error_last_try(event->request);
        peer = state ? state->peer : NULL;
    }

    snx_text_addn(value, (int64_t) status);
    snx_text_addz(value, " ");
    snx_text_add(value, ngx_sentry_error_reason(status));

    ngx_sentry_error_detail(event, reason, value);

    if (event->conf->location.len) {
        snx_text_addz(value, " in location ");
        snx_text_add(value, ngx_sentry_str(&event->conf->location));
    }

    if (peer) {
        snx_text_addz(value, ", upstream ");
        snx_text_add(value, ngx_sentry_str(peer));
    }
}


/* What nginx says at info, where lines of that level are not kept. */

static void
ngx_sentry_error_detail(ngx_sentry_event_t *event,
    ngx_sentry_reason_t *reason, snx_text_t *value)
{
    off_t                length;
    ngx_http_request_t  *r;

    r = event->request;
    length = r->headers_in.content_length_n;

    if (reason->peer) {
        return;
    }

    if (event->status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE && length > 0) {
        snx_text_addz(value, " (body of ");
        snx_text_addn(value, (int64_t) length);
        snx_text_addz(value, " bytes)");
        return;
    }

    if (ngx_sentry_reason_limited(r)) {
        snx_text_addz(value, r->limit_req_status
                             ? " (refused by limit_req)"
                             : " (refused by limit_conn)");
        return;
    }

    if (event->status != NGX_HTTP_BAD_REQUEST) {
        return;
    }

    if (reason->type.len == sizeof("RequestTooLarge") - 1) {
        snx_text_addz(value, " (header too large)");

    } else if (r->uri.len == 0) {
        snx_text_addz(value, " (invalid request line)");

    } else if (r->http_version == NGX_HTTP_VERSION_11
               && r->headers_in.host == NULL)
    {
        snx_text_addz(value, " (no valid Host header)");
    }
}
