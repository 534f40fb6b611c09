
/*
 * Copyright (C) ngx_sentry authors
 *
 * The queue's layout in shared memory, for snx_lane.c (producers), snx_queue.c
 * (consumers) and snx_sweep.c alone.  DESIGN is in snx_lane.h.
 *
 * All words that more than one process writes are 64 bits with the epoch in
 * the upper half: a swap prepared before the segment was reused fails.
 */


#ifndef SNX_SEGMENT_H_INCLUDED
#define SNX_SEGMENT_H_INCLUDED


#include <stdalign.h>
#include <stdatomic.h>

#include "snx_lane.h"


#define SNX_QUEUE_MAGIC        0x534e5131u     /* "SNQ1": change with layout */
#define SNX_CACHE_LINE         64

/* Processes remembered with their start time, by pid modulo this. */
#define SNX_PROCESSES_N        1024

#define SNX_PID_BITS           22              /* Linux' and BSDs' maximum */
#define SNX_PID_MASK           0x3fffffu

#define SNX_SEGMENT_DATA       (SNX_SEGMENT_SIZE - 2 * SNX_CACHE_LINE)

/* Records begin at multiples of this; lengths in marks are in this unit. */
#define SNX_SEGMENT_UNIT       8u

/* Attempts saturate here, below SNX_CLAIM_DONE. */
#define SNX_ATTEMPTS_MAX       1000u


typedef enum {
    SNX_PHASE_FREE = 0,
    SNX_PHASE_OPEN,            /* owned, nobody inside */
    SNX_PHASE_BUSY,            /* owned, a record is being written */
    SNX_PHASE_CLOSED           /* nothing will be added */
} snx_phase_t;


/*
 * state  epoch:32 | pid:22 | 0:5 | class:1 | 0:2 | phase:2
 * tail   mark, where the published records end; written by the owner while
 *        it is BUSY, and swapped to (epoch + 1, 0) on the way to FREE
 * seq    order in which segments were claimed; valid when tail is not 0
 * head   mark, all records before it are done: a hint, written by sweeps;
 *        SNX_MARK_BROKEN: what follows a bad record was counted as lost
 * mark   epoch:32 | records:16 | broken:1 | units:15
 */

struct snx_segment_s {
    alignas(SNX_CACHE_LINE)
    _Atomic uint64_t            state;
    _Atomic uint64_t            tail;
    _Atomic uint64_t            seq;

    alignas(SNX_CACHE_LINE)
    _Atomic uint64_t            head;

    alignas(SNX_CACHE_LINE)
    unsigned char               data[SNX_SEGMENT_DATA];
};


/*
 * claim  epoch:32 | attempts:10 | pid:22; the lower half is SNX_CLAIM_DONE
 *        when the record is done
 * head   check:16 | kind:16 | len:32
 */

typedef struct {
    _Atomic uint64_t            claim;
    _Atomic uint64_t            head;
} snx_rechead_t;


struct snx_queue_s {
    uint32_t                    magic;
    uint32_t                    segment_size;
    uint32_t                    nsegments;
    uint32_t                    nsegments_check;   /* ~nsegments */

    alignas(SNX_CACHE_LINE)
    _Atomic uint64_t            next_seq;

    /* pid:22 | start_ticks:42, written by snx_lane_open() */

    alignas(SNX_CACHE_LINE)
    _Atomic uint64_t            process[SNX_PROCESSES_N];

    /*
     * A bit per segment, 1 when it is probably not free: a hint that spares
     * producers the look into each one.  State decides, sweeps repair.
     */

    alignas(SNX_CACHE_LINE)
    _Atomic uint64_t            used[];
};


#define snx_epoch(word)        ((uint32_t) ((word) >> 32))
#define snx_low(word)          ((uint32_t) (word))

#define SNX_MARK_BROKEN        0x8000u


static inline uint64_t
snx_word(uint32_t epoch, uint32_t low)
{
    return (uint64_t) epoch << 32 | low;
}


static inline uint64_t
snx_state(uint32_t epoch, uint32_t pid, snx_lane_class_t class,
    snx_phase_t phase)
{
    return snx_word(epoch, pid << 10 | (uint32_t) class << 4
                           | (uint32_t) phase);
}


static inline snx_phase_t
snx_state_phase(uint64_t state)
{
    return (snx_phase_t) (snx_low(state) & 3);
}


static inline snx_lane_class_t
snx_state_class(uint64_t state)
{
    return (snx_lane_class_t) (snx_low(state) >> 4 & 1);
}


static inline uint32_t
snx_state_pid(uint64_t state)
{
    return snx_low(state) >> 10;
}


/* The same owner, class and epoch in another phase. */

static inline uint64_t
snx_state_to(uint64_t state, snx_phase_t phase)
{
    return (state & ~(uint64_t) 3) | (uint64_t) phase;
}


static inline uint64_t
snx_mark(uint32_t epoch, uint32_t records, uint32_t offset)
{
    return snx_word(epoch, records << 16 | offset / SNX_SEGMENT_UNIT);
}


static inline uint32_t
snx_mark_records(uint64_t mark)
{
    return snx_low(mark) >> 16;
}


static inline uint32_t
snx_mark_offset(uint64_t mark)
{
    return (snx_low(mark) & 0x7fff) * SNX_SEGMENT_UNIT;
}


/* Distance of two records of len bytes. */

static inline uint32_t
snx_rechead_step(uint32_t len)
{
    return ((uint32_t) sizeof(snx_rechead_t) + len + SNX_SEGMENT_UNIT - 1)
           / SNX_SEGMENT_UNIT * SNX_SEGMENT_UNIT;
}


static inline uint64_t
snx_rechead(uint32_t epoch, uint16_t kind, uint32_t len)
{
    uint32_t  check;

    check = epoch ^ epoch >> 16 ^ kind ^ len * 0x9e37u ^ 0x5a5au;

    return (uint64_t) (check & 0xffff) << 48 | (uint64_t) kind << 32 | len;
}


static inline uint32_t
snx_rechead_len(uint64_t head)
{
    return snx_low(head);
}


static inline uint16_t
snx_rechead_kind(uint64_t head)
{
    return (uint16_t) (head >> 32);
}


/* Whether mark is of that epoch and tells of lost records. */

static inline int
snx_mark_broken(uint64_t mark, uint32_t epoch)
{
    return snx_epoch(mark) == epoch && (snx_low(mark) & SNX_MARK_BROKEN) != 0;
}


static inline snx_rechead_t *
snx_segment_record(snx_segment_t *segment, uint32_t offset)
{
    return (snx_rechead_t *) (void *) (segment->data + offset);
}


/* Number of segments; 0 when the header was scribbled over. */

static inline uint32_t
snx_queue_count(const snx_queue_t *queue)
{
    return queue->nsegments == ~queue->nsegments_check ? queue->nsegments : 0;
}


/* Words of hints for so many segments. */

static inline size_t
snx_queue_words(size_t nsegments)
{
    return (nsegments + 63) / 64;
}


static inline size_t
snx_queue_header_size(size_t nsegments)
{
    return (sizeof(snx_queue_t) + snx_queue_words(nsegments) * 8
            + SNX_CACHE_LINE - 1)
           / SNX_CACHE_LINE * SNX_CACHE_LINE;
}


static inline int
snx_queue_hint(const snx_queue_t *queue, uint32_t i)
{
    return atomic_load_explicit(&queue->used[i / 64], memory_order_relaxed)
           >> i % 64 & 1;
}


/* Relaxed: wrong hints cost time, or a segment until the next sweep. */

static inline void
snx_queue_set_hint(snx_queue_t *queue, uint32_t i, int used)
{
    uint64_t  bit;

    bit = 1ull << i % 64;

    if (used) {
        (void) atomic_fetch_or_explicit(&queue->used[i / 64], bit,
                                        memory_order_relaxed);

    } else {
        (void) atomic_fetch_and_explicit(&queue->used[i / 64], ~bit,
                                         memory_order_relaxed);
    }
}


/* const goes: usage only reads, but C11's atomic loads want it away */

static inline snx_segment_t *
snx_queue_segment(const snx_queue_t *queue, uint32_t i)
{
    unsigned char  *p;

    p = (unsigned char *) (uintptr_t) queue
        + snx_queue_header_size(snx_queue_count(queue));

    return (snx_segment_t *) (void *) p + i;
}


/* The claim word of a record that goes back to be claimed again. */

static inline uint64_t
snx_claim_again(uint64_t claim, int tried)
{
    uint32_t  attempts;

    attempts = snx_low(claim) >> SNX_PID_BITS;

    if (tried && attempts < SNX_ATTEMPTS_MAX) {
        attempts++;
    }

    return snx_word(snx_epoch(claim), attempts << SNX_PID_BITS);
}


/* A walk over the published records of one segment. */

typedef struct {
    snx_segment_t  *segment;
    uint64_t        tail;          /* as it was read */
    uint32_t        epoch;
    uint32_t        offset;        /* of the next record */
    uint32_t        records;       /* before offset */
} snx_walk_t;


typedef struct {
    snx_rechead_t  *rec;
    uint64_t        claim;         /* as it was read */
    uint32_t        offset;
    uint32_t        len;
    uint16_t        kind;
} snx_walk_rec_t;


/* Begins at head, or at the first record when head is of no use. */
void snx_walk_begin(snx_walk_t *w, snx_segment_t *segment, uint32_t epoch);

/*
 * SNX_OK, SNX_DONE at the end, SNX_INVALID when lengths do not fit together:
 * damage if snx_segment_still() says so, else the segment was reused.
 */
snx_rc_t snx_walk_next(snx_walk_t *w, snx_walk_rec_t *r);

/* Whether all that was read from the segment so far was of that epoch. */
int snx_segment_still(const snx_segment_t *segment, uint32_t epoch);

/* Closes what pid left open and takes its claims back (snx_sweep.c). */
void snx_queue_disown(snx_queue_t *queue, uint32_t pid);

/* Segments not free, by their hints. */
uint32_t snx_queue_used(const snx_queue_t *queue);


#endif /* SNX_SEGMENT_H_INCLUDED */
