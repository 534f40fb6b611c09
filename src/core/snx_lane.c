
/*
 * Copyright (C) ngx_sentry authors
 *
 * The producers' side of the queue.  Runs in nginx's event loop: no loop
 * here waits for anybody.
 *
 * What a producer knows about its segment is in private memory.  It writes
 * to shared words and takes only states and hints from there, so scribbled
 * memory cannot lead it out of its segment.
 */


#include "snx_segment.h"


/* Processes of one start have neighbouring pids: their homes are apart. */
#define SNX_LANE_SPREAD        61


static int snx_lane_enter(snx_lane_open_t *o, uint32_t step);
static void snx_lane_retire(snx_lane_open_t *o);
static snx_rc_t snx_lane_claim(snx_lane_t *lane, snx_lane_class_t class);
static int snx_lane_take(snx_lane_t *lane, snx_lane_class_t class,
    uint32_t i);
static void snx_lane_copy(_Atomic uint64_t *dst, const void *src,
    uint32_t len);
static void snx_lane_write(snx_lane_open_t *o, uint16_t kind, const void *p,
    uint32_t len);


void
snx_lane_open(snx_lane_t *lane, snx_queue_t *queue, uint32_t pid,
    uint64_t start_ticks)
{
    uint32_t  n;
    uint64_t  word;

    memset(lane, 0, sizeof(snx_lane_t));

    n = snx_queue_count(queue);

    lane->queue = queue;
    lane->pid = pid & SNX_PID_MASK;
    lane->home = (n == 0) ? 0 : lane->pid * SNX_LANE_SPREAD % n;

    snx_queue_disown(queue, lane->pid);

    /*
     * Noted before the first claim, so that a kill between claiming and
     * noting cannot happen.  Relaxed: one word, complete in itself.
     */

    word = start_ticks << SNX_PID_BITS | lane->pid;
    atomic_store_explicit(&queue->process[lane->pid % SNX_PROCESSES_N], word,
                          memory_order_relaxed);
}


void
snx_lane_close(snx_lane_t *lane)
{
    int  i;

    for (i = 0; i < SNX_LANES_N; i++) {
        snx_lane_retire(&lane->open[i]);
    }
}


/* Gives a segment back to be drained; somebody else may have done so. */

static void
snx_lane_retire(snx_lane_open_t *o)
{
    uint64_t  state;

    if (o->segment == NULL) {
        return;
    }

    state = o->state;
    (void) atomic_compare_exchange_strong_explicit(&o->segment->state, &state,
                            snx_state_to(state, SNX_PHASE_CLOSED),
                            memory_order_release, memory_order_relaxed);
    o->segment = NULL;
}


/* Makes the own segment BUSY if it has room for step bytes. */

static int
snx_lane_enter(snx_lane_open_t *o, uint32_t step)
{
    uint64_t  state, head;

    if (o->segment == NULL) {
        return 0;
    }

    head = atomic_load_explicit(&o->segment->head, memory_order_relaxed);

    if (step > SNX_SEGMENT_DATA - o->offset
        || snx_mark_broken(head, snx_epoch(o->state)))
    {
        snx_lane_retire(o);
        return 0;
    }

    /*
     * Acquire: nothing is written into the segment before it is known that
     * no sweep has taken it away.
     */

    state = o->state;

    if (!atomic_compare_exchange_strong_explicit(&o->segment->state, &state,
                            snx_state_to(state, SNX_PHASE_BUSY),
                            memory_order_acquire, memory_order_relaxed))
    {
        o->segment = NULL;
        return 0;
    }

    return 1;
}


/* Finds a free segment and makes it the lane's, BUSY and empty. */

static snx_rc_t
snx_lane_claim(snx_lane_t *lane, snx_lane_class_t class)
{
    size_t        k, words, word;
    uint32_t      i, n, nfree;
    uint64_t      bits;
    snx_queue_t  *queue;

    queue = lane->queue;
    n = snx_queue_count(queue);
    words = snx_queue_words(n);
    nfree = n - snx_queue_used(queue);

    if (nfree == 0 || (class == SNX_LANE_BULK && nfree < n / 4 + (n % 4 != 0)))
    {
        return SNX_FULL;
    }

    /*
     * From home on and around, its own word twice.  Not from where the last
     * one was: what was freed a moment ago is in memory and in caches, the
     * rest of a queue that is hardly used need not be.
     */

    for (k = 0; k <= words; k++) {
        word = (lane->home / 64 + k) % words;
        bits = ~atomic_load_explicit(&queue->used[word], memory_order_relaxed);
        bits &= (k == 0) ? UINT64_MAX << lane->home % 64 : UINT64_MAX;

        for (/* void */; bits != 0; bits &= bits - 1) {
            i = (uint32_t) (word * 64) + (uint32_t) __builtin_ctzll(bits);

            if (i < n && snx_lane_take(lane, class, i)) {
                return SNX_OK;
            }
        }
    }

    return SNX_FULL;
}


static int
snx_lane_take(snx_lane_t *lane, snx_lane_class_t class, uint32_t i)
{
    uint32_t          epoch;
    uint64_t          state, busy, seq;
    snx_segment_t    *segment;
    snx_lane_open_t  *o;

    segment = snx_queue_segment(lane->queue, i);
    state = atomic_load_explicit(&segment->state, memory_order_relaxed);
    epoch = snx_epoch(state);
    busy = snx_state(epoch, lane->pid, class, SNX_PHASE_BUSY);

    /* acquire: whoever freed it has read its records before */

    if (snx_state_phase(state) != SNX_PHASE_FREE
        || !atomic_compare_exchange_strong_explicit(&segment->state, &state,
                            busy, memory_order_acquire, memory_order_relaxed))
    {
        return 0;
    }

    /* a reader that meets bytes written below also meets the new state */

    atomic_thread_fence(memory_order_release);

    snx_queue_set_hint(lane->queue, i, 1);

    /*
     * Release: a pass whose limit is above seq sees all that this process
     * published in segments before.
     */

    seq = atomic_fetch_add_explicit(&lane->queue->next_seq, 1,
                                    memory_order_release);

    atomic_store_explicit(&segment->seq, seq, memory_order_relaxed);
    atomic_store_explicit(&segment->tail, snx_mark(epoch, 0, 0),
                          memory_order_relaxed);

    o = &lane->open[class];
    o->segment = segment;
    o->state = snx_state_to(busy, SNX_PHASE_OPEN);
    o->offset = 0;
    o->records = 0;

    return 1;
}


snx_rc_t
snx_lane_put(snx_lane_t *lane, snx_lane_class_t class, uint16_t kind,
    const void *p, size_t len)
{
    snx_rc_t          rc;
    snx_lane_open_t  *o;

    _Static_assert(SNX_PAYLOAD_MAX + sizeof(snx_rechead_t) == SNX_RECORD_MAX,
                   "a full payload must fit");

    if (len > SNX_PAYLOAD_MAX) {
        return SNX_TOO_BIG;
    }

    o = &lane->open[class];

    if (!snx_lane_enter(o, snx_rechead_step((uint32_t) len))) {
        rc = snx_lane_claim(lane, class);

        if (rc != SNX_OK) {
            return rc;
        }
    }

    snx_lane_write(o, kind, p, (uint32_t) len);

    return SNX_OK;
}


/*
 * A stale reader, who lost the lease and does not know it, may be copying
 * what stands here.  It takes words, finds the segment's epoch changed, and
 * drops them: no byte of them is looked at.  By the letter of C11 it races
 * with a memcpy() all the same; words here, too, would be by the letter, and
 * cost four times as much.  ThreadSanitizer is given the letter.
 */

#if defined(__SANITIZE_THREAD__)
#define SNX_LANE_WORDS  1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SNX_LANE_WORDS  1
#endif
#endif

static void
snx_lane_copy(_Atomic uint64_t *dst, const void *src, uint32_t len)
{
#if (SNX_LANE_WORDS)

    size_t                n;
    uint64_t              word;
    const unsigned char  *p;

    for (p = src; len != 0; p += n, len -= (uint32_t) n) {
        n = len < sizeof(word) ? len : sizeof(word);
        word = 0;
        memcpy(&word, p, n);
        atomic_store_explicit(dst++, word, memory_order_relaxed);
    }

#else

    memcpy((void *) dst, src, len);

#endif
}


/* The segment is BUSY and has room. */

static void
snx_lane_write(snx_lane_open_t *o, uint16_t kind, const void *p, uint32_t len)
{
    uint32_t        epoch;
    uint64_t        busy;
    snx_rechead_t  *rec;

    epoch = snx_epoch(o->state);
    rec = snx_segment_record(o->segment, o->offset);

    /* relaxed: nobody looks behind tail */

    atomic_store_explicit(&rec->claim, snx_word(epoch, 0),
                          memory_order_relaxed);
    atomic_store_explicit(&rec->head, snx_rechead(epoch, kind, len),
                          memory_order_relaxed);

    snx_lane_copy((_Atomic uint64_t *) (rec + 1), p, len);

    o->offset += snx_rechead_step(len);
    o->records++;

    /* publish */

    atomic_store_explicit(&o->segment->tail,
                          snx_mark(epoch, o->records, o->offset),
                          memory_order_release);

    /* release: a sweep that closes an OPEN segment knows its last tail */

    busy = snx_state_to(o->state, SNX_PHASE_BUSY);

    if (!atomic_compare_exchange_strong_explicit(&o->segment->state, &busy,
                            o->state, memory_order_release,
                            memory_order_relaxed))
    {
        o->segment = NULL;
    }
}
