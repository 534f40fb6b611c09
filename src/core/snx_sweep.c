
/*
 * Copyright (C) ngx_sentry authors
 *
 * Housekeeping of the queue: takes back what dead processes hold and frees
 * what is drained.  Meant for the holder of the lease, correct beside a
 * former holder who has not noticed yet: every step is one swap that only
 * one of them can win.
 */


#include "snx_segment.h"


/* Who lives, with the last answer remembered. */

typedef struct {
    snx_queue_t    *queue;
    snx_alive_pt    alive;         /* NULL: all but gone live */
    void           *data;
    int             brief;         /* all live: what is not done stops it */
    uint32_t        gone;
    uint32_t        pid;           /* of the last answer, 0 none */
    int             lives;
} snx_census_t;


static int snx_census_lives(snx_census_t *census, uint32_t pid);
static uint32_t snx_sweep_segment(snx_census_t *census, uint32_t i);
static int snx_sweep_idle(snx_census_t *census, snx_walk_t *w,
    uint64_t *state);
static int snx_sweep_settle(snx_census_t *census, snx_walk_t *w,
    snx_segment_t *segment, uint32_t epoch);
static int snx_sweep_record(snx_census_t *census, const snx_walk_rec_t *r);
static void snx_sweep_advance(const snx_walk_t *w, uint64_t mark);
static int snx_sweep_close(snx_segment_t *segment, uint64_t *state);
static int snx_sweep_free(const snx_walk_t *w, uint64_t state);


static int
snx_census_lives(snx_census_t *census, uint32_t pid)
{
    uint64_t  word, ticks;

    if (census->alive == NULL) {
        return pid != census->gone;
    }

    if (pid == 0) {
        return 0;
    }

    if (pid != census->pid) {
        word = atomic_load_explicit(
                   &census->queue->process[pid % SNX_PROCESSES_N],
                   memory_order_relaxed);
        ticks = ((word & SNX_PID_MASK) == pid) ? word >> SNX_PID_BITS : 0;

        census->pid = pid;
        census->lives = census->alive(pid, ticks, census->data);
    }

    return census->lives;
}


uint32_t
snx_queue_sweep(snx_queue_t *queue, snx_alive_pt alive, void *data)
{
    uint32_t      i, n, freed;
    snx_census_t  census;

    memset(&census, 0, sizeof(snx_census_t));

    census.queue = queue;
    census.alive = alive;
    census.data = data;
    census.brief = alive == NULL;

    n = snx_queue_count(queue);
    freed = 0;

    for (i = 0; i < n; i++) {
        freed += snx_sweep_segment(&census, i);
    }

    return freed;
}


void
snx_queue_disown(snx_queue_t *queue, uint32_t pid)
{
    uint32_t      i, n;
    snx_census_t  census;

    memset(&census, 0, sizeof(snx_census_t));

    census.queue = queue;
    census.gone = pid;

    n = snx_queue_count(queue);

    for (i = 0; i < n; i++) {
        (void) snx_sweep_segment(&census, i);
    }
}


/* Returns 1 when the segment was freed. */

static uint32_t
snx_sweep_segment(snx_census_t *census, uint32_t i)
{
    int             used;
    uint64_t        state;
    snx_walk_t      w;
    snx_segment_t  *segment;

    segment = snx_queue_segment(census->queue, i);

    /* acquire: with OPEN and CLOSED comes the owner's last tail */

    state = atomic_load_explicit(&segment->state, memory_order_acquire);
    used = snx_state_phase(state) != SNX_PHASE_FREE;

    if (used != snx_queue_hint(census->queue, i)) {
        snx_queue_set_hint(census->queue, i, used);
    }

    if (!used) {
        return 0;
    }

    if (snx_state_phase(state) != SNX_PHASE_CLOSED
        && !snx_census_lives(census, snx_state_pid(state))
        && !snx_sweep_close(segment, &state))
    {
        return 0;
    }

    if (!snx_sweep_settle(census, &w, segment, snx_epoch(state))
        || !snx_sweep_idle(census, &w, &state)
        || !snx_sweep_free(&w, state))
    {
        return 0;
    }

    snx_queue_set_hint(census->queue, i, 0);

    return 1;
}


/*
 * All in the segment is done: takes it from an owner that is not writing.
 * Returns whether it is CLOSED and still all is done.
 */

static int
snx_sweep_idle(snx_census_t *census, snx_walk_t *w, uint64_t *state)
{
    if (snx_state_phase(*state) == SNX_PHASE_CLOSED) {
        return 1;
    }

    if (snx_state_phase(*state) == SNX_PHASE_BUSY
        || !snx_sweep_close(w->segment, state))
    {
        return 0;
    }

    /* the owner may have written more until it lost the segment here */

    return snx_sweep_settle(census, w, w->segment, w->epoch);
}


/*
 * Takes claims of the dead back and moves head over what is done.  Returns 1
 * when nothing is left to be done in the segment.
 */

static int
snx_sweep_settle(snx_census_t *census, snx_walk_t *w, snx_segment_t *segment,
    uint32_t epoch)
{
    int             settled;
    snx_rc_t        rc;
    uint64_t        head, mark;
    snx_walk_rec_t  r;

    snx_walk_begin(w, segment, epoch);

    settled = 1;
    mark = snx_mark(w->epoch, w->records, w->offset);

    while ((rc = snx_walk_next(w, &r)) == SNX_OK) {
        settled &= snx_sweep_record(census, &r);

        if (settled) {
            mark = snx_mark(w->epoch, w->records, w->offset);

        } else if (census->brief) {
            break;
        }
    }

    snx_sweep_advance(w, mark);

    if (rc == SNX_INVALID) {

        /* until the loss is counted the segment stays */

        head = atomic_load_explicit(&w->segment->head, memory_order_relaxed);
        settled &= snx_mark_broken(head, w->epoch);
    }

    /* so that the tail read was of this epoch, however damaged */

    return settled && snx_segment_still(w->segment, w->epoch);
}


/* Whether the record is done. */

static int
snx_sweep_record(snx_census_t *census, const snx_walk_rec_t *r)
{
    uint32_t  pid;
    uint64_t  claim;

    if (snx_low(r->claim) == SNX_CLAIM_DONE) {
        return 1;
    }

    pid = snx_low(r->claim) & SNX_PID_MASK;

    if (pid != 0 && !snx_census_lives(census, pid)) {

        /* relaxed: the payload is as its producer published it */

        claim = r->claim;
        (void) atomic_compare_exchange_strong_explicit(&r->rec->claim, &claim,
                            snx_claim_again(claim, 1), memory_order_relaxed,
                            memory_order_relaxed);
    }

    return 0;
}


/* Moves head to mark; the bit that tells of losses stays. */

static void
snx_sweep_advance(const snx_walk_t *w, uint64_t mark)
{
    uint64_t  head;

    head = atomic_load_explicit(&w->segment->head, memory_order_relaxed);

    if (snx_mark_broken(head, w->epoch)) {
        mark |= SNX_MARK_BROKEN;
    }

    /* a head of a later epoch would be overwritten */

    if (head == mark || !snx_segment_still(w->segment, w->epoch)) {
        return;
    }

    /* release: all before mark was seen to be done; losing is harmless */

    (void) atomic_compare_exchange_strong_explicit(&w->segment->head, &head,
                            mark, memory_order_release, memory_order_relaxed);
}


static int
snx_sweep_close(snx_segment_t *segment, uint64_t *state)
{
    uint64_t  closed, expected;

    expected = *state;
    closed = snx_state_to(expected, SNX_PHASE_CLOSED);

    /* acquire: the owner's last tail */

    if (!atomic_compare_exchange_strong_explicit(&segment->state, &expected,
                            closed, memory_order_acquire,
                            memory_order_relaxed))
    {
        return 0;
    }

    *state = closed;

    return 1;
}


/*
 * The segment is CLOSED and all in it is done.  The first swap compares with
 * the tail that was walked: once somebody else has freed the segment it
 * fails, or finds its work done.
 */

static int
snx_sweep_free(const snx_walk_t *w, uint64_t state)
{
    uint64_t  tail, empty;

    tail = w->tail;
    empty = snx_mark(w->epoch + 1, 0, 0);

    if (tail != empty
        && !atomic_compare_exchange_strong_explicit(&w->segment->tail, &tail,
                            empty, memory_order_relaxed,
                            memory_order_relaxed))
    {
        return 0;
    }

    /* release: what was read here was read before it is written again */

    return atomic_compare_exchange_strong_explicit(&w->segment->state, &state,
                            empty, memory_order_release,
                            memory_order_relaxed);
}
