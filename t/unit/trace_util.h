
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the tests of transactions share: records of requests that took their
 * time, and whether the spans made of them lie in each other.
 */


#ifndef TRACE_UTIL_H_INCLUDED
#define TRACE_UTIL_H_INCLUDED


#include "encode_util.h"


/* When the request began. */
#define T0  (UTIL_TIME_US / 1000 * 1000)


/* A record of a request that took so long. */

static TAP_UNUSED void
begin_ms(int64_t ms)
{
    begin();
    snx_rec_str(&writer, SNX_F_TRACE_ID, snx_cstr(UTIL_TRACE));
    snx_rec_str(&writer, SNX_F_SPAN_ID, snx_cstr(UTIL_SPAN));
    snx_rec_num(&writer, SNX_F_START_US, T0);
    snx_rec_num(&writer, SNX_F_TIMESTAMP_US, T0 + ms * 1000);
    add(SNX_F_METHOD, "GET");
}


static TAP_UNUSED void
add_mark(snx_moment_t moment, int64_t ms)
{
    snx_mark_t  mark;

    memset(&mark, 0, sizeof(mark));
    mark.moment = (uint8_t) moment;
    mark.time_us = T0 + ms * 1000;

    snx_rec_pair(&writer, SNX_F_MARK, snx_str(&mark, sizeof(mark)),
                 snx_cstr("-"));
}


/* ms: when it began, 0 not known. */

static TAP_UNUSED void
add_try(int request, int64_t ms, int status, int connect, int header,
    int response, const char *address)
{
    snx_upstream_t  up;

    memset(&up, 0, sizeof(up));
    up.request = (uint16_t) request;
    up.start_us = ms ? T0 + ms * 1000 : 0;
    up.status = status;
    up.connect_ms = connect;
    up.header_ms = header;
    up.response_ms = response;
    up.bytes_received = header < 0 ? 0 : 1000;

    snx_rec_pair(&writer, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                 snx_cstr(address));
}


static TAP_UNUSED void
add_subrequest(int parent, int64_t from_ms, int64_t to_ms, int status,
    const char *id, const char *upstream_id, const char *location)
{
    snx_subrequest_t  sub;

    memset(&sub, 0, sizeof(sub));
    sub.parent = (uint16_t) parent;
    sub.start_us = T0 + from_ms * 1000;
    sub.end_us = to_ms ? T0 + to_ms * 1000 : 0;
    sub.status = (uint16_t) status;
    memcpy(sub.span_id, id, 8);
    memcpy(sub.upstream_span_id, upstream_id, 8);

    snx_rec_pair(&writer, SNX_F_SUBREQUEST, snx_str(&sub, sizeof(sub)),
                 snx_cstr(location));
}


static TAP_UNUSED double
seconds_of(const cJSON *at)
{
    const char  *text;

    text = cJSON_GetStringValue(at);

    return text == NULL || strlen(text) != 27
           ? -1 : atof(text + 14) * 60 + atof(text + 17);
}


/* Whether each span lies in its parent, which is there. */

static TAP_UNUSED int
is_nested(const cJSON *tree)
{
    const char   *parent;
    const cJSON  *root, *spans, *span, *up, *p;

    root = util_at(tree, "contexts.trace");
    spans = util_at(tree, "spans");

    cJSON_ArrayForEach(span, spans) {
        parent = util_text_at(span, "parent_span_id");
        up = strcmp(parent, util_text_at(root, "span_id")) == 0 ? tree : NULL;

        cJSON_ArrayForEach(p, spans) {
            if (p != span
                && strcmp(parent, util_text_at(p, "span_id")) == 0)
            {
                up = p;
            }

            if (p != span && strcmp(util_text_at(span, "span_id"),
                                    util_text_at(p, "span_id")) == 0)
            {
                return 0;
            }
        }

        if (up == NULL
            || seconds_of(util_at(span, "start_timestamp"))
               < seconds_of(util_at(up, "start_timestamp"))
            || seconds_of(util_at(span, "timestamp"))
               > seconds_of(util_at(up, "timestamp"))
            || seconds_of(util_at(span, "timestamp"))
               < seconds_of(util_at(span, "start_timestamp")))
        {
            return 0;
        }
    }

    return 1;
}


/* The transaction of a record as a tree; NULL when it is not good JSON. */

static TAP_UNUSED cJSON *
transaction_of(size_t len)
{
    size_t    n;
    snx_rc_t  rc;

    rc = snx_fields_read(&fields, snx_str(record, len));

    if (rc == SNX_OK) {
        rc = snx_encode_transaction(&encode, &fields, UTIL_TIME_US, out,
                                    SNX_ENCODE_MAX, &n);
    }

    if (rc != SNX_OK || !snx_text_valid(snx_str(out, n))) {
        printf("# code %d\n", rc);
        return NULL;
    }

    out[n] = '\0';

    return cJSON_Parse(out);
}


static TAP_UNUSED cJSON *
transaction(void)
{
    return transaction_of(snx_rec_end(&writer));
}


/* "op description" of each span, in order, and that they are nested. */

static TAP_UNUSED void
is_spans(cJSON *tree, const char *expected, const char *what)
{
    char          text[2048];
    snx_text_t    t;
    const cJSON  *span;

    snx_text_init(&t, text, sizeof(text));

    cJSON_ArrayForEach(span, util_at(tree, "spans")) {
        snx_text_addz(&t, t.len ? ", " : "");
        snx_text_addz(&t, util_text_at(span, "op"));
        snx_text_addz(&t, " ");
        snx_text_addz(&t, util_text_at(span, "description"));
    }

    is_str(snx_str(text, t.len), expected, what);
    ok(is_nested(tree), "nested");
}


#endif /* TRACE_UTIL_H_INCLUDED */
