
/*
 * Copyright (C) ngx_sentry authors
 *
 * What this worker made of strings that come again and again: filtering them
 * costs more than all the rest of a record.  Kept as packed fields.
 *
 * DESIGN.  Name and URL are the same for the same request line and host in
 * the same place, and so is whether the path is a built-in route, which is
 * asked first and may be all there is: the mark of the slot.
 */


#include "ngx_sentry.h"


#define NGX_SENTRY_MEMO_REPORTED  1
#define NGX_SENTRY_MEMO_BUILTIN   2


/* What is made, in the lowest bits of a key: addresses have none there. */

#define NGX_SENTRY_MEMO_LINE      0
#define NGX_SENTRY_MEMO_AGENT     1
#define NGX_SENTRY_MEMO_UPSTREAM  2
#define NGX_SENTRY_MEMO_WHAT      3


static uint64_t ngx_sentry_memo_line_key(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);
static void ngx_sentry_memo_find_line(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_memo_field(ngx_sentry_event_t *event, uint64_t key,
    snx_str_t in, snx_str_t more, snx_rec_writer_t *rec);
static void ngx_sentry_memo_make(ngx_sentry_event_t *event, uint64_t what,
    snx_str_t in, snx_rec_writer_t *rec);
static void ngx_sentry_memo_make_line(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_memo_make_agent(ngx_sentry_event_t *event,
    snx_str_t in, snx_rec_writer_t *rec);
static void ngx_sentry_memo_make_upstream(ngx_sentry_event_t *event,
    snx_str_t in, snx_rec_writer_t *rec);


/* NULL: does without. */

static snx_memo_t  *ngx_sentry_memo;


void
ngx_sentry_memo_init(ngx_pool_t *pool)
{
    static uint64_t  n;

    ngx_sentry_memo = pool ? ngx_pcalloc(pool, sizeof(snx_memo_t)) : NULL;

    /* what was noted of an earlier one is not of this one */

    if (ngx_sentry_memo) {
        ngx_sentry_memo->puts = ++n << 40;
    }
}


/* The port is part of the URL; addresses have no more than 48 bits. */

static uint64_t
ngx_sentry_memo_line_key(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf)
{
    return ((uint64_t) (uintptr_t) conf | NGX_SENTRY_MEMO_LINE)
           ^ (uint64_t) ngx_sentry_port(r->connection->local_sockaddr) << 48;
}


ngx_int_t
ngx_sentry_memo_builtin(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    uint64_t                key;
    ngx_int_t               rc;
    snx_memo_slot_t        *put;
    const snx_memo_slot_t  *slot;

    if (ngx_sentry_memo == NULL) {
        return ngx_sentry_route_default(r);
    }

    key = ngx_sentry_memo_line_key(r, trace->conf);

    slot = snx_memo_get(ngx_sentry_memo, key,
                        ngx_sentry_str(&r->request_line),
                        ngx_sentry_str(&r->headers_in.server));

    if (slot && slot->mark) {
        trace->line = slot;
        trace->line_puts = ngx_sentry_memo->puts;

        return slot->mark == NGX_SENTRY_MEMO_REPORTED ? NGX_OK : NGX_DECLINED;
    }

    rc = ngx_sentry_route_default(r);

    put = snx_memo_put(ngx_sentry_memo, key, ngx_sentry_str(&r->request_line),
                       ngx_sentry_str(&r->headers_in.server),
                       ngx_sentry_none);
    if (put) {
        put->mark = (rc == NGX_OK) ? NGX_SENTRY_MEMO_REPORTED
                                   : NGX_SENTRY_MEMO_BUILTIN;
    }

    return rc;
}


void
ngx_sentry_memo_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_sentry_trace_t  *trace;

    trace = event->ctx ? event->ctx->trace : NULL;

    if (trace && trace->line && ngx_sentry_memo
        && trace->line_puts == ngx_sentry_memo->puts
        && trace->conf == event->conf && trace->line->out_len)
    {
        snx_rec_raw(rec, snx_memo_out(trace->line));

    } else {
        ngx_sentry_memo_find_line(event, rec);
    }
}


static void
ngx_sentry_memo_find_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_http_request_t  *r;

    r = event->request;

    /* a name with variables is not of the line alone */

    if (event->conf->transaction) {
        ngx_sentry_memo_make_line(event, rec);
        return;
    }

    ngx_sentry_memo_field(event, ngx_sentry_memo_line_key(r, event->conf),
                          ngx_sentry_str(&r->request_line),
                          ngx_sentry_str(&r->headers_in.server), rec);
}


void
ngx_sentry_memo_agent(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_table_elt_t  *agent;

    agent = event->request->headers_in.user_agent;

    if (agent && !event->conf->hide_agent) {
        ngx_sentry_memo_field(event,
                              (uint64_t) (uintptr_t) &event->conf->scrub
                              | NGX_SENTRY_MEMO_AGENT,
                              ngx_sentry_str(&agent->value), ngx_sentry_none,
                              rec);
    }
}


void
ngx_sentry_memo_upstream(ngx_sentry_event_t *event, snx_str_t url,
    snx_rec_writer_t *rec)
{
    ngx_sentry_memo_field(event,
                          (uint64_t) (uintptr_t) &event->conf->scrub
                          | NGX_SENTRY_MEMO_UPSTREAM,
                          url, ngx_sentry_none, rec);
}


/* Adds what came of these before; else makes it, and remembers it if whole. */

static void
ngx_sentry_memo_field(ngx_sentry_event_t *event, uint64_t key, snx_str_t in,
    snx_str_t more, snx_rec_writer_t *rec)
{
    size_t                  from;
    uint32_t                left_out, mark;
    snx_memo_slot_t        *put;
    const snx_memo_slot_t  *slot;

    slot = ngx_sentry_memo ? snx_memo_get(ngx_sentry_memo, key, in, more)
                           : NULL;

    if (slot && slot->out_len) {
        snx_rec_raw(rec, snx_memo_out(slot));
        return;
    }

    mark = slot ? slot->mark : 0;
    from = (size_t) (rec->pos - rec->start);
    left_out = rec->left_out;

    ngx_sentry_memo_make(event, key & NGX_SENTRY_MEMO_WHAT, in, rec);

    if (ngx_sentry_memo == NULL || rec->left_out != left_out) {
        return;
    }

    put = snx_memo_put(ngx_sentry_memo, key, in, more,
                       snx_str(rec->start + from,
                               (size_t) (rec->pos - rec->start) - from));
    if (put) {
        put->mark = mark;
    }
}


static void
ngx_sentry_memo_make(ngx_sentry_event_t *event, uint64_t what, snx_str_t in,
    snx_rec_writer_t *rec)
{
    switch (what) {

    case NGX_SENTRY_MEMO_AGENT:
        ngx_sentry_memo_make_agent(event, in, rec);
        break;

    case NGX_SENTRY_MEMO_UPSTREAM:
        ngx_sentry_memo_make_upstream(event, in, rec);
        break;

    default:
        ngx_sentry_memo_make_line(event, rec);
    }
}


static void
ngx_sentry_memo_make_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    u_char  path[SNX_URL_MAX];

    event->path.data = path;
    event->path.len = snx_route_path(ngx_sentry_request_target(
                                                              event->request),
                                     path, sizeof(path));

    ngx_sentry_pack_transaction(event, rec);
    ngx_sentry_request_line(event, rec);
}


static void
ngx_sentry_memo_make_agent(ngx_sentry_event_t *event, snx_str_t in,
    snx_rec_writer_t *rec)
{
    size_t          cap;
    unsigned char  *p;

    p = snx_rec_open(rec, SNX_F_HEADER, snx_str("User-Agent", 10),
                     SNX_HEADER_VALUE_MAX, &cap);

    if (p) {
        snx_rec_close(rec, snx_scrub_text(&event->conf->scrub, in, p,
                                          SNX_HEADER_VALUE_MAX));
    }
}


static void
ngx_sentry_memo_make_upstream(ngx_sentry_event_t *event, snx_str_t in,
    snx_rec_writer_t *rec)
{
    size_t          cap;
    unsigned char  *p;

    p = snx_rec_open(rec, SNX_F_UPSTREAM_URL, snx_str(NULL, 0), SNX_URL_MAX,
                     &cap);

    if (p) {
        snx_rec_close(rec, snx_scrub_url(&event->conf->scrub, in, p,
                                         SNX_URL_MAX));
    }
}
