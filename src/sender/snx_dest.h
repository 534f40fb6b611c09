
/*
 * Copyright (C) ngx_sentry authors
 *
 * A destination: one project as the sender sees it.  Owns the answer to "may
 * this be sent now": reachable or backing off, how many in flight, what
 * Sentry limits; and the messages about changes of that state.
 *
 * DESIGN.  Reachable: anything goes.  A delivery without an answer makes it
 * unreachable: then exactly one probe at a time is sent, after 1 s, doubling
 * to 60 s, and any answer to anything makes it reachable again.  Failures of
 * what was in flight besides the probe change nothing.
 *
 * Its width is how many may be in flight with HTTP/1.1, a connection each.  A
 * few errors must not open many: so it grows by one when a few times as many
 * were taken and others wait, and one that refuses or does not answer is not
 * given more.  With HTTP/2 they share one connection.
 */


#ifndef SNX_DEST_H_INCLUDED
#define SNX_DEST_H_INCLUDED


#include "snx_dsn.h"
#include "snx_envelope.h"
#include "snx_mailbox.h"
#include "snx_random.h"
#include "snx_transport.h"


#define SNX_DEST_BACKOFF_MIN_MS    1000
#define SNX_DEST_BACKOFF_MAX_MS    60000
#define SNX_DEST_WIDTH_MIN         4
#define SNX_DEST_WIDTH_MAX         SNX_TRANSPORT_HOST_N
#define SNX_DEST_WIDTH_ROUNDS      4       /* before it grows by one */
#define SNX_DEST_WIDTH_MS          10000   /* kept without need */


typedef struct {
    snx_project_t   *project;
    snx_mailbox_t   *box;
    snx_dsn_t        dsn;              /* points into project */
    uint64_t         down_ms;          /* since when; 0: reachable */
    uint64_t         next_try_ms;
    uint32_t         backoff_ms;
    uint32_t         inflight;
    uint32_t         width;            /* of it, with HTTP/1.1 */
    uint32_t         taken;            /* since the width grew */
    uint64_t         wanted_ms;        /* when more was last wanted */
    uint32_t         refused;          /* status last told of */
    uint32_t         limited;          /* bits of categories told of */
    uint64_t         reported_ms;      /* last client report */
    unsigned         usable:1;         /* the DSN can be read */
    unsigned         http2:1;
    unsigned         probing:1;
    unsigned         stopping:1;       /* nginx ends: one last try */
    unsigned         tried:1;          /* and that was it */
    unsigned         starved:1;        /* passed over, it was busy */
    unsigned         wanted:1;         /* more would have been sent */
    unsigned         reporting:1;      /* a client report is in flight */
    unsigned         mute:1;           /* and there will be no other one */
    char             url[SNX_DSN_MAX + 64];
    char             auth[SNX_DSN_MAX + 128];
} snx_dest_t;


/* NULL: no memory.  A DSN that cannot be read makes it unusable. */
SNX_COLD snx_dest_t *snx_dest_create(snx_project_t *project, snx_mailbox_t *box,
    uint64_t now_ms);

/* SNX_OK: send; SNX_AGAIN: backing off; SNX_FULL: busy. */
snx_rc_t snx_dest_ready(const snx_dest_t *dest, uint64_t now_ms);

/* More could be sent if it were not busy. */
void snx_dest_want(snx_dest_t *dest);

/* nginx ends: a destination that is backing off gets one last try. */
void snx_dest_stop(snx_dest_t *dest);

/* Something was sent; returns whether it is the probe. */
int snx_dest_sent(snx_dest_t *dest);

/* It came to an end. */
void snx_dest_returned(snx_dest_t *dest, int probe);

/* With an answer: waiting records are told to people. */
void snx_dest_answered(snx_dest_t *dest, const snx_answer_t *answer,
    const snx_queue_t *queue, uint64_t now_ms, int64_t now_us);

/* Without one. */
SNX_COLD void snx_dest_failed(snx_dest_t *dest, const snx_answer_t *answer,
    int probe, snx_random_t *random, uint64_t now_ms, int64_t now_us);

/* What Sentry has not been told of yet; 1 if there is any. */
int snx_dest_unreported(const snx_dest_t *dest, snx_report_t *report);

/* A report was answered: its quantities are not told again. */
void snx_dest_reported(snx_dest_t *dest, const snx_report_t *report);


#endif /* SNX_DEST_H_INCLUDED */
