
/*
 * Copyright (C) ngx_sentry authors
 *
 * What becomes of a record for each answer, and for none: accounts, retries,
 * rate limits, client reports.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sender_util.h"


static void test_refused(void);
static void test_statuses(void);
static void test_all_statuses(void);
static void test_strange_answers(void);
static void test_retry(void);
static void test_attempts(void);
static void test_rate_limit(void);
static void test_retry_after(void);
static void test_report_rides(void);
static void test_report_refused(void);


int
main(void)
{
    test_refused();
    test_statuses();
    test_all_statuses();
    test_strange_answers();
    test_retry();
    test_attempts();
    test_rate_limit();
    test_retry_after();
    test_report_rides();
    test_report_refused();

    return tap_done();
}


/*
 * Messages that begin so and are as the one before: what came over several
 * connections is answered in any order.
 */

static int
repeated(const char *text)
{
    int     i, n;
    size_t  len;
    char    last[8];

    n = 0;
    len = strlen(text);
    last[0] = '\0';

    for (i = 0; i < room.nmessages; i++) {
        if (strncmp(room.messages[i].text, text, len) == 0) {
            n += strncmp(room.messages[i].text + len, last, 3) == 0;
            (void) snprintf(last, 4, "%s", room.messages[i].text + len);
        }
    }

    return n;
}


static void
test_refused(void)
{
    http_t  *http;

    static const char *const  steps[] = {
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\n"
        "X-Sentry-Error: bad\x1b[31m \xff key, and a long story after that, "
        "which nobody wants to read to its end, because it goes on and on, "
        "in a manner that a log is no place for, and neither is a page of "
        "status, whatever it is about\r\n\r\n",
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", NULL
    };

    http = open_with(HTTP_OK);
    http_script(http, steps);
    (void) room_put(&room, 0, 5);
    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_SEND_ERROR) == 5);

    is_int(room_lost(&room, 0, SNX_LOST_SEND_ERROR), 5,
           "403 and 500 are final");
    is_int(http_bodies(http, "UpstreamError"), 5, "no second try");
    room_wait(&room, room_said(&room, 4, "HTTP 403") != 0
                     && room_said(&room, 4, "HTTP 500") != 0);
    is_int(room_said(&room, 4, "sentry1/1 refused an envelope: HTTP 403 "
                               "\"bad?[31m ? key, and a long story"), 1,
           "told why, fit for a log");
    is_int(room_said(&room, 4, "it is about"), 0, "not the whole story");
    is_int(repeated("sentry1/1 refused an envelope: HTTP "), 0,
           "told of each change of status once");

    close_with(http, "after refusals");
}


static void
test_statuses(void)
{
    size_t    i;
    char      step[128];
    http_t   *http;

    static const struct {
        int          status;
        snx_lost_t   lost;
    } tests[] = {
        { 200, SNX_LOST_N }, { 202, SNX_LOST_N }, { 302, SNX_LOST_SEND_ERROR },
        { 400, SNX_LOST_SEND_ERROR }, { 401, SNX_LOST_SEND_ERROR },
        { 407, SNX_LOST_SEND_ERROR }, { 413, SNX_LOST_SEND_ERROR },
        { 429, SNX_LOST_RATE_LIMITED }, { 503, SNX_LOST_SEND_ERROR }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        (void) snprintf(step, sizeof(step), "HTTP/1.1 %d X\r\nLocation: /x\r\n"
                        "Content-Length: 0\r\n\r\n", tests[i].status);
        http = open_with(step);
        (void) room_put(&room, 0, 1);
        (void) room_start(&room);
        room_wait(&room, room_pending(&room) == 0);

        if (tests[i].lost == SNX_LOST_N) {
            ok(room_delivered(&room, 0) == 1, "%d: delivered",
               tests[i].status);

        } else {
            ok(room_lost(&room, 0, tests[i].lost) == 1, "%d: lost",
               tests[i].status);
        }

        is_int(http_requests(http) - http_bodies(http, "client_report"), 1,
               "no redirect is followed");
        is_int(room.project[0]->counters.retries, 0, "no retry");
        close_with(http, "after it");
    }
}


/* Each of them but 429, which would hold the others back. */

static void
test_all_statuses(void)
{
    int          status, taken, refused, wrong, last;
    http_t      *http;
    const char  *steps[2];

    static char  step[600][64];

    http = open_with(HTTP_OK);
    room.conf.flush_ms = 1;
    (void) room_start(&room);

    taken = 0;
    refused = 0;
    wrong = 0;
    last = 0;
    steps[1] = NULL;

    for (status = 200; status < 600; status++) {

        if (status == 429) {
            continue;
        }

        (void) snprintf(step[status], sizeof(step[status]),
                        "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
        steps[0] = step[status];
        http_script(http, steps);

        taken += status < 300;
        refused += status >= 300;

        (void) room_put(&room, 0, 1);
        room_wait(&room, room_pending(&room) == 0);

        if (room_delivered(&room, 0) != (uint64_t) taken
            || room_lost(&room, 0, SNX_LOST_SEND_ERROR) != (uint64_t) refused)
        {
            wrong++;
            last = status;
        }
    }

    is_int(wrong, 0, "each status is final");
    is_int(last, 0, "and the last one that is not");
    is_int(taken, 100, "2xx is a delivery");
    is_int(refused, 299, "all else is none");
    is_int(room.project[0]->counters.retries, 0, "nothing is tried again");

    close_with(http, "after all of them");
}


/* A status came, so the envelope was answered, whatever else goes wrong. */

static void
test_strange_answers(void)
{
    size_t     i;
    http_t    *http;
    uint64_t   begun;

    static const char  *steps[][2] = {
        { HTTP_FLOOD, "a body without end" },
        { HTTP_HEADERS, "headers without end" },
        { HTTP_HALF, "half a body" },
        { "HTTP/1.1 100 Continue\r\nX-Sentry-Rate-Limits: 60::key\r\n\r\n"
          HTTP_OK, "an interim answer" }
    };

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        http = open_with(steps[i][0]);
        room.conf.timeout_ms = 3000;
        (void) room_put(&room, 0, 1);
        (void) room_start(&room);
        begun = snx_process_now_ms();
        room_wait(&room, room_delivered(&room, 0) == 1);

        is_int(room_delivered(&room, 0), 1, steps[i][1]);
        ok(snx_process_now_ms() - begun < 2000, "is not waited for");
        is_int(snx_limits_left(&room.project[0]->limits, SNX_CAT_ERROR,
                               snx_process_now_ms()), 0, "not limited");
        close_with(http, "after a strange answer");
    }
}


static void
test_retry(void)
{
    uint64_t  begun;
    http_t   *http;

    static const char *const  steps[] = { HTTP_CLOSE, HTTP_OK, NULL };

    http = open_with(HTTP_OK);
    http_script(http, steps);
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    begun = snx_process_now_ms();

    room_wait(&room, room.project[0]->counters.retries == 1);
    ok(room.project[0]->unreachable_ms != 0, "unreachable");
    (void) room_put(&room, 0, 9);
    room_wait(&room, room_delivered(&room, 0) == 10);

    ok(snx_process_now_ms() - begun >= 750, "sent again after a while");
    is_int(room_delivered(&room, 0), 10, "everything is delivered");
    is_int(room.project[0]->counters.retries, 1, "after one failure");
    is_int(http_requests(http), 11, "each record once more than it failed");
    is_int(room.project[0]->unreachable_ms, 0, "reachable");
    room_wait(&room, room.nmessages >= 3);
    is_int(room_said(&room, 5, "sentry1/1 is unreachable: Empty reply from "
                               "server, retrying"), 1, "told");
    is_int(room_said(&room, 6, "sentry1/1 is reachable again after "), 1,
           "told that it is over");

    close_with(http, "after a retry");
}


/* The tenth failure is the last one. */

static void
test_attempts(void)
{
    int                  i, fd, port;
    uint32_t             lost;
    snx_queue_t         *queue;
    snx_queue_rec_t      rec;
    snx_queue_cursor_t   cursor;

    fd = http_bind(&port);
    room_open(&room, 1 << 20);
    room_project(&room, 0, port);
    queue = snx_shm_queue(room.shm);
    (void) room_put(&room, 0, 1);

    for (i = 0; i < 9; i++) {
        memset(&cursor, 0, sizeof(cursor));
        (void) snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, room.conf.pid,
                              &rec, &lost);
        snx_queue_release(&rec, 1);
    }

    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_NETWORK_ERROR) == 1);
    is_int(room_lost(&room, 0, SNX_LOST_NETWORK_ERROR), 1,
           "given up after ten attempts");
    is_int(room.project[0]->counters.retries, 1, "and not after eleven");
    close_with(NULL, "after giving up");
    (void) close(fd);
}


static void
test_rate_limit(void)
{
    http_t  *http;

    static const char *const  steps[] = {
        "HTTP/1.1 429 Slow\r\nX-Sentry-Rate-Limits: 60:error:key, 70:session"
        "\r\nContent-Length: 0\r\n\r\n", HTTP_OK, NULL
    };

    http = open_with(HTTP_OK);
    http_script(http, steps);
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_RATE_LIMITED) == 1);
    (void) room_put(&room, 0, 7);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_RATELIMIT_BACKOFF) == 7);

    is_int(room_lost(&room, 0, SNX_LOST_RATE_LIMITED), 1, "429 is final");
    is_int(room_lost(&room, 0, SNX_LOST_RATELIMIT_BACKOFF), 7,
           "what comes then is dropped");

    room_wait(&room, room.project[0]->counters
                         .reported[SNX_LOST_RATELIMIT_BACKOFF][SNX_CAT_ERROR]
                     == 7);
    is_int(http_requests(http), 2, "no request but the client report");
    is_int(http_bodies(http, "{\"reason\":\"ratelimit_backoff\","
                             "\"category\":\"error\",\"quantity\":7}]}"), 1,
           "which tells of what was dropped, not of the 429");
    room_wait(&room, room.nmessages >= 2);
    is_int(room_said(&room, 7, "sentry1/1 rate limits session for 70 s, "
                               "error for 60 s"), 1, "told once");
    is_int(room_said(&room, 4, "refused"), 0, "no error");

    http_sleep(700);
    is_int(http_requests(http), 2, "and never again");
    close_with(http, "after a rate limit");
    http = open_with("HTTP/1.1 200 OK\r\nX-Sentry-Rate-Limits: 2::org\r\n"
                     "X-Sentry-Rate-Limits: 60:transaction\r\n"
                     "Content-Length: 0\r\n\r\n");
    room.conf.flush_ms = 5;
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_delivered(&room, 0) == 1);
    (void) room_put(&room, 0, 1);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_RATELIMIT_BACKOFF) == 1);
    is_int(room_delivered(&room, 0), 1, "200 that limits is a delivery");
    http_sleep(500);
    is_int(http_requests(http), 1, "a limit of all holds reports back");
    room_wait(&room, room_said(&room, 7, "rate limits everything for"));
    is_int(room_said(&room, 7, "rate limits everything for 2 s"), 1, "told");
    room_wait(&room, http_requests(http) == 2);
    is_int(http_bodies(http, "ratelimit_backoff"), 1, "until it is over");

    close_with(http, "after a limit of all");
}


static void
test_retry_after(void)
{
    http_t    *http;
    uint64_t   left;

    http = open_with("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n"
                     "Content-Length: 0\r\n\r\n");
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_RATE_LIMITED) == 1);
    left = snx_limits_left(&room.project[0]->limits, SNX_CAT_TRANSACTION,
                           snx_process_now_ms());
    ok(left > 5000 && left <= 7000, "Retry-After is obeyed");
    close_with(http, "after Retry-After");

    http = open_with("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n");
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_RATE_LIMITED) == 1);
    left = snx_limits_left(&room.project[0]->limits, SNX_CAT_INTERNAL,
                           snx_process_now_ms());
    ok(left > 55000 && left <= 60000, "a bare 429 is a minute");
    close_with(http, "after a bare 429");

    http = open_with("HTTP/1.1 503 Down\r\nRetry-After: 7\r\n"
                     "Content-Length: 0\r\n\r\n");
    (void) room_put(&room, 0, 1);
    (void) room_start(&room);
    room_wait(&room, room_lost(&room, 0, SNX_LOST_SEND_ERROR) == 1);
    is_int(snx_limits_left(&room.project[0]->limits, SNX_CAT_ERROR,
                           snx_process_now_ms()), 0, "only with 429");
    close_with(http, "after 503");
}


static void
test_report_rides(void)
{
    http_t  *http;

    http = open_with(HTTP_OK);
    room.conf.flush_ms = 100;
    snx_project_lose(room.project[0], SNX_LOST_SAMPLE_RATE, SNX_CAT_ERROR,
                     100);
    snx_project_lose(room.project[0], SNX_LOST_SHUTDOWN, SNX_CAT_ERROR, 5);
    room.project[0]->counters.captured[SNX_CAT_ERROR] += 5;
    (void) room_start(&room);
    (void) room_put(&room, 0, 1);
    room_wait(&room, room_delivered(&room, 0) == 1);
    is_int(http_bodies(http, "client_report"), 0, "no report too early");

    (void) room_put(&room, 0, 1);
    (void) room_stop(&room, 1000, NULL);

    is_int(http_requests(http), 2, "two events");
    is_int(http_bodies(http, "{\"reason\":\"sample_rate\",\"category\":"
                             "\"error\",\"quantity\":100}]}"), 1,
           "the report rides on the last one, with what Sentry wants to know");
    is_int(room.project[0]->counters.reported[SNX_LOST_SAMPLE_RATE]
               [SNX_CAT_ERROR], 100, "and counts as told");

    close_with(http, "after a report");

    http = open_with(HTTP_OK);
    snx_project_lose(room.project[0], SNX_LOST_IGNORED, SNX_CAT_ERROR, 3);
    (void) room_start(&room);
    (void) room_stop(&room, 1000, NULL);
    is_int(http_requests(http), 1, "at the end it goes alone");
    is_int(http_bodies(http, "{\"reason\":\"event_processor\","), 1,
           "by Sentry's name");
    ok(memmem(http->requests[0].body, 40, "event_id", 8) == NULL,
       "in an envelope without an event");
    close_with(http, "after a report alone");
}


static void
test_report_refused(void)
{
    int      fd, port;
    http_t  *http;

    http = open_with("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    snx_project_lose(room.project[0], SNX_LOST_IGNORED, SNX_CAT_ERROR, 3);
    (void) room_start(&room);
    (void) room_stop(&room, 1000, NULL);
    is_int(http_requests(http), 1, "a refused report");
    is_int(room.project[0]->counters.reported[SNX_LOST_IGNORED]
               [SNX_CAT_ERROR], 3, "is not repeated for ever");
    close_with(http, "after a refused report");

    fd = http_bind(&port);
    room_open(&room, 1 << 20);
    room_project(&room, 0, port);
    snx_project_lose(room.project[0], SNX_LOST_IGNORED, SNX_CAT_ERROR, 3);
    (void) room_start(&room);
    (void) room_stop(&room, 1000, NULL);
    is_int(room.project[0]->counters.reported[SNX_LOST_IGNORED]
               [SNX_CAT_ERROR], 0, "one that nobody got is not told");
    close_with(NULL, "after a lost report");
    (void) close(fd);
}
