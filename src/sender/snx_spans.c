
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_spans.h"


/* No later time, so that no sum overflows. */
#define SNX_SPANS_LAST_US      (INT64_MAX / 4)


/* What is known of a request (0 the main one) while its tries are read. */

typedef struct {
    uint16_t   span;           /* index + 1; 0: the transaction */
    uint16_t   tries;
    uint16_t   last;           /* its last answered try, index + 1 */
    unsigned   answered:1;
    int64_t    end_us;         /* of the try before */
} snx_spans_owner_t;


typedef struct {
    snx_spans_t               *spans;
    const snx_fields_t        *fields;
    int64_t                    marks[SNX_AT_UPGRADE + 1];  /* 0: not known */
    int64_t                    first_us;   /* the main request's first try */
    uint32_t                   owners;
    snx_spans_owner_t          owner[SNX_SPANS_MAX_N + 1];
} snx_spans_reader_t;


static int64_t
snx_spans_clamp(int64_t us, int64_t from, int64_t to)
{
    return us < from ? from : us > to ? to : us;
}


/*
 * Adds a span, clamped into parent (index + 1, 0: the transaction).  NULL:
 * there are enough.
 */

static snx_span_t *
snx_spans_add(snx_spans_t *spans, snx_span_kind_t kind, uint16_t parent,
    int64_t start_us, int64_t end_us)
{
    int64_t      from, to;
    snx_span_t  *span;

    if (spans->n == SNX_SPANS_MAX_N) {
        return NULL;
    }

    from = parent ? spans->span[parent - 1].start_us : spans->start_us;
    to = parent ? spans->span[parent - 1].end_us : spans->end_us;

    span = &spans->span[spans->n++];

    span->kind = kind;
    span->parent = parent;
    span->start_us = snx_spans_clamp(start_us, from, to);
    span->end_us = snx_spans_clamp(end_us, span->start_us, to);
    span->field = NULL;
    span->resent = 0;

    return span;
}


int
snx_spans_try(const snx_field_t *f, snx_upstream_t *try)
{
    if (f->key.len != sizeof(snx_upstream_t)) {
        return 0;
    }

    memcpy(try, f->key.data, sizeof(snx_upstream_t));

    return 1;
}


int
snx_spans_subrequest(const snx_field_t *f, snx_subrequest_t *sub)
{
    if (f->key.len != sizeof(snx_subrequest_t)) {
        return 0;
    }

    memcpy(sub, f->key.data, sizeof(snx_subrequest_t));

    return 1;
}


static void
snx_spans_marks(snx_spans_reader_t *r)
{
    snx_mark_t          mark;
    const snx_field_t  *f;

    for (f = snx_fields_first(r->fields, SNX_F_MARK);
         f != NULL;
         f = snx_fields_next(r->fields, f))
    {
        if (f->key.len != sizeof(mark)) {
            continue;
        }

        memcpy(&mark, f->key.data, sizeof(mark));

        if (mark.moment <= SNX_AT_UPGRADE && mark.time_us > 0) {
            r->marks[mark.moment] = mark.time_us;
        }
    }
}


/* The transaction itself, and what came before its handler. */

static void
snx_spans_root(snx_spans_reader_t *r, int64_t now_us)
{
    int64_t       start, end, *at;
    snx_spans_t  *spans;

    at = r->marks;
    spans = r->spans;
    end = now_us;

    (void) snx_fields_num(r->fields, SNX_F_TIMESTAMP_US, &end);
    start = end;
    (void) snx_fields_num(r->fields, SNX_F_START_US, &start);

    if (at[SNX_AT_UPGRADE] != 0) {
        end = at[SNX_AT_UPGRADE];
    }

    start = snx_spans_clamp(start, 0, SNX_SPANS_LAST_US);
    spans->end_us = snx_spans_clamp(end, start, SNX_SPANS_LAST_US);
    spans->start_us = start;

    if (at[SNX_AT_ACCEPT] != 0 && at[SNX_AT_ACCEPT] < start) {
        spans->start_us = at[SNX_AT_ACCEPT];
        (void) snx_spans_add(spans, SNX_SPAN_TLS, 0, spans->start_us, start);
    }

    if (at[SNX_AT_PHASES] != 0
        && at[SNX_AT_LIMITED] - at[SNX_AT_PHASES] >= SNX_SPANS_WAIT_US)
    {
        (void) snx_spans_add(spans, SNX_SPAN_LIMIT, 0, at[SNX_AT_PHASES],
                             at[SNX_AT_LIMITED]);
    }
}


static void
snx_spans_subrequests(snx_spans_reader_t *r)
{
    uint16_t            parent;
    snx_span_t         *span;
    snx_subrequest_t    sub;
    const snx_field_t  *f;

    memset(&r->owner[0], 0, sizeof(snx_spans_owner_t));
    r->owners = 1;

    for (f = snx_fields_first(r->fields, SNX_F_SUBREQUEST);
         f != NULL && r->owners <= SNX_SPANS_MAX_N;
         f = snx_fields_next(r->fields, f))
    {
        if (!snx_spans_subrequest(f, &sub)) {
            continue;
        }

        parent = sub.parent < r->owners ? r->owner[sub.parent].span : 0;
        span = snx_spans_add(r->spans, SNX_SPAN_SUBREQUEST, parent,
                             sub.start_us,
                             sub.end_us ? sub.end_us : INT64_MAX);
        if (span == NULL) {
            return;
        }

        span->field = f;

        memset(&r->owner[r->owners], 0, sizeof(snx_spans_owner_t));
        r->owner[r->owners++].span = (uint16_t) r->spans->n;
    }
}


/*
 * The parts of a try.  Where it never connected or never answered, all of
 * its time went into that.
 */

static void
snx_spans_parts(snx_spans_t *spans, const snx_upstream_t *try)
{
    int             i;
    int64_t         at[4];
    uint16_t        parent;

    static const snx_span_kind_t  kinds[] = {
        SNX_SPAN_CONNECT, SNX_SPAN_WAIT, SNX_SPAN_READ
    };

    parent = (uint16_t) spans->n;

    at[0] = 0;
    at[1] = try->connect_ms < 0 ? try->response_ms : try->connect_ms;
    at[2] = try->header_ms < 0 ? try->response_ms : try->header_ms;
    at[3] = try->response_ms;

    for (i = 0; i < 3; i++) {
        if ((at[i + 1] - at[i]) * 1000 >= SNX_SPANS_WAIT_US) {
            (void) snx_spans_add(spans, kinds[i], parent,
                                 spans->span[parent - 1].start_us
                                 + at[i] * 1000,
                                 spans->span[parent - 1].start_us
                                 + at[i + 1] * 1000);
        }
    }
}


static void
snx_spans_one(snx_spans_reader_t *r, const snx_field_t *f,
    const snx_upstream_t *try)
{
    int64_t             start, took;
    snx_span_t         *span;
    snx_spans_owner_t  *owner;

    owner = &r->owner[try->request < r->owners ? try->request : 0];

    start = try->start_us > 0 ? try->start_us
            : owner->tries ? owner->end_us : r->marks[SNX_AT_CONTENT];

    span = snx_spans_add(r->spans, SNX_SPAN_TRY, owner->span, start,
                         INT64_MAX);
    if (span == NULL) {
        return;
    }

    /* a start that was not known is the parent's: it takes its time then */

    took = (int64_t) (try->response_ms > 0 ? try->response_ms : 0) * 1000;
    span->end_us = snx_spans_clamp(span->start_us + took, span->start_us,
                                   span->end_us);
    span->field = f;
    span->resent = owner->tries++;
    owner->end_us = span->end_us;

    if (try->header_ms >= 0 || !owner->answered) {
        owner->last = (uint16_t) r->spans->n;
        owner->answered = try->header_ms >= 0;
    }

    if (owner == r->owner) {
        r->first_us = owner->tries == 1 ? span->start_us : r->first_us;
        r->spans->upstream_us += span->end_us - span->start_us;
    }

    snx_spans_parts(r->spans, try);
}


static void
snx_spans_tries(snx_spans_reader_t *r)
{
    snx_upstream_t      try;
    const snx_field_t  *f;

    r->spans->upstream_us = 0;

    for (f = snx_fields_first(r->fields, SNX_F_UPSTREAM);
         f != NULL;
         f = snx_fields_next(r->fields, f))
    {
        if (snx_spans_try(f, &try)) {
            snx_spans_one(r, f, &try);
        }
    }

    if (r->owner[0].tries == 0) {
        r->spans->upstream_us = -1;
    }
}


/* What nginx did around the tries: body, cache, sending. */

static void
snx_spans_around(snx_spans_reader_t *r)
{
    int64_t                   size, content, sent;
    snx_str_t                 cache;
    const snx_spans_owner_t  *main;

    main = &r->owner[0];
    content = r->marks[SNX_AT_CONTENT];
    cache = snx_fields_str(r->fields, SNX_F_CACHE_STATUS);

    if (content != 0 && main->tries
        && r->first_us - content >= SNX_SPANS_WAIT_US
        && snx_fields_num(r->fields, SNX_F_BODY_SIZE, &size) && size > 0)
    {
        (void) snx_spans_add(r->spans, SNX_SPAN_BODY, 0, content,
                             r->first_us);
        content = r->first_us;
    }

    /* where it was found there, only that it was is known, not how long */

    if (content != 0 && cache.len != 0
        && !(cache.len == 6 && memcmp(cache.data, "BYPASS", 6) == 0))
    {
        (void) snx_spans_add(r->spans, SNX_SPAN_CACHE, 0, content,
                             main->tries ? r->first_us : content);
    }

    sent = main->tries ? main->end_us
           : r->owners == 1 ? r->marks[SNX_AT_CONTENT] : 0;

    if (sent != 0 && r->spans->end_us - sent >= SNX_SPANS_SEND_US) {
        (void) snx_spans_add(r->spans, SNX_SPAN_SEND, 0, sent,
                             r->spans->end_us);
    }
}


/*
 * Different numbers make different ids: each step can be undone.
 */

static void
snx_spans_derive(const unsigned char root[8], uint64_t n,
    unsigned char id[8])
{
    uint64_t  h;

    memcpy(&h, root, sizeof(h));

    h += (n + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    h ^= h >> 31;
    h += h == 0;

    memcpy(id, &h, sizeof(h));
}


/* An id that went upstream belongs to the last try that was answered. */

static void
snx_spans_propagated(snx_spans_reader_t *r)
{
    uint32_t           i;
    snx_str_t          id;
    snx_span_t        *span;
    snx_subrequest_t   sub;

    static const unsigned char  none[8];

    id = snx_fields_str(r->fields, SNX_F_UPSTREAM_SPAN_ID);

    if (r->owner[0].last != 0 && id.len == 8
        && memcmp(id.data, none, 8) != 0)
    {
        memcpy(r->spans->span[r->owner[0].last - 1].id, id.data, 8);
    }

    for (i = 1; i < r->owners; i++) {
        span = &r->spans->span[r->owner[i].span - 1];
        (void) snx_spans_subrequest(span->field, &sub);

        if (memcmp(sub.span_id, none, 8) != 0) {
            memcpy(span->id, sub.span_id, 8);
        }

        if (r->owner[i].last != 0
            && memcmp(sub.upstream_span_id, none, 8) != 0)
        {
            memcpy(r->spans->span[r->owner[i].last - 1].id,
                   sub.upstream_span_id, 8);
        }
    }
}


void
snx_spans_read(snx_spans_t *spans, const snx_fields_t *fields, int64_t now_us)
{
    uint32_t             i;
    snx_str_t            root;
    snx_spans_reader_t   r;

    spans->n = 0;

    r.spans = spans;
    r.fields = fields;
    r.first_us = 0;
    memset(r.marks, 0, sizeof(r.marks));

    snx_spans_marks(&r);
    snx_spans_root(&r, now_us);
    snx_spans_subrequests(&r);
    snx_spans_tries(&r);
    snx_spans_around(&r);

    root = snx_fields_str(fields, SNX_F_SPAN_ID);

    if (root.len != 8) {
        root = snx_fields_str(fields, SNX_F_EVENT_ID);
    }

    for (i = 0; root.len >= 8 && i < spans->n; i++) {
        snx_spans_derive(root.data, i, spans->span[i].id);
    }

    snx_spans_propagated(&r);
}
