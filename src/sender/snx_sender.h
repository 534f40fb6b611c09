
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sender: one thread in the process that holds the lease.  It drains the
 * queue, encodes, compresses, delivers and keeps the accounts.  This header
 * is all that nginx's side knows of it.
 *
 * The thread shares nothing with nginx but the shared memory and a small
 * mailbox of messages for the log; it blocks all signals, runs at lower
 * priority on any CPU, and starts libcurl only when it runs.
 */


#ifndef SNX_SENDER_H_INCLUDED
#define SNX_SENDER_H_INCLUDED


#include "snx_shm.h"


typedef struct snx_sender_s  snx_sender_t;


/* Strings are terminated, the sender copies them; NULL: not set. */

typedef struct {
    snx_shm_t     *shm;
    uint32_t       pid;
    uint64_t       start_ticks;
    uint16_t       generation;
    uint32_t       flush_ms;           /* sentry_flush_interval */
    uint32_t       timeout_ms;         /* sentry_timeout */
    const char    *proxy;
    const char    *ca_file;
    const char    *spotlight;          /* URL */
    const char    *user_agent;
    unsigned       gzip:1;
    unsigned       verify:1;
    unsigned       debug:1;
} snx_sender_conf_t;


/* Levels are nginx's: 3 crit, 4 error, 5 warn, 6 notice, 7 info. */

typedef struct {
    unsigned       level;
    char           text[480];          /* terminated, no prefix, no final dot */
} snx_sender_msg_t;


/*
 * Takes the lease if it can be had and starts the thread.
 * Returns SNX_OK with *sender set, SNX_AGAIN when another process rightly
 * sends, SNX_NOMEM when the thread or its memory cannot be had (the lease is
 * free again).  Threads: nginx's main thread.  Cost: microseconds.
 */
SNX_COLD snx_rc_t snx_sender_start(snx_sender_t **sender,
    const snx_sender_conf_t *conf);

/*
 * Next message for the log, in order: 1, or 0 when there is none.  Call it
 * from a timer of nginx's main thread.
 */
int snx_sender_message(snx_sender_t *sender, snx_sender_msg_t *msg);

/* 0 once the thread ended by itself (lease lost, or failed to start curl). */
int snx_sender_running(const snx_sender_t *sender);

/*
 * Frees a thread that is stuck: whoever Sentry is, it keeps a library busy
 * without end.  All connections are shut down, what was in flight is tried
 * again.  Call it from a timer: SNX_OK when all is well, SNX_DONE when
 * that was done, once in a while.  Threads: nginx's main thread.  Cost: a
 * system call, never blocks.
 */
snx_rc_t snx_sender_watch(snx_sender_t *sender);

/*
 * Ends the thread: delivers what is queued (when it still has the lease) for
 * at most timeout_ms, gives back what is not answered, releases the lease,
 * joins and frees.  After it, messages cannot be read: it hands the last
 * ones to log (may be NULL).  *left, if given, is set to the records left
 * in the queue.  Takes at most timeout_ms + 200 ms.
 * Returns 1, or 0 when the thread did not end in time: it goes on with memory
 * of its own, and the process must not run exit handlers beside it, which
 * would take curl's and OpenSSL's state away under it.
 */
SNX_COLD int snx_sender_stop(snx_sender_t *sender, uint32_t timeout_ms,
    void (*log)(const snx_sender_msg_t *msg, void *data), void *data,
    uint32_t *left);

/* Whether a process lives, for snx_alive_pt; data unused. */
int snx_process_alive(uint32_t pid, uint64_t start_ticks, void *data);

/* The calling process's start time as snx_process_alive() compares it. */
uint64_t snx_process_ticks(void);

/* Monotonic milliseconds, the clock of lease and limits. */
uint64_t snx_process_now_ms(void);


#endif /* SNX_SENDER_H_INCLUDED */
