
/*
 * Copyright (C) ngx_sentry authors
 *
 * The layout: sizes, validity, numbers for people, and random bytes over
 * everything (to be run with sanitizers).
 */


#include <stdlib.h>

#include "lane_util.h"


#define ROUNDS                 3000


static void test_layout(void);
static void test_valid(void);
static void test_usage(void);
static void test_edge(void);
static void test_scribble(void);

static uint64_t dice(void);
static void scribble(snx_queue_t *queue, size_t len);
static void exercise(snx_queue_t *queue, snx_lane_t *lanes);


static uint64_t  dice_state = 88172645463325252u;


int
main(void)
{
    test_layout();
    test_valid();
    test_usage();
    test_edge();
    test_scribble();

    return tap_done();
}


static void
test_layout(void)
{
    size_t        i, len;
    void         *mem;
    uint32_t      n;
    snx_queue_t  *queue;

    static const struct {
        size_t    size;
        uint32_t  n;
    } tests[] = {
        { 0, 8 },
        { 1, 8 },
        { 8 * 32768, 8 },
        { 8 * 32768 + 1, 9 },
        { 9 * 32768, 9 },
        { 1024 * 1024, 32 },
        { 8 * 1024 * 1024, 256 },
    };

    is_int(sizeof(snx_segment_t), SNX_SEGMENT_SIZE, "size of a segment");
    is_int(sizeof(snx_rechead_t), 16, "size of a record's head");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        len = snx_queue_size(tests[i].size);
        mem = aligned_alloc(64, (len + 63) / 64 * 64);
        memset(mem, 0, len);

        queue = snx_queue_init(mem, len, 1);
        n = (queue == NULL) ? 0 : snx_queue_count(queue);

        ok(n == tests[i].n, "%zu bytes make %u segments, expected %u",
           tests[i].size, n, tests[i].n);
        ok(queue != NULL && (unsigned char *) snx_queue_segment(queue, n)
                            <= (unsigned char *) mem + len,
           "which end in the area");
        ok(queue != NULL && (uintptr_t) snx_queue_segment(queue, 1) % 64 == 0,
           "on cache lines");

        free(mem);
    }

    len = snx_queue_size(0);
    mem = aligned_alloc(64, (len + 63) / 64 * 64);
    memset(mem, 0, len);
    ok(snx_queue_init(mem, len - 1, 1) == NULL, "one byte too few");
    ok(snx_queue_init(mem, 0, 1) == NULL, "none at all");
    free(mem);
}


static void
test_valid(void)
{
    size_t        i, len;
    snx_queue_t  *queue;

    static const struct {
        const char  *what;
        size_t       at;
    } tests[] = {
        { "magic", offsetof(snx_queue_t, magic) },
        { "segment size", offsetof(snx_queue_t, segment_size) },
        { "number of segments", offsetof(snx_queue_t, nsegments) },
        { "its check", offsetof(snx_queue_t, nsegments_check) },
    };

    len = util_queue_len(8);
    queue = util_queue(8, 1);

    ok(snx_queue_valid(queue, len), "a queue is valid");
    ok(snx_queue_valid(queue, len + 100), "in more memory too");
    ok(!snx_queue_valid(queue, len - 1), "not in less");
    ok(!snx_queue_valid(queue, 3), "not in nearly none");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        ((unsigned char *) queue)[tests[i].at] ^= 1;
        ok(!snx_queue_valid(queue, len), "another %s", tests[i].what);
        ((unsigned char *) queue)[tests[i].at] ^= 1;
    }

    util_queue_free(queue, 8);
}


static void
test_usage(void)
{
    unsigned           i;
    snx_lane_t         lanes[3];
    snx_queue_t       *queue;
    snx_queue_usage_t  usage;

    queue = util_queue(16, 1);

    for (i = 0; i < 3; i++) {
        snx_lane_open(&lanes[i], queue, i + 5, 1);
        (void) util_put(&lanes[i], SNX_LANE_ERRORS, i, 1, 100);
        (void) util_put(&lanes[i], SNX_LANE_BULK, i, 2, 50);
    }

    snx_lane_close(&lanes[2]);
    snx_queue_usage(queue, &usage);

    is_int(usage.segments, 16, "segments");
    is_int(usage.segments_used, 6, "used");
    is_int(usage.lanes, 2, "two producers, one left");
    is_int(usage.pending, 6, "records");
    is_int(usage.pending_bytes, 450, "bytes");
    is_int(snx_queue_fill(queue), 37, "percent");

    (void) util_drain(queue, 9);
    (void) snx_queue_sweep(queue, util_all_alive, NULL);
    snx_queue_usage(queue, &usage);

    is_int(usage.segments_used, 0, "none used");
    is_int(usage.pending + usage.pending_bytes + usage.lanes, 0, "nothing");

    util_queue_free(queue, 16);
}


/* A tail behind the end of the last segment, which is full to the last byte. */

static void
test_edge(void)
{
    size_t          len;
    util_list_t    *list;
    snx_lane_t      lane;
    snx_queue_t    *queue;
    unsigned char  *mem;

    len = util_queue_len(8);
    mem = aligned_alloc(64, len);
    memset(mem, 0, len);

    queue = snx_queue_init(mem, len, 1);
    snx_lane_open(&lane, queue, 7, 1);
    lane.home = 7;

    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 1, SNX_SEGMENT_DATA / 2 - 16);
    (void) util_put(&lane, SNX_LANE_ERRORS, 1, 2, SNX_SEGMENT_DATA / 2 - 16);

    is_int(snx_mark_offset(atomic_load(&snx_queue_segment(queue, 7)->tail)),
           SNX_SEGMENT_DATA, "the last segment is full");

    (void) atomic_fetch_or(&snx_queue_segment(queue, 7)->tail, 0x7fff);

    list = util_drain(queue, 9);
    ok(list->n == 0 && list->lost == 2, "no way out of the area");

    free(mem);
}


/* xorshift: the same numbers in every run */

static uint64_t
dice(void)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;

    return dice_state;
}


static void
scribble(snx_queue_t *queue, size_t len)
{
    size_t          i, at, n, header;
    unsigned char  *p;

    p = (unsigned char *) queue;
    header = snx_queue_header_size(8);

    switch (dice() % 5) {

    case 0:                     /* a word of a segment's head */
        at = header + dice() % 8 * SNX_SEGMENT_SIZE + dice() % 16 * 8;
        n = 8;
        break;

    case 1:                     /* some bytes anywhere in the segments */
        at = header + dice() % (len - header);
        n = dice() % 64;
        break;

    case 2:                     /* much */
        at = header + dice() % (len - header);
        n = dice() % 40000;
        break;

    case 3:                     /* one bit near the beginning of the records */
        at = header + dice() % 8 * SNX_SEGMENT_SIZE + dice() % 1024;
        p[at] ^= (unsigned char) (1u << dice() % 8);
        return;

    default:                    /* the queue's own words */
        at = dice() % header;
        n = dice() % 32;
        break;
    }

    for (i = at; i < at + n && i < len; i++) {
        p[i] = (unsigned char) dice();
    }
}


/* Whatever comes: no crash, no endless loop, sane answers. */

static void
exercise(snx_queue_t *queue, snx_lane_t *lanes)
{
    unsigned            i, k;
    snx_rc_t            rc;
    uint32_t            lost;
    uint64_t            sum;
    snx_queue_rec_t     rec;
    snx_queue_usage_t   usage;
    snx_queue_cursor_t  cursor;

    for (i = 0; i < 40; i++) {
        (void) util_put(&lanes[dice() % 4], dice() % 2, 1, i,
                        16 + (uint32_t) (dice() % 3000));
    }

    sum = 0;

    for (i = 0; i < 2; i++) {
        memset(&cursor, 0, sizeof(cursor));

        for (k = 0; k < 20000; k++) {
            rc = snx_queue_next(queue, i, &cursor, 9, &rec, &lost);

            if (rc == SNX_DONE) {
                break;
            }

            if (rc == SNX_INVALID) {
                tap_failed += (lost == 0 || lost > 2040);
                continue;
            }

            while (rec.data.len != 0) {
                rec.data.len--;
                sum += rec.data.data[rec.data.len];
            }

            if (dice() % 4 != 0) {
                snx_queue_done(&rec);

            } else {
                snx_queue_release(&rec, dice() % 2);
            }
        }

        tap_failed += (k == 20000);
    }

    (void) sum;
    (void) snx_queue_sweep(queue, dice() % 2 ? util_none_alive
                                             : util_all_alive, NULL);
    snx_queue_usage(queue, &usage);
    tap_failed += (usage.pending > 8 * 2040 || snx_queue_fill(queue) > 100);
}


static void
test_scribble(void)
{
    size_t          len;
    unsigned        i, k, failed, works;
    snx_lane_t      lanes[4];
    snx_queue_t    *queue;
    unsigned char  *mem;

    /* on the heap, where a sanitizer sees the ends */

    len = util_queue_len(8);
    mem = aligned_alloc(64, len);
    queue = NULL;
    failed = tap_failed;
    works = 0;

    for (i = 0; i < ROUNDS; i++) {

        if (i % 10 == 0) {
            memset(mem, 0, len);
            queue = snx_queue_init(mem, len, (uint32_t) dice());

            for (k = 0; k < 4; k++) {
                snx_lane_open(&lanes[k], queue, k + 1, 1);
            }
        }

        exercise(queue, lanes);
        scribble(queue, len);
        exercise(queue, lanes);

        if (snx_queue_valid(queue, len)) {
            works += util_put(&lanes[0], SNX_LANE_ERRORS, 1, 1, 100) == SNX_OK;
        }
    }

    is_int(tap_failed - failed, 0, "random bytes lead nobody out");
    ok(works > ROUNDS / 2, "and the queue goes on, %u of %u", works, ROUNDS);

    free(mem);
}
