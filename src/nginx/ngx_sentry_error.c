
/*
 * Copyright (C) ngx_sentry authors
 *
 * What went wrong: the exception of an event, from the lines of the error
 * log or from the status, and the lines as breadcrumbs.  The types are a
 * small fixed vocabulary, so that issues group and alerts can name them.
 */


#include "ngx_sentry.h"
#include "snx_cause.h"
#include "snx_text.h"


static size_t ngx_sentry_error_summary(ngx_sentry_event_t *event,
    ngx_http_upstream_state_t *state, u_char *buf, size_t cap);


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


static snx_str_t
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


/* The last line that can be why it failed. */

static ngx_int_t
ngx_sentry_error_cause(ngx_sentry_event_t *event, snx_cause_t *cause)
{
    ngx_uint_t          i;
    snx_str_t           client;
    ngx_sentry_line_t  *line;

    client = ngx_sentry_str(&event->request->connection->addr_text);

    for (i = event->ctx ? event->ctx->nlines : 0; i != 0; i--) {
        line = event->ctx->lines[i - 1];

        snx_cause_parse(cause, snx_str(line->text, line->len), client);

        /* what clients do wrong is logged at info */

        if (cause->message.len
            && (line->level <= NGX_LOG_ERR
                || (event->status < 500 && cause->type.len)))
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static snx_str_t
ngx_sentry_error_class_of(ngx_sentry_event_t *event, snx_cause_t *cause)
{
    ngx_http_upstream_state_t  *state;

    if (cause && cause->type.len) {
        return cause->type;
    }

    state = ngx_sentry_error_last_try(event->request);

    return ngx_sentry_error_type(event->status,
                                 state && state->status == event->status
                                 && state->header_time != (ngx_msec_t) -1);
}


snx_str_t
ngx_sentry_error_class(ngx_sentry_event_t *event)
{
    snx_cause_t  cause;

    return ngx_sentry_error_class_of(event,
                              ngx_sentry_error_cause(event, &cause) == NGX_OK
                              ? &cause : NULL);
}


void
ngx_sentry_error_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    u_char                      text[SNX_TEXT_MAX];
    snx_cause_t                 cause;
    ngx_http_upstream_state_t  *state;

    state = ngx_sentry_error_last_try(event->request);

    if (event->type.len == 0) {

        if (ngx_sentry_error_cause(event, &cause) == NGX_OK) {
            event->type = ngx_sentry_error_class_of(event, &cause);
            event->value = snx_str(text, snx_scrub_text(&event->conf->scrub,
                                                        cause.message, text,
                                                        sizeof(text)));
            if (cause.error) {
                snx_rec_num(rec, SNX_F_EXC_ERRNO, cause.error);
            }

        } else {
            event->type = ngx_sentry_error_class_of(event, NULL);
        }
    }

    if (event->value.len == 0) {
        event->value = snx_str(text, ngx_sentry_error_summary(event, state,
                                                             text,
                                                             sizeof(text)));
    }

    snx_rec_str(rec, SNX_F_EXC_TYPE, event->type);
    snx_rec_str(rec, SNX_F_EXC_VALUE, event->value);
}


/* "502 Bad Gateway in location /api/, upstream 10.0.0.7:8000" */

static size_t
ngx_sentry_error_summary(ngx_sentry_event_t *event,
    ngx_http_upstream_state_t *state, u_char *buf, size_t cap)
{
    snx_text_t  value;

    snx_text_init(&value, buf, cap);
    snx_text_addn(&value, (int64_t) event->status);
    snx_text_addz(&value, " ");
    snx_text_add(&value, ngx_sentry_error_reason(event->status));

    if (event->conf->location.len) {
        snx_text_addz(&value, " in location ");
        snx_text_add(&value, ngx_sentry_str(&event->conf->location));
    }

    if (state) {
        snx_text_addz(&value, ", upstream ");
        snx_text_add(&value, ngx_sentry_str(state->peer));
    }

    return value.len;
}


void
ngx_sentry_error_breadcrumbs(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    size_t              cap;
    ngx_uint_t          i;
    snx_str_t           client;
    snx_cause_t         cause;
    unsigned char      *p;
    snx_breadcrumb_t    crumb;
    ngx_sentry_line_t  *line;

    if (event->ctx == NULL) {
        return;
    }

    client = ngx_sentry_str(&event->request->connection->addr_text);

    for (i = 0; i < event->ctx->nlines; i++) {
        line = event->ctx->lines[i];

        ngx_memzero(&crumb, sizeof(snx_breadcrumb_t));

        crumb.time_us = line->time_us;
        crumb.category = SNX_CRUMB_LOG;
        crumb.level = (uint8_t) (line->level <= NGX_LOG_ALERT
                                 ? SNX_LEVEL_FATAL
                                 : line->level <= NGX_LOG_ERR
                                   ? SNX_LEVEL_ERROR
                                   : line->level == NGX_LOG_WARN
                                     ? SNX_LEVEL_WARNING
                                     : SNX_LEVEL_INFO);

        snx_cause_parse(&cause, snx_str(line->text, line->len), client);

        p = snx_rec_open(rec, SNX_F_BREADCRUMB,
                         snx_str(&crumb, sizeof(crumb)), 1, &cap);

        if (p) {
            cap = ngx_min(cap, NGX_SENTRY_LINE_MAX);
            snx_rec_close(rec, snx_scrub_text(&event->conf->scrub,
                                              cause.message, p, cap));
        }
    }
}
