
/*
 * Copyright (C) ngx_sentry authors
 *
 * Slow requests: the sentry_slow_request directive, and what took the time.
 *
 * DESIGN.  A request's life is cut into parts that follow each other: its
 * header is read, what comes before the upstream (its body is read, a limit
 * delays it), the upstream is waited for, its response comes in, and the rest
 * is still to be written to the client.  The longest part names the reason,
 * so that slow clients and slow upstreams make different issues.  nginx keeps
 * no times but those of the upstream; the end of the header is known from the
 * rewrite phase, where our handler notes it.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


#define NGX_SENTRY_SLOW_TIME_MAX   86400000   /* ms */

/* a response up to this size fits into a socket's buffer at once */
#define NGX_SENTRY_SLOW_SMALL      65536      /* bytes */

/* nginx keeps this number private to its limit module */
#define NGX_SENTRY_LIMIT_REQ_DELAYED  2


/* Parts, in ms; 0 for those that are not known. */

typedef struct {
    ngx_msec_int_t              total;
    ngx_msec_int_t              header;
    ngx_msec_int_t              before;
    ngx_msec_int_t              wait;
    ngx_msec_int_t              transfer;
    ngx_msec_int_t              after;
    ngx_http_upstream_state_t  *slowest;   /* try; NULL: no upstream */
} ngx_sentry_slow_t;


static ngx_msec_int_t ngx_sentry_slow_since(ngx_http_request_t *r,
    int64_t until_ms);
static ngx_msec_int_t ngx_sentry_slow_total(ngx_http_request_t *r);
static void ngx_sentry_slow_parts(ngx_sentry_event_t *event,
    ngx_sentry_slow_t *slow);
static void ngx_sentry_slow_upstream(ngx_http_request_t *r,
    ngx_sentry_slow_t *slow);
static const char *ngx_sentry_slow_before(ngx_http_request_t *r);
static const char *ngx_sentry_slow_transfer(ngx_http_request_t *r);
static const char *ngx_sentry_slow_after(ngx_http_request_t *r,
    ngx_sentry_slow_t *slow);
static const char *ngx_sentry_slow_longest(ngx_http_request_t *r,
    ngx_sentry_slow_t *slow, ngx_msec_int_t *took);
static u_char *ngx_sentry_slow_time(u_char *p, u_char *last,
    const char *before, ngx_msec_int_t ms);


/* sentry_slow_request time | off */

char *
ngx_sentry_set_slow_request(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;

    if (slcf->slow_request != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->slow_request = 0;
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR || ms < 1 || ms > NGX_SENTRY_SLOW_TIME_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_slow_request\" must be a time "
                                 "from 1ms to 24h, or \"off\", got \"%V\"",
                                 &value[1]);
    }

    slcf->slow_request = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


/* ms from the request's first byte, as in $request_time. */

static ngx_msec_int_t
ngx_sentry_slow_since(ngx_http_request_t *r, int64_t until_ms)
{
    int64_t  ms;

    ms = until_ms - ((int64_t) r->start_sec * 1000 + (int64_t) r->start_msec);

    return (ngx_msec_int_t) ngx_max(ms, 0);
}


static ngx_msec_int_t
ngx_sentry_slow_total(ngx_http_request_t *r)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return ngx_sentry_slow_since(r, (int64_t) tp->sec * 1000
                                    + (int64_t) tp->msec);
}


ngx_int_t
ngx_sentry_slow_find(ngx_sentry_event_t *event)
{
    const char          *what;
    ngx_msec_int_t       took;
    ngx_sentry_slow_t    slow;
    ngx_http_request_t  *r;

    r = event->request;

    /* an upgraded connection lives as long as its users want it to */

    if (event->conf->slow_request == 0
        || r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS
        || ngx_sentry_slow_total(r)
           < (ngx_msec_int_t) event->conf->slow_request)
    {
        return NGX_DECLINED;
    }

    ngx_sentry_slow_parts(event, &slow);
    what = ngx_sentry_slow_longest(r, &slow, &took);

    event->slow = 1;
    event->type = snx_cstr("SlowRequest");
    event->aspect = snx_cstr(what);

    return NGX_OK;
}


static void
ngx_sentry_slow_parts(ngx_sentry_event_t *event, ngx_sentry_slow_t *slow)
{
    ngx_http_request_t  *r;

    r = event->request;

    ngx_memzero(slow, sizeof(ngx_sentry_slow_t));

    slow->total = ngx_sentry_slow_total(r);

    if (event->ctx && event->ctx->npasses) {
        slow->header = ngx_sentry_slow_since(r,
                                       event->ctx->passes[0].time_us / 1000);
    }

    slow->after = slow->total - slow->header;

    if (r->upstream_states) {
        ngx_sentry_slow_upstream(r, slow);
    }
}


/*
 * Tries follow each other without a gap; only of the last one it is known
 * when it began.
 */

static void
ngx_sentry_slow_upstream(ngx_http_request_t *r, ngx_sentry_slow_t *slow)
{
    ngx_uint_t                  i;
    ngx_msec_int_t              took, longest;
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *state, *last;

    last = NULL;
    longest = -1;
    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        last = &state[i];
        took = (ngx_msec_int_t) last->response_time;
        slow->wait += ngx_max(took, 0);

        if (took > longest || slow->slowest == NULL) {
            longest = took;
            slow->slowest = last;
        }
    }

    if (last == NULL) {
        return;
    }

    took = (ngx_msec_int_t) last->response_time;

    if (last->header_time != (ngx_msec_t) -1) {
        slow->transfer = ngx_max(took - (ngx_msec_int_t) last->header_time,
                                 0);
        slow->wait -= slow->transfer;
    }

    /* what is left is before it, or after it */

    slow->before = slow->total - slow->header - slow->wait - slow->transfer;
    slow->after = 0;

    u = r->upstream;

    if (u && u->start_time) {
        slow->after = (ngx_msec_int_t) (ngx_current_msec - u->start_time)
                      - ngx_max(took, 0);
        slow->after = ngx_max(slow->after, 0);
        slow->before -= slow->after;
    }
}


static const char *
ngx_sentry_slow_longest(ngx_http_request_t *r, ngx_sentry_slow_t *slow,
    ngx_msec_int_t *took)
{
    ngx_uint_t  i, longest;

    struct {
        ngx_msec_int_t   ms;
        const char      *what;
    } parts[] = {
        { slow->wait, "waiting for the upstream" },
        { slow->transfer, ngx_sentry_slow_transfer(r) },
        { slow->after, ngx_sentry_slow_after(r, slow) },
        { slow->before, ngx_sentry_slow_before(r) },
        { slow->header, "reading the request header" }
    };

    longest = 0;

    for (i = 1; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].ms > parts[longest].ms) {
            longest = i;
        }
    }

    *took = parts[longest].ms;

    return parts[longest].what;
}


static const char *
ngx_sentry_slow_before(ngx_http_request_t *r)
{
    if (r->limit_req_status == NGX_SENTRY_LIMIT_REQ_DELAYED) {
        return "delayed by limit_req";
    }

    return (r->headers_in.content_length_n > 0 || r->headers_in.chunked)
           ? "reading the request body" : "before the upstream was asked";
}


/* Without room to buffer the response nobody knows who was the slower one. */

static const char *
ngx_sentry_slow_transfer(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    return (u && u->conf && u->buffering && u->conf->max_temp_file_size)
           ? "receiving the response from the upstream"
           : "passing the response from the upstream to the client";
}


static const char *
ngx_sentry_slow_after(ngx_http_request_t *r, ngx_sentry_slow_t *slow)
{
    if (slow->slowest || r->connection->sent > NGX_SENTRY_SLOW_SMALL) {
        return "sending the response to the client";
    }

    if (r->limit_req_status == NGX_SENTRY_LIMIT_REQ_DELAYED) {
        return "delayed by limit_req";
    }

    return (r->headers_in.content_length_n > 0 || r->headers_in.chunked)
           ? "reading the request body" : "in nginx itself";
}


static u_char *
ngx_sentry_slow_time(u_char *p, u_char *last, const char *before,
    ngx_msec_int_t ms)
{
    if (ms < 0) {
        return p;
    }

    return ngx_slprintf(p, last, "%s%i.%03i s", before,
                        (ngx_int_t) (ms / 1000), (ngx_int_t) (ms % 1000));
}


/*
 * "5.012 s in location /api/, 4.998 s of it waiting for the upstream; upstream
 * 10.0.0.7:8000: connect 0.001 s, header 4.997 s, response 4.998 s"
 */

size_t
ngx_sentry_slow_value(ngx_sentry_event_t *event, u_char *buf, size_t cap)
{
    u_char                     *p, *last;
    const char                 *what;
    ngx_msec_int_t              took;
    ngx_sentry_slow_t           slow;
    ngx_http_upstream_state_t  *state;

    ngx_sentry_slow_parts(event, &slow);
    what = ngx_sentry_slow_longest(event->request, &slow, &took);

    last = buf + cap;
    p = ngx_sentry_slow_time(buf, last,
                             event->status == NGX_HTTP_CLIENT_CLOSED_REQUEST
                             ? "the client gave up after " : "", slow.total);

    if (event->conf->location.len) {
        p = ngx_slprintf(p, last, " in location %V", &event->conf->location);
    }

    p = ngx_sentry_slow_time(p, last, ", ", took);
    p = ngx_slprintf(p, last, " of it %s", what);

    state = slow.slowest;

    if (state == NULL) {
        return (size_t) (p - buf);
    }

    p = ngx_slprintf(p, last, "; upstream %V:", state->peer);
    p = ngx_sentry_slow_time(p, last, " connect ",
                             (ngx_msec_int_t) state->connect_time);
    p = ngx_sentry_slow_time(p, last, p[-1] == 's' ? ", header " : " header ",
                             (ngx_msec_int_t) state->header_time);
    p = ngx_sentry_slow_time(p, last,
                             p[-1] == 's' ? ", response " : " response ",
                             (ngx_msec_int_t) state->response_time);

    return (size_t) (p - buf);
}
