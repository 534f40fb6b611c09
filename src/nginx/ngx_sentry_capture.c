
/*
 * Copyright (C) ngx_sentry authors
 *
 * Decides which requests become error events.  Everything is decided in the
 * log phase, from the final state of the request; so requests that end before
 * any phase (400, 413, 414, 408) are seen like all others.  Subrequests are
 * part of their main request.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


/* nginx keeps these numbers private to its limit modules */

#define NGX_SENTRY_LIMIT_REQ_REJECTED   3
#define NGX_SENTRY_LIMIT_CONN_REJECTED  2


static void ngx_sentry_capture_failed(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_sentry_capture_wanted(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_uint_t status);


ngx_int_t
ngx_sentry_capture_log(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    /* what $status says */

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (status < 400 || status > 599 || r != r->main) {
        return NGX_OK;
    }

    ngx_sentry_capture_failed(r, status);

    return NGX_OK;
}


static void
ngx_sentry_capture_failed(ngx_http_request_t *r, ngx_uint_t status)
{
    double                  rate;
    u_char                  path[SNX_URL_MAX];
    snx_project_t          *project;
    snx_rec_writer_t        rec;
    ngx_sentry_ctx_t       *ctx;
    ngx_sentry_event_t      event;
    ngx_sentry_worker_t    *worker;
    ngx_sentry_loc_conf_t  *conf;

    worker = ngx_sentry_process_worker();
    if (worker == NULL) {
        return;
    }

    ctx = ngx_sentry_trail_ctx(r, 0);
    conf = ngx_sentry_trail_place(r, ctx);

    if (!ngx_sentry_capture_wanted(r, conf, status)) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_sentry_event_t));

    event.request = r;
    event.conf = conf;
    event.ctx = ctx;
    event.status = status;
    event.path.data = path;
    event.path.len = snx_route_path(ngx_sentry_request_target(r), path,
                                    sizeof(path));

    project = conf->dsn ? conf->dsn->project : NULL;

    if (ngx_sentry_route_find(r, &event) != NGX_OK
        || ngx_sentry_capture_ignored(r, conf))
    {
        if (project) {
            snx_project_lose(project, SNX_LOST_IGNORED, SNX_CAT_ERROR, 1);
        }

        return;
    }

    rate = event.route && event.route->errors >= 0
           ? event.route->errors
           : ngx_sentry_capture_rate(r, &conf->sample_rate);

    if (rate < 1 && ngx_sentry_process_unit(worker) >= rate) {
        if (project) {
            snx_project_lose(project, SNX_LOST_SAMPLE_RATE, SNX_CAT_ERROR, 1);
        }

        return;
    }

    if (ngx_sentry_process_limited(project, SNX_CAT_ERROR)) {
        return;
    }

    ngx_sentry_process_id(worker, event.event_id, sizeof(event.event_id));
    ngx_sentry_pack_event(worker, &event, &rec);

    (void) ngx_sentry_process_put(worker, project, SNX_KIND_EVENT, &rec);
}


/* By status alone: the cheap questions first. */

static ngx_int_t
ngx_sentry_capture_wanted(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_uint_t status)
{
    uint64_t    bit;
    ngx_uint_t  word;

    if (!conf->reports || conf->dropped
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


ngx_int_t
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
