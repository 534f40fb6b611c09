
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: a queue of eight segments, an input as what its processes do:
 * three that write, two that read, sweeps, deaths, and memory that somebody
 * writes over.  Holds: each record comes once, whole, in its producer's
 * order; read + lost = written, also with damaged records; all segments are
 * free at the end.  Where any word may be damaged: no byte outside of the
 * queue is touched, and all that looks through it ends.
 */


#include "fuzz.h"
#include "snx_fields.h"
#include "snx_segment.h"


#define PRODUCERS_N            3
#define CONSUMERS_N            2
#define RECORDS_N              4096
#define HELD_N                 32
#define OPS_N                  2000
#define ROUNDS_MAX             (2 * SNX_SEGMENTS_MIN_N * SNX_SEGMENT_SIZE / 16)

#define PID(n)                 ((n) + 100)     /* of producers */
#define CONSUMER(n)            ((n) + 200)


/* What is known of a record that was written. */

typedef struct {
    snx_segment_t    *segment;
    uint32_t          epoch;
    uint32_t          offset;
    uint32_t          len;
    uint32_t          producer;
    unsigned          class:1;
    unsigned          read:1;      /* by somebody who has not given it back */
    unsigned          done:1;
} fuzz_record_t;


typedef struct {
    snx_queue_rec_t   rec;
    uint32_t          n;           /* of the record, RECORDS_N unknown */
    uint32_t          consumer;
} fuzz_held_t;


typedef struct {
    unsigned char        *mem;
    size_t                len;
    snx_queue_t          *queue;
    snx_lane_t            lanes[PRODUCERS_N];
    snx_queue_cursor_t    cursors[SNX_LANES_N];
    uint32_t              last[SNX_LANES_N][PRODUCERS_N];
    fuzz_held_t           held[HELD_N];
    uint32_t              nheld;
    uint32_t              written;
    uint32_t              done;
    uint64_t              lost;
    uint32_t              alive;   /* bits of pids */
    fuzz_record_t        *first[SNX_SEGMENTS_MIN_N];   /* damaged ones */
    unsigned              damaged:1;   /* heads of records */
    unsigned              claimed:1;   /* and what is behind was read */
    unsigned              late:1;      /* before what was counted */
    unsigned              wild:1;      /* any word */
} fuzz_queue_t;


static void act(fuzz_queue_t *q, fuzz_in_t *in);
static void put(fuzz_queue_t *q, fuzz_in_t *in);
static snx_rc_t next(fuzz_queue_t *q, uint32_t class, uint32_t consumer);
static void met(fuzz_queue_t *q, uint32_t class, fuzz_held_t *held);
static void drop(fuzz_queue_t *q, uint32_t i, int how);
static void kill_one(fuzz_queue_t *q, uint32_t who);
static fuzz_record_t **first(fuzz_queue_t *q, const fuzz_record_t *r);
static void damage(fuzz_queue_t *q, fuzz_in_t *in);
static void damage_any(fuzz_queue_t *q, fuzz_in_t *in);
static void damage_well(fuzz_queue_t *q, uint64_t word);
static void end(fuzz_queue_t *q);
static int alive(uint32_t pid, uint64_t start_ticks, void *data);


static fuzz_record_t  records[RECORDS_N];
static unsigned char  payload[SNX_PAYLOAD_MAX + 512];
static snx_fields_t   fields;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t       i;
    fuzz_in_t      in;
    fuzz_queue_t   q;

    static void   *mem;

    memset(&q, 0, sizeof(q));

    q.len = snx_queue_size(SNX_SEGMENTS_MIN_N * SNX_SEGMENT_SIZE);

    /* exact memory, for all runs */

    if (mem == NULL && posix_memalign(&mem, SNX_CACHE_LINE, q.len) != 0) {
        abort();
    }

    memset(mem, 0, q.len);

    in.p = data;
    in.left = size;

    q.mem = mem;
    q.queue = snx_queue_init(mem, q.len, (uint32_t) fuzz_word(&in, 2) - 2);
    q.alive = UINT32_MAX;

    require(q.queue != NULL && snx_queue_valid(mem, q.len), "a queue");

    for (i = 0; i < PRODUCERS_N; i++) {
        snx_lane_open(&q.lanes[i], q.queue, PID(i), 0);
    }

    for (i = 0; i < OPS_N && in.left != 0; i++) {
        act(&q, &in);
    }

    end(&q);

    return 0;
}


static void
act(fuzz_queue_t *q, fuzz_in_t *in)
{
    uint32_t           op, arg;
    snx_queue_usage_t  usage;

    op = fuzz_byte(in);
    arg = op >> 4;

    switch (op & 15) {

    case 0: case 1: case 2: case 3:
        put(q, in);
        break;

    case 4: case 5: case 6:
        (void) next(q, arg & 1, arg >> 1 & 1);
        break;

    case 7: case 8:
        drop(q, arg, 0);
        break;

    case 9:
        drop(q, arg, 1 + (int) (arg & 1));
        break;

    case 10:
        (void) snx_queue_sweep(q->queue, alive, q);
        break;

    case 11:
        kill_one(q, arg);
        break;

    case 12:
        memset(&q->cursors[arg & 1], 0, sizeof(snx_queue_cursor_t));
        memset(q->last[arg & 1], 0, sizeof(q->last[0]));
        break;

    case 13:
        damage(q, in);
        break;

    case 14:
        if (arg == 7) {
            damage_any(q, in);
        }

        break;

    default:
        snx_queue_usage(q->queue, &usage);

        require(usage.segments_used <= usage.segments
                && snx_queue_fill(q->queue) <= 100, "not more than there is");
        require(q->wild || usage.pending <= q->written, "pending ones");
        break;
    }
}


/* Record n begins with n. */

static void
put(fuzz_queue_t *q, fuzz_in_t *in)
{
    size_t              len;
    snx_rc_t            rc;
    uint32_t            what, n, p, class;
    snx_lane_open_t    *o;
    fuzz_record_t      *r;
    snx_queue_usage_t   usage;

    what = fuzz_byte(in);
    n = q->written;
    p = what % PRODUCERS_N;
    class = what >> 2 & 1;
    len = sizeof(n) + fuzz_byte(in) * (what & 8 ? 97 : 1);

    if (n == RECORDS_N) {
        return;
    }

    memset(payload, (int) (n % 251), len);
    memcpy(payload, &n, sizeof(n));

    rc = snx_lane_put(&q->lanes[p], class, (uint16_t) n, payload, len);

    require((rc == SNX_TOO_BIG) == (len > SNX_PAYLOAD_MAX), "too big");

    if (rc != SNX_OK) {
        snx_queue_usage(q->queue, &usage);

        require(rc != SNX_FULL || q->wild || class == SNX_LANE_BULK
                || usage.segments_used == usage.segments, "full");
        return;
    }

    o = &q->lanes[p].open[class];
    r = &records[n];

    memset(r, 0, sizeof(fuzz_record_t));

    r->len = (uint32_t) len;
    r->producer = p;
    r->class = class & 1;
    q->written++;

    /* only a wild word takes it away within put() */

    require(q->wild || o->segment != NULL, "a segment");

    if (o->segment != NULL) {
        r->segment = o->segment;
        r->epoch = snx_epoch(o->state);
        r->offset = o->offset - snx_rechead_step(r->len);
    }
}


static snx_rc_t
next(fuzz_queue_t *q, uint32_t class, uint32_t consumer)
{
    snx_rc_t      rc;
    uint32_t      lost;
    fuzz_held_t  *held;

    if (q->nheld == HELD_N) {
        drop(q, 0, 0);
    }

    held = &q->held[q->nheld];
    lost = 0;

    rc = snx_queue_next(q->queue, class, &q->cursors[class],
                        CONSUMER(consumer), &held->rec, &lost);

    if (rc == SNX_INVALID) {
        require(lost != 0 && (q->wild || q->damaged), "lost by damage");
        q->lost += lost;

    } else if (rc == SNX_OK) {
        held->consumer = consumer;
        q->nheld++;
        met(q, class, held);

    } else {
        memset(q->last[class], 0, sizeof(q->last[0]));
    }

    return rc;
}


static void
met(fuzz_queue_t *q, uint32_t class, fuzz_held_t *held)
{
    uint32_t        n, i;
    snx_str_t       data;
    fuzz_record_t  *r;

    data = held->rec.data;
    held->n = RECORDS_N;

    require(data.data > q->mem && data.len <= SNX_SEGMENT_DATA
            && data.data + data.len <= q->mem + q->len, "inside the queue");

    (void) snx_fields_read(&fields, data);

    if (q->wild) {
        return;
    }

    require(data.len >= sizeof(n), "as long as it was");
    memcpy(&n, data.data, sizeof(n));
    require(n < q->written, "one that was written");

    r = &records[n];
    held->n = n;

    require(data.len == r->len && held->rec.kind == (uint16_t) n
            && r->class == class, "the same");

    for (i = sizeof(n); i < r->len; i++) {
        require(data.data[i] == (unsigned char) (n % 251), "whole");
    }

    require(!r->read && !r->done, "once");
    require(n >= q->last[class][r->producer], "in order");

    q->last[class][r->producer] = n + 1;
    r->read = 1;

    if (*first(q, r) != NULL && (*first(q, r))->offset <= r->offset) {
        q->claimed = 1;
    }
}


/* The first record of the segment that is damaged. */

static fuzz_record_t **
first(fuzz_queue_t *q, const fuzz_record_t *r)
{
    fuzz_record_t  **f;

    f = &q->first[(size_t) (r->segment - snx_queue_segment(q->queue, 0))];

    if (*f != NULL && (*f)->epoch != r->epoch) {
        *f = NULL;
    }

    return f;
}


/* how: 0 done, 1 released, 2 released after a try, 3 forgotten. */

static void
drop(fuzz_queue_t *q, uint32_t i, int how)
{
    fuzz_held_t  held;

    if (i >= q->nheld) {
        return;
    }

    held = q->held[i];
    memmove(&q->held[i], &q->held[i + 1],
            (q->nheld - i - 1) * sizeof(fuzz_held_t));
    q->nheld--;

    if (how == 0) {
        snx_queue_done(&held.rec);

    } else if (how < 3) {
        snx_queue_release(&held.rec, how == 2);
    }

    if (held.n != RECORDS_N) {
        records[held.n].read = 0;
        records[held.n].done = (how == 0);
        q->done += (how == 0);
    }
}


/* A process dies; it is seen to be dead by one sweep, then comes again. */

static void
kill_one(fuzz_queue_t *q, uint32_t who)
{
    uint32_t  i, n;

    n = who % (PRODUCERS_N + CONSUMERS_N);

    if (n < PRODUCERS_N) {

        if (who & 8) {
            snx_lane_close(&q->lanes[n]);
        }

        q->alive &= ~(1u << n);
        (void) snx_queue_sweep(q->queue, alive, q);
        q->alive |= 1u << n;

        snx_lane_open(&q->lanes[n], q->queue, PID(n), who);
        return;
    }

    q->alive &= ~(1u << n);

    for (i = q->nheld; i != 0; i--) {
        if (q->held[i - 1].consumer == n - PRODUCERS_N) {
            drop(q, i - 1, 3);
        }
    }

    (void) snx_queue_sweep(q->queue, alive, q);
    q->alive |= 1u << n;
}


/*
 * The head of a record that is there becomes one that is wrong.  It and all
 * behind it in its segment are lost; those that were read are counted twice,
 * those before a damage that was counted not at all.
 */

static void
damage(fuzz_queue_t *q, fuzz_in_t *in)
{
    uint32_t        i, n;
    uint64_t        head, bad;
    fuzz_record_t  *r;
    snx_rechead_t  *rec;

    n = (uint32_t) fuzz_word(in, 2);
    bad = fuzz_word(in, 8);

    if (q->wild || q->written == 0) {
        return;
    }

    r = &records[n % q->written];
    rec = snx_segment_record(r->segment, r->offset);
    head = atomic_load(&rec->head);

    if (!snx_segment_still(r->segment, r->epoch)
        || head != snx_rechead(r->epoch, (uint16_t) (n % q->written), r->len)
        || bad == snx_rechead(r->epoch, snx_rechead_kind(bad),
                              snx_rechead_len(bad)))
    {
        return;
    }

    atomic_store(&rec->head, bad);
    q->damaged = 1;
    q->late |= snx_mark_broken(atomic_load(&r->segment->head), r->epoch) != 0;

    if (*first(q, r) == NULL || (*first(q, r))->offset > r->offset) {
        *first(q, r) = r;
    }

    for (i = 0; i < q->written; i++) {
        if (records[i].segment == r->segment && records[i].epoch == r->epoch
            && records[i].offset >= r->offset
            && (records[i].read || records[i].done))
        {
            q->claimed = 1;
        }
    }
}


/* Any word; but a number of segments that fits its check is believed. */

static void
damage_any(fuzz_queue_t *q, fuzz_in_t *in)
{
    size_t    at, n;
    uint64_t  word;

    at = (size_t) fuzz_word(in, 3) % (q->len / 8);
    n = fuzz_byte(in) + 1u;
    word = fuzz_word(in, 8);
    q->wild = 1;

    /* most of the memory is payload: now and then a segment's own words */

    if (n % 2 == 0) {
        at = (snx_queue_header_size(SNX_SEGMENTS_MIN_N)
              + at % SNX_SEGMENTS_MIN_N * SNX_SEGMENT_SIZE) / 8
             + at / SNX_SEGMENTS_MIN_N % 40;
        n = n % 4 == 2 ? 2 : 1;
    }

    if (n % 4 == 2) {
        damage_well(q, word);
        return;
    }

    for ( /* void */ ; n != 0 && at < q->len / 8; n--, at++) {
        memcpy(q->mem + at * 8, &word, 8);
    }

    if (snx_queue_count(q->queue) != SNX_SEGMENTS_MIN_N) {
        require(!snx_queue_valid(q->mem, q->len), "not valid");
    }

    if (snx_queue_count(q->queue) > SNX_SEGMENTS_MIN_N) {
        q->queue->nsegments = SNX_SEGMENTS_MIN_N;
        q->queue->nsegments_check = ~(uint32_t) SNX_SEGMENTS_MIN_N;
    }
}


/* A mark, or the head of the first record, which only its length betrays. */

static void
damage_well(fuzz_queue_t *q, uint64_t word)
{
    uint32_t        epoch;
    snx_segment_t  *segment;

    segment = snx_queue_segment(q->queue, word >> 60 & 7);
    epoch = snx_epoch(atomic_load(&segment->state));

    if (word >> 63) {
        atomic_store(&segment->tail, snx_word(epoch, (uint32_t) word));
    }

    if (word >> 59 & 1) {
        atomic_store(&snx_segment_record(segment, 0)->head,
                     snx_rechead(epoch, 1, (uint32_t) (word >> 32 & 0x3ffff)));
    }
}


/* All end, somebody else reads what is left, and the books are closed. */

static void
end(fuzz_queue_t *q)
{
    uint32_t           i, class, rounds;
    snx_queue_usage_t  usage;

    for (i = 0; i < PRODUCERS_N; i++) {
        snx_lane_close(&q->lanes[i]);
    }

    while (q->nheld != 0) {
        drop(q, 0, 1);
    }

    q->alive = 0;
    rounds = 0;

    for (i = 0; i < 3; i++) {
        (void) snx_queue_sweep(q->queue, alive, q);

        memset(q->cursors, 0, sizeof(q->cursors));
        memset(q->last, 0, sizeof(q->last));

        for (class = 0; class < SNX_LANES_N; class++) {
            while (next(q, class, 0) != SNX_DONE) {
                drop(q, 0, 0);
                require(rounds++ < ROUNDS_MAX, "an end");
            }
        }
    }

    (void) snx_queue_sweep(q->queue, alive, q);
    snx_queue_usage(q->queue, &usage);

    for (i = 0; i < PRODUCERS_N; i++) {
        (void) snx_queue_leave(q->queue, PID(i), alive, q);
    }

    if (q->wild) {
        return;
    }

    require(usage.segments_used == 0 && usage.pending == 0, "all is free");
    require(q->damaged || q->lost == 0, "nothing is lost");

    require(q->late || q->done + q->lost >= q->written,
            "nothing without a word");
    require(q->late || q->claimed || q->done + q->lost == q->written,
            "read + lost = written");
}


static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    fuzz_queue_t  *q;

    (void) start_ticks;

    q = data;

    if (pid >= PID(0) && pid < PID(PRODUCERS_N)) {
        return (int) (q->alive >> (pid - PID(0)) & 1);
    }

    if (pid >= CONSUMER(0) && pid < CONSUMER(CONSUMERS_N)) {
        return (int) (q->alive >> (PRODUCERS_N + pid - CONSUMER(0)) & 1);
    }

    return 0;
}
