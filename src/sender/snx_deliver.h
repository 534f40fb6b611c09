
/*
 * Copyright (C) ngx_sentry authors
 *
 * Delivery: takes records from the queue, makes envelopes, posts them, and
 * accounts for what became of each.  Owns the rule that every claimed record
 * ends exactly once, as done (delivered or lost, counted) or released.
 *
 * DESIGN.  The queue is looked through in passes, one cursor per class; a
 * pass claims what may be sent and hands back the rest (a project that backs
 * off or is busy).  A pass goes on where it stopped when a delivery ends,
 * and a new one begins
 *
 *   each flush_ms,
 *   each SNX_PASS_FULL_MS while the queue fills up,
 *   at once after one that sent many,
 *   at once when a project that backed off is reachable again,
 *
 * but not before SNX_PASS_REST times the time that was spent on records that
 * cannot be sent: a long queue of a dead project costs a few percent of one
 * CPU at most.  When a delivery of a busy project ends, a brief pass begins at
 * once where its first record was handed back, and ends after SNX_PASS_BRIEF_N
 * more: so it is served at full speed, with a long queue behind and idle
 * projects beside it.  When no project can take anything, nothing is looked
 * at.
 */


#ifndef SNX_DELIVER_H_INCLUDED
#define SNX_DELIVER_H_INCLUDED


#include "snx_dest.h"
#include "snx_encode.h"
#include "snx_spotlight.h"


#define SNX_ATTEMPTS_MAX_N     10
#define SNX_REPORT_FLUSHES_N   60      /* flush intervals between reports */
#define SNX_PASS_MORE_N        64      /* sent in a pass: more have come */
#define SNX_PASS_FULL_PERCENT  25
#define SNX_PASS_FULL_MS       20
#define SNX_PASS_REST          20
#define SNX_PASS_REST_MAX_MS   2000
#define SNX_PASS_BRIEF_N       64      /* records handed back */
#define SNX_DROP_FULL_PERCENT  50
#define SNX_SWEEP_MS           1000
#define SNX_SWEEP_DONE_MS      100     /* a brief one of what is done */
#define SNX_IDLE_MS            100
#define SNX_GZIP_FULL_PERCENT  10
#define SNX_GZIP_MIN           1024    /* smaller envelopes go as they are */

#define SNX_BODY_MAX                                                          \
    (SNX_ENVELOPE_HEADER_MAX + SNX_ENCODE_MAX + SNX_ENVELOPE_REPORT_MAX)


/* One pass over one class. */

typedef struct {
    snx_queue_cursor_t   cursor;
    snx_queue_cursor_t   mark;         /* first one of a busy project */
    uint64_t             next_ms;      /* when the next one begins */
    uint64_t             full_ms;      /* when the next one that is not brief */
    uint64_t             spent_ns;     /* on what could not be sent */
    uint32_t             picked;
    uint32_t             held;         /* since a brief one began */
    unsigned             active:1;
    unsigned             brief:1;
    unsigned             marked:1;     /* mark is valid */
    unsigned             again:1;      /* a busy project became free */
    unsigned             reached:1;    /* one is reachable again */
    unsigned             looked:1;     /* at what could not be sent */
} snx_pass_t;


/* One delivery in flight. */

typedef struct {
    snx_dest_t          *dest;
    snx_queue_rec_t      rec;
    snx_category_t       category;
    snx_report_t         report;
    char                 event_id[33];
    unsigned             used:1;
    unsigned             record:1;     /* rec is there */
    unsigned             reporting:1;  /* report is there */
    unsigned             probe:1;
} snx_job_t;


typedef struct {
    const snx_sender_conf_t  *conf;
    snx_mailbox_t            *box;
    snx_transport_t          *transport;
    snx_queue_t              *queue;
    snx_dest_t               *dests[SNX_DSNS_MAX_N];
    snx_pass_t                passes[SNX_LANES_N];
    snx_job_t                 jobs[SNX_TRANSPORT_SENTRY_N];
    snx_spotlight_t           spotlight;
    snx_random_t              random;
    snx_gzip_t                gzip;
    uint64_t                  sweep_ms;    /* the last one */
    uint64_t                  freed_ms;    /* and the last brief one */
    int64_t                   drop_bytes;  /* to make room in this pass */
    unsigned                  stopping:1;
    unsigned                  done:1;      /* records since the last sweep */
    snx_fields_t              fields;
    snx_encode_t              encode;
    char                      json[SNX_ENCODE_MAX];
    char                      body[SNX_BODY_MAX];
    char                      packed[SNX_BODY_MAX];
} snx_deliver_t;


/* NULL: no memory.  conf, box and transport must outlive it. */
SNX_COLD snx_deliver_t *snx_deliver_create(const snx_sender_conf_t *conf,
    snx_mailbox_t *box, snx_transport_t *transport);
void snx_deliver_destroy(snx_deliver_t *deliver);

/* Looks for work and starts deliveries; needs the lease. */
void snx_deliver_work(snx_deliver_t *deliver, uint64_t now_ms);

/* Milliseconds until there may be work again. */
uint32_t snx_deliver_wait(const snx_deliver_t *deliver, uint64_t now_ms);

/* Accounts for all deliveries that ended. */
void snx_deliver_answers(snx_deliver_t *deliver);

/* nginx ends: from now on no waiting for better times. */
SNX_COLD void snx_deliver_stop(snx_deliver_t *deliver, uint64_t now_ms);

/* While stopping: whether nothing is left that could be sent. */
int snx_deliver_idle(const snx_deliver_t *deliver, uint64_t now_ms);

/* Hands back what is in flight, as not tried. */
void snx_deliver_abort(snx_deliver_t *deliver);

/* Deliveries in flight. */
uint32_t snx_deliver_inflight(const snx_deliver_t *deliver);


/* Between the files of delivery. */

/*
 * Next record that may be sent now, claimed; *dest NULL: for Spotlight only.
 * SNX_OK or SNX_DONE.
 */
snx_rc_t snx_deliver_pick(snx_deliver_t *deliver, snx_queue_rec_t *rec,
    snx_dest_t **dest, uint64_t now_ms);

/* Frees segments of the queue that are done with. */
void snx_deliver_sweep(snx_deliver_t *deliver, uint64_t now_ms);

/* Begins the passes that are due. */
void snx_deliver_passes(snx_deliver_t *deliver, uint64_t now_ms);

/* A pass found all there is: when the next one begins. */
void snx_deliver_pass_end(const snx_deliver_t *deliver, snx_pass_t *pass,
    uint64_t now_ms);

/* Whether looking at the queue is of no use: nobody can take anything. */
int snx_deliver_blocked(const snx_deliver_t *deliver, uint64_t now_ms);

/* A busy project became free, or one is reachable again. */
void snx_deliver_again(snx_deliver_t *deliver, int reached,
    uint64_t now_ms);

/* Project i as a destination; NULL: no memory. */
snx_dest_t *snx_deliver_dest(snx_deliver_t *deliver, uint32_t i,
    uint64_t now_ms);

/* Makes an envelope of a claimed record and posts it. */
void snx_deliver_record(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_dest_t *dest, uint64_t now_ms);

/* Posts the client reports that no event carried. */
void snx_deliver_reports(snx_deliver_t *deliver, uint64_t now_ms);

/* Counts a claimed record as lost and ends it. */
void snx_deliver_lose(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_project_t *project, snx_lost_t lost);

snx_category_t snx_deliver_category(uint16_t kind);

int64_t snx_deliver_now_us(void);


#endif /* SNX_DELIVER_H_INCLUDED */
