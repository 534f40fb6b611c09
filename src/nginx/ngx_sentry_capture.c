
/*
 * Copyright (C) ngx_sentry authors
 *
 * Decides which requests become error events, transactions, or both.
 * Everything is decided in the log phase, from the final state of the
 * request; so requests that end before any phase (400, 413, 414, 408) are seen
 * like all others.  Subrequests are part of their main request.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


/* nginx keeps these numbers private to its limit modules */

#define NGX_SENTRY_LIMIT_REQ_REJECTED   3
#define NGX_SENTRY_LIMIT_CONN_REJECTED  2


static void ngx_sentry_capture_request(ngx_http_request_t *r,
    ngx_uint_t status);
static void ngx_sentry_capture_routed(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, ngx_uint_t failed, ngx_uint_t traced);
static void ngx_sentry_capture_event(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event);
static ngx_int_t ngx_sentry_capture_wanted(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_uint_t status);
static ngx_int_t ngx_sentry_capture_ignored(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);


ngx_int_t
ngx_sentry_capture_log(ngx_http_request_t *r)
{
    ngx_uint_t               status;
    ngx_sentry_main_conf_t  *smcf;

    if (r != r->main) {
        return NGX_OK;
    }

    /* what $status says */

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (status < 400 || status > 599) {
        smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);

        if (!smcf->traces) {
            return NGX_OK;
        }
    }

    ngx_sentry_capture_request(r, status);

    return NGX_OK;
}


static void
ngx_sentry_capture_request(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t               failed, traced;
    ngx_sentry_event_t      event;
    ngx_sentry_trace_t      trace;
    ngx_sentry_worker_t    *worker;

    worker = ngx_sentry_process_worker();
    if (worker == NULL) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_sentry_event_t));

    event.request = r;
    event.ctx = ngx_sentry_trail_ctx(r, 0);
    event.conf = ngx_sentry_trail_place(r, event.ctx);
    event.trace = &trace;
    event.status = status;

    if (!event.conf->reports || event.conf->dropped) {
        return;
    }

    failed = ngx_sentry_capture_wanted(r, event.conf, status);

    if (!failed && !event.conf->traces) {
        return;
    }

    ngx_sentry_trace_of(r, &trace);

    traced = ngx_sentry_transaction_wanted(&event);

    if (failed || traced) {
        ngx_sentry_capture_routed(worker, &event, failed, traced);
    }
}


/* Both have the path, the route and the answer of sentry_ignore in common. */

static void
ngx_sentry_capture_routed(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, ngx_uint_t failed, ngx_uint_t traced)
{
    u_char          path[SNX_URL_MAX];
    ngx_uint_t      drop;
    snx_project_t  *project;

    event->path.data = path;
    event->path.len = snx_route_path(ngx_sentry_request_target(
                                                              event->request),
                                     path, sizeof(path));

    drop = ngx_sentry_route_find(event->request, event);

    if (ngx_sentry_capture_ignored(event->request, event->conf)) {
        drop = NGX_SENTRY_DROP_ERRORS|NGX_SENTRY_DROP_TRACES;
    }

    if (failed && !(drop & NGX_SENTRY_DROP_ERRORS)) {
        ngx_sentry_capture_event(worker, event);

    } else if (failed) {
        project = event->conf->dsn ? event->conf->dsn->project : NULL;

        if (project) {
            snx_project_lose(project, SNX_LOST_IGNORED, SNX_CAT_ERROR, 1);
        }
    }

    if (traced && !(drop & NGX_SENTRY_DROP_TRACES)) {
        ngx_sentry_transaction_capture(worker, event);

    } else if (traced) {
        ngx_sentry_transaction_lose(event, SNX_LOST_IGNORED);
    }
}


static void
ngx_sentry_capture_event(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event)
{
    double             rate;
    snx_project_t     *project;
    snx_rec_writer_t   rec;

    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    rate = event->route && event->route->errors >= 0
           ? event->route->errors
           : ngx_sentry_capture_rate(event->request,
                                     &event->conf->sample_rate);

    if (rate < 1 && ngx_sentry_process_unit(worker) >= rate) {
        if (project) {
            snx_project_lose(project, SNX_LOST_SAMPLE_RATE, SNX_CAT_ERROR, 1);
        }

        return;
    }

    if (ngx_sentry_process_limited(project, SNX_CAT_ERROR)) {
        return;
    }

    ngx_sentry_process_id(worker, event->event_id, sizeof(event->event_id));
    ngx_sentry_pack_event(worker, event, &rec);

    (void) ngx_sentry_process_put(worker, project, SNX_KIND_EVENT, &rec);
}


/* By status alone: the cheap questions first. */

static ngx_int_t
ngx_sentry_capture_wanted(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_uint_t status)
{
    uint64_t    bit;
    ngx_uint_t  word;

    if (status < 400 || status > 599
        || status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return 0;
    }

    word = (status - 400) / 64;
    bit = 1ull << ((status - 400) % 64);

    if (!(conf->capture.bits[word] & bit)) {
        return 0;
    }

    /* being limited is expected, unless this very status was asked for */

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && !(conf->named.bits[word] & bit)
        && (r->limit_req_status == NGX_SENTRY_LIMIT_REQ_REJECTED
            || r->limit_conn_status == NGX_SENTRY_LIMIT_CONN_REJECTED))
    {
        return 0;
    }

    return 1;
}


static ngx_int_t
ngx_sentry_capture_ignored(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    if (conf->ignore == NULL) {
        return 0;
    }

    cv = conf->ignore->elts;

    for (i = 0; i < conf->ignore->nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &value) != NGX_OK) {
            continue;
        }

        if (value.len && !(value.len == 1 && value.data[0] == '0')) {
            return 1;
        }
    }

    return 0;
}


double
ngx_sentry_capture_rate(ngx_http_request_t *r, ngx_sentry_rate_t *rate)
{
    double     value;
    ngx_str_t  text;

    if (rate->complex == NULL) {
        return rate->value;
    }

    if (ngx_http_complex_value(r, rate->complex, &text) != NGX_OK
        || !snx_text_rate(ngx_sentry_str(&text), &value))
    {
        return 1;
    }

    return value;
}
