
/*
 * Copyright (C) ngx_sentry authors
 *
 * HTTP with libcurl: a bounded number of POSTs in flight over kept-alive
 * connections.  Owns all that is curl.  Knows nothing of records, projects
 * and envelopes; decides nothing.
 *
 * One thread; only snx_transport_wakeup() and snx_transport_cut() may be
 * called from another one.
 */


#ifndef SNX_TRANSPORT_H_INCLUDED
#define SNX_TRANSPORT_H_INCLUDED


#include "snx.h"


/* In flight at most, for each pool; connections per host with HTTP/1.1. */
#define SNX_TRANSPORT_SENTRY_N     32
#define SNX_TRANSPORT_SPOTLIGHT_N  4
#define SNX_TRANSPORT_HOST_N       16

#define SNX_TRANSPORT_CONNECT_MS   5000
#define SNX_TRANSPORT_BODY_MAX     262144  /* of an answer */
#define SNX_TRANSPORT_ERROR_MAX    4096    /* of an error's body kept */
#define SNX_TRANSPORT_HEADERS_MAX  65536   /* of an answer, all together */


typedef enum {
    SNX_POOL_SENTRY = 0,
    SNX_POOL_SPOTLIGHT,
    SNX_POOLS_N
} snx_pool_t;


typedef struct snx_transport_s  snx_transport_t;


/* Terminated strings, NULL: not set; must outlive the transport. */

typedef struct {
    const char   *proxy;
    const char   *ca_file;
    const char   *user_agent;
    uint32_t      timeout_ms;
    unsigned      verify:1;
} snx_transport_conf_t;


/* url and auth must outlive the transport and never change. */

typedef struct {
    const char   *url;
    const char   *auth;        /* X-Sentry-Auth, NULL: none */
    snx_str_t     body;        /* copied */
    unsigned      gzip:1;      /* the body is */
    void         *data;        /* comes back with the answer */
} snx_post_t;


/* How a POST ended.  Strings are terminated and valid until the next call. */

typedef struct {
    void         *data;
    snx_pool_t    pool;
    uint32_t      status;      /* of HTTP, 0: no answer came */
    uint32_t      ms;
    size_t        bytes;       /* of the body that was sent */
    unsigned      http2:1;
    const char   *error;       /* why no answer came */
    const char   *limits;      /* X-Sentry-Rate-Limits, "" none */
    const char   *retry_after;
    const char   *reason;      /* X-Sentry-Error */
    snx_str_t     body;        /* of an error, when it is a short one */
} snx_answer_t;


/* NULL when curl cannot start, with *why set to a constant. */
SNX_COLD snx_transport_t *snx_transport_create(const snx_transport_conf_t *conf,
    const char **why);

/* What is in flight is dropped, without a word to anybody; never blocks. */
SNX_COLD void snx_transport_destroy(snx_transport_t *transport);

/* How many more the pool takes now. */
uint32_t snx_transport_room(const snx_transport_t *transport,
    snx_pool_t pool);

/* How many are in flight. */
uint32_t snx_transport_inflight(const snx_transport_t *transport,
    snx_pool_t pool);

/* Starts one: SNX_OK, SNX_FULL, or SNX_NOMEM. */
snx_rc_t snx_transport_post(snx_transport_t *transport, snx_pool_t pool,
    const snx_post_t *post);

/* Moves bytes; waits for at most wait_ms until there is something to do. */
void snx_transport_run(snx_transport_t *transport, uint32_t wait_ms);

/* Next one that ended: 1 with *answer set, or 0. */
int snx_transport_next(snx_transport_t *transport, snx_answer_t *answer);

/* Takes one that has not ended back: 1 with *data set, or 0. */
int snx_transport_cancel(snx_transport_t *transport, snx_pool_t pool,
    void **data);

/* Ends a wait of snx_transport_run().  From any thread. */
void snx_transport_wakeup(snx_transport_t *transport);

/*
 * Shuts all connections down, under a transport that is stuck in one: what is
 * in flight ends without an answer.  SNX_OK, or SNX_AGAIN: not now.  From any
 * thread, never blocks.
 */
snx_rc_t snx_transport_cut(snx_transport_t *transport);


#endif /* SNX_TRANSPORT_H_INCLUDED */
