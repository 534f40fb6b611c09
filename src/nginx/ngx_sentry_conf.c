
/*
 * Copyright (C) ngx_sentry authors
 *
 * Life of the configuration: creation, defaults, inheritance, and the
 * constants of each location that are packed once, here, so that a request
 * copies them with one memcpy.  Parses no directive (see
 * ngx_sentry_directives.c).
 */


#include "ngx_sentry.h"
#include "snx_dsn.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_conf_location(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf, ngx_sentry_loc_conf_t *conf);
SNX_COLD static ngx_int_t ngx_sentry_conf_constants(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf, ngx_sentry_loc_conf_t *conf);
static void ngx_sentry_conf_capture_default(ngx_sentry_statuses_t *capture);
static ngx_int_t ngx_sentry_conf_from_env(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf, ngx_sentry_loc_conf_t *conf);


void *
ngx_sentry_conf_create_main(ngx_conf_t *cf)
{
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_sentry_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     strings, zone, shm, stub_status, bit fields
     */

    if (ngx_array_init(&smcf->dsns, cf->pool, 4, sizeof(ngx_sentry_dsn_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&smcf->logs, cf->pool, 4, sizeof(ngx_sentry_log_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_sentry_env_read(cf, &smcf->env) != NGX_OK) {
        return NULL;
    }

    smcf->slot = NGX_CONF_UNSET;
    smcf->queue = NGX_CONF_UNSET_SIZE;
    smcf->flush_interval = NGX_CONF_UNSET_MSEC;
    smcf->timeout = NGX_CONF_UNSET_MSEC;
    smcf->shutdown_timeout = NGX_CONF_UNSET_MSEC;
    smcf->compression = NGX_CONF_UNSET_UINT;
    smcf->ssl_verify = NGX_CONF_UNSET;
    smcf->debug = NGX_CONF_UNSET;
    smcf->traces_limit = NGX_CONF_UNSET_UINT;
    smcf->log_events = NGX_CONF_UNSET_UINT;

    return smcf;
}


char *
ngx_sentry_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_conf_init_size_value(smcf->queue, 8 * 1024 * 1024);
    ngx_conf_init_msec_value(smcf->flush_interval, 500);
    ngx_conf_init_msec_value(smcf->timeout, 10000);
    ngx_conf_init_msec_value(smcf->shutdown_timeout, 2000);
    ngx_conf_init_uint_value(smcf->compression, 1);
    ngx_conf_init_value(smcf->ssl_verify, 1);
    ngx_conf_init_value(smcf->debug, smcf->env.debug == 1);
    ngx_conf_init_uint_value(smcf->traces_limit, 0);
    ngx_conf_init_uint_value(smcf->log_events, NGX_LOG_CRIT);

    if (!smcf->event_limit_set) {
        smcf->event_limit.interval_us = NGX_SENTRY_EVENT_INTERVAL;
        smcf->event_limit.burst = NGX_SENTRY_EVENT_BURST;
    }

    if (smcf->server_name.len == 0) {
        smcf->server_name = cf->cycle->hostname;
    }

    if (!smcf->spotlight_set
        && ngx_sentry_spotlight_url(&smcf->env.spotlight, &smcf->spotlight)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"SENTRY_SPOTLIGHT\" must be "
                           "\"on\", \"off\" or an http URL, got \"%V\"",
                           &smcf->env.spotlight);
        return NGX_CONF_ERROR;
    }

    if (smcf->env.disabled) {
        ngx_str_null(&smcf->spotlight);
    }

    return NGX_CONF_OK;
}


void *
ngx_sentry_conf_create_srv(ngx_conf_t *cf)
{
    ngx_sentry_srv_conf_t  *sscf;

    sscf = ngx_pcalloc(cf->pool, sizeof(ngx_sentry_srv_conf_t));
    if (sscf == NULL) {
        return NULL;
    }

    sscf->default_routes = NGX_CONF_UNSET;

    return sscf;
}


char *
ngx_sentry_conf_merge_srv(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_sentry_srv_conf_t *prev = parent;
    ngx_sentry_srv_conf_t *conf = child;

    if (conf->routes == NULL) {
        conf->routes = prev->routes;
    }

    ngx_conf_merge_value(conf->default_routes, prev->default_routes, 1);

    return NGX_CONF_OK;
}


void *
ngx_sentry_conf_create_loc(ngx_conf_t *cf)
{
    ngx_sentry_loc_conf_t  *slcf;

    slcf = ngx_pcalloc(cf->pool, sizeof(ngx_sentry_loc_conf_t));
    if (slcf == NULL) {
        return NULL;
    }

    slcf->dsn = NGX_CONF_UNSET_PTR;
    slcf->ignore = NGX_CONF_UNSET_PTR;
    slcf->transaction = NGX_CONF_UNSET_PTR;
    slcf->tags = NGX_CONF_UNSET_PTR;
    slcf->user = NGX_CONF_UNSET_PTR;
    slcf->context = NGX_CONF_UNSET_PTR;
    slcf->fingerprint = NGX_CONF_UNSET_PTR;
    slcf->scrub_terms = NGX_CONF_UNSET_PTR;
    slcf->pii = NGX_CONF_UNSET;
    slcf->breadcrumbs = NGX_CONF_UNSET_UINT;
    slcf->inherit_sampling = NGX_CONF_UNSET;
    slcf->trace_context = NGX_CONF_UNSET_UINT;
    slcf->traceparent = NGX_CONF_UNSET;
    slcf->server_timing = NGX_CONF_UNSET;
    slcf->slow_request = NGX_CONF_UNSET_MSEC;
    slcf->request_body = NGX_CONF_UNSET_SIZE;

    if (ngx_sentry_place_note(cf, slcf) != NGX_OK) {
        return NULL;
    }

    return slcf;
}


char *
ngx_sentry_conf_merge_loc(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_sentry_loc_conf_t *prev = parent;
    ngx_sentry_loc_conf_t *conf = child;

    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);

    /* the http level is nobody's child: it gets its defaults here */

    if (prev->dsn == NGX_CONF_UNSET_PTR
        && ngx_sentry_conf_from_env(cf, smcf, prev) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_ptr_value(conf->dsn, prev->dsn, NULL);

    ngx_conf_merge_str_value(conf->environment, prev->environment, "");
    ngx_conf_merge_str_value(conf->release, prev->release, "");

    ngx_sentry_conf_names(smcf, &conf->environment, &conf->release);

    if (!conf->capture_set) {
        conf->capture = prev->capture;
        conf->named = prev->named;

        if (!prev->capture_set) {
            ngx_sentry_conf_capture_default(&conf->capture);
        }

        conf->capture_set = 1;
    }

    if (!conf->rate_set) {
        conf->sample_rate = prev->sample_rate;

        if (!prev->rate_set) {
            conf->sample_rate.value = smcf->env.sample_rate < 0
                                      ? 1 : smcf->env.sample_rate;
        }

        conf->rate_set = 1;
    }

    ngx_conf_merge_ptr_value(conf->ignore, prev->ignore, NULL);
    ngx_conf_merge_ptr_value(conf->transaction, prev->transaction, NULL);
    ngx_conf_merge_ptr_value(conf->tags, prev->tags, NULL);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->context, prev->context, NULL);
    ngx_conf_merge_ptr_value(conf->fingerprint, prev->fingerprint, NULL);
    ngx_conf_merge_ptr_value(conf->scrub_terms, prev->scrub_terms, NULL);
    ngx_conf_merge_value(conf->pii, prev->pii, 0);
    ngx_conf_merge_uint_value(conf->breadcrumbs, prev->breadcrumbs,
                              NGX_LOG_NOTICE);
    ngx_conf_merge_msec_value(conf->slow_request, prev->slow_request, 0);
    ngx_conf_merge_size_value(conf->request_body, prev->request_body, 0);

    conf->scrub.pii = conf->pii ? 1 : 0;

    if (conf->scrub_terms) {
        conf->scrub.terms = conf->scrub_terms->elts;
        conf->scrub.nterms = conf->scrub_terms->nelts;
    }

    conf->reports = !smcf->env.disabled
                    && (conf->dsn != NULL || smcf->spotlight.len != 0);

    ngx_sentry_tracing_merge(cf, prev, conf);

    if (conf->reports
        && (ngx_sentry_conf_location(cf, smcf, conf) != NGX_OK
            || ngx_sentry_conf_constants(cf, smcf, conf) != NGX_OK
            || ngx_sentry_baggage_constants(cf, conf) != NGX_OK))
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_sentry_place_merge(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_sentry_conf_names(ngx_sentry_main_conf_t *smcf, ngx_str_t *environment,
    ngx_str_t *release)
{
    if (environment->len == 0) {
        ngx_str_set(environment, "production");

        if (smcf->env.environment.len) {
            *environment = smcf->env.environment;
        }
    }

    if (release->len == 0) {
        *release = smcf->env.release;
    }
}


/* The DSN of the environment, for the http level without a sentry_dsn. */

static ngx_int_t
ngx_sentry_conf_from_env(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf,
    ngx_sentry_loc_conf_t *conf)
{
    const char  *why;

    conf->dsn = NULL;

    if (smcf->env.dsn.len == 0 || smcf->env.disabled) {
        return NGX_OK;
    }

    conf->dsn = ngx_sentry_conf_dsn(cf, &smcf->env.dsn, &why);

    if (conf->dsn == NULL && why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"SENTRY_DSN\" must be "
                           "http(s)://key@host/project: %s", why);
    }

    return conf->dsn ? NGX_OK : NGX_ERROR;
}


ngx_sentry_dsn_t *
ngx_sentry_conf_dsn(ngx_conf_t *cf, ngx_str_t *dsn, const char **why)
{
    char                      label[512];
    size_t                    len;
    ngx_uint_t                i;
    snx_dsn_t                 parsed;
    ngx_sentry_dsn_t         *d, **dsns;
    ngx_sentry_main_conf_t   *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);
    dsns = smcf->dsns.elts;

    for (i = 0; i < smcf->dsns.nelts; i++) {
        if (dsns[i]->dsn.len == dsn->len
            && ngx_memcmp(dsns[i]->dsn.data, dsn->data, dsn->len) == 0)
        {
            return dsns[i];
        }
    }

    if (snx_dsn_parse(&parsed, ngx_sentry_str(dsn), why) != SNX_OK) {
        return NULL;
    }

    if (smcf->dsns.nelts == SNX_DSNS_MAX_N) {
        *why = "more than 64 different DSNs in one nginx";
        return NULL;
    }

    *why = "it is too long";

    len = snx_dsn_label(&parsed, label, sizeof(label));
    if (len == 0 || dsn->len >= SNX_DSN_MAX) {
        return NULL;
    }

    /* nginx says that there is no memory */

    *why = NULL;

    d = ngx_pcalloc(cf->pool, sizeof(ngx_sentry_dsn_t));
    if (d == NULL) {
        return NULL;
    }

    d->dsn = *dsn;
    d->label.len = len;
    d->label.data = ngx_pnalloc(cf->pool, len);
    if (d->label.data == NULL) {
        return NULL;
    }

    ngx_memcpy(d->label.data, label, len);

    d->key.len = parsed.key.len;
    d->key.data = (u_char *) parsed.key.data;
    d->host.len = parsed.host.len;
    d->host.data = (u_char *) parsed.host.data;
    d->project_id.len = parsed.project.len;
    d->project_id.data = (u_char *) parsed.project.data;

    d->org_id.len = snx_dsn_org_id(&parsed, label, sizeof(label));
    d->org_id.data = ngx_pnalloc(cf->pool, d->org_id.len + 1);
    if (d->org_id.data == NULL) {
        return NULL;
    }

    ngx_memcpy(d->org_id.data, label, d->org_id.len);

    dsns = ngx_array_push(&smcf->dsns);
    if (dsns == NULL) {
        return NULL;
    }

    *dsns = d;

    return d;
}


static void
ngx_sentry_conf_capture_default(ngx_sentry_statuses_t *capture)
{
    ngx_uint_t  code;

    for (code = 500; code <= 599; code++) {
        capture->bits[(code - 400) / 64] |= 1ull << ((code - 400) % 64);
    }
}


/* What the location is called, and whether it is one that is dropped. */

static ngx_int_t
ngx_sentry_conf_location(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf,
    ngx_sentry_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->breadcrumbs
        && ngx_sentry_cause_collect(cf, smcf, clcf->error_log,
                                    conf->breadcrumbs)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->location = clcf->name;
    conf->remember = clcf->error_pages != NULL || conf->slow_request;
    smcf->slow |= conf->slow_request != 0;

    conf->dropped = clcf->handler != NULL
                    && (clcf->handler == ngx_sentry_status_handler
                        || clcf->handler == ngx_sentry_test_handler
                        || clcf->handler == smcf->stub_status);

    conf->named_route = clcf->name.len != 0
                        && !(clcf->name.len == 1 && clcf->name.data[0] == '/')
#if (NGX_PCRE)
                        && clcf->regex == NULL
#endif
                        ;

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_conf_constants(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf,
    ngx_sentry_loc_conf_t *conf)
{
    size_t                      len;
    u_char                      buf[NGX_SENTRY_CONSTANTS_MAX];
    snx_rec_writer_t            w;
    ngx_http_core_srv_conf_t   *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    snx_rec_begin(&w, buf, sizeof(buf));

    if (conf->dsn) {
        snx_rec_str(&w, SNX_F_DSN, ngx_sentry_str(&conf->dsn->dsn));
    }

    snx_rec_str(&w, SNX_F_ENVIRONMENT, ngx_sentry_str(&conf->environment));
    snx_rec_str(&w, SNX_F_RELEASE, ngx_sentry_str(&conf->release));
    snx_rec_str(&w, SNX_F_SERVER_NAME, ngx_sentry_str(&smcf->server_name));
    snx_rec_str(&w, SNX_F_NGINX_VERSION, snx_cstr(NGINX_VERSION));
    snx_rec_str(&w, SNX_F_VHOST, ngx_sentry_str(&cscf->server_name));
    snx_rec_str(&w, SNX_F_LOCATION, ngx_sentry_str(&conf->location));

    len = (size_t) (w.pos - w.start);

    conf->constants.len = len;
    conf->constants.data = ngx_pnalloc(cf->pool, len);
    if (conf->constants.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(conf->constants.data, buf, len);

    conf->hide_agent = snx_scrub_header(&conf->scrub,
                                        snx_cstr("User-Agent")) != 0;

    return NGX_OK;
}
