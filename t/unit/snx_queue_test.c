
/*
 * Copyright (C) ngx_sentry authors
 *
 * The consumer's side: passes, claims, giving back, and damage.
 */


#include "lane_util.h"


#define SEGMENTS               8


static void test_claims(void);
static void test_release(void);
static void test_pass(void);
static void test_stale(void);
static void test_damage(void);
static void test_damaged_seq(void);
static void test_damaged_owner(void);
static void test_damaged_behind(void);


static snx_rc_t next(snx_queue_t *queue, snx_queue_cursor_t *cursor,
    uint32_t pid, snx_queue_rec_t *rec);
static uint32_t id(const snx_queue_rec_t *rec);


int
main(void)
{
    test_claims();
    test_release();
    test_pass();
    test_stale();
    test_damage();
    test_damaged_seq();
    test_damaged_owner();
    test_damaged_behind();

    return tap_done();
}


static snx_rc_t
next(snx_queue_t *queue, snx_queue_cursor_t *cursor, uint32_t pid,
    snx_queue_rec_t *rec)
{
    uint32_t  lost;

    return snx_queue_next(queue, SNX_LANE_ERRORS, cursor, pid, rec, &lost);
}


/* The number of an intact record, else 0. */

static uint32_t
id(const snx_queue_rec_t *rec)
{
    util_head_t  head;

    return util_intact(rec, &head) ? head.n : 0;
}


static void
test_claims(void)
{
    unsigned            i;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     a[3], b[3];
    snx_queue_cursor_t  ca, cb;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 1, 1);

    for (i = 1; i <= 6; i++) {
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, i, 100);
    }

    memset(&ca, 0, sizeof(ca));
    memset(&cb, 0, sizeof(cb));

    for (i = 0; i < 3; i++) {
        ok(next(queue, &ca, 11, &a[i]) == SNX_OK && id(&a[i]) == 2 * i + 1,
           "one consumer gets %u", 2 * i + 1);
        ok(next(queue, &cb, 12, &b[i]) == SNX_OK && id(&b[i]) == 2 * i + 2,
           "the other one %u", 2 * i + 2);
    }

    is_int(next(queue, &ca, 11, &a[0]), SNX_DONE, "no more");

    memset(&cb, 0, sizeof(cb));
    is_int(next(queue, &cb, 12, &b[0]), SNX_DONE, "all are claimed");

    util_queue_free(queue, SEGMENTS);
}


static void
test_release(void)
{
    unsigned            i;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec, other;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 0);
    snx_lane_open(&lane, queue, 1, 1);

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, 100);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 2, 100);

    memset(&cursor, 0, sizeof(cursor));
    (void) next(queue, &cursor, 9, &rec);
    is_int(rec.attempts, 0, "never tried");
    is_int(rec.kind, 1, "its kind");

    snx_queue_release(&rec, 0);
    (void) next(queue, &cursor, 9, &other);
    is_int(id(&other), 2, "a pass goes on");
    is_int(next(queue, &cursor, 9, &other), SNX_DONE, "to its end");

    (void) next(queue, &cursor, 9, &rec);
    is_int(id(&rec), 1, "the next pass finds what came back");
    is_int(rec.attempts, 0, "still never tried");

    for (i = 1; i <= 1100; i++) {
        snx_queue_release(&rec, 1);
        memset(&cursor, 0, sizeof(cursor));

        if (next(queue, &cursor, 9, &rec) != SNX_OK
            || rec.attempts != (i < 1000 ? i : 1000))
        {
            break;
        }
    }

    is_int(i, 1101, "attempts are counted, up to 1000");

    snx_queue_done(&rec);
    snx_queue_release(&rec, 1);
    memset(&cursor, 0, sizeof(cursor));
    is_int(next(queue, &cursor, 9, &rec), SNX_DONE, "done is done");

    util_queue_free(queue, SEGMENTS);
}


/*
 * A pass has left the segment a producer is filling; the producer fills it
 * up and goes on in another one.
 */

static void
test_pass(void)
{
    uint32_t            n, got;
    snx_lane_t          a, b;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    snx_lane_open(&b, queue, 2, 1);

    (void) util_put(&a, SNX_LANE_ERRORS, 1, 1, 10000);
    (void) util_put(&b, SNX_LANE_ERRORS, 2, 100, 10000);
    (void) util_put(&b, SNX_LANE_ERRORS, 2, 101, 10000);

    memset(&cursor, 0, sizeof(cursor));
    (void) next(queue, &cursor, 9, &rec);
    is_int(id(&rec), 1, "the first producer's");
    (void) next(queue, &cursor, 9, &rec);
    is_int(id(&rec), 100, "the second producer's");

    for (n = 2; n <= 6; n++) {
        (void) util_put(&a, SNX_LANE_ERRORS, 1, n, 10000);
    }

    (void) next(queue, &cursor, 9, &rec);
    is_int(id(&rec), 101, "the second one's second");
    is_int(next(queue, &cursor, 9, &rec), SNX_DONE,
           "a pass does not enter segments younger than itself");

    for (n = 2; n <= 6; n++) {
        got = next(queue, &cursor, 9, &rec) == SNX_OK ? id(&rec) : 0;
        ok(got == n, "then in order: %u", got);
    }

    is_int(next(queue, &cursor, 9, &rec), SNX_DONE, "end");

    util_queue_free(queue, SEGMENTS);
}


/* A consumer is taken for dead; its segment is used again. */

static void
test_stale(void)
{
    uint32_t            i, dead;
    util_list_t        *list;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec, none;
    snx_queue_cursor_t  cursor;

    for (i = 0; i < 3; i++) {
        queue = util_queue(SEGMENTS, UINT32_MAX);
        snx_lane_open(&lane, queue, 1, 1);
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, 100);
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, 2, 100);

        memset(&cursor, 0, sizeof(cursor));
        (void) next(queue, &cursor, 50, &rec);

        dead = 50;
        (void) snx_queue_sweep(queue, util_alive_but, &dead);

        list = util_drain(queue, 51);
        is_str(util_text(list), "1.1 1.2", "another consumer has it");

        is_int(snx_queue_sweep(queue, util_alive_but, &dead), 1, "freed");

        (void) util_put(&lane, SNX_LANE_ERRORS, 1, 3, 100);
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, 4, 100);
        ok(lane.open[SNX_LANE_ERRORS].segment == rec.segment,
           "and used again");

        switch (i) {

        case 0:
            snx_queue_done(&rec);
            break;

        case 1:
            snx_queue_release(&rec, 1);
            break;

        default:
            is_int(next(queue, &cursor, 50, &none), SNX_DONE,
                   "its pass ends");
            break;
        }

        list = util_drain(queue, 51);
        is_str(util_text(list), "1.3 1.4", "it changes nothing");

        util_queue_free(queue, SEGMENTS);
    }
}


/* One word of the first of two segments is overwritten. */

static void
test_damage(void)
{
    size_t             i;
    unsigned           n;
    util_list_t       *list;
    snx_lane_t         lane;
    snx_queue_t       *queue;
    snx_segment_t     *segment;
    _Atomic uint64_t  *word;

    static const struct {
        const char  *what;
        size_t       at;           /* in the segment */
        uint64_t     xor;
        const char  *expected;
    } tests[] = {
        { "the length of record 1", 128 + 8, 0x10,
          "1.4 broken=0 corrupt=1 lost=3" },
        { "the length of record 2", 128 + 1016 + 8, 0xffffffff,
          "1.1 1.4 broken=0 corrupt=1 lost=2" },
        { "the kind of record 3", 128 + 2032 + 8, 1ull << 32,
          "1.1 1.2 1.4 broken=0 corrupt=1 lost=1" },
        { "the check of record 3", 128 + 2032 + 8, 1ull << 63,
          "1.1 1.2 1.4 broken=0 corrupt=1 lost=1" },
        { "the claim's epoch", 128 + 1016, 1ull << 40,
          "1.1 1.4 broken=0 corrupt=1 lost=2" },
        { "tail, too short", 8, 8,
          "1.1 1.2 1.4 broken=0 corrupt=1 lost=1" },
        { "tail, too long", 8, 0x1000,
          "1.4 broken=0 corrupt=1 lost=3" },
        { "tail's count", 8, 0x10000,
          "1.1 1.2 1.3 1.4 broken=0 corrupt=1 lost=1" },
        { "tail's epoch", 8, 1ull << 35,
          "1.4 broken=0 corrupt=1 lost=1" },
        { "head's epoch", 64, 1ull << 35,
          "1.1 1.2 1.3 1.4" },
        { "the order", 16, 1ull << 60,
          "1.1 1.2 1.3 1.4" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        queue = util_queue(SEGMENTS, 7);
        snx_lane_open(&lane, queue, 1, 1);

        for (n = 1; n <= 3; n++) {
            (void) util_put(&lane, SNX_LANE_ERRORS, 1, n, 1000);
        }

        segment = lane.open[SNX_LANE_ERRORS].segment;
        snx_lane_close(&lane);
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, 4, 1000);

        word = (_Atomic uint64_t *) (void *)
                   ((unsigned char *) segment + tests[i].at);
        (void) atomic_fetch_xor(word, tests[i].xor);

        list = util_drain(queue, 9);
        is_str(util_text(list), tests[i].expected, tests[i].what);

        list = util_drain(queue, 9);
        is_str(util_text(list), "", "counted once");

        (void) snx_queue_sweep(queue, util_all_alive, NULL);
        ok(util_all_free(queue), "the segment is repaired by freeing it");

        util_queue_free(queue, SEGMENTS);
    }
}


/* Damaged order of two segments with the same number: both are drained. */

static void
test_damaged_seq(void)
{
    uint32_t      i;
    util_list_t  *list;
    snx_lane_t    lane;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 0, 1);

    for (i = 1; i <= 4; i++) {
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, i, 20000);
    }

    for (i = 0; i < SEGMENTS; i++) {
        atomic_store(&snx_queue_segment(queue, i)->seq, 3);
    }

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1 1.2 1.3 1.4", "equal numbers");

    for (i = 5; i <= 7; i++) {
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, i, 20000);
    }

    atomic_store(&queue->next_seq, 0);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.5 1.6 1.7", "no numbers");

    util_queue_free(queue, SEGMENTS);
}


/* A living producer leaves a damaged segment at its next record. */

static void
test_damaged_owner(void)
{
    util_list_t        *list;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 1, 1);

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, 100);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 2, 100);

    memset(&cursor, 0, sizeof(cursor));
    (void) next(queue, &cursor, 9, &rec);

    memset(lane.open[SNX_LANE_ERRORS].segment->data + 116, 0x5a, 16);

    list = util_drain(queue, 9);
    is_str(util_text(list), " broken=0 corrupt=1 lost=1", "damaged");

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 3, 100);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.3", "the next record is elsewhere");

    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    is_int(util_used(queue), 1, "a claimed record keeps the damaged segment");

    snx_queue_release(&rec, 1);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1", "and is found again");

    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    ok(util_all_free(queue), "then it is free");

    /* scribbling over what the owner knows better */

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 5, 100);
    atomic_store(&lane.open[SNX_LANE_ERRORS].segment->tail, UINT64_MAX);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 6, 100);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.5 1.6", "the owner repairs its tail");

    atomic_store(&lane.open[SNX_LANE_ERRORS].segment->state, UINT64_MAX);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 7, 100);

    list = util_drain(queue, 9);
    ok(list->n == 1 && list->id[0] == 7, "and leaves what is not its own");

    util_queue_free(queue, SEGMENTS);
}


/* A pass comes to damage: what it handed back before is damaged as well. */

static void
test_damaged_behind(void)
{
    uint32_t            i, lost;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 1, 1);

    for (i = 1; i <= 5; i++) {
        (void) util_put(&lane, SNX_LANE_ERRORS, 1, i, 100);
    }

    memset(&cursor, 0, sizeof(cursor));

    for (i = 1; i <= 3; i++) {
        (void) next(queue, &cursor, 9, &rec);

        if (i == 1) {
            snx_queue_done(&rec);

        } else {
            snx_queue_release(&rec, 0);
        }
    }

    memset(lane.open[SNX_LANE_ERRORS].segment->data + 116, 0x5a, 500);

    is_int(snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 9, &rec, &lost),
           SNX_INVALID, "damage");
    is_int(lost, 4, "all from the first damage on are lost");

    snx_lane_close(&lane);
    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    ok(util_all_free(queue), "and nothing is left of them");

    util_queue_free(queue, SEGMENTS);
}
