
/*
 * Copyright (C) ngx_sentry authors
 *
 * Which record is sent next: whose it is, whether its project can take it
 * now, and what becomes of those that nobody takes.
 */


#include <time.h>

#include "snx_deliver.h"
#include "snx_record.h"


int
snx_deliver_blocked(const snx_deliver_t *deliver, uint64_t now_ms)
{
    uint32_t           i;
    const snx_dest_t  *dest;
    const snx_shm_t   *shm;

    if (deliver->spotlight.url != NULL) {
        return 0;
    }

    shm = deliver->conf->shm;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        dest = deliver->dests[i];

        if (atomic_load_explicit(&shm->projects[i].used,
                                 memory_order_relaxed)
            && (dest == NULL || snx_dest_ready(dest, now_ms) == SNX_OK))
        {
            return 0;
        }
    }

    return 1;
}


snx_dest_t *
snx_deliver_dest(snx_deliver_t *deliver, uint32_t i, uint64_t now_ms)
{
    snx_dest_t  *dest;

    dest = deliver->dests[i];

    if (dest == NULL) {
        dest = snx_dest_create(&deliver->conf->shm->projects[i], deliver->box,
                               now_ms);

        if (dest != NULL && deliver->stopping) {
            snx_dest_stop(dest);
        }

        deliver->dests[i] = dest;
    }

    return dest;
}


/*
 * The project of a record.  SNX_OK with *dest set, SNX_DONE: it has none,
 * SNX_INVALID, SNX_NOMEM.
 */

static snx_rc_t
snx_pick_dest(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_dest_t **dest, uint64_t now_ms)
{
    snx_rc_t        rc;
    snx_shm_t      *shm;
    snx_field_t     f;
    snx_project_t  *project;

    *dest = NULL;
    shm = deliver->conf->shm;

    rc = snx_rec_find(rec->data, SNX_F_DSN, &f);

    if (rc != SNX_OK) {
        return rc;
    }

    project = snx_shm_project(shm, f.value, snx_str(NULL, 0));

    if (project == NULL) {
        return SNX_DONE;
    }

    *dest = snx_deliver_dest(deliver, (uint32_t) (project - shm->projects),
                             now_ms);

    if (*dest == NULL) {
        snx_deliver_lose(deliver, rec, project, SNX_LOST_INTERNAL);
        return SNX_NOMEM;
    }

    return SNX_OK;
}


/* The project that damage is charged to, when nobody can tell whose it is. */

static snx_project_t *
snx_pick_scapegoat(const snx_deliver_t *deliver)
{
    uint32_t    i;
    snx_shm_t  *shm;

    shm = deliver->conf->shm;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        if (atomic_load_explicit(&shm->projects[i].used,
                                 memory_order_acquire))
        {
            return &shm->projects[i];
        }
    }

    return NULL;
}


static void
snx_pick_damaged(snx_deliver_t *deliver, snx_lane_class_t class,
    uint32_t lost)
{
    snx_project_t  *project;

    (void) atomic_fetch_add_explicit(&deliver->conf->shm->segments_corrupt, 1,
                                     memory_order_relaxed);

    project = snx_pick_scapegoat(deliver);

    if (project != NULL) {
        snx_project_lose(project, SNX_LOST_CORRUPT,
                         class == SNX_LANE_ERRORS ? SNX_CAT_ERROR
                                                  : SNX_CAT_TRANSACTION,
                         lost);
    }

    snx_mailbox_put(deliver->box, SNX_MSG_ERROR,
                    "a segment of the queue was damaged, %u records lost",
                    (unsigned) lost);
}


/* Hands a record back that cannot be sent now, or drops it for room. */

static void
snx_pick_hold(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_dest_t *dest, snx_rc_t why)
{
    if (why == SNX_AGAIN && deliver->drop_bytes > 0) {
        deliver->drop_bytes -= (int64_t) rec->data.len;
        snx_deliver_lose(deliver, rec, dest->project,
                         SNX_LOST_QUEUE_OVERFLOW);
        return;
    }

    if (why == SNX_FULL) {
        dest->starved = 1;
        snx_dest_want(dest);
    }

    snx_queue_release(rec, 0);
}


/* A record without a project; it may still be of use to Spotlight. */

static snx_rc_t
snx_pick_local(snx_deliver_t *deliver, const snx_queue_rec_t *rec)
{
    if (deliver->spotlight.url == NULL) {
        snx_deliver_lose(deliver, rec, NULL, SNX_LOST_INTERNAL);
        return SNX_DONE;
    }

    if (snx_spotlight_busy(&deliver->spotlight, deliver->transport)) {
        deliver->spotlight.starved = 1;
        snx_queue_release(rec, 0);
        return SNX_FULL;
    }

    return SNX_OK;
}


/*
 * What Spotlight makes of an answer of snx_dest_ready(): a burst of copies is
 * waited for, and a record whose project takes none now is copied, once, all
 * the same.
 */

static snx_rc_t
snx_pick_copy(snx_deliver_t *deliver, const snx_queue_rec_t *rec, snx_rc_t rc,
    uint64_t now_ms)
{
    snx_spotlight_t  *spotlight;

    spotlight = &deliver->spotlight;

    if (spotlight->url == NULL || rec->attempts != 0 || rc == SNX_FULL) {
        return rc;
    }

    if (snx_spotlight_busy(spotlight, deliver->transport)) {

        if (rc == SNX_AGAIN
            || snx_spotlight_soon(spotlight, deliver->transport, now_ms))
        {
            spotlight->starved = 1;
            return SNX_FULL;
        }

        return rc;
    }

    return rc == SNX_AGAIN && deliver->drop_bytes <= 0
           && snx_spotlight_takes(spotlight, deliver->transport, now_ms)
           ? SNX_OK : rc;
}


/*
 * SNX_OK: a claimed record may be sent.  SNX_FULL: it was handed back, its
 * destination is busy.  Else it was ended, or handed back for longer.
 */

static snx_rc_t
snx_pick_accept(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_dest_t **dest, uint64_t now_ms)
{
    snx_rc_t  rc;

    rc = snx_pick_dest(deliver, rec, dest, now_ms);

    if (rc == SNX_INVALID) {
        snx_deliver_lose(deliver, rec, snx_pick_scapegoat(deliver),
                         SNX_LOST_INTERNAL);
    }

    if (rc == SNX_DONE) {
        return snx_pick_local(deliver, rec);
    }

    if (rc != SNX_OK) {
        return rc;
    }

    if (!(*dest)->usable) {
        snx_deliver_lose(deliver, rec, (*dest)->project, SNX_LOST_INTERNAL);
        return SNX_DONE;
    }

    rc = snx_pick_copy(deliver, rec, snx_dest_ready(*dest, now_ms), now_ms);

    if (rc != SNX_OK) {
        snx_pick_hold(deliver, rec, *dest, rc);
    }

    return rc;
}


static uint64_t
snx_pick_clock_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* Goes on with the pass until a record may be sent: 1, or 0 at its end. */

static int
snx_pick_pass(snx_deliver_t *deliver, snx_lane_class_t class,
    snx_queue_rec_t *rec, snx_dest_t **dest, uint64_t now_ms)
{
    snx_rc_t             rc;
    uint32_t             lost;
    snx_pass_t          *pass;
    snx_queue_cursor_t   at;

    pass = &deliver->passes[class];

    for ( ;; ) {
        at = pass->cursor;

        rc = snx_queue_next(deliver->queue, class, &pass->cursor,
                            deliver->conf->pid, rec, &lost);

        if (rc == SNX_INVALID) {
            snx_pick_damaged(deliver, class, lost);
            continue;
        }

        if (rc != SNX_OK) {
            return 0;
        }

        rc = snx_pick_accept(deliver, rec, dest, now_ms);

        if (rc == SNX_OK) {
            return 1;
        }

        pass->looked = 1;

        if (rc != SNX_FULL) {
            continue;
        }

        if (!pass->marked) {
            pass->marked = 1;
            pass->mark = at;
        }

        if (++pass->held >= SNX_PASS_BRIEF_N && pass->brief) {
            return 0;
        }
    }
}


static snx_rc_t
snx_pick_class(snx_deliver_t *deliver, snx_lane_class_t class,
    snx_queue_rec_t *rec, snx_dest_t **dest, uint64_t now_ms)
{
    int          found;
    uint64_t     begun_ns;
    snx_pass_t  *pass;

    pass = &deliver->passes[class];

    if (!pass->active) {
        return SNX_DONE;
    }

    pass->looked = 0;
    begun_ns = snx_pick_clock_ns();
    found = snx_pick_pass(deliver, class, rec, dest, now_ms);

    if (pass->looked || !found) {
        pass->spent_ns += snx_pick_clock_ns() - begun_ns;
    }

    if (found) {
        pass->picked++;
        return SNX_OK;
    }

    snx_deliver_pass_end(deliver, pass, now_ms);

    return SNX_DONE;
}


/* All are busy, or cannot be reached, before the passes came to an end. */

static void
snx_pick_wanted(const snx_deliver_t *deliver)
{
    uint32_t  i;

    if (!deliver->passes[SNX_LANE_ERRORS].active
        && !deliver->passes[SNX_LANE_BULK].active)
    {
        return;
    }

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        if (deliver->dests[i] != NULL && deliver->dests[i]->inflight != 0) {
            snx_dest_want(deliver->dests[i]);
        }
    }
}


snx_rc_t
snx_deliver_pick(snx_deliver_t *deliver, snx_queue_rec_t *rec,
    snx_dest_t **dest, uint64_t now_ms)
{
    if (snx_deliver_blocked(deliver, now_ms)) {
        snx_pick_wanted(deliver);
        return SNX_DONE;
    }

    if (snx_pick_class(deliver, SNX_LANE_ERRORS, rec, dest, now_ms)
        == SNX_OK)
    {
        return SNX_OK;
    }

    return snx_pick_class(deliver, SNX_LANE_BULK, rec, dest, now_ms);
}
