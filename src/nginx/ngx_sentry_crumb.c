
/*
 * Copyright (C) ngx_sentry authors
 *
 * The breadcrumbs only nginx can tell of: lines of the error log and verdicts
 * of the limits.  The sender makes the rest of the trail from other fields.
 */


#include "ngx_sentry.h"
#include "snx_cause.h"
#include "snx_text.h"


static void ngx_sentry_crumb_line(ngx_sentry_event_t *event,
    ngx_sentry_line_t *line, snx_rec_writer_t *rec);
static void ngx_sentry_crumb_limits(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_crumb_limit(ngx_sentry_event_t *event,
    const char *module, const char *verdict, snx_rec_writer_t *rec);
static snx_level_t ngx_sentry_crumb_level(ngx_uint_t level);


void
ngx_sentry_crumb_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_uint_t  i;

    ngx_sentry_crumb_limits(event, rec);

    for (i = 0; event->ctx && i < event->ctx->nlines; i++) {
        ngx_sentry_crumb_line(event, event->ctx->lines[i], rec);
    }
}


static void
ngx_sentry_crumb_line(ngx_sentry_event_t *event, ngx_sentry_line_t *line,
    snx_rec_writer_t *rec)
{
    size_t             cap;
    snx_str_t          client;
    snx_cause_t        cause;
    unsigned char     *p;
    snx_breadcrumb_t   crumb;

    ngx_memzero(&crumb, sizeof(snx_breadcrumb_t));

    crumb.time_us = line->time_us;
    crumb.passes = (uint16_t) line->npasses;
    crumb.tries = (uint16_t) line->ntries;
    crumb.category = SNX_CRUMB_LOG;
    crumb.level = (uint8_t) ngx_sentry_crumb_level(line->level);

    client = ngx_sentry_str(&event->request->connection->addr_text);
    snx_cause_parse(&cause, snx_str(line->text, line->len), client);

    p = snx_rec_open(rec, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)), 1,
                     &cap);

    if (p) {
        cap = ngx_min(cap, NGX_SENTRY_LINE_MAX);
        snx_rec_close(rec, snx_scrub_text(&event->conf->scrub, cause.message,
                                          p, cap));
    }
}


static snx_level_t
ngx_sentry_crumb_level(ngx_uint_t level)
{
    if (level <= NGX_LOG_ALERT) {
        return SNX_LEVEL_FATAL;
    }

    if (level <= NGX_LOG_ERR) {
        return SNX_LEVEL_ERROR;
    }

    return level == NGX_LOG_WARN ? SNX_LEVEL_WARNING : SNX_LEVEL_INFO;
}


/* Whatever the level their lines have; nginx numbers the verdicts alike. */

static void
ngx_sentry_crumb_limits(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_http_request_t  *r;

    static const char  *conn[] = { "passed", "rejected", "rejected, dry run" };
    static const char  *req[] = { "passed", "delayed", "rejected",
                                  "delayed, dry run", "rejected, dry run" };

    r = event->request;

    if (r->limit_req_status && r->limit_req_status <= 5) {
        ngx_sentry_crumb_limit(event, "limit_req: ",
                               req[r->limit_req_status - 1], rec);
    }

    if (r->limit_conn_status) {
        ngx_sentry_crumb_limit(event, "limit_conn: ",
                               conn[r->limit_conn_status - 1], rec);
    }
}


/* It was asked in the last location that was not an error page. */

static void
ngx_sentry_crumb_limit(ngx_sentry_event_t *event, const char *module,
    const char *verdict, snx_rec_writer_t *rec)
{
    char                buf[64];
    ngx_uint_t          i;
    snx_text_t          text;
    snx_breadcrumb_t    crumb;
    ngx_sentry_ctx_t   *ctx;
    ngx_sentry_pass_t  *pass;

    ctx = event->ctx;

    ngx_memzero(&crumb, sizeof(snx_breadcrumb_t));
    crumb.category = SNX_CRUMB_LIMIT;
    crumb.level = (verdict[0] == 'p') ? SNX_LEVEL_INFO : SNX_LEVEL_WARNING;

    for (i = 0; ctx && i < ctx->npasses; i++) {
        pass = &ctx->passes[i];

        if (!pass->error) {
            crumb.time_us = pass->time_us;
            crumb.passes = (uint16_t) (i + 1);
            crumb.tries = (uint16_t) pass->nstates;
        }
    }

    snx_text_init(&text, buf, sizeof(buf));
    snx_text_addz(&text, module);
    snx_text_addz(&text, verdict);

    snx_rec_pair(rec, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)),
                 snx_str(text.data, text.len));
}
