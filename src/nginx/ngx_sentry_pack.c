
/*
 * Copyright (C) ngx_sentry authors
 *
 * Packs what is known of a failed request into one record: identity, names,
 * error, upstream tries, and what the configuration adds.  What the client
 * sent is packed by ngx_sentry_request.c.  Fields go in by importance: in a
 * full record the last ones are left out.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


static void ngx_sentry_pack_identity(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_pack_upstream_url(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
static void ngx_sentry_pack_pairs(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec, snx_field_id_t id, ngx_array_t *pairs);
static void ngx_sentry_pack_variable(ngx_http_request_t *r,
    snx_rec_writer_t *rec, snx_field_id_t id, const char *name);


void
ngx_sentry_pack_event(ngx_sentry_worker_t *worker, ngx_sentry_event_t *event,
    snx_rec_writer_t *rec)
{
    ngx_http_request_t  *r;

    r = event->request;

    ngx_sentry_process_record(worker, rec);

    snx_rec_raw(rec, ngx_sentry_str(&event->conf->constants));

    ngx_sentry_pack_identity(event, rec);
    ngx_sentry_error_pack(event, rec);
    ngx_sentry_pack_transaction(event, rec);
    ngx_sentry_group_pack(event, rec);
    ngx_sentry_request_line(event, rec);
    ngx_sentry_request_client(event, rec);
    ngx_sentry_pack_upstreams(event, rec);
    ngx_sentry_trail_passes(event->ctx, rec);
    ngx_sentry_crumb_pack(event, rec);
    ngx_sentry_pack_directives(event, rec);
    ngx_sentry_pack_numbers(r, rec);
    ngx_sentry_request_headers(event, rec);
    ngx_sentry_place_pack(event->conf, rec);
    ngx_sentry_body_pack(event, rec);
}


static void
ngx_sentry_pack_identity(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    snx_facts_t         *facts;
    ngx_http_request_t  *r;

    r = event->request;
    facts = rec->facts;

    facts->has |= 1u << SNX_FACT_EVENT_ID;
    ngx_memcpy(facts->event_id, event->event_id, sizeof(facts->event_id));

    snx_fact_set(facts, SNX_FACT_TIMESTAMP_US, ngx_sentry_trail_now());
    snx_fact_set(facts, SNX_FACT_START_US,
                 ((int64_t) r->start_sec * 1000 + (int64_t) r->start_msec)
                 * 1000);
    snx_fact_set(facts, SNX_FACT_LEVEL,
                 event->status >= 500 && !event->slow ? SNX_LEVEL_ERROR
                                                      : SNX_LEVEL_WARNING);
    snx_fact_set(facts, SNX_FACT_STATUS, (int64_t) event->status);

    ngx_sentry_trace_pack(r, rec);
}


/*
 * sentry_transaction, else the route's name, else METHOD and the location,
 * else METHOD and the path without identifiers.
 */

void
ngx_sentry_pack_transaction(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    char                 buf[2 * SNX_NAME_MAX];
    size_t               len;
    snx_text_t           name;
    const char          *source;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = event->request;

    snx_text_init(&name, buf, SNX_NAME_MAX);

    if (event->conf->transaction
        && ngx_http_complex_value(r, event->conf->transaction, &value)
           == NGX_OK
        && value.len)
    {
        snx_text_add(&name, ngx_sentry_str(&value));
        source = "custom";

    } else if (event->route && event->route->name.len) {
        snx_text_add(&name, ngx_sentry_str(&event->route->name));
        source = "route";

    } else if (r->uri.len == 0) {

        /* the request line was not understood */

        snx_text_addz(&name, "(unparsed request)");
        source = "custom";

    } else {
        snx_text_add(&name, ngx_sentry_request_method(r));
        snx_text_addz(&name, name.len ? " " : "");

        if (event->conf->named_route) {
            snx_text_add(&name, ngx_sentry_str(&event->conf->location));
            source = "route";

        } else {
            len = snx_route_name(ngx_sentry_str(&event->path),
                                 name.data + name.len, name.cap - name.len);
            name.len += len;
            source = "url";
        }
    }

    len = snx_scrub_path(&event->conf->scrub, snx_str(name.data, name.len),
                         buf + SNX_NAME_MAX, SNX_NAME_MAX);

    snx_rec_str(rec, SNX_F_TRANSACTION, snx_str(buf + SNX_NAME_MAX, len));
    snx_rec_str(rec, SNX_F_TRANSACTION_SOURCE, snx_cstr(source));
}


void
ngx_sentry_pack_upstreams(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_http_request_t  *r;

    r = event->request;

    /* a hit of the cache has an upstream, but no state of one */

    if (r->upstream == NULL) {
        return;
    }

    if (r->upstream_states) {
        ngx_sentry_trail_upstreams(r, event->ctx, 0, rec);
        ngx_sentry_pack_upstream_url(event, rec);
    }

    ngx_sentry_pack_variable(r, rec, SNX_F_CACHE_STATUS,
                             "upstream_cache_status");
}


static void
ngx_sentry_pack_upstream_url(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    char                        raw[SNX_URL_MAX];
    snx_text_t                  url;
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *state;

    u = event->request->upstream;
    state = ngx_sentry_error_last_try(event->request);

    if (u == NULL || state == NULL || u->schema.len == 0) {
        return;
    }

    snx_text_init(&url, raw, sizeof(raw));
    snx_text_add(&url, ngx_sentry_str(&u->schema));
    snx_text_add(&url, ngx_sentry_str(state->peer));
    snx_text_add(&url, ngx_sentry_str(&u->uri));

    ngx_sentry_memo_upstream(event, snx_str(url.data, url.len), rec);
}


void
ngx_sentry_pack_directives(ngx_sentry_event_t *event, snx_rec_writer_t *rec)
{
    ngx_sentry_loc_conf_t  *conf;

    conf = event->conf;

    if (conf->tags) {
        ngx_sentry_pack_pairs(event, rec, SNX_F_TAG, conf->tags);
    }

    if (conf->user) {
        ngx_sentry_pack_pairs(event, rec, SNX_F_USER, conf->user);
    }

    if (conf->context) {
        ngx_sentry_pack_pairs(event, rec, SNX_F_CONTEXT, conf->context);
    }
}


static void
ngx_sentry_pack_pairs(ngx_sentry_event_t *event, snx_rec_writer_t *rec,
    snx_field_id_t id, ngx_array_t *pairs)
{
    size_t              cap;
    ngx_str_t           value;
    ngx_uint_t          i;
    unsigned char      *p;
    ngx_sentry_pair_t  *pair;

    pair = pairs->elts;

    for (i = 0; i < pairs->nelts; i++) {

        if (ngx_http_complex_value(event->request, &pair[i].value, &value)
            != NGX_OK || value.len == 0)
        {
            continue;
        }

        /* a variable may bring a URL, a header or a token along */

        p = snx_rec_open(rec, id, ngx_sentry_str(&pair[i].name), 1, &cap);

        if (p) {
            cap = ngx_min(cap, SNX_CONTEXT_VALUE_MAX);
            snx_rec_close(rec, snx_scrub_text(&event->conf->scrub,
                                              ngx_sentry_str(&value), p,
                                              cap));
        }
    }
}


void
ngx_sentry_pack_numbers(ngx_http_request_t *r, snx_rec_writer_t *rec)
{
    int64_t            ms;
    ngx_time_t        *tp;
    snx_facts_t       *facts;
    ngx_connection_t  *c;

    c = r->connection;
    tp = ngx_timeofday();
    ms = ((int64_t) tp->sec - r->start_sec) * 1000
         + ((int64_t) tp->msec - (int64_t) r->start_msec);

    facts = rec->facts;

    snx_fact_set(facts, SNX_FACT_WORKER_PID, ngx_pid);
    snx_fact_set(facts, SNX_FACT_CONNECTION, (int64_t) c->number);
    snx_fact_set(facts, SNX_FACT_CONNECTION_REQUESTS, (int64_t) c->requests);
    snx_fact_set(facts, SNX_FACT_REQUEST_TIME_MS, ngx_max(ms, 0));
    snx_fact_set(facts, SNX_FACT_REQUEST_LENGTH, (int64_t) r->request_length);
    snx_fact_set(facts, SNX_FACT_BYTES_SENT, (int64_t) c->sent);
    snx_fact_set(facts, SNX_FACT_RESPONSE_BYTES,
                 ngx_max((int64_t) c->sent - (int64_t) r->header_size, 0));

#if (NGX_HTTP_SSL || NGX_COMPAT)
    if (c->ssl) {
        ngx_sentry_pack_variable(r, rec, SNX_F_TLS_PROTOCOL, "ssl_protocol");
        ngx_sentry_pack_variable(r, rec, SNX_F_TLS_CIPHER, "ssl_cipher");
    }
#endif
}


/*
 * By name, not by symbol: the module also loads into an nginx that was built
 * without the feature behind the variable.
 */

static void
ngx_sentry_pack_variable(ngx_http_request_t *r, snx_rec_writer_t *rec,
    snx_field_id_t id, const char *name)
{
    ngx_str_t                   key;
    ngx_http_variable_value_t  *value;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    value = ngx_http_get_variable(r, &key, ngx_hash_key(key.data, key.len));

    if (value == NULL || value->not_found || !value->valid) {
        return;
    }

    snx_rec_str(rec, id, snx_str(value->data, value->len));
}
