
/*
 * Copyright (C) ngx_sentry authors
 *
 * When a sampled request comes by: before and after limit_req, before its
 * content, and when the last of its answer went out.  Phase handlers and
 * filters that only note the time; nothing is noted of other requests.
 *
 * DESIGN.  What is noted hangs on ngx_sentry_ctx_t and is the module's
 * context of the request as well, so that the filters find it with one load.
 * nginx clears that context when it redirects; the preaccess phase sets it
 * again.
 *
 * A request may outlive its answer by far: nginx waits for mirrors and for
 * background updates of the cache, and drains a request body that nobody
 * read.  The client has long gone on, so the last call of the body filter
 * tells when it was served.
 */


#include "ngx_sentry.h"


/* nginx keeps this number private to its limit module */

#define NGX_SENTRY_LIMIT_REQ_DELAYED  2


static ngx_inline void ngx_sentry_moment_answered(ngx_sentry_spans_t *spans);
static ngx_int_t ngx_sentry_moment_header(ngx_http_request_t *r);
static ngx_int_t ngx_sentry_moment_body(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_sentry_moment_next_header;
static ngx_http_output_body_filter_pt    ngx_sentry_moment_next_body;


/* The location is settled: here it is decided what will be recorded. */

ngx_int_t
ngx_sentry_moment_preaccess(ngx_http_request_t *r)
{
    ngx_sentry_spans_t  *spans;

    if (r != r->main) {
        ngx_sentry_subrequest_note(r);
        return NGX_DECLINED;
    }

    spans = ngx_sentry_moment_spans(r);

    /* limit_req looks at a request once, at the first limit it meets */

    if (spans && r->limit_req_status == 0) {
        spans->marks[SNX_AT_PHASES] = ngx_sentry_trail_now();
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_sentry_moment_access(ngx_http_request_t *r)
{
    ngx_sentry_spans_t  *spans;

    if (r != r->main || r->limit_req_status != NGX_SENTRY_LIMIT_REQ_DELAYED) {
        return NGX_DECLINED;
    }

    spans = ngx_http_get_module_ctx(r, ngx_sentry_module);

    if (spans && spans->marks[SNX_AT_LIMITED] == 0) {
        spans->marks[SNX_AT_LIMITED] = ngx_sentry_trail_now();
    }

    return NGX_DECLINED;
}


ngx_sentry_spans_t *
ngx_sentry_moment_spans(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t       *ctx;
    ngx_sentry_spans_t     *spans;
    ngx_sentry_trace_t     *trace;
    ngx_sentry_loc_conf_t  *slcf;

    spans = ngx_http_get_module_ctx(r, ngx_sentry_module);

    if (spans) {
        return spans;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    if (!slcf->traces || ngx_sentry_trace_missed(r)) {
        return NULL;
    }

    trace = ngx_sentry_trace_keep(r);

    if (trace == NULL || trace->sampled != 1) {
        return NULL;
    }

    ctx = ngx_sentry_trail_ctx(r, 1);

    if (ctx == NULL) {
        return NULL;
    }

    if (ctx->spans == NULL) {
        ctx->spans = ngx_sentry_room_alloc(ctx->room, r->pool,
                                           sizeof(ngx_sentry_spans_t));

        if (ctx->spans == NULL) {
            return NULL;
        }

        ngx_memzero(ctx->spans, sizeof(ngx_sentry_spans_t));
    }

    ngx_http_set_ctx(r, ctx->spans, ngx_sentry_module);

    return ctx->spans;
}


void
ngx_sentry_moment_filters(void)
{
    ngx_sentry_moment_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_sentry_moment_header;

    ngx_sentry_moment_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_sentry_moment_body;
}


/*
 * Subrequests that begin in the middle of their parent (slice, background
 * update) pass no phase: their answer shows them.  A body that is still to be
 * drained makes it worth to note when the answer was over.
 */

static ngx_int_t
ngx_sentry_moment_header(ngx_http_request_t *r)
{
    if (r != r->main) {
        ngx_sentry_subrequest_note(r);

    } else if (r->discard_body) {
        ngx_sentry_moment_answered(ngx_sentry_moment_spans(r));

    } else {
        ngx_sentry_moment_answered(ngx_http_get_module_ctx(r,
                                                           ngx_sentry_module));
    }

    return ngx_sentry_moment_next_header(r);
}


static ngx_inline void
ngx_sentry_moment_answered(ngx_sentry_spans_t *spans)
{
    if (spans) {
        spans->answered_us = ngx_sentry_trail_now();
    }
}


static ngx_int_t
ngx_sentry_moment_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    if (r == r->main) {
        ngx_sentry_moment_answered(ngx_http_get_module_ctx(r,
                                                           ngx_sentry_module));
    }

    return ngx_sentry_moment_next_body(r, in);
}
