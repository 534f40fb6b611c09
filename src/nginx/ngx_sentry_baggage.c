
/*
 * Copyright (C) ngx_sentry authors
 *
 * The baggage of a trace: Sentry's members, which are the caller's where it
 * has any, and with them those of others, as the upstream gets them.
 */


#include "ngx_sentry.h"
#include "snx_baggage.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_baggage_heads(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf);
static ngx_int_t ngx_sentry_baggage_compose(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);
static ngx_int_t ngx_sentry_baggage_begin(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);
static void ngx_sentry_baggage_head(ngx_sentry_trace_t *trace,
    snx_baggage_t *b);
static ngx_int_t ngx_sentry_baggage_join(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);
static void ngx_sentry_baggage_continue(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, snx_baggage_t *b);
static void ngx_sentry_baggage_incoming(ngx_http_request_t *r,
    snx_baggage_t *b, void (*add)(snx_baggage_t *b, snx_str_t header));
static ngx_int_t ngx_sentry_baggage_copy(ngx_pool_t *pool, snx_baggage_t *b,
    ngx_str_t *value);


ngx_int_t
ngx_sentry_baggage_constants(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf)
{
    u_char         buf[2048], text[NGX_SENTRY_RELEASE_MAX * 3];
    snx_baggage_t  b;

    snx_baggage_init(&b, buf, sizeof(buf));

    if (conf->dsn) {
        (void) snx_baggage_put(&b, "public_key",
                               ngx_sentry_str(&conf->dsn->key));
    }

    (void) snx_baggage_put(&b, "environment",
                 snx_str(text, snx_text_utf8(
                                       ngx_sentry_str(&conf->environment),
                                       text, sizeof(text), NULL)));

    if (conf->release.len) {
        (void) snx_baggage_put(&b, "release",
                     snx_str(text, snx_text_utf8(
                                           ngx_sentry_str(&conf->release),
                                           text, sizeof(text), NULL)));
    }

    if (conf->dsn && conf->dsn->org_id.len) {
        (void) snx_baggage_put(&b, "org_id",
                               ngx_sentry_str(&conf->dsn->org_id));
    }

    conf->baggage.len = b.len;
    conf->baggage.data = ngx_pnalloc(cf->pool, b.len);
    if (conf->baggage.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(conf->baggage.data, buf, b.len);

    return ngx_sentry_baggage_heads(cf, conf);
}


/*
 * Whole baggages, in which only trace_id and sample_rand are still to be set:
 * nearly all traces that begin here have one of these.
 */

static ngx_int_t
ngx_sentry_baggage_heads(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf)
{
    int                 i;
    u_char              buf[SNX_BAGGAGE_MAX];
    snx_baggage_t       b;
    ngx_sentry_trace_t  trace;

    ngx_memzero(&trace, sizeof(ngx_sentry_trace_t));

    trace.conf = conf;

    for (i = -1; i < 2; i++) {
        trace.sampled = (signed char) i;
        trace.rate = i < 0 ? -1 : conf->traces_sample_rate.value;

        snx_baggage_init(&b, buf, sizeof(buf));
        ngx_sentry_baggage_head(&trace, &b);

        if (ngx_sentry_baggage_copy(cf->pool, &b, &conf->heads[i + 1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_sentry_baggage_build(ngx_http_request_t *r, ngx_sentry_trace_t *trace,
    ngx_uint_t came)
{
    if (trace->built) {
        return;
    }

    if ((trace->frozen || ngx_sentry_baggage_begin(r, trace) != NGX_OK)
        && ngx_sentry_baggage_compose(r, trace) != NGX_OK)
    {
        return;
    }

    trace->header = trace->baggage;

    if (!came || ngx_sentry_baggage_join(r, trace) == NGX_OK) {
        trace->built = 1;
    }
}


/* Member by member. */

static ngx_int_t
ngx_sentry_baggage_compose(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    u_char         ours[SNX_BAGGAGE_MAX];
    snx_baggage_t  b;

    snx_baggage_init(&b, ours, sizeof(ours));

    if (trace->frozen) {
        ngx_sentry_baggage_continue(r, trace, &b);

    } else {
        ngx_sentry_baggage_head(trace, &b);
    }

    return ngx_sentry_baggage_copy(r->pool, &b, &trace->baggage);
}


/* By the location's, if its own rate decided. */

static ngx_int_t
ngx_sentry_baggage_begin(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    u_char     *p;
    double      rate;
    ngx_str_t  *head;

    static const size_t  at = sizeof("sentry-trace_id=") - 1;

    head = &trace->conf->heads[trace->sampled + 1];
    rate = trace->conf->traces_sample_rate.value;

    /* a rate that is not told or is another one: neither less nor more */

    if (head->len < at + 32 + SNX_SAMPLE_RAND_LEN
        || trace->conf->traces_sample_rate.complex
        || (trace->sampled >= 0 && (trace->rate < rate || trace->rate > rate)))
    {
        return NGX_DECLINED;
    }

    p = ngx_sentry_room_alloc(trace->room, r->pool, head->len);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(p, head->data, head->len);

    snx_text_hex(trace->trace_id, 16, (char *) p + at);
    (void) snx_sample_write(trace->random,
                            (char *) p + head->len - SNX_SAMPLE_RAND_LEN);

    trace->digits = p + at;
    trace->baggage.len = head->len;
    trace->baggage.data = p;

    return NGX_OK;
}


/* Others' members go first, and have what room ours leave. */

static ngx_int_t
ngx_sentry_baggage_join(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    u_char         all[SNX_BAGGAGE_MAX];
    size_t         ours;
    snx_baggage_t  b;

    ours = trace->baggage.len;

    snx_baggage_init(&b, all, sizeof(all) - ours - (ours != 0));
    ngx_sentry_baggage_incoming(r, &b, snx_baggage_others);

    if (b.len == 0) {
        return NGX_OK;
    }

    b.cap = sizeof(all);
    (void) snx_baggage_add(&b, ngx_sentry_str(&trace->baggage));

    return ngx_sentry_baggage_copy(r->pool, &b, &trace->header);
}


/* The trace begins here. */

static void
ngx_sentry_baggage_head(ngx_sentry_trace_t *trace, snx_baggage_t *b)
{
    char                    text[32];
    double                  rate;
    static const snx_str_t  trace_id = snx_string("trace_id");
    static const snx_str_t  sample_rate = snx_string("sample_rate");
    static const snx_str_t  sample_rand = snx_string("sample_rand");
    static const snx_str_t  sampled = snx_string("sampled");

    snx_text_hex(trace->trace_id, 16, text);
    (void) snx_baggage_put_plain(b, trace_id, snx_str(text, 32));
    (void) snx_baggage_add(b, ngx_sentry_str(&trace->conf->baggage));

    if (trace->sampled >= 0) {
        rate = trace->rate >= 0 ? trace->rate : trace->sampled;

        (void) snx_baggage_put_plain(b, sample_rate,
                       snx_str(text, snx_sample_write_rate(rate, text)));
        (void) snx_baggage_put_plain(b, sampled,
                               snx_cstr(trace->sampled ? "true" : "false"));
    }

    (void) snx_baggage_put_plain(b, sample_rand,
                       snx_str(text, snx_sample_write(trace->random, text)));
}


/*
 * The caller's members as they came: without any none is made up.  Where our
 * rate decided it is told; where the caller is not trusted, nothing goes on
 * of what it said about sampling.
 */

static void
ngx_sentry_baggage_continue(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, snx_baggage_t *b)
{
    char       text[SNX_SAMPLE_RATE_MAX];
    snx_str_t  sampled;

    ngx_sentry_baggage_incoming(r, b, snx_baggage_ours);

    if (b->len == 0) {
        return;
    }

    if (trace->rate < 0) {

        if (!trace->trusted && trace->sampled < 0) {
            snx_baggage_drop(b, "sampled");
            snx_baggage_drop(b, "sample_rate");
            snx_baggage_drop(b, "sample_rand");
        }

        return;
    }

    (void) snx_baggage_set(b, "sample_rate",
                 snx_str(text, snx_sample_write_rate(trace->rate, text)));

    if (!trace->trusted) {
        (void) snx_baggage_set(b, "sample_rand",
                       snx_str(text, snx_sample_write(trace->random, text)));
    }

    if (!trace->trusted
        || snx_baggage_find(snx_str(b->data, b->len), "sampled", &sampled)
           == SNX_OK)
    {
        (void) snx_baggage_set(b, "sampled",
                               snx_cstr(trace->sampled ? "true" : "false"));
    }
}


static void
ngx_sentry_baggage_incoming(ngx_http_request_t *r, snx_baggage_t *b,
    void (*add)(snx_baggage_t *b, snx_str_t header))
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = ngx_sentry_propagate_client(r);

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 7 && ngx_sentry_is_header(&h[i], "baggage")) {
                add(b, ngx_sentry_str(&h[i].value));
            }
        }
    }
}


static ngx_int_t
ngx_sentry_baggage_copy(ngx_pool_t *pool, snx_baggage_t *b,
    ngx_str_t *value)
{
    u_char  *p;

    if (b->len == 0) {
        return NGX_OK;
    }

    /* without memory it stays what it was */

    p = ngx_pnalloc(pool, b->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, b->data, b->len);

    value->len = b->len;
    value->data = p;

    return NGX_OK;
}
