
/*
 * Copyright (C) ngx_sentry authors
 *
 * A Sentry for the tests: one thread on a loopback port that reads requests
 * and answers them by a script.  Each request takes the next step of the
 * script; the last one stays.
 */


#ifndef HTTP_UTIL_H_INCLUDED
#define HTTP_UTIL_H_INCLUDED


#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "tap.h"


#define HTTP_CONNECTIONS       64
#define HTTP_REQUESTS          512
#define HTTP_STEPS             16
#define HTTP_REQUEST_MAX       65536


/* A step: a whole answer, or one of these. */

#define HTTP_CLOSE             "close"     /* read, then close */
#define HTTP_HANG              "hang"      /* read, then nothing */
#define HTTP_FLOOD             "flood"     /* a body without end */
#define HTTP_HEADERS           "headers"   /* headers without end */
#define HTTP_HALF              "half"      /* 200, but half of the body */
#define HTTP_HELLO             "hello"     /* TLS, at once, without end */

#define HTTP_OK                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


typedef struct {
    size_t            len;             /* of the body, unpacked */
    int               gzip;
    char              head[2048];
    char              body[16384];
} http_request_t;


typedef struct {
    int               fd;              /* -1: free */
    int               busy;            /* flooding, with what */
    size_t            len;
    char              buf[HTTP_REQUEST_MAX];
} http_connection_t;


typedef struct {
    int               fd;
    int               port;
    _Atomic int       stop;
    pthread_t         thread;
    pthread_mutex_t   lock;            /* of all below */
    int               nsteps;
    int               step;
    const char       *steps[HTTP_STEPS];
    int               delay_ms;
    int               nrequests;
    int               naccepted;
    http_request_t   *requests;
    http_connection_t connections[HTTP_CONNECTIONS];
} http_t;


static TAP_UNUSED void
http_sleep(int ms)
{
    struct timespec  ts;

    ts.tv_sec = ms / 1000;
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    (void) nanosleep(&ts, NULL);
}


/* A bound, but deaf, loopback port. */

static int
http_bind(int *port)
{
    int                 fd, one;
    socklen_t           len;
    struct sockaddr_in  sin;

    one = 1;
    len = sizeof(sin);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1
        || bind(fd, (struct sockaddr *) &sin, len) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
    {
        perror("bind");
        exit(1);
    }

    *port = ntohs(sin.sin_port);

    return fd;
}


static void
http_unpack(http_request_t *request, const char *body, size_t len)
{
    z_stream  z;

    request->gzip = strcasestr(request->head, "Content-Encoding: gzip")
                    != NULL;

    if (!request->gzip) {
        request->len = len < sizeof(request->body) ? len
                                                   : sizeof(request->body);
        memcpy(request->body, body, request->len);
        return;
    }

    memset(&z, 0, sizeof(z));
    (void) inflateInit2(&z, 15 + 16);
    z.next_in = (unsigned char *) (uintptr_t) body;
    z.avail_in = (unsigned) len;
    z.next_out = (unsigned char *) request->body;
    z.avail_out = sizeof(request->body) - 1;
    (void) inflate(&z, Z_FINISH);
    request->len = z.total_out;
    (void) inflateEnd(&z);
}


static void
http_note(http_t *http, const char *head, size_t head_len, const char *body,
    size_t len)
{
    http_request_t  *request;

    if (http->nrequests < HTTP_REQUESTS) {
        request = &http->requests[http->nrequests];
        memset(request, 0, sizeof(http_request_t));

        if (head_len >= sizeof(request->head)) {
            head_len = sizeof(request->head) - 1;
        }

        memcpy(request->head, head, head_len);
        http_unpack(request, body, len);
    }

    http->nrequests++;
}


static void
http_drop(http_connection_t *c)
{
    (void) close(c->fd);
    c->fd = -1;
}


static void
http_send(http_connection_t *c, const char *text)
{
    if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0) {
        http_drop(c);
    }
}


static void
http_play(http_connection_t *c, const char *step)
{
    if (strcmp(step, HTTP_CLOSE) == 0) {
        http_drop(c);

    } else if (strcmp(step, HTTP_FLOOD) == 0) {
        http_send(c, "HTTP/1.1 200 OK\r\n\r\n");
        c->busy = 1;

    } else if (strcmp(step, HTTP_HEADERS) == 0) {
        http_send(c, "HTTP/1.1 200 OK\r\n");
        c->busy = 2;

    } else if (strcmp(step, HTTP_HALF) == 0) {
        http_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}");

        if (c->fd != -1) {
            http_drop(c);
        }

    } else if (strcmp(step, HTTP_HANG) != 0) {
        http_send(c, step);
    }
}


/* Takes one whole request out of the buffer: 1, or 0 when there is none. */

static int
http_request(http_t *http, http_connection_t *c)
{
    char        *end, *p;
    size_t       head, body;
    const char  *step;

    c->buf[c->len] = '\0';
    end = strstr(c->buf, "\r\n\r\n");

    if (end == NULL) {
        return 0;
    }

    head = (size_t) (end - c->buf) + 4;
    p = strcasestr(c->buf, "Content-Length:");
    body = p == NULL || p > end ? 0 : strtoul(p + 15, NULL, 10);

    if (c->len < head + body) {
        return 0;
    }

    (void) pthread_mutex_lock(&http->lock);
    http_note(http, c->buf, head, c->buf + head, body);
    step = http->steps[http->step];
    http->step += http->step < http->nsteps - 1;
    (void) pthread_mutex_unlock(&http->lock);

    c->len -= head + body;
    memmove(c->buf, c->buf + head + body, c->len);
    http_play(c, step);

    return c->fd != -1;
}


static void
http_serve(http_t *http, http_connection_t *c)
{
    int             delay_ms;
    ssize_t         n;
    struct timeval  tv;

    n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len, 0);

    if (n <= 0) {
        http_drop(c);
        return;
    }

    c->len += (size_t) n;

    (void) pthread_mutex_lock(&http->lock);
    delay_ms = http->delay_ms;

    if (strcmp(http->steps[http->step], HTTP_HELLO) == 0) {
        c->busy = 3;
        tv.tv_sec = 1;
        tv.tv_usec = 0;
        (void) setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    }

    (void) pthread_mutex_unlock(&http->lock);

    http_sleep(delay_ms);

    while (c->busy != 3 && http_request(http, c)) {
        /* void */
    }
}


static void
http_accept(http_t *http)
{
    int  i, fd, one;

    one = 1;
    fd = accept4(http->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd == -1) {
        return;
    }

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    (void) pthread_mutex_lock(&http->lock);
    http->naccepted++;
    (void) pthread_mutex_unlock(&http->lock);

    for (i = 0; i < HTTP_CONNECTIONS; i++) {
        if (http->connections[i].fd == -1) {
            http->connections[i].fd = fd;
            http->connections[i].len = 0;
            http->connections[i].busy = 0;
            return;
        }
    }

    (void) close(fd);
}


static void
http_flood(http_connection_t *c)
{
    int          i;
    static char  body[8192];

    if (c->busy == 3) {

        /* HelloRequest, which a client reads and forgets */

        for (i = 0; i + 9 <= (int) sizeof(body); i += 9) {
            memcpy(body + i, "\x16\x03\x03\0\x04\0\0\0\0", 9);
        }

        if (send(c->fd, body, (size_t) i, MSG_NOSIGNAL) != i) {
            http_drop(c);
        }

        return;
    }

    if (c->busy == 1) {
        memset(body, 'x', sizeof(body) - 1);

    } else {
        (void) snprintf(body, sizeof(body), "X-Long: %0*d\r\n", 4000, 1);
    }

    http_send(c, body);
}


static void *
http_main(void *data)
{
    int             i, n, busy;
    http_t         *http;
    struct pollfd   fds[HTTP_CONNECTIONS + 1];
    int             who[HTTP_CONNECTIONS + 1];

    http = data;

    while (!http->stop) {
        n = 0;
        busy = 0;
        fds[n].fd = http->fd;
        fds[n++].events = POLLIN;

        for (i = 0; i < HTTP_CONNECTIONS; i++) {

            if (http->connections[i].fd == -1) {
                continue;
            }

            if (http->connections[i].busy) {
                http_flood(&http->connections[i]);
                busy = 1;
                continue;
            }

            who[n] = i;
            fds[n].fd = http->connections[i].fd;
            fds[n++].events = POLLIN;
        }

        if (poll(fds, (nfds_t) n, busy ? 0 : 5) <= 0) {
            continue;
        }

        if (fds[0].revents) {
            http_accept(http);
        }

        for (i = 1; i < n; i++) {
            if (fds[i].revents) {
                http_serve(http, &http->connections[who[i]]);
            }
        }
    }

    return NULL;
}


/* The script: steps up to NULL. */

static TAP_UNUSED void
http_script(http_t *http, const char *const *steps)
{
    (void) pthread_mutex_lock(&http->lock);

    http->step = 0;

    for (http->nsteps = 0; steps[http->nsteps] != NULL; http->nsteps++) {
        http->steps[http->nsteps] = steps[http->nsteps];
    }

    (void) pthread_mutex_unlock(&http->lock);
}


static TAP_UNUSED http_t *
http_start(const char *step)
{
    int          i;
    http_t      *http;
    const char  *steps[2];

    http = calloc(1, sizeof(http_t));
    http->requests = calloc(HTTP_REQUESTS, sizeof(http_request_t));
    http->fd = http_bind(&http->port);
    (void) listen(http->fd, 128);
    (void) pthread_mutex_init(&http->lock, NULL);

    for (i = 0; i < HTTP_CONNECTIONS; i++) {
        http->connections[i].fd = -1;
    }

    steps[0] = step;
    steps[1] = NULL;
    http_script(http, steps);

    (void) pthread_create(&http->thread, NULL, http_main, http);

    return http;
}


static TAP_UNUSED void
http_stop(http_t *http)
{
    int  i;

    http->stop = 1;
    (void) pthread_join(http->thread, NULL);

    for (i = 0; i < HTTP_CONNECTIONS; i++) {
        if (http->connections[i].fd != -1) {
            http_drop(&http->connections[i]);
        }
    }

    (void) close(http->fd);
    (void) pthread_mutex_destroy(&http->lock);
    free(http->requests);
    free(http);
}


static TAP_UNUSED int
http_requests(http_t *http)
{
    int  n;

    (void) pthread_mutex_lock(&http->lock);
    n = http->nrequests;
    (void) pthread_mutex_unlock(&http->lock);

    return n;
}


static TAP_UNUSED int
http_accepted(http_t *http)
{
    int  n;

    (void) pthread_mutex_lock(&http->lock);
    n = http->naccepted;
    (void) pthread_mutex_unlock(&http->lock);

    return n;
}


static TAP_UNUSED void
http_delay(http_t *http, int ms)
{
    (void) pthread_mutex_lock(&http->lock);
    http->delay_ms = ms;
    (void) pthread_mutex_unlock(&http->lock);
}


/* How many requests hold text in their body. */

static TAP_UNUSED int
http_bodies(http_t *http, const char *text)
{
    int  i, n;

    n = 0;
    (void) pthread_mutex_lock(&http->lock);

    for (i = 0; i < http->nrequests && i < HTTP_REQUESTS; i++) {
        n += memmem(http->requests[i].body, http->requests[i].len, text,
                    strlen(text))
             != NULL;
    }

    (void) pthread_mutex_unlock(&http->lock);

    return n;
}


#endif /* HTTP_UTIL_H_INCLUDED */
