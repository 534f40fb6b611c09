
/*
 * Copyright (C) ngx_sentry authors
 *
 * The client and the upstreams of one run: sockets that never wait, moved
 * between two turns of nginx's event loop.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fuzz.h"


#define UPSTREAMS_MAX_N        32


typedef struct {
    int              fd;       /* -1: free */
    fuzz_listener_t  kind;
    unsigned         asked:1;  /* has something to answer */
    unsigned         begun:1;
} upstream_t;


static int client_read(void);
static int upstream_take(fuzz_listener_t kind);
static int upstream_read(upstream_t *u);
static int upstream_go_on(void);
static void upstream_answer(upstream_t *u);
static void upstream_say(upstream_t *u, const fuzz_section_t *section);
static void client_post(const fuzz_section_t *section);
static void client_say(const fuzz_section_t *section, int first);
static void output(int fd);
static void end(int *fd, int reset);


static const fuzz_input_t  *input;
static fuzz_out_t           out;
static size_t               next_client;
static size_t               next_upstream;
static int                  client = -1;
static size_t               client_got;
static unsigned             stream;
static int                  listeners[FUZZ_LISTENERS_N];
static upstream_t           upstreams[UPSTREAMS_MAX_N];
static upstream_t          *last;      /* that has answered */


void
peers_init(const char *dir, unsigned *app)
{
    int                 fd, i;
    struct sockaddr_un  sun;
    static const char  *const names[] = { "app", "socket", "fastcgi", "grpc" };

    listeners[FUZZ_APP] = fuzz_listen(app);

    for (i = FUZZ_SOCKET; i < FUZZ_LISTENERS_N; i++) {
        memset(&sun, 0, sizeof(sun));
        sun.sun_family = AF_UNIX;
        (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s.sock", dir,
                        names[i]);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd == -1 || bind(fd, (struct sockaddr *) &sun, sizeof(sun)) != 0
            || listen(fd, 64) != 0)
        {
            fuzz_die("unix socket", sun.sun_path, strlen(sun.sun_path));
        }

        listeners[i] = fd;
    }

    for (i = 0; i < UPSTREAMS_MAX_N; i++) {
        upstreams[i].fd = -1;
    }
}


void
peers_begin(const fuzz_input_t *in, unsigned port)
{
    int                 one;
    struct sockaddr_in  sin;
    static const char   proxy[] = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n";

    input = in;
    next_client = 0;
    next_upstream = 0;
    client_got = 0;
    stream = 1;
    last = NULL;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((uint16_t) port);

    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (client == -1
        || connect(client, (struct sockaddr *) &sin, sizeof(sin)) != 0)
    {
        fuzz_die("no connection to nginx", strerror(errno),
                 strlen(strerror(errno)));
    }

    one = 1;
    (void) setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    out.len = 0;

    if (in->mode == 'p') {
        out_add(&out, proxy, sizeof(proxy) - 1);

    } else if (in->mode == '2' || in->mode == 'h') {
        frames_begin(&out, 1);
    }

    output(client);
}


int
peers_turn(void)
{
    int     i, moved;
    size_t  n;

    moved = client != -1 ? client_read() : 0;

    for (i = 0; i < FUZZ_LISTENERS_N; i++) {
        moved |= upstream_take((fuzz_listener_t) i);
    }

    for (n = 0; n < UPSTREAMS_MAX_N; n++) {

        if (upstreams[n].fd != -1) {
            moved |= upstream_read(&upstreams[n]);
        }
    }

    if (moved) {
        return 1;
    }

    for (n = 0; n < UPSTREAMS_MAX_N; n++) {

        if (upstreams[n].fd != -1 && upstreams[n].asked) {
            upstream_answer(&upstreams[n]);
            return 1;
        }
    }

    return upstream_go_on();
}


/* What nginx answers is not looked at. */

static int
client_read(void)
{
    int          moved;
    ssize_t      n;
    static char  buf[65536];

    moved = 0;

    for ( ;; ) {
        n = recv(client, buf, sizeof(buf), MSG_DONTWAIT);

        if (n > 0) {
            client_got += (size_t) n;
            moved = 1;
            continue;
        }

        if (n == 0 || errno != EAGAIN) {
            end(&client, 0);
            moved = 1;
        }

        return moved;
    }
}


static int
upstream_take(fuzz_listener_t kind)
{
    int     fd;
    size_t  i;

    fd = accept4(listeners[kind], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    for (i = 0; i < UPSTREAMS_MAX_N; i++) {

        if (upstreams[i].fd == -1) {
            memset(&upstreams[i], 0, sizeof(upstream_t));
            upstreams[i].fd = fd;
            upstreams[i].kind = kind;
            return 1;
        }
    }

    (void) close(fd);

    return 1;
}


static int
upstream_read(upstream_t *u)
{
    int          moved;
    ssize_t      n;
    static char  buf[65536];

    moved = 0;

    for ( ;; ) {
        n = recv(u->fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n > 0) {
            u->asked = 1;
            moved = 1;
            continue;
        }

        if (n == 0 || errno != EAGAIN) {
            end(&u->fd, 0);
            moved = 1;
        }

        return moved;
    }
}


static void
upstream_answer(upstream_t *u)
{
    const fuzz_section_t  *section;
    static fuzz_section_t  fine = {
        (const uint8_t *) "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40,
        '<'
    };

    u->asked = 0;

    while (next_upstream < input->nupstream
           && input->upstream[next_upstream].type == '+')
    {
        next_upstream++;
    }

    section = next_upstream < input->nupstream
              ? &input->upstream[next_upstream++] : &fine;

    upstream_say(u, section);
}


static void
upstream_say(upstream_t *u, const fuzz_section_t *section)
{
    if (section->type == '|') {
        return;
    }

    out.len = 0;
    last = u;

    switch (u->kind) {

    case FUZZ_FASTCGI:
        frames_fastcgi(&out, section->data, section->len);
        break;

    case FUZZ_GRPC:
        if (!u->begun) {
            frames_begin(&out, 0);
        }

        frames_response(&out, section->data, section->len);
        break;

    default:
        if (section->type == '+') {
            out_add(&out, section->data, section->len);

        } else {
            secrets_response(&out, section->data, section->len);
        }
    }

    u->begun = 1;

    output(u->fd);

    if (section->type == '[' || section->type == '{') {
        end(&u->fd, section->type == '{');
    }
}


static int
upstream_go_on(void)
{
    if (last == NULL || last->fd == -1 || next_upstream >= input->nupstream
        || input->upstream[next_upstream].type != '+')
    {
        return 0;
    }

    upstream_say(last, &input->upstream[next_upstream++]);

    return 1;
}


int
peers_client_next(void)
{
    int                    first;
    const fuzz_section_t  *section;

    if (client == -1 || next_client >= input->nclient) {
        return 0;
    }

    first = next_client == 0;
    section = &input->client[next_client++];

    switch (section->type) {

    case '.':
    case '!':
        end(&client, section->type == '!');
        break;

    case 'j':
    case 'f':
        client_post(section);
        break;

    default:
        client_say(section, first);
    }

    return 1;
}


static void
client_say(const fuzz_section_t *section, int first)
{
    out.len = 0;

    if (input->mode == '2') {
        frames_request(&out, section->data, section->len, stream,
                       input->flags);
        stream += 2;

    } else if (first && (input->mode == '1' || input->mode == 'p')) {
        secrets_request(&out, section->data, section->len, input->flags);

    } else {
        out_add(&out, section->data, section->len);
    }

    output(client);
}


/* The path, a line feed, the rest of the body. */

static void
client_post(const fuzz_section_t *section)
{
    int             json, n;
    size_t          len, i;
    const char     *begin;
    const uint8_t  *lf;
    static char     head[512];

    lf = memchr(section->data, '\n', section->len);
    len = lf ? (size_t) (lf - section->data) : 0;

    for (i = 0; i < len; i++) {
        if (section->data[i] <= ' ') {
            len = i;
        }
    }

    json = section->type == 'j';
    begin = json ? "{\"password\":\"" FUZZ_CANARY "JSON4\""
                 : "token=" FUZZ_CANARY "FORM6&";
    lf = lf ? lf + 1 : section->data;
    i = (size_t) (section->data + section->len - lf);

    n = snprintf(head, sizeof(head), "POST /%.*s HTTP/1.1\r\n"
                 "Host: localhost\r\nContent-Length: %zu\r\n"
                 "Content-Type: application/%s\r\n\r\n%s",
                 (int) (len < 200 ? len : 200), section->data,
                 i + strlen(begin), json ? "json" : "x-www-form-urlencoded",
                 begin);

    out.len = 0;
    out_add(&out, head, (size_t) n);
    out_add(&out, lf, i);
    output(client);
}


int
peers_client_waits(void)
{
    size_t  i;

    if (client == -1) {
        return 0;
    }

    for (i = 0; i < UPSTREAMS_MAX_N; i++) {
        if (upstreams[i].fd != -1) {
            return 1;
        }
    }

    return client_got == 0;
}


void
peers_client_close(void)
{
    if (client != -1) {
        end(&client, 0);
    }
}


void
peers_end(void)
{
    size_t  i;

    peers_client_close();

    for (i = 0; i < UPSTREAMS_MAX_N; i++) {

        if (upstreams[i].fd != -1) {
            end(&upstreams[i].fd, 0);
        }
    }
}


/* As much as the socket takes. */

static void
output(int fd)
{
    if (fd != -1) {
        (void) send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}


static void
end(int *fd, int reset)
{
    struct linger  linger;

    if (reset) {
        linger.l_onoff = 1;
        linger.l_linger = 0;
        (void) setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }

    (void) close(*fd);
    *fd = -1;
}
