
/*
 * Copyright (C) ngx_sentry authors
 *
 * What went wrong, one after the other: reads the lines of the error log that
 * were kept of a request, together with its upstream tries.
 *
 * DESIGN.  A failing try leaves a line, unless lines of that level are not
 * kept; every line knows how many tries there were by then, so the lines of
 * one try belong together, and a try without any is told by its status.  The
 * last reason is why the request failed, those before are what led to it.
 */


#include "ngx_sentry.h"
#include "snx_cause.h"


/* nginx keeps these numbers private to its limit modules */

#define NGX_SENTRY_LIMIT_REQ_REJECTED   3
#define NGX_SENTRY_LIMIT_CONN_REJECTED  2


static ngx_sentry_line_t *ngx_sentry_reason_lines(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons, ngx_uint_t *tries);
static ngx_str_t *ngx_sentry_reason_peer(ngx_sentry_line_t *line);
static void ngx_sentry_reason_tries(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons, ngx_uint_t *tries, ngx_uint_t until);
static void ngx_sentry_reason_try(ngx_http_upstream_state_t *state,
    ngx_sentry_reason_t *reason);
static void ngx_sentry_reason_add(ngx_sentry_reasons_t *reasons,
    ngx_sentry_reason_t *reason);
static ngx_uint_t ngx_sentry_reason_is(snx_str_t type, const char *name);


void
ngx_sentry_reason_find(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons)
{
    ngx_uint_t            tries;
    snx_str_t             client;
    snx_cause_t           cause;
    ngx_sentry_line_t    *line;
    ngx_http_request_t   *r;
    ngx_sentry_reason_t   reason, *last;

    r = event->request;
    tries = 0;
    reasons->n = 0;

    line = ngx_sentry_reason_lines(event, reasons, &tries);

    if (r->upstream_states) {
        ngx_sentry_reason_tries(event, reasons, &tries,
                                r->upstream_states->nelts);
    }

    ngx_memzero(&reason, sizeof(ngx_sentry_reason_t));

    last = reasons->n ? &reasons->reason[reasons->n - 1] : NULL;

    if (last && last->number && ngx_sentry_reason_is(last->type,
                                                     "UpstreamError"))
    {
        last->type = ngx_sentry_error_type(event->status, 1);
    }

    if (last == NULL && ngx_sentry_reason_limited(r)) {
        reason.type = snx_cstr("LimitExceeded");

    } else if (last == NULL && line) {

        /* not known, but the only one there is */

        client = ngx_sentry_str(&r->connection->addr_text);
        snx_cause_parse(&cause, snx_str(line->text, line->len), client);

        reason.type = ngx_sentry_error_type(event->status, 0);
        reason.text = cause.message;
        reason.error = cause.error;

    } else if (last == NULL || (last->status
                                && last->status != event->status))
    {
        reason.type = ngx_sentry_error_type(event->status, 0);

    } else {
        return;
    }

    ngx_sentry_reason_add(reasons, &reason);
}


/*
 * Returns the last line of an error that is not known.  At info, clients'
 * mistakes are logged; what is not an error there fails no request.
 */

static ngx_sentry_line_t *
ngx_sentry_reason_lines(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons, ngx_uint_t *tries)
{
    ngx_uint_t            i, n;
    snx_str_t             client;
    snx_cause_t           cause;
    ngx_sentry_line_t    *line, *unknown;
    ngx_sentry_reason_t   reason;

    unknown = NULL;
    n = event->ctx ? event->ctx->nlines : 0;
    client = ngx_sentry_str(&event->request->connection->addr_text);

    for (i = 0; i < n; i++) {
        line = event->ctx->lines[i];

        if (line->aside) {
            continue;
        }

        snx_cause_parse(&cause, snx_str(line->text, line->len), client);

        if (cause.type.len == 0) {
            if (line->level <= NGX_LOG_ERR && cause.message.len) {
                unknown = line;
            }

            continue;
        }

        if (line->level > NGX_LOG_ERR && event->status >= 500
            && !ngx_sentry_reason_is(cause.type, "LimitExceeded"))
        {
            continue;
        }

        ngx_memzero(&reason, sizeof(ngx_sentry_reason_t));

        reason.type = cause.type;
        reason.text = cause.message;
        reason.error = cause.error;

        if (snx_cause_upstream(&cause) && line->number) {
            reason.peer = ngx_sentry_reason_peer(line);

            if (line->request == event->request) {
                reason.number = line->number;
                ngx_sentry_reason_tries(event, reasons, tries,
                                        reason.number - 1);
                *tries = reason.number;
            }
        }

        ngx_sentry_reason_add(reasons, &reason);
    }

    return unknown;
}


/* Not kept with the line: a server may be gone, nginx copies its name. */

static ngx_str_t *
ngx_sentry_reason_peer(ngx_sentry_line_t *line)
{
    ngx_http_upstream_state_t  *state;

    state = line->request->upstream_states->elts;

    return state[line->number - 1].peer;
}


/* The tries up to that number, of which no line told. */

static void
ngx_sentry_reason_tries(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons, ngx_uint_t *tries, ngx_uint_t until)
{
    ngx_sentry_reason_t         reason;
    ngx_http_upstream_state_t  *state;

    if (event->request->upstream_states == NULL
        || until > event->request->upstream_states->nelts)
    {
        return;
    }

    state = event->request->upstream_states->elts;

    for ( /* void */ ; *tries < until; (*tries)++) {
        ngx_memzero(&reason, sizeof(ngx_sentry_reason_t));

        reason.number = *tries + 1;
        ngx_sentry_reason_try(&state[*tries], &reason);

        if (reason.type.len) {
            ngx_sentry_reason_add(reasons, &reason);
        }
    }
}


/* By what nginx keeps of a try: an answer, or the status it stands for. */

static void
ngx_sentry_reason_try(ngx_http_upstream_state_t *state,
    ngx_sentry_reason_t *reason)
{
    if (state->peer == NULL || state->status < 400
        || state->status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return;
    }

    reason->peer = state->peer;
    reason->status = state->status;

    if (state->header_time != (ngx_msec_t) -1) {
        reason->type = ngx_sentry_error_type(state->status, 1);

    } else if (state->status == NGX_HTTP_GATEWAY_TIME_OUT) {
        reason->type = snx_cstr("UpstreamTimeout");

    } else {
        reason->type = snx_cstr(state->bytes_sent ? "UpstreamFailed"
                                                  : "UpstreamUnreachable");
    }
}


/* Of more than can be kept the first ones go. */

static void
ngx_sentry_reason_add(ngx_sentry_reasons_t *reasons,
    ngx_sentry_reason_t *reason)
{
    ngx_uint_t  n;

    n = reasons->n;

    if (n && reason->number && reasons->reason[n - 1].number == reason->number)
    {
        n--;

    } else if (n == NGX_SENTRY_REASONS_MAX_N) {
        n--;
        ngx_memmove(&reasons->reason[0], &reasons->reason[1],
                    n * sizeof(ngx_sentry_reason_t));
    }

    reasons->reason[n] = *reason;
    reasons->n = n + 1;
}


static ngx_uint_t
ngx_sentry_reason_is(snx_str_t type, const char *name)
{
    return type.len == ngx_strlen(name)
           && ngx_strncmp(type.data, name, type.len) == 0;
}


ngx_uint_t
ngx_sentry_reason_limited(ngx_http_request_t *r)
{
    return r->limit_req_status == NGX_SENTRY_LIMIT_REQ_REJECTED
           || r->limit_conn_status == NGX_SENTRY_LIMIT_CONN_REJECTED;
}
