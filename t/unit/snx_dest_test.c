
/*
 * Copyright (C) ngx_sentry authors
 *
 * When a project may be sent to: backing off, probing, the last try at the
 * end, and what Sentry has not been told yet.
 */


#include "event_util.h"
#include "snx_dest.h"


static void test_share(void);
static void test_width(void);
static void test_backoff(void);
static void test_probe(void);
static void test_stop(void);
static void test_inherited(void);
static void test_report(void);


static snx_project_t   project;
static snx_mailbox_t   box;
static snx_random_t    noise;
static snx_answer_t    answer;
static snx_dest_t     *dest;
static void           *memory;
static snx_queue_t    *queue;


int
main(void)
{
    size_t  size;

    size = snx_queue_size(SNX_SEGMENTS_MIN_N * SNX_SEGMENT_SIZE);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    memset(memory, 0, size);
    queue = snx_queue_init(memory, size, 1);

    snx_random_seed(&noise, "0123456789abcdef0123456789abcdef");

    test_share();
    test_width();
    test_backoff();
    test_probe();
    test_stop();
    test_inherited();
    test_report();

    free(memory);

    return tap_done();
}


static void
begin(void)
{
    memset(&project, 0, sizeof(project));
    memset(&answer, 0, sizeof(answer));

    (void) snprintf(project.dsn, sizeof(project.dsn), "%s", UTIL_DSN);
    project.dsn_len = (uint32_t) strlen(project.dsn);

    answer.error = "no route";
    answer.limits = "";
    answer.retry_after = "";
    answer.reason = "";

    dest = snx_dest_create(&project, &box, 1000);
}


static void
end(void)
{
    snx_sender_msg_t  msg;

    while (snx_mailbox_get(&box, &msg)) {
        /* void */
    }

    free(dest);
}


/* A delivery that nobody answers. */

static void
fail_at(uint64_t now_ms)
{
    int  probe;

    probe = snx_dest_sent(dest);
    snx_dest_returned(dest, probe);
    snx_dest_failed(dest, &answer, probe, &noise, now_ms, 0);
}


static void
answer_at(uint64_t now_ms, uint32_t status)
{
    int  probe;

    probe = snx_dest_sent(dest);
    snx_dest_returned(dest, probe);
    answer.status = status;
    snx_dest_answered(dest, &answer, queue, now_ms, 0);
}


static void
test_share(void)
{
    int  i;

    begin();
    ok(dest->usable, "a DSN");
    is_str(snx_cstr(dest->url),
           "https://o7.sentry.example:8443/api/42/envelope/", "its URL");

    for (i = 0; snx_dest_ready(dest, 1000) == SNX_OK; i++) {
        (void) snx_dest_sent(dest);
    }

    is_int(snx_dest_ready(dest, 1000), SNX_FULL, "busy");
    is_int(i, SNX_DEST_WIDTH_MIN, "connections of HTTP/1.1");

    snx_dest_returned(dest, 0);
    answer.status = 200;
    answer.http2 = 1;
    snx_dest_answered(dest, &answer, queue, 1000, 0);

    i = SNX_DEST_WIDTH_MIN - 1;

    for (/* void */; snx_dest_ready(dest, 1000) == SNX_OK; i++) {
        (void) snx_dest_sent(dest);
    }

    is_int(i, SNX_TRANSPORT_SENTRY_N, "streams of HTTP/2");
    end();
}


/* How many it takes at once now. */

static int
width(void)
{
    int  i, n;

    for (n = 0; snx_dest_ready(dest, 1000) == SNX_OK; n++) {
        (void) snx_dest_sent(dest);
    }

    for (i = 0; i < n; i++) {
        snx_dest_returned(dest, 0);
    }

    return n;
}


static void
taken(int n, int wanted, uint64_t now_ms)
{
    while (n-- > 0) {

        if (wanted) {
            snx_dest_want(dest);
        }

        answer_at(now_ms, 200);
    }
}


static void
test_width(void)
{
    begin();
    answer.http2 = 0;

    taken(100, 0, 1000);
    is_int(width(), SNX_DEST_WIDTH_MIN, "what it can do is enough");

    taken(1, 1, 1000);
    is_int(width(), SNX_DEST_WIDTH_MIN + 1, "more is wanted: one more");

    taken((SNX_DEST_WIDTH_MIN + 1) * SNX_DEST_WIDTH_ROUNDS - 1, 1, 1000);
    is_int(width(), SNX_DEST_WIDTH_MIN + 1, "and then some rounds of these");
    taken(1, 1, 1000);
    is_int(width(), SNX_DEST_WIDTH_MIN + 2, "have to be taken");

    taken(1000, 1, 2000);
    is_int(width(), SNX_DEST_WIDTH_MAX, "to so many");

    taken(1, 0, 2000 + SNX_DEST_WIDTH_MS);
    is_int(width(), SNX_DEST_WIDTH_MAX, "a pause changes nothing");
    taken(1, 0, 2001 + SNX_DEST_WIDTH_MS);
    is_int(width(), SNX_DEST_WIDTH_MIN, "a long one does");

    taken(1000, 1, 20000);
    answer_at(20000, 503);
    is_int(width(), SNX_DEST_WIDTH_MIN, "so does a refusal");

    taken(1000, 1, 20000);
    fail_at(20000);
    answer_at(30000, 200);
    is_int(width(), SNX_DEST_WIDTH_MIN, "and no answer");
    end();
}


static void
test_backoff(void)
{
    int       i, early, late;
    uint64_t  now, wait;

    begin();
    early = 0;
    late = 0;
    now = 10000;
    wait = 1000;

    for (i = 0; i < 12; i++) {
        fail_at(now);

        early += snx_dest_ready(dest, now + wait * 8 / 10 - 1) != SNX_AGAIN;
        late += snx_dest_ready(dest, now + wait) != SNX_OK;

        now += wait;
        wait = wait * 2 < 60000 ? wait * 2 : 60000;
    }

    is_int(early, 0, "from 1 s doubling to 60 s, at most a fifth less");
    is_int(late, 0, "and no more");
    is_int(project.unreachable_ms, 10000, "since the first failure");

    answer_at(now, 500);
    is_int(snx_dest_ready(dest, now), SNX_OK, "any answer ends it");
    is_int(project.unreachable_ms, 0, "for all to see");

    fail_at(now);
    is_int(snx_dest_ready(dest, now + 1000), SNX_OK, "and then from 1 s again");
    end();
}


static void
test_probe(void)
{
    uint64_t  next;

    begin();

    /* three in flight; the first one fails */

    (void) snx_dest_sent(dest);
    (void) snx_dest_sent(dest);
    fail_at(5000);
    next = dest->next_try_ms;

    is_int(snx_dest_ready(dest, next - 1), SNX_AGAIN, "not yet");
    is_int(snx_dest_ready(dest, next), SNX_OK, "a probe");
    is_int(snx_dest_sent(dest), 1, "is one");
    is_int(snx_dest_ready(dest, next + 100000), SNX_AGAIN, "and only one");

    snx_dest_returned(dest, 0);
    snx_dest_failed(dest, &answer, 0, &noise, next + 10, 0);
    is_int(dest->backoff_ms, 1000, "others that fail change nothing");
    is_int(snx_dest_ready(dest, next + 100000), SNX_AGAIN, "nor let another");

    snx_dest_returned(dest, 1);
    snx_dest_failed(dest, &answer, 1, &noise, next + 20, 0);
    is_int(dest->backoff_ms, 2000, "the probe that fails does");

    snx_dest_returned(dest, 0);
    answer.status = 200;
    snx_dest_answered(dest, &answer, queue, next + 30, 0);
    is_int(snx_dest_ready(dest, next + 30), SNX_OK, "a late answer is one");
    is_int(dest->inflight, 0, "all are back");
    end();
}


static void
test_stop(void)
{
    begin();
    fail_at(5000);
    is_int(snx_dest_ready(dest, 5001), SNX_AGAIN, "backing off");
    snx_dest_stop(dest);
    is_int(snx_dest_ready(dest, 5001), SNX_OK, "at the end one last try");
    fail_at(5002);
    is_int(snx_dest_ready(dest, 1000000), SNX_AGAIN, "and no more");
    end();

    begin();
    snx_dest_stop(dest);
    is_int(snx_dest_ready(dest, 5001), SNX_OK, "at the end");
    fail_at(5002);
    is_int(snx_dest_ready(dest, 1000000), SNX_AGAIN, "a failure is the last");
    end();
}


static void
test_inherited(void)
{
    begin();
    free(dest);
    project.unreachable_ms = 500;
    dest = snx_dest_create(&project, &box, 1000);

    is_int(snx_dest_ready(dest, 1000), SNX_OK, "after another sender: a try");
    is_int(snx_dest_sent(dest), 1, "which is a probe");
    is_int(snx_dest_ready(dest, 1000), SNX_AGAIN, "just one");
    end();

    begin();
    free(dest);
    project.dsn_len = 9;
    dest = snx_dest_create(&project, &box, 1000);
    ok(!dest->usable, "a DSN that is none");
    end();
}


static void
test_report(void)
{
    snx_report_t  report;

    begin();
    is_int(snx_dest_unreported(dest, &report), 0, "nothing to report");

    snx_project_lose(&project, SNX_LOST_RATE_LIMITED, SNX_CAT_ERROR, 9);
    is_int(snx_dest_unreported(dest, &report), 0, "not what Sentry knows");

    snx_project_lose(&project, SNX_LOST_BACKPRESSURE, SNX_CAT_TRANSACTION, 5);
    is_int(snx_dest_unreported(dest, &report), 1, "something");
    is_int(report.n[SNX_LOST_BACKPRESSURE][SNX_CAT_TRANSACTION], 5, "five");

    snx_project_lose(&project, SNX_LOST_BACKPRESSURE, SNX_CAT_TRANSACTION, 2);
    snx_dest_reported(dest, &report);
    is_int(snx_dest_unreported(dest, &report), 1, "what came meanwhile");
    is_int(report.n[SNX_LOST_BACKPRESSURE][SNX_CAT_TRANSACTION], 2, "two");

    snx_dest_reported(dest, &report);
    is_int(snx_dest_unreported(dest, &report), 0, "all is told");
    end();
}
