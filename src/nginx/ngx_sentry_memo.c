
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


typedef void (*ngx_sentry_memo_pt)(ngx_sentry_event_t *event, snx_str_t in,
    snx_rec_writer_t *rec);


static uint64_t ngx_sentry_memo_line_key(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);
static void ngx_sentry_memo_make_line(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_memo_name(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_memo_field(ngx_sentry_event_t *event, uint64_t key,
    snx_str_t in, snx_rec_writer_t *rec, ngx_sentry_memo_pt make);
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
    return (uint64_t) (uintptr_t) conf
           ^ (uint64_t) ngx_inet_get_port(r->connection->local_sockaddr)
             << 48;
}


ngx_int_t
ngx_sentry_memo_builtin(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    uint32_t                mark;
    uint64_t                key;
    snx_str_t               line, host;
    snx_memo_slot_t        *put;
    const snx_memo_slot_t  *slot;

    if (ngx_sentry_memo == NULL) {
        return ngx_sentry_route_default(r);
    }

    line = ngx_sentry_str(&r->request_line);
    host = ngx_sentry_str(&r->headers_in.server);
    key = ngx_sentry_memo_line_key(r, trace->conf);

    slot = snx_memo_get(ngx_sentry_memo, key, line, host);

    if (slot && slot->mark) {
        trace->line = slot;
        trace->line_puts = ngx_sentry_memo->puts;

        mark = slot->mark;

    } else {
        mark = ngx_sentry_route_default(r) == NGX_OK
               ? NGX_SENTRY_MEMO_REPORTED : NGX_SENTRY_MEMO_BUILTIN;

        put = snx_memo_put(ngx_sentry_memo, key, line, host,
                           ngx_sentry_none);
        if (put) {
            put->mark = mark;
        }
    }

    return mark == NGX_SENTRY_MEMO_REPORTED ? NGX_OK : NGX_DECLINED;
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

    } else if (ngx_sentry_memo == NULL || event->conf->transaction) {
        ngx_sentry_memo_name(event, rec);

    } else {
        ngx_sentry_memo_make_line(event, rec);
    }
}


static void
ngx_sentry_memo_make_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    size_t                  from;
    uint32_t                left_out, mark;
    uint64_t                key;
    snx_str_t               line, host;
    snx_memo_slot_t        *put;
    ngx_http_request_t     *r;
    const snx_memo_slot_t  *slot;

    r = event->request;
    line = ngx_sentry_str(&r->request_line);
    host = ngx_sentry_str(&r->headers_in.server);
    key = ngx_sentry_memo_line_key(r, event->conf);

    slot = snx_memo_get(ngx_sentry_memo, key, line, host);

    if (slot && slot->out_len) {
        snx_rec_raw(rec, snx_memo_out(slot));
        return;
    }

    mark = slot ? slot->mark : 0;
    from = (size_t) (rec->pos - rec->start);
    left_out = rec->left_out;

    ngx_sentry_memo_name(event, rec);

    if (rec->left_out != left_out) {
        return;
    }

    put = snx_memo_put(ngx_sentry_memo, key, line, host,
                       snx_str(rec->start + from,
                               (size_t) (rec->pos - rec->start) - from));
    if (put) {
        put->mark = mark;
    }
}


static void
ngx_sentry_memo_name(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    u_char  path[SNX_URL_MAX];

    event->path.data = path;
    event->path.len = snx_route_path(ngx_sentry_request_target(
                                                              event->request),
                                     path, sizeof(path));

    ngx_sentry_pack_transaction(event, rec);
    ngx_sentry_request_line(event, rec);
}


/* No location and no list of terms has such an address as these keys. */

void
ngx_sentry_memo_agent(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_table_elt_t  *agent;

    agent = event->request->headers_in.user_agent;

    if (agent && !event->conf->hide_agent) {
        ngx_sentry_memo_field(event,
                              (uint64_t) (uintptr_t) &event->conf->scrub | 1,
                              ngx_sentry_str(&agent->value), rec,
                              ngx_sentry_memo_make_agent);
    }
}


void
ngx_sentry_memo_upstream(ngx_sentry_event_t *event, snx_str_t url,
    snx_rec_writer_t *rec)
{
    ngx_sentry_memo_field(event,
                          (uint64_t) (uintptr_t) &event->conf->scrub | 2,
                          url, rec, ngx_sentry_memo_make_upstream);
}


static void
ngx_sentry_memo_field(ngx_sentry_event_t *event, uint64_t key, snx_str_t in,
    snx_rec_writer_t *rec, ngx_sentry_memo_pt make)
{
    size_t                  from;
    uint32_t                left_out;
    snx_memo_t             *memo;
    const snx_memo_slot_t  *slot;

    memo = ngx_sentry_memo;

    if (memo == NULL) {
        make(event, in, rec);
        return;
    }

    slot = snx_memo_get(memo, key, in, ngx_sentry_none);

    if (slot) {
        snx_rec_raw(rec, snx_memo_out(slot));
        return;
    }

    from = (size_t) (rec->pos - rec->start);
    left_out = rec->left_out;

    make(event, in, rec);

    if (rec->left_out == left_out) {
        snx_memo_put(memo, key, in, ngx_sentry_none,
                     snx_str(rec->start + from,
                             (size_t) (rec->pos - rec->start) - from));
    }
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
