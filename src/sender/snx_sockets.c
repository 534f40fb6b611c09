
/*
 * Copyright (C) ngx_sentry authors
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE            /* SOCK_CLOEXEC */
#endif

#include <sys/socket.h>
#include <unistd.h>

#include "snx_sockets.h"


void
snx_sockets_init(snx_sockets_t *sockets)
{
    int  i;

    (void) pthread_mutex_init(&sockets->lock, NULL);

    for (i = 0; i < SNX_SOCKETS_MAX_N; i++) {
        sockets->fds[i] = -1;
    }
}


void
snx_sockets_done(snx_sockets_t *sockets)
{
    (void) pthread_mutex_destroy(&sockets->lock);
}


/* Puts one in the place of another; under the lock. */

static void
snx_sockets_replace(snx_sockets_t *sockets, int fd, int by)
{
    int  i;

    for (i = 0; i < SNX_SOCKETS_MAX_N; i++) {
        if (sockets->fds[i] == fd) {
            sockets->fds[i] = by;
            return;
        }
    }
}


static curl_socket_t
snx_sockets_open(void *data, curlsocktype purpose, struct curl_sockaddr *addr)
{
    int             fd;
    snx_sockets_t  *sockets;

    (void) purpose;

    sockets = data;
    fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);

    if (fd == -1) {
        return CURL_SOCKET_BAD;
    }

    (void) pthread_mutex_lock(&sockets->lock);
    snx_sockets_replace(sockets, -1, fd);
    (void) pthread_mutex_unlock(&sockets->lock);

    return fd;
}


static int
snx_sockets_close(void *data, curl_socket_t fd)
{
    int             rc;
    snx_sockets_t  *sockets;

    sockets = data;

    (void) pthread_mutex_lock(&sockets->lock);
    snx_sockets_replace(sockets, fd, -1);
    rc = close(fd);
    (void) pthread_mutex_unlock(&sockets->lock);

    return rc;
}


void
snx_sockets_use(snx_sockets_t *sockets, CURL *easy)
{
    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                            snx_sockets_open);
    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets);
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                            snx_sockets_close);
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
}


snx_rc_t
snx_sockets_cut(snx_sockets_t *sockets)
{
    int  i;

    if (pthread_mutex_trylock(&sockets->lock) != 0) {
        return SNX_AGAIN;
    }

    for (i = 0; i < SNX_SOCKETS_MAX_N; i++) {
        if (sockets->fds[i] != -1) {
            (void) shutdown(sockets->fds[i], SHUT_RDWR);
        }
    }

    (void) pthread_mutex_unlock(&sockets->lock);

    return SNX_OK;
}
