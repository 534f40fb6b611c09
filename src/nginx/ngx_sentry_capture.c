
/*
 * Copyright (C) ngx_sentry authors
 *
 * Decides which requests become error events.  Everything is decided in the
 * log phase, from the final state of the request; so requests that end before
 * any phase (400, 413, 414, 408) are seen like all others.  Only when
 * $sentry_event_id is asked for is it decided then, and kept: an id that was
 * shown is an event that is sent.  Subrequests are part of their main request.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static ngx_inline ngx_uint_t ngx_sentry_capture_asked(ngx_http_request_t *r,
    ngx_uint_t log);
static void ngx_sentry_capture_request(ngx_http_request_t *r);
static ngx_int_t ngx_sentry_capture_begin(ngx_http_request_t *r,
    ngx_sentry_event_t *event, ngx_uint_t log);
static ngx_int_t ngx_sentry_capture_decide(ngx_sentry_event_t *event,
    u_char *path, ngx_uint_t log);
static ngx_int_t ngx_sentry_capture_judge(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, ngx_int_t route);
static void ngx_sentry_capture_keep(ngx_sentry_event_t *event, ngx_int_t rc);
static void ngx_sentry_capture_send(ngx_sentry_event_t *event);
static ngx_int_t ngx_sentry_capture_wanted(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_uint_t status);


/* Requests of this process that know their id and are not over. */

static ngx_uint_t  ngx_sentry_capture_promised;


ngx_int_t
ngx_sentry_capture_log(ngx_http_request_t *r)
{
    if (r == r->main && ngx_sentry_capture_asked(r, 1)) {
        ngx_sentry_capture_request(r);
    }

    return NGX_OK;
}


/*
 * What is asked of every request: failed, maybe slow, or decided upon already.
 * Most are not even looked at for more than their status.
 */

static ngx_inline ngx_uint_t
ngx_sentry_capture_asked(ngx_http_request_t *r, ngx_uint_t log)
{
    ngx_uint_t               status;
    ngx_sentry_main_conf_t  *smcf;

    /* what $status says */

    status = r->err_status ? r->err_status : r->headers_out.status;

    if ((status >= 400 && status <= 599) || ngx_sentry_capture_promised) {
        return 1;
    }

    smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);

    return log && smcf->slow;
}


static void
ngx_sentry_capture_request(ngx_http_request_t *r)
{
    u_char              path[SNX_URL_MAX];
    ngx_sentry_event_t  event;

    if (ngx_sentry_capture_begin(r, &event, 1) == NGX_OK
        && ngx_sentry_capture_decide(&event, path, 1) == NGX_OK)
    {
        ngx_sentry_capture_send(&event);
    }
}


unsigned char *
ngx_sentry_capture_id(ngx_http_request_t *r)
{
    u_char              path[SNX_URL_MAX];
    ngx_sentry_event_t  event;

    if (!ngx_sentry_capture_asked(r, 0)
        || ngx_sentry_capture_begin(r, &event, 0) != NGX_OK
        || ngx_sentry_capture_decide(&event, path, 0) != NGX_OK)
    {
        return NULL;
    }

    return event.ctx->verdict.event_id;
}


static ngx_int_t
ngx_sentry_capture_begin(ngx_http_request_t *r, ngx_sentry_event_t *event,
    ngx_uint_t log)
{
    ngx_uint_t  status;

    status = r->err_status ? r->err_status : r->headers_out.status;

    ngx_memzero(event, sizeof(ngx_sentry_event_t));

    event->request = r;
    event->ctx = ngx_sentry_trail_ctx(r, 0);
    event->conf = ngx_sentry_trail_place(r, event->ctx);
    event->status = status;

    if ((event->ctx && event->ctx->decided)
        || ngx_sentry_capture_wanted(r, event->conf, status))
    {
        return NGX_OK;
    }

    /* what failed and is to be reported is not reported as slow as well */

    return (log && event->conf->reports && !event->conf->dropped)
           ? ngx_sentry_slow_find(event) : NGX_DECLINED;
}


static ngx_int_t
ngx_sentry_capture_decide(ngx_sentry_event_t *event, u_char *path,
    ngx_uint_t log)
{
    ngx_int_t              rc, route;
    ngx_sentry_worker_t   *worker;
    ngx_sentry_verdict_t  *verdict;

    verdict = (event->ctx && event->ctx->decided) ? &event->ctx->verdict
                                                  : NULL;

    if (verdict && (!log || !verdict->passed)) {
        return verdict->passed ? NGX_OK : NGX_DECLINED;
    }

    worker = ngx_sentry_process_worker();
    if (worker == NULL) {
        return NGX_DECLINED;
    }

    event->path.data = path;
    event->path.len = snx_route_path(ngx_sentry_request_target(event->request),
                                     path, SNX_URL_MAX);

    route = ngx_sentry_route_find(event->request, event);

    if (verdict) {
        ngx_sentry_capture_promised--;

        event->status = verdict->status;
        event->group = verdict->group;
        event->held = verdict->held;
        ngx_memcpy(event->event_id, verdict->event_id,
                   sizeof(event->event_id));

        return NGX_OK;
    }

    if (event->ctx == NULL) {
        event->ctx = ngx_sentry_trail_ctx(event->request, 1);

        if (event->ctx == NULL && !log) {
            return NGX_DECLINED;
        }
    }

    rc = ngx_sentry_capture_judge(worker, event, route);

    if (event->ctx) {
        ngx_sentry_capture_keep(event, rc);
        ngx_sentry_capture_promised += (rc == NGX_OK && !log);
    }

    return rc;
}


/* Whatever says no keeps the accounts. */

static ngx_int_t
ngx_sentry_capture_judge(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, ngx_int_t route)
{
    double                  rate;
    snx_lost_t              lost;
    snx_project_t          *project;
    ngx_sentry_loc_conf_t  *conf;

    conf = event->conf;
    project = conf->dsn ? conf->dsn->project : NULL;

    lost = SNX_LOST_IGNORED;

    if (route != NGX_OK || ngx_sentry_capture_ignored(event->request, conf)) {
        goto lost;
    }

    rate = event->route && event->route->errors >= 0
           ? event->route->errors
           : ngx_sentry_capture_rate(event->request, &conf->sample_rate);

    lost = SNX_LOST_SAMPLE_RATE;

    if (rate < 1 && ngx_sentry_process_unit(worker) >= rate) {
        goto lost;
    }

    if (ngx_sentry_process_limited(project, SNX_CAT_ERROR)) {
        return NGX_DECLINED;
    }

    lost = SNX_LOST_HELD_BACK;

    if (ngx_sentry_group_pass(event) != NGX_OK) {
        goto lost;
    }

    ngx_sentry_process_id(worker, event->event_id, sizeof(event->event_id));

    return NGX_OK;

lost:

    if (project) {
        snx_project_lose(project, lost, SNX_CAT_ERROR, 1);
    }

    return NGX_DECLINED;
}


static void
ngx_sentry_capture_keep(ngx_sentry_event_t *event, ngx_int_t rc)
{
    ngx_sentry_verdict_t  *verdict;

    event->ctx->decided = 1;
    verdict = &event->ctx->verdict;

    verdict->passed = (rc == NGX_OK) ? 1 : 0;
    verdict->status = event->status;
    verdict->group = event->group;
    verdict->held = event->held;
    ngx_memcpy(verdict->event_id, event->event_id, sizeof(event->event_id));
}


static void
ngx_sentry_capture_send(ngx_sentry_event_t *event)
{
    u_char                text[SNX_TEXT_MAX];
    snx_project_t        *project;
    snx_rec_writer_t      rec;
    ngx_sentry_worker_t  *worker;

    worker = ngx_sentry_process_worker();
    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    if (event->slow) {
        event->value = snx_str(text, ngx_sentry_slow_value(event, text,
                                                           sizeof(text)));
    }

    ngx_sentry_pack_event(worker, event, &rec);

    ngx_sentry_group_told(event,
                          ngx_sentry_process_put(worker, project,
                                                 SNX_KIND_EVENT, &rec)
                          == NGX_OK);
}


/* By status alone: the cheap questions first. */

static ngx_int_t
ngx_sentry_capture_wanted(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_uint_t status)
{
    uint64_t    bit;
    ngx_uint_t  word;

    if (!conf->reports || conf->dropped || status < 400 || status > 599
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
        && ngx_sentry_reason_limited(r))
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
