
/*
 * Copyright (C) ngx_sentry authors
 *
 * What curl waits for: its sockets, its timer, and a word from another
 * thread.  For snx_transport.c alone.
 *
 * DESIGN.  curl tells which sockets it waits for and is told which are
 * ready: it looks at these transfers alone, and asks the kernel nothing that
 * was answered already.  There are few sockets, and each is given up and
 * taken again with each transfer: poll() over an array in memory costs less
 * than to tell epoll of that.  When curl has no memory for what it has to
 * keep, it may forget a socket, as does an array that is full: then curl
 * looks at all of them, now and again, until no transfer is left.
 */


#ifndef SNX_WATCH_H_INCLUDED
#define SNX_WATCH_H_INCLUDED


#include <curl/curl.h>
#include <poll.h>

#include "snx.h"


/* Twenty transfers, each of which may try some addresses at once. */
#define SNX_WATCH_MAX_N        128

#define SNX_WATCH_LAME_MS      20      /* between looks at all of them */


typedef struct {
    CURLM          *multi;
    int             wake;              /* an eventfd, or -1 */
    int             running;           /* transfers, as curl said last */
    int             lame;              /* curl may have forgotten a socket */
    int64_t         timer_ms;          /* when curl wants to run; -1: never */
    uint32_t        n;
    struct pollfd   fds[SNX_WATCH_MAX_N];
    int             ready[SNX_WATCH_MAX_N];
} snx_watch_t;


/* Sets multi up to be driven by watch, which must outlive it. */
SNX_COLD void snx_watch_init(snx_watch_t *watch, CURLM *multi);
void snx_watch_done(snx_watch_t *watch);

/* Runs what is due; then waits for sockets, wait_ms at most, and runs these. */
void snx_watch_run(snx_watch_t *watch, uint32_t flying, uint32_t wait_ms);

/*
 * Ends a wait, this one or the next; where init got no eventfd, its wait_ms
 * does.  From any thread.
 */
void snx_watch_wakeup(snx_watch_t *watch);


#endif /* SNX_WATCH_H_INCLUDED */
