
/*
 * Copyright (C) ngx_sentry authors
 *
 * Subrequests of a sampled request: when each began and ended, what asked
 * for it, and what it asked of its upstreams.
 *
 * DESIGN.  A subrequest's memory lives as long as the main request, so all
 * but its end is read when the main request is logged.  The end is told by
 * its post_subrequest hook, put around the one of the module that made the
 * subrequest.  nginx may call the hook more than once; the last time counts.
 */


#include "ngx_sentry.h"


static ngx_int_t ngx_sentry_subrequest_done(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static void ngx_sentry_subrequest_pack_one(ngx_sentry_subrequest_t *sub,
    ngx_sentry_trace_t *trace, snx_rec_writer_t *rec);


void
ngx_sentry_subrequest_note(ngx_http_request_t *r)
{
    ngx_sentry_spans_t       *spans;
    ngx_sentry_worker_t      *worker;
    ngx_sentry_subrequest_t  *sub, *parent;

    if (ngx_http_get_module_ctx(r, ngx_sentry_module)
        || (r->post_subrequest
            && r->post_subrequest->handler == ngx_sentry_subrequest_done))
    {
        return;
    }

    worker = ngx_sentry_process_worker();
    spans = worker ? ngx_sentry_moment_spans(r->main) : NULL;

    if (spans == NULL) {
        return;
    }

    ngx_http_set_ctx(r, spans, ngx_sentry_module);

    sub = ngx_pcalloc(r->pool, sizeof(ngx_sentry_subrequest_t));
    if (sub == NULL) {
        return;
    }

    /* seen, also after redirects and when it is one too many */

    sub->post = r->post_subrequest;
    sub->wrapped.handler = ngx_sentry_subrequest_done;
    sub->wrapped.data = sub;
    r->post_subrequest = &sub->wrapped;

    if (spans->nsubrequests++ >= NGX_SENTRY_SUBREQUESTS_MAX_N) {
        return;
    }

    if (spans->last) {
        spans->last->next = sub;
        sub->number = spans->last->number + 1;

    } else {
        spans->first = sub;
        sub->number = 1;
    }

    spans->last = sub;

    sub->request = r;
    sub->loc_conf = r->loc_conf;

    if (r->parent->post_subrequest
        && r->parent->post_subrequest->handler == ngx_sentry_subrequest_done)
    {
        parent = r->parent->post_subrequest->data;
        sub->parent = parent->number;
    }

    ngx_sentry_process_id(worker, sub->span_id, sizeof(sub->span_id));
}


static ngx_int_t
ngx_sentry_subrequest_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_sentry_subrequest_t *sub = data;

    sub->end_us = ngx_sentry_trail_now();

    return sub->post ? sub->post->handler(r, sub->post->data, rc) : rc;
}


/* The tries refer to the subrequests by number, so all of those come first. */

void
ngx_sentry_subrequest_pack(ngx_sentry_ctx_t *ctx, snx_rec_writer_t *rec)
{
    uint32_t                  left_out;
    ngx_uint_t                n;
    ngx_sentry_spans_t       *spans;
    ngx_sentry_subrequest_t  *sub;

    spans = ctx ? ctx->spans : NULL;

    if (spans == NULL) {
        return;
    }

    left_out = rec->left_out;

    for (sub = spans->first, n = 0; sub; sub = sub->next, n++) {
        ngx_sentry_subrequest_pack_one(sub, ctx->trace, rec);

        if (rec->left_out != left_out) {
            break;
        }
    }

    if (rec->left_out != left_out
        || spans->nsubrequests > NGX_SENTRY_SUBREQUESTS_MAX_N)
    {
        snx_rec_num(rec, SNX_F_SUBREQUESTS, (int64_t) spans->nsubrequests);
    }

    for (sub = spans->first; sub && n; sub = sub->next, n--) {
        ngx_sentry_trail_upstreams(sub->request, NULL, sub->number, rec);
    }
}


static void
ngx_sentry_subrequest_pack_one(ngx_sentry_subrequest_t *sub,
    ngx_sentry_trace_t *trace, snx_rec_writer_t *rec)
{
    snx_subrequest_t           packed;
    ngx_sentry_sub_t          *told;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = sub->request;
    clcf = sub->loc_conf[ngx_http_core_module.ctx_index];

    ngx_memzero(&packed, sizeof(snx_subrequest_t));

    packed.start_us = ((int64_t) r->start_sec * 1000
                       + (int64_t) r->start_msec) * 1000;
    packed.end_us = sub->end_us;
    packed.status = (uint16_t) (r->err_status ? r->err_status
                                              : r->headers_out.status);
    packed.parent = (uint16_t) sub->parent;
    ngx_memcpy(packed.span_id, sub->span_id, sizeof(packed.span_id));

    told = ngx_sentry_propagate_sub(r, trace);

    if (told) {
        ngx_memcpy(packed.upstream_span_id, told->upstream_span_id,
                   sizeof(packed.upstream_span_id));
    }

    /* no location at all: the server block answers */

    snx_rec_pair(rec, SNX_F_SUBREQUEST, snx_str(&packed, sizeof(packed)),
                 clcf->name.len ? ngx_sentry_str(&clcf->name)
                                : snx_cstr("/"));
}
