
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


#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lane_util.h"


#define SEGMENTS               8
#define STEPS_MAX              200000      /* of one operation */

/*
 * Stops cost the square of the steps: every step of short operations, a part
 * of long ones.  -DSHORT=100000 for all.
 */
#ifndef SHORT
#define SHORT                  400
#endif

#define LONG_STOPS             60

#define CHILD                  5           /* pids in the queue */
#define PARENT                 6
#define OTHER                  7


typedef enum {
    OP_PUT = 0,                /* into the open segment */
    OP_PUT_FIRST,              /* claims a segment */
    OP_PUT_NEXT,               /* closes a full one, claims another */
    OP_NEXT,
    OP_DONE,
    OP_RELEASE,
    OP_SWEEP,
    OP_SWEEP_IDLE,             /* the producer is not as idle as it seemed */
    OP_CLOSE,
    OP_OPEN,
    OPS_N
} op_t;


/* Beside the queue, shared. */

typedef struct {
    _Atomic int          finished;
    _Atomic int          result;
    snx_lane_t           lane;         /* the child's */
    snx_queue_cursor_t   cursor;
    snx_queue_rec_t      rec;
} stage_t;


static void test_killed(op_t op);
static void test_stopped(op_t op);

static void prepare(op_t op);
static void perform(op_t op);
static pid_t child(op_t op);
static int step(pid_t pid);
static void end(pid_t pid);
static int recovered(snx_queue_t *q, op_t op);
static void move_on(op_t op);
static int settled(op_t op);
static int has(const util_list_t *list, uint32_t producer, uint32_t id);
static int expected(op_t op, uint32_t id);


static stage_t      *stage;
static snx_queue_t  *queue;
static util_list_t   moved;            /* what the world sent meanwhile */


static const char  *names[OPS_N] = {
    "put", "put into a new segment", "put after a full segment", "next",
    "done", "release", "sweep", "sweep of an idle one", "close", "open"
};


int
main(void)
{
    int    i, status;
    pid_t  pid;

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

    while (waitpid(-1, &status, WNOHANG) > 0) { /* void */ }

    for (i = 0; i < OPS_N; i++) {
        test_killed((op_t) i);
        test_stopped((op_t) i);
    }

    return tap_done();
}


/*
 * Four records of another producer in two closed segments, and what the
 * operation needs.
 */

static void
prepare(op_t op)
{
    uint32_t    i, lost;
    snx_lane_t  other;

    memset(queue, 0, util_queue_len(SEGMENTS));
    queue = snx_queue_init(queue, util_queue_len(SEGMENTS), UINT32_MAX - 2);
    memset(stage, 0, sizeof(stage_t));

    snx_lane_open(&other, queue, OTHER, 1);

    for (i = 1; i <= 4 && op != OP_SWEEP_IDLE; i++) {
        (void) util_put(&other, SNX_LANE_ERRORS, OTHER, i, 3000);

        if (i % 2 == 0) {
            snx_lane_close(&other);
        }
    }

    snx_lane_open(&stage->lane, queue, CHILD, 1);

    switch (op) {

    case OP_PUT:
    case OP_CLOSE:
    case OP_OPEN:
        (void) util_put(&stage->lane, SNX_LANE_ERRORS, CHILD, 1, 200);
        break;

    case OP_PUT_NEXT:
        (void) util_put(&stage->lane, SNX_LANE_ERRORS, CHILD, 1, 20000);
        (void) util_put(&stage->lane, SNX_LANE_ERRORS, CHILD, 2, 12550);
        break;

    case OP_DONE:
    case OP_RELEASE:
        (void) snx_queue_next(queue, SNX_LANE_ERRORS, &stage->cursor, CHILD,
                              &stage->rec, &lost);
        break;

    case OP_SWEEP_IDLE:
        (void) util_put(&stage->lane, SNX_LANE_BULK, CHILD, 9, 200);
        (void) util_drain(queue, PARENT);
        break;

    case OP_SWEEP:

        /* one segment to free, one to keep, one to take from an idle one */

        (void) util_put(&stage->lane, SNX_LANE_BULK, CHILD, 9, 200);
        memset(&moved, 0, sizeof(moved));
        util_drain_class(queue, SNX_LANE_BULK, PARENT, &moved);

        for (i = 0; i < 3; i++) {
            (void) snx_queue_next(queue, SNX_LANE_ERRORS, &stage->cursor,
                                  PARENT, &stage->rec, &lost);
            snx_queue_done(&stage->rec);
        }

        break;

    default:
        break;
    }
}


static void
perform(op_t op)
{
    uint32_t  lost;
    snx_rc_t  rc;

    rc = SNX_OK;

    switch (op) {

    case OP_PUT:
    case OP_PUT_FIRST:
    case OP_PUT_NEXT:
        rc = snx_lane_put(&stage->lane, SNX_LANE_ERRORS, 3, util_buf, 200);
        break;

    case OP_NEXT:
        rc = snx_queue_next(queue, SNX_LANE_ERRORS, &stage->cursor, CHILD,
                            &stage->rec, &lost);
        break;

    case OP_DONE:
        snx_queue_done(&stage->rec);
        break;

    case OP_RELEASE:
        snx_queue_release(&stage->rec, 1);
        break;

    case OP_SWEEP:
    case OP_SWEEP_IDLE:
        (void) snx_queue_sweep(queue, util_all_alive, NULL);
        break;

    case OP_CLOSE:
        snx_lane_close(&stage->lane);
        break;

    default:
        snx_lane_open(&stage->lane, queue, CHILD, 2);
        break;
    }

    atomic_store(&stage->result, rc);
    atomic_store(&stage->finished, 1);
}


/* A child stopped before the operation; -1 when it cannot be traced. */

static pid_t
child(op_t op)
{
    int          status;
    size_t       i;
    pid_t        pid;
    util_head_t  head;

    /* the record, made outside of the traced part */

    head.producer = CHILD;
    head.n = 3;
    head.len = 200;
    head.seed = CHILD ^ 3 ^ 200;
    memcpy(util_buf, &head, sizeof(head));

    for (i = sizeof(head); i < 200; i++) {
        util_buf[i] = util_byte(CHILD, 3, i);
    }

    (void) fflush(stdout);
    pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(1);
        }

        (void) raise(SIGSTOP);
        perform(op);
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        return -1;
    }

    return pid;
}


/* One instruction: 1, or 0 when the operation is over. */

static int
step(pid_t pid)
{
    int  status;

    return !atomic_load(&stage->finished)
           && ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0
           && waitpid(pid, &status, 0) == pid
           && WIFSTOPPED(status)
           && !atomic_load(&stage->finished);
}


static void
end(pid_t pid)
{
    int  status;

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
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
