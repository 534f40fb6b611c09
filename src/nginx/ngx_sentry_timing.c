
/*
 * Copyright (C) ngx_sentry authors
 *
 * The trace for the browser: "Server-Timing: sentry-trace;desc=..., baggage;
 * desc=..." on HTML documents, from which Sentry's SDK in the page continues.
 * Source: develop docs, sdk/foundations/trace-propagation.
 *
 * DESIGN.  A page in a shared cache would make one trace of all its readers.
 * So the header is only on what no shared cache may keep: Cache-Control says
 * private or no-store, or else nothing in the response makes it cacheable:
 * no lifetime (max-age, s-maxage, Expires), no leave (public) and nothing to
 * guess a lifetime from or to ask again with (Last-Modified; with no-cache or
 * a lifetime of 0 also ETag).  Pages that nginx's own cache keeps or served
 * are passed by.  The filter runs behind add_header and expires, see config.
 */


#include "ngx_sentry.h"
#include "snx_text.h"
#include "snx_trace.h"


#define NGX_SENTRY_TIMING_TRACE      "sentry-trace;desc=\""
#define NGX_SENTRY_TIMING_BAGGAGE    "\", baggage;desc=\""


/* What the response says about its being kept. */

typedef struct {
    unsigned                   forbidden:1;    /* private, no-store */
    unsigned                   allowed:1;      /* public, a lifetime */
    unsigned                   stale:1;        /* to be asked for again */
    unsigned                   etag:1;
    unsigned                   traced:1;       /* the app told a trace */
} ngx_sentry_timing_t;


static ngx_int_t ngx_sentry_timing_filter(ngx_http_request_t *r);
static ngx_int_t ngx_sentry_timing_wanted(ngx_http_request_t *r);
static void ngx_sentry_timing_header(ngx_table_elt_t *h,
    ngx_sentry_timing_t *timing);
static void ngx_sentry_timing_cache_control(snx_str_t value,
    ngx_sentry_timing_t *timing);
static void ngx_sentry_timing_age(snx_str_t directive,
    ngx_sentry_timing_t *timing);
static void ngx_sentry_timing_add(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_sentry_timing_next;


void
ngx_sentry_timing_install(void)
{
    ngx_sentry_timing_next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_sentry_timing_filter;
}


static ngx_int_t
ngx_sentry_timing_filter(ngx_http_request_t *r)
{
    if (r == r->main && ngx_sentry_timing_wanted(r)) {
        ngx_sentry_timing_add(r);
    }

    return ngx_sentry_timing_next(r);
}


static ngx_int_t
ngx_sentry_timing_wanted(ngx_http_request_t *r)
{
    ngx_uint_t              i;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_sentry_timing_t     timing;
    ngx_sentry_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    if (!slcf->server_timing || !slcf->reports
        || r->headers_out.content_type.len < 9
        || ngx_strncasecmp(r->headers_out.content_type.data,
                           (u_char *) "text/html", 9) != 0)
    {
        return 0;
    }

#if (NGX_HTTP_CACHE)
    if (r->cache || r->cached) {
        return 0;
    }
#endif

    ngx_memzero(&timing, sizeof(ngx_sentry_timing_t));

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            ngx_sentry_timing_header(&h[i], &timing);
        }
    }

    if (timing.traced) {
        return 0;
    }

    if (timing.forbidden) {
        return 1;
    }

    return !timing.allowed
           && r->headers_out.last_modified_time == -1
           && r->headers_out.last_modified == NULL
           && !(timing.stale && timing.etag);
}


static void
ngx_sentry_timing_header(ngx_table_elt_t *h, ngx_sentry_timing_t *timing)
{
    time_t     when;
    snx_str_t  value;

    value = ngx_sentry_str(&h->value);

    if (ngx_sentry_is_header(h, "cache-control")) {
        ngx_sentry_timing_cache_control(value, timing);

    } else if (ngx_sentry_is_header(h, "expires")) {
        when = ngx_parse_http_time(h->value.data, h->value.len);

        if (when > ngx_time()) {
            timing->allowed = 1;

        } else {
            timing->stale = 1;
        }

    } else if (ngx_sentry_is_header(h, "etag")) {
        timing->etag = 1;

    } else if (ngx_sentry_is_header(h, "server-timing")) {
        timing->traced |= snx_text_ihas(value, snx_cstr("sentry-trace")) != 0;
    }
}


static void
ngx_sentry_timing_cache_control(snx_str_t value, ngx_sentry_timing_t *timing)
{
    size_t     n;
    snx_str_t  directive;

    while (value.len) {

        for (n = 0; n < value.len && value.data[n] != ','; n++) {
            /* void */
        }

        directive = snx_str(value.data, n);
        n += (n < value.len);
        value = snx_str(value.data + n, value.len - n);

        while (directive.len && directive.data[0] == ' ') {
            directive = snx_str(directive.data + 1, directive.len - 1);
        }

        while (directive.len && directive.data[directive.len - 1] == ' ') {
            directive.len--;
        }

        if (snx_text_ieq(directive, snx_cstr("private"))
            || snx_text_ieq(directive, snx_cstr("no-store")))
        {
            timing->forbidden = 1;

        } else if (snx_text_ieq(directive, snx_cstr("public"))) {
            timing->allowed = 1;

        } else if (snx_text_ieq(directive, snx_cstr("no-cache"))) {
            timing->stale = 1;

        } else {
            ngx_sentry_timing_age(directive, timing);
        }
    }
}


/* max-age=N, s-maxage=N */

static void
ngx_sentry_timing_age(snx_str_t directive, ngx_sentry_timing_t *timing)
{
    size_t  i;

    if (!(directive.len > 8
          && snx_text_ieq(snx_str(directive.data, 8), snx_cstr("max-age=")))
        && !(directive.len > 9
             && snx_text_ieq(snx_str(directive.data, 9),
                             snx_cstr("s-maxage="))))
    {
        return;
    }

    for (i = 8; i < directive.len; i++) {
        if (directive.data[i] >= '1' && directive.data[i] <= '9') {
            timing->allowed = 1;
            return;
        }
    }

    timing->stale = 1;
}


static void
ngx_sentry_timing_add(ngx_http_request_t *r)
{
    u_char              *p;
    size_t               len;
    ngx_table_elt_t     *h;
    ngx_sentry_trace_t  *trace;

    trace = ngx_sentry_trace_keep(r);
    if (trace == NULL) {
        return;
    }

    ngx_sentry_baggage_build(r, trace, 1);

    len = sizeof(NGX_SENTRY_TIMING_TRACE) - 1 + SNX_TRACE_SENTRY_MAX
          + sizeof(NGX_SENTRY_TIMING_BAGGAGE) - 1 + trace->baggage.len + 1;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Server-Timing");
    h->value.data = p;

    /* what the page belongs to is this request */

    p = ngx_cpymem(p, NGX_SENTRY_TIMING_TRACE,
                   sizeof(NGX_SENTRY_TIMING_TRACE) - 1);
    p += snx_trace_write_sentry(trace->trace_id, trace->span_id, trace->flag,
                                (char *) p);

    if (trace->baggage.len) {
        p = ngx_cpymem(p, NGX_SENTRY_TIMING_BAGGAGE,
                       sizeof(NGX_SENTRY_TIMING_BAGGAGE) - 1);
        p = ngx_cpymem(p, trace->baggage.data, trace->baggage.len);
    }

    *p++ = '"';

    h->value.len = (size_t) (p - h->value.data);
}
