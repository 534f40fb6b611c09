
/*
 * Copyright (C) ngx_sentry authors
 *
 * The request's body, as far as nginx has read it into memory by itself:
 * nothing is read for this.  JSON and forms are kept, filtered; of anything
 * else, and of what is too big, incomplete or in a file, only the size is.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


typedef size_t (*ngx_sentry_body_pt)(const snx_scrub_t *scrub, snx_str_t in,
    void *out, size_t cap);


static off_t ngx_sentry_body_size(ngx_http_request_t *r);
static ngx_sentry_body_pt ngx_sentry_body_filter(ngx_http_request_t *r);
static ngx_int_t ngx_sentry_body_read(ngx_http_request_t *r, u_char *buf,
    size_t cap, snx_str_t *body);


char *
ngx_sentry_set_request_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (slcf->request_body != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->request_body = 0;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[1]);

    if (size < 1 || size > NGX_SENTRY_BODY_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_request_body\" must be a size "
                                 "from 1 to 8k, or \"off\", got \"%V\"",
                                 &value[1]);
    }

    slcf->request_body = (size_t) size;

    return NGX_CONF_OK;
}


void
ngx_sentry_body_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    off_t                size;
    size_t               n, cap;
    u_char               buf[NGX_SENTRY_BODY_MAX];
    snx_str_t            body;
    unsigned char       *p;
    ngx_http_request_t  *r;
    ngx_sentry_body_pt   filter;

    r = event->request;
    size = ngx_sentry_body_size(r);

    if (event->conf->request_body == 0 || size == 0) {
        return;
    }

    if (size > 0) {
        snx_fact_set(rec->facts, SNX_FACT_BODY_SIZE, size);
    }

    n = 0;
    p = NULL;
    filter = ngx_sentry_body_filter(r);

    if (filter && size > 0 && size <= (off_t) event->conf->request_body
        && ngx_sentry_body_read(r, buf, sizeof(buf), &body) == NGX_OK
        && body.len == (size_t) size)
    {
        p = snx_rec_open(rec, SNX_F_BODY_DATA, snx_str(NULL, 0), 1, &cap);

        if (p) {
            n = filter(&event->conf->scrub, body, p,
                       ngx_min(cap, NGX_SENTRY_BODY_MAX));
            snx_rec_close(rec, n);
        }
    }

    if (n == 0) {
        snx_rec_str(rec, SNX_F_BODY_DATA, snx_cstr(SNX_FILTERED));
    }
}


/* What the client announced or sent: 0 nothing, -1 not known. */

static off_t
ngx_sentry_body_size(ngx_http_request_t *r)
{
    ngx_table_elt_t  *length;

    /* content_length_n counts down while nginx discards a body */

    length = r->headers_in.content_length;

    if (length) {
        return ngx_atoof(length->value.data, length->value.len);
    }

    if (r->request_body && r->request_body->rest == 0) {
        return ngx_max(r->headers_in.content_length_n, 0);
    }

    return r->headers_in.chunked ? -1 : 0;
}


static ngx_sentry_body_pt
ngx_sentry_body_filter(ngx_http_request_t *r)
{
    size_t     len;
    u_char    *p;
    ngx_str_t  type, encoding;

    if (r->headers_in.content_type == NULL
        || ngx_sentry_request_header(r, "content-encoding", &encoding)
           == NGX_OK)
    {
        return NULL;
    }

    type = r->headers_in.content_type->value;

    p = ngx_strlchr(type.data, type.data + type.len, ';');
    len = p ? (size_t) (p - type.data) : type.len;

    while (len && (type.data[len - 1] == ' ' || type.data[len - 1] == '\t')) {
        len--;
    }

    type.len = len;

    if (snx_text_ieq(ngx_sentry_str(&type), snx_cstr("application/json"))
        || (len > 5
            && ngx_strncasecmp(type.data + len - 5, (u_char *) "+json", 5)
               == 0))
    {
        return snx_scrub_json;
    }

    if (snx_text_ieq(ngx_sentry_str(&type),
                     snx_cstr("application/x-www-form-urlencoded")))
    {
        return snx_scrub_form;
    }

    return NULL;
}


/*
 * The whole body: in place when it is in one piece, else put together in buf.
 * NGX_DECLINED when it is not all in memory.
 */

static ngx_int_t
ngx_sentry_body_read(ngx_http_request_t *r, u_char *buf, size_t cap,
    snx_str_t *body)
{
    u_char                   *p;
    size_t                    size;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    if (rb == NULL || rb->bufs == NULL || rb->temp_file || rb->rest != 0
        || r->request_body_no_buffering)
    {
        return NGX_DECLINED;
    }

    if (rb->bufs->next == NULL && ngx_buf_in_memory(rb->bufs->buf)) {
        *body = snx_str(rb->bufs->buf->pos,
                        (size_t) (rb->bufs->buf->last - rb->bufs->buf->pos));
        return NGX_OK;
    }

    p = buf;

    for (cl = rb->bufs; cl; cl = cl->next) {

        if (ngx_buf_special(cl->buf)) {
            continue;
        }

        size = (size_t) (cl->buf->last - cl->buf->pos);

        if (!ngx_buf_in_memory(cl->buf) || size > cap - (size_t) (p - buf)) {
            return NGX_DECLINED;
        }

        p = ngx_cpymem(p, cl->buf->pos, size);
    }

    *body = snx_str(buf, (size_t) (p - buf));

    return NGX_OK;
}
