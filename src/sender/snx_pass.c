
/*
 * Copyright (C) ngx_sentry authors
 *
 * When the queue is looked through: the beginning and end of passes, the
 * rest between them, and how much room a pass has to make.
 */


#include "snx_deliver.h"


/* How long the queue is left alone for the time that a pass took, in ms. */

static uint64_t
snx_pass_rest(const snx_deliver_t *deliver, const snx_pass_t *pass)
{
    uint64_t  ms, max;

    ms = pass->spent_ns * SNX_PASS_REST / 1000000;
    max = deliver->stopping ? SNX_PASS_FULL_MS : SNX_PASS_REST_MAX_MS;

    return ms < max ? ms : max;
}


/* How long after a full pass the next one begins, in ms. */

static uint64_t
snx_pass_interval(const snx_deliver_t *deliver, const snx_pass_t *pass)
{
    uint64_t  ms, rest;

    ms = deliver->conf->flush_ms;

    if (deliver->stopping) {
        ms = 1;

    } else if (pass->reached || pass->picked >= SNX_PASS_MORE_N) {
        ms = 0;

    } else if (ms > SNX_PASS_FULL_MS
               && snx_queue_fill(deliver->queue) > SNX_PASS_FULL_PERCENT)
    {
        ms = SNX_PASS_FULL_MS;
    }

    rest = snx_pass_rest(deliver, pass);

    return ms > rest ? ms : rest;
}


/* A brief pass costs little and may follow a full one at once. */

static void
snx_pass_schedule(const snx_deliver_t *deliver, snx_pass_t *pass,
    uint64_t now_ms)
{
    uint64_t  brief_ms;

    pass->next_ms = pass->full_ms;

    if (pass->again && pass->marked) {
        brief_ms = now_ms + (pass->brief ? snx_pass_rest(deliver, pass) : 0);

        if (brief_ms < pass->next_ms) {
            pass->next_ms = brief_ms;
        }
    }
}


void
snx_deliver_pass_end(const snx_deliver_t *deliver, snx_pass_t *pass,
    uint64_t now_ms)
{
    pass->active = 0;

    if (!pass->brief || pass->reached) {
        pass->full_ms = now_ms + snx_pass_interval(deliver, pass);
    }

    snx_pass_schedule(deliver, pass, now_ms);
}


static uint32_t
snx_pass_projects(const snx_shm_t *shm)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        n += atomic_load_explicit(&shm->projects[i].used,
                                  memory_order_relaxed) != 0;
    }

    return n;
}


/*
 * Above half, records of projects that back off make room for others: as
 * many bytes as the segments in use are above it.  Swept first: what the
 * last pass has dropped must not be in the way again.
 */

static int64_t
snx_pass_excess(snx_deliver_t *deliver, uint64_t now_ms)
{
    snx_queue_usage_t  usage;

    if (snx_pass_projects(deliver->conf->shm) < 2
        || snx_queue_fill(deliver->queue) <= SNX_DROP_FULL_PERCENT)
    {
        return 0;
    }

    snx_deliver_sweep(deliver, now_ms);
    snx_queue_usage(deliver->queue, &usage);

    return ((int64_t) usage.segments_used - usage.segments / 2)
           * SNX_SEGMENT_SIZE;
}


/* A brief pass belongs to the full one before it and adds to its picks. */

static void
snx_pass_begin_brief(snx_pass_t *pass)
{
    pass->cursor = pass->mark;
    pass->spent_ns = 0;
    pass->held = 0;
    pass->active = 1;
    pass->brief = 1;
    pass->marked = 0;
    pass->again = 0;
}


void
snx_deliver_passes(snx_deliver_t *deliver, uint64_t now_ms)
{
    int          i;
    snx_pass_t  *pass;

    for (i = 0; i < SNX_LANES_N; i++) {
        pass = &deliver->passes[i];

        if (pass->active || now_ms < pass->next_ms) {
            continue;
        }

        if (now_ms < pass->full_ms) {
            snx_pass_begin_brief(pass);
            continue;
        }

        memset(pass, 0, sizeof(snx_pass_t));
        pass->active = 1;

        deliver->drop_bytes = snx_pass_excess(deliver, now_ms);
    }
}


void
snx_deliver_again(snx_deliver_t *deliver, int reached, uint64_t now_ms)
{
    int          i;
    snx_pass_t  *pass;

    for (i = 0; i < SNX_LANES_N; i++) {
        pass = &deliver->passes[i];

        pass->again = 1;
        pass->reached |= reached ? 1 : 0;

        if (pass->active) {
            continue;
        }

        if (pass->reached) {
            pass->full_ms = now_ms + snx_pass_interval(deliver, pass);
        }

        snx_pass_schedule(deliver, pass, now_ms);
    }
}
