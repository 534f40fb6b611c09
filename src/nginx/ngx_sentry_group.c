
/*
 * Copyright (C) ngx_sentry authors
 *
 * Which events are alike: the fingerprint, by which Sentry makes them one
 * issue, and by which the gate (snx_gate.h) lets only so many of them pass.
 * Cause, place and status: never the path, an id or an address.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


#define NGX_SENTRY_EVENTS_MAX_N  10000    /* per second or minute; burst */

/* Sentry's limit of a value is larger; one in a group need not be */
#define NGX_SENTRY_GROUP_MAX     (2 * SNX_NAME_MAX)


static ngx_int_t ngx_sentry_group_rate(ngx_str_t *value, uint64_t *interval);
static size_t ngx_sentry_group_place(ngx_sentry_event_t *event, u_char *buf,
    size_t cap);
static size_t ngx_sentry_group_aspect(ngx_sentry_event_t *event, u_char *buf,
    size_t cap);
static uint64_t ngx_sentry_group_default(ngx_sentry_event_t *event,
    uint64_t key);
static uint64_t ngx_sentry_group_key(ngx_sentry_main_conf_t *smcf,
    ngx_sentry_event_t *event);


/* sentry_event_limit Nr/s | Nr/m [burst=N] | off */

char *
ngx_sentry_set_event_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_int_t   burst;
    ngx_str_t  *value;

    if (smcf->event_limit_set) {
        return "is duplicate";
    }

    smcf->event_limit_set = 1;
    smcf->event_limit.burst = NGX_SENTRY_EVENT_BURST;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_sentry_eq(&value[1], "off")) {
        smcf->event_limit.interval_us = 0;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_group_rate(&value[1], &smcf->event_limit.interval_us)
        != NGX_OK)
    {
        return ngx_sentry_refuse(cf, "\"sentry_event_limit\" must be a rate "
                                 "from 1r/m to %dr/s, or \"off\" alone, got "
                                 "\"%V\"", NGX_SENTRY_EVENTS_MAX_N,
                                 &value[1]);
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    burst = NGX_ERROR;

    if (value[2].len > 6 && ngx_strncmp(value[2].data, "burst=", 6) == 0) {
        burst = ngx_atoi(value[2].data + 6, value[2].len - 6);
    }

    if (burst < 1 || burst > NGX_SENTRY_EVENTS_MAX_N) {
        return ngx_sentry_refuse(cf, "\"sentry_event_limit\" burst must be "
                                 "burst=1 to burst=%d, got \"%V\"",
                                 NGX_SENTRY_EVENTS_MAX_N, &value[2]);
    }

    smcf->event_limit.burst = (uint64_t) burst;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_sentry_group_rate(ngx_str_t *value, uint64_t *interval)
{
    uint64_t   unit;
    ngx_int_t  n;

    if (value->len < 4) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data + value->len - 3, "r/s", 3) == 0) {
        unit = 1000000;

    } else if (ngx_strncmp(value->data + value->len - 3, "r/m", 3) == 0) {
        unit = 60 * 1000000;

    } else {
        return NGX_ERROR;
    }

    n = ngx_atoi(value->data, value->len - 3);

    if (n < 1 || n > NGX_SENTRY_EVENTS_MAX_N) {
        return NGX_ERROR;
    }

    *interval = unit / (uint64_t) n;

    return NGX_OK;
}


/* Route, or server and location. */

static size_t
ngx_sentry_group_place(ngx_sentry_event_t *event, u_char *buf, size_t cap)
{
    snx_text_t                 text;
    ngx_http_core_srv_conf_t  *cscf;

    snx_text_init(&text, buf, cap);

    if (event->route && event->route->name.len) {
        snx_text_add(&text, ngx_sentry_str(&event->route->name));

    } else {
        cscf = ngx_http_get_module_srv_conf(event->request,
                                            ngx_http_core_module);
        snx_text_add(&text, ngx_sentry_str(&cscf->server_name));
        snx_text_addz(&text, " ");
        snx_text_add(&text, ngx_sentry_str(&event->conf->location));
    }

    return text.len;
}


/* Status; of a slow request what took the time, and who had enough. */

static size_t
ngx_sentry_group_aspect(ngx_sentry_event_t *event, u_char *buf, size_t cap)
{
    snx_text_t  text;

    snx_text_init(&text, buf, cap);

    if (event->slow) {
        snx_text_addz(&text, event->status == NGX_HTTP_CLIENT_CLOSED_REQUEST
                             ? "client gave up, " : "");
        snx_text_add(&text, event->aspect);

    } else {
        snx_text_addn(&text, (int64_t) event->status);
    }

    return text.len;
}


void
ngx_sentry_group_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    u_char                     buf[NGX_SENTRY_GROUP_MAX];
    size_t                     len;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    snx_rec_num(rec, SNX_F_HELD_BACK, (int64_t) event->held);

    if (event->conf->fingerprint) {
        cv = event->conf->fingerprint->elts;

        for (i = 0; i < event->conf->fingerprint->nelts; i++) {
            if (ngx_http_complex_value(event->request, &cv[i], &value)
                == NGX_OK)
            {
                len = snx_scrub_text(&event->conf->scrub,
                                     ngx_sentry_str(&value), buf,
                                     sizeof(buf));
                snx_rec_str(rec, SNX_F_FINGERPRINT, snx_str(buf, len));
            }
        }

        return;
    }

    snx_rec_str(rec, SNX_F_FINGERPRINT, event->type);

    len = ngx_sentry_group_place(event, buf, sizeof(buf));
    snx_rec_str(rec, SNX_F_FINGERPRINT, snx_str(buf, len));

    len = ngx_sentry_group_aspect(event, buf, sizeof(buf));
    snx_rec_str(rec, SNX_F_FINGERPRINT, snx_str(buf, len));
}


/* Before anything is packed: the parts of the fingerprint, mixed. */

static uint64_t
ngx_sentry_group_default(ngx_sentry_event_t *event, uint64_t key)
{
    u_char  buf[NGX_SENTRY_GROUP_MAX];
    size_t  len;

    key = snx_gate_mix(key, event->type.len ? event->type
                                            : ngx_sentry_error_class(event));

    len = ngx_sentry_group_place(event, buf, sizeof(buf));
    key = snx_gate_mix(key, snx_str(buf, len));

    len = ngx_sentry_group_aspect(event, buf, sizeof(buf));

    return snx_gate_mix(key, snx_str(buf, len));
}


static uint64_t
ngx_sentry_group_key(ngx_sentry_main_conf_t *smcf, ngx_sentry_event_t *event)
{
    size_t                     project;
    uint64_t                   key;
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    /* its number: the address differs between generations of workers */

    project = SNX_DSNS_MAX_N;

    if (event->conf->dsn && event->conf->dsn->project) {
        project = (size_t) (event->conf->dsn->project - smcf->shm->projects);
    }

    key = snx_gate_mix(snx_gate_key(&smcf->shm->gate),
                       snx_str(&project, sizeof(project)));

    if (event->conf->fingerprint == NULL) {
        return ngx_sentry_group_default(event, key);
    }

    cv = event->conf->fingerprint->elts;

    for (i = 0; i < event->conf->fingerprint->nelts; i++) {

        if (ngx_http_complex_value(event->request, &cv[i], &value) != NGX_OK)
        {
            continue;
        }

        if (ngx_sentry_eq(&value, "{{ default }}")
            || ngx_sentry_eq(&value, "{{default}}"))
        {
            key = ngx_sentry_group_default(event, key);

        } else {
            key = snx_gate_mix(key, ngx_sentry_str(&value));
        }
    }

    return key;
}


ngx_int_t
ngx_sentry_group_pass(ngx_sentry_event_t *event)
{
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(event->request, ngx_sentry_module);

    if (smcf->event_limit.interval_us == 0) {
        return NGX_OK;
    }

    event->group = ngx_sentry_group_key(smcf, event);

    return snx_gate_pass(&smcf->shm->gate, &smcf->event_limit, event->group,
                         ngx_current_msec, &event->held)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_sentry_group_told(ngx_sentry_event_t *event, ngx_uint_t recorded)
{
    snx_project_t           *project;
    ngx_sentry_main_conf_t  *smcf;

    if (event->held == 0) {
        return;
    }

    if (!recorded) {
        smcf = ngx_http_get_module_main_conf(event->request,
                                             ngx_sentry_module);
        snx_gate_give_back(&smcf->shm->gate, event->group, event->held);
        return;
    }

    project = event->conf->dsn ? event->conf->dsn->project : NULL;

    if (project) {
        atomic_fetch_add_explicit(&project->counters.told, event->held,
                                  memory_order_release);
    }
}
