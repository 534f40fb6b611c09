
/*
 * Copyright (C) ngx_sentry authors
 *
 * What goes to the upstream: sentry-trace, baggage and, when asked for,
 * traceparent, among the request's headers, from where every kind of
 * upstream takes them.  What the operator sets himself (proxy_set_header,
 * fastcgi_param) wins, as it does over a client's header.
 *
 * DESIGN.  A subrequest begins with the list of headers of its parent, parts
 * and all: nothing may be pushed into that or changed in it.  So a request
 * gets a list of its own, without what came under our names and with what
 * goes; or only a part more, where nothing came.  The main request's first
 * list is remembered: an event shows what the client sent, and a redirect to
 * a location that adds nothing puts those headers back.
 */


#include "ngx_sentry.h"
#include "snx_text.h"
#include "snx_trace.h"


#define NGX_SENTRY_HEADERS_N         3


/* Headers that go, a part of a list as they are, and what they tell. */

typedef struct {
    ngx_list_part_t            part;       /* of elts */
    ngx_uint_t                 mask;       /* other headers of these go away */
    ngx_table_elt_t            elts[NGX_SENTRY_HEADERS_N];
    u_char                     text[SNX_TRACE_SENTRY_MAX + SNX_TRACE_W3C_LEN];
} ngx_sentry_headers_t;


static void ngx_sentry_propagate_inject(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);
static ngx_sentry_headers_t *ngx_sentry_propagate_headers(
    ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_trace_t *trace, unsigned char *id);
static void ngx_sentry_propagate_header(ngx_sentry_headers_t *headers,
    ngx_uint_t i, u_char *data, size_t len);
static void ngx_sentry_propagate_restore(ngx_http_request_t *r);
static void ngx_sentry_propagate_add(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, ngx_sentry_headers_t *headers);
static ngx_int_t ngx_sentry_propagate_replace(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, ngx_sentry_headers_t *headers,
    ngx_list_part_t *client);
static void ngx_sentry_propagate_remember(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);
static void ngx_sentry_propagate_append(ngx_list_t *list,
    ngx_list_part_t *part, ngx_uint_t mask, ngx_uint_t in);
static ngx_inline ngx_uint_t ngx_sentry_propagate_bit(ngx_table_elt_t *h);
static ngx_sentry_sub_t *ngx_sentry_propagate_make_sub(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);


/* Without their values. */

static ngx_table_elt_t  ngx_sentry_propagate_elts[NGX_SENTRY_HEADERS_N] = {
    { .key = ngx_string("sentry-trace") },
    { .key = ngx_string("baggage") },
    { .key = ngx_string("traceparent") }
};


void
ngx_sentry_propagate_init(void)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; i < NGX_SENTRY_HEADERS_N; i++) {
        h = &ngx_sentry_propagate_elts[i];

        h->hash = ngx_hash_key(h->key.data, h->key.len);
        h->lowcase_key = h->key.data;
    }
}


/* Precontent phase: the last one before a content handler sends anything. */

ngx_int_t
ngx_sentry_propagate_handler(ngx_http_request_t *r)
{
    ngx_sentry_loc_conf_t  *slcf;

    ngx_sentry_moment_content(r);

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    /* without a content handler of the location there is no upstream */

    if (r->content_handler == NULL) {
        return NGX_DECLINED;
    }

    if (slcf->inject) {
        ngx_sentry_propagate_inject(r, slcf);

    } else if (r->internal) {
        ngx_sentry_propagate_restore(r);
    }

    return NGX_DECLINED;
}


static void
ngx_sentry_propagate_inject(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf)
{
    ngx_uint_t             came;
    ngx_sentry_sub_t      *sub;
    ngx_sentry_trace_t    *trace;
    ngx_sentry_headers_t  *headers;

    trace = ngx_sentry_trace_keep(r);
    if (trace == NULL) {
        return;
    }

    sub = (r == r->main) ? NULL : ngx_sentry_propagate_make_sub(r, trace);

    if (r == r->main ? trace->injected : (sub && sub->injected)) {
        return;
    }

    came = ngx_sentry_propagate_came(&r->headers_in.headers.part);

    /* what the client sent is what r has, if this is the first time */

    ngx_sentry_baggage_build(r, trace, trace->replaced || r != r->main
                                       || (came & 1 << NGX_SENTRY_BAGGAGE));

    headers = ngx_sentry_propagate_headers(r, conf, trace,
                                           sub ? sub->upstream_span_id
                                               : trace->upstream_span_id);
    if (headers == NULL) {
        return;
    }

    /*
     * The usual case: nothing goes away, and all headers are in the list's
     * first part, which r has to itself.
     */

    if (!(came & headers->mask) && r->headers_in.headers.part.next == NULL) {
        ngx_sentry_propagate_add(r, trace, headers);

    } else if (ngx_sentry_propagate_replace(r, trace, headers, NULL)
               != NGX_OK)
    {
        return;
    }

    if (sub) {
        sub->injected = 1;

    } else if (r == r->main) {
        trace->injected = 1;
        trace->propagated = 1;
        ngx_sentry_room_lend(trace->room, r->pool);
    }
}


/* Of a span and the baggage; NULL: out of memory. */

static ngx_sentry_headers_t *
ngx_sentry_propagate_headers(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_trace_t *trace, unsigned char *id)
{
    u_char                *p;
    ngx_sentry_headers_t  *headers;

    headers = ngx_sentry_room_alloc(trace->room, r->pool,
                                    sizeof(ngx_sentry_headers_t));

    if (headers == NULL || !trace->built) {
        return NULL;
    }

    headers->part.elts = headers->elts;
    headers->part.nelts = 0;
    headers->part.next = NULL;
    headers->mask = 1 << NGX_SENTRY_TRACE | 1 << NGX_SENTRY_BAGGAGE;

    p = headers->text;

    if (trace->digits) {
        ngx_memcpy(p, trace->digits, 32);

    } else {
        snx_text_hex(trace->trace_id, 16, (char *) p);
    }

    ngx_sentry_propagate_header(headers, NGX_SENTRY_TRACE, p,
                                32 + snx_trace_write_span(id, trace->flag,
                                                          (char *) p + 32));

    if (trace->header.len) {
        ngx_sentry_propagate_header(headers, NGX_SENTRY_BAGGAGE,
                                    trace->header.data, trace->header.len);
    }

    if (conf->traceparent) {
        p += SNX_TRACE_SENTRY_MAX;

        headers->mask |= 1 << NGX_SENTRY_TRACEPARENT;
        ngx_sentry_propagate_header(headers, NGX_SENTRY_TRACEPARENT, p,
                                    snx_trace_write_w3c(trace->trace_id, id,
                                                  trace->flag, (char *) p));
    }

    return headers;
}


static void
ngx_sentry_propagate_header(ngx_sentry_headers_t *headers, ngx_uint_t i,
    u_char *data, size_t len)
{
    ngx_table_elt_t  *h;

    h = &headers->elts[headers->part.nelts++];

    *h = ngx_sentry_propagate_elts[i];

    h->value.data = data;
    h->value.len = len;
}


/* As the client sent it, for a location that adds nothing. */

static void
ngx_sentry_propagate_restore(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t      *ctx;
    ngx_sentry_sub_t      *sub;
    ngx_sentry_headers_t   headers;

    ctx = ngx_sentry_trail_ctx(r->main, 0);

    if (ctx == NULL || ctx->trace == NULL) {
        return;
    }

    sub = ngx_sentry_propagate_sub(r, ctx->trace);

    if (!ctx->trace->injected && sub == NULL) {
        return;
    }

    headers.mask = (1 << NGX_SENTRY_HEADERS_N) - 1;
    headers.part.elts = headers.elts;
    headers.part.nelts = 0;
    headers.part.next = NULL;

    if (ngx_sentry_propagate_replace(r, ctx->trace, &headers,
                                     ngx_sentry_propagate_client(r))
        != NGX_OK)
    {
        return;
    }

    if (sub) {
        sub->injected = 0;

    } else if (r == r->main) {
        ctx->trace->injected = 0;
    }
}


/* What they are in stays as it is, and ours are one more part. */

static void
ngx_sentry_propagate_add(ngx_http_request_t *r, ngx_sentry_trace_t *trace,
    ngx_sentry_headers_t *headers)
{
    ngx_list_t  *list;

    list = &r->headers_in.headers;

    ngx_sentry_propagate_remember(r, trace);

    list->part.next = &headers->part;
    list->last = &headers->part;
    list->nalloc = headers->part.nelts;
}


/*
 * A list of its own for r: its headers without those of the mask, with those
 * given and those of the mask in the list client.
 */

static ngx_int_t
ngx_sentry_propagate_replace(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, ngx_sentry_headers_t *headers,
    ngx_list_part_t *client)
{
    ngx_uint_t        n;
    ngx_list_t        list;
    ngx_list_part_t  *part;

    n = headers->part.nelts;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    for (part = client; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(&list, r->pool, n ? n : 1, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_sentry_propagate_append(&list, &r->headers_in.headers.part,
                                headers->mask, 0);
    ngx_sentry_propagate_append(&list, client, headers->mask, headers->mask);
    ngx_sentry_propagate_append(&list, &headers->part, 0, 0);

    ngx_sentry_propagate_remember(r, trace);

    r->headers_in.headers = list;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    return NGX_OK;
}


/* What the main request came with. */

static void
ngx_sentry_propagate_remember(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace)
{
    if (r == r->main && !trace->replaced) {
        trace->client = r->headers_in.headers.part;
        trace->replaced = 1;
    }
}


/* Those whose bit of the mask is as in in; the list has room for all. */

static void
ngx_sentry_propagate_append(ngx_list_t *list, ngx_list_part_t *part,
    ngx_uint_t mask, ngx_uint_t in)
{
    ngx_uint_t        i, bit;
    ngx_table_elt_t  *h, *to;

    to = list->part.elts;
    to += list->part.nelts;

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            bit = mask ? ngx_sentry_propagate_bit(&h[i]) & mask : 0;

            if (in ? bit != 0 : bit == 0) {
                *to++ = h[i];
                list->part.nelts++;
            }
        }
    }
}


static ngx_inline ngx_uint_t
ngx_sentry_propagate_bit(ngx_table_elt_t *h)
{
    ngx_uint_t  i;

    switch (h->key.len) {

    case sizeof("baggage") - 1:
        i = NGX_SENTRY_BAGGAGE;
        break;

    case sizeof("traceparent") - 1:
        i = NGX_SENTRY_TRACEPARENT;
        break;

    case sizeof("sentry-trace") - 1:
        i = NGX_SENTRY_TRACE;
        break;

    default:
        return 0;
    }

    return ngx_strncasecmp(h->key.data, ngx_sentry_propagate_elts[i].key.data,
                           h->key.len)
           == 0 ? 1 << i : 0;
}


ngx_uint_t
ngx_sentry_propagate_scan(ngx_list_part_t *part)
{
    ngx_uint_t        came;
    ngx_table_elt_t  *h, *last;

    came = 0;

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;
        last = h + part->nelts;

        for ( /* void */ ; h != last; h++) {
            came |= ngx_sentry_propagate_bit(h);
        }
    }

    return came;
}


ngx_list_part_t *
ngx_sentry_propagate_client(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t  *ctx;

    ctx = ngx_sentry_trail_ctx(r->main, 0);

    return (ctx && ctx->trace) ? ngx_sentry_trace_client(r, ctx->trace)
                               : &r->main->headers_in.headers.part;
}


unsigned char *
ngx_sentry_propagate_span_id(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace)
{
    ngx_sentry_sub_t  *sub;

    sub = (r == r->main) ? NULL : ngx_sentry_propagate_make_sub(r, trace);

    return sub ? sub->upstream_span_id : trace->upstream_span_id;
}


ngx_sentry_sub_t *
ngx_sentry_propagate_sub(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    ngx_sentry_sub_t  *sub;

    for (sub = trace->subs; sub; sub = sub->next) {
        if (sub->request == r) {
            return sub;
        }
    }

    return NULL;
}


/* NULL when there are too many: they share the main request's id. */

static ngx_sentry_sub_t *
ngx_sentry_propagate_make_sub(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace)
{
    ngx_sentry_sub_t     *sub;
    ngx_sentry_worker_t  *worker;

    sub = ngx_sentry_propagate_sub(r, trace);

    if (sub || trace->nsubs == NGX_SENTRY_SUBS_MAX_N) {
        return sub;
    }

    worker = ngx_sentry_process_worker();
    sub = ngx_pcalloc(r->pool, sizeof(ngx_sentry_sub_t));

    if (worker == NULL || sub == NULL) {
        return NULL;
    }

    ngx_sentry_process_id(worker, sub->upstream_span_id, 8);

    sub->request = r;
    sub->next = trace->subs;
    trace->subs = sub;
    trace->nsubs++;

    return sub;
}
