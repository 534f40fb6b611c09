
/*
 * Copyright (C) ngx_sentry authors
 *
 * Load for one nginx over kept-alive HTTP/1.1 connections, from one thread:
 *
 *     load [-c N] [-n N | -t MS] [-r RATE [-s] [-o FILE]] [-p PID]
 *          [-H HEADER]... PORT URI
 *
 * As fast as each connection gets its answers, or RATE requests a second on
 * a schedule that waits for nobody: there the time of an answer counts from
 * when its request was due, so one that is stalled behind others is seen
 * (no coordinated omission).  -s watches the clock instead of sleeping, -o
 * writes the times, 32 bits of ns each.  With -p what the threads of that
 * process take is read while it is idle before and after, in ns.
 *
 * Answers need a Content-Length.  One line of JSON comes out.
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load_cpu.h"


#define LOAD_CONNECTIONS       512
#define LOAD_REQUEST           4096
#define LOAD_ANSWER            16384
#define LOAD_WAIT_MS           60000


typedef struct {
    int        fd;
    int        header;         /* length of the answer's, when it is there */
    size_t     got;
    size_t     need;
    uint64_t   due;
    char       answer[LOAD_ANSWER];
} load_connection_t;


typedef struct {
    int         connections;
    uint64_t    requests;      /* 0: for the time */
    uint64_t    time_ns;
    double      rate;          /* 0: as fast as it goes */
    int         spin;
    int         pid;
    const char *times;
    int         port;
    const char *uri;
} load_conf_t;


static load_conf_t         conf;
static load_connection_t   connections[LOAD_CONNECTIONS];
static load_connection_t  *idle[LOAD_CONNECTIONS];
static int                 nidle;
static int                 epoll;
static char                request[LOAD_REQUEST];
static size_t              request_len;
static uint64_t            sent, done, failed;
static uint32_t           *times;
static size_t              ntimes;


static uint64_t
load_now(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}


static void
load_connect(load_connection_t *c)
{
    int                 on;
    struct sockaddr_in  address;
    struct epoll_event  event;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) conf.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &address, sizeof(address)) != 0)
    {
        load_die("connect");
    }

    on = 1;
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        load_die("epoll_ctl");
    }
}


static void
load_send(load_connection_t *c, uint64_t due)
{
    c->due = due;
    c->got = 0;
    c->need = 0;

    if (send(c->fd, request, request_len, MSG_NOSIGNAL)
        != (ssize_t) request_len)
    {
        load_die("send");
    }

    sent++;
}


/* Whether the answer is complete. */

static int
load_answer(load_connection_t *c)
{
    char     *end, *length;
    ssize_t   n;

    n = recv(c->fd, c->answer + c->got, sizeof(c->answer) - 1 - c->got, 0);

    if (n <= 0) {
        load_die("recv");
    }

    c->got += (size_t) n;
    c->answer[c->got] = '\0';

    if (c->need == 0) {
        end = memmem(c->answer, c->got, "\r\n\r\n", 4);

        if (end == NULL) {
            return 0;
        }

        length = strcasestr(c->answer, "\r\nContent-Length: ");

        if (length == NULL || length > end) {
            errno = EPROTO;
            load_die("an answer without Content-Length");
        }

        c->need = (size_t) (end + 4 - c->answer)
                  + strtoul(length + 18, NULL, 10);

        if (c->need >= sizeof(c->answer)) {
            errno = EMSGSIZE;
            load_die("answer");
        }
    }

    if (c->got < c->need) {
        return 0;
    }

    done++;

    if (c->answer[9] == '5') {
        failed++;

    } else if (c->answer[9] != '2') {
        errno = EPROTO;
        load_die("an answer that is neither 2xx nor 5xx");
    }

    if (strcasestr(c->answer, "\r\nConnection: close\r\n") != NULL) {
        (void) close(c->fd);
        load_connect(c);
    }

    return 1;
}


static void
load_took(uint64_t from, uint64_t now)
{
    if (ntimes % 65536 == 0) {
        times = realloc(times, (ntimes + 65536) * sizeof(uint32_t));

        if (times == NULL) {
            load_die("realloc");
        }
    }

    times[ntimes++] = now - from > UINT32_MAX ? UINT32_MAX
                                              : (uint32_t) (now - from);
}


/*
 * Waits for answers until then; those who have theirs are idle.  Returns
 * when there was one, at that time, or at once when it is 0.
 */

static void
load_wait(uint64_t until)
{
    int                 i, n;
    uint64_t            now;
    struct timespec     left;
    load_connection_t  *c;
    struct epoll_event  events[64];

    now = load_now();
    left.tv_sec = 0;
    left.tv_nsec = 0;

    if (until > now) {
        left.tv_sec = (time_t) ((until - now) / 1000000000);
        left.tv_nsec = (long) ((until - now) % 1000000000);
    }

    n = epoll_pwait2(epoll, events, 64, &left, NULL);

    if (n == -1 && errno != EINTR) {
        load_die("epoll_pwait2");
    }

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (load_answer(c)) {
            if (conf.rate != 0) {
                load_took(c->due, load_now());
            }

            idle[nidle++] = c;
        }
    }
}


static void
load_settle(void)
{
    uint64_t  until;

    until = load_now() + (uint64_t) LOAD_WAIT_MS * 1000000;

    while (done < sent) {
        if (load_now() > until) {
            errno = ETIMEDOUT;
            load_die("answers");
        }

        load_wait(until);
    }
}


static int
load_more(uint64_t now, uint64_t end)
{
    return conf.requests != 0 ? sent < conf.requests : now < end;
}


static void
load_saturate(uint64_t now)
{
    uint64_t  end;

    end = now + conf.time_ns;

    for ( ;; ) {
        while (nidle > 0 && load_more(now, end)) {
            load_send(idle[--nidle], now);
        }

        if (done == sent) {
            return;
        }

        load_wait(now + (uint64_t) LOAD_WAIT_MS * 1000000);
        now = load_now();
    }
}


static void
load_offer(uint64_t now)
{
    double    due, interval;
    uint64_t  end;

    end = now + conf.time_ns;
    due = 0;
    interval = 1e9 / conf.rate;

    for (uint64_t begun = now; load_more(begun + (uint64_t) due, end); ) {
        now = load_now();

        if (nidle > 0 && begun + (uint64_t) due <= now) {
            load_send(idle[--nidle], begun + (uint64_t) due);
            due += interval;
            continue;
        }

        load_wait(conf.spin || nidle == 0 ? now + (conf.spin ? 0 : 1000000)
                                          : begun + (uint64_t) due);
    }

    load_settle();
}


static int
load_compare(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static void
load_print_times(void)
{
    FILE    *out;
    size_t   i;

    static const double  quantiles[] = { 0.5, 0.9, 0.99, 0.999, 1 };

    if (ntimes == 0) {
        return;
    }

    if (conf.times != NULL) {
        out = fopen(conf.times, "w");

        if (out == NULL || fwrite(times, sizeof(uint32_t), ntimes, out)
                           != ntimes
            || fclose(out) != 0)
        {
            load_die(conf.times);
        }
    }

    qsort(times, ntimes, sizeof(uint32_t), load_compare);

    for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        printf(",\"p%g\":%.3f", quantiles[i] * 100,
               times[(size_t) (quantiles[i] * (double) (ntimes - 1))] / 1e3);
    }
}


static void
load_run(void)
{
    int         i;
    uint64_t    begun, warm, warm_failed, ended;
    load_cpu_t  before, after;

    for (i = 0; i < conf.connections; i++) {
        load_connect(&connections[i]);

        if (conf.pid != 0) {
            load_send(&connections[i], 0);
        } else {
            idle[nidle++] = &connections[i];
        }
    }

    load_settle();

    warm = done;
    warm_failed = failed;
    conf.requests += conf.requests != 0 ? warm : 0;
    ntimes = 0;

    load_cpu(conf.pid, &before);
    begun = load_now();

    if (conf.rate != 0) {
        load_offer(begun);
    } else {
        load_saturate(begun);
    }

    ended = load_now();
    load_cpu(conf.pid, &after);

    done -= warm;

    printf("{\"requests\":%llu,\"failed\":%llu,\"wall_s\":%.6f,"
           "\"rate\":%.1f,\"loop\":%.4f,\"others\":%.4f",
           (unsigned long long) done,
           (unsigned long long) (failed - warm_failed),
           (double) (ended - begun) / 1e9,
           (double) done * 1e9 / (double) (ended - begun),
           (double) (after.loop_ns - before.loop_ns) / 1e3 / (double) done,
           (double) (after.others_ns - before.others_ns) / 1e3
           / (double) done);
    load_print_times();
    printf("}\n");
}


int
main(int argc, char **argv)
{
    int     option;
    size_t  headers;
    char    lines[LOAD_REQUEST / 2];

    conf.connections = 1;
    headers = 0;
    lines[0] = '\0';

    while ((option = getopt(argc, argv, "c:n:t:r:so:p:H:")) != -1) {
        switch (option) {
        case 'c': conf.connections = atoi(optarg); break;
        case 'n': conf.requests = strtoull(optarg, NULL, 10); break;
        case 't': conf.time_ns = strtoull(optarg, NULL, 10) * 1000000; break;
        case 'r': conf.rate = atof(optarg); break;
        case 's': conf.spin = 1; break;
        case 'o': conf.times = optarg; break;
        case 'p': conf.pid = atoi(optarg); break;
        case 'H':
            headers += (size_t) snprintf(lines + headers,
                                         sizeof(lines) - headers, "%s\r\n",
                                         optarg);
            break;
        default: return 2;
        }

        if (headers >= sizeof(lines)) {
            fprintf(stderr, "load: too many headers\n");
            return 2;
        }
    }

    if (argc - optind != 2 || conf.connections < 1
        || conf.connections > LOAD_CONNECTIONS
        || (conf.requests == 0) == (conf.time_ns == 0))
    {
        fprintf(stderr, "usage: at the top of t/bench/load.c\n");
        return 2;
    }

    conf.port = atoi(argv[optind]);
    conf.uri = argv[optind + 1];
    request_len = (size_t) snprintf(request, sizeof(request),
                                    "GET %.1024s HTTP/1.1\r\n"
                                    "Host: 127.0.0.1:%d\r\n%s\r\n",
                                    conf.uri, conf.port, lines);
    epoll = epoll_create1(0);

    if (epoll == -1) {
        load_die("epoll_create1");
    }

    (void) prctl(PR_SET_TIMERSLACK, 1);
    load_run();

    return 0;
}
