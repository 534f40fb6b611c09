
/*
 * Copyright (C) ngx_sentry authors
 *
 * The SENTRY_* environment variables, the same names as in Sentry's other
 * SDKs.  Read while the configuration is parsed, where the process still has
 * the environment nginx was started with; workers do not need them.
 * Source: develop docs, sdk/foundations/client/configuration.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_env_names_ok(ngx_conf_t *cf,
    ngx_sentry_env_t *env);
static ngx_int_t ngx_sentry_env_str(ngx_conf_t *cf, const char *name,
    ngx_str_t *value);
static ngx_int_t ngx_sentry_env_rate(ngx_conf_t *cf, const char *name,
    double *rate);
static ngx_int_t ngx_sentry_env_flag(ngx_conf_t *cf, const char *name,
    ngx_int_t *flag);


static const char  *ngx_sentry_env_names[] = {
    "SENTRY_DSN",
    "SENTRY_ENVIRONMENT",
    "SENTRY_RELEASE",
    "SENTRY_SAMPLE_RATE",
    "SENTRY_TRACES_SAMPLE_RATE",
    "SENTRY_SPOTLIGHT",
    "SENTRY_DEBUG",
    "SENTRY_ENABLED",
    "SENTRY_ENABLE_TRACING",
    NULL
};


ngx_int_t
ngx_sentry_env_read(ngx_conf_t *cf, ngx_sentry_env_t *env)
{
    ngx_int_t  enabled, tracing;

    if (ngx_sentry_env_str(cf, "SENTRY_DSN", &env->dsn) != NGX_OK
        || ngx_sentry_env_str(cf, "SENTRY_ENVIRONMENT", &env->environment)
           != NGX_OK
        || ngx_sentry_env_str(cf, "SENTRY_RELEASE", &env->release) != NGX_OK
        || ngx_sentry_env_str(cf, "SENTRY_SPOTLIGHT", &env->spotlight)
           != NGX_OK
        || ngx_sentry_env_rate(cf, "SENTRY_SAMPLE_RATE", &env->sample_rate)
           != NGX_OK
        || ngx_sentry_env_rate(cf, "SENTRY_TRACES_SAMPLE_RATE",
                               &env->traces_sample_rate)
           != NGX_OK
        || ngx_sentry_env_flag(cf, "SENTRY_DEBUG", &env->debug) != NGX_OK
        || ngx_sentry_env_flag(cf, "SENTRY_ENABLED", &enabled) != NGX_OK
        || ngx_sentry_env_flag(cf, "SENTRY_ENABLE_TRACING", &tracing)
           != NGX_OK
        || ngx_sentry_env_names_ok(cf, env) != NGX_OK)
    {
        return NGX_ERROR;
    }

    env->disabled = (enabled == 0);
    env->tracing_disabled = (tracing == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_env_names_ok(ngx_conf_t *cf, ngx_sentry_env_t *env)
{
    if (env->environment.len && !ngx_sentry_is_environment(&env->environment))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"SENTRY_ENVIRONMENT\" must "
                           "be " NGX_SENTRY_ENVIRONMENT_RULE ", got \"%V\"",
                           &env->environment);
        return NGX_ERROR;
    }

    if (env->release.len && !ngx_sentry_is_release(&env->release)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"SENTRY_RELEASE\" must be "
                           NGX_SENTRY_RELEASE_RULE ", got \"%V\"",
                           &env->release);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A new binary (USR2) starts with only the variables that "env" directives
 * name, see ngx_exec_new_binary(); without ours it would stop reporting.
 */

ngx_int_t
ngx_sentry_env_keep(ngx_conf_t *cf)
{
    ngx_str_t        *var;
    const char      **name;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    for (name = ngx_sentry_env_names; *name; name++) {

        if (getenv(*name) == NULL) {
            continue;
        }

        var = ngx_array_push(&ccf->env);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->data = (u_char *) *name;
        var->len = ngx_strlen(*name);
    }

    return NGX_OK;
}


/* Copied: on reload the environment may be rebuilt under a running cycle. */

static ngx_int_t
ngx_sentry_env_str(ngx_conf_t *cf, const char *name, ngx_str_t *value)
{
    char  *s;

    ngx_str_null(value);

    s = getenv(name);

    if (s == NULL || *s == '\0') {
        return NGX_OK;
    }

    value->len = ngx_strlen(s);
    value->data = ngx_pnalloc(cf->pool, value->len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(value->data, s, value->len + 1);

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_env_rate(ngx_conf_t *cf, const char *name, double *rate)
{
    ngx_str_t  value;

    *rate = -1;

    if (ngx_sentry_env_str(cf, name, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    if (!snx_text_rate(ngx_sentry_str(&value), rate)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"%s\" must be between 0 "
                           "and 1, got \"%V\"", name, &value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_env_flag(ngx_conf_t *cf, const char *name, ngx_int_t *flag)
{
    ngx_str_t                value;
    ngx_uint_t               i;

    static const char *const words[] = {
        "0", "1", "false", "true", "off", "on", "no", "yes", "n", "y", "f",
        "t"
    };

    *flag = -1;

    if (ngx_sentry_env_str(cf, name, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (snx_text_ieq(ngx_sentry_str(&value), snx_cstr(words[i]))) {
            *flag = (ngx_int_t) (i % 2);
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "environment variable \"%s\" must be \"true\" or "
                       "\"false\", got \"%V\"", name, &value);
    return NGX_ERROR;
}
