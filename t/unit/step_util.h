
/*
 * Copyright (C) ngx_sentry authors
 *
 * A child that runs one operation on a queue under ptrace, an instruction at
 * a time.
 */


#ifndef STEP_UTIL_H_INCLUDED
#define STEP_UTIL_H_INCLUDED


#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lane_util.h"


#define SEGMENTS               8
#define STEPS_MAX              200000      /* of one operation */

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


static void prepare(op_t op);
static void perform(op_t op);
static pid_t child(op_t op);
static int step(pid_t pid);
static void end(pid_t pid);


static stage_t      *stage;
static snx_queue_t  *queue;
static util_list_t   moved;            /* what the world sent meanwhile */


static const char  *names[OPS_N] = {
    "put", "put into a new segment", "put after a full segment", "next",
    "done", "release", "sweep", "sweep of an idle one", "close", "open"
};


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


#endif /* STEP_UTIL_H_INCLUDED */
