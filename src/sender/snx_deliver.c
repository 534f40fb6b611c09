
/*
 * Copyright (C) ngx_sentry authors
 */


#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "snx_deliver.h"


snx_deliver_t *
snx_deliver_create(const snx_sender_conf_t *conf, snx_mailbox_t *box,
    snx_transport_t *transport)
{
    uint64_t         entropy[4];
    snx_deliver_t   *deliver;
    struct utsname   uts;

    deliver = calloc(1, sizeof(snx_deliver_t));

    if (deliver == NULL) {
        return NULL;
    }

    if (conf->gzip && snx_gzip_init(&deliver->gzip) != SNX_OK) {
        free(deliver);
        return NULL;
    }

    deliver->conf = conf;
    deliver->box = box;
    deliver->transport = transport;
    deliver->queue = snx_shm_queue(conf->shm);

    snx_spotlight_init(&deliver->spotlight, conf->spotlight, box);

    /* for the jitter of retries, which need not be secret */

    entropy[0] = conf->pid;
    entropy[1] = snx_process_now_ms();
    entropy[2] = (uint64_t) snx_deliver_now_us();
    entropy[3] = (uintptr_t) deliver;
    snx_random_seed(&deliver->random, entropy);

    if (uname(&uts) == 0) {
        snx_encode_init(&deliver->encode, uts.sysname, uts.release);
    }

    return deliver;
}


void
snx_deliver_destroy(snx_deliver_t *deliver)
{
    uint32_t  i;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        free(deliver->dests[i]);
    }

    snx_gzip_done(&deliver->gzip);
    free(deliver);
}


int64_t
snx_deliver_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


uint32_t
snx_deliver_inflight(const snx_deliver_t *deliver)
{
    return snx_transport_inflight(deliver->transport, SNX_POOL_SENTRY);
}


snx_category_t
snx_deliver_category(uint16_t kind)
{
    return kind == SNX_KIND_TRANSACTION ? SNX_CAT_TRANSACTION : SNX_CAT_ERROR;
}


/* Of a transaction: with the transaction itself, as Sentry counts. */

static uint32_t
snx_deliver_spans(snx_deliver_t *deliver, const snx_queue_rec_t *rec)
{
    snx_spans_t  *spans;

    spans = &deliver->encode.spans;

    if (snx_fields_read(&deliver->fields, rec->data) != SNX_OK) {
        return 1;
    }

    snx_spans_read(spans, &deliver->fields, 0);

    return spans->n + 1;
}


void
snx_deliver_lose(snx_deliver_t *deliver, const snx_queue_rec_t *rec,
    snx_project_t *project, snx_lost_t lost)
{
    if (project != NULL) {
        snx_project_lose(project, lost, snx_deliver_category(rec->kind), 1);

        if (rec->kind == SNX_KIND_TRANSACTION) {
            snx_project_lose(project, lost, SNX_CAT_SPAN,
                             snx_deliver_spans(deliver, rec));
        }
    }

    snx_queue_done(rec);
    deliver->done = 1;
}


void
snx_deliver_sweep(snx_deliver_t *deliver, uint64_t now_ms)
{
    (void) snx_queue_sweep(deliver->queue, snx_process_alive, NULL);

    deliver->sweep_ms = now_ms;
    deliver->freed_ms = now_ms;
    deliver->done = 0;
}


/* Room for producers soon; whoever died is looked for less often. */

static void
snx_deliver_housekeeping(snx_deliver_t *deliver, uint64_t now_ms)
{
    if (now_ms - deliver->sweep_ms >= SNX_SWEEP_MS) {
        snx_deliver_sweep(deliver, now_ms);

    } else if (deliver->done
               && now_ms - deliver->freed_ms >= SNX_SWEEP_DONE_MS)
    {
        (void) snx_queue_sweep(deliver->queue, NULL, NULL);

        deliver->freed_ms = now_ms;
        deliver->done = 0;
    }
}


void
snx_deliver_work(snx_deliver_t *deliver, uint64_t now_ms)
{
    snx_dest_t       *dest;
    snx_queue_rec_t   rec;

    snx_deliver_housekeeping(deliver, now_ms);
    snx_deliver_passes(deliver, now_ms);

    while (snx_transport_room(deliver->transport, SNX_POOL_SENTRY) != 0
           && snx_deliver_pick(deliver, &rec, &dest, now_ms) == SNX_OK)
    {
        snx_deliver_record(deliver, &rec, dest, now_ms);
    }

    snx_deliver_reports(deliver, now_ms);
}


uint32_t
snx_deliver_wait(const snx_deliver_t *deliver, uint64_t now_ms)
{
    int       i;
    uint64_t  wait, left;

    wait = deliver->conf->flush_ms < SNX_IDLE_MS ? deliver->conf->flush_ms
                                                 : SNX_IDLE_MS;

    for (i = 0; i < SNX_LANES_N; i++) {

        if (deliver->passes[i].active) {
            continue;
        }

        left = deliver->passes[i].next_ms > now_ms
               ? deliver->passes[i].next_ms - now_ms : 1;
        wait = left < wait ? left : wait;
    }

    return (uint32_t) wait;
}


void
snx_deliver_stop(snx_deliver_t *deliver, uint64_t now_ms)
{
    uint32_t  i;

    deliver->stopping = 1;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        if (deliver->dests[i] != NULL) {
            snx_dest_stop(deliver->dests[i]);
        }
    }

    /* whatever a pass has handed back gets its last chance */

    for (i = 0; i < SNX_LANES_N; i++) {
        memset(&deliver->passes[i], 0, sizeof(snx_pass_t));
        deliver->passes[i].next_ms = now_ms;
        deliver->passes[i].picked = 1;
    }
}


int
snx_deliver_idle(const snx_deliver_t *deliver, uint64_t now_ms)
{
    int  i;

    if (snx_deliver_inflight(deliver) != 0
        || snx_transport_inflight(deliver->transport, SNX_POOL_SPOTLIGHT))
    {
        return 0;
    }

    if (snx_deliver_blocked(deliver, now_ms)) {
        return 1;
    }

    for (i = 0; i < SNX_LANES_N; i++) {
        if (deliver->passes[i].picked != 0 || deliver->passes[i].again
            || deliver->passes[i].reached)
        {
            return 0;
        }
    }

    return 1;
}
