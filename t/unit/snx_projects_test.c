
/*
 * Copyright (C) ngx_sentry authors
 *
 * Several destinations at once: projects that are away or hang, room made
 * for others, Spotlight, records that nobody can send.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sender_util.h"


static void test_projects(void);
static void test_busy_project(void);
static void test_overflow(void);
static void test_spotlight(void);
static void test_spotlight_alone(void);
static void test_unusable(void);


int
main(void)
{
    test_projects();
    test_busy_project();
    test_overflow();
    test_spotlight();
    test_spotlight_alone();
    test_unusable();

    return tap_done();
}


static void
test_projects(void)
{
    int       i, fd, port;
    http_t   *http;

    http = open_with(HTTP_OK);
    fd = http_bind(&port);
    room_project(&room, 1, port);

    for (i = 0; i < 100; i++) {
        (void) room_put(&room, 1, 1);
        (void) room_put(&room, 0, 1);
    }

    (void) room_start(&room);
    room_wait(&room, room_delivered(&room, 0) == 100);

    is_int(room_delivered(&room, 0), 100,
           "a project that is away does not hold the other up");
    is_int(room_lost(&room, 1, SNX_LOST_QUEUE_OVERFLOW), 0,
           "its records are kept");
    ok(room.project[1]->counters.retries <= 6, "with few attempts: %d",
       (int) room.project[1]->counters.retries);

    room_wait(&room, room_pending(&room) == 100);
    http_sleep(2500);
    ok(room.project[1]->counters.retries >= 5
       && room.project[1]->counters.retries <= 7,
       "a probe now and then: %d", (int) room.project[1]->counters.retries);

    (void) room_stop(&room, 1000, NULL);
    is_int(room_said(&room, 5, "unreachable"), 1, "told once");
    (void) close(fd);
    close_with(http, "with one project away");
}


/* The first project hangs, but has not failed yet. */

static void
test_busy_project(void)
{
    http_t  *http, *other;

    http = open_with(HTTP_HANG);
    other = http_start(HTTP_OK);
    room_project(&room, 1, other->port);

    (void) room_put(&room, 0, 100);
    (void) room_put(&room, 1, 50);
    (void) room_start(&room);
    room_wait(&room, room_delivered(&room, 1) == 50);

    is_int(room_delivered(&room, 1), 50,
           "a project that hangs does not hold the other up");
    is_int(http_requests(http), 4, "it has its share of connections");

    (void) room_stop(&room, 100, NULL);
    http_stop(other);
    close_with(http, "with one project that hangs");
}


static void
test_overflow(void)
{
    int        fd, port;
    http_t    *http;
    uint64_t   dropped;

    http = open_with(HTTP_OK);
    fd = http_bind(&port);
    room_project(&room, 1, port);

    (void) room_put(&room, 1, 2700);
    dropped = room_lost(&room, 1, SNX_LOST_QUEUE_OVERFLOW);
    ok(snx_queue_fill(snx_shm_queue(room.shm)) > 70, "a queue that is full");
    (void) room_start(&room);

    room_wait(&room, snx_queue_fill(snx_shm_queue(room.shm)) <= 52);
    ok(snx_queue_fill(snx_shm_queue(room.shm)) <= 52,
       "room is made for others: %u %%",
       (unsigned) snx_queue_fill(snx_shm_queue(room.shm)));
    ok(room_pending(&room) > 500, "but not more than needed: %u left",
       (unsigned) room_pending(&room));
    dropped = room_lost(&room, 1, SNX_LOST_QUEUE_OVERFLOW) - dropped;
    ok(dropped > 100, "by dropping %d", (int) dropped);

    (void) room_put(&room, 0, 20);
    room_wait(&room, room_delivered(&room, 0) == 20);
    is_int(room_delivered(&room, 0), 20, "others are served");

    (void) room_stop(&room, 1000, NULL);
    (void) close(fd);
    close_with(http, "after an overflow");
}


static void
test_spotlight(void)
{
    char      url[64];
    http_t   *http, *spotlight;

    http = open_with(HTTP_OK);
    spotlight = http_start(HTTP_OK);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/stream",
                    spotlight->port);
    room.conf.spotlight = url;
    (void) room_put(&room, 0, 4);
    (void) room_put(&room, -1, 20);
    (void) room_start(&room);
    room_wait(&room, room_delivered(&room, 0) == 4
                     && http_requests(spotlight) == 24
                     && room_pending(&room) == 0);

    is_int(room_delivered(&room, 0), 4, "Sentry has its events");
    is_int(http_requests(http), 4, "and no other");
    is_int(http_requests(spotlight), 24, "Spotlight has all");
    ok(strncmp(spotlight->requests[0].head, "POST /stream ", 13) == 0
       && strstr(spotlight->requests[0].head, "X-Sentry-Auth") == NULL
       && strstr(spotlight->requests[0].head,
                 "Content-Type: application/x-sentry-envelope") != NULL,
       "with a content type and without a key");
    is_int(http_bodies(spotlight, "\"trace\":{\"trace_id\""), 24,
           "whole envelopes");

    (void) room_stop(&room, 1000, NULL);
    http_stop(spotlight);
    close_with(http, "with Spotlight");
}


static void
test_spotlight_alone(void)
{
    int       fd, port;
    char      url[64];
    http_t   *http;

    http = open_with(HTTP_OK);
    fd = http_bind(&port);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/stream", port);
    room.conf.spotlight = url;
    (void) room_start(&room);
    (void) room_put(&room, 0, 30);
    (void) room_put(&room, -1, 30);
    room_wait(&room, room_delivered(&room, 0) == 30
                     && room_pending(&room) == 0);

    is_int(room_delivered(&room, 0), 30, "Spotlight is away: Sentry is not");
    is_int(room_pending(&room), 0, "nothing waits for it");
    is_int(room.project[0]->counters.retries, 0, "and it does not count");
    (void) room_stop(&room, 1000, NULL);
    is_int(room_said(&room, 5, "spotlight is unreachable"), 1, "told once");
    (void) close(fd);
    close_with(http, "without Spotlight");
}


/* Records that nobody can send. */

static void
test_unusable(void)
{
    http_t            *http;
    size_t             len;
    unsigned char      buf[1024];
    snx_rec_writer_t   w;

    http = open_with(HTTP_OK);

    (void) snprintf(room.dsn[1], sizeof(room.dsn[1]), "nonsense");
    room.project[1] = snx_shm_project(room.shm, snx_cstr(room.dsn[1]),
                                      snx_cstr("nonsense"));
    (void) room_put(&room, 1, 2);
    (void) snprintf(room.dsn[1], sizeof(room.dsn[1]), "https://k@unknown/9");
    (void) room_put(&room, -1, 1);

    /* no event id; an unknown kind; no record at all */

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_str(&w, SNX_F_DSN, snx_cstr(room.dsn[0]));
    len = snx_rec_end(&w);
    (void) snx_lane_put(&room.lane, SNX_LANE_ERRORS, SNX_KIND_EVENT, buf,
                        len);
    (void) snx_lane_put(&room.lane, SNX_LANE_ERRORS, 77, buf, len);
    (void) snx_lane_put(&room.lane, SNX_LANE_ERRORS, SNX_KIND_EVENT, "\xff",
                        1);
    room.project[0]->counters.captured[SNX_CAT_ERROR] += 3;

    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_pending(&room) == 0);

    is_int(room_delivered(&room, 0), 1, "the good one is delivered");
    is_int(room_lost(&room, 0, SNX_LOST_INTERNAL), 3, "bad ones are lost");
    is_int(room_lost(&room, 1, SNX_LOST_INTERNAL), 2,
           "as are those of a bad DSN");

    close_with(http, "after records that nobody can send");
}
