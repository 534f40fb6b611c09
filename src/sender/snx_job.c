
/*
 * Copyright (C) ngx_sentry authors
 *
 * One delivery: from a claimed record to an envelope in flight, and from its
 * answer to the accounts.
 */


#include <stdio.h>

#include "snx_deliver.h"
#include "snx_text.h"


static snx_job_t *
snx_job_new(snx_deliver_t *deliver, snx_dest_t *dest)
{
    uint32_t    i;
    snx_job_t  *job;

    for (i = 0; i < SNX_TRANSPORT_SENTRY_N; i++) {
        job = &deliver->jobs[i];

        if (!job->used) {
            memset(job, 0, sizeof(snx_job_t));
            job->dest = dest;
            return job;
        }
    }

    return NULL;
}


/*
 * Compresses what is worth it; *gzip tells.  A transaction takes three times
 * as long with it: while the queue fills up with them, what is short is time.
 */

static snx_str_t
snx_job_pack(snx_deliver_t *deliver, uint16_t kind,
    const snx_envelope_t *envelope, int *gzip)
{
    size_t     len;
    snx_str_t  body;

    body = snx_str(envelope->data, envelope->len);
    *gzip = 0;

    if (kind == SNX_KIND_TRANSACTION
        && snx_queue_fill(deliver->queue) > SNX_GZIP_FULL_PERCENT)
    {
        return body;
    }

    if (deliver->conf->gzip && body.len > SNX_GZIP_MIN
        && snx_gzip(&deliver->gzip, body, deliver->packed,
                    sizeof(deliver->packed), &len)
           == SNX_OK)
    {
        *gzip = 1;
        body = snx_str(deliver->packed, len);
    }

    return body;
}


static int
snx_job_report_due(const snx_deliver_t *deliver, const snx_dest_t *dest,
    uint64_t now_ms)
{
    uint64_t  age_ms, due_ms;

    if (dest->reporting || dest->mute
        || snx_limits_left(&dest->project->limits, SNX_CAT_INTERNAL, now_ms))
    {
        return 0;
    }

    age_ms = now_ms - dest->reported_ms;
    due_ms = (uint64_t) deliver->conf->flush_ms * SNX_REPORT_FLUSHES_N;

    return deliver->stopping || age_ms >= due_ms;
}


/* Adds a client report if one is due; the envelope is good without it. */

static void
snx_job_report(snx_deliver_t *deliver, snx_job_t *job,
    snx_envelope_t *envelope, uint64_t now_ms, int64_t now_us)
{
    if (snx_job_report_due(deliver, job->dest, now_ms)
        && snx_dest_unreported(job->dest, &job->report)
        && snx_envelope_report(envelope, &job->report, now_us) == SNX_OK)
    {
        job->reporting = 1;
    }
}


static snx_rc_t
snx_job_envelope(snx_deliver_t *deliver, uint16_t kind, snx_dest_t *dest,
    snx_envelope_t *envelope, int64_t now_us)
{
    size_t                len;
    snx_rc_t              rc;
    const char           *type;
    snx_envelope_meta_t   meta;

    switch (kind) {

    case SNX_KIND_EVENT:
        type = "event";
        rc = snx_encode_event(&deliver->encode, &deliver->fields, now_us,
                              deliver->json, sizeof(deliver->json), &len);
        break;

    case SNX_KIND_TRANSACTION:
        type = "transaction";
        rc = snx_encode_transaction(&deliver->encode, &deliver->fields,
                                    now_us, deliver->json,
                                    sizeof(deliver->json), &len);
        break;

    default:
        return SNX_INVALID;
    }

    if (rc != SNX_OK) {
        return rc;
    }

    meta.now_us = now_us;
    meta.dsn = dest == NULL ? NULL : &dest->dsn;

    rc = snx_envelope_begin(envelope, deliver->body, sizeof(deliver->body),
                            &deliver->fields, &meta);
    if (rc != SNX_OK) {
        return rc;
    }

    return snx_envelope_item(envelope, type, deliver->json, len);
}


static snx_rc_t
snx_job_post(snx_deliver_t *deliver, snx_job_t *job, snx_str_t body, int gzip)
{
    snx_rc_t     rc;
    snx_post_t   post;

    post.url = job->dest->url;
    post.auth = job->dest->auth;
    post.body = body;
    post.gzip = gzip ? 1 : 0;
    post.data = job;

    rc = snx_transport_post(deliver->transport, SNX_POOL_SENTRY, &post);

    if (rc == SNX_OK) {
        job->used = 1;
        job->probe = snx_dest_sent(job->dest) ? 1 : 0;
        job->dest->reporting |= job->reporting;
    }

    return rc;
}


/* The Sentry side of a record whose envelope is made. */

static void
snx_job_record(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_job_t *job, snx_str_t body, int gzip)
{
    snx_str_t  id;

    job->rec = *rec;
    job->record = 1;
    job->category = snx_deliver_category(rec->kind);

    id = snx_fields_str(&deliver->fields, SNX_F_EVENT_ID);
    snx_text_hex(id.data, 16, job->event_id);

    if (snx_job_post(deliver, job, body, gzip) != SNX_OK) {
        snx_deliver_lose(deliver, rec, job->dest->project, SNX_LOST_INTERNAL);
    }
}


void
snx_deliver_record(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_dest_t *dest, uint64_t now_ms)
{
    int              gzip, copy, held, limited;
    int64_t          now_us;
    snx_str_t        body;
    snx_job_t       *job;
    snx_project_t   *project;
    snx_envelope_t   envelope;

    project = dest == NULL ? NULL : dest->project;
    copy = deliver->spotlight.url != NULL && rec->attempts == 0;
    held = dest != NULL && snx_dest_ready(dest, now_ms) != SNX_OK;
    limited = project != NULL
              && snx_limits_left(&project->limits,
                                 snx_deliver_category(rec->kind), now_ms) != 0;

    if (!copy && (limited || project == NULL)) {
        snx_deliver_lose(deliver, rec, project, SNX_LOST_RATELIMIT_BACKOFF);
        return;
    }

    now_us = snx_deliver_now_us();
    job = dest == NULL ? NULL : snx_job_new(deliver, dest);

    if ((dest != NULL && job == NULL)
        || snx_fields_read(&deliver->fields, rec->data) != SNX_OK
        || snx_job_envelope(deliver, rec->kind, dest, &envelope, now_us)
           != SNX_OK)
    {
        snx_deliver_lose(deliver, rec, project, SNX_LOST_INTERNAL);
        return;
    }

    if (job != NULL && !limited && !held) {
        snx_job_report(deliver, job, &envelope, now_ms, now_us);
    }

    body = snx_job_pack(deliver, rec->kind, &envelope, &gzip);

    if (copy) {
        snx_spotlight_send(&deliver->spotlight, deliver->transport, body,
                           gzip, now_ms);
    }

    if (held) {

        /* was for the copy alone; as tried, there is no other one */

        snx_queue_release(rec, 1);
        return;
    }

    if (job == NULL || limited) {
        snx_deliver_lose(deliver, rec, project, SNX_LOST_RATELIMIT_BACKOFF);
        return;
    }

    snx_job_record(deliver, rec, job, body, gzip);
}


static void
snx_job_report_alone(snx_deliver_t *deliver, snx_dest_t *dest,
    uint64_t now_ms)
{
    int                   gzip;
    snx_job_t            *job;
    snx_str_t             body;
    snx_envelope_t        envelope;
    snx_envelope_meta_t   meta;

    job = snx_job_new(deliver, dest);

    if (job == NULL) {
        return;
    }

    meta.now_us = snx_deliver_now_us();
    meta.dsn = NULL;

    if (snx_envelope_begin(&envelope, deliver->body, sizeof(deliver->body),
                           NULL, &meta)
        != SNX_OK)
    {
        return;
    }

    snx_job_report(deliver, job, &envelope, now_ms, meta.now_us);

    if (job->reporting) {
        body = snx_job_pack(deliver, SNX_KIND_EVENT, &envelope, &gzip);
        (void) snx_job_post(deliver, job, body, gzip);
    }
}


void
snx_deliver_reports(snx_deliver_t *deliver, uint64_t now_ms)
{
    uint32_t     i;
    snx_shm_t   *shm;
    snx_dest_t  *dest;

    if (deliver->stopping && !snx_deliver_idle(deliver, now_ms)) {
        return;
    }

    shm = deliver->conf->shm;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {

        if (atomic_load_explicit(&shm->projects[i].used,
                                 memory_order_acquire)
            == 0)
        {
            continue;
        }

        dest = snx_deliver_dest(deliver, i, now_ms);

        if (dest != NULL && dest->usable && dest->inflight == 0
            && snx_job_report_due(deliver, dest, now_ms)
            && snx_dest_ready(dest, now_ms) == SNX_OK
            && snx_transport_room(deliver->transport, SNX_POOL_SENTRY) != 0)
        {
            snx_job_report_alone(deliver, dest, now_ms);
        }
    }
}


static void
snx_job_delivered(snx_deliver_t *deliver, const snx_job_t *job,
    const snx_answer_t *answer)
{
    snx_counters_t  *counters;

    counters = &job->dest->project->counters;

    (void) atomic_fetch_add_explicit(&counters->delivered[job->category], 1,
                                     memory_order_relaxed);

    if (deliver->conf->debug) {
        snx_mailbox_put(deliver->box, SNX_MSG_NOTICE,
                        "%s took event %s: HTTP %u, %zu bytes, %u ms",
                        snx_project_label(job->dest->project), job->event_id,
                        (unsigned) answer->status, answer->bytes,
                        (unsigned) answer->ms);
    }

    snx_queue_done(&job->rec);
    deliver->done = 1;
}


static void
snx_job_answered(snx_deliver_t *deliver, snx_job_t *job,
    const snx_answer_t *answer, uint64_t now_ms)
{
    snx_project_t   *project;
    snx_counters_t  *counters;

    project = job->dest->project;
    counters = &project->counters;

    (void) atomic_fetch_add_explicit(&counters->requests, 1,
                                     memory_order_relaxed);
    (void) atomic_fetch_add_explicit(&counters->bytes_sent, answer->bytes,
                                     memory_order_relaxed);

    snx_dest_answered(job->dest, answer, deliver->queue, now_ms,
                      snx_deliver_now_us());

    if (job->reporting) {
        job->dest->reported_ms = now_ms;

        /* what Sentry refuses it never takes; in trouble, it will later */

        if (answer->status < 500) {
            snx_dest_reported(job->dest, &job->report);

        } else if (deliver->stopping) {
            job->dest->mute = 1;
        }
    }

    if (!job->record) {
        return;
    }

    if (answer->status >= 200 && answer->status < 300) {
        snx_job_delivered(deliver, job, answer);

    } else if (answer->status == 429) {
        snx_deliver_lose(deliver, &job->rec, project, SNX_LOST_RATE_LIMITED);

    } else {
        snx_deliver_lose(deliver, &job->rec, project, SNX_LOST_SEND_ERROR);
    }
}


static void
snx_job_failed(snx_deliver_t *deliver, snx_job_t *job,
    const snx_answer_t *answer, uint64_t now_ms)
{
    snx_project_t  *project;

    project = job->dest->project;

    (void) atomic_fetch_add_explicit(&project->counters.retries, 1,
                                     memory_order_relaxed);

    snx_dest_failed(job->dest, answer, job->probe, &deliver->random, now_ms,
                    snx_deliver_now_us());

    if (!job->record) {
        return;
    }

    if (job->rec.attempts + 1 >= SNX_ATTEMPTS_MAX_N) {
        snx_deliver_lose(deliver, &job->rec, project, SNX_LOST_NETWORK_ERROR);
        return;
    }

    snx_queue_release(&job->rec, 1);
}


void
snx_deliver_answers(snx_deliver_t *deliver)
{
    int            down, starved, again, reached;
    uint64_t       now_ms;
    snx_job_t     *job;
    snx_answer_t   answer;

    again = 0;
    reached = 0;
    now_ms = snx_process_now_ms();

    while (snx_transport_next(deliver->transport, &answer)) {

        if (answer.pool == SNX_POOL_SPOTLIGHT) {
            again |= deliver->spotlight.starved;
            deliver->spotlight.starved = 0;
            snx_spotlight_answer(&deliver->spotlight, &answer, now_ms);
            continue;
        }

        job = answer.data;

        down = job->dest->down_ms != 0;
        starved = job->dest->starved;
        job->dest->starved = 0;
        job->dest->reporting &= !job->reporting;

        snx_dest_returned(job->dest, job->probe);

        if (answer.status != 0) {
            snx_job_answered(deliver, job, &answer, now_ms);

        } else {
            snx_job_failed(deliver, job, &answer, now_ms);
        }

        if (job->dest->down_ms == 0) {
            again |= starved;
            reached |= down;
        }

        job->used = 0;
    }

    if (again || reached) {
        snx_deliver_again(deliver, reached, now_ms);
    }
}


void
snx_deliver_abort(snx_deliver_t *deliver)
{
    void       *data;
    snx_job_t  *job;

    while (snx_transport_cancel(deliver->transport, SNX_POOL_SENTRY, &data)) {
        job = data;

        snx_dest_returned(job->dest, job->probe);

        if (job->record) {
            snx_queue_release(&job->rec, 0);
        }

        job->used = 0;
    }
}
