
/*
 * Copyright (C) ngx_sentry authors
 *
 * Which trace a request belongs to, and whether it is recorded.
 */


#include "ngx_sentry.h"
#include "snx_trace.h"


ngx_sentry_trace_t *
ngx_sentry_trace_keep(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t  *ctx;

    ctx = ngx_sentry_trail_ctx(r->main, 1);
    if (ctx == NULL) {
        return NULL;
    }

    if (ctx->trace == NULL) {
        ngx_sentry_trace_t  trace;

        ngx_sentry_trace_of(r->main, &trace);
        ctx->trace = ngx_palloc(r->pool, sizeof(ngx_sentry_trace_t));

        if (ctx->trace) {
            *ctx->trace = trace;
        }
    }

    return ctx->trace;
}


void
ngx_sentry_trace_of(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    ngx_str_t                value;
    snx_trace_t              in;
    ngx_sentry_ctx_t        *ctx;
    ngx_sentry_worker_t     *worker;
    ngx_sentry_main_conf_t  *smcf;

    ctx = ngx_sentry_trail_ctx(r, 0);

    if (ctx && ctx->trace) {
        *trace = *ctx->trace;
        return;
    }

    ngx_memzero(trace, sizeof(ngx_sentry_trace_t));

    worker = ngx_sentry_process_worker();
    smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);

    trace->rate = smcf->env.traces_sample_rate;
    trace->sampled = trace->rate < 0 ? -1
                     : ngx_sentry_process_unit(worker) < trace->rate;

    if (ngx_sentry_request_header(r, "sentry-trace", &value) == NGX_OK
        && snx_trace_sentry(&in, ngx_sentry_str(&value)) == SNX_OK)
    {
        ngx_memcpy(trace->trace_id, in.trace_id, 16);
        ngx_memcpy(trace->parent_span_id, in.span_id, 8);
        trace->continued = 1;

        if (in.sampled >= 0) {
            trace->sampled = in.sampled;
        }

    } else {
        ngx_sentry_process_id(worker, trace->trace_id, 16);
    }

    ngx_sentry_process_id(worker, trace->span_id, 8);
    ngx_sentry_process_id(worker, trace->upstream_span_id, 8);
}
