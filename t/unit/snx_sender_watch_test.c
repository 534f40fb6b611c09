
/*
 * Copyright (C) ngx_sentry authors
 *
 * A TLS peer from whom the library does not come back: the main thread frees
 * the sender, and nothing is lost.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sender_util.h"


/* few, for a turn in which many begin is long under valgrind */
#define WELL_N                 20


static void test_well(void);
static void test_stuck(void);


int
main(void)
{
    test_well();
    test_stuck();

    return tap_done();
}


/* Looked at all the time, a sender that works is left alone. */

static void
test_well(void)
{
    int      cut;
    http_t  *http;

    http = open_with(HTTP_OK);
    (void) room_start(&room);
    (void) room_put(&room, 0, WELL_N);
    cut = 0;

    room_wait_begin();

    while (room_delivered(&room, 0) < WELL_N && room_wait_more(&room)) {
        cut += snx_sender_watch(room.sender) != SNX_OK;
    }

    is_int(room_delivered(&room, 0), WELL_N, "all is delivered");
    is_int(cut, 0, "nothing is cut");
    is_int(room.project[0]->counters.retries, 0, "nothing is tried again");

    close_with(http, "after work");
}


static void
test_stuck(void)
{
    int       cut;
    char     *dsn;
    http_t   *bad, *good;

    bad = http_start(HTTP_HELLO);
    good = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, good->port);

    dsn = room.dsn[1];
    (void) snprintf(dsn, sizeof(room.dsn[1]),
                    "https://0123456789abcdef0123456789abcdef@127.0.0.1:%d/2",
                    bad->port);
    room.project[1] = snx_shm_project(room.shm, snx_cstr(dsn),
                                      snx_cstr("sentry2/2"));
    room.conf.timeout_ms = 30000;

    (void) room_put(&room, 1, 1);
    (void) room_start(&room);
    cut = 0;

    room_wait_begin();

    while (room.project[1]->counters.retries == 0 && room_wait_more(&room)) {
        cut += snx_sender_watch(room.sender) == SNX_DONE;
    }

    ok(cut >= 1, "stuck: its connections are cut (%d)", cut);
    is_int(room.project[1]->counters.retries, 1, "it is free again");
    ok(room.project[1]->unreachable_ms != 0, "and thinks of Sentry's absence");

    (void) room_put(&room, 0, 1);
    room_wait(&room, room_delivered(&room, 0) == 1);
    is_int(room_delivered(&room, 0), 1, "others are served");
    is_int(room_pending(&room), 1, "nothing is lost");

    /* stuck again, it would not end, and the exit handlers are not for it */

    http_stop(bad);
    close_with(good, "after that");
}
