
/*
 * Copyright (C) ngx_sentry authors
 *
 * The producer's side: what is published, refused and given back.
 */


#include "lane_util.h"


#define SEGMENTS               8


static void test_sizes(void);
static void test_put(void);
static void test_order(void);
static void test_full(void);
static void test_bulk(void);
static void test_many_producers(void);
static void test_namesake(void);
static void test_close(void);
static void test_reuse(void);


int
main(void)
{
    test_sizes();
    test_put();
    test_order();
    test_full();
    test_bulk();
    test_many_producers();
    test_namesake();
    test_close();
    test_reuse();

    return tap_done();
}


static void
test_sizes(void)
{
    size_t              i;
    snx_rc_t            rc;
    uint32_t            lost;
    snx_lane_t          lane;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    static unsigned char  big[SNX_RECORD_MAX];

    static const struct {
        size_t    len;
        snx_rc_t  rc;
    } tests[] = {
        { 0, SNX_OK },
        { 1, SNX_OK },
        { 7, SNX_OK },
        { 8, SNX_OK },
        { 9, SNX_OK },
        { SNX_RECORD_MAX - 16, SNX_OK },
        { SNX_RECORD_MAX - 15, SNX_TOO_BIG },
        { SNX_RECORD_MAX, SNX_TOO_BIG },
        { SIZE_MAX, SNX_TOO_BIG },
        { (size_t) UINT32_MAX + 1, SNX_TOO_BIG },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        queue = util_queue(SEGMENTS, 7);
        snx_lane_open(&lane, queue, 1, 1);

        rc = snx_lane_put(&lane, SNX_LANE_ERRORS, 9, big, tests[i].len);
        ok(rc == tests[i].rc, "put %zu bytes: %d", tests[i].len, (int) rc);

        memset(&cursor, 0, sizeof(cursor));
        rc = snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 2, &rec, &lost);

        ok(rc == (tests[i].rc == SNX_OK ? SNX_OK : SNX_DONE)
           && (rc != SNX_OK
               || (rec.data.len == tests[i].len && rec.kind == 9)),
           "%zu bytes are %s", tests[i].len,
           rc == SNX_OK ? "there" : "not there");

        util_queue_free(queue, SEGMENTS);
    }
}


static void
test_put(void)
{
    util_list_t  *list;
    snx_lane_t    lane;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 1, 1);

    is_int(util_used(queue), 0, "an open lane owns nothing");

    (void) util_put(&lane, SNX_LANE_BULK, 1, 1, 100);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 2, 200);
    (void) util_put(&lane, SNX_LANE_BULK, 1, 3, 301);

    is_int(util_used(queue), 2, "a segment per class");

    list = util_drain(queue, 2);
    is_str(util_text(list), "1.2 1.1 1.3", "errors, then bulk");

    list = util_drain(queue, 2);
    is_str(util_text(list), "", "only once");

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 4, 200);

    list = util_drain(queue, 2);
    is_str(util_text(list), "1.4", "more in the same segment");
    is_int(util_used(queue), 2, "which are still two");

    util_queue_free(queue, SEGMENTS);
}


/* One producer across segments; two producers by the age of segments. */

static void
test_order(void)
{
    unsigned      i, n, wrong;
    util_list_t  *list;
    snx_lane_t    a, b;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, UINT32_MAX - 1);
    snx_lane_open(&a, queue, 3, 1);
    snx_lane_open(&b, queue, 1, 1);

    n = 0;

    while (util_put(&a, SNX_LANE_ERRORS, 1, n, 500 + n % 97) == SNX_OK) {
        n++;
    }

    list = util_drain(queue, 9);

    wrong = 0;

    for (i = 0; i < list->n; i++) {
        wrong += (list->id[i] != i);
    }

    ok(list->n == n && wrong == 0 && list->broken == 0 && n > 400,
       "%u of %u records in order over %u segments", list->n - wrong, n,
       SEGMENTS);

    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    ok(util_all_free(queue), "all free again");

    /* b looks for segments in front of those of a */

    (void) util_put(&a, SNX_LANE_ERRORS, 1, 1, 20000);
    (void) util_put(&b, SNX_LANE_ERRORS, 2, 1, 20000);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 2, 20000);
    (void) util_put(&b, SNX_LANE_ERRORS, 2, 2, 20000);
    (void) util_put(&a, SNX_LANE_ERRORS, 1, 3, 20000);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1 2.1 1.2 2.2 1.3", "oldest segment first");

    util_queue_free(queue, SEGMENTS);
}


static void
test_full(void)
{
    unsigned      n, again;
    snx_lane_t    a, b;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&a, queue, 1, 1);
    snx_lane_open(&b, queue, 2, 1);

    for (n = 0; util_put(&a, SNX_LANE_ERRORS, 1, n, 1000) == SNX_OK; n++) {
        /* void */
    }

    is_int(n, 8 * (SNX_SEGMENT_DATA / 1016), "all segments fill up");
    is_int(snx_queue_fill(queue), 100, "100%");
    is_int(util_put(&a, SNX_LANE_ERRORS, 1, n, 16), SNX_FULL, "full");
    is_int(util_put(&b, SNX_LANE_ERRORS, 2, 0, 16), SNX_FULL,
           "full for others");
    is_int(snx_queue_sweep(queue, util_none_alive, NULL), 0,
           "a sweep frees nothing that is not done");
    is_int(util_drain(queue, 9)->n, n, "all are found");
    is_int(util_put(&a, SNX_LANE_ERRORS, 1, n, 16), SNX_FULL,
           "done is not yet free");
    is_int(snx_queue_sweep(queue, util_all_alive, NULL), 8, "swept");
    is_int(snx_queue_fill(queue), 0, "0%");

    for (again = 0;
         util_put(&b, SNX_LANE_ERRORS, 1, again, 1000) == SNX_OK;
         again++)
    {
        /* void */
    }

    is_int(again, n, "as much room as before");

    util_queue_free(queue, SEGMENTS);
}


static void
test_bulk(void)
{
    size_t        i;
    unsigned      n, k, free_n;
    snx_lane_t    lane;
    snx_queue_t  *queue;

    static const struct {
        uint32_t  segments;
        uint32_t  free_left;       /* when bulk is refused */
    } tests[] = {
        { 8, 1 },
        { 9, 2 },
        { 10, 2 },
        { 12, 2 },
        { 16, 3 },
        { 100, 24 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        queue = util_queue(tests[i].segments, 7);
        snx_lane_open(&lane, queue, 1, 1);

        for (n = 0; util_put(&lane, SNX_LANE_BULK, 1, n, 15000) == SNX_OK; n++)
        {
            /* void */
        }

        free_n = tests[i].segments - util_used(queue);
        ok(free_n == tests[i].free_left, "bulk leaves %u of %u segments, "
           "expected %u", free_n, tests[i].segments, tests[i].free_left);

        for (k = 0; util_put(&lane, SNX_LANE_ERRORS, 1, k, 15000) == SNX_OK;
             k++)
        {
            /* void */
        }

        is_int(k, 2 * tests[i].free_left, "errors take them");

        util_queue_free(queue, tests[i].segments);
    }

    queue = util_queue(8, 7);
    snx_lane_open(&lane, queue, 1, 1);

    (void) util_put(&lane, SNX_LANE_BULK, 1, 1, 1000);

    for (k = 0; util_put(&lane, SNX_LANE_ERRORS, 1, k, 15000) == SNX_OK; k++) {
        /* void */
    }

    is_int(util_put(&lane, SNX_LANE_BULK, 1, 2, 1000), SNX_OK,
           "bulk goes on in the segment it has");
    is_int(util_put(&lane, SNX_LANE_BULK, 1, 3, 15000), SNX_OK,
           "until it is full");
    is_int(util_put(&lane, SNX_LANE_BULK, 1, 4, 16000), SNX_FULL,
           "and gets no other");

    util_queue_free(queue, 8);
}


/* More processes than segments: idle ones must not keep what is drained. */

static void
test_many_producers(void)
{
    unsigned      i, refused, got;
    snx_queue_t  *queue;

    static snx_lane_t  lanes[40];

    queue = util_queue(SEGMENTS, 7);
    refused = 0;
    got = 0;

    for (i = 0; i < 40; i++) {
        snx_lane_open(&lanes[i], queue, i + 1, 1);
    }

    for (i = 0; i < 400; i++) {
        refused += (util_put(&lanes[i * 7 % 40], SNX_LANE_ERRORS, i * 7 % 40,
                             i, 100)
                    != SNX_OK);

        if (i % 8 == 7) {
            got += util_drain(queue, 99)->n;
            (void) snx_queue_sweep(queue, util_all_alive, NULL);
        }
    }

    is_int(refused, 0, "40 producers share 8 segments");
    is_int(got, 400, "nothing is lost between them");

    util_queue_free(queue, SEGMENTS);
}


static void
test_namesake(void)
{
    uint32_t            lost;
    util_list_t        *list;
    snx_lane_t          old, new;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    queue = util_queue(SEGMENTS, 7);

    snx_lane_open(&old, queue, 7, 100);
    (void) util_put(&old, SNX_LANE_ERRORS, 1, 1, 100);
    (void) util_put(&old, SNX_LANE_ERRORS, 1, 2, 100);

    memset(&cursor, 0, sizeof(cursor));
    (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 7, &rec, &lost);

    snx_lane_open(&new, queue, 7, 200);

    is_int(util_put(&new, SNX_LANE_ERRORS, 2, 1, 100), SNX_OK,
           "a new process of the same pid");
    ok(new.open[SNX_LANE_ERRORS].segment != old.open[SNX_LANE_ERRORS].segment,
       "has a segment of its own");

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1 1.2 2.1",
           "and the claims of the old one are taken back");

    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    ok(util_all_free(queue), "nothing stays behind");

    is_int(atomic_load(&queue->process[7]) >> SNX_PID_BITS, 200,
           "its start time is the one known");

    util_queue_free(queue, SEGMENTS);
}


static void
test_close(void)
{
    util_list_t  *list;
    snx_lane_t    lane;
    snx_queue_t  *queue;

    queue = util_queue(SEGMENTS, 7);
    snx_lane_open(&lane, queue, 1, 1);

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, 100);
    (void) util_put(&lane, SNX_LANE_BULK, 1, 2, 100);

    snx_lane_close(&lane);
    snx_lane_close(&lane);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.1 1.2", "records stay after closing");

    (void) util_put(&lane, SNX_LANE_BULK, 1, 3, 100);

    list = util_drain(queue, 9);
    is_str(util_text(list), "1.3", "a closed lane opens by itself");

    snx_lane_close(&lane);
    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    ok(util_all_free(queue), "all is given back");

    util_queue_free(queue, SEGMENTS);
}


/* What is drained at once stays in the same memory, however much it is. */

static void
test_reuse(void)
{
    uint32_t      i, n, epochs[64];
    snx_lane_t    lanes[2];
    snx_queue_t  *queue;

    queue = util_queue(64, 7);

    for (i = 0; i < 64; i++) {
        epochs[i] = snx_epoch(atomic_load(&snx_queue_segment(queue, i)
                                          ->state));
    }

    snx_lane_open(&lanes[0], queue, 1000, 1);
    snx_lane_open(&lanes[1], queue, 1001, 1);

    for (i = 0; i < 1000; i++) {
        (void) util_put(&lanes[i % 2], SNX_LANE_BULK, 1, i, 8000);

        if (i % 20 == 19) {
            (void) util_drain(queue, 9);
            (void) snx_queue_sweep(queue, util_all_alive, NULL);
        }
    }

    for (i = 0, n = 0; i < 64; i++) {
        n += snx_epoch(atomic_load(&snx_queue_segment(queue, i)->state))
             != epochs[i];
    }

    ok(n >= 2 && n <= 10, "1000 records of 8 KB in %u segments of 64", n);
    ok(lanes[0].home != lanes[1].home, "neighbours have homes of their own");

    util_queue_free(queue, 64);
}
