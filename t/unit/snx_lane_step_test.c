
/*
 * Copyright (C) ngx_sentry authors
 *
 * The queue between any two instructions.  A child runs one operation under
 * ptrace, a single step at a time.
 *
 * Killed: after every step the shared memory is what a kill there would
 * leave; a copy of it must be drained and repaired.
 *
 * Stopped: the child is held at step n while the world moves on (its claims
 * are taken for a dead one's, records are sent, segments freed and filled
 * anew), then it goes on; for every n.
 */


#include "step_util.h"


/*
 * Stops cost the square of the steps: every step of short operations, a part
 * of long ones.  -DSHORT=100000 for all.
 */
#ifndef SHORT
#define SHORT                  400
#endif

#define LONG_STOPS             60


/* ThreadSanitizer makes a hundred steps of one, and there are no threads. */

#if defined(__SANITIZE_THREAD__)
#define SKIP                   "not with ThreadSanitizer"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SKIP                   "not with ThreadSanitizer"
#endif
#endif

#ifndef SKIP
#define SKIP                   getenv("TEST_UNIT_VALGRIND") != NULL           \
                               ? "not with valgrind" : NULL
#endif


static void test_killed(op_t op);
static void test_stopped(op_t op);

static int recovered(snx_queue_t *q, op_t op);
static void move_on(op_t op);
static int settled(op_t op);
static int has(const util_list_t *list, uint32_t producer, uint32_t id);
static int expected(op_t op, uint32_t id);


int
main(void)
{
    int          i;
    pid_t        pid;
    const char  *skip;

    skip = SKIP;

    if (skip != NULL) {
        printf("1..0 # SKIP %s\n", skip);
        return 0;
    }

    stage = mmap(NULL, sizeof(stage_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    queue = util_queue(SEGMENTS, 1);

    prepare(OP_PUT);
    pid = child(OP_PUT);

    if (pid == -1) {
        printf("1..0 # SKIP ptrace is not allowed\n");
        return 0;
    }

    end(pid);

    for (i = 0; i < OPS_N; i++) {
        test_killed((op_t) i);
        test_stopped((op_t) i);
    }

    return tap_done();
}


static int
has(const util_list_t *list, uint32_t producer, uint32_t id)
{
    int       found;
    unsigned  i;

    found = 0;

    for (i = 0; i < list->n; i++) {
        found += list->producer[i] == producer && list->id[i] == id;
    }

    return found;
}


/* How often record 1 to 4 of the other producer is still to be found. */

static int
expected(op_t op, uint32_t id)
{
    return op == OP_SWEEP_IDLE ? 0 : op == OP_SWEEP ? id == 4 : 1;
}


/* Everybody is dead; q is a copy of the queue. */

static int
recovered(snx_queue_t *q, op_t op)
{
    uint32_t             i, mine;
    int                  n;
    snx_lane_t           lane;
    static util_list_t   list;

    memset(&list, 0, offsetof(util_list_t, producer));

    (void) snx_queue_sweep(q, util_none_alive, NULL);
    util_drain_class(q, SNX_LANE_ERRORS, PARENT, &list);
    util_drain_class(q, SNX_LANE_BULK, PARENT, &list);

    if (list.broken != 0 || list.corrupt != 0) {
        return 0;
    }

    for (i = 1; i <= 4; i++) {
        n = has(&list, OTHER, i);

        if (n != expected(op, i) && !(op == OP_DONE && i == 1)) {
            return 0;
        }
    }

    /* the child's: a prefix of 1 (and 2), 3 */

    mine = (op == OP_PUT || op == OP_CLOSE || op == OP_OPEN) ? 1
           : (op == OP_PUT_NEXT) ? 2 : 0;

    for (i = 1; i <= mine; i++) {
        if (has(&list, CHILD, i) != 1) {
            return 0;
        }
    }

    if (has(&list, CHILD, 3) > (op <= OP_PUT_NEXT)
        || (has(&list, CHILD, 3) && list.id[list.n - 1] != 3))
    {
        return 0;
    }

    (void) snx_queue_sweep(q, util_none_alive, NULL);

    if (!util_all_free(q)) {
        return 0;
    }

    snx_lane_open(&lane, q, OTHER, 1);

    for (n = 0; snx_lane_put(&lane, SNX_LANE_ERRORS, 1, util_buf, 16000)
                == SNX_OK; n++) { /* void */ }

    return n == 2 * SEGMENTS;
}


static void
test_killed(op_t op)
{
    pid_t          pid;
    size_t         len;
    unsigned       n, failed, every;
    unsigned char *copy;

    len = util_queue_len(SEGMENTS);
    copy = aligned_alloc(64, (len + 63) / 64 * 64);
    failed = 0;

    /* how many there are, to look at an affordable part of them */

    prepare(op);
    pid = child(op);

    for (n = 0; n < STEPS_MAX && step(pid); n++) { /* void */ }

    end(pid);
    every = (n <= 4 * SHORT) ? 1 : 4;

    prepare(op);
    pid = child(op);

    for (n = 0; n < STEPS_MAX && step(pid); n++) {
        if (n % every == 0) {
            memcpy(copy, queue, len);
            failed += (unsigned) !recovered((snx_queue_t *) (void *) copy, op);
        }
    }

    end(pid);

    ok(failed == 0 && n > 0, "killed in %s, at each %u. of %u steps: %u failed",
       names[op], every, n, failed);

    free(copy);
}


/*
 * Somebody else sends all he can get, frees, and fills the segments again
 * with records 101.. of his own.
 */

static void
move_on(op_t op)
{
    uint32_t     i, dead;
    snx_lane_t   lane;

    memset(&moved, 0, offsetof(util_list_t, producer));

    if (op == OP_SWEEP_IDLE) {
        (void) util_put(&stage->lane, SNX_LANE_BULK, CHILD, 10, 200);
        return;
    }

    /* a stopped consumer is dead to the others once, alive once */

    dead = (op == OP_DONE || op == OP_RELEASE) ? CHILD : 0;

    (void) snx_queue_sweep(queue, util_alive_but, &dead);
    util_drain_class(queue, SNX_LANE_ERRORS, PARENT, &moved);
    (void) snx_queue_sweep(queue, util_alive_but, &dead);

    snx_lane_open(&lane, queue, OTHER, 2);

    for (i = 101; i <= 120; i++) {
        (void) util_put(&lane, SNX_LANE_ERRORS, OTHER, i, 2500 + i);
    }

    snx_lane_close(&lane);

    if (op == OP_SWEEP) {

        /* the idle producer is not idle any more */

        (void) util_put(&stage->lane, SNX_LANE_BULK, CHILD, 10, 200);
    }
}


/* After the child went on: all exactly once, in order, and all free. */

static int
settled(op_t op)
{
    int       got;
    uint32_t  i, last;

    got = op == OP_NEXT && atomic_load(&stage->result) == SNX_OK;

    if (got) {
        util_note(&moved, &stage->rec);
        snx_queue_done(&stage->rec);
    }

    util_drain_class(queue, SNX_LANE_ERRORS, PARENT, &moved);
    util_drain_class(queue, SNX_LANE_BULK, PARENT, &moved);

    if (moved.broken != 0 || moved.corrupt != 0
        || atomic_load(&stage->result) == SNX_INVALID)
    {
        return 0;
    }

    for (i = 1; i <= 4; i++) {

        /* done before it was stopped: nobody else has to see it */

        if (has(&moved, OTHER, i) != expected(op, i)
            && !(op == OP_DONE && i == 1 && has(&moved, OTHER, i) == 0))
        {
            return 0;
        }
    }

    for (i = 101; i <= 120; i++) {
        if (has(&moved, OTHER, i) != (op != OP_SWEEP_IDLE)) {
            return 0;
        }
    }

    if ((op <= OP_PUT_NEXT && has(&moved, CHILD, 3) != 1)
        || ((op == OP_SWEEP || op == OP_SWEEP_IDLE)
            && has(&moved, CHILD, 10) != 1))
    {
        return 0;
    }

    last = 0;

    for (i = 0; i < moved.n && !got; i++) {
        if (moved.producer[i] == CHILD) {
            if (moved.id[i] <= last) {
                return 0;
            }

            last = moved.id[i];
        }
    }

    (void) snx_queue_sweep(queue, util_none_alive, NULL);
    (void) snx_queue_sweep(queue, util_none_alive, NULL);

    return util_all_free(queue);
}


static void
test_stopped(op_t op)
{
    int       more, status;
    pid_t     pid;
    unsigned  i, n, failed, every;

    prepare(op);
    pid = child(op);

    for (n = 0; n < STEPS_MAX && step(pid); n++) { /* void */ }

    end(pid);
    every = (n <= SHORT) ? 1 : n / LONG_STOPS;
    failed = 0;
    more = 1;

    for (n = 0; more; n += every) {
        prepare(op);
        pid = child(op);

        for (i = 0; i < n && more; i++) {
            more = step(pid);
        }

        move_on(op);

        (void) ptrace(PTRACE_CONT, pid, NULL, NULL);
        (void) waitpid(pid, &status, 0);

        if (!settled(op)) {
            failed++;

            if (failed == 1) {
                printf("# step %u: %.*s\n", n, (int) util_text(&moved).len,
                       util_text(&moved).data);
            }
        }
    }

    ok(failed == 0, "stopped in %s, at each %u. of %u steps: %u failed",
       names[op], every, n, failed);
}
