
/*
 * Copyright (C) ngx_sentry authors
 *
 * The record of a sampled request: facts only, from which the sender derives
 * the spans.  Packed in the log phase, like an event and beside one: a
 * request that fails and is sampled gives both, of one trace.
 */


#include "ngx_sentry.h"


/* longer than that before its first request, a client was idle */

#define NGX_SENTRY_ACCEPT_MAX_MS  2000


static ngx_uint_t ngx_sentry_transaction_spans(ngx_sentry_event_t *event);
static void ngx_sentry_transaction_pack(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, snx_rec_writer_t *rec);
static void ngx_sentry_transaction_identity(ngx_sentry_event_t *event,
    int64_t upgrade, snx_rec_writer_t *rec);
static int64_t ngx_sentry_transaction_end(ngx_sentry_event_t *event,
    int64_t start, int64_t upgrade);
static void ngx_sentry_transaction_marks(ngx_sentry_event_t *event,
    int64_t upgrade, snx_rec_writer_t *rec);
static void ngx_sentry_transaction_mark(snx_moment_t moment, int64_t time_us,
    snx_rec_writer_t *rec);
static int64_t ngx_sentry_transaction_accept(ngx_http_request_t *r);
static int64_t ngx_sentry_transaction_upgrade(ngx_http_request_t *r);


ngx_int_t
ngx_sentry_transaction_wanted(ngx_sentry_event_t *event)
{
    ngx_http_request_t  *r;

    r = event->request;

    /* no preflights; and what was asked must have been understood */

    if (!event->conf->traces || event->trace->sampled < 0
        || r->method == NGX_HTTP_OPTIONS || r->unparsed_uri.len == 0)
    {
        return 0;
    }

    if (event->trace->sampled == 0) {
        ngx_sentry_transaction_lose(event, SNX_LOST_SAMPLE_RATE);
        return 0;
    }

    return 1;
}


void
ngx_sentry_transaction_lose(ngx_sentry_event_t *event, snx_lost_t why)
{
    snx_project_t  *project;

    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    if (project) {
        snx_project_lose(project, why, SNX_CAT_TRANSACTION, 1);
        snx_project_lose(project, why, SNX_CAT_SPAN,
                         ngx_sentry_transaction_spans(event));
    }
}


/* The transaction itself counts as one. */

static ngx_uint_t
ngx_sentry_transaction_spans(ngx_sentry_event_t *event)
{
    ngx_uint_t                  i, n;
    ngx_http_request_t         *r;
    ngx_http_upstream_state_t  *state;

    n = 1;
    r = event->request;

    if (r->upstream_states) {
        state = r->upstream_states->elts;

        for (i = 0; i < r->upstream_states->nelts; i++) {
            n += (state[i].peer != NULL);
        }
    }

    if (event->ctx && event->ctx->spans) {
        n += ngx_min(event->ctx->spans->nsubrequests,
                     NGX_SENTRY_SUBREQUESTS_MAX_N);
    }

    return n;
}


void
ngx_sentry_transaction_capture(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event)
{
    snx_project_t     *project;
    snx_rec_writer_t   rec;

    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    if (ngx_sentry_process_limited(project, SNX_CAT_TRANSACTION)) {
        snx_project_lose(project, SNX_LOST_RATELIMIT_BACKOFF, SNX_CAT_SPAN,
                         ngx_sentry_transaction_spans(event));
        return;
    }

    ngx_sentry_process_id(worker, event->event_id, sizeof(event->event_id));
    ngx_sentry_transaction_pack(worker, event, &rec);

    if (ngx_sentry_process_put(worker, project, SNX_KIND_TRANSACTION, &rec)
        != NGX_OK
        && project)
    {
        snx_project_lose(project, SNX_LOST_QUEUE_OVERFLOW, SNX_CAT_SPAN,
                         ngx_sentry_transaction_spans(event));
    }
}


static void
ngx_sentry_transaction_pack(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    int64_t              upgrade;
    ngx_http_request_t  *r;

    r = event->request;
    upgrade = ngx_sentry_transaction_upgrade(r);

    ngx_sentry_process_record(worker, rec);

    snx_rec_raw(rec, ngx_sentry_str(&event->conf->constants));

    ngx_sentry_transaction_identity(event, upgrade, rec);
    ngx_sentry_pack_transaction(event, rec);
    ngx_sentry_request_line(event, rec);
    ngx_sentry_transaction_marks(event, upgrade, rec);
    ngx_sentry_pack_upstreams(event, rec);
    ngx_sentry_trail_passes(event->ctx, rec);

    if (event->ctx && event->ctx->spans) {
        ngx_sentry_subrequest_pack(event->ctx->spans, rec);
    }

    ngx_sentry_pack_directives(event, rec);
    ngx_sentry_pack_numbers(r, rec);

    if (r->headers_in.content_length_n > 0) {
        snx_rec_num(rec, SNX_F_BODY_SIZE, r->headers_in.content_length_n);
    }

    ngx_sentry_request_agent(event, rec);
}


static void
ngx_sentry_transaction_identity(ngx_sentry_event_t *event, int64_t upgrade,
    snx_rec_writer_t *rec)
{
    int64_t              start;
    u_char               rate[NGX_INT64_LEN], *p;
    ngx_sentry_trace_t  *trace;

    trace = event->trace;
    start = ((int64_t) event->request->start_sec * 1000
             + (int64_t) event->request->start_msec) * 1000;

    snx_rec_str(rec, SNX_F_EVENT_ID,
                snx_str(event->event_id, sizeof(event->event_id)));
    snx_rec_num(rec, SNX_F_START_US, start);
    snx_rec_num(rec, SNX_F_TIMESTAMP_US,
                ngx_sentry_transaction_end(event, start, upgrade));

    if (event->status) {
        snx_rec_num(rec, SNX_F_STATUS, (int64_t) event->status);
    }

    ngx_sentry_pack_trace(event, rec);

    if (trace->propagated) {
        snx_rec_str(rec, SNX_F_UPSTREAM_SPAN_ID,
                    snx_str(trace->upstream_span_id,
                            sizeof(trace->upstream_span_id)));
    }

    if (trace->rate >= 0) {
        p = ngx_snprintf(rate, sizeof(rate), "%.6f", trace->rate);
        snx_rec_str(rec, SNX_F_CLIENT_SAMPLE_RATE, snx_str(rate, p - rate));
    }
}


/*
 * The clock for what ends now: the event loop's time has ms.  An upgraded
 * connection was answered long ago, and so may be a request that waited for
 * its mirrors.
 */

static int64_t
ngx_sentry_transaction_end(ngx_sentry_event_t *event, int64_t start,
    int64_t upgrade)
{
    int64_t           end;
    struct timespec   ts;

    end = upgrade;

    if (end == 0 && event->request->done && event->ctx && event->ctx->spans
        && event->ctx->spans->answered_us < ngx_sentry_trail_now())
    {
        end = event->ctx->spans->answered_us;
    }

    if (end == 0 && clock_gettime(CLOCK_REALTIME, &ts) == 0) {
        end = (int64_t) ts.tv_sec * 1000000 + (int64_t) ts.tv_nsec / 1000;
    }

    return ngx_max(end, start);
}


static void
ngx_sentry_transaction_marks(ngx_sentry_event_t *event, int64_t upgrade,
    snx_rec_writer_t *rec)
{
    ngx_uint_t           i;
    ngx_sentry_spans_t  *spans;

    ngx_sentry_transaction_mark(SNX_AT_ACCEPT,
                           ngx_sentry_transaction_accept(event->request),
                           rec);

    spans = event->ctx ? event->ctx->spans : NULL;

    for (i = SNX_AT_PHASES; spans && i < SNX_AT_UPGRADE; i++) {
        ngx_sentry_transaction_mark((snx_moment_t) i, spans->marks[i], rec);
    }

    ngx_sentry_transaction_mark(SNX_AT_UPGRADE, upgrade, rec);
}


static void
ngx_sentry_transaction_mark(snx_moment_t moment, int64_t time_us,
    snx_rec_writer_t *rec)
{
    snx_mark_t  mark;

    if (time_us == 0) {
        return;
    }

    ngx_memzero(&mark, sizeof(snx_mark_t));

    mark.time_us = time_us;
    mark.moment = (uint8_t) moment;

    snx_rec_key(rec, SNX_F_MARK, snx_str(&mark, sizeof(mark)));
}


/* When the connection came, if this is its first request and it spoke TLS. */

static int64_t
ngx_sentry_transaction_accept(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    int64_t            accept, start;
    ngx_connection_t  *c;

    c = r->connection;

    if (c->ssl == NULL || c->requests != 1) {
        return 0;
    }

    start = ((int64_t) r->start_sec * 1000 + (int64_t) r->start_msec) * 1000;
    accept = ngx_sentry_trail_now()
             - (int64_t) (ngx_msec_int_t) (ngx_current_msec - c->start_time)
               * 1000;

    if (accept <= start && start - accept <= NGX_SENTRY_ACCEPT_MAX_MS * 1000)
    {
        return accept;
    }
#endif

    return 0;
}


/* When the upstream's 101 came, after which the connection is a tunnel. */

static int64_t
ngx_sentry_transaction_upgrade(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (r->headers_out.status != NGX_HTTP_SWITCHING_PROTOCOLS || u == NULL
        || u->state == NULL || u->state->header_time == (ngx_msec_t) -1)
    {
        return 0;
    }

    return ngx_sentry_trail_now()
           - ((int64_t) (ngx_msec_int_t) (ngx_current_msec - u->start_time)
              - (int64_t) u->state->header_time) * 1000;
}
