
/*
 * Copyright (C) ngx_sentry authors
 *
 * The scrubber for requests: what a worker filtered a moment ago it does not
 * filter again.  Paths, names and user agents come in a few different values
 * each, and filtering one costs more than the rest of a record.
 */


#include "ngx_sentry.h"


/* room that no string a memo can hold needs more of */

#define NGX_SENTRY_SCRUB_ROOM  1024


typedef size_t (*ngx_sentry_scrub_pt)(const snx_scrub_t *scrub, snx_str_t in,
    void *out, size_t cap);


static size_t ngx_sentry_scrub(ngx_sentry_loc_conf_t *conf, ngx_uint_t kind,
    snx_str_t in, void *out, size_t cap);


static const ngx_sentry_scrub_pt  ngx_sentry_scrubbers[] = {
    snx_scrub_path, snx_scrub_query, snx_scrub_text
};


size_t
ngx_sentry_scrub_path(ngx_sentry_loc_conf_t *conf, snx_str_t in, void *out,
    size_t cap)
{
    return ngx_sentry_scrub(conf, 0, in, out, cap);
}


size_t
ngx_sentry_scrub_query(ngx_sentry_loc_conf_t *conf, snx_str_t in, void *out,
    size_t cap)
{
    return ngx_sentry_scrub(conf, 1, in, out, cap);
}


size_t
ngx_sentry_scrub_text(ngx_sentry_loc_conf_t *conf, snx_str_t in, void *out,
    size_t cap)
{
    return ngx_sentry_scrub(conf, 2, in, out, cap);
}


static size_t
ngx_sentry_scrub(ngx_sentry_loc_conf_t *conf, ngx_uint_t kind, snx_str_t in,
    void *out, size_t cap)
{
    size_t       n;
    uint64_t     key, hash;
    snx_str_t    was;
    snx_memo_t  *memo;

    memo = ngx_sentry_process_memo();

    if (memo == NULL || cap < NGX_SENTRY_SCRUB_ROOM) {
        return ngx_sentry_scrubbers[kind](&conf->scrub, in, out, cap);
    }

    /* locations that inherit sentry_scrub share its list */

    key = (uint64_t) (uintptr_t) conf->scrub.terms << 8
          | (uint64_t) conf->scrub.pii << 4 | kind;

    if (snx_memo_get(memo, key, in, &was, &hash) == SNX_OK) {
        ngx_memcpy(out, was.data, was.len);
        return was.len;
    }

    n = ngx_sentry_scrubbers[kind](&conf->scrub, in, out, cap);

    snx_memo_put(memo, key, in, snx_str(out, n), hash);

    return n;
}
