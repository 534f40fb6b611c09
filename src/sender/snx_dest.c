
/*
 * Copyright (C) ngx_sentry authors
 */


#include <stdio.h>
#include <stdlib.h>

#include "snx_dest.h"
#include "snx_refusal.h"
#include "snx_text.h"


snx_dest_t *
snx_dest_create(snx_project_t *project, snx_mailbox_t *box, uint64_t now_ms)
{
    uint64_t      since;
    const char   *why;
    snx_dest_t   *dest;

    dest = calloc(1, sizeof(snx_dest_t));

    if (dest == NULL) {
        return NULL;
    }

    dest->project = project;
    dest->box = box;
    dest->reported_ms = now_ms;
    dest->width = SNX_DEST_WIDTH_MIN;

    if (snx_dsn_parse(&dest->dsn, snx_str(project->dsn, project->dsn_len),
                      &why)
        == SNX_OK
        && snx_dsn_envelope_url(&dest->dsn, dest->url, sizeof(dest->url)) != 0
        && snx_dsn_auth(&dest->dsn, dest->auth, sizeof(dest->auth)) != 0)
    {
        dest->usable = 1;
    }

    /* an earlier sender found it unreachable: begin with a probe */

    since = atomic_load_explicit(&project->unreachable_ms,
                                 memory_order_relaxed);
    if (since != 0) {
        dest->down_ms = since;
        dest->backoff_ms = SNX_DEST_BACKOFF_MIN_MS;
        dest->next_try_ms = now_ms;
    }

    return dest;
}


snx_rc_t
snx_dest_ready(const snx_dest_t *dest, uint64_t now_ms)
{
    uint32_t  max;

    if (dest->down_ms == 0) {
        max = dest->http2 ? SNX_TRANSPORT_SENTRY_N : dest->width;

        return dest->inflight < max ? SNX_OK : SNX_FULL;
    }

    if (dest->probing || dest->tried) {
        return SNX_AGAIN;
    }

    return dest->stopping || now_ms >= dest->next_try_ms ? SNX_OK : SNX_AGAIN;
}


void
snx_dest_stop(snx_dest_t *dest)
{
    dest->stopping = 1;
}


int
snx_dest_sent(snx_dest_t *dest)
{
    dest->inflight++;

    if (dest->down_ms == 0) {
        return 0;
    }

    dest->probing = 1;

    return 1;
}


void
snx_dest_returned(snx_dest_t *dest, int probe)
{
    dest->inflight--;

    if (probe) {
        dest->probing = 0;
    }
}


static void
snx_dest_reachable(snx_dest_t *dest, const snx_queue_t *queue,
    uint64_t now_ms)
{
    snx_queue_usage_t  usage;

    snx_queue_usage(queue, &usage);

    snx_mailbox_put(dest->box, SNX_MSG_NOTICE,
                    "%s is reachable again after %llu s, %u records waiting",
                    snx_project_label(dest->project),
                    (unsigned long long) (now_ms - dest->down_ms) / 1000,
                    (unsigned) usage.pending);

    dest->down_ms = 0;
    dest->backoff_ms = 0;

    atomic_store_explicit(&dest->project->unreachable_ms, 0,
                          memory_order_relaxed);
}


static void
snx_dest_refused(snx_dest_t *dest, const snx_answer_t *answer, int64_t now_us)
{
    char  reason[SNX_REFUSAL_MAX + 1], text[SNX_LAST_ERROR_MAX];

    snx_refusal_text(answer, dest->dsn.key, reason);

    (void) snprintf(text, sizeof(text), "HTTP %u%s%s%s",
                    (unsigned) answer->status,
                    reason[0] != '\0' ? " \"" : "", reason,
                    reason[0] != '\0' ? "\"" : "");

    snx_project_error(dest->project, answer->status, (uint64_t) now_us / 1000,
                      snx_cstr(text));

    if (answer->status == 429 || answer->status == dest->refused) {
        return;
    }

    dest->refused = answer->status;

    snx_mailbox_put(dest->box, SNX_MSG_ERROR, "%s refused an envelope: %s",
                    snx_project_label(dest->project), text);
}


/* "error for 60 s, session for 70 s", or "everything for 60 s". */

static uint32_t
snx_dest_list_limits(snx_dest_t *dest, snx_text_t *list, uint64_t now_ms)
{
    int         i;
    uint32_t    limited;
    uint64_t    left;
    snx_str_t   name;

    limited = 0;

    for (i = SNX_CATS_N - 1; i >= 0; i--) {
        left = snx_limits_left(&dest->project->limits, (snx_category_t) i,
                               now_ms);

        if (left == 0) {
            continue;
        }

        limited |= 1u << i;

        if (i != SNX_CAT_INTERNAL && (limited & 1u << SNX_CAT_INTERNAL)) {
            continue;
        }

        name = i == SNX_CAT_INTERNAL ? snx_cstr("everything")
                                     : snx_category_name((snx_category_t) i);

        snx_text_addz(list, list->len == 0 ? "" : ", ");
        snx_text_add(list, name);
        snx_text_addz(list, " for ");
        snx_text_addn(list, (int64_t) ((left + 999) / 1000));
        snx_text_addz(list, " s");
    }

    return limited;
}


static void
snx_dest_tell_limits(snx_dest_t *dest, uint64_t now_ms)
{
    char        buf[256];
    uint32_t    limited, fresh;
    snx_text_t  list;

    snx_text_init(&list, buf, sizeof(buf));

    limited = snx_dest_list_limits(dest, &list, now_ms);
    fresh = limited & ~dest->limited;
    dest->limited = limited;

    if (fresh != 0) {
        snx_mailbox_put(dest->box, SNX_MSG_INFO, "%s rate limits %.*s",
                        snx_project_label(dest->project), (int) list.len,
                        list.data);
    }
}


static void
snx_dest_limits(snx_dest_t *dest, const snx_answer_t *answer,
    uint64_t now_ms, int64_t now_us)
{
    snx_limits_t  *limits;

    limits = &dest->project->limits;

    if (answer->limits[0] != '\0') {
        (void) snx_limits_header(limits, snx_cstr(answer->limits), now_ms);

    } else if (answer->status == 429
               && !snx_limits_retry_after(limits,
                                          snx_cstr(answer->retry_after),
                                          now_ms, now_us / 1000000))
    {
        snx_limits_all(limits, SNX_LIMIT_DEFAULT_MS, now_ms);
    }

    snx_dest_tell_limits(dest, now_ms);
}


void
snx_dest_want(snx_dest_t *dest)
{
    dest->wanted = 1;
}


/* An envelope was taken. */

static void
snx_dest_widen(snx_dest_t *dest, uint64_t now_ms)
{
    dest->taken++;

    if (dest->wanted) {
        dest->wanted = 0;
        dest->wanted_ms = now_ms;

        if (dest->taken >= dest->width * SNX_DEST_WIDTH_ROUNDS
            && dest->width < SNX_DEST_WIDTH_MAX)
        {
            dest->width++;
            dest->taken = 0;
        }

    } else if (now_ms - dest->wanted_ms > SNX_DEST_WIDTH_MS) {
        dest->width = SNX_DEST_WIDTH_MIN;
    }
}


void
snx_dest_answered(snx_dest_t *dest, const snx_answer_t *answer,
    const snx_queue_t *queue, uint64_t now_ms, int64_t now_us)
{
    dest->http2 = answer->http2;

    if (dest->down_ms != 0) {
        snx_dest_reachable(dest, queue, now_ms);
    }

    snx_dest_limits(dest, answer, now_ms, now_us);

    if (answer->status >= 200 && answer->status < 300) {
        dest->refused = 0;
        snx_dest_widen(dest, now_ms);
        return;
    }

    dest->width = SNX_DEST_WIDTH_MIN;

    snx_dest_refused(dest, answer, now_us);
}


void
snx_dest_failed(snx_dest_t *dest, const snx_answer_t *answer, int probe,
    snx_random_t *random, uint64_t now_ms, int64_t now_us)
{
    char      error[SNX_MAILBOX_REMOTE_MAX + 1];
    uint64_t  jitter;

    snx_mailbox_clean(error, sizeof(error), answer->error);
    snx_project_error(dest->project, 0, (uint64_t) now_us / 1000,
                      snx_cstr(error));

    dest->tried = dest->stopping;
    dest->width = SNX_DEST_WIDTH_MIN;

    if (dest->down_ms != 0 && !probe) {
        return;
    }

    if (dest->down_ms == 0) {
        dest->down_ms = now_ms;
        dest->backoff_ms = SNX_DEST_BACKOFF_MIN_MS;

        atomic_store_explicit(&dest->project->unreachable_ms, now_ms,
                              memory_order_relaxed);

        snx_mailbox_put(dest->box, SNX_MSG_WARN,
                        "%s is unreachable: %s, retrying",
                        snx_project_label(dest->project), error);

    } else {
        dest->backoff_ms *= 2;

        if (dest->backoff_ms > SNX_DEST_BACKOFF_MAX_MS) {
            dest->backoff_ms = SNX_DEST_BACKOFF_MAX_MS;
        }
    }

    /* many servers lose the same Sentry at once: up to a fifth earlier */

    jitter = snx_random_next(random) % (dest->backoff_ms / 5);
    dest->next_try_ms = now_ms + dest->backoff_ms - jitter;
}


int
snx_dest_unreported(const snx_dest_t *dest, snx_report_t *report)
{
    int                    any, lost, category;
    uint64_t               told, n;
    const snx_counters_t  *counters;

    any = 0;
    counters = &dest->project->counters;

    for (lost = 0; lost < SNX_LOST_REPORTED_N; lost++) {
        for (category = 0; category < SNX_CATS_N; category++) {

            told = atomic_load_explicit(&counters->reported[lost][category],
                                        memory_order_relaxed);
            n = atomic_load_explicit(&counters->lost[lost][category],
                                     memory_order_relaxed);

            report->n[lost][category] = n > told ? n - told : 0;
            any |= n > told;
        }
    }

    return any;
}


void
snx_dest_reported(snx_dest_t *dest, const snx_report_t *report)
{
    int              lost, category;
    snx_counters_t  *counters;

    counters = &dest->project->counters;

    for (lost = 0; lost < SNX_LOST_REPORTED_N; lost++) {
        for (category = 0; category < SNX_CATS_N; category++) {

            if (report->n[lost][category] != 0) {
                (void) atomic_fetch_add_explicit(
                           &counters->reported[lost][category],
                           report->n[lost][category], memory_order_relaxed);
            }
        }
    }
}
