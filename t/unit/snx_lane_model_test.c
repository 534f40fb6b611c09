
/*
 * Copyright (C) ngx_sentry authors
 *
 * The protocol of the queue in every order of its steps, with C11's memory
 * and not the machine's (model_util.h): the real lanes, queue and sweep, with
 * segments of two records.
 */


#include "model_util.h"

#include "snx_lane.h"

#undef SNX_SEGMENT_SIZE
#define SNX_SEGMENT_SIZE       192         /* 64 of them hold records */

#include "snx_lane.c"
#include "snx_queue.c"
#include "snx_segment.c"
#include "snx_shm.c"
#include "snx_sweep.c"

#include "tap.h"
#include "model_check.h"
#include "model_lane.h"


static void begin_two(void);
static void begin_written(void);
static void begin_only(void);
static void begin_drained(void);
static void write_before(uint32_t segments);

static void one(unsigned self);
static void two(unsigned self);
static void three(unsigned self);
static void five(unsigned self);
static void pass(unsigned self);
static void passes(unsigned self);
static void sweep(unsigned self);
static void rescue(unsigned self);


int
main(void)
{
    size_t  i;

    /* killable, preemptions, stale loads, kills */

    static const model_scenario_t  scenarios[] = {
        { "a producer, a consumer", 2, { three, passes },
          begin_two, lane_end, 0, 2, 1, 0 },
        { "two producers, a consumer", 3, { two, two, passes },
          begin_two, lane_end, 0, 2, 1, 0 },
        { "a producer is killed", 2, { two, passes },
          begin_two, lane_end, 1, 2, 1, 1 },
        { "a consumer is killed, another one goes on", 3,
          { pass, one, rescue }, begin_written, lane_end, 1, 1, 0, 1 },
        { "a former consumer comes back", 3, { pass, two, rescue },
          begin_only, lane_end, 0, 2, 1, 0 },
        { "two sweeps, a producer", 3, { sweep, sweep, two },
          begin_drained, lane_end, 0, 2, 1, 0 },
        { "a full queue", 2, { five, passes },
          begin_two, lane_end, 1, 2, 0, 1 },
    };

    for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        model_check(&scenarios[i]);
    }

    return tap_done();
}


static void
begin_two(void)
{
    lane_begin(2);
}


static void
begin_written(void)
{
    write_before(2);
}


/* Who writes waits for the only segment to be freed. */

static void
begin_only(void)
{
    write_before(1);
}


/* The only segment is to be freed. */

static void
begin_drained(void)
{
    write_before(1);
    lane_pass(LANE_LAST);
}


/* One segment is full of what a process left that is gone. */

static void
write_before(uint32_t segments)
{
    snx_lane_t  lane;

    lane_begin(segments);

    snx_lane_open(&lane, ghost.queue, LANE_PID + 50, 0);
    lane_put(&lane, LANE_GONE);
    lane_put(&lane, LANE_GONE);
    snx_lane_close(&lane);
}


static void
one(unsigned self)
{
    lane_produce(self, 1);
}


static void
two(unsigned self)
{
    lane_produce(self, 2);
}


static void
three(unsigned self)
{
    lane_produce(self, 3);
}


static void
five(unsigned self)
{
    lane_produce(self, 5);
}


static void
pass(unsigned self)
{
    lane_pass(self);
}


static void
passes(unsigned self)
{
    lane_pass(self);
    lane_sweep();
    lane_pass(self);
}


static void
sweep(unsigned self)
{
    (void) self;

    lane_sweep();
}


static void
rescue(unsigned self)
{
    lane_sweep();
    lane_pass(self);
    lane_sweep();
}
