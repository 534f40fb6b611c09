
/*
 * Copyright (C) ngx_sentry authors
 *
 * The directives about traces: which are recorded, and with whom they are
 * shared; their setters and how they are inherited.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


#define NGX_SENTRY_TRACES_LIMIT_MAX  1000000


/* sentry_traces_sample_rate number | $variable | off */

char *
ngx_sentry_set_traces_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t          *value;
    ngx_sentry_rate_t  *rate;

    if (slcf->traces_set) {
        return "is duplicate";
    }

    slcf->traces_set = 1;

    value = cf->args->elts;
    rate = &slcf->traces_sample_rate;

    if (ngx_sentry_eq(&value[1], "off")) {
        rate->value = -1;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1])) {

        rate->complex = ngx_palloc(cf->pool,
                                   sizeof(ngx_http_complex_value_t));
        if (rate->complex == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_sentry_complex(cf, &value[1], rate->complex) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (!snx_text_rate(ngx_sentry_str(&value[1]), &rate->value)) {
        return ngx_sentry_refuse(cf, "\"sentry_traces_sample_rate\" must be "
                                 "between 0 and 1, a variable or \"off\", got "
                                 "\"%V\"", &value[1]);
    }

    return NGX_CONF_OK;
}


/* sentry_inherit_sampling on | off | $variable */

char *
ngx_sentry_set_inherit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->inherit_sampling != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "on")) {
        slcf->inherit_sampling = 1;
        return NGX_CONF_OK;
    }

    slcf->inherit_sampling = 0;

    if (ngx_sentry_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        return ngx_sentry_refuse(cf, "\"sentry_inherit_sampling\" must be "
                                 "\"on\", \"off\" or a variable, got \"%V\"",
                                 &value[1]);
    }

    slcf->inherit = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (slcf->inherit == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_sentry_complex(cf, &value[1], slcf->inherit) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* sentry_traces_limit Nr/s | off */

char *
ngx_sentry_set_traces_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (smcf->traces_limit != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        smcf->traces_limit = 0;
        return NGX_CONF_OK;
    }

    n = NGX_ERROR;

    if (value[1].len > 3
        && ngx_strncmp(value[1].data + value[1].len - 3, "r/s", 3) == 0)
    {
        n = ngx_atoi(value[1].data, value[1].len - 3);
    }

    if (n < 1 || n > NGX_SENTRY_TRACES_LIMIT_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_traces_limit\" must be from "
                                 "\"1r/s\" to \"%dr/s\", or \"off\", got "
                                 "\"%V\"", NGX_SENTRY_TRACES_LIMIT_MAX,
                                 &value[1]);
    }

    smcf->traces_limit = (ngx_uint_t) n;

    return NGX_CONF_OK;
}


/* sentry_trace_context ignore | extract | inject | propagate */

char *
ngx_sentry_set_trace_context(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;

    /* by their bits: what is read is 1, what is written is 2 */

    static const char *const  words[] = {
        "ignore", "extract", "inject", "propagate"
    };

    if (slcf->trace_context != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ngx_sentry_eq(&value[1], words[i])) {
            slcf->trace_context = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_sentry_refuse(cf, "\"sentry_trace_context\" must be "
                             "\"ignore\", \"extract\", \"inject\" or "
                             "\"propagate\", got \"%V\"", &value[1]);
}


char *
ngx_sentry_set_server_timing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                    *rv;
    ngx_str_t               *value;
    ngx_sentry_main_conf_t  *smcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    value = cf->args->elts;

    if (rv == NGX_CONF_OK && ngx_strcasecmp(value[1].data,
                                            (u_char *) "on") == 0)
    {
        smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);
        smcf->server_timing = 1;
    }

    return rv;
}


/* When it is known whether the location reports, and whether it is dropped. */

void
ngx_sentry_tracing_merge(ngx_conf_t *cf, ngx_sentry_loc_conf_t *prev,
    ngx_sentry_loc_conf_t *conf)
{
    ngx_sentry_srv_conf_t   *sscf;
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);

    if (!conf->traces_set) {
        conf->traces_sample_rate = prev->traces_sample_rate;

        if (!prev->traces_set) {
            conf->traces_sample_rate.value = smcf->env.traces_sample_rate;
        }

        conf->traces_set = 1;
    }

    if (conf->inherit_sampling == NGX_CONF_UNSET) {
        conf->inherit = prev->inherit;
    }

    ngx_conf_merge_value(conf->inherit_sampling, prev->inherit_sampling, 1);
    ngx_conf_merge_uint_value(conf->trace_context, prev->trace_context,
                              NGX_SENTRY_EXTRACT|NGX_SENTRY_INJECT);
    ngx_conf_merge_value(conf->traceparent, prev->traceparent, 0);
    ngx_conf_merge_value(conf->server_timing, prev->server_timing, 0);

    if (!conf->reports || conf->dropped) {
        return;
    }

    conf->inject = (conf->trace_context & NGX_SENTRY_INJECT) != 0;

    conf->traces = !smcf->env.tracing_disabled
                   && (conf->traces_sample_rate.complex != NULL
                       || conf->traces_sample_rate.value >= 0
                       || ngx_sentry_route_rates(cf));
    conf->untraced = !conf->traces;
    smcf->traces |= conf->traces;

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_sentry_module);

    conf->may_miss = conf->traces && sscf->routes == NULL
                     && conf->traces_sample_rate.complex == NULL
                     && conf->traces_sample_rate.value >= 0
                     && conf->traces_sample_rate.value < 1;
}
