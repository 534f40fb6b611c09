
/*
 * Copyright (C) ngx_sentry authors
 *
 * The queue's layout, and reading it back without trusting it: whatever
 * stands in shared memory, a walk stays inside its segment and ends.
 */


#include "snx_segment.h"


/* Producers told apart for people; on the stack. */

#define SNX_USAGE_PIDS_N       512


static snx_rc_t snx_walk_left(const snx_walk_t *w, uint32_t *left);
static void snx_queue_usage_one(snx_segment_t *segment, uint32_t epoch,
    snx_queue_usage_t *usage);


size_t
snx_queue_size(size_t size)
{
    size_t  n;

    n = size / SNX_SEGMENT_SIZE + (size % SNX_SEGMENT_SIZE != 0);

    if (n < SNX_SEGMENTS_MIN_N) {
        n = SNX_SEGMENTS_MIN_N;
    }

    return snx_queue_header_size(n) + n * SNX_SEGMENT_SIZE;
}


snx_queue_t *
snx_queue_init(void *mem, size_t len, uint32_t epoch)
{
    size_t        n;
    uint32_t      i;
    uint64_t      free_word;
    snx_queue_t  *queue;

    n = len / SNX_SEGMENT_SIZE;

    while (n != 0 && snx_queue_header_size(n) + n * SNX_SEGMENT_SIZE > len) {
        n--;
    }

    if (n < SNX_SEGMENTS_MIN_N || n > UINT32_MAX) {
        return NULL;
    }

    queue = mem;
    queue->segment_size = SNX_SEGMENT_SIZE;
    queue->nsegments = (uint32_t) n;
    queue->nsegments_check = ~(uint32_t) n;

    /* nobody else is here yet: relaxed throughout; 0 is no sequence number */

    atomic_store_explicit(&queue->next_seq, 1, memory_order_relaxed);

    for (i = 0; i < n; i++) {
        free_word = snx_word(epoch + i * 0x9e3779b9u, 0);

        atomic_store_explicit(&snx_queue_segment(queue, i)->state, free_word,
                              memory_order_relaxed);
        atomic_store_explicit(&snx_queue_segment(queue, i)->tail, free_word,
                              memory_order_relaxed);
    }

    queue->magic = SNX_QUEUE_MAGIC;

    return queue;
}


int
snx_queue_valid(const void *mem, size_t len)
{
    size_t              n;
    const snx_queue_t  *queue;

    if (len < sizeof(snx_queue_t)) {
        return 0;
    }

    queue = mem;
    n = snx_queue_count(queue);

    return queue->magic == SNX_QUEUE_MAGIC
           && queue->segment_size == SNX_SEGMENT_SIZE
           && n >= SNX_SEGMENTS_MIN_N
           && n <= len / SNX_SEGMENT_SIZE
           && snx_queue_header_size(n) + n * SNX_SEGMENT_SIZE <= len;
}


/* The fence pairs with the one in snx_lane_take(). */

int
snx_segment_still(const snx_segment_t *segment, uint32_t epoch)
{
    uint64_t  state;

    atomic_thread_fence(memory_order_acquire);
    state = atomic_load_explicit(&segment->state, memory_order_relaxed);

    return snx_epoch(state) == epoch
           && snx_state_phase(state) != SNX_PHASE_FREE;
}


void
snx_walk_begin(snx_walk_t *w, snx_segment_t *segment, uint32_t epoch)
{
    uint64_t  head;

    /* acquire: what was done before head was moved there was done before */

    head = atomic_load_explicit(&segment->head, memory_order_acquire);

    w->segment = segment;
    w->epoch = epoch;
    w->offset = 0;
    w->records = 0;

    /* acquire: published records are complete */

    w->tail = atomic_load_explicit(&segment->tail, memory_order_acquire);

    if (snx_epoch(head) == epoch
        && snx_mark_offset(head) <= snx_mark_offset(w->tail))
    {
        w->offset = snx_mark_offset(head);
        w->records = snx_mark_records(head);
    }
}


/* SNX_OK when a record's head may follow, which left bytes hold. */

static snx_rc_t
snx_walk_left(const snx_walk_t *w, uint32_t *left)
{
    uint32_t  end;

    end = snx_mark_offset(w->tail);

    if (w->tail == snx_mark(w->epoch + 1, 0, 0)) {
        return SNX_DONE;        /* on its way to FREE */
    }

    if (snx_epoch(w->tail) != w->epoch || end > SNX_SEGMENT_DATA
        || w->offset > end)
    {
        return SNX_INVALID;
    }

    *left = end - w->offset;

    if (*left == 0) {
        return w->tail == snx_mark(w->epoch, w->records, end) ? SNX_DONE
                                                              : SNX_INVALID;
    }

    return *left < sizeof(snx_rechead_t) ? SNX_INVALID : SNX_OK;
}


snx_rc_t
snx_walk_next(snx_walk_t *w, snx_walk_rec_t *r)
{
    snx_rc_t  rc;
    uint32_t  left;
    uint64_t  head;

    rc = snx_walk_left(w, &left);

    if (rc != SNX_OK) {
        return rc;
    }

    r->rec = snx_segment_record(w->segment, w->offset);

    /* acquire: before DONE is seen, the consumer has read the payload */

    r->claim = atomic_load_explicit(&r->rec->claim, memory_order_acquire);
    head = atomic_load_explicit(&r->rec->head, memory_order_relaxed);

    r->kind = snx_rechead_kind(head);
    r->len = snx_rechead_len(head);
    r->offset = w->offset;

    if (snx_epoch(r->claim) != w->epoch
        || head != snx_rechead(w->epoch, r->kind, r->len)
        || r->len > left - sizeof(snx_rechead_t)
        || snx_rechead_step(r->len) > left)
    {
        return SNX_INVALID;
    }

    w->offset += snx_rechead_step(r->len);
    w->records++;

    return SNX_OK;
}


uint32_t
snx_queue_used(const snx_queue_t *queue)
{
    uint32_t  i, n, used;
    uint64_t  bits;

    n = snx_queue_count(queue);
    used = 0;

    for (i = 0; i < n; i += 64) {
        bits = atomic_load_explicit(&queue->used[i / 64],
                                    memory_order_relaxed);

        /* nobody repairs bits behind the last segment */

        if (n - i < 64) {
            bits &= (1ull << (n - i)) - 1;
        }

        used += (uint32_t) __builtin_popcountll(bits);
    }

    return used;
}


uint32_t
snx_queue_fill(const snx_queue_t *queue)
{
    uint32_t  n;

    n = snx_queue_count(queue);

    return (n == 0) ? 0 : (uint32_t) (snx_queue_used(queue) * 100ull / n);
}


/* Counts what is published and not done in one segment. */

static void
snx_queue_usage_one(snx_segment_t *segment, uint32_t epoch,
    snx_queue_usage_t *usage)
{
    snx_walk_t      w;
    snx_walk_rec_t  r;

    snx_walk_begin(&w, segment, epoch);

    while (snx_walk_next(&w, &r) == SNX_OK) {
        if (snx_low(r.claim) != SNX_CLAIM_DONE) {
            usage->pending++;
            usage->pending_bytes += r.len;
        }
    }
}


void
snx_queue_usage(const snx_queue_t *queue, snx_queue_usage_t *usage)
{
    uint32_t        i, k, n, pid, pids[SNX_USAGE_PIDS_N];
    uint64_t        state;
    snx_phase_t     phase;
    snx_segment_t  *segment;

    memset(usage, 0, sizeof(snx_queue_usage_t));

    n = snx_queue_count(queue);
    usage->segments = n;

    for (i = 0; i < n; i++) {
        segment = snx_queue_segment(queue, i);
        state = atomic_load_explicit(&segment->state, memory_order_acquire);
        phase = snx_state_phase(state);

        if (phase == SNX_PHASE_FREE) {
            continue;
        }

        usage->segments_used++;
        snx_queue_usage_one(segment, snx_epoch(state), usage);

        if (phase == SNX_PHASE_CLOSED) {
            continue;
        }

        pid = snx_state_pid(state);

        for (k = 0; k < usage->lanes && pids[k] != pid; k++) { /* void */ }

        if (k == usage->lanes && k < SNX_USAGE_PIDS_N) {
            pids[k] = pid;
            usage->lanes++;
        }
    }
}
