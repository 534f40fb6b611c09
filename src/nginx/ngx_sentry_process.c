
/*
 * Copyright (C) ngx_sentry authors
 *
 * Workers: their lanes, their random bits, and the life of the sender.  Each
 * worker looks at the lease twice a second; the one that gets it starts the
 * sender thread, hears what it has to say, and ends it when the worker
 * leaves.
 */


#include "ngx_sentry.h"
#include "snx_random.h"
#include "snx_sender.h"

#include <sys/random.h>


/* between two lines about a queue that stays full */
#define NGX_SENTRY_OVERFLOW_MS  60000

/* the master kills 3 s after TERM whoever is still there */
#define NGX_SENTRY_TERM_MS      2500


struct ngx_sentry_worker_s {
    ngx_sentry_main_conf_t  *conf;
    snx_lane_t               lane;
    snx_random_t             random;
    snx_sender_t            *sender;
    snx_sender_conf_t        sender_conf;
    ngx_event_t              tick;
    ngx_connection_t         dummy;        /* nginx's debug log wants one */
    uint64_t                 overflow_ms;  /* no loss is told before */
    unsigned                 sick:1;       /* cannot send, and it was told */
    _Alignas(8) u_char       buf[SNX_PAYLOAD_MAX];
};


static void ngx_sentry_process_tick(ngx_event_t *ev);
static void ngx_sentry_process_sender(ngx_sentry_worker_t *worker);
static ngx_uint_t ngx_sentry_process_overflow(snx_shm_t *shm);
static uint64_t ngx_sentry_process_overflows(snx_shm_t *shm);
static void ngx_sentry_process_stop(ngx_sentry_worker_t *worker,
    ngx_msec_t timeout);
static void ngx_sentry_process_end(void);
static void ngx_sentry_process_message(const snx_sender_msg_t *msg,
    void *data);
static ngx_uint_t ngx_sentry_process_again(ngx_sentry_worker_t *worker,
    ngx_uint_t failed);
static void ngx_sentry_process_left(uint32_t records);
static void ngx_sentry_process_seed(ngx_sentry_worker_t *worker);
static void ngx_sentry_process_conf(ngx_sentry_worker_t *worker);
static const char *ngx_sentry_process_cstr(ngx_str_t *s);


/* Not allocated: without memory the worker counts what it loses. */

static ngx_sentry_worker_t   ngx_sentry_this;
ngx_sentry_worker_t         *ngx_sentry_worker;


ngx_int_t
ngx_sentry_process_init(ngx_cycle_t *cycle)
{
    ngx_sentry_worker_t     *worker;
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_sentry_module);

    if (smcf == NULL || smcf->zone == NULL
        || ngx_process == NGX_PROCESS_HELPER)
    {
        return NGX_OK;
    }

    worker = &ngx_sentry_this;
    ngx_memzero(worker, offsetof(ngx_sentry_worker_t, buf));

    worker->conf = smcf;

    ngx_sentry_process_conf(worker);
    ngx_sentry_process_seed(worker);

    if (smcf->traces) {
        ngx_sentry_memo_init(cycle->pool);
    }

    snx_lane_open(&worker->lane, snx_shm_queue(smcf->shm),
                  (uint32_t) ngx_pid, worker->sender_conf.start_ticks);

    ngx_sentry_worker = worker;

    worker->dummy.fd = (ngx_socket_t) -1;

    worker->tick.handler = ngx_sentry_process_tick;
    worker->tick.log = cycle->log;
    worker->tick.data = &worker->dummy;
    worker->tick.cancelable = 1;

    ngx_sentry_cause_learn(cycle);

    if (smcf->dsns.nelts || smcf->spotlight.len) {
        ngx_add_timer(&worker->tick, 1);
    }

    return NGX_OK;
}


static void
ngx_sentry_process_conf(ngx_sentry_worker_t *worker)
{
    snx_sender_conf_t       *sc;
    ngx_sentry_main_conf_t  *smcf;

    smcf = worker->conf;
    sc = &worker->sender_conf;

    sc->shm = smcf->shm;
    sc->pid = (uint32_t) ngx_pid;
    sc->start_ticks = snx_process_ticks();
    sc->generation = smcf->generation;
    sc->flush_ms = (uint32_t) smcf->flush_interval;
    sc->timeout_ms = (uint32_t) smcf->timeout;
    sc->proxy = ngx_sentry_process_cstr(&smcf->proxy);
    sc->ca_file = ngx_sentry_process_cstr(&smcf->trusted_certificate);
    sc->spotlight = ngx_sentry_process_cstr(&smcf->spotlight);
    sc->user_agent = SNX_CLIENT " (nginx " NGINX_VERSION ")";
    sc->gzip = smcf->compression ? 1 : 0;
    sc->verify = smcf->ssl_verify ? 1 : 0;
    sc->debug = smcf->debug ? 1 : 0;
}


/* What nginx and the environment's copy give is terminated. */

static const char *
ngx_sentry_process_cstr(ngx_str_t *s)
{
    return s->len ? (const char *) s->data : NULL;
}


static void
ngx_sentry_process_seed(ngx_sentry_worker_t *worker)
{
    uint64_t  seed[4];

    if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
        seed[0] = (uint64_t) ngx_pid << 32 ^ (uint64_t) ngx_random();
        seed[1] = snx_process_now_ms();
        seed[2] = (uint64_t) ngx_time();
        seed[3] = (uint64_t) (uintptr_t) worker;
    }

    snx_random_seed(&worker->random, seed);
}


static void
ngx_sentry_process_tick(ngx_event_t *ev)
{
    ngx_sentry_process_sender(ngx_sentry_worker);

    ngx_add_timer(ev, NGX_SENTRY_TICK_MS);
}


static void
ngx_sentry_process_sender(ngx_sentry_worker_t *worker)
{
    snx_rc_t          rc;
    snx_sender_msg_t  msg;

    if (worker->sender) {

        while (snx_sender_message(worker->sender, &msg)) {
            ngx_sentry_process_message(&msg, NULL);
        }

        if (snx_sender_running(worker->sender)) {

            if (snx_sender_watch(worker->sender) == SNX_DONE) {
                ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                              "sentry: the sender was kept busy by an answer "
                              "without end, its connections were closed");
            }

            if (snx_process_now_ms() >= worker->overflow_ms
                && ngx_sentry_process_overflow(worker->conf->shm))
            {
                worker->overflow_ms = snx_process_now_ms()
                                      + NGX_SENTRY_OVERFLOW_MS;
            }

            ngx_sentry_notes_drain(worker, worker->conf);
            ngx_sentry_pressure_check(worker->conf->shm);
            return;
        }

        ngx_sentry_process_stop(worker, 0);
    }

    rc = snx_sender_start(&worker->sender, &worker->sender_conf);

    if (rc == SNX_NOMEM && !ngx_sentry_process_again(worker, 1)) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "sentry: the sender thread cannot be started, retrying");
    }

    if (rc != SNX_OK) {
        worker->sender = NULL;
    }
}


/*
 * The process that sends speaks for all of them: now and then, and of the
 * rest when it leaves.  Whether there was something to say.
 */

static ngx_uint_t
ngx_sentry_process_overflow(snx_shm_t *shm)
{
    uint64_t  lost, told;

    lost = ngx_sentry_process_overflows(shm);
    told = atomic_exchange(&shm->overflow, lost);

    if (lost <= told) {
        return 0;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "sentry: the queue is full, %uL events lost", lost - told);

    return 1;
}


static uint64_t
ngx_sentry_process_overflows(snx_shm_t *shm)
{
    uint64_t           n;
    ngx_uint_t         i, j;
    _Atomic uint64_t  *lost;

    n = 0;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {

        if (!atomic_load(&shm->projects[i].used)) {
            break;
        }

        lost = shm->projects[i].counters.lost[SNX_LOST_QUEUE_OVERFLOW];

        for (j = 0; j < SNX_CATS_N; j++) {

            /* a span is part of a transaction */

            if (j != SNX_CAT_SPAN) {
                n += atomic_load(&lost[j]);
            }
        }
    }

    return n;
}


static void
ngx_sentry_process_stop(ngx_sentry_worker_t *worker, ngx_msec_t timeout)
{
    if (!snx_sender_stop(worker->sender, (uint32_t) timeout,
                         ngx_sentry_process_message, NULL, NULL))
    {
        (void) atexit(ngx_sentry_process_end);
    }

    worker->sender = NULL;
}


/*
 * The first exit handler to run, and the last thing this process does: those
 * of the libraries would work against the thread that is still in them.
 */

static void
ngx_sentry_process_end(void)
{
    _exit(0);
}


static void
ngx_sentry_process_message(const snx_sender_msg_t *msg, void *data)
{
    /* the first that a thread says is whether it could start */

    if (ngx_sentry_process_again(ngx_sentry_worker,
                                 msg->level == NGX_LOG_CRIT))
    {
        return;
    }

    ngx_log_error((ngx_uint_t) msg->level, ngx_cycle->log, 0, "sentry: %s",
                  msg->text);
}


/* Whether it failed as it did when that was told. */

static ngx_uint_t
ngx_sentry_process_again(ngx_sentry_worker_t *worker, ngx_uint_t failed)
{
    ngx_uint_t  again;

    again = worker->sick && failed;
    worker->sick = (failed != 0);

    return again;
}


/*
 * Leaving: what this worker queued stays in shared memory for whoever sends.
 * If that is this worker, or nobody, it sends for a while before it goes.
 * Publishing before looking at the lease, and looking at the queue after
 * giving the lease back, make sure that of two workers leaving together one
 * sees what the other left.
 */

void
ngx_sentry_process_exit(ngx_cycle_t *cycle)
{
    uint32_t              left;
    uint64_t              end, now;
    snx_queue_usage_t     usage;
    ngx_sentry_worker_t  *worker;

    worker = ngx_sentry_worker;

    if (worker == NULL) {
        return;
    }

    if (worker->sender) {
        (void) ngx_sentry_process_overflow(worker->conf->shm);
        ngx_sentry_notes_drain(worker, worker->conf);
    }

    snx_lane_close(&worker->lane);
    ngx_sentry_memo_init(NULL);

    if (worker->tick.handler == NULL
        || (worker->conf->dsns.nelts == 0 && worker->conf->spotlight.len == 0))
    {
        return;
    }

    if (worker->tick.timer_set) {
        ngx_del_timer(&worker->tick);
    }

    left = 0;
    end = snx_process_now_ms()
          + (ngx_terminate ? ngx_min(worker->conf->shutdown_timeout,
                                     NGX_SENTRY_TERM_MS)
                           : worker->conf->shutdown_timeout);

    for ( ;; ) {
        now = snx_process_now_ms();

        if (worker->sender) {
            ngx_sentry_process_stop(worker, now < end ? end - now : 0);
            ngx_time_update();
        }

        snx_queue_usage(snx_shm_queue(worker->conf->shm), &usage);

        /* once more for what came meanwhile, not for what cannot be sent */

        if (usage.pending == left
            || snx_process_now_ms() + NGX_SENTRY_LAST_MS >= end
            || snx_sender_start(&worker->sender, &worker->sender_conf)
               != SNX_OK)
        {
            break;
        }

        left = usage.pending;
    }

    if (usage.pending
        && snx_queue_leave(snx_shm_queue(worker->conf->shm),
                           worker->sender_conf.pid, snx_process_alive, NULL)
        && atomic_exchange(&worker->conf->shm->abandoned, 0))
    {
        ngx_sentry_process_left(usage.pending);
    }

    ngx_sentry_worker = NULL;
}


static void
ngx_sentry_process_left(uint32_t records)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "sentry: %uD records left in the queue were lost", records);
}


/*
 * Without a master ("master_process off") a reload replaces the configuration
 * under the running process and calls no process hook: begin anew.
 */

void
ngx_sentry_process_renew(ngx_cycle_t *cycle)
{
    if (ngx_sentry_worker) {
        ngx_sentry_process_exit(cycle);
        (void) ngx_sentry_process_init(cycle);
    }
}


/* The last process of this nginx: nobody can send what is left. */

void
ngx_sentry_process_master_exit(ngx_cycle_t *cycle)
{
    snx_queue_usage_t        usage;
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_sentry_module);

    if (smcf == NULL || smcf->shm == NULL) {
        return;
    }

    snx_queue_usage(snx_shm_queue(smcf->shm), &usage);

    if (usage.pending) {
        ngx_sentry_process_left(usage.pending);
    }
}


void
ngx_sentry_process_record(ngx_sentry_worker_t *worker, snx_rec_writer_t *rec)
{
    /* it is aligned and large enough */

    snx_rec_begin(rec, worker->buf, sizeof(worker->buf));
    (void) snx_rec_facts(rec);
}


ngx_int_t
ngx_sentry_process_put(ngx_sentry_worker_t *worker, snx_project_t *project,
    snx_kind_t kind, snx_rec_writer_t *rec)
{
    size_t    len;
    snx_rc_t  rc;

    len = snx_rec_end(rec);

    rc = kind == SNX_KIND_EVENT
         ? snx_project_put(project, SNX_CAT_ERROR, &worker->lane,
                           SNX_LANE_ERRORS, SNX_KIND_EVENT, rec->start, len)
         : snx_project_put(project, SNX_CAT_TRANSACTION, &worker->lane,
                           SNX_LANE_BULK, SNX_KIND_TRANSACTION, rec->start,
                           len);

    return rc == SNX_OK ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_sentry_process_limits(snx_project_t *project, snx_category_t category)
{
    /* Spotlight has no limits: the sender tells them apart */

    if ((ngx_sentry_worker && ngx_sentry_worker->conf->spotlight.len)
        || snx_limits_left(&project->limits, category, snx_process_now_ms())
           == 0)
    {
        return 0;
    }

    atomic_fetch_add_explicit(&project->counters.captured[category], 1,
                              memory_order_relaxed);
    snx_project_lose(project, SNX_LOST_RATELIMIT_BACKOFF, category, 1);

    return 1;
}


void
ngx_sentry_process_id(ngx_sentry_worker_t *worker, void *out, size_t len)
{
    snx_random_id(&worker->random, out, len);
}


double
ngx_sentry_process_unit(ngx_sentry_worker_t *worker)
{
    return snx_random_unit(&worker->random);
}
