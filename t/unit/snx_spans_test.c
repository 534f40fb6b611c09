
/*
 * Copyright (C) ngx_sentry authors
 *
 * From a record to spans: which there are, their ids, and that they lie in
 * each other.
 */


#include "trace_util.h"


static void test_tries(void);
static void test_ids(void);
static void test_around(void);
static void test_upgrade(void);
static void test_parts(void);
static void test_nested(void);


int
main(void)
{
    snx_encode_init(&encode, "Linux", "6.1.0");

    test_tries();
    test_ids();
    test_around();
    test_upgrade();
    test_parts();
    test_nested();

    return tap_done();
}


/* One refused, one that answered 502, one that answered. */

static void
test_tries(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *tests[][2] = {
        { "spans.0.description", "GET http://10.0.0.1:80/a" },
        { "spans.0.status", "internal_error" },
        { "spans.0.data.http/response/status_code", "" },
        { "spans.0.data.http/request/resend_count", "" },
        { "spans.0.data.server/address", "10.0.0.1" },
        { "spans.0.data.server/port", "80" },
        { "spans.1.description", "GET http://[::1]:8081/a" },
        { "spans.1.status", "internal_error" },
        { "spans.1.data.http/response/status_code", "502" },
        { "spans.1.data.http/request/resend_count", "1" },
        { "spans.1.data.server/address", "::1" },
        { "spans.1.data.http/response/size", "1000" },
        { "spans.2.description", "GET http://unix:/run/app.sock/a" },
        { "spans.2.status", "ok" },
        { "spans.2.data.http/response/status_code", "200" },
        { "spans.2.data.server/address", "/run/app.sock" },
        { "spans.2.data.server/port", "" },
        { "spans.2.span_id", "2234567890abcdef" },
        { "spans.2.parent_span_id", "1234567890abcdef" },
        { "spans.2.trace_id", UTIL_TRACE_HEX },
        { "spans.2.origin", "auto.http.nginx.upstream" },
        { "spans.2.start_timestamp", "2026-09-21T14:13:20.123000Z" },
    };

    begin_ms(30);
    add(SNX_F_UPSTREAM_URL, "http://unix:/run/app.sock/a?b=c");
    snx_rec_str(&writer, SNX_F_UPSTREAM_SPAN_ID, snx_cstr(UTIL_PARENT));
    add_try(0, -5, 502, -1, -1, 0, "10.0.0.1:80");
    add_try(0, 0, 502, 0, 0, 0, "[::1]:8081");
    add_try(0, 0, 200, 0, 0, 0, "unix:/run/app.sock");
    tree = transaction();

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_at(tree, tests[i][0], tests[i][1]);
    }

    is_spans(tree, "http.client GET http://10.0.0.1:80/a, "
                   "http.client GET http://[::1]:8081/a, "
                   "http.client GET http://unix:/run/app.sock/a, "
                   "http send response", "and what it took to send");
    cJSON_Delete(tree);
}


static void
test_ids(void)
{
    cJSON  *tree;
    char    first[32], second[32];

    begin_ms(100);
    snx_rec_str(&writer, SNX_F_UPSTREAM_SPAN_ID, snx_cstr(UTIL_PARENT));
    add_subrequest(0, 1, 20, 204, "abcdefgh", "ijklmnop", "/auth");
    add_subrequest(1, 2, 0, 0, "ABCDEFGH", "\0\0\0\0\0\0\0\0", "/inner");
    add_try(1, 3, 204, 0, 0, 0, "10.0.0.9:80");
    add_try(2, 4, 200, 0, 0, 0, "10.0.0.9:80");
    add_try(0, 96, 200, 0, 0, 0, "10.0.0.1:80");
    add_try(0, 97, 504, 0, -1, 0, "10.0.0.2:80");
    tree = transaction();

    is_at(tree, "spans.0.span_id", "6162636465666768");
    is_at(tree, "spans.0.op", "handler");
    is_at(tree, "spans.0.description", "/auth");
    is_at(tree, "spans.0.data.http/response/status_code", "204");
    is_at(tree, "spans.1.parent_span_id", "6162636465666768");
    is_at(tree, "spans.1.timestamp", "2026-09-21T14:13:20.143000Z");
    is_at(tree, "spans.2.span_id", "696a6b6c6d6e6f70");
    is_at(tree, "spans.2.parent_span_id", "6162636465666768");
    is_at(tree, "spans.2.description", "10.0.0.9:80");
    is_at(tree, "spans.3.parent_span_id", "4142434445464748");
    is_at(tree, "spans.4.span_id", "2234567890abcdef");
    is_at(tree, "spans.5.status", "deadline_exceeded");
    ok(is_nested(tree), "nested");

    (void) snprintf(first, sizeof(first), "%s",
                    util_text_at(tree, "spans.5.span_id"));
    cJSON_Delete(tree);

    tree = transaction();
    (void) snprintf(second, sizeof(second), "%s",
                    util_text_at(tree, "spans.5.span_id"));
    ok(strlen(first) == 16 && strcmp(first, second) == 0,
       "an id that did not go upstream is made again");
    cJSON_Delete(tree);
}


static void
test_around(void)
{
    cJSON  *tree;

    begin_ms(100);
    add(SNX_F_TRANSACTION, "POST /a");
    add(SNX_F_CACHE_STATUS, "MISS");
    snx_rec_num(&writer, SNX_F_BODY_SIZE, 5);
    add_mark(SNX_AT_ACCEPT, -30);
    add_mark(SNX_AT_PHASES, 1);
    add_mark(SNX_AT_LIMITED, 21);
    add_mark(SNX_AT_CONTENT, 22);
    add_try(0, 40, 200, 2, 30, 35, "10.0.0.1:80");
    tree = transaction();

    is_at(tree, "start_timestamp", "2026-09-21T14:13:20.093000Z");
    is_at(tree, "spans.0.timestamp", "2026-09-21T14:13:20.123000Z");
    is_at(tree, "spans.7.data.cache/hit", "false");
    is_spans(tree, "http TLS handshake, middleware limit_req delay, "
                   "http.client GET 10.0.0.1:80, http connect, "
                   "http wait for response, http read response, "
                   "http read request body, cache.get POST /a, "
                   "http send response", "all there can be");
    cJSON_Delete(tree);

    begin_ms(100);
    add(SNX_F_CACHE_STATUS, "HIT");
    add_mark(SNX_AT_PHASES, 1);
    add_mark(SNX_AT_LIMITED, 1);
    add_mark(SNX_AT_CONTENT, 1);
    tree = transaction();

    is_at(tree, "spans.0.data.cache/hit", "true");
    ok(util_at(tree, "measurements") == NULL, "no time of no upstream");
    is_spans(tree, "cache.get , http send response", "from the cache");
    cJSON_Delete(tree);

    begin_ms(4);
    add(SNX_F_CACHE_STATUS, "BYPASS");
    add_mark(SNX_AT_CONTENT, 0);
    tree = transaction();
    is_spans(tree, "", "nothing worth telling");
    cJSON_Delete(tree);
}


static void
test_upgrade(void)
{
    cJSON  *tree;

    begin_ms(60000);
    snx_rec_num(&writer, SNX_F_STATUS, 101);
    add_try(0, 1, 101, 1, 5, 59000, "10.0.0.1:80");
    add_mark(SNX_AT_UPGRADE, 6);
    tree = transaction();

    is_at(tree, "timestamp", "2026-09-21T14:13:20.129000Z");
    is_at(tree, "contexts.trace.status", "ok");
    is_at(tree, "measurements.upstream_time.value", "5");
    is_spans(tree, "http.client GET 10.0.0.1:80, http connect, "
                   "http wait for response, http read response",
             "an upgraded connection ends with its request");
    cJSON_Delete(tree);
}


/* Of what a try is made, as far as it came. */

static void
test_parts(void)
{
    size_t  i;
    cJSON  *tree;

    static const struct {
        int          connect, header, response;
        const char  *expected;
    } tests[] = {
        { 1, 2, 3, "connect, wait for response, read response" },
        { 0, 2, 2, "wait for response" },
        { 0, 0, 3, "read response" },
        { 0, 0, 0, "" },
        { -1, -1, 5, "connect" },
        { 2, -1, 5, "connect, wait for response" },
        { 2, -1, -1, "connect" },
        { -1, -1, -1, "" },
        { INT32_MAX, INT32_MAX, INT32_MAX, "connect" },
        { 9, 5, 1, "connect" },
        { INT32_MIN, INT32_MIN, INT32_MIN, "" },
    };

    char        text[512];
    uint32_t    n;
    snx_text_t  t;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        begin_ms(4);
        add_try(0, 1, 200, tests[i].connect, tests[i].header,
                tests[i].response, "a:1");
        tree = transaction();

        snx_text_init(&t, text, sizeof(text));

        for (n = 1; n < encode.spans.n; n++) {
            snx_text_addz(&t, t.len ? ", " : "");
            snx_text_addz(&t, cJSON_GetStringValue(cJSON_GetObjectItem(
                cJSON_GetArrayItem(util_at(tree, "spans"), (int) n),
                "description")));
        }

        is_str(snx_str(text, t.len), tests[i].expected, tests[i].expected);
        ok(is_nested(tree), "nested");
        cJSON_Delete(tree);
    }
}


static int
rnd(int n)
{
    static uint32_t  lcg = 815;

    lcg = lcg * 1664525 + 1013904223;

    return (int) ((lcg >> 8) % (unsigned) n);
}


/* Times of any kind: they stay in each other. */

static void
test_nested(void)
{
    int     i, n, wrong;
    cJSON  *tree;

    wrong = 0;

    for (i = 0; i < 3000; i++) {
        begin_ms(rnd(300) - 20);

        for (n = rnd(6); n > 0; n--) {
            add_mark((snx_moment_t) rnd(6), rnd(400) - 100);
        }

        for (n = 0; n < rnd(4); n++) {
            add_subrequest(rnd(5), rnd(400) - 100, rnd(400) - 100, 200,
                           n == 0 ? "aaaaaaaa" : n == 1 ? "bbbbbbbb"
                           : "cccccccc", "\0\0\0\0\0\0\0\0", "/s");
        }

        for (n = rnd(5); n > 0; n--) {
            add_try(rnd(4), rnd(400) - 100, 200, rnd(200) - 50,
                    rnd(200) - 50, rnd(200) - 50, "a:1");
        }

        tree = transaction();
        wrong += tree == NULL || !is_nested(tree);
        cJSON_Delete(tree);
    }

    is_int(wrong, 0, "spans stay in each other");
}
