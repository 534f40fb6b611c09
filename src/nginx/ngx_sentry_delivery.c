
/*
 * Copyright (C) ngx_sentry authors
 *
 * Setters of the directives that say how it is delivered: queue, times,
 * compression, proxy, certificates, Spotlight.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_is_http_url(ngx_str_t *value);


char *
ngx_sentry_set_server_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->server_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > SNX_TAG_VALUE_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_server_name\" must be 1 to "
                                 "200 characters, got \"%V\"", &value[1]);
    }

    smcf->server_name = value[1];

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_queue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (smcf->queue != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < NGX_SENTRY_QUEUE_MIN || size > NGX_SENTRY_QUEUE_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_queue\" must be a size from "
                                 "256k to 1024m, got \"%V\"", &value[1]);
    }

    smcf->queue = (size_t) size;

    return NGX_CONF_OK;
}


/* A time within the bounds at cmd->post. */

char *
ngx_sentry_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t                  time;
    ngx_str_t                 *value;
    ngx_msec_t                *field;
    ngx_conf_num_bounds_t     *bounds;

    field = (ngx_msec_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    bounds = cmd->post;

    time = ngx_parse_time(&value[1], 0);

    if (time == NGX_ERROR || time < bounds->low || time > bounds->high) {
        return ngx_sentry_refuse(cf, "\"%V\" must be a time from %ims to "
                                 "%is, got \"%V\"", &cmd->name, bounds->low,
                                 bounds->high / 1000, &value[1]);
    }

    *field = (ngx_msec_t) time;

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_compression(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->compression != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "gzip")) {
        smcf->compression = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(&value[1], "off")) {
        smcf->compression = 0;
        return NGX_CONF_OK;
    }

    return ngx_sentry_refuse(cf, "\"sentry_compression\" must be \"gzip\" or "
                             "\"off\", got \"%V\"", &value[1]);
}


static ngx_int_t
ngx_sentry_is_http_url(ngx_str_t *value)
{
    return (value->len > 7
            && ngx_strncasecmp(value->data, (u_char *) "http://", 7) == 0)
           || (value->len > 8
               && ngx_strncasecmp(value->data, (u_char *) "https://", 8)
                  == 0);
}


char *
ngx_sentry_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->proxy_set) {
        return "is duplicate";
    }

    smcf->proxy_set = 1;

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    if (!ngx_sentry_is_http_url(&value[1])
        && !(value[1].len > 10
             && ngx_strncmp(value[1].data, "socks5h://", 10) == 0)
        && !(value[1].len > 9
             && ngx_strncmp(value[1].data, "socks5://", 9) == 0))
    {
        /* may hold a password: not printed */

        return ngx_sentry_refuse(cf, "\"sentry_proxy\" must be an http, "
                                 "https, socks5 or socks5h URL, or \"off\"");
    }

    smcf->proxy = value[1];

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_fd_t    fd;
    ngx_str_t  *value;

    if (smcf->trusted_certificate.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    smcf->trusted_certificate = value[1];

    if (ngx_conf_full_name(cf->cycle, &smcf->trusted_certificate, 1)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(smcf->trusted_certificate.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sentry_ssl_trusted_certificate\" must be a "
                           "readable file, got \"%V\"",
                           &smcf->trusted_certificate);
        return NGX_CONF_ERROR;
    }

    (void) ngx_close_file(fd);

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_spotlight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->spotlight_set) {
        return "is duplicate";
    }

    smcf->spotlight_set = 1;

    value = cf->args->elts;

    if (ngx_sentry_spotlight_url(&value[1], &smcf->spotlight) != NGX_OK) {
        return ngx_sentry_refuse(cf, "\"sentry_spotlight\" must be \"on\", "
                                 "\"off\" or an http URL, got \"%V\"",
                                 &value[1]);
    }

    /* "on" takes the address from the environment when that has one */

    if (ngx_sentry_eq(&value[1], "on")
        && ngx_sentry_is_http_url(&smcf->env.spotlight))
    {
        smcf->spotlight = smcf->env.spotlight;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_spotlight_url(ngx_str_t *value, ngx_str_t *url)
{
    ngx_uint_t                i;

    static const char *const  on[] = { "true", "t", "y", "yes", "on", "1" };
    static const char *const  off[] = { "false", "f", "n", "no", "off", "0",
                                        "" };

    for (i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (snx_text_ieq(ngx_sentry_str(value), snx_cstr(on[i]))) {
            ngx_str_set(url, "http://localhost:8969/stream");
            return NGX_OK;
        }
    }

    for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (snx_text_ieq(ngx_sentry_str(value), snx_cstr(off[i]))) {
            ngx_str_null(url);
            return NGX_OK;
        }
    }

    if (!ngx_sentry_is_http_url(value)) {
        return NGX_DECLINED;
    }

    *url = *value;

    return NGX_OK;
}
