
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sender as nginx sees it: start, delivery over real sockets, messages,
 * the lease, and an end that is always in time.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "sender_util.h"
#include "snx_dest.h"


static void test_delivery(void);
static void test_plain(void);
static void test_burst(void);
static void test_stream(void);
static void test_thread(void);
static void test_lease_held(void);
static void test_lease_lost(void);
static void test_stop_flushes(void);
static void test_stop_hang(void);
static void test_stop_unreachable(void);
static void test_stop_probes(void);
static void test_stop_idle(void);
static void test_idle_cost(void);
static void test_restart(void);


int
main(void)
{
    test_delivery();
    test_plain();
    test_burst();
    test_stream();
    test_thread();
    test_lease_held();
    test_lease_lost();
    test_stop_flushes();
    test_stop_hang();
    test_stop_unreachable();
    test_stop_probes();
    test_stop_idle();
    test_idle_cost();
    test_restart();

    return tap_done();
}


static void
test_delivery(void)
{
    int                 i, id;
    char                hex[33];
    http_t             *http;
    http_request_t     *r;
    snx_queue_usage_t   usage;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    room.conf.debug = 1;
    room.conf.user_agent = "ngx_sentry.nginx/0.1.0 (nginx 1.22.1)";
    (void) room_put(&room, 0, 20);

    is_int(room_start(&room), SNX_OK, "a sender");
    is_int(snx_sender_running(room.sender), 1, "it runs");

    room_wait(&room, room_delivered(&room, 0) == 20);
    is_int(room_delivered(&room, 0), 20, "20 events are delivered");
    is_int(http_requests(http), 20, "by 20 requests");
    ok(http_accepted(http) <= SNX_DEST_WIDTH_MIN + 1, "over %d connections",
       http_accepted(http));

    (void) room_put(&room, 0, 3);
    room_wait(&room, room_delivered(&room, 0) == 23);
    is_int(room_delivered(&room, 0), 23, "and what comes later");

    room_wait(&room, (snx_queue_usage(snx_shm_queue(room.shm), &usage),
                      usage.segments_used == 0));
    is_int(usage.segments_used, 0, "their segments are free");

    ok(room_stop(&room, 5000, NULL) < 2000, "stopped at once");
    room_balance(&room, "after delivery");

    r = &http->requests[7];
    ok(strncmp(r->head, "POST /api/1/envelope/ HTTP/1.1\r\n", 32) == 0,
       "the endpoint");
    ok(strstr(r->head, "\r\nX-Sentry-Auth: Sentry sentry_version=7") != NULL
       && strstr(r->head, "sentry_key=0123456789abcdef0123456789abcdef")
          != NULL, "authentication");
    ok(strstr(r->head, "\r\nContent-Type: application/x-sentry-envelope\r\n")
       != NULL, "content type");
    ok(strstr(r->head, "\r\nUser-Agent: ngx_sentry.nginx/0.1.0 "
                       "(nginx 1.22.1)\r\n") != NULL, "user agent");
    ok(strstr(strstr(r->head, "User-Agent") + 1, "User-Agent") == NULL,
       "told once");
    ok(strstr(r->head, "Expect") == NULL && strstr(r->head, "Accept") == NULL,
       "nothing is expected, no kind of answer asked for");
    ok(r->gzip, "compressed");
    ok(strncmp(r->body, "{\"event_id\":\"" "fc6d8c0c43fc4630", 29) == 0,
       "an envelope");

    id = 0;

    for (i = 0; i < 23; i++) {
        (void) snprintf(hex, sizeof(hex), "\"ad850ee5%02x000000\"", i);
        hex[0] = ' ';
        (void) memmove(hex, hex + 1, sizeof(hex) - 1);
        hex[16] = '\0';
        id += http_bodies(http, hex) == 1;
    }

    is_int(id, 23, "each event exactly once");
    is_int(room_said(&room, 6, "sender started"), 1, "told when it started");
    ok(room_said(&room, 6, "took event fc6d8c0c43fc4630") > 0,
       "told of events, with debug");
    is_int(room_said(&room, 6, "0123456789abcdef0123"), 0, "never the key");
    is_int(room.project[0]->counters.requests, 23, "requests are counted");
    ok(room.project[0]->counters.bytes_sent > 23 * 100, "bytes are counted");

    room_close(&room);
    http_stop(http);
}


static void
test_plain(void)
{
    http_t  *http;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    room.conf.gzip = 0;
    (void) setenv("http_proxy", "http://127.0.0.1:1/", 1);
    (void) setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);

    room_wait(&room, room_delivered(&room, 0) == 1);
    is_int(room_delivered(&room, 0), 1, "without gzip, environment's proxies "
           "are ignored");
    is_int(http_bodies(http, "\nContent"), 0, "nothing but the envelope");
    ok(!http->requests[0].gzip, "not compressed");
    is_int(room_said(&room, 6, "took event"), 0, "no word without debug");

    (void) room_stop(&room, 1000, NULL);
    (void) unsetenv("http_proxy");
    (void) unsetenv("ALL_PROXY");
    room_close(&room);
    http_stop(http);
}


/* Deliveries follow each other, whatever the flush interval is. */

static void
test_burst(void)
{
    http_t    *http;
    uint64_t   begun;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    room.conf.flush_ms = 15000;
    (void) room_put(&room, 0, 200);
    (void) room_start(&room);
    begun = snx_process_now_ms();

    room_wait(&room, room_delivered(&room, 0) == 200);
    is_int(room_delivered(&room, 0), 200, "a burst");
    ok(snx_process_now_ms() - begun < (uint64_t) room.conf.flush_ms,
       "is delivered without a rest");

    (void) room_stop(&room, 1000, NULL);
    room_close(&room);
    http_stop(http);
}


/* What comes while much is sent does not wait for the flush interval. */

static void
test_stream(void)
{
    http_t  *http;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    room.conf.flush_ms = 60000;
    (void) room_put(&room, 0, 200);
    (void) room_start(&room);

    /* 200 more fill segments that the first pass does not look into */

    room_wait(&room, room_delivered(&room, 0) >= 10);
    (void) room_put(&room, 0, 200);
    room_wait(&room, room_delivered(&room, 0) == 400);
    is_int(room_delivered(&room, 0), 400, "many are followed by more at once");

    (void) room_stop(&room, 1000, NULL);
    room_close(&room);
    http_stop(http);
}


/* The value of a field in /proc/self/task/TID/status of the sender. */

static int
thread_status(const char *field, char *value, size_t cap)
{
    int             found;
    DIR            *dir;
    char            path[320], line[256];
    FILE           *file;
    struct dirent  *entry;

    found = 0;
    dir = opendir("/proc/self/task");

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void) snprintf(path, sizeof(path), "/proc/self/task/%s/status",
                        entry->d_name);
        file = fopen(path, "r");

        if (file == NULL) {
            continue;
        }

        if (fgets(line, sizeof(line), file) != NULL
            && strcmp(line, "Name:\tngx-sentry\n") == 0)
        {
            while (fgets(line, sizeof(line), file) != NULL) {
                if (strncmp(line, field, strlen(field)) == 0) {
                    (void) snprintf(value, cap, "%s", line + strlen(field));
                    found = atoi(entry->d_name);
                }
            }
        }

        (void) fclose(file);
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    return found;
}


static void
test_thread(void)
{
    int        tid;
    char       value[256];
    cpu_set_t  one, all;
    sigset_t   before, after;

    room_open(&room, 1 << 20);

    (void) sched_getaffinity(0, sizeof(all), &all);
    memset(&before, 0, sizeof(before));
    memset(&after, 0, sizeof(after));
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    (void) sched_setaffinity(0, sizeof(one), &one);
    (void) pthread_sigmask(SIG_SETMASK, NULL, &before);
    (void) room_start(&room);
    (void) pthread_sigmask(SIG_SETMASK, NULL, &after);

    room_wait(&room, room_said(&room, 6, "sender started"));
    tid = thread_status("SigBlk:\t", value, sizeof(value));

    ok(tid != 0, "it has a name");
    ok(strtoull(value, NULL, 16) >= 0x7ffffffa00000000u
       && (strtoull(value, NULL, 16) & 0x4000) != 0,
       "all signals are blocked in it");
    ok(memcmp(&before, &after, sizeof(before)) == 0, "and only in it");
    is_int(getpriority(PRIO_PROCESS, (id_t) tid)
           - getpriority(PRIO_PROCESS, 0), 5, "lower priority");
    (void) sched_getaffinity(tid, sizeof(one), &one);
    is_int(CPU_COUNT(&one), CPU_COUNT(&all), "on any CPU");

    (void) sched_setaffinity(0, sizeof(all), &all);
    (void) room_stop(&room, 1000, NULL);
    room_close(&room);
}


static int
everybody_lives(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 1;
}


static void
test_lease_held(void)
{
    uint64_t  token;

    room_open(&room, 1 << 20);
    room_project(&room, 0, 1);
    (void) snx_lease_take(&room.shm->lease, (uint32_t) getppid(), 0, 1,
                          snx_process_now_ms(), everybody_lives, NULL,
                          &token);

    is_int(room_start(&room), SNX_AGAIN, "somebody else sends");

    room.conf.generation = 2;
    is_int(room_start(&room), SNX_OK, "a newer generation takes over");
    (void) room_stop(&room, 1000, NULL);

    room.conf.generation = 1;
    is_int(room_start(&room), SNX_OK, "the lease is free again");
    (void) room_stop(&room, 1000, NULL);
    room_close(&room);
}


static void
test_lease_lost(void)
{
    http_t            *http;
    uint64_t           token;
    snx_lease_info_t   info;

    http = http_start(HTTP_OK);
    http_delay(http, 600);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    (void) room_put(&room, 0, 40);
    (void) room_start(&room);

    room_wait(&room, http_accepted(http) > 0);

    is_int(snx_lease_take(&room.shm->lease, (uint32_t) getppid(), 0, 2,
                          snx_process_now_ms(), everybody_lives, NULL,
                          &token), SNX_OK, "another process takes the lease");

    room_wait(&room, !snx_sender_running(room.sender));
    is_int(snx_sender_running(room.sender), 0, "the thread ends by itself");
    is_int(room_delivered(&room, 0), http_requests(http),
           "after the answers it waited for");
    ok(room_delivered(&room, 0) > 0 && room_pending(&room) > 20,
       "the rest stays: %d", (int) room_pending(&room));

    snx_lease_info(&room.shm->lease, snx_process_now_ms(), &info);
    is_int(info.generation, 2, "the lease is left alone");

    (void) room_stop(&room, 1000, NULL);
    is_int(room_said(&room, 6, "sender handed over"), 1, "told");
    room_balance(&room, "after the lease was lost");
    room_close(&room);
    http_stop(http);
}


static void
test_stop_flushes(void)
{
    uint32_t   left;
    http_t    *http;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    room.conf.flush_ms = 60000;
    (void) room_start(&room);
    room_wait(&room, room_said(&room, 6, "sender started"));
    http_sleep(20);
    (void) room_put(&room, 0, 100);

    ok(room_stop(&room, 5000, &left) < 2000, "stopped when all was sent");
    is_int(left, 0, "nothing is left");
    is_int(room_delivered(&room, 0), 100, "100 events in the last moment");
    room_balance(&room, "after the end");
    room_close(&room);
    http_stop(http);
}


static void
test_stop_hang(void)
{
    int                  ms;
    uint32_t             left, lost;
    http_t              *http;
    snx_queue_rec_t      rec;
    snx_queue_cursor_t   cursor;

    http = http_start(HTTP_HANG);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    (void) room_put(&room, 0, 10);
    (void) room_start(&room);
    room_wait(&room, http_requests(http) == 4);

    ms = room_stop(&room, 300, &left);
    ok(ms >= 250 && ms < 2000, "a hanging Sentry: stopped in time (%d)", ms);
    is_int(left, 10, "all are left");

    memset(&cursor, 0, sizeof(cursor));
    is_int(snx_queue_next(snx_shm_queue(room.shm), SNX_LANE_ERRORS, &cursor,
                          room.conf.pid, &rec, &lost), SNX_OK,
           "and free to be sent");
    is_int(rec.attempts, 0, "as if never tried");
    room_balance(&room, "after the hang");
    room_close(&room);
    http_stop(http);
}


static void
test_stop_unreachable(void)
{
    int                  fd, port, ms;
    uint32_t             left, lost;
    snx_queue_rec_t      rec;
    snx_queue_cursor_t   cursor;

    fd = http_bind(&port);
    room_open(&room, 1 << 20);
    room_project(&room, 0, port);
    (void) room_put(&room, 0, 10);
    (void) room_start(&room);
    room_wait(&room, room_said(&room, 5, "sentry1/1 is unreachable: "));

    ms = room_stop(&room, 5000, &left);
    ok(ms < 2000, "Sentry is away: no waiting for nothing (%d)", ms);
    is_int(left, 10, "all are left");
    is_int(room_said(&room, 5, "unreachable"), 1, "told once");
    room_balance(&room, "while Sentry is away");

    memset(&cursor, 0, sizeof(cursor));
    (void) snx_queue_next(snx_shm_queue(room.shm), SNX_LANE_ERRORS, &cursor,
                          room.conf.pid, &rec, &lost);
    ok(rec.attempts > 0, "attempts are counted");
    snx_queue_release(&rec, 0);

    (void) room_start(&room);
    ms = room_stop(&room, 5000, &left);
    ok(ms < 2000, "nor right after the start (%d)", ms);
    room_balance(&room, "still");
    room_close(&room);
    (void) close(fd);
}


/* Sentry was away for a moment; the end does not wait for the next try. */

static void
test_stop_probes(void)
{
    int       ms;
    http_t   *http;

    static const char *const  steps[] = { HTTP_CLOSE, HTTP_OK, NULL };

    http = http_start(HTTP_OK);
    http_script(http, steps);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_said(&room, 5, "sentry1/1 is unreachable: "));
    (void) room_put(&room, 0, 30);

    ms = room_stop(&room, 5000, NULL);
    is_int(room_delivered(&room, 0), 31, "at the end it is tried once more");
    ok(ms < 950, "without delay (%d)", ms);
    room_balance(&room, "after the last try");
    room_close(&room);
    http_stop(http);
}


static void
test_stop_idle(void)
{
    int  i, ms;

    room_open(&room, 1 << 20);
    (void) room_start(&room);
    ms = room_stop(&room, 5000, NULL);
    ok(ms < 2000, "stopped right after the start (%d)", ms);

    room.conf.flush_ms = 500;
    ms = 0;

    for (i = 0; i < 10; i++) {
        (void) room_start(&room);
        http_sleep(30);
        ms += room_stop(&room, 5000, NULL);
    }

    ok(ms < 2000, "woken up to stop (%d)", ms);

    (void) room_start(&room);
    ms = room_stop(&room, 0, NULL);
    ok(ms < 2000, "stopped without any time (%d)", ms);
    room_close(&room);
}


static void
test_idle_cost(void)
{
    long           us;
    struct rusage  a, b;

    room_open(&room, 8 << 20);
    room_project(&room, 0, 1);
    room.conf.flush_ms = 500;
    (void) room_start(&room);
    http_sleep(200);

    (void) getrusage(RUSAGE_SELF, &a);
    http_sleep(2000);
    (void) getrusage(RUSAGE_SELF, &b);

    us = (b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec
          - a.ru_stime.tv_sec) * 1000000
         + b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec
         - a.ru_stime.tv_usec;

    ok(us < 40000, "idle: %ld us of CPU in 2 s", us);

    (void) room_stop(&room, 1000, NULL);
    room_close(&room);
}


static void
test_restart(void)
{
    int      i;
    http_t  *http;

    http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);

    for (i = 0; i < 10; i++) {
        (void) room_put(&room, 0, 3);
        (void) room_start(&room);
        (void) room_stop(&room, 2000, NULL);
    }

    is_int(room_delivered(&room, 0), 30, "ten lives");
    room_balance(&room, "after ten lives");
    room_close(&room);
    http_stop(http);
}
