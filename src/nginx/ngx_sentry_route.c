
/*
 * Copyright (C) ngx_sentry authors
 *
 * Routes: the sentry_route directive, and the first rule or default route
 * that a request matches.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


static char *ngx_sentry_route_option(ngx_conf_t *cf,
    ngx_sentry_route_t *route, ngx_str_t *arg);
static char *ngx_sentry_route_match(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *modifier, ngx_str_t *pattern);
static void ngx_sentry_route_cleanup(void *data);
static ngx_sentry_route_t *ngx_sentry_route_first(ngx_http_request_t *r,
    snx_str_t path);
static snx_str_t ngx_sentry_route_target(ngx_http_request_t *r, u_char *buf);


/* sentry_route [= | ^~ | ~ | ~*] pattern [option ...] */

char *
ngx_sentry_set_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_srv_conf_t *sscf = conf;

    char                *rv;
    ngx_str_t           *value, none = ngx_null_string;
    ngx_uint_t           i;
    ngx_sentry_route_t  *route;

    if (sscf->routes == NULL) {
        sscf->routes = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_sentry_route_t));
        if (sscf->routes == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    route = ngx_array_push(sscf->routes);
    if (route == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(route, sizeof(ngx_sentry_route_t));

    route->errors = -1;
    route->traces = -1;

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "=") || ngx_sentry_eq(&value[1], "^~")
        || ngx_sentry_eq(&value[1], "~") || ngx_sentry_eq(&value[1], "~*"))
    {
        if (cf->args->nelts == 2) {
            return ngx_sentry_refuse(cf, "\"sentry_route\" needs a pattern "
                                     "after \"%V\"", &value[1]);
        }

        rv = ngx_sentry_route_match(cf, route, &value[1], &value[2]);
        i = 3;

    } else {
        rv = ngx_sentry_route_match(cf, route, &none, &value[1]);
        i = 2;
    }

    for ( /* void */ ; rv == NGX_CONF_OK && i < cf->args->nelts; i++) {
        rv = ngx_sentry_route_option(cf, route, &value[i]);
    }

    return rv;
}


static char *
ngx_sentry_route_match(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *modifier, ngx_str_t *pattern)
{
    char                 err[128];
    ngx_pool_cleanup_t  *cln;

    route->match.pattern = ngx_sentry_str(pattern);

    if (modifier->len == 0 || modifier->data[0] != '~') {

        route->match.type = (modifier->len && modifier->data[0] == '=')
                            ? SNX_ROUTE_EXACT : SNX_ROUTE_PREFIX;

        if (pattern->len == 0 || pattern->data[0] != '/') {
            return ngx_sentry_refuse(cf, "\"sentry_route\" pattern must "
                                     "begin with \"/\", got \"%V\"", pattern);
        }

        return NGX_CONF_OK;
    }

    route->match.type = modifier->len == 2 ? SNX_ROUTE_IREGEX
                                           : SNX_ROUTE_REGEX;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    route->match.regex = snx_regex_compile(route->match.pattern,
                                       route->match.type == SNX_ROUTE_IREGEX,
                                       err, sizeof(err));

    if (route->match.regex == NULL) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" regular expression "
                                 "\"%V\" is invalid: %s", pattern, err);
    }

    cln->handler = ngx_sentry_route_cleanup;
    cln->data = route->match.regex;

    return NGX_CONF_OK;
}


static void
ngx_sentry_route_cleanup(void *data)
{
    snx_regex_free(data);
}


static char *
ngx_sentry_route_option(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *arg)
{
    double     *rate;
    ngx_str_t   value;

    if (ngx_sentry_eq(arg, "drop")) {
        route->drop_errors = 1;
        route->drop_traces = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(arg, "drop=errors")) {
        route->drop_errors = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(arg, "drop=traces")) {
        route->drop_traces = 1;
        return NGX_CONF_OK;
    }

    if (arg->len > 5 && ngx_strncmp(arg->data, "name=", 5) == 0) {
        route->name.data = arg->data + 5;
        route->name.len = arg->len - 5;
        return NGX_CONF_OK;
    }

    rate = NULL;
    value = *arg;

    if (arg->len > 7) {
        value.data += 7;
        value.len -= 7;

        if (ngx_strncmp(arg->data, "errors=", 7) == 0) {
            rate = &route->errors;

        } else if (ngx_strncmp(arg->data, "traces=", 7) == 0) {
            rate = &route->traces;
        }
    }

    if (rate == NULL) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" takes name=, errors=, "
                                 "traces=, drop, drop=errors and "
                                 "drop=traces, got \"%V\"", arg);
    }

    if (!snx_text_rate(ngx_sentry_str(&value), rate)) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" rate must be between "
                                 "0 and 1, got \"%V\"", arg);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_route_find(ngx_http_request_t *r, ngx_sentry_event_t *event)
{
    ngx_sentry_trace_t     *trace;
    ngx_sentry_srv_conf_t  *sscf;

    trace = event->ctx ? event->ctx->trace : NULL;

    event->route = (trace && trace->routed)
                   ? trace->route
                   : ngx_sentry_route_first(r, ngx_sentry_str(&event->path));

    if (event->route) {
        return event->route->drop_errors ? NGX_DECLINED : NGX_OK;
    }

    sscf = ngx_http_get_module_srv_conf(r, ngx_sentry_module);

    return (sscf->default_routes
            && snx_route_default(ngx_sentry_str(&event->path))) ? NGX_DECLINED
                                                                : NGX_OK;
}


ngx_int_t
ngx_sentry_route_traces(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    u_char                  buf[SNX_URL_MAX];
    ngx_sentry_srv_conf_t  *sscf;

    sscf = ngx_http_get_module_srv_conf(r, ngx_sentry_module);

    trace->routed = 1;

    if (sscf->routes == NULL) {
        return NGX_OK;
    }

    trace->route = ngx_sentry_route_first(r, ngx_sentry_route_target(r, buf));

    return (trace->route && trace->route->drop_traces) ? NGX_DECLINED
                                                       : NGX_OK;
}


ngx_int_t
ngx_sentry_route_builtin(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    ngx_sentry_srv_conf_t  *sscf;

    sscf = ngx_http_get_module_srv_conf(r, ngx_sentry_module);

    return sscf->default_routes ? ngx_sentry_memo_builtin(r, trace) : NGX_OK;
}


ngx_int_t
ngx_sentry_route_default(ngx_http_request_t *r)
{
    u_char  buf[SNX_URL_MAX];

    return snx_route_default(ngx_sentry_route_target(r, buf)) ? NGX_DECLINED
                                                              : NGX_OK;
}


/* The client's path, decoded, in buf of SNX_URL_MAX bytes. */

static snx_str_t
ngx_sentry_route_target(ngx_http_request_t *r, u_char *buf)
{
    return snx_str(buf, snx_route_path(ngx_sentry_request_target(r), buf,
                                       SNX_URL_MAX));
}


ngx_uint_t
ngx_sentry_route_rates(ngx_conf_t *cf)
{
    ngx_uint_t              i;
    ngx_sentry_route_t     *route;
    ngx_sentry_srv_conf_t  *sscf;

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_sentry_module);

    if (sscf->routes == NULL) {
        return 0;
    }

    route = sscf->routes->elts;

    for (i = 0; i < sscf->routes->nelts; i++) {
        if (route[i].traces >= 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_sentry_route_t *
ngx_sentry_route_first(ngx_http_request_t *r, snx_str_t path)
{
    ngx_uint_t              i;
    ngx_sentry_route_t     *route;
    ngx_sentry_srv_conf_t  *sscf;

    sscf = ngx_http_get_module_srv_conf(r, ngx_sentry_module);

    if (sscf->routes == NULL) {
        return NULL;
    }

    route = sscf->routes->elts;

    for (i = 0; i < sscf->routes->nelts; i++) {
        if (snx_route_match(&route[i].match, path)) {
            return &route[i];
        }
    }

    return NULL;
}
