
/*
 * Copyright (C) ngx_sentry authors
 *
 * The shared memory of one nginx: lease, gate, projects (one per DSN:
 * counters, rate limits, last error), queue.  Owns the layout; all members
 * are atomics or written once before they are published.
 */


#ifndef SNX_SHM_H_INCLUDED
#define SNX_SHM_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"
#include "snx_gate.h"
#include "snx_lane.h"
#include "snx_lease.h"
#include "snx_limit.h"
#include "snx_sample.h"
#include "snx_notes.h"


#define SNX_SHM_MAGIC          0x534e5833u     /* "SNX3": change with layout */


/*
 * Why something was not delivered.  The first ones carry Sentry's client
 * report reasons; the last are told to people only.
 */

typedef enum {
    SNX_LOST_QUEUE_OVERFLOW = 0,
    SNX_LOST_RATELIMIT_BACKOFF,
    SNX_LOST_NETWORK_ERROR,
    SNX_LOST_SEND_ERROR,
    SNX_LOST_INTERNAL,         /* internal_sdk_error: too big, no memory */
    SNX_LOST_SAMPLE_RATE,      /* not captured, by sentry_sample_rate */
    SNX_LOST_IGNORED,          /* event_processor: routes, sentry_ignore */
    SNX_LOST_BACKPRESSURE,
    SNX_LOST_HELD_BACK,        /* by sentry_event_limit, see snx_lost_reason */
    SNX_LOST_REPORTED_N,       /* above: in client reports */
    SNX_LOST_RATE_LIMITED = SNX_LOST_REPORTED_N,   /* 429: Sentry counted */
    SNX_LOST_SHUTDOWN,         /* left in the queue when nginx ended */
    SNX_LOST_CORRUPT,          /* queue memory was damaged */
    SNX_LOST_N
} snx_lost_t;


/*
 * Counters of one project.  captured counts what was to be sent; so
 *
 *   captured = delivered + lost (but sample_rate, ignored, backpressure and
 *              held back) + in the queue
 *
 * delivered is what Sentry answered with 2xx.  What was held back is told by
 * later events of its group: all but told is still to be told.
 */

typedef struct {
    _Atomic uint64_t   captured[SNX_CATS_N];
    _Atomic uint64_t   delivered[SNX_CATS_N];
    _Atomic uint64_t   lost[SNX_LOST_N][SNX_CATS_N];
    _Atomic uint64_t   reported[SNX_LOST_REPORTED_N][SNX_CATS_N];
    _Atomic uint64_t   told;               /* of what was held back */
    _Atomic uint64_t   bytes_sent;         /* compressed, envelopes answered */
    _Atomic uint64_t   requests;           /* deliveries that were answered */
    _Atomic uint64_t   retries;            /* deliveries without an answer */
} snx_counters_t;


/* Last failure, written by the sender alone under a sequence counter. */

#define SNX_LAST_ERROR_MAX     256

typedef struct {
    _Atomic uint32_t   seq;                /* odd while it is written */
    _Atomic uint32_t   status;             /* HTTP status, 0 none came */
    _Atomic uint64_t   epoch_ms;           /* when */
    _Atomic uint64_t   text[SNX_LAST_ERROR_MAX / 8];   /* terminated */
} snx_last_error_t;


typedef struct {
    _Atomic uint32_t   used;               /* dsn and label are valid */
    uint32_t           dsn_len;
    char               dsn[SNX_DSN_MAX];   /* identity; never shown */
    char               label[320];         /* "host/project", shown */
    snx_limits_t       limits;
    snx_counters_t     counters;
    snx_last_error_t   last_error;
    _Atomic uint64_t   unreachable_ms;     /* since when, monotonic; 0 fine */
    snx_pressure_t     pressure;           /* on the traces' rate */
} snx_project_t;


typedef struct {
    uint32_t           magic;
    uint32_t           header_size;
    uint64_t           size;
    _Atomic uint32_t   generation;         /* configurations seen */
    _Atomic uint32_t   segments_corrupt;
    _Atomic uint32_t   abandoned;          /* no new worker will use it */
    _Atomic uint64_t   traces_at;          /* of snx_sample_take() */
    _Atomic uint64_t   overflow;           /* losses the log was told of */
    snx_lease_t        lease;
    snx_gate_t         gate;
    snx_project_t      projects[SNX_DSNS_MAX_N];
    snx_notes_t        notes;
} snx_shm_t;


/* Bytes needed for a queue of queue_bytes. */
size_t snx_shm_size(size_t queue_bytes);

/*
 * Lays the area out in size zeroed bytes; NULL when it is too small.
 * Threads: before any other process uses it.
 */
SNX_COLD snx_shm_t *snx_shm_init(void *mem, size_t size, uint32_t entropy);

/* Whether size bytes at mem hold an area of this very layout. */
int snx_shm_valid(const void *mem, size_t size);

snx_queue_t *snx_shm_queue(snx_shm_t *shm);

/*
 * The project of a DSN, made when it is new and there is room, else NULL.
 * label is copied.  Threads: making only by the master while it configures;
 * with label empty it only looks up, from anywhere.
 */
snx_project_t *snx_shm_project(snx_shm_t *shm, snx_str_t dsn,
    snx_str_t label);

/* Its label, ended where its room ends even if it was written over. */
const char *snx_project_label(snx_project_t *project);

/* "queue_overflow", ...: the name in the status page. */
snx_str_t snx_lost_name(snx_lost_t lost);

/*
 * The reason in a client report: the name, but for what was held back.  Sentry
 * drops reasons that it does not know, and among those it knows
 * "event_processor" is what its own SDKs give for events that their
 * Dedupe integration drops for being like others.  "sample_rate" would spoil
 * what is computed from rates, "ratelimit_backoff" and "backpressure" would
 * blame Sentry or the queue.
 */
snx_str_t snx_lost_reason(snx_lost_t lost);

/* Held back and not told by an event so far. */
uint64_t snx_project_untold(const snx_project_t *project);

/* Adds to lost[]; for producers and the sender. */
static inline void
snx_project_lose(snx_project_t *project, snx_lost_t lost,
    snx_category_t category, uint64_t n)
{
    if ((unsigned) lost >= SNX_LOST_N || (unsigned) category >= SNX_CATS_N) {
        return;
    }

    /* relaxed: a count orders nothing */

    (void) atomic_fetch_add_explicit(&project->counters.lost[lost][category],
                                     n, memory_order_relaxed);
}


/*
 * Puts a record that is to be sent to the project (NULL: Spotlight's alone)
 * into the lane and keeps the account: captured goes first, so that a process
 * killed here is one ahead of the queue and never behind it.
 * Returns as snx_lane_put(); what did not go in is counted as lost.
 */
static inline snx_rc_t
snx_project_put(snx_project_t *project, snx_category_t category,
    snx_lane_t *lane, snx_lane_class_t class, uint16_t kind, const void *p,
    size_t len)
{
    snx_rc_t  rc;

    /* relaxed: who finds the record finds it counted */

    if (project != NULL) {
        (void) atomic_fetch_add_explicit(&project->counters.captured[category],
                                         1, memory_order_relaxed);
    }

    rc = snx_lane_put(lane, class, kind, p, len);

    if (rc != SNX_OK && project != NULL) {
        snx_project_lose(project, rc == SNX_FULL ? SNX_LOST_QUEUE_OVERFLOW
                                                 : SNX_LOST_INTERNAL,
                         category, 1);
    }

    return rc;
}


/* Sender only. text is cut; never a key or a payload. */
SNX_COLD void snx_project_error(snx_project_t *project, uint32_t status,
    uint64_t epoch_ms, snx_str_t text);

/* A consistent copy of the last error; 0 when there was none. */
int snx_project_last_error(const snx_project_t *project, uint32_t *status,
    uint64_t *epoch_ms, char text[SNX_LAST_ERROR_MAX]);


#endif /* SNX_SHM_H_INCLUDED */
