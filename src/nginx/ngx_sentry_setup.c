
/*
 * Copyright (C) ngx_sentry authors
 *
 * What a configuration that reports anything installs: phase handlers, the
 * shared memory zone, the start-up notice.  A configuration that reports
 * nothing gets none of it.
 */


#include "ngx_sentry.h"


static ngx_int_t ngx_sentry_setup_traces(ngx_conf_t *cf);
static ngx_uint_t ngx_sentry_setup_limits(ngx_conf_t *cf);
static ngx_int_t ngx_sentry_setup_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_sentry_setup_zone(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf);
static ngx_int_t ngx_sentry_setup_init_zone(ngx_shm_zone_t *zone, void *data);
static void ngx_sentry_setup_projects(ngx_sentry_main_conf_t *smcf);
static void ngx_sentry_setup_abandon(ngx_cycle_t *cycle,
    ngx_sentry_main_conf_t *smcf);
static void ngx_sentry_setup_notice(ngx_cycle_t *cycle,
    ngx_sentry_loc_conf_t *slcf);
static void ngx_sentry_setup_rate(ngx_sentry_rate_t *rate, u_char *out);


static ngx_str_t  ngx_sentry_zone_name = ngx_string("ngx_sentry");


ngx_int_t
ngx_sentry_setup(ngx_conf_t *cf)
{
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);

    /* SENTRY_ENABLED=false is to be kept as well */

    if (ngx_sentry_env_keep(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (smcf->env.disabled
        || (smcf->dsns.nelts == 0 && smcf->spotlight.len == 0
            && !smcf->handlers))
    {
        return NGX_OK;
    }

    if (ngx_sentry_notes_setup(cf, smcf) != NGX_OK
        || ngx_sentry_setup_zone(cf, smcf) != NGX_OK
        || ngx_sentry_trail_init(cf, smcf) != NGX_OK
        || ngx_sentry_setup_handler(cf, NGX_HTTP_REWRITE_PHASE,
                                    ngx_sentry_trail_handler)
           != NGX_OK
        || ngx_sentry_setup_handler(cf, NGX_HTTP_PRECONTENT_PHASE,
                                    ngx_sentry_propagate_handler)
           != NGX_OK
        || ngx_sentry_setup_handler(cf, NGX_HTTP_LOG_PHASE,
                                    ngx_sentry_capture_log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_sentry_propagate_init();

    if (smcf->server_timing) {
        ngx_sentry_timing_install();
    }

    return smcf->traces ? ngx_sentry_setup_traces(cf) : NGX_OK;
}


/* Only where requests may be sampled. */

static ngx_int_t
ngx_sentry_setup_traces(ngx_conf_t *cf)
{
    ngx_sentry_moment_filters();

    if (ngx_sentry_setup_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                                 ngx_sentry_moment_preaccess)
        != NGX_OK
        || ngx_sentry_setup_handler(cf, NGX_HTTP_LOG_PHASE,
                                    ngx_sentry_transaction_log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_sentry_setup_limits(cf)
           ? ngx_sentry_setup_handler(cf, NGX_HTTP_ACCESS_PHASE,
                                      ngx_sentry_moment_access)
           : NGX_OK;
}


/* Whether limit_req may delay requests: there is a zone of it. */

static ngx_uint_t
ngx_sentry_setup_limits(ngx_conf_t *cf)
{
    ngx_uint_t        i;
    ngx_module_t     *module;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    module = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name,
                       "ngx_http_limit_req_module") == 0)
        {
            module = cf->cycle->modules[i];
        }
    }

    for (part = &cf->cycle->shared_memory.part; part; part = part->next) {
        zone = part->elts;

        for (i = 0; module && i < part->nelts; i++) {
            if (zone[i].tag == module) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_sentry_setup_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


/*
 * The zone keeps its name, so it survives reloads with what is queued in it.
 * When sentry_queue changes, nginx makes a new one and the old workers empty
 * theirs before they leave.
 */

static ngx_int_t
ngx_sentry_setup_zone(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf)
{
    size_t  size;

    /* nginx's slab allocator needs a few pages and 1/170 for its tables */

    size = snx_shm_size(smcf->queue);
    size += size / 64 + 16 * ngx_pagesize;

    smcf->zone = ngx_shared_memory_add(cf, &ngx_sentry_zone_name, size,
                                       &ngx_sentry_module);
    if (smcf->zone == NULL) {
        return NGX_ERROR;
    }

    smcf->cycle = cf->cycle;
    smcf->zone->init = ngx_sentry_setup_init_zone;
    smcf->zone->data = smcf;

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_setup_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_sentry_main_conf_t  *old = data;

    void                    *mem;
    size_t                   size;
    ngx_slab_pool_t         *shpool;
    ngx_sentry_main_conf_t  *smcf;

    smcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old) {
        smcf->shm = old->shm;

    } else if (zone->shm.exists) {
        smcf->shm = shpool->data;

    } else {
        size = snx_shm_size(smcf->queue);

        mem = ngx_slab_calloc(shpool, size);
        if (mem == NULL) {
            return NGX_ERROR;
        }

        smcf->shm = snx_shm_init(mem, size,
                                 (uint32_t) ngx_random()
                                 ^ (uint32_t) ngx_pid << 16);
        shpool->data = smcf->shm;
    }

    if (smcf->shm == NULL || smcf->shm->magic != SNX_SHM_MAGIC) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "sentry: shared memory zone \"%V\" cannot be used",
                      &zone->shm.name);
        return NGX_ERROR;
    }

    smcf->generation = (uint16_t) (atomic_fetch_add(&smcf->shm->generation, 1)
                                   + 1);

    ngx_sentry_setup_projects(smcf);

    if (!ngx_test_config) {
        ngx_sentry_cause_install(smcf->cycle, smcf);
    }

    return NGX_OK;
}


static void
ngx_sentry_setup_projects(ngx_sentry_main_conf_t *smcf)
{
    ngx_uint_t          i;
    ngx_sentry_dsn_t  **dsns;

    dsns = smcf->dsns.elts;

    for (i = 0; i < smcf->dsns.nelts; i++) {

        dsns[i]->project = snx_shm_project(smcf->shm,
                                           ngx_sentry_str(&dsns[i]->dsn),
                                           ngx_sentry_str(&dsns[i]->label));

        if (dsns[i]->project == NULL) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "sentry: no room for the accounts of %V: too many "
                          "different DSNs since nginx was started",
                          &dsns[i]->label);
        }
    }
}


/*
 * One notice per DSN, of the first place that uses it; also says when there
 * is none.  Unused, the module says nothing.
 */

ngx_int_t
ngx_sentry_setup_announce(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_sentry_main_conf_t      *smcf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_sentry_module);

    ngx_sentry_setup_abandon(cycle, smcf);
    ngx_sentry_process_renew(cycle);

    if (smcf == NULL || smcf->zone == NULL || ngx_test_config) {
        return NGX_OK;
    }

    if (smcf->dsns.nelts == 0) {
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "sentry: no DSN, nothing is reported%s",
                      smcf->spotlight.len ? " but to Spotlight" : "");
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ngx_sentry_setup_notice(cycle,
               cscfp[i]->ctx->loc_conf[ngx_sentry_module.ctx_index]);
    }

    for (i = 0; i < smcf->dsns.nelts; i++) {
        ngx_sentry_dsn_t  *dsn;

        dsn = ((ngx_sentry_dsn_t **) smcf->dsns.elts)[i];

        if (!dsn->announced) {
            ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                          "sentry: reporting to %V, project %V, in some "
                          "locations", &dsn->host, &dsn->project_id);
        }
    }

    return NGX_OK;
}


/*
 * The old shared memory when this configuration does not take it over: its
 * queue is for the old workers alone, the last of them tells what is lost.
 */

static void
ngx_sentry_setup_abandon(ngx_cycle_t *cycle, ngx_sentry_main_conf_t *smcf)
{
    ngx_sentry_main_conf_t  *old;

    if (cycle->old_cycle == NULL || cycle->old_cycle->conf_ctx == NULL) {
        return;
    }

    old = ngx_http_cycle_get_module_main_conf(cycle->old_cycle,
                                              ngx_sentry_module);

    if (old && old->shm && (smcf == NULL || smcf->shm != old->shm)) {
        atomic_store(&old->shm->abandoned, 1);
    }
}


static void
ngx_sentry_setup_notice(ngx_cycle_t *cycle, ngx_sentry_loc_conf_t *slcf)
{
    u_char                   errors[32], traces[48], *p;
    u_char                   release[NGX_SENTRY_RELEASE_MAX + 32];
    ngx_sentry_dsn_t        *dsn;
    ngx_sentry_main_conf_t  *smcf;

    dsn = slcf->dsn;

    if (dsn == NULL || dsn->announced) {
        return;
    }

    dsn->announced = 1;

    ngx_sentry_setup_rate(&slcf->sample_rate, errors);

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_sentry_module);
    traces[0] = '\0';

    if (!smcf->env.tracing_disabled
        && (slcf->traces_sample_rate.complex
            || slcf->traces_sample_rate.value >= 0))
    {
        p = ngx_cpymem(traces, ", traces ", 9);
        ngx_sentry_setup_rate(&slcf->traces_sample_rate, p);
    }

    release[0] = '\0';

    if (slcf->release.len) {
        p = ngx_snprintf(release, sizeof(release) - 1, ", release \"%V\"",
                         &slcf->release);
        *p = '\0';
    }

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "sentry: reporting to %V, project %V, environment \"%V\"%s, "
                  "errors %s%s", &dsn->host, &dsn->project_id,
                  &slcf->environment, release, errors, traces);
}


/* For people, terminated, in 32 bytes. */

static void
ngx_sentry_setup_rate(ngx_sentry_rate_t *rate, u_char *out)
{
    u_char  *p;

    if (rate->complex) {
        p = ngx_cpymem(out, "by variable", 11);

    } else {
        p = ngx_snprintf(out, 24, "%.4f", rate->value * 100);

        while (p[-1] == '0') {
            p--;
        }

        if (p[-1] == '.') {
            p--;
        }

        *p++ = '%';
    }

    *p = '\0';
}
