
/*
 * Copyright (C) ngx_sentry authors
 *
 * Which trace a request belongs to, and whether it is recorded: once per main
 * request, when first asked.  What the upstream is told is in
 * ngx_sentry_propagate.c.
 *
 * DESIGN.  The caller's trace goes on, unless sentry_trace_context does not
 * read or its organization is another one.  Its flag is obeyed when it is
 * trusted (sentry_inherit_sampling); so is its sample_rand, or else a client
 * that sends 0 would be sampled always.  Then a route's rate counts, then the
 * location's; a dropped route, sentry_traces_limit and backpressure can only
 * take away.
 */


#include "ngx_sentry.h"
#include "snx_baggage.h"
#include "snx_text.h"
#include "snx_trace.h"


/* What came with the request. */

typedef struct {
    snx_trace_t                trace;
    double                     rate;       /* the caller's, -1 not told */
    uint32_t                   random;
    unsigned                   found:1;    /* trace is set */
    unsigned                   w3c:1;      /* by traceparent */
    unsigned                   frozen:1;   /* its baggage goes on */
    unsigned                   foreign:1;  /* of another organization */
    unsigned                   has_random:1;
} ngx_sentry_caller_t;


static void ngx_sentry_trace_make(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_draw_t *draw,
    ngx_sentry_trace_t *trace);
static ngx_uint_t ngx_sentry_trace_continue(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_trace_t *trace);
static ngx_inline ngx_uint_t ngx_sentry_trace_called(ngx_http_request_t *r);
static void ngx_sentry_trace_caller(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_caller_t *caller);
static void ngx_sentry_trace_caller_baggage(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_caller_t *caller);
static void ngx_sentry_trace_member(ngx_sentry_loc_conf_t *conf,
    ngx_sentry_caller_t *caller, snx_member_t *member);
static ngx_int_t ngx_sentry_trace_trusts(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);
static void ngx_sentry_trace_decide(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_uint_t own, ngx_sentry_trace_t *trace);
static double ngx_sentry_trace_rate(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);


ngx_sentry_trace_t *
ngx_sentry_trace_begin(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx)
{
    ngx_sentry_trace_t  *trace;

    if (ngx_sentry_process_worker() == NULL) {
        return NULL;
    }

    if (ctx == NULL) {
        ctx = ngx_sentry_trail_make(r);
        if (ctx == NULL) {
            return NULL;
        }
    }

    trace = &ctx->own;

    ngx_memzero(trace, offsetof(ngx_sentry_trace_t, trace_id));
    trace->room = ctx->room;

    ngx_sentry_trace_make(r, ngx_sentry_trail_place(r, ctx), &ctx->draw,
                          trace);

    ctx->trace = trace;

    return trace;
}


void
ngx_sentry_trace_of(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    ngx_sentry_ctx_t    *ctx;
    ngx_sentry_draw_t    draw;
    ngx_sentry_trace_t  *kept;

    kept = ngx_sentry_trace_keep(r);

    if (kept) {
        *trace = *kept;
        return;
    }

    ngx_memzero(trace, sizeof(ngx_sentry_trace_t));

    ctx = ngx_sentry_trail_ctx(r->main, 0);
    ngx_sentry_trail_drawn(ngx_sentry_trail_slot(r), &draw);

    ngx_sentry_trace_make(r->main, ngx_sentry_trail_place(r->main, ctx),
                          &draw, trace);
}


static void
ngx_sentry_trace_make(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_draw_t *draw, ngx_sentry_trace_t *trace)
{
    if (draw->conf) {
        conf = draw->conf;
    }

    trace->conf = conf;
    trace->flag = -1;

    if (draw->conf || !(conf->trace_context & NGX_SENTRY_EXTRACT)
        || !ngx_sentry_trace_called(r)
        || !ngx_sentry_trace_continue(r, conf, trace))
    {
        /* trace_id, span_id, upstream_span_id and bits */

        ngx_sentry_process_id(ngx_sentry_process_worker(), trace->trace_id,
                              16 + 8 + 8 + sizeof(trace->bits));

        trace->random = (draw->conf && draw->random != NGX_SENTRY_NOT_DRAWN)
                        ? draw->random : snx_sample_bits(trace->bits);
    }

    ngx_sentry_trace_decide(r, conf, draw->conf != NULL, trace);
}


/* The caller's trace goes on: 1, or 0 if it is not valid or not ours. */

static ngx_uint_t
ngx_sentry_trace_continue(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_trace_t *trace)
{
    double                unit;
    ngx_sentry_caller_t   caller;
    ngx_sentry_worker_t  *worker;

    ngx_memzero(&caller, sizeof(ngx_sentry_caller_t));
    caller.rate = -1;

    ngx_sentry_trace_caller(r, conf, &caller);

    if (!caller.found) {
        return 0;
    }

    worker = ngx_sentry_process_worker();

    /* span_id, and upstream_span_id behind it */

    ngx_sentry_process_id(worker, trace->span_id, 8 + 8);
    unit = ngx_sentry_process_unit(worker);

    ngx_memcpy(trace->trace_id, caller.trace.trace_id, 16);
    ngx_memcpy(trace->parent_span_id, caller.trace.span_id, 8);

    trace->continued = 1;
    trace->frozen = caller.frozen;
    trace->trusted = (ngx_sentry_trace_trusts(r, conf) != 0);

    if (!trace->trusted) {
        trace->random = snx_sample_random(unit, -1, -1);
        return 1;
    }

    trace->flag = caller.trace.sampled;
    trace->random = caller.has_random
                    ? caller.random
                    : snx_sample_random(unit, caller.rate,
                                        caller.trace.sampled);

    return 1;
}


ngx_uint_t
ngx_sentry_trace_draw(ngx_http_request_t *r, ngx_http_variable_value_t *slot)
{
    double                  rate;
    uint64_t                bits;
    ngx_sentry_ctx_t       *ctx;
    ngx_sentry_draw_t       draw;
    ngx_sentry_worker_t    *worker;
    ngx_sentry_loc_conf_t  *conf;

    /* without a draw there is a context or nothing */

    ctx = (ngx_sentry_ctx_t *) slot->data;
    conf = ngx_sentry_trail_place(r, ctx);

    if (!conf->may_miss || (ctx && ctx->trace)
        || ((conf->trace_context & NGX_SENTRY_EXTRACT)
            && ngx_sentry_trace_called(r)))
    {
        return 0;
    }

    draw.conf = conf;
    draw.random = NGX_SENTRY_NOT_DRAWN;
    draw.missed = 1;

    rate = conf->traces_sample_rate.value;

    if (rate > 0) {
        worker = ngx_sentry_process_worker();

        if (worker == NULL) {
            return 0;
        }

        /* as in snx_sample_decide(); pressure can only make more miss */

        ngx_sentry_process_id(worker, &bits, sizeof(bits));

        draw.random = snx_sample_bits(bits);
        draw.missed = (double) draw.random >= rate * SNX_SAMPLE_RAND_N;
    }

    ngx_sentry_trail_keep(slot, &draw);

    return draw.missed;
}


/* Whether there may be a header to be read by ngx_sentry_trace_caller(). */

static ngx_inline ngx_uint_t
ngx_sentry_trace_called(ngx_http_request_t *r)
{
    return ngx_sentry_propagate_came(&r->headers_in.headers.part)
           & (1 << NGX_SENTRY_TRACE | 1 << NGX_SENTRY_TRACEPARENT);
}


/* sentry-trace, else traceparent; of several the first that is valid. */

static void
ngx_sentry_trace_caller(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_caller_t *caller)
{
    snx_str_t         value;
    ngx_uint_t        i, baggage;
    snx_trace_t       w3c;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    w3c.sampled = 2;
    baggage = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            value = ngx_sentry_str(&h[i].value);

            switch (h[i].key.len) {

            case 7:
                baggage |= ngx_sentry_is_header(&h[i], "baggage");
                break;

            case 11:
                if (w3c.sampled == 2
                    && ngx_sentry_is_header(&h[i], "traceparent"))
                {
                    (void) snx_trace_w3c(&w3c, value);
                }
                break;

            case 12:
                if (!caller->found
                    && ngx_sentry_is_header(&h[i], "sentry-trace"))
                {
                    caller->found = snx_trace_sentry(&caller->trace, value)
                                    == SNX_OK;
                }
                break;
            }
        }
    }

    if (!caller->found && w3c.sampled != 2) {
        caller->trace = w3c;
        caller->found = 1;
        caller->w3c = 1;
    }

    if (!caller->found) {
        return;
    }

    if (baggage) {
        ngx_sentry_trace_caller_baggage(r, conf, caller);
    }

    /* of an old SDK without baggage none is made up, of no SDK ours is */

    caller->frozen |= !caller->w3c;

    if (caller->foreign) {
        ngx_memzero(caller, sizeof(ngx_sentry_caller_t));
        caller->rate = -1;
    }
}


static void
ngx_sentry_trace_caller_baggage(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_caller_t *caller)
{
    snx_str_t         value;
    ngx_uint_t        i;
    snx_member_t      member;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_sentry_is_header(&h[i], "baggage")) {
                continue;
            }

            value = ngx_sentry_str(&h[i].value);

            while (snx_baggage_next(&value, &member) == SNX_OK) {
                if (member.ours) {
                    ngx_sentry_trace_member(conf, caller, &member);
                }
            }
        }
    }
}


static void
ngx_sentry_trace_member(ngx_sentry_loc_conf_t *conf,
    ngx_sentry_caller_t *caller, snx_member_t *member)
{
    char        buf[64];
    snx_str_t   value;
    ngx_str_t  *org;

    value = snx_str(buf, snx_baggage_decode(member->value, buf,
                                            sizeof(buf)));

    if (ngx_sentry_is(member->key, "trace_id")) {
        snx_text_hex(caller->trace.trace_id, 16, buf + 32);

        caller->frozen = (snx_text_ieq(value, snx_str(buf + 32, 32)) != 0);

    } else if (ngx_sentry_is(member->key, "sample_rand")) {
        caller->has_random = (snx_sample_read(value, &caller->random) != 0);

    } else if (ngx_sentry_is(member->key, "sample_rate")) {
        if (!snx_text_rate(value, &caller->rate)) {
            caller->rate = -1;
        }

    } else if (ngx_sentry_is(member->key, "org_id") && conf->dsn) {
        org = &conf->dsn->org_id;

        caller->foreign = org->len != 0 && value.len != 0
                          && (value.len != org->len
                              || ngx_memcmp(value.data, org->data, org->len)
                                 != 0);
    }
}


static ngx_int_t
ngx_sentry_trace_trusts(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf)
{
    ngx_str_t  value;

    if (conf->inherit == NULL) {
        return conf->inherit_sampling;
    }

    if (ngx_http_complex_value(r, conf->inherit, &value) != NGX_OK) {
        return 0;
    }

    return value.len != 0
           && !(value.len == 1 && value.data[0] == '0')
           && !(value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0);
}


/* own: the location's rate decides, a constant, and there are no rules. */

static void
ngx_sentry_trace_decide(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_uint_t own, ngx_sentry_trace_t *trace)
{
    double                   rate;
    ngx_int_t                rc;
    snx_sample_t             sample;
    ngx_sentry_main_conf_t  *smcf;

    if (conf->untraced) {
        trace->rate = -1;
        trace->sampled = -1;
        trace->why = SNX_SAMPLE_OFF;
        return;
    }

    rc = NGX_OK;
    smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);
    rate = -1;

    if (own) {
        trace->routed = 1;
        rate = conf->traces_sample_rate.value;

    } else if (!smcf->env.tracing_disabled) {
        rc = conf->dropped ? NGX_DECLINED
                           : ngx_sentry_route_traces(r, trace);

        rate = (rc == NGX_OK && trace->route && trace->route->traces >= 0)
               ? trace->route->traces : ngx_sentry_trace_rate(r, conf);
    }

    snx_sample_decide(&sample, rate, trace->flag, trace->random,
                      conf->dsn && conf->dsn->project
                      ? snx_pressure_halvings(&conf->dsn->project->pressure)
                      : 0);

    if (sample.sampled == 1) {

        if (rc == NGX_DECLINED
            || (trace->route == NULL
                && ngx_sentry_route_builtin(r, trace) != NGX_OK))
        {
            sample.sampled = 0;
            sample.rate = 0;
            sample.why = SNX_SAMPLE_ROUTE;

        } else if (smcf->traces_limit
                   && !snx_sample_take(&smcf->shm->traces_at,
                                       smcf->traces_limit, ngx_current_msec))
        {
            sample.sampled = 0;
            sample.rate = 0;
            sample.why = SNX_SAMPLE_LIMIT;
        }
    }

    trace->rate = sample.rate;
    trace->sampled = sample.sampled;
    trace->why = sample.why;

    if (sample.sampled >= 0) {
        trace->flag = sample.sampled;
    }
}


/* A variable: empty or "off" is off, what is no rate is 0. */

static double
ngx_sentry_trace_rate(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf)
{
    double     rate;
    ngx_str_t  value;

    if (conf->traces_sample_rate.complex == NULL) {
        return conf->traces_sample_rate.value;
    }

    if (ngx_http_complex_value(r, conf->traces_sample_rate.complex, &value)
        != NGX_OK
        || value.len == 0
        || (value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0))
    {
        return -1;
    }

    return snx_text_rate(ngx_sentry_str(&value), &rate) ? rate : 0;
}


void
ngx_sentry_trace_pack(ngx_http_request_t *r, snx_rec_writer_t *rec)
{
    snx_facts_t         *facts;
    ngx_sentry_trace_t   copy, *trace;

    trace = ngx_sentry_trace_keep(r);

    if (trace == NULL) {
        ngx_sentry_trace_of(r, &copy);
        trace = &copy;
    }

    facts = rec->facts;
    facts->has |= 1u << SNX_FACT_TRACE_ID | 1u << SNX_FACT_SPAN_ID
                  | (unsigned) trace->continued << SNX_FACT_PARENT_SPAN_ID
                  | (unsigned) trace->propagated << SNX_FACT_UPSTREAM_SPAN_ID;

    ngx_memcpy(facts->trace_id, trace->trace_id, 16);
    ngx_memcpy(facts->span_id, trace->span_id, 8);
    ngx_memcpy(facts->parent_span_id, trace->parent_span_id, 8);
    ngx_memcpy(facts->upstream_span_id, trace->upstream_span_id, 8);

    if (trace->flag >= 0) {
        snx_fact_set(facts, SNX_FACT_SAMPLED, trace->flag);
    }

    if (trace->rate >= 0) {
        snx_fact_set(facts, SNX_FACT_CLIENT_SAMPLE_RATE,
                     snx_sample_scaled(trace->rate));
    }

    /* what went nowhere and is all ours the sender can make itself */

    if (trace->sampled == 1 && !trace->built && !trace->frozen) {
        snx_fact_set(facts, SNX_FACT_SAMPLE_RAND, trace->random);
        return;
    }

    if (trace != &copy) {
        ngx_sentry_baggage_build(r, trace, 1);
    }

    snx_rec_str(rec, SNX_F_BAGGAGE, ngx_sentry_str(&trace->baggage));
}
