
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sockets that curl has open, so that another thread can cut them.
 *
 * DESIGN.  A TLS library that is fed handshake messages without end returns
 * to nobody: no timeout of curl is looked at, and the thread is lost.  A
 * socket that was shut down ends that.  Sockets are closed under the lock:
 * one that is cut is never somebody else's.
 */


#ifndef SNX_SOCKETS_H_INCLUDED
#define SNX_SOCKETS_H_INCLUDED


#include <curl/curl.h>
#include <pthread.h>

#include "snx.h"


#define SNX_SOCKETS_MAX_N      64      /* more than that are not known of */


typedef struct {
    pthread_mutex_t  lock;
    int              fds[SNX_SOCKETS_MAX_N];   /* -1: none */
} snx_sockets_t;


void snx_sockets_init(snx_sockets_t *sockets);
void snx_sockets_done(snx_sockets_t *sockets);

/* Lets the handle and its connections use sockets, which must outlive them. */
void snx_sockets_use(snx_sockets_t *sockets, CURL *easy);

/*
 * Shuts all of them down.  SNX_OK, or SNX_AGAIN when one is being opened or
 * closed just now.  Threads: any.  Never blocks.
 */
snx_rc_t snx_sockets_cut(snx_sockets_t *sockets);


#endif /* SNX_SOCKETS_H_INCLUDED */
