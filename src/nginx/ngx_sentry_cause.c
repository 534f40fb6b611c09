
/*
 * Copyright (C) ngx_sentry authors
 *
 * Why a request failed: keeps the error log lines nginx writes for it.
 *
 * DESIGN.  A log in nginx is a chain of ngx_log_t, the most verbose first;
 * every one may have a writer.  A node of ours is put in front of each chain
 * that requests log to, whatever its destinations and levels are.  A
 * connection's log is a copy of the chain's head, so nginx calls our writer
 * with the connection's own ngx_log_t: its data names the request, also among
 * streams of one HTTP/2 connection, and no request pays for it that logs
 * nothing.  That data is a request's only when the log's handler is the http
 * core's; that function is private, so it is learned from the first accepted
 * connection, by wrapping the listening sockets' handler once.
 *
 * The writer runs inside the request's own code: it copies a bounded number
 * of bounded lines into the request's pool and does nothing else.
 */


#include "ngx_sentry.h"


static void ngx_sentry_cause_insert(ngx_cycle_t *cycle,
    ngx_sentry_main_conf_t *smcf, ngx_log_t *log, ngx_uint_t level);
static void ngx_sentry_cause_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_sentry_cause_note(ngx_http_request_t *r, ngx_uint_t level,
    u_char *buf, size_t len);
static ngx_sentry_line_t *ngx_sentry_cause_drop(ngx_sentry_ctx_t *ctx);
static void ngx_sentry_cause_accept(ngx_connection_t *c);


static ngx_log_handler_pt  ngx_sentry_cause_handler;
static ngx_connection_t   *ngx_sentry_cause_first;
static ngx_uint_t          ngx_sentry_cause_busy;


/* While locations are merged: remembers the log that requests there use. */

ngx_int_t
ngx_sentry_cause_collect(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf,
    ngx_log_t *log, ngx_uint_t level)
{
    ngx_uint_t         i;
    ngx_sentry_log_t  *l;

    l = smcf->logs.elts;

    for (i = 0; i < smcf->logs.nelts; i++) {
        if (l[i].log == log) {
            l[i].level = ngx_max(l[i].level, level);
            return NGX_OK;
        }
    }

    l = ngx_array_push(&smcf->logs);
    if (l == NULL) {
        return NGX_ERROR;
    }

    l->log = log;
    l->level = level;

    return NGX_OK;
}


/*
 * When all logs of the new configuration are open, and before its sockets
 * are: they copy their log, and may fail to bind.
 */

void
ngx_sentry_cause_install(ngx_cycle_t *cycle, ngx_sentry_main_conf_t *smcf)
{
    ngx_uint_t         i;
    ngx_sentry_log_t  *l;

    l = smcf->logs.elts;

    for (i = 0; i < smcf->logs.nelts; i++) {
        ngx_sentry_cause_insert(cycle, smcf, l[i].log, l[i].level);
    }
}


static void
ngx_sentry_cause_insert(ngx_cycle_t *cycle, ngx_sentry_main_conf_t *smcf,
    ngx_log_t *log, ngx_uint_t level)
{
    ngx_log_t  *first;

    if (log->writer == ngx_sentry_cause_writer) {
        return;
    }

    first = ngx_palloc(cycle->pool, sizeof(ngx_log_t));
    if (first == NULL) {
        return;
    }

    *first = *log;

    /* the head decides what is formatted at all: never less than before */

    log->log_level = ngx_max(first->log_level, level);
    log->file = NULL;
    log->writer = ngx_sentry_cause_writer;
    log->wdata = smcf;
    log->next = first;
}


/* In a worker, before it accepts. */

void
ngx_sentry_cause_learn(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (ls[i].handler == ngx_http_init_connection) {
            ls[i].handler = ngx_sentry_cause_accept;
        }
    }
}


static void
ngx_sentry_cause_accept(ngx_connection_t *c)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    /* it may be served at once, and have lines */

    ngx_sentry_cause_first = c;

    ngx_http_init_connection(c);

    ngx_sentry_cause_first = NULL;

    /* a connection that is gone already teaches nothing: the next one will */

    if (c->destroyed) {
        return;
    }

    ngx_sentry_cause_handler = c->log->handler;

    ls = ngx_cycle->listening.elts;

    for (i = 0; i < ngx_cycle->listening.nelts; i++) {
        if (ls[i].handler == ngx_sentry_cause_accept) {
            ls[i].handler = ngx_http_init_connection;
        }
    }
}


static void
ngx_sentry_cause_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_http_log_ctx_t  *ctx;

    if (level > NGX_LOG_INFO || ngx_sentry_cause_busy) {
        return;
    }

    if (ngx_sentry_cause_first && !ngx_sentry_cause_first->destroyed) {
        ngx_sentry_cause_handler = ngx_sentry_cause_first->log->handler;
    }

    ctx = log->data;

    if (log->handler == NULL || log->handler != ngx_sentry_cause_handler
        || ctx == NULL || ctx->request == NULL)
    {
        ngx_sentry_notes_line(log->wdata, level, buf, len);
        return;
    }

    /* memory for the line may fail, and nginx logs that */

    ngx_sentry_cause_busy = 1;

    ngx_sentry_cause_note(ctx->current_request ? ctx->current_request
                                               : ctx->request,
                          level, buf, len);

    ngx_sentry_cause_busy = 0;
}


static void
ngx_sentry_cause_note(ngx_http_request_t *r, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_time_t             *tp;
    ngx_http_request_t     *main;
    ngx_sentry_ctx_t       *ctx;
    ngx_sentry_line_t      *line;
    ngx_sentry_loc_conf_t  *slcf;

    if (r->pool == NULL || r->loc_conf == NULL) {
        return;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    if (!slcf->reports || level > slcf->breadcrumbs) {
        return;
    }

    ctx = ngx_sentry_trail_ctx(r->main, 1);
    if (ctx == NULL) {
        return;
    }

    if (r == r->main && r->err_status == 0 && !r->error_page) {
        ctx->line_conf = r->loc_conf;
    }

    if (ctx->nlines == NGX_SENTRY_LINES_MAX_N) {
        line = ngx_sentry_cause_drop(ctx);

    } else {
        line = ngx_palloc(r->pool, sizeof(ngx_sentry_line_t));
        if (line == NULL) {
            return;
        }
    }

    ctx->lines[ctx->nlines++] = line;

    tp = ngx_timeofday();
    main = r->main;

    line->level = level;
    line->request = r;
    line->number = r->upstream_states ? r->upstream_states->nelts : 0;
    line->npasses = ctx->npasses;
    line->ntries = main->upstream_states ? main->upstream_states->nelts : 0;

    /* mirrors and cache updates; what happens to an answer under way */

    line->aside = (r->background || main->header_sent);

    line->time_us = ((int64_t) tp->sec * 1000 + (int64_t) tp->msec) * 1000;
    line->len = ngx_min(len, sizeof(line->text));
    ngx_memcpy(line->text, buf, line->len);
}


/* Of many lines the first, errors and the last ones are kept. */

static ngx_sentry_line_t *
ngx_sentry_cause_drop(ngx_sentry_ctx_t *ctx)
{
    ngx_uint_t          i;
    ngx_sentry_line_t  *line;

    for (i = 1; i < ctx->nlines; i++) {
        if (ctx->lines[i]->level > NGX_LOG_ERR) {
            break;
        }
    }

    if (i == ctx->nlines) {
        i = 1;
    }

    line = ctx->lines[i];
    ctx->nlines--;

    ngx_memmove(&ctx->lines[i], &ctx->lines[i + 1],
                (ctx->nlines - i) * sizeof(line));

    return line;
}
