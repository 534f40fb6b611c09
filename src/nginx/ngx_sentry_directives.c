
/*
 * Copyright (C) ngx_sentry authors
 *
 * Setters of the directives that say what is reported and as what.  Each
 * checks its arguments and refuses a bad value with a sentence that names the
 * directive, the value and what would be right.  A DSN is never printed, its
 * key least of all.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_status_code(u_char *p, size_t len);
static void ngx_sentry_status_set(ngx_sentry_statuses_t *set, ngx_int_t from,
    ngx_int_t to);


char *
ngx_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t    *value;
    const char   *why;

    if (slcf->dsn != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->dsn = NULL;
        return NGX_CONF_OK;
    }

    slcf->dsn = ngx_sentry_conf_dsn(cf, &value[1], &why);

    if (slcf->dsn == NULL && why) {
        return ngx_sentry_refuse(cf, "\"sentry_dsn\" must be "
                                 "http(s)://key@host/project or \"off\": %s",
                                 why);
    }

    return slcf->dsn ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_sentry_set_environment(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->environment.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!ngx_sentry_is_environment(&value[1])) {
        return ngx_sentry_refuse(cf, "\"sentry_environment\" must be "
                                 NGX_SENTRY_ENVIRONMENT_RULE ", got \"%V\"",
                                 &value[1]);
    }

    slcf->environment = value[1];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_is_environment(ngx_str_t *value)
{
    size_t  i;

    if (value->len == 0 || value->len > NGX_SENTRY_ENVIRONMENT_MAX
        || ngx_sentry_eq(value, "None"))
    {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] == '/') {
            return 0;
        }
    }

    return 1;
}


char *
ngx_sentry_set_release(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->release.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!ngx_sentry_is_release(&value[1])) {
        return ngx_sentry_refuse(cf, "\"sentry_release\" must be "
                                 NGX_SENTRY_RELEASE_RULE ", got \"%V\"",
                                 &value[1]);
    }

    slcf->release = value[1];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_is_release(ngx_str_t *value)
{
    size_t  i;

    if (value->len == 0 || value->len > NGX_SENTRY_RELEASE_MAX
        || ngx_sentry_eq(value, ".") || ngx_sentry_eq(value, "..")
        || ngx_sentry_eq(value, " "))
    {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == '/'
            || value->data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}


char *
ngx_sentry_set_capture(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *dash, *last;
    ngx_int_t    from, to;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (slcf->capture_set) {
        return "is duplicate";
    }

    slcf->capture_set = 1;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_sentry_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_sentry_eq(&value[i], "4xx")) {
            ngx_sentry_status_set(&slcf->capture, 400, 499);
            continue;
        }

        if (ngx_sentry_eq(&value[i], "5xx")) {
            ngx_sentry_status_set(&slcf->capture, 500, 599);
            continue;
        }

        last = value[i].data + value[i].len;
        dash = ngx_strlchr(value[i].data, last, '-');

        if (dash == NULL) {
            from = to = ngx_sentry_status_code(value[i].data, value[i].len);

        } else {
            from = ngx_sentry_status_code(value[i].data,
                                          (size_t) (dash - value[i].data));
            to = ngx_sentry_status_code(dash + 1,
                                        (size_t) (last - dash - 1));
        }

        if (from == NGX_ERROR || to == NGX_ERROR || from > to) {
            return ngx_sentry_refuse(cf, "\"sentry_capture\" takes \"5xx\", "
                                     "\"4xx\", codes and ranges from 400 to "
                                     "599, or \"off\" alone, got \"%V\"",
                                     &value[i]);
        }

        if (from == to && from == 499) {
            return ngx_sentry_refuse(cf, "\"sentry_capture\" cannot name "
                                     "499: the client went away, nothing "
                                     "failed");
        }

        ngx_sentry_status_set(&slcf->capture, from, to);

        if (from == to) {
            ngx_sentry_status_set(&slcf->named, from, to);
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_sentry_status_code(u_char *p, size_t len)
{
    ngx_int_t  code;

    code = ngx_atoi(p, len);

    if (len != 3 || code < 400 || code > 599) {
        return NGX_ERROR;
    }

    return code;
}


static void
ngx_sentry_status_set(ngx_sentry_statuses_t *set, ngx_int_t from,
    ngx_int_t to)
{
    for ( /* void */ ; from <= to; from++) {
        set->bits[(from - 400) / 64] |= 1ull << ((from - 400) % 64);
    }
}


char *
ngx_sentry_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->rate_set) {
        return "is duplicate";
    }

    slcf->rate_set = 1;

    value = cf->args->elts;

    if (ngx_http_script_variables_count(&value[1])) {

        slcf->sample_rate.complex = ngx_palloc(cf->pool,
                                            sizeof(ngx_http_complex_value_t));
        if (slcf->sample_rate.complex == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_sentry_complex(cf, &value[1], slcf->sample_rate.complex)
               == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (!snx_text_rate(ngx_sentry_str(&value[1]), &slcf->sample_rate.value)) {
        return ngx_sentry_refuse(cf, "\"%V\" must be between 0 and 1 or a "
                                 "variable, got \"%V\"", &cmd->name,
                                 &value[1]);
    }

    return NGX_CONF_OK;
}


/* Lists of values with variables: sentry_ignore, sentry_fingerprint. */

char *
ngx_sentry_set_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_array_t               **list;
    ngx_http_complex_value_t   *cv;

    list = (ngx_array_t **) (p + cmd->offset);

    if (*list != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_sentry_list_off(cf, list) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_sentry_list(cf, list, sizeof(ngx_http_complex_value_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cv = ngx_array_push(*list);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_sentry_complex(cf, &value[i], cv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_sentry_eq(&cmd->name, "sentry_fingerprint")
        && (*list)->nelts > SNX_FINGERPRINT_MAX_N)
    {
        return ngx_sentry_refuse(cf, "\"%V\" takes at most %d values",
                                 &cmd->name, SNX_FINGERPRINT_MAX_N);
    }

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_transaction(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->transaction != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->transaction = NULL;
        return NGX_CONF_OK;
    }

    slcf->transaction = ngx_palloc(cf->pool,
                                   sizeof(ngx_http_complex_value_t));
    if (slcf->transaction == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_sentry_complex(cf, &value[1], slcf->transaction) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_sentry_set_scrub(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *term;
    ngx_str_t   *value;
    snx_str_t   *s;
    ngx_uint_t   i;

    if (slcf->scrub_terms != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_sentry_list_off(cf, &slcf->scrub_terms) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_sentry_list(cf, &slcf->scrub_terms, sizeof(snx_str_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len < 2) {
            return ngx_sentry_refuse(cf, "\"sentry_scrub\" term must be at "
                                     "least 2 characters, got \"%V\"",
                                     &value[i]);
        }

        s = ngx_array_push(slcf->scrub_terms);
        term = ngx_pnalloc(cf->pool, value[i].len);

        if (s == NULL || term == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_strlow(term, value[i].data, value[i].len);
        *s = snx_str(term, value[i].len);
    }

    return NGX_CONF_OK;
}


/* A log level or "off", at cmd->offset. */

char *
ngx_sentry_set_level(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                *value;
    ngx_uint_t                i, *level;

    static const char *const  levels[] = {
        "off", "emerg", "alert", "crit", "error", "warn", "notice", "info",
        NULL
    };

    level = (ngx_uint_t *) (p + cmd->offset);

    if (*level != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; levels[i]; i++) {
        if (ngx_sentry_eq(&value[1], levels[i])) {
            *level = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_sentry_refuse(cf, "\"%V\" must be a log level from \"emerg\" "
                             "to \"info\", or \"off\", got \"%V\"",
                             &cmd->name, &value[1]);
}


char *
ngx_sentry_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t    *smcf;
    ngx_http_core_loc_conf_t  *clcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);
    smcf->handlers = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_sentry_status_handler;

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_sentry_test_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    return ngx_http_compile_complex_value(&ccv);
}


char *
ngx_sentry_list(ngx_conf_t *cf, ngx_array_t **list, size_t size)
{
    if (*list == NGX_CONF_UNSET_PTR) {

        *list = ngx_array_create(cf->pool, 4, size);
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_list_off(ngx_conf_t *cf, ngx_array_t **list)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts != 2 || !ngx_sentry_eq(&value[1], "off"))
    {
        return NGX_DECLINED;
    }

    *list = NULL;

    return NGX_OK;
}
