
/*
 * Copyright (C) ngx_sentry authors
 *
 * Transactions on their way: delivered behind errors, lost with their spans,
 * compressed only while there is time.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sender_util.h"


#define TYPE  "\"type\":\"transaction\""


static void test_delivered(void);
static void test_refused(void);
static void test_limited(void);
static void test_busy(void);


int
main(void)
{
    test_delivered();
    test_refused();
    test_limited();
    test_busy();

    return tap_done();
}


/* Publishes n transactions with a span each; returns how many fitted. */

static int
put(int n)
{
    int               done;
    size_t            len;
    snx_rec_writer_t  w;
    snx_upstream_t    up;

    static unsigned char  buf[SNX_RECORD_MAX];

    memset(&up, 0, sizeof(up));
    up.status = 200;

    for (done = 0; done < n; done++) {
        snx_rec_begin(&w, buf, sizeof(buf));
        snx_rec_str(&w, SNX_F_DSN, snx_cstr(room.dsn[0]));
        snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
        snx_rec_num(&w, SNX_F_STATUS, 200);
        snx_rec_str(&w, SNX_F_TRANSACTION, snx_cstr("GET /api/"));
        snx_rec_str(&w, SNX_F_URL, snx_cstr("http://a/api/orders/1"));
        snx_rec_pair(&w, SNX_F_HEADER, snx_cstr("User-Agent"),
                     snx_cstr("Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"));
        snx_rec_pair(&w, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                     snx_cstr("10.0.0.1:80"));
        len = snx_rec_end(&w);

        if (snx_lane_put(&room.lane, SNX_LANE_BULK, SNX_KIND_TRANSACTION, buf,
                         len)
            != SNX_OK)
        {
            break;
        }
    }

    return done;
}


static uint64_t
lost(snx_lost_t why, snx_category_t category)
{
    return room.project[0]->counters.lost[why][category];
}


static uint64_t
delivered(void)
{
    return room.project[0]->counters.delivered[SNX_CAT_TRANSACTION];
}


static void
test_delivered(void)
{
    int      i, first;
    http_t  *http;

    http = open_with(HTTP_OK);
    is_int(put(20), 20, "transactions");
    (void) room_put(&room, 0, 3);
    (void) room_start(&room);
    room_wait(&room, delivered() == 20);

    is_int(http_bodies(http, TYPE), 20, "one envelope each");
    is_int(room_delivered(&room, 0), 3, "and the errors");

    for (i = 0, first = -1; i < 23 && first < 0; i++) {
        if (memmem(http->requests[i].body, http->requests[i].len, TYPE,
                   strlen(TYPE))
            != NULL)
        {
            first = i;
        }
    }

    ok(first >= 0 && first <= 3, "errors come first");
    is_int(lost(SNX_LOST_SEND_ERROR, SNX_CAT_SPAN), 0, "nothing is lost");

    close_with(http, "after transactions");
}


static void
test_refused(void)
{
    http_t  *http;

    http = open_with("HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n");
    (void) put(4);
    (void) room_start(&room);
    room_wait(&room, lost(SNX_LOST_SEND_ERROR, SNX_CAT_SPAN) == 8);

    is_int(lost(SNX_LOST_SEND_ERROR, SNX_CAT_TRANSACTION), 4, "refused");
    is_int(lost(SNX_LOST_SEND_ERROR, SNX_CAT_SPAN), 8,
           "each with its span and itself");

    close_with(http, "after refusals");
}


/* A limit of one category keeps to itself. */

static void
test_limited(void)
{
    http_t  *http;

    http = open_with(HTTP_OK);
    (void) snx_limits_header(&room.project[0]->limits,
                             snx_cstr("60:transaction:organization"),
                             snx_process_now_ms());
    (void) put(5);
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_delivered(&room, 0) == 1
              && lost(SNX_LOST_RATELIMIT_BACKOFF, SNX_CAT_SPAN) == 10);

    is_int(room_delivered(&room, 0), 1, "errors go on");
    is_int(lost(SNX_LOST_RATELIMIT_BACKOFF, SNX_CAT_TRANSACTION), 5,
           "transactions do not");
    is_int(lost(SNX_LOST_RATELIMIT_BACKOFF, SNX_CAT_SPAN), 10,
           "nor their spans");
    is_int(http_bodies(http, TYPE), 0, "none was sent");

    close_with(http, "after a limit");
}


static void
test_busy(void)
{
    int      n, gzip;
    http_t  *http;

    http = open_with(HTTP_OK);
    n = put(100000);
    (void) room_start(&room);
    room_wait(&room, delivered() == (uint64_t) n);

    (void) pthread_mutex_lock(&http->lock);
    gzip = http->requests[0].gzip;
    (void) pthread_mutex_unlock(&http->lock);

    ok(n > 500, "%d transactions fit", n);
    is_int(delivered(), n, "all are delivered");
    ok(!gzip, "not compressed while the queue is full");
    is_int(put(1), 1, "one more");
    room_wait(&room, delivered() == (uint64_t) n + 1);
    is_int(delivered(), n + 1, "is delivered too");

    close_with(http, "after a full queue");
}
