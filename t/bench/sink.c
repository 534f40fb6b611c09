
/*
 * Copyright (C) ngx_sentry authors
 *
 * A receiver that takes as little CPU as one can, so that two CPUs are
 * enough to find what a sender can do: it reads requests to their end over
 * kept-alive HTTP/1.1 connections, looks at nothing in them and answers 200.
 *
 *     sink PORT
 */


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define SINK_CONNECTIONS       1024
#define SINK_HEADER            8192


typedef struct {
    size_t     got;            /* of the header */
    size_t     left;           /* of the body */
    char       header[SINK_HEADER + 1];
} sink_connection_t;


static sink_connection_t  connections[SINK_CONNECTIONS];       /* by fd */
static char               rest[256 * 1024];

static const char  answer[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 10\r\n"
    "\r\n"
    "{\"id\":\"0\"}";


static void
sink_die(const char *what)
{
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(1);
}


static int
sink_listen(int port)
{
    int                 fd, on;
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
        || bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0
        || listen(fd, 128) != 0)
    {
        sink_die("listen");
    }

    return fd;
}


static void
sink_add(int epoll, int fd)
{
    struct epoll_event  event;

    event.events = EPOLLIN;
    event.data.fd = fd;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        sink_die("epoll_ctl");
    }
}


static void
sink_accept(int epoll, int listener)
{
    int  fd, on;

    fd = accept(listener, NULL, NULL);

    if (fd == -1) {
        return;
    }

    if (fd >= SINK_CONNECTIONS) {
        (void) close(fd);
        return;
    }

    on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connections[fd].got = 0;
    connections[fd].left = 0;
    sink_add(epoll, fd);
}


/* The next request, one after the other; 0 when the connection is over. */

static int
sink_read(int fd)
{
    char               *end, *length;
    size_t              body;
    ssize_t             n;
    sink_connection_t  *c;

    c = &connections[fd];

    if (c->left > 0) {
        n = recv(fd, rest, c->left < sizeof(rest) ? c->left : sizeof(rest),
                 0);

        if (n <= 0) {
            return 0;
        }

        c->left -= (size_t) n;

    } else {
        n = recv(fd, c->header + c->got, SINK_HEADER - c->got, 0);

        if (n <= 0) {
            return 0;
        }

        c->got += (size_t) n;
        c->header[c->got] = '\0';
        end = strstr(c->header, "\r\n\r\n");

        if (end == NULL) {
            return c->got < SINK_HEADER;
        }

        *end = '\0';
        length = strcasestr(c->header, "\r\nContent-Length:");

        if (length == NULL) {
            return 0;
        }

        body = strtoul(length + 17, NULL, 10);
        n = (ssize_t) (c->got - (size_t) (end + 4 - c->header));

        if ((size_t) n > body) {
            return 0;
        }

        c->left = body - (size_t) n;
    }

    if (c->left > 0) {
        return 1;
    }

    c->got = 0;

    return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL)
           == (ssize_t) sizeof(answer) - 1;
}


int
main(int argc, char **argv)
{
    int                 i, n, epoll, listener;
    struct epoll_event  events[64];

    if (argc != 2) {
        fprintf(stderr, "usage: sink PORT\n");
        return 2;
    }

    listener = sink_listen(atoi(argv[1]));
    epoll = epoll_create1(0);
    sink_add(epoll, listener);

    for ( ;; ) {
        n = epoll_wait(epoll, events, 64, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                sink_accept(epoll, listener);

            } else if (!sink_read(events[i].data.fd)) {
                (void) close(events[i].data.fd);
            }
        }
    }
}
