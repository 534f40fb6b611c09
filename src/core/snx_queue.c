
/*
 * Copyright (C) ngx_sentry authors
 *
 * The consumers' side of the queue: passes and claims.
 *
 * A consumer may be stopped between any two instructions and go on after its
 * segment was freed and filled anew.  So it changes shared words by swaps
 * that carry the epoch, and takes what it read for damage only when the
 * segment still has the epoch it had before.
 */


#include "snx_segment.h"


static int snx_queue_pick(snx_queue_t *queue, snx_lane_class_t class,
    snx_queue_cursor_t *cursor);
static int snx_queue_look(const snx_queue_t *queue, snx_lane_class_t class,
    uint32_t i, uint64_t limit, uint32_t *epoch, uint64_t *seq);
static uint64_t snx_queue_seq(const snx_queue_t *queue,
    const snx_segment_t *segment, uint64_t limit);
static snx_rc_t snx_queue_visit(snx_queue_t *queue,
    snx_queue_cursor_t *cursor, uint32_t pid, snx_queue_rec_t *rec,
    uint32_t *lost);
static int snx_queue_claim(const snx_walk_t *w, const snx_walk_rec_t *r,
    uint32_t pid, snx_queue_rec_t *rec);
static snx_rc_t snx_queue_break(snx_walk_t *w, uint32_t *lost);


snx_rc_t
snx_queue_next(snx_queue_t *queue, snx_lane_class_t class,
    snx_queue_cursor_t *cursor, uint32_t pid, snx_queue_rec_t *rec,
    uint32_t *lost)
{
    snx_rc_t  rc;

    if (cursor->limit == 0) {

        /* acquire: pairs with the numbering in snx_lane_take() */

        cursor->limit = atomic_load_explicit(&queue->next_seq,
                                             memory_order_acquire);
        cursor->limit += (cursor->limit == 0);
    }

    for ( ;; ) {
        if (cursor->inside) {
            rc = snx_queue_visit(queue, cursor, pid, rec, lost);

            if (rc == SNX_OK) {
                return SNX_OK;
            }

            cursor->inside = 0;
            cursor->segment++;

            if (rc == SNX_INVALID) {
                return SNX_INVALID;
            }
        }

        if (!snx_queue_pick(queue, class, cursor)) {
            memset(cursor, 0, sizeof(snx_queue_cursor_t));
            return SNX_DONE;
        }
    }
}


/*
 * The number of the segment; 0 when there is no such number: then the
 * segment is damaged and comes first, rather than never.
 */

static uint64_t
snx_queue_seq(const snx_queue_t *queue, const snx_segment_t *segment,
    uint64_t limit)
{
    uint64_t  seq, next;

    seq = atomic_load_explicit(&segment->seq, memory_order_relaxed);

    if (seq < limit) {
        return seq;
    }

    /* relaxed: tail was acquired, so next_seq went beyond seq before */

    next = atomic_load_explicit(&queue->next_seq, memory_order_relaxed);

    return (seq < next) ? seq : 0;
}


/* Whether the segment may hold something for a pass, its epoch and number. */

static int
snx_queue_look(const snx_queue_t *queue, snx_lane_class_t class, uint32_t i,
    uint64_t limit, uint32_t *epoch, uint64_t *seq)
{
    uint64_t        state, tail, head;
    snx_segment_t  *segment;

    segment = snx_queue_segment(queue, i);
    state = atomic_load_explicit(&segment->state, memory_order_acquire);

    if (snx_state_phase(state) == SNX_PHASE_FREE
        || snx_state_class(state) != class)
    {
        return 0;
    }

    /* acquire: seq was written before the first record was published */

    tail = atomic_load_explicit(&segment->tail, memory_order_acquire);
    head = atomic_load_explicit(&segment->head, memory_order_relaxed);

    *epoch = snx_epoch(state);
    *seq = snx_queue_seq(queue, segment, limit);

    return tail != snx_mark(*epoch, 0, 0) && tail != head;
}


/* Moves the cursor to the next segment in order, equal numbers by index. */

static int
snx_queue_pick(snx_queue_t *queue, snx_lane_class_t class,
    snx_queue_cursor_t *cursor)
{
    uint32_t  i, n, best, epoch;
    uint64_t  seq, best_seq;

    n = snx_queue_count(queue);
    best = n;
    best_seq = cursor->limit;

    for (i = 0; i < n; i++) {
        if (snx_queue_look(queue, class, i, cursor->limit, &epoch, &seq)
            && seq < best_seq
            && (seq > cursor->seq
                || (seq == cursor->seq && i >= cursor->segment)))
        {
            best = i;
            best_seq = seq;
            cursor->epoch = epoch;
        }
    }

    if (best == n) {
        return 0;
    }

    cursor->seq = best_seq;
    cursor->segment = best;
    cursor->inside = 1;
    cursor->offset = 0;
    cursor->records = 0;

    return 1;
}


/* Claims the next record of the cursor's segment. */

static snx_rc_t
snx_queue_visit(snx_queue_t *queue, snx_queue_cursor_t *cursor, uint32_t pid,
    snx_queue_rec_t *rec, uint32_t *lost)
{
    snx_rc_t         rc;
    snx_walk_t       w;
    snx_segment_t   *segment;
    snx_walk_rec_t   r;

    if (cursor->segment >= snx_queue_count(queue)) {
        return SNX_DONE;
    }

    segment = snx_queue_segment(queue, cursor->segment);

    if (!snx_segment_still(segment, cursor->epoch)) {
        return SNX_DONE;
    }

    snx_walk_begin(&w, segment, cursor->epoch);

    if (cursor->offset > w.offset) {
        w.offset = cursor->offset;
        w.records = cursor->records;
    }

    do {
        rc = snx_walk_next(&w, &r);

        if (rc != SNX_OK) {
            return (rc == SNX_INVALID) ? snx_queue_break(&w, lost) : rc;
        }

        cursor->offset = w.offset;
        cursor->records = w.records;

    } while (!snx_queue_claim(&w, &r, pid, rec));

    return SNX_OK;
}


static int
snx_queue_claim(const snx_walk_t *w, const snx_walk_rec_t *r, uint32_t pid,
    snx_queue_rec_t *rec)
{
    uint64_t  claim, mine;

    claim = r->claim;
    mine = claim | (pid & SNX_PID_MASK);

    if ((claim & SNX_PID_MASK) != 0) {
        return 0;               /* claimed or done */
    }

    /* acquire: the check below comes after the swap */

    if (!atomic_compare_exchange_strong_explicit(&r->rec->claim, &claim, mine,
                            memory_order_acquire, memory_order_relaxed))
    {
        return 0;
    }

    /*
     * A claimed record keeps its segment from being freed.  If it was freed
     * before, the swap met bytes of a payload that happened to look alike.
     */

    if (!snx_segment_still(w->segment, w->epoch)) {
        (void) atomic_compare_exchange_strong_explicit(&r->rec->claim, &mine,
                            claim, memory_order_relaxed, memory_order_relaxed);
        return 0;
    }

    rec->segment = w->segment;
    rec->claim = mine;
    rec->offset = r->offset;
    rec->kind = r->kind;
    rec->attempts = (uint16_t) (snx_low(mine) >> SNX_PID_BITS);
    rec->data = snx_str(r->rec + 1, r->len);

    return 1;
}


/*
 * The records from the first damage on are lost, which may be before the
 * walk's place: a pass does not look again at what it handed back.
 * SNX_INVALID to the one who marks the segment, so that they are counted
 * once, else SNX_DONE.
 */

static snx_rc_t
snx_queue_break(snx_walk_t *w, uint32_t *lost)
{
    uint32_t        records;
    uint64_t        head, marked;
    snx_walk_rec_t  r;

    head = atomic_load_explicit(&w->segment->head, memory_order_relaxed);

    do {
        if (snx_mark_broken(head, w->epoch)
            || !snx_segment_still(w->segment, w->epoch))
        {
            return SNX_DONE;
        }

        marked = (snx_epoch(head) == w->epoch) ? head
                                               : snx_mark(w->epoch, 0, 0);
        marked |= SNX_MARK_BROKEN;

    } while (!atomic_compare_exchange_weak_explicit(&w->segment->head, &head,
                            marked, memory_order_relaxed,
                            memory_order_relaxed));

    snx_walk_begin(w, w->segment, w->epoch);

    while (snx_walk_next(w, &r) == SNX_OK) { /* void */ }

    records = snx_mark_records(w->tail);
    *lost = 1;

    if (snx_epoch(w->tail) == w->epoch && records > w->records
        && records <= SNX_SEGMENT_DATA / sizeof(snx_rechead_t))
    {
        *lost = records - w->records;
    }

    return SNX_INVALID;
}


void
snx_queue_done(const snx_queue_rec_t *rec)
{
    uint64_t        claim;
    snx_rechead_t  *head;

    claim = rec->claim;
    head = snx_segment_record(rec->segment, rec->offset);

    /* release: the payload was read before the segment can be reused */

    (void) atomic_compare_exchange_strong_explicit(&head->claim, &claim,
                            claim | SNX_CLAIM_DONE, memory_order_release,
                            memory_order_relaxed);
}


void
snx_queue_release(const snx_queue_rec_t *rec, int tried)
{
    uint64_t        claim;
    snx_rechead_t  *head;

    claim = rec->claim;
    head = snx_segment_record(rec->segment, rec->offset);

    (void) atomic_compare_exchange_strong_explicit(&head->claim, &claim,
                            snx_claim_again(claim, tried),
                            memory_order_release, memory_order_relaxed);
}
