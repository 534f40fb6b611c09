
/*
 * Copyright (C) ngx_sentry authors
 *
 * The thread's life: lease, loop, end.
 *
 * DESIGN.  The thread owns transport and delivery and frees them itself; the
 * main thread owns snx_sender_t and frees it only after the thread was
 * joined.  A thread that does not end in time is left alone with all its
 * memory: nginx must not wait for it, nor pull the ground from under it.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE            /* names, affinity, timed join of threads */
#endif

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "snx_deliver.h"


#define SNX_SENDER_STACK       (512 * 1024)
#define SNX_SENDER_NICE        5
#define SNX_SENDER_JOIN_MS     150     /* beyond the time to deliver */
#define SNX_SENDER_STUCK_MS    500     /* of CPU, in one turn of the loop */
#define SNX_SENDER_LOOK_MS     2       /* whether it has ended */


struct snx_sender_s {
    snx_sender_conf_t   conf;
    pthread_t           thread;
    pthread_mutex_t     lock;          /* of transport, never held long */
    snx_transport_t    *transport;     /* to wake it up; NULL: not there */
    snx_deliver_t      *deliver;       /* the thread's own */
    uint64_t            token;         /* of the lease, the thread's own */
    uint64_t            renew_ms;      /* when to renew it next */
    _Atomic int         stop;
    _Atomic uint64_t    deadline_ms;   /* once stop is set */
    _Atomic int         running;
    _Atomic uint32_t    turn;          /* of the loop */
    uint32_t            seen_turn;     /* by the main thread */
    uint64_t            seen_cpu_ms;   /* when that one was new */
    unsigned            lost:1;        /* the lease is */
    char               *proxy;         /* what conf points to */
    char               *ca_file;
    char               *spotlight;
    char               *user_agent;
    snx_mailbox_t       box;
};


/*
 * Polite to the processes that serve requests: lower priority, and not bound
 * to the CPU that worker_cpu_affinity gave to the worker.
 */

static void
snx_sender_settle(void)
{
    int        nice_now;
    long       n, i;
    id_t       tid;
    cpu_set_t  cpus;

    (void) pthread_setname_np(pthread_self(), "ngx-sentry");

    tid = (id_t) syscall(SYS_gettid);
    nice_now = getpriority(PRIO_PROCESS, tid);
    (void) setpriority(PRIO_PROCESS, tid, nice_now + SNX_SENDER_NICE);

    n = sysconf(_SC_NPROCESSORS_CONF);
    CPU_ZERO(&cpus);

    for (i = 0; i < n && i < CPU_SETSIZE; i++) {
        CPU_SET((size_t) i, &cpus);
    }

    (void) sched_setaffinity((pid_t) tid, sizeof(cpus), &cpus);
}


static void
snx_sender_publish(snx_sender_t *sender, snx_transport_t *transport)
{
    (void) pthread_mutex_lock(&sender->lock);
    sender->transport = transport;
    (void) pthread_mutex_unlock(&sender->lock);
}


static int
snx_sender_setup(snx_sender_t *sender)
{
    const char            *why;
    snx_transport_t       *transport;
    snx_transport_conf_t   conf;

    why = "no memory";

    conf.proxy = sender->conf.proxy;
    conf.ca_file = sender->conf.ca_file;
    conf.user_agent = sender->conf.user_agent;
    conf.timeout_ms = sender->conf.timeout_ms;
    conf.verify = sender->conf.verify;

    transport = snx_transport_create(&conf, &why);

    if (transport != NULL) {
        sender->deliver = snx_deliver_create(&sender->conf, &sender->box,
                                             transport);
        if (sender->deliver != NULL) {
            snx_sender_publish(sender, transport);
            return 1;
        }

        snx_transport_destroy(transport);
    }

    snx_mailbox_put(&sender->box, SNX_MSG_CRIT,
                    "the sender cannot start: %s", why);

    return 0;
}


static void
snx_sender_renew(snx_sender_t *sender, uint64_t now_ms)
{
    if (sender->lost || now_ms < sender->renew_ms) {
        return;
    }

    sender->renew_ms = now_ms + SNX_LEASE_RENEW_MS;

    if (snx_lease_renew(&sender->conf.shm->lease, now_ms, &sender->token)
        != SNX_OK)
    {
        sender->lost = 1;
        snx_mailbox_put(&sender->box, SNX_MSG_NOTICE, "sender handed over");
    }
}


/* Whether the thread goes on; *wait_ms is cut at the deadline. */

static int
snx_sender_goes_on(snx_sender_t *sender, uint64_t now_ms, uint32_t *wait_ms)
{
    uint64_t  deadline_ms;

    if (sender->lost && snx_deliver_inflight(sender->deliver) == 0) {
        return 0;
    }

    if (!atomic_load_explicit(&sender->stop, memory_order_acquire)) {
        return 1;
    }

    deadline_ms = atomic_load_explicit(&sender->deadline_ms,
                                       memory_order_relaxed);

    if (now_ms >= deadline_ms) {
        return 0;
    }

    if (!sender->deliver->stopping) {
        snx_deliver_stop(sender->deliver, now_ms);
        *wait_ms = 0;
        return 1;
    }

    if (deadline_ms - now_ms < *wait_ms) {
        *wait_ms = (uint32_t) (deadline_ms - now_ms);
    }

    return !snx_deliver_idle(sender->deliver, now_ms);
}


static void
snx_sender_loop(snx_sender_t *sender)
{
    uint32_t        wait_ms;
    uint64_t        now_ms;
    snx_deliver_t  *deliver;

    deliver = sender->deliver;

    for ( ;; ) {
        (void) atomic_fetch_add_explicit(&sender->turn, 1,
                                         memory_order_relaxed);

        now_ms = snx_process_now_ms();
        snx_sender_renew(sender, now_ms);

        wait_ms = SNX_IDLE_MS;

        if (!sender->lost) {
            snx_deliver_work(deliver, now_ms);
            wait_ms = snx_deliver_wait(deliver, now_ms);
        }

        if (!snx_sender_goes_on(sender, now_ms, &wait_ms)) {
            break;
        }

        snx_transport_run(deliver->transport, wait_ms);
        snx_deliver_answers(deliver);
    }
}


static void
snx_sender_teardown(snx_sender_t *sender)
{
    snx_transport_t  *transport;

    if (sender->deliver != NULL) {
        transport = sender->deliver->transport;

        snx_deliver_abort(sender->deliver);
        snx_sender_publish(sender, NULL);
        snx_deliver_destroy(sender->deliver);
        snx_transport_destroy(transport);
        sender->deliver = NULL;
    }

    if (!sender->lost) {
        snx_lease_release(&sender->conf.shm->lease, sender->token);
    }
}


static void *
snx_sender_main(void *data)
{
    snx_sender_t  *sender;

    sender = data;

    snx_sender_settle();

    if (snx_sender_setup(sender)) {
        snx_mailbox_put(&sender->box, SNX_MSG_NOTICE, "sender started");
        snx_sender_loop(sender);
    }

    snx_sender_teardown(sender);

    atomic_store_explicit(&sender->running, 0, memory_order_release);

    return NULL;
}


/*
 * The thread inherits the mask: no signal of nginx is handled in it.  Those
 * that a fault raises stay open, or nobody would learn where it was.
 */

static int
snx_sender_spawn(snx_sender_t *sender)
{
    int             rc;
    sigset_t        all, before;
    pthread_attr_t  attr;

    if (pthread_attr_init(&attr) != 0) {
        return 0;
    }

    (void) pthread_attr_setstacksize(&attr, SNX_SENDER_STACK);

    (void) sigfillset(&all);
    (void) sigdelset(&all, SIGSEGV);
    (void) sigdelset(&all, SIGBUS);
    (void) sigdelset(&all, SIGFPE);
    (void) sigdelset(&all, SIGILL);
    (void) sigdelset(&all, SIGABRT);

    (void) pthread_sigmask(SIG_SETMASK, &all, &before);

    rc = pthread_create(&sender->thread, &attr, snx_sender_main, sender);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void) pthread_attr_destroy(&attr);

    return rc == 0;
}


static void snx_sender_free(snx_sender_t *sender);


/* The sender's own copy of a string; NULL stays NULL, *ok is cleared. */

static char *
snx_sender_strdup(const char *z, int *ok)
{
    char  *copy;

    if (z == NULL) {
        return NULL;
    }

    copy = strdup(z);

    if (copy == NULL) {
        *ok = 0;
    }

    return copy;
}


static snx_sender_t *
snx_sender_create(const snx_sender_conf_t *conf)
{
    int            ok;
    snx_sender_t  *s;

    s = calloc(1, sizeof(snx_sender_t));

    if (s == NULL) {
        return NULL;
    }

    ok = 1;

    s->conf = *conf;
    s->conf.proxy = s->proxy = snx_sender_strdup(conf->proxy, &ok);
    s->conf.ca_file = s->ca_file = snx_sender_strdup(conf->ca_file, &ok);
    s->conf.spotlight = s->spotlight = snx_sender_strdup(conf->spotlight,
                                                         &ok);
    s->conf.user_agent = s->user_agent = snx_sender_strdup(conf->user_agent,
                                                           &ok);

    (void) pthread_mutex_init(&s->lock, NULL);

    if (!ok) {
        snx_sender_free(s);
        return NULL;
    }

    return s;
}


static void
snx_sender_free(snx_sender_t *sender)
{
    (void) pthread_mutex_destroy(&sender->lock);

    free(sender->proxy);
    free(sender->ca_file);
    free(sender->spotlight);
    free(sender->user_agent);
    free(sender);
}


snx_rc_t
snx_sender_start(snx_sender_t **sender, const snx_sender_conf_t *conf)
{
    uint64_t       now_ms, token;
    snx_sender_t  *s;

    now_ms = snx_process_now_ms();

    if (snx_lease_take(&conf->shm->lease, conf->pid, conf->start_ticks,
                       conf->generation, now_ms, snx_process_alive, NULL,
                       &token)
        != SNX_OK)
    {
        return SNX_AGAIN;
    }

    s = snx_sender_create(conf);

    if (s == NULL) {
        snx_lease_release(&conf->shm->lease, token);
        return SNX_NOMEM;
    }

    s->token = token;
    s->renew_ms = now_ms + SNX_LEASE_RENEW_MS;
    atomic_init(&s->running, 1);

    if (!snx_sender_spawn(s)) {
        snx_sender_free(s);
        snx_lease_release(&conf->shm->lease, token);
        return SNX_NOMEM;
    }

    *sender = s;

    return SNX_OK;
}


int
snx_sender_message(snx_sender_t *sender, snx_sender_msg_t *msg)
{
    return snx_mailbox_get(&sender->box, msg);
}


int
snx_sender_running(const snx_sender_t *sender)
{
    return atomic_load_explicit(&sender->running, memory_order_acquire);
}


/*
 * By its CPU: a thread that sleeps is well, and one that a busy machine does
 * not let run is not stuck.
 */

snx_rc_t
snx_sender_watch(snx_sender_t *sender)
{
    snx_rc_t         rc;
    uint32_t         turn;
    uint64_t         cpu_ms;
    clockid_t        clock;
    struct timespec  ts;

    if (pthread_getcpuclockid(sender->thread, &clock) != 0
        || clock_gettime(clock, &ts) != 0)
    {
        return SNX_OK;
    }

    cpu_ms = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
    turn = atomic_load_explicit(&sender->turn, memory_order_relaxed);

    if (turn != sender->seen_turn) {
        sender->seen_turn = turn;
        sender->seen_cpu_ms = cpu_ms;
    }

    if (cpu_ms - sender->seen_cpu_ms < SNX_SENDER_STUCK_MS
        || pthread_mutex_trylock(&sender->lock) != 0)
    {
        return SNX_OK;
    }

    rc = sender->transport == NULL ? SNX_AGAIN
                                   : snx_transport_cut(sender->transport);

    (void) pthread_mutex_unlock(&sender->lock);

    if (rc != SNX_OK) {
        return SNX_OK;
    }

    sender->seen_cpu_ms = cpu_ms;

    return SNX_DONE;
}


/*
 * Asks again and again: a wait with an end would have it on the wall clock,
 * which may be set back by a day meanwhile.
 */

static int
snx_sender_join(snx_sender_t *sender, uint32_t wait_ms)
{
    uint64_t         end_ms;
    struct timespec  ts;

    ts.tv_sec = 0;
    ts.tv_nsec = SNX_SENDER_LOOK_MS * 1000000;

    end_ms = snx_process_now_ms() + wait_ms;

    while (pthread_tryjoin_np(sender->thread, NULL) != 0) {

        if (snx_process_now_ms() >= end_ms) {
            return 0;
        }

        (void) nanosleep(&ts, NULL);
    }

    return 1;
}


int
snx_sender_stop(snx_sender_t *sender, uint32_t timeout_ms,
    void (*log)(const snx_sender_msg_t *msg, void *data), void *data,
    uint32_t *left)
{
    int                  joined;
    snx_sender_msg_t     msg;
    snx_queue_usage_t    usage;

    atomic_store_explicit(&sender->deadline_ms,
                          snx_process_now_ms() + timeout_ms,
                          memory_order_relaxed);
    atomic_store_explicit(&sender->stop, 1, memory_order_release);

    (void) pthread_mutex_lock(&sender->lock);

    if (sender->transport != NULL) {
        snx_transport_wakeup(sender->transport);
    }

    (void) pthread_mutex_unlock(&sender->lock);

    joined = snx_sender_join(sender, timeout_ms + SNX_SENDER_JOIN_MS);

    while (snx_sender_message(sender, &msg)) {
        if (log != NULL) {
            log(&msg, data);
        }
    }

    if (left != NULL) {
        snx_queue_usage(snx_shm_queue(sender->conf.shm), &usage);
        *left = usage.pending;
    }

    if (joined) {
        snx_sender_free(sender);
    }

    return joined;
}
