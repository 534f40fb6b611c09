
/*
 * Copyright (C) ngx_sentry authors
 *
 * The lease, what its holders leave behind, and leaving the queue, in
 * every order of their steps (model_util.h).
 */


#include "model_util.h"

#include "snx_lane.h"

#undef SNX_SEGMENT_SIZE
#define SNX_SEGMENT_SIZE       192

#include "snx_lane.c"
#include "snx_lease.c"
#include "snx_leave.c"
#include "snx_queue.c"
#include "snx_segment.c"
#include "snx_shm.c"
#include "snx_sweep.c"

#include "tap.h"
#include "model_check.h"


#define PID                    100         /* of task 0 */


static struct {
    snx_lease_t   *lease;
    snx_project_t *project;
    snx_queue_t   *queue;
    uint64_t       token[MODEL_TASKS_N];
    snx_rc_t       taken[MODEL_TASKS_N];
    snx_rc_t       renewed[MODEL_TASKS_N];
    int            last[MODEL_TASKS_N];
    const char    *wrong;
} ghost;


static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) start_ticks;
    (void) data;

    return pid >= PID && pid < PID + MODEL_TASKS_N
           && !atomic_load_explicit(model_grave(pid - PID),
                                    memory_order_acquire);
}


static void
begin(void)
{
    size_t  at;

    memset(&ghost, 0, sizeof(ghost));
    memset(model_memory, 0, 15000);

    ghost.lease = (snx_lease_t *) (void *) model_memory;
    at = 64;
    ghost.project = (snx_project_t *) (void *) ((char *) model_memory + at);
    at += (sizeof(snx_project_t) + 63) / 64 * 64;
    ghost.queue = (snx_queue_t *) (void *) ((char *) model_memory + at);
}


static void
take_at(unsigned self, uint64_t now_ms)
{
    ghost.taken[self] = snx_lease_take(ghost.lease, PID + self, 0, 1, now_ms,
                                       alive, NULL, &ghost.token[self]);
}


/* Renews, and tells others of a failure if it may; else gives it back. */

static void
hold(unsigned self, uint64_t now_ms)
{
    if (ghost.taken[self] != SNX_OK) {
        return;
    }

    ghost.renewed[self] = snx_lease_renew(ghost.lease, now_ms,
                                          &ghost.token[self]);

    if (ghost.renewed[self] == SNX_OK) {
        snx_project_error(ghost.project, 500 + self, 7777 * (self + 1),
                          snx_cstr(self ? "bbbbbbbbbbbbbbb"
                                        : "aaaaaaaaaaaaaaa"));
        snx_lease_release(ghost.lease, ghost.token[self]);
    }
}


static void
take(unsigned self)
{
    take_at(self, 5000);
}


static void
take_and_hold(unsigned self)
{
    take_at(self, 5000);
    hold(self, 5100);
}


/* The first one's time is over when it comes back. */

static void
take_and_renew(unsigned self)
{
    take_at(self, 5000);

    if (ghost.taken[self] == SNX_OK) {
        ghost.renewed[self] = snx_lease_renew(ghost.lease, 5300,
                                              &ghost.token[self]);
    }
}


static void
take_later(unsigned self)
{
    take_at(self, 9000);
}


static void
look(unsigned self)
{
    char      text[SNX_LAST_ERROR_MAX];
    uint32_t  status;
    uint64_t  ms;

    if (snx_project_last_error(ghost.project, &status, &ms, text)) {
        self = status - 500;

        if (self > 1 || ms != 7777 * (self + 1)
            || strcmp(text, self ? "bbbbbbbbbbbbbbb" : "aaaaaaaaaaaaaaa")
               != 0)
        {
            ghost.wrong = "the last error is torn";
        }
    }
}


/* One took it, and it knows. */

static const char *
end_lease(void)
{
    unsigned  i, owners;

    owners = 0;

    for (i = 0; i < model.scenario->tasks; i++) {
        if (ghost.taken[i] == SNX_OK) {
            owners++;

            if (ghost.token[i] != atomic_load(&ghost.lease->word)) {
                return "who took the lease does not have it";
            }
        }
    }

    return (owners == 1) ? NULL : "not one took the lease";
}


/* After the later one took it the first one cannot renew any more. */

static const char *
end_overtaken(void)
{
    if (ghost.taken[1] == SNX_OK
        && ghost.token[1] != atomic_load(&ghost.lease->word))
    {
        return "who was overtaken changed the lease";
    }

    return (ghost.taken[1] == SNX_OK) ? NULL : "it is not taken after its end";
}


static const char *
end_errors(void)
{
    look(0);

    return ghost.wrong;
}


static void
begin_leaving(void)
{
    unsigned    i;
    snx_lane_t  lane;

    begin();

    ghost.queue = snx_queue_init(ghost.queue,
                                 snx_queue_size(8 * SNX_SEGMENT_SIZE),
                                 UINT32_MAX - 1);

    for (i = 0; i < 2; i++) {
        snx_lane_open(&lane, ghost.queue, PID + i, 0);
    }
}


static void
leave(unsigned self)
{
    ghost.last[self] = 1 + snx_queue_leave(ghost.queue, PID + self, alive,
                                           NULL);
}


static const char *
end_leaving(void)
{
    return ghost.last[0] == 1 && ghost.last[1] == 1 ? "nobody was the last"
                                                    : NULL;
}


int
main(void)
{
    size_t  i;

    /* killable, preemptions, stale loads, kills */

    static const model_scenario_t  scenarios[] = {
        { "three take the lease at once", 3, { take, take, take },
          begin, end_lease, 0, MODEL_ALL, 2, 0 },
        { "a lease is taken over when its time is up", 2,
          { take_and_renew, take_later }, begin, end_overtaken,
          0, MODEL_ALL, 2, 0 },
        { "one holder after the other tells an error", 3,
          { take_and_hold, take_and_hold, look }, begin, end_errors,
          0, 1, 1, 0 },
        { "two leave together", 2, { leave, leave }, begin_leaving,
          end_leaving, 0, MODEL_ALL, 2, 0 },
    };

    if (model_skips()) {
        return 0;
    }

    for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        model_check(&scenarios[i]);
    }

    return tap_done();
}
