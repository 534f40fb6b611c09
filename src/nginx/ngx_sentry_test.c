
/*
 * Copyright (C) ngx_sentry authors
 *
 * sentry_test: the endpoint that proves the installation.  Records an event
 * and says its id, or says why it cannot.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static ngx_int_t ngx_sentry_test_send(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail, unsigned char *event_id);
static const char *ngx_sentry_test_record(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf, unsigned char *event_id);


ngx_int_t
ngx_sentry_test_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    const char             *why;
    unsigned char           event_id[16];
    ngx_sentry_loc_conf_t  *slcf;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_sentry_module);

    if (slcf->dsn == NULL || !slcf->reports) {
        return ngx_sentry_test_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "Sentry DSN is not configured. Set "
                                    "sentry_dsn or SENTRY_DSN before running "
                                    "the test.", NULL);
    }

    why = ngx_sentry_test_record(r, slcf, event_id);

    if (why) {
        return ngx_sentry_test_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, why,
                                    NULL);
    }

    return ngx_sentry_test_send(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                "This is the test error of ngx_sentry.",
                                event_id);
}


static const char *
ngx_sentry_test_record(ngx_http_request_t *r, ngx_sentry_loc_conf_t *conf,
    unsigned char *event_id)
{
    u_char                path[SNX_URL_MAX];
    snx_rec_writer_t      rec;
    ngx_sentry_event_t    event;
    ngx_sentry_worker_t  *worker;

    worker = ngx_sentry_process_worker();

    if (worker == NULL) {
        return "This worker has no queue, see the error log.";
    }

    if (ngx_sentry_process_limited(conf->dsn->project, SNX_CAT_ERROR)) {
        return "Sentry limits this project at the moment, try again later.";
    }

    ngx_memzero(&event, sizeof(ngx_sentry_event_t));

    event.request = r;
    event.conf = conf;
    event.status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    event.path.data = path;
    event.path.len = snx_route_path(ngx_sentry_request_target(r), path,
                                    sizeof(path));
    event.type = snx_cstr("SentryTest");
    event.value = snx_cstr("This is the test error of ngx_sentry.");

    ngx_sentry_process_id(worker, event.event_id, sizeof(event.event_id));
    ngx_memcpy(event_id, event.event_id, sizeof(event.event_id));

    ngx_sentry_pack_event(worker, &event, &rec);

    if (ngx_sentry_process_put(worker, conf->dsn->project, SNX_KIND_EVENT,
                               &rec)
        != NGX_OK)
    {
        return "The queue is full, see sentry_status.";
    }

    return NULL;
}


static ngx_int_t
ngx_sentry_test_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail, unsigned char *event_id)
{
    char          hex[32];
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    b = ngx_create_temp_buf(r->pool, 256);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_slprintf(b->last, b->end, "{\"detail\":\"%s\"", detail);

    if (event_id) {
        snx_text_hex(event_id, 16, hex);
        b->last = ngx_slprintf(b->last, b->end, ",\"event_id\":\"%*s\"",
                               sizeof(hex), hex);
    }

    b->last = ngx_slprintf(b->last, b->end, "}\n");

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
