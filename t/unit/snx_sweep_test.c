
/*
 * Copyright (C) ngx_sentry authors
 *
 * Housekeeping: dead producers, dead consumers, reused pids, segments that
 * somebody was killed while freeing.
 */


#include "lane_util.h"


#define SEGMENTS               8


/* Processes that live, by pid. */

typedef struct {
    uint32_t   pid;
    uint64_t   ticks;
    unsigned   asked;
} person_t;


static void test_dead_producer(void);
static void test_dead_consumer(void);
static void test_reused_pid(void);
static void test_phases(void);
static void test_idle(void);
static void test_hints(void);
static void test_brief(void);
static void test_head(void);

static int alive(uint32_t pid, uint64_t start_ticks, void *data);


int
main(void)
{
    test_dead_producer();
    test_dead_consumer();
    test_reused_pid();
    test_phases();
    test_idle();
    test_hints();
    test_brief();
    test_head();

    return tap_done();
}


/* data: persons, ended by pid 0. */

static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    person_t  *p;

    for (p = data; p->pid != 0; p++) {
        if (p->pid == pid) {
            p->asked++;
            return start_ticks == 0 || start_ticks == p->ticks;
        }
    }

    p->asked++;

    return 0;
}


static void
test_dead_producer(void)
{
    unsigned      n;
    util_list_t  *list;
    snx_lane_t    a, b;
    snx_queue_t  *queue;
    person_t      people[] = { { 1, 1, 0 }, { 0, 0, 0 } };

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    snx_lane_open(&b, queue, 2, 1);

    for (n = 1; n <= 4; n++) {
        (void) util_put(&a, SNX_LANE_ERRORS, 1, n, 15000);
        (void) util_put(&b, SNX_LANE_ERRORS, 2, n, 15000);
    }

    is_int(snx_queue_sweep(queue, alive, people), 0, "nothing to free");
    is_int(people[0].asked + people[1].asked, 2,
           "one question per open segment");

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1 1.2 2.1 2.2 1.3 1.4 2.3 2.4",
           "the records of the dead are there");

    is_int(snx_queue_sweep(queue, alive, people), 4, "then all are free");
    ok(util_all_free(queue), "really");

    util_queue_free(queue, SEGMENTS);
}


static void
test_dead_consumer(void)
{
    uint32_t            lost;
    unsigned            i;
    util_list_t        *list;
    snx_lane_t          a;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec[3], again;
    snx_queue_cursor_t  cursor;
    person_t            people[] = { { 1, 1, 0 }, { 51, 1, 0 }, { 0, 0, 0 } };

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);

    for (i = 1; i <= 4; i++) {
        (void) util_put(&a, SNX_LANE_ERRORS, 1, i, 1000);
    }

    memset(&cursor, 0, sizeof(cursor));

    for (i = 0; i < 3; i++) {
        (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor,
                              i == 2 ? 51 : 50, &rec[i], &lost);
    }

    (void) snx_queue_sweep(queue, alive, people);
    is_int(people[2].asked, 1, "asked once for two claims in a row");

    memset(&cursor, 0, sizeof(cursor));
    (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 52, &again, &lost);

    is_int(again.attempts, 1, "what was held by the dead counts as tried");
    snx_queue_release(&again, 0);

    list = util_drain(queue, 52);
    is_str(util_text(list), "1.1 1.2 1.4",
           "its claims are taken back, those of the living not");

    is_int(snx_queue_sweep(queue, alive, people), 0,
           "a claim keeps the segment");

    snx_queue_done(&rec[0]);
    snx_queue_done(&rec[2]);

    is_int(snx_queue_sweep(queue, alive, people), 1, "until it is done");

    util_queue_free(queue, SEGMENTS);
}


/* The pid of a dead process is somebody else's now. */

static void
test_reused_pid(void)
{
    uint32_t            lost;
    util_list_t        *list;
    snx_lane_t          a;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;
    person_t            same[] = { { 1000, 5, 0 }, { 0, 0, 0 } };
    person_t            other[] = { { 1000, 6, 0 }, { 0, 0, 0 } };

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1000, 5);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 1, 1000);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 2, 1000);

    memset(&cursor, 0, sizeof(cursor));
    (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 1000, &rec, &lost);

    (void) snx_queue_sweep(queue, alive, same);
    list = util_drain(queue, 9);
    is_str(util_text(list), "1.2", "the process itself keeps its claim");

    (void) snx_queue_sweep(queue, alive, other);
    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1", "a process that began later does not");

    is_int(snx_queue_sweep(queue, alive, other), 1, "nor the segment");

    /* the note was overwritten: then the pid alone decides */

    (void) util_put(&a, SNX_LANE_ERRORS, 1, 3, 1000);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 4, 1000);
    atomic_store(&queue->process[1000], 5ull << SNX_PID_BITS | 2024);

    memset(&cursor, 0, sizeof(cursor));
    (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 1000, &rec, &lost);
    (void) snx_queue_sweep(queue, alive, other);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.4", "unknown start time: the pid decides");

    util_queue_free(queue, SEGMENTS);
}


/* What a kill can leave behind, by hand. */

static void
test_phases(void)
{
    size_t          i;
    uint32_t        epoch;
    snx_lane_t      lane;
    snx_queue_t    *queue;
    snx_segment_t  *segment;

    static const struct {
        const char   *what;
        snx_phase_t   phase;
        uint64_t      tail_epoch;  /* added to the segment's */
        uint32_t      freed;
    } tests[] = {
        { "claimed, nothing published", SNX_PHASE_BUSY, 0, 1 },
        { "open and empty", SNX_PHASE_OPEN, 0, 1 },
        { "closed and empty", SNX_PHASE_CLOSED, 0, 1 },
        { "tail emptied, not yet free", SNX_PHASE_CLOSED, 1, 1 },
        { "of another epoch, not counted", SNX_PHASE_CLOSED, 2, 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        queue = util_queue(SEGMENTS, UINT32_MAX);
        segment = snx_queue_segment(queue, 0);
        epoch = snx_epoch(atomic_load(&segment->state));

        atomic_store(&segment->state,
                     snx_state(epoch, 77, SNX_LANE_ERRORS, tests[i].phase));
        atomic_store(&segment->tail,
                     snx_mark(epoch + (uint32_t) tests[i].tail_epoch, 0, 0));

        is_int(snx_queue_sweep(queue, util_none_alive, NULL), tests[i].freed,
               tests[i].what);

        if (tests[i].freed) {
            ok(util_all_free(queue)
               && snx_epoch(atomic_load(&segment->state)) == epoch + 1,
               "free, of the next epoch");

            snx_lane_open(&lane, queue, 8, 1);
            (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, 100);
            is_str(util_text(util_drain(queue, 9)), "1.1", "and of use");
        }

        util_queue_free(queue, SEGMENTS);
    }
}


static void
test_idle(void)
{
    snx_lane_t    a;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);

    (void) util_put(&a, SNX_LANE_ERRORS, 1, 1, 100);
    is_int(snx_queue_sweep(queue, util_all_alive, NULL), 0,
           "the segment of a living producer stays");

    (void) util_drain(queue, 9);
    is_int(snx_queue_sweep(queue, util_all_alive, NULL), 1,
           "until it is drained");

    (void) util_put(&a, SNX_LANE_ERRORS, 1, 2, 100);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 3, 100);
    is_int(util_used(queue), 1, "then the producer takes another one");
    is_str(util_text(util_drain(queue, 9)), "1.2 1.3", "for its next records");

    /* between the two swaps of a put */

    atomic_store(&a.open[0].segment->state,
                 snx_state_to(a.open[0].state, SNX_PHASE_BUSY));
    is_int(snx_queue_sweep(queue, util_all_alive, NULL), 0,
           "not while a record is being written");

    util_queue_free(queue, SEGMENTS);
}


static void
test_hints(void)
{
    unsigned      i;
    snx_lane_t    a;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 1, 20000);

    memset((void *) &queue->used[0], 0xff, 8);
    is_int(util_put(&a, SNX_LANE_ERRORS, 1, 2, 20000), SNX_FULL,
           "free segments with wrong hints are not found");

    (void) snx_queue_sweep(queue, util_all_alive, NULL);

    for (i = 2; i <= 8; i++) {
        is_int(util_put(&a, SNX_LANE_ERRORS, 1, i, 20000), SNX_OK,
               "but after a sweep they are");
    }

    memset((void *) &queue->used[0], 0, 8);
    is_int(util_put(&a, SNX_LANE_ERRORS, 1, 9, 20000), SNX_FULL,
           "a hint makes nothing free");

    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    is_int(snx_queue_fill(queue), 100, "fill is right again");
    is_int(util_drain(queue, 9)->n, 8, "all are there");

    util_queue_free(queue, SEGMENTS);
}


/* Without a question who lives: the dead keep what they have. */

static void
test_brief(void)
{
    uint32_t            i, lost;
    snx_lane_t          a;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec[3];
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    memset(&cursor, 0, sizeof(cursor));

    for (i = 0; i < 3; i++) {
        (void) util_put(&a, SNX_LANE_ERRORS, 1, i, 104);
        (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 9, &rec[i],
                              &lost);
    }

    snx_queue_done(&rec[0]);
    snx_queue_done(&rec[2]);

    is_int(snx_queue_sweep(queue, NULL, NULL), 0, "brief: one is not done");
    is_int(snx_mark_offset(atomic_load(&a.open[0].segment->head)), 120,
           "brief: head is before it");
    is_int(util_drain(queue, 8)->n, 0, "brief: it stays claimed");

    (void) snx_queue_sweep(queue, util_none_alive, NULL);
    is_str(util_text(util_drain(queue, 8)), "1.1", "which its death ends");
    is_int(snx_queue_sweep(queue, NULL, NULL), 1, "brief: all is done");
    is_int(util_used(queue), 0, "brief: and free");

    util_queue_free(queue, SEGMENTS);
}


static void
test_head(void)
{
    uint32_t            lost;
    unsigned            i;
    snx_lane_t          a;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec[6];
    snx_queue_usage_t   usage;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    memset(&cursor, 0, sizeof(cursor));

    for (i = 0; i < 6; i++) {
        (void) util_put(&a, SNX_LANE_ERRORS, 1, i, 104);
        (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 9, &rec[i],
                              &lost);
    }

    snx_queue_done(&rec[0]);
    snx_queue_done(&rec[1]);
    snx_queue_done(&rec[3]);
    snx_queue_release(&rec[4], 0);
    (void) snx_queue_sweep(queue, util_all_alive, NULL);

    is_int(snx_mark_offset(atomic_load(&a.open[0].segment->head)), 240,
           "head is behind what is done without a gap");

    snx_queue_usage(queue, &usage);
    is_int(usage.pending, 3, "three are pending");
    is_int(usage.pending_bytes, 312, "of 104 bytes each");
    is_int(usage.lanes, 1, "of one producer");

    snx_queue_done(&rec[2]);
    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    is_int(snx_mark_offset(atomic_load(&a.open[0].segment->head)), 480,
           "and moves on");

    is_str(util_text(util_drain(queue, 9)), "1.4", "what came back is found");

    util_queue_free(queue, SEGMENTS);
}
