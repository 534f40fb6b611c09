
/*
 * Copyright (C) ngx_sentry authors
 *
 * The queue: lanes of records in shared memory, from every nginx process to
 * the one sender.  Owns the layout of the queue area and its protocol.  Must
 * not read a clock, look a process up or log: the caller passes a function
 * that tells whether a process lives.
 *
 * DESIGN.  The area is cut into segments of SNX_SEGMENT_SIZE bytes.  A lane
 * is one process's chain of segments of one class; the producer owns a
 * segment by a compare-and-swap on its state word and appends to it alone.
 * Segments instead of one ring per process, so that idle workers tie up no
 * memory, a busy one may use nearly all of it, and the number of processes
 * (old generations that still serve, changed worker_processes) is free.
 *
 *   segment: [ state | tail | seq ] [ head ] [ record | record | ... ]
 *   record:  [ claim u64 | len, kind, check u64 | payload ]
 *
 *   FREE -> BUSY <-> OPEN -> CLOSED -> FREE with the next epoch
 *
 * - The epoch is in the upper half of state, tail, head and claim.  It
 *   changes with the very swap that frees the segment, so there is nothing to
 *   reset, and every swap that a stopped process prepared before fails.
 * - state packs owner pid and phase, so a kill anywhere still tells whose the
 *   segment is.  BUSY while a record is being written, OPEN between records:
 *   an OPEN segment may be taken away when all of its records are done.
 * - Publishing is one release-store of tail after the record is complete: a
 *   producer killed anywhere leaves nothing half-visible.
 * - A record is claimed by a consumer with a compare-and-swap of its claim
 *   word from (epoch, attempts, 0) to (epoch, attempts, pid).
 * - Freeing, of a CLOSED segment (so tail is final) whose records are all
 *   done, is two swaps: tail to (epoch + 1, 0), then state to FREE.  Anybody
 *   may do the second when he finds only the first done.  So a free segment
 *   always has an empty tail, and a stale sweeper cannot free too late.
 * - Segments are numbered as they are claimed.  A consumer's pass goes up
 *   through the numbers given before it began: of one producer, what was
 *   written first is found first, while it keeps on writing.
 *
 * Every length read back is checked against the segment: a scribbled-over
 * segment is marked, counted and left, never followed.
 */


#ifndef SNX_LANE_H_INCLUDED
#define SNX_LANE_H_INCLUDED


#include "snx.h"


#define SNX_SEGMENT_SIZE       32768
#define SNX_SEGMENTS_MIN_N     8
#define SNX_CLAIM_DONE         0xffffffffu
#define SNX_PAYLOAD_MAX        (SNX_RECORD_MAX - 16)   /* without its head */


/* Priority classes; each has its own lanes, drained in this order. */

typedef enum {
    SNX_LANE_ERRORS = 0,
    SNX_LANE_BULK = 1,         /* transactions: refused above 3/4 full */
    SNX_LANES_N = 2
} snx_lane_class_t;


typedef struct snx_queue_s    snx_queue_t;      /* in shared memory */
typedef struct snx_segment_s  snx_segment_t;


/*
 * Whether the process with that pid and start time lives: 1, 0.  start_ticks
 * is 0 when it is not known: then any process of that pid will do.
 */

typedef int (*snx_alive_pt)(uint32_t pid, uint64_t start_ticks, void *data);


/* Bytes of shared memory for a queue of at least size bytes of segments. */
size_t snx_queue_size(size_t size);

/*
 * Lays a queue out in len zeroed bytes at mem (64-byte aligned).  epoch seeds
 * the segments' epochs (any random number).
 * Returns NULL when len is too small for SNX_SEGMENTS_MIN_N segments.
 * Threads: before any other process uses it.
 */
snx_queue_t *snx_queue_init(void *mem, size_t len, uint32_t epoch);

/* Whether len bytes at mem hold a queue of this layout. */
int snx_queue_valid(const void *mem, size_t len);


/* Producer: private memory of one process. */

typedef struct {
    snx_segment_t  *segment;       /* NULL: none */
    uint64_t        state;         /* its state word, OPEN */
    uint32_t        offset;        /* of the next record */
    uint32_t        records;
} snx_lane_open_t;


typedef struct {
    snx_queue_t      *queue;
    snx_lane_open_t   open[SNX_LANES_N];
    uint32_t          pid;
    uint32_t          home;        /* the first segment to look at */
} snx_lane_t;


/*
 * Readies a process's lanes and notes its start time (0: unknown).  What a
 * dead process of the same pid left open or claimed is given back; so call it
 * before this process starts a consumer.
 */
void snx_lane_open(snx_lane_t *lane, snx_queue_t *queue, uint32_t pid,
    uint64_t start_ticks);

/*
 * Publishes one record of len bytes in the caller's own lane.
 *
 * Returns SNX_OK, SNX_FULL (does not fit now) or SNX_TOO_BIG (never will).
 * Memory: copies from p, keeps no pointer.  Threads: one producer per lane.
 * Cost: O(len), two uncontended swaps, at worst one pass over one bit per
 * segment; no allocation, no lock, never blocks.
 */
snx_rc_t snx_lane_put(snx_lane_t *lane, snx_lane_class_t class,
    uint16_t kind, const void *p, size_t len);

/* Gives the segments back (their records stay to be sent). */
void snx_lane_close(snx_lane_t *lane);


/* Consumer: private memory of the sender thread. */

typedef struct {
    snx_segment_t  *segment;
    uint64_t        claim;         /* the claim word as it was swapped in */
    uint32_t        offset;        /* of the record in the segment */
    uint16_t        kind;
    uint16_t        attempts;      /* earlier ones: tried, or died trying */
    snx_str_t       data;          /* points into the queue */
} snx_queue_rec_t;


/* A pass over the queue.  Private to snx_queue.c but for its being zeroed. */

typedef struct {
    uint64_t        limit;         /* segments numbered from here on wait */
    uint64_t        seq;           /* the segment reached */
    uint32_t        segment;       /* its index */
    uint32_t        epoch;
    uint32_t        offset;        /* of the next record to look at */
    uint32_t        records;       /* before offset */
    uint32_t        inside;        /* offset and records are valid */
} snx_queue_cursor_t;


/*
 * Finds the next published record of the class that nobody has claimed,
 * starting at the cursor (zeroed: at the oldest), and claims it for pid.
 * Records of one process come in the order they were published; between
 * processes the order is that of claimed segments.
 *
 * Returns SNX_OK, SNX_DONE (no more of what was there when the pass began:
 * the cursor is at its start again), or SNX_INVALID (the segment is corrupt;
 * it was given up, *lost set to the records known to be lost in it, at least
 * 1; call again).
 * Memory: rec->data stays until snx_queue_done() or snx_queue_release().
 * Threads: any number of consumers; each record goes to exactly one.
 */
snx_rc_t snx_queue_next(snx_queue_t *queue, snx_lane_class_t class,
    snx_queue_cursor_t *cursor, uint32_t pid, snx_queue_rec_t *rec,
    uint32_t *lost);

/* The record was answered, spooled or counted as lost. */
void snx_queue_done(const snx_queue_rec_t *rec);

/*
 * The record goes back to be sent later; attempts + 1 when tried is set.
 * A later snx_queue_next() from a zeroed cursor finds it again.
 */
void snx_queue_release(const snx_queue_rec_t *rec, int tried);

/*
 * Housekeeping of the lease holder: closes segments of dead producers, takes
 * claims of dead consumers back (attempts + 1: what kills senders must not do
 * so forever), closes drained segments of idle producers, frees closed
 * segments whose records are all done.
 * Returns the number of segments freed.  Cost: one pass over the records of
 * segments that are not free; alive() is asked once per process met in a row.
 * alive NULL: all live, so that of a segment nothing is looked at behind the
 * first record that is not done: cheap, however long the queue is.
 * Threads: harmless beside all other calls, another sweep included.
 */
uint32_t snx_queue_sweep(snx_queue_t *queue, snx_alive_pt alive, void *data);

/*
 * The process is done with the queue: it opened lanes and closed them.
 * Returns 1 when no other process that opened lanes lives, so that nobody
 * will send what is left.  Of those that leave together at least one gets 1.
 * Cost: one question to alive() per process, until one lives.
 */
int snx_queue_leave(snx_queue_t *queue, uint32_t pid, snx_alive_pt alive,
    void *data);


typedef struct {
    uint32_t   segments;       /* all */
    uint32_t   segments_used;  /* not free */
    uint32_t   lanes;          /* different producers holding an open one */
    uint32_t   pending;        /* published records not done */
    uint64_t   pending_bytes;
} snx_queue_usage_t;


/* A snapshot for people; safe beside all other calls. */
void snx_queue_usage(const snx_queue_t *queue, snx_queue_usage_t *usage);

/* Used segments in percent, without looking into them: cheap. */
uint32_t snx_queue_fill(const snx_queue_t *queue);


#endif /* SNX_LANE_H_INCLUDED */
