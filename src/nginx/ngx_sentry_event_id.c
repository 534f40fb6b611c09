
/*
 * Copyright (C) ngx_sentry authors
 *
 * $sentry_event_id: what an error page, a header or a log line shows, so that
 * a user can quote it.  Empty when the request is not reported.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_str_t  ngx_sentry_event_id_name = ngx_string("sentry_event_id");


ngx_int_t
ngx_sentry_event_id_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    /* the status changes on the way to an error page */

    var = ngx_http_add_variable(cf, &ngx_sentry_event_id_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_sentry_event_id;

    return NGX_OK;
}


/* Of a subrequest, such as an SSI include, that of its main request. */

static ngx_int_t
ngx_sentry_event_id(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char         *hex;
    unsigned char  *id;

    v->not_found = 1;

    id = ngx_sentry_capture_id(r->main);
    if (id == NULL) {
        return NGX_OK;
    }

    hex = ngx_pnalloc(r->pool, 32);
    if (hex == NULL) {
        return NGX_OK;
    }

    snx_text_hex(id, 16, (char *) hex);

    v->data = hex;
    v->len = 32;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
