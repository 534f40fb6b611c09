
/*
 * Copyright (C) ngx_sentry authors
 *
 * The $sentry_... variables: the trace's, and the id of the event that the
 * request leads to, for an error page, a header or a log line that a user can
 * quote.  A request that nothing is reported of has none.
 *
 * They are not cached: a subrequest shares its parent's variables and is told
 * another span, and a redirect may lead to where something is reported.
 */


#include "ngx_sentry.h"
#include "snx_text.h"
#include "snx_trace.h"


static ngx_sentry_trace_t *ngx_sentry_variable_trace(ngx_http_request_t *r,
    ngx_http_variable_value_t *v);
static ngx_int_t ngx_sentry_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_parent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_sampled(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_header(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_baggage(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_sentry_variable_hex(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const unsigned char *id, size_t len);
static void ngx_sentry_variable_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


static ngx_http_variable_t  ngx_sentry_variables[] = {

    { ngx_string("sentry_trace_id"), NULL, ngx_sentry_variable_id,
      offsetof(ngx_sentry_trace_t, trace_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("sentry_span_id"), NULL, ngx_sentry_variable_id,
      offsetof(ngx_sentry_trace_t, span_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("sentry_parent_span_id"), NULL, ngx_sentry_variable_parent,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("sentry_sampled"), NULL, ngx_sentry_variable_sampled,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("sentry_trace"), NULL, ngx_sentry_variable_header,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("sentry_baggage"), NULL, ngx_sentry_variable_baggage,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    /* the status changes on the way to an error page */

    { ngx_string("sentry_event_id"), NULL, ngx_sentry_variable_event_id,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_sentry_variable_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_sentry_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_sentry_trace_t *
ngx_sentry_variable_trace(ngx_http_request_t *r, ngx_http_variable_value_t *v)
{
    ngx_sentry_trace_t     *trace;
    ngx_sentry_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    trace = slcf->reports ? ngx_sentry_trace_keep(r) : NULL;

    v->not_found = (trace == NULL);

    return trace;
}


static ngx_int_t
ngx_sentry_variable_id(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_variable_trace(r, v);
    if (trace == NULL) {
        return NGX_OK;
    }

    return ngx_sentry_variable_hex(r, v, (u_char *) trace + data,
                       data == offsetof(ngx_sentry_trace_t, trace_id)
                       ? sizeof(trace->trace_id) : sizeof(trace->span_id));
}


static ngx_int_t
ngx_sentry_variable_parent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_variable_trace(r, v);

    if (trace == NULL || !trace->continued) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_sentry_variable_hex(r, v, trace->parent_span_id,
                                   sizeof(trace->parent_span_id));
}


static ngx_int_t
ngx_sentry_variable_sampled(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_variable_trace(r, v);

    if (trace == NULL || trace->sampled < 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_sentry_variable_set(v, (u_char *) (trace->sampled ? "1" : "0"), 1);

    return NGX_OK;
}


/* What the upstream of r is told, or would be. */

static ngx_int_t
ngx_sentry_variable_header(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char              *p;
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_variable_trace(r, v);
    if (trace == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, SNX_TRACE_SENTRY_MAX);
    if (p == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_sentry_variable_set(v, p,
            snx_trace_write_sentry(trace->trace_id,
                                   ngx_sentry_propagate_span_id(r, trace),
                                   trace->flag, (char *) p));

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_variable_baggage(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_variable_trace(r, v);
    if (trace == NULL) {
        return NGX_OK;
    }

    ngx_sentry_baggage_build(r, trace, 1);

    if (trace->header.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_sentry_variable_set(v, trace->header.data, trace->header.len);

    return NGX_OK;
}


/* Of a subrequest, such as an SSI include, that of its main request. */

static ngx_int_t
ngx_sentry_variable_event_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    unsigned char  *id;

    id = ngx_sentry_capture_id(r->main);

    if (id == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_sentry_variable_hex(r, v, id, 16);
}


static ngx_int_t
ngx_sentry_variable_hex(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const unsigned char *id, size_t len)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, 2 * len);
    if (p == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    snx_text_hex(id, len, (char *) p);
    ngx_sentry_variable_set(v, p, 2 * len);

    return NGX_OK;
}


static void
ngx_sentry_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len & 0xfffffff;       /* of 28 bits; at most 8 KB of baggage */
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
}
