
/*
 * Copyright (C) ngx_sentry authors
 *
 * From the facts of a record to the spans of a transaction: which there are,
 * when, in which.  Pure.
 *
 * DESIGN.  A record knows moments and upstream tries in clocks of their own:
 * milliseconds of the event loop, microseconds at the end, durations of
 * nginx.  So every span is clamped into its parent, which comes before it in
 * the list: none begins before its parent, ends after it or before itself.
 * The ids of spans are made of the transaction's and their place, unless one
 * went upstream: sent again, the transaction is the same.
 */


#ifndef SNX_SPANS_H_INCLUDED
#define SNX_SPANS_H_INCLUDED


#include "snx_fields.h"


/* All of them; the rest is left out. */
#define SNX_SPANS_MAX_N        128

/* Shorter waits are not told: what nginx knows has 1 ms. */
#define SNX_SPANS_WAIT_US      1000
#define SNX_SPANS_SEND_US      5000


typedef enum {
    SNX_SPAN_TLS = 0,          /* handshake, before the first request */
    SNX_SPAN_LIMIT,            /* delayed by limit_req */
    SNX_SPAN_BODY,             /* the request body came in */
    SNX_SPAN_CACHE,            /* nginx looked into its cache */
    SNX_SPAN_SUBREQUEST,
    SNX_SPAN_TRY,              /* of an upstream server */
    SNX_SPAN_CONNECT,          /* the parts of a try */
    SNX_SPAN_WAIT,
    SNX_SPAN_READ,
    SNX_SPAN_SEND              /* to the client, when all was there */
} snx_span_kind_t;


typedef struct {
    int64_t              start_us;
    int64_t              end_us;
    const snx_field_t   *field;    /* of a subrequest or try, else NULL */
    unsigned char        id[8];
    uint16_t             parent;   /* index + 1; 0: the transaction */
    uint16_t             resent;   /* of a try: those before it */
    snx_span_kind_t      kind;
} snx_span_t;


typedef struct {
    int64_t      start_us;         /* of the transaction */
    int64_t      end_us;
    int64_t      upstream_us;      /* the main request's tries; -1: none */
    uint32_t     n;
    snx_span_t   span[SNX_SPANS_MAX_N];
} snx_spans_t;


/* now_us stands in for a missing time.  Memory: points into fields. */
void snx_spans_read(snx_spans_t *spans, const snx_fields_t *fields,
    int64_t now_us);

/* The packed structure of a try or subrequest: 1, or 0 when it is none. */
int snx_spans_try(const snx_field_t *f, snx_upstream_t *try);
int snx_spans_subrequest(const snx_field_t *f, snx_subrequest_t *sub);


#endif /* SNX_SPANS_H_INCLUDED */
