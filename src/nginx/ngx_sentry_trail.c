
/*
 * Copyright (C) ngx_sentry authors
 *
 * The way of a request through nginx: the locations it came through and the
 * upstream tries with their times.  Of use to errors and traces alike.
 *
 * DESIGN.  "error_page 502 /50x.html" makes the final location /50x.html.
 * What the operator wants to read is where it failed, and the settings of
 * that place count (DSN, tags, rate).  Where error_page is in force, a handler
 * in the rewrite phase therefore notes the location before the redirect.
 * Requests elsewhere pay a comparison.
 *
 * nginx clears module contexts when it redirects, but not the variables that
 * it keeps by index; subrequests share those of the main request.  So what is
 * kept of a request hangs on a variable of ours without a usable name, and is
 * found at once.
 *
 * nginx keeps how long each upstream try took, not when it began.  Tries
 * follow each other without a gap, so they are laid out backwards from an end
 * that is known: the start of the last one, or the next pass.
 */


#include "ngx_sentry.h"


static SNX_NOINLINE void ngx_sentry_trail_pass(ngx_http_request_t *r);
static ngx_int_t ngx_sentry_trail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static int64_t ngx_sentry_trail_group_end(ngx_http_request_t *r,
    ngx_sentry_ctx_t *passes, ngx_uint_t last);
static int64_t ngx_sentry_trail_took(ngx_http_upstream_state_t *state);


ngx_int_t
ngx_sentry_trail_handler(ngx_http_request_t *r)
{
    ngx_sentry_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    if ((slcf->remember || r->internal) && r == r->main && slcf->reports) {
        ngx_sentry_trail_pass(r);
    }

    return NGX_DECLINED;
}


static SNX_NOINLINE void
ngx_sentry_trail_pass(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t   *ctx;
    ngx_sentry_pass_t  *pass;

    ctx = ngx_sentry_trail_ctx(r, 1);

    if (ctx == NULL || ctx->npasses == NGX_SENTRY_PASSES_MAX_N) {
        return;
    }

    if (ctx->passes == NULL) {
        ctx->passes = ngx_palloc(r->pool, NGX_SENTRY_PASSES_MAX_N
                                          * sizeof(ngx_sentry_pass_t));
        if (ctx->passes == NULL) {
            return;
        }
    }

    pass = &ctx->passes[ctx->npasses++];

    pass->time_us = ngx_sentry_trail_now();
    pass->loc_conf = r->loc_conf;
    pass->nstates = r->upstream_states ? r->upstream_states->nelts : 0;
    pass->error = (r->err_status || r->error_page) ? 1 : 0;
    pass->internal = r->internal;
}


ngx_int_t
ngx_sentry_trail_init(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf)
{
    ngx_http_variable_t  *var;

    /* no configuration can name it */

    static ngx_str_t  name = ngx_string("sentry: request");

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOHASH);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_sentry_trail_variable;

    smcf->slot = ngx_http_get_variable_index(cf, &name);

    return smcf->slot == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_sentry_trail_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return NGX_OK;
}


ngx_sentry_ctx_t *
ngx_sentry_trail_make(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t           *ctx;
    ngx_http_variable_value_t  *slot;

    slot = ngx_sentry_trail_slot(r);

    if (slot == NULL) {
        return NULL;
    }

    ctx = ngx_sentry_room_take(r->pool);
    if (ctx == NULL) {
        return NULL;
    }

    ngx_sentry_trail_drawn(slot, &ctx->draw);

    slot->escape = 0;
    slot->data = (u_char *) ctx;

    return ctx;
}


ngx_sentry_loc_conf_t *
ngx_sentry_trail_failed(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx)
{
    void        **loc_conf;
    ngx_uint_t    i;

    loc_conf = r->loc_conf;

    for (i = ctx->npasses; i != 0; i--) {
        if (!ctx->passes[i - 1].error) {
            loc_conf = ctx->passes[i - 1].loc_conf;
            break;
        }
    }

    if (i == 0 && ctx->line_conf) {
        loc_conf = ctx->line_conf;
    }

    return loc_conf[ngx_sentry_module.ctx_index];
}


void
ngx_sentry_trail_passes(ngx_sentry_ctx_t *ctx, snx_rec_writer_t *rec)
{
    snx_trail_pass_t                 packed;
    ngx_uint_t                 i;
    ngx_sentry_pass_t         *pass;
    ngx_http_core_loc_conf_t  *clcf;

    for (i = 0; ctx != NULL && i < ctx->npasses; i++) {
        pass = &ctx->passes[i];
        clcf = pass->loc_conf[ngx_http_core_module.ctx_index];

        ngx_memzero(&packed, sizeof(snx_trail_pass_t));

        packed.time_us = pass->time_us;
        packed.tries = (uint16_t) pass->nstates;
        packed.error = pass->error;
        packed.internal = pass->internal;

        snx_rec_pair(rec, SNX_F_PASS, snx_str(&packed, sizeof(packed)),
                     ngx_sentry_str(&clcf->name));
    }
}


/*
 * A state without a peer separates the upstreams of two passes.  Of many
 * tries the last ones are kept.
 */

void
ngx_sentry_trail_upstreams(ngx_http_request_t *r, ngx_sentry_ctx_t *passes,
    ngx_uint_t number, snx_rec_writer_t *rec)
{
    int64_t                     end, start[SNX_UPSTREAMS_MAX_N];
    ngx_uint_t                  i, n, first;
    snx_upstream_t              up;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return;
    }

    state = r->upstream_states->elts;
    n = r->upstream_states->nelts;
    first = (n > SNX_UPSTREAMS_MAX_N) ? n - SNX_UPSTREAMS_MAX_N : 0;
    end = 0;

    for (i = n; i > first; i--) {

        if (state[i - 1].peer == NULL) {
            continue;
        }

        if (i == n || state[i].peer == NULL) {
            end = ngx_sentry_trail_group_end(r, passes, i);
        }

        end -= (end != 0) ? ngx_sentry_trail_took(&state[i - 1]) : 0;
        start[i - 1 - first] = end;
    }

    for (i = first; i < n; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        ngx_memzero(&up, sizeof(snx_upstream_t));

        up.start_us = start[i - first];
        up.request = (uint16_t) number;
        up.number = (uint16_t) (i + 1);
        up.status = (int32_t) state[i].status;
        up.connect_ms = (int32_t) state[i].connect_time;
        up.header_ms = (int32_t) state[i].header_time;
        up.response_ms = (int32_t) state[i].response_time;
        up.bytes_sent = (int64_t) state[i].bytes_sent;
        up.bytes_received = (int64_t) state[i].bytes_received;

        snx_rec_pair(rec, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                     ngx_sentry_str(state[i].peer));
    }
}


/* When the try before index last was over, of which another group follows. */

static int64_t
ngx_sentry_trail_group_end(ngx_http_request_t *r, ngx_sentry_ctx_t *passes,
    ngx_uint_t last)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (last == r->upstream_states->nelts && r->upstream
        && r->upstream->start_time)
    {
        state = r->upstream_states->elts;

        return ngx_sentry_trail_now()
               - (int64_t) (ngx_msec_int_t) (ngx_current_msec
                                             - r->upstream->start_time) * 1000
               + ngx_sentry_trail_took(&state[last - 1]);
    }

    for (i = 0; passes != NULL && i < passes->npasses; i++) {
        if (passes->passes[i].nstates >= last) {
            return passes->passes[i].time_us;
        }
    }

    return 0;
}


/* Until the answer was complete or the try given up, in us. */

static int64_t
ngx_sentry_trail_took(ngx_http_upstream_state_t *state)
{
    return (state->response_time == (ngx_msec_t) -1)
           ? 0 : (int64_t) state->response_time * 1000;
}
