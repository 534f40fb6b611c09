
/*
 * Copyright (C) ngx_sentry authors
 *
 * sentry_status: what happened to everything, as JSON or, with
 * "?format=prometheus", as Prometheus text (ngx_sentry_prometheus.c).  Shows
 * projects as host/project, never a key.
 */


#include "ngx_sentry_status.h"
#include "snx_sender.h"


#define NGX_SENTRY_STATUS_PROJECT_MAX  6144
#define NGX_SENTRY_STATUS_HEAD_MAX     4096
#define NGX_SENTRY_STATUS_LINE_MAX     160     /* of Prometheus, but a label */


static ngx_int_t ngx_sentry_status_send(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t prometheus);
static size_t ngx_sentry_status_room(snx_shm_t *shm);
static void ngx_sentry_status_json(ngx_sentry_status_t *s,
    ngx_sentry_main_conf_t *smcf);
static void ngx_sentry_status_json_project(ngx_sentry_status_t *s,
    snx_project_t *project, ngx_uint_t first);
static void ngx_sentry_status_json_counts(ngx_sentry_status_t *s,
    const char *name, _Atomic uint64_t *counts);
static void ngx_sentry_status_json_lost(ngx_sentry_status_t *s,
    snx_counters_t *counters);
static void ngx_sentry_status_json_limits(ngx_sentry_status_t *s,
    snx_project_t *project);
static void ngx_sentry_status_json_error(ngx_sentry_status_t *s,
    snx_project_t *project);


ngx_int_t
ngx_sentry_status_handler(ngx_http_request_t *r)
{
    size_t                   size;
    ngx_buf_t               *b;
    ngx_int_t                rc;
    ngx_str_t                format;
    ngx_uint_t               prometheus;
    ngx_sentry_status_t      s;
    ngx_sentry_main_conf_t  *smcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    prometheus = ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK
                 && format.len == 10
                 && ngx_strncmp(format.data, "prometheus", 10) == 0;

    ngx_memzero(&s, sizeof(ngx_sentry_status_t));

    smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);

    s.shm = smcf->shm;
    s.enabled = s.shm && (smcf->dsns.nelts || smcf->spotlight.len);
    s.now_ms = snx_process_now_ms();

    size = NGX_SENTRY_STATUS_HEAD_MAX;

    if (s.shm) {
        size += ngx_sentry_status_room(s.shm);
        snx_queue_usage(snx_shm_queue(s.shm), &s.usage);
        snx_lease_info(&s.shm->lease, s.now_ms, &s.lease);
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s.p = b->pos;
    s.end = b->end;

    if (prometheus) {
        ngx_sentry_prometheus(&s);

    } else {
        ngx_sentry_status_json(&s, smcf);
    }

    b->last = s.p;

    return ngx_sentry_status_send(r, b, prometheus);
}


static ngx_int_t
ngx_sentry_status_send(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t prometheus)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    if (prometheus) {
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * A project takes a line of Prometheus for each counter that is not zero, and
 * for a few that may become so until they are printed.
 */

static size_t
ngx_sentry_status_room(snx_shm_t *shm)
{
    size_t             size, lines;
    ngx_uint_t         i, j;
    snx_project_t     *project;
    _Atomic uint64_t  *lost;

    size = 0;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        project = &shm->projects[i];

        if (!atomic_load(&project->used)) {
            continue;
        }

        lines = 4 * SNX_CATS_N;
        lost = &project->counters.lost[0][0];

        for (j = 0; j < SNX_LOST_N * SNX_CATS_N; j++) {
            lines += atomic_load(&lost[j]) != 0;
        }

        size += NGX_SENTRY_STATUS_PROJECT_MAX
                + lines * (NGX_SENTRY_STATUS_LINE_MAX
                           + ngx_strlen(snx_project_label(project)));
    }

    return size;
}


static void
ngx_sentry_status_json(ngx_sentry_status_t *s, ngx_sentry_main_conf_t *smcf)
{
    ngx_uint_t  i, first;

    ngx_sentry_status_add(s, "{\"version\":\"" SNX_VERSION "\""
                          ",\"enabled\":%s", s->enabled ? "true" : "false");

    if (s->shm == NULL) {
        ngx_sentry_status_add(s, "}\n");
        return;
    }

    ngx_sentry_status_add(s, ",\"generation\":%uD"
                          ",\"queue\":{\"bytes\":%uz,\"segments\":%uD"
                          ",\"segments_used\":%uD,\"fill_percent\":%uD"
                          ",\"lanes\":%uD,\"records\":%uD"
                          ",\"record_bytes\":%uL,\"corrupt\":%uD}",
                          atomic_load(&s->shm->generation), smcf->queue,
                          s->usage.segments, s->usage.segments_used,
                          s->usage.segments_used * 100
                          / ngx_max(s->usage.segments, 1),
                          s->usage.lanes, s->usage.pending,
                          s->usage.pending_bytes,
                          atomic_load(&s->shm->segments_corrupt));

    ngx_sentry_status_add(s, ",\"sender\":{\"pid\":%uD,\"generation\":%uD"
                          ",\"lease_ms\":%D,\"taken\":%uL}",
                          s->lease.pid, (uint32_t) s->lease.generation,
                          s->lease.left_ms,
                          atomic_load(&s->shm->lease.taken));

    ngx_sentry_status_add(s, ",\"groups\":{\"used\":%uz,\"evicted\":%uL}",
                          snx_gate_used(&s->shm->gate),
                          atomic_load(&s->shm->gate.evicted));

    ngx_sentry_status_add(s, ",\"projects\":[");

    first = 1;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        if (atomic_load(&s->shm->projects[i].used)) {
            ngx_sentry_status_json_project(s, &s->shm->projects[i], first);
            first = 0;
        }
    }

    ngx_sentry_status_add(s, "]}\n");
}


static void
ngx_sentry_status_json_project(ngx_sentry_status_t *s, snx_project_t *project,
    ngx_uint_t first)
{
    uint64_t         since;
    snx_counters_t  *counters;

    counters = &project->counters;
    since = atomic_load(&project->unreachable_ms);

    ngx_sentry_status_add(s, "%s{\"project\":\"%s\",\"reachable\":%s",
                          first ? "" : ",", snx_project_label(project),
                          since ? "false" : "true");

    ngx_sentry_status_json_counts(s, "captured", counters->captured);
    ngx_sentry_status_json_counts(s, "delivered", counters->delivered);
    ngx_sentry_status_json_lost(s, counters);

    ngx_sentry_status_add(s, ",\"held_back_untold\":%uL"
                          ",\"bytes_sent\":%uL,\"requests\":%uL"
                          ",\"retries\":%uL",
                          snx_project_untold(project),
                          atomic_load(&counters->bytes_sent),
                          atomic_load(&counters->requests),
                          atomic_load(&counters->retries));

    ngx_sentry_status_json_limits(s, project);
    ngx_sentry_status_json_error(s, project);

    ngx_sentry_status_add(s, "}");
}


static void
ngx_sentry_status_json_counts(ngx_sentry_status_t *s, const char *name,
    _Atomic uint64_t *counts)
{
    uint64_t    n;
    snx_str_t   category;
    ngx_uint_t  i, first;

    ngx_sentry_status_add(s, ",\"%s\":{", name);

    first = 1;

    for (i = 0; i < SNX_CATS_N; i++) {
        n = atomic_load(&counts[i]);

        if (n || i == SNX_CAT_ERROR) {
            category = snx_category_name((snx_category_t) i);
            ngx_sentry_status_add(s, "%s\"%*s\":%uL", first ? "" : ",",
                                  category.len, category.data, n);
            first = 0;
        }
    }

    ngx_sentry_status_add(s, "}");
}


static void
ngx_sentry_status_json_lost(ngx_sentry_status_t *s, snx_counters_t *counters)
{
    uint64_t    n, sum;
    snx_str_t   reason, category;
    ngx_uint_t  i, j, first, comma;

    ngx_sentry_status_add(s, ",\"lost\":{");

    first = 1;

    for (i = 0; i < SNX_LOST_N; i++) {

        for (sum = 0, j = 0; j < SNX_CATS_N; j++) {
            sum += atomic_load(&counters->lost[i][j]);
        }

        if (sum == 0) {
            continue;
        }

        reason = snx_lost_name((snx_lost_t) i);
        ngx_sentry_status_add(s, "%s\"%*s\":{", first ? "" : ",",
                              reason.len, reason.data);
        first = 0;
        comma = 0;

        for (j = 0; j < SNX_CATS_N; j++) {
            n = atomic_load(&counters->lost[i][j]);

            if (n) {
                category = snx_category_name((snx_category_t) j);
                ngx_sentry_status_add(s, "%s\"%*s\":%uL", comma ? "," : "",
                                      category.len, category.data, n);
                comma = 1;
            }
        }

        ngx_sentry_status_add(s, "}");
    }

    ngx_sentry_status_add(s, "}");
}


static void
ngx_sentry_status_json_limits(ngx_sentry_status_t *s, snx_project_t *project)
{
    uint64_t    left;
    snx_str_t   category;
    ngx_uint_t  i, first;

    ngx_sentry_status_add(s, ",\"rate_limits_ms\":{");

    first = 1;

    for (i = 0; i < SNX_CATS_N; i++) {
        left = snx_limits_left(&project->limits, (snx_category_t) i,
                               s->now_ms);

        if (left) {
            category = snx_category_name((snx_category_t) i);
            ngx_sentry_status_add(s, "%s\"%*s\":%uL", first ? "" : ",",
                                  category.len, category.data, left);
            first = 0;
        }
    }

    ngx_sentry_status_add(s, "}");
}


static void
ngx_sentry_status_json_error(ngx_sentry_status_t *s, snx_project_t *project)
{
    char        text[SNX_LAST_ERROR_MAX];
    size_t      len, room;
    uint32_t    status;
    uint64_t    epoch_ms;
    ngx_tm_t    tm;

    if (!snx_project_last_error(project, &status, &epoch_ms, text)) {
        ngx_sentry_status_add(s, ",\"last_error\":null");
        return;
    }

    ngx_gmtime((time_t) (epoch_ms / 1000), &tm);

    ngx_sentry_status_add(s, ",\"last_error\":{\"time\":"
                          "\"%4d-%02d-%02dT%02d:%02d:%02d.%03uLZ\""
                          ",\"status\":%uD,\"text\":\"",
                          tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                          tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                          epoch_ms % 1000, status);

    len = ngx_strlen(text);
    room = (size_t) (s->end - s->p);

    if (len + ngx_escape_json(NULL, (u_char *) text, len) <= room) {
        s->p = (u_char *) ngx_escape_json(s->p, (u_char *) text, len);
    }

    ngx_sentry_status_add(s, "\"}");
}
