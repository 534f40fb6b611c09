
/*
 * Copyright (C) ngx_sentry authors
 *
 * Backpressure: while the queue is nearly full, or Sentry wants no
 * transactions of a project, its rate of traces is halved step by step.
 * Source: develop docs, sdk/telemetry/traces/backpressure.
 */


#include "ngx_sentry.h"
#include "snx_sender.h"


/* percent of the queue: there the lanes refuse transactions */
#define NGX_SENTRY_PRESSURE_FILL  75


void
ngx_sentry_pressure_check(snx_shm_t *shm)
{
    int             full, limited;
    uint64_t        now;
    ngx_uint_t      i;
    snx_project_t  *project;

    now = snx_process_now_ms();
    full = snx_queue_fill(snx_shm_queue(shm)) >= NGX_SENTRY_PRESSURE_FILL;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        project = &shm->projects[i];

        if (!atomic_load(&project->used)) {
            break;
        }

        limited = snx_limits_left(&project->limits, SNX_CAT_TRANSACTION, now)
                  != 0;

        snx_pressure_check(&project->pressure, full || limited, now);
    }
}
