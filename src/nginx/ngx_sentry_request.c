
/*
 * Copyright (C) ngx_sentry authors
 *
 * Packs what the client sent: request line, headers, address.  Nothing is
 * copied before it went through the scrubber.  Reads requests in any state:
 * HTTP/0.9, no header at all, a request line that was never understood.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static void ngx_sentry_request_url(ngx_sentry_event_t *event,
    snx_str_t target, snx_rec_writer_t *rec);
static void ngx_sentry_request_host(ngx_http_request_t *r, snx_text_t *url);
static void ngx_sentry_request_query(ngx_sentry_event_t *event,
    snx_str_t target, snx_rec_writer_t *rec);
static void ngx_sentry_request_pack_header(ngx_sentry_event_t *event,
    snx_str_t name, snx_str_t value, snx_rec_writer_t *rec);
static snx_str_t ngx_sentry_request_authority(snx_str_t host);
static void ngx_sentry_request_cookies(ngx_sentry_event_t *event,
    snx_str_t value, snx_rec_writer_t *rec);
static snx_str_t ngx_sentry_request_raw(ngx_http_request_t *r);


void
ngx_sentry_request_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    snx_str_t            target;
    ngx_http_request_t  *r;

    r = event->request;
    target = ngx_sentry_request_target(r);

    snx_rec_str(rec, SNX_F_METHOD, ngx_sentry_request_method(r));

    ngx_sentry_request_url(event, target, rec);
    ngx_sentry_request_query(event, target, rec);

    snx_rec_str(rec, SNX_F_PROTOCOL, ngx_sentry_str(&r->http_protocol));
}


/* scheme://host/path: Sentry wants it absolute */

static void
ngx_sentry_request_url(ngx_sentry_event_t *event, snx_str_t target,
    snx_rec_writer_t *rec)
{
    char                 raw[SNX_URL_MAX];
    size_t               cap, n;
    snx_text_t           url;
    unsigned char       *p;
    ngx_http_request_t  *r;

    r = event->request;

    if (target.len == 0 || target.data[0] != '/') {
        return;
    }

    for (n = 0; n < target.len; n++) {
        if (target.data[n] == '?' || target.data[n] == '#') {
            break;
        }
    }

    target.len = n;

    snx_text_init(&url, raw, sizeof(raw));
    snx_text_addz(&url, "http");

#if (NGX_HTTP_SSL || NGX_COMPAT)
    if (r->connection->ssl) {
        snx_text_addz(&url, "s");
    }
#endif

    snx_text_addz(&url, "://");
    ngx_sentry_request_host(r, &url);

    cap = url.cap - url.len;
    url.len += snx_scrub_path(&event->conf->scrub, target,
                              url.data + url.len, cap);

    p = snx_rec_open(rec, SNX_F_URL, snx_str(NULL, 0), url.len, &cap);

    if (p) {
        ngx_memcpy(p, url.data, url.len);
        snx_rec_close(rec, url.len);
    }
}


/*
 * The host nginx understood, with the port of the connection; characters
 * that have no place in a host, and userinfo, are left out.
 */

static void
ngx_sentry_request_host(ngx_http_request_t *r, snx_text_t *url)
{
    u_char                      c, host[256];
    size_t                      i, n;
    ngx_str_t                   name;
    snx_str_t                   authority;
    in_port_t                   port;
    ngx_http_core_srv_conf_t   *cscf;

    name = r->headers_in.server;

    if (name.len == 0) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        name = cscf->server_name;
    }

    authority = ngx_sentry_request_authority(ngx_sentry_str(&name));

    n = 0;

    for (i = 0; i < authority.len && n < sizeof(host); i++) {
        c = authority.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'
            || c == ':' || c == '[' || c == ']')
        {
            host[n++] = c;
        }
    }

    if (n == 0) {
        snx_text_addz(url, "localhost");

    } else {
        snx_text_add(url, snx_str(host, n));
    }

    port = ngx_inet_get_port(r->connection->local_sockaddr);

    if (port != 0 && port != 80 && port != 443) {
        snx_text_addz(url, ":");
        snx_text_addn(url, port);
    }
}


static void
ngx_sentry_request_query(ngx_sentry_event_t *event, snx_str_t target,
    snx_rec_writer_t *rec)
{
    size_t          cap, i;
    unsigned char  *p;

    for (i = 0; i < target.len && target.data[i] != '?'; i++) {
        /* void */
    }

    if (i >= target.len - (target.len != 0)) {
        return;
    }

    p = snx_rec_open(rec, SNX_F_QUERY, snx_str(NULL, 0), 1, &cap);

    if (p) {
        cap = ngx_min(cap, SNX_QUERY_MAX);
        snx_rec_close(rec, snx_scrub_query(&event->conf->scrub,
                                           snx_str(target.data + i + 1,
                                                   target.len - i - 1),
                                           p, cap));
    }
}


void
ngx_sentry_request_client(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_connection_t  *c;

    c = event->request->connection;

    snx_fact_set(rec->facts, SNX_FACT_SERVER_PORT,
                 ngx_sentry_port(c->local_sockaddr));

    if (!event->conf->pii) {
        return;
    }

    snx_rec_str(rec, SNX_F_REMOTE_ADDR, ngx_sentry_str(&c->addr_text));
    snx_rec_num(rec, SNX_F_REMOTE_PORT, ngx_inet_get_port(c->sockaddr));
}


void
ngx_sentry_request_headers(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    snx_str_t         name, value;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    part = ngx_sentry_propagate_client(event->request);

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0) {
                continue;
            }

            if (n++ == SNX_HEADERS_MAX_N) {
                return;
            }

            name = ngx_sentry_str(&h[i].key);
            value = ngx_sentry_str(&h[i].value);

            ngx_sentry_request_pack_header(event, name, value, rec);

            if (event->conf->pii
                && snx_text_ieq(name, snx_cstr("cookie")))
            {
                ngx_sentry_request_cookies(event, value, rec);
            }
        }
    }
}


static void
ngx_sentry_request_pack_header(ngx_sentry_event_t *event, snx_str_t name,
    snx_str_t value, snx_rec_writer_t *rec)
{
    size_t              cap;
    unsigned char      *p;
    const snx_scrub_t  *scrub;

    scrub = &event->conf->scrub;

    if (snx_scrub_header(scrub, name)) {
        snx_rec_pair(rec, SNX_F_HEADER, name, snx_cstr(SNX_FILTERED));
        return;
    }

    if (value.len == 0) {
        return;
    }

    p = snx_rec_open(rec, SNX_F_HEADER, name, 1, &cap);

    if (p == NULL) {
        return;
    }

    cap = ngx_min(cap, SNX_HEADER_VALUE_MAX);

    if (snx_text_ieq(name, snx_cstr("host"))) {
        value = ngx_sentry_request_authority(value);
    }

    if (snx_text_ieq(name, snx_cstr("referer"))
        || snx_text_ieq(name, snx_cstr("origin")))
    {
        snx_rec_close(rec, snx_scrub_url(scrub, value, p, cap));

    } else {
        snx_rec_close(rec, snx_scrub_text(scrub, value, p, cap));
    }
}


/* Host without userinfo, which nginx lets pass in it. */

static snx_str_t
ngx_sentry_request_authority(snx_str_t host)
{
    size_t  i;

    for (i = host.len; i != 0; i--) {
        if (host.data[i - 1] == '@') {
            return snx_str(host.data + i, host.len - i);
        }
    }

    return host;
}


static void
ngx_sentry_request_cookies(ngx_sentry_event_t *event, snx_str_t value,
    snx_rec_writer_t *rec)
{
    snx_str_t  name, cookie;

    while (snx_scrub_cookie(&event->conf->scrub, &value, &name, &cookie)
           == SNX_OK)
    {
        snx_rec_pair(rec, SNX_F_COOKIE, name, cookie);
    }
}


ngx_int_t
ngx_sentry_request_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0
                && snx_text_ieq(ngx_sentry_str(&h[i].key), snx_cstr(name)))
            {
                *value = h[i].value;
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


/* The bytes of the first line, when nginx did not get to parse them. */

static snx_str_t
ngx_sentry_request_raw(ngx_http_request_t *r)
{
    u_char  *p, *last;

    if (r->request_line.len) {
        return ngx_sentry_str(&r->request_line);
    }

    if (r->request_start == NULL || r->header_in == NULL
        || r->request_start < r->header_in->start
        || r->request_start > r->header_in->last)
    {
        return snx_str(NULL, 0);
    }

    last = r->header_in->last;

    for (p = r->request_start; p < last; p++) {
        if (*p == CR || *p == LF) {
            break;
        }
    }

    return snx_str(r->request_start, (size_t) (p - r->request_start));
}


/* The client's: nginx makes a POST a GET on its way to an error page. */

snx_str_t
ngx_sentry_request_method(ngx_http_request_t *r)
{
    size_t     i;
    snx_str_t  line;

    line = ngx_sentry_request_raw(r);

    for (i = 0; i < line.len && i < 20; i++) {

        if (line.data[i] == ' ' && i != 0) {
            return snx_str(line.data, i);
        }

        if ((line.data[i] < 'A' || line.data[i] > 'Z')
            && line.data[i] != '_' && line.data[i] != '-')
        {
            break;
        }
    }

    return ngx_sentry_str(&r->method_name);
}


snx_str_t
ngx_sentry_request_target(ngx_http_request_t *r)
{
    size_t     from, to;
    snx_str_t  line;

    if (r->unparsed_uri.len) {
        return ngx_sentry_str(&r->unparsed_uri);
    }

    line = ngx_sentry_request_raw(r);

    for (from = 0; from < line.len && line.data[from] != ' '; from++) {
        /* void */
    }

    from++;

    if (from >= line.len || line.data[from] != '/') {
        return snx_str(NULL, 0);
    }

    for (to = from; to < line.len && line.data[to] != ' '; to++) {
        /* void */
    }

    return snx_str(line.data + from, to - from);
}
