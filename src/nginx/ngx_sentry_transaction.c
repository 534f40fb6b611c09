
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


static SNX_NOINLINE void ngx_sentry_transaction_judge(ngx_http_request_t *r,
    ngx_sentry_ctx_t *ctx, ngx_sentry_loc_conf_t *conf);
static ngx_int_t ngx_sentry_transaction_wanted(ngx_sentry_event_t *event);
static void ngx_sentry_transaction_capture(ngx_sentry_event_t *event);
static void ngx_sentry_transaction_lose(ngx_http_request_t *r,
    ngx_sentry_ctx_t *ctx, ngx_sentry_loc_conf_t *conf, snx_lost_t why,
    ngx_uint_t transactions);
static ngx_uint_t ngx_sentry_transaction_spans(ngx_http_request_t *r,
    ngx_sentry_ctx_t *ctx);
static void ngx_sentry_transaction_pack(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, snx_rec_writer_t *rec);
static void ngx_sentry_transaction_identity(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, int64_t upgrade, snx_rec_writer_t *rec);
static int64_t ngx_sentry_transaction_end(ngx_sentry_event_t *event,
    int64_t start, int64_t upgrade);
static void ngx_sentry_transaction_marks(ngx_sentry_event_t *event,
    int64_t upgrade, snx_rec_writer_t *rec);
static void ngx_sentry_transaction_mark(snx_moment_t moment, int64_t time_us,
    snx_rec_writer_t *rec);
static int64_t ngx_sentry_transaction_accept(ngx_http_request_t *r);
static int64_t ngx_sentry_transaction_upgrade(ngx_http_request_t *r);


ngx_int_t
ngx_sentry_transaction_log(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t       *ctx;
    ngx_sentry_loc_conf_t  *conf;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_sentry_trail_ctx(r, 0);
    conf = ngx_sentry_trail_place(r, ctx);

    /* no preflights; and what was asked must have been understood */

    if (!conf->traces || r->method == NGX_HTTP_OPTIONS
        || r->unparsed_uri.len == 0)
    {
        return NGX_OK;
    }

    /* a draw for another location: its trace tells the same */

    if (conf->may_miss && ngx_sentry_trace_missed(r)) {
        ngx_sentry_transaction_lose(r, ctx, conf, SNX_LOST_SAMPLE_RATE, 1);

    } else {
        ngx_sentry_transaction_judge(r, ctx, conf);
    }

    return NGX_OK;
}


/* Apart, as most requests are not sampled and need no room for an event. */

static SNX_NOINLINE void
ngx_sentry_transaction_judge(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx,
    ngx_sentry_loc_conf_t *conf)
{
    ngx_sentry_event_t  event;

    /* what else there is in it is of errors alone */

    event.request = r;
    event.conf = conf;
    event.ctx = ctx ? ctx : ngx_sentry_trail_make(r);

    if (ngx_sentry_transaction_wanted(&event)) {
        ngx_sentry_transaction_capture(&event);
    }
}


static ngx_int_t
ngx_sentry_transaction_wanted(ngx_sentry_event_t *event)
{
    snx_lost_t           why;
    ngx_sentry_ctx_t    *ctx;
    ngx_sentry_draw_t    draw;
    ngx_sentry_trace_t  *trace, copy;

    ctx = event->ctx;

    trace = (ctx && ctx->trace) ? ctx->trace
                                : ngx_sentry_trace_begin(event->request, ctx);
    if (trace == NULL) {

        /* no memory: what is drawn now is to be found again */

        ngx_sentry_trace_of(event->request, &copy);
        trace = &copy;

        if (!copy.continued) {
            draw.conf = copy.conf;
            draw.random = copy.random;
            draw.missed = 0;

            ngx_sentry_trail_draw(event->request, &draw);
        }
    }

    if (trace->sampled < 0) {
        return 0;
    }

    event->route = trace->route;

    if (trace->sampled == 0) {

        switch (trace->why) {

        case SNX_SAMPLE_ROUTE:
            why = SNX_LOST_IGNORED;
            break;

        case SNX_SAMPLE_PRESSURE:
            why = SNX_LOST_BACKPRESSURE;
            break;

        default:
            why = SNX_LOST_SAMPLE_RATE;
        }

        ngx_sentry_transaction_lose(event->request, ctx, event->conf, why, 1);

        return 0;
    }

    if (event->conf->ignore
        && ngx_sentry_capture_ignored(event->request, event->conf))
    {
        ngx_sentry_transaction_lose(event->request, ctx, event->conf,
                                    SNX_LOST_IGNORED, 1);
        return 0;
    }

    return 1;
}


/* The spans are counted with it; transactions 0: it is counted already. */

static void
ngx_sentry_transaction_lose(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx,
    ngx_sentry_loc_conf_t *conf, snx_lost_t why, ngx_uint_t transactions)
{
    snx_project_t  *project;

    project = conf->dsn ? conf->dsn->project : NULL;

    if (project == NULL) {
        return;
    }

    if (transactions) {
        snx_project_lose(project, why, SNX_CAT_TRANSACTION, transactions);
    }

    snx_project_lose(project, why, SNX_CAT_SPAN,
                     ngx_sentry_transaction_spans(r, ctx));
}


/* The transaction itself counts as one. */

static ngx_uint_t
ngx_sentry_transaction_spans(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx)
{
    ngx_uint_t                  i, n;
    ngx_http_upstream_state_t  *state;

    n = 1;

    if (r->upstream_states) {
        state = r->upstream_states->elts;

        for (i = 0; i < r->upstream_states->nelts; i++) {
            n += (state[i].peer != NULL);
        }
    }

    if (ctx && ctx->spans) {
        n += ngx_min(ctx->spans->nsubrequests,
                     NGX_SENTRY_SUBREQUESTS_MAX_N);
    }

    return n;
}


static void
ngx_sentry_transaction_capture(ngx_sentry_event_t *event)
{
    snx_project_t        *project;
    snx_rec_writer_t      rec;
    ngx_http_request_t   *r;
    ngx_sentry_worker_t  *worker;

    r = event->request;
    worker = ngx_sentry_process_worker();
    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    if (ngx_sentry_process_limited(project, SNX_CAT_TRANSACTION)) {
        ngx_sentry_transaction_lose(r, event->ctx, event->conf,
                                    SNX_LOST_RATELIMIT_BACKOFF, 0);
        return;
    }

    event->status = r->err_status ? r->err_status : r->headers_out.status;

    ngx_sentry_transaction_pack(worker, event, &rec);

    if (ngx_sentry_process_put(worker, project, SNX_KIND_TRANSACTION, &rec)
        != NGX_OK)
    {
        ngx_sentry_transaction_lose(r, event->ctx, event->conf,
                                    SNX_LOST_QUEUE_OVERFLOW, 0);
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

    ngx_sentry_transaction_identity(worker, event, upgrade, rec);
    ngx_sentry_request_client(event, rec);
    ngx_sentry_memo_line(event, rec);
    ngx_sentry_transaction_marks(event, upgrade, rec);

    if (r->upstream) {
        ngx_sentry_pack_upstreams(event, rec);
    }

    if (event->ctx && event->ctx->npasses) {
        ngx_sentry_trail_passes(event->ctx, rec);
    }

    if (event->ctx && event->ctx->spans) {
        ngx_sentry_subrequest_pack(event->ctx, rec);
    }

    ngx_sentry_pack_directives(event, rec);
    ngx_sentry_pack_numbers(r, rec);

    if (r->headers_in.content_length_n > 0) {
        snx_fact_set(rec->facts, SNX_FACT_BODY_SIZE,
                     r->headers_in.content_length_n);
    }

    ngx_sentry_memo_agent(event, rec);
}


static void
ngx_sentry_transaction_identity(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, int64_t upgrade, snx_rec_writer_t *rec)
{
    int64_t       start;
    snx_facts_t  *facts;

    facts = rec->facts;
    start = ((int64_t) event->request->start_sec * 1000
             + (int64_t) event->request->start_msec) * 1000;

    facts->has |= 1u << SNX_FACT_EVENT_ID;
    ngx_sentry_process_id(worker, facts->event_id, sizeof(facts->event_id));

    snx_fact_set(facts, SNX_FACT_START_US, start);
    snx_fact_set(facts, SNX_FACT_TIMESTAMP_US,
                 ngx_sentry_transaction_end(event, start, upgrade));

    if (event->status) {
        snx_fact_set(facts, SNX_FACT_STATUS, (int64_t) event->status);
    }

    ngx_sentry_trace_pack(event->request, rec);
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


/*
 * When the connection came, if this is its first request and it spoke TLS;
 * nginx older than 1.19.10 does not know.
 */

static int64_t
ngx_sentry_transaction_accept(ngx_http_request_t *r)
{
#if ((NGX_HTTP_SSL || NGX_COMPAT) && nginx_version >= 1019010)
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
