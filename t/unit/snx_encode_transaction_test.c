
/*
 * Copyright (C) ngx_sentry authors
 *
 * From a record to a transaction: its fields, whatever the record says.
 * With "dump" it writes the envelope of a rich one, for readers of others to
 * judge.
 */


#include "snx_sample.h"
#include "trace_util.h"


static void test_least(void);
static void test_rich(void);
static void test_descriptions(void);
static void test_bounds(void);
static void test_damaged(void);
static void test_room(void);
static int dump(void);


int
main(int argc, char **argv)
{
    snx_encode_init(&encode, "Linux", "6.1.0");

    if (argc == 2 && strcmp(argv[1], "dump") == 0) {
        return dump();
    }

    test_least();
    test_rich();
    test_descriptions();
    test_bounds();
    test_damaged();
    test_room();

    return tap_done();
}


static void
test_least(void)
{
    cJSON     *tree;
    size_t     len;
    snx_rc_t   rc;

    static const char  expected[] =
        "{\"type\":\"transaction\",\"event_id\":\"" UTIL_ID_HEX "\","
        "\"platform\":\"other\","
        "\"start_timestamp\":\"2026-09-21T14:13:20.123456Z\","
        "\"timestamp\":\"2026-09-21T14:13:20.123456Z\","
        "\"contexts\":{\"trace\":{\"trace_id\":\"" UTIL_ID_HEX "\","
        "\"span_id\":\"fc6d8c0c43fc4630\",\"op\":\"http.server\","
        "\"origin\":\"auto.http.nginx\","
        "\"data\":{}},\"runtime\":{\"name\":\"nginx\"},"
        "\"os\":{\"name\":\"Linux\",\"version\":\"6.1.0\"},\"nginx\":{}},"
        "\"sdk\":{\"name\":\"" SNX_SDK_NAME "\","
        "\"version\":\"" SNX_VERSION "\"},\"spans\":[]}";

    begin();
    tree = transaction();
    is_str(snx_cstr(out), expected, "with nothing that is not known");
    cJSON_Delete(tree);

    snx_rec_begin(&writer, record, sizeof(record));
    (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&writer)));
    rc = snx_encode_transaction(&encode, &fields, 0, out, sizeof(out), &len);
    is_int(rc, SNX_INVALID, "none without an id");
}


static void
test_rich(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *tests[][2] = {
        { "type", "transaction" },
        { "start_timestamp", "2026-09-21T14:12:20.111456Z" },
        { "timestamp", "2026-09-21T14:13:20.123456Z" },
        { "transaction", "GET /api/" },
        { "transaction_info.source", "route" },
        { "release", "shop@1.2.3" },
        { "tags.status", "504" },
        { "user.id", "42" },
        { "request.method", "POST" },
        { "contexts.trace.trace_id", UTIL_TRACE_HEX },
        { "contexts.trace.span_id", "1234567890abcdef" },
        { "contexts.trace.parent_span_id", "2234567890abcdef" },
        { "contexts.trace.op", "http.server" },
        { "contexts.trace.status", "deadline_exceeded" },
        { "contexts.trace.data.http/request/method", "POST" },
        { "contexts.trace.data.http/response/status_code", "504" },
        { "contexts.trace.data.http/route", "GET /api/" },
        { "contexts.trace.data.http/request/body/size", "7" },
        { "contexts.trace.data.http/response/body/size", "167" },
        { "contexts.trace.data.url/query", "page=2&token=[Filtered]" },
        { "contexts.trace.data.url/scheme", "https" },
        { "contexts.trace.data.url/path", "/api/orders/1234" },
        { "contexts.trace.data.server/address", "shop.example.com" },
        { "contexts.trace.data.server/port", "443" },
        { "contexts.trace.data.client/address", "192.0.2.7" },
        { "contexts.trace.data.network/protocol/name", "http" },
        { "contexts.trace.data.network/protocol/version", "1.1" },
        { "contexts.response.status_code", "504" },
        { "contexts.nginx.location", "/api/" },
        { "contexts.billing.plan", "gold" },
        { "measurements.upstream_time.unit", "millisecond" },
        { "measurements.upstream_time.value", "2005" },
        { "spans.0.status", "internal_error" },
        { "level", "" },
        { "exception", "" },
        { "breadcrumbs", "" },
    };

    tree = transaction_of(util_rich(record, sizeof(record), UTIL_DSN));

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_at(tree, tests[i][0], tests[i][1]);
    }

    ok(util_at(tree, "contexts.trace.data.url/full") != NULL, "url.full");
    ok(util_at(tree, "contexts.trace.data.user_agent/original") != NULL,
       "user_agent.original");
    ok(is_nested(tree), "nested");
    ok(strstr(out, "0123456789abcdef0123") == NULL, "the key is not in it");

    cJSON_Delete(tree);
}


static void
test_descriptions(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *tests[][3] = {
        { "http://10.0.0.1:80/a?b", "10.0.0.1:80", "GET http://10.0.0.1:80/a" },
        { "http://other:80/a", "10.0.0.1:80", "GET http://10.0.0.1:80" },
        { "fastcgi://unix:/x", "unix:/x", "GET fastcgi://unix:/x" },
        { "no url", "10.0.0.1:80", "GET 10.0.0.1:80" },
        { "", "10.0.0.1:80", "GET 10.0.0.1:80" },
        { "://10.0.0.1:80/", "10.0.0.1:80", "GET ://10.0.0.1:80/" },
    };

    static const struct {
        const char  *text;
        const char  *host;
        int64_t      port;
    } hosts[] = {
        { "a:80", "a", 80 }, { "a", "a", 0 }, { "[::1]:443", "::1", 443 },
        { "[::1]", "::1", 0 }, { "::1", ":", 1 }, { ":80", "", 80 },
        { "80", "80", 0 }, { "a:", "a:", 0 }, { "a:65535", "a", 65535 },
        { "a:65536", "a:65536", 0 }, { "a:123456", "a:123456", 0 },
        { "a:8x", "a:8x", 0 }, { "[", "[", 0 }, { "[]", "", 0 }, { "", "", 0 },
    };

    snx_str_t  host;
    int64_t    port;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        begin_ms(5);
        add(SNX_F_UPSTREAM_URL, tests[i][0]);
        add_try(0, 1, 200, 0, 0, 0, tests[i][1]);
        tree = transaction();
        is_at(tree, "spans.0.description", tests[i][2]);
        cJSON_Delete(tree);
    }

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snx_encode_host_port(snx_cstr(hosts[i].text), &host, &port);
        is_str(host, hosts[i].host, hosts[i].text);
        is_int(port, hosts[i].port, hosts[i].text);
    }
}


static void
test_bounds(void)
{
    int     i;
    char    path[1600];
    cJSON  *tree;

    begin_ms(1000);

    for (i = 0; i < 40; i++) {
        add_subrequest(i, 1, 900, 200, "\0\0\0\0\0\0\0\0",
                       "\0\0\0\0\0\0\0\0", "/s");
    }

    for (i = 0; i < 100; i++) {
        add_try(i % 41, 2, 200, 10, 20, 30, "10.0.0.1:80");
    }

    tree = transaction();
    is_int(cJSON_GetArraySize(util_at(tree, "spans")), SNX_SPANS_MAX_N,
           "as many spans as there may be");
    ok(is_nested(tree), "nested");
    cJSON_Delete(tree);

    memset(path, 1, sizeof(path));
    path[sizeof(path) - 1] = '\0';

    begin_ms(1000);

    for (i = 0; i < 14; i++) {
        add_try(0, 2, 200, 10, 20, 30, path);
    }

    tree = transaction();
    ok(tree != NULL, "the largest texts there may be");
    is_at(tree, "sdk.version", SNX_VERSION);
    cJSON_Delete(tree);
}


/* With bytes changed: a transaction or a refusal. */

static void
test_damaged(void)
{
    size_t  len;

    begin_ms(100);
    add_mark(SNX_AT_CONTENT, 1);
    add_subrequest(0, 1, 90, 200, "abcdefgh", "ijklmnop", "/s");
    add_try(1, 2, 200, 1, 2, 30, "a:1");
    add_try(0, 2, 200, 1, 2, 30, "a:1");
    len = snx_rec_end(&writer);

    is_int(damaged(len, 20000, transaction_of), 0, "with bytes changed");
}


static void
test_room(void)
{
    size_t    cap, len, wrong, whole;
    snx_rc_t  rc;

    begin_ms(100);
    add_try(0, 2, 200, 1, 2, 30, "a:1");
    len = snx_rec_end(&writer);
    (void) snx_fields_read(&fields, snx_str(record, len));
    (void) snx_encode_transaction(&encode, &fields, 0, out, sizeof(out),
                                  &whole);

    wrong = 0;

    for (cap = 0; cap < 12000; cap++) {
        memset(out + cap, '#', 64);
        rc = snx_encode_transaction(&encode, &fields, 0, out, cap, &len);
        wrong += strspn(out + cap, "#") < 64
                 || (rc == SNX_OK ? len > cap : rc != SNX_TOO_BIG);
    }

    is_int(wrong, 0, "nothing is written behind the room there is");
    is_int(rc, SNX_OK, "enough");
    is_int(len, whole, "for all of it");
}


static void
make_rich(void)
{
    begin_ms(120);
    add(SNX_F_ENVIRONMENT, "production");
    add(SNX_F_RELEASE, "shop@1.2.3");
    add(SNX_F_NGINX_VERSION, "1.22.1");
    add(SNX_F_BAGGAGE, UTIL_BAGGAGE);
    add(SNX_F_TRANSACTION, "GET /api/");
    add(SNX_F_TRANSACTION_SOURCE, "route");
    add(SNX_F_URL, "https://shop.example.com/api/orders/1234");
    add(SNX_F_QUERY, "page=2");
    add(SNX_F_PROTOCOL, "HTTP/2.0");
    snx_rec_num(&writer, SNX_F_CLIENT_SAMPLE_RATE, snx_sample_scaled(0.25));
    add(SNX_F_CACHE_STATUS, "MISS");
    add(SNX_F_UPSTREAM_URL, "http://10.0.0.1:8080/api/orders/1234");
    add_pair(SNX_F_TAG, "shop", "1");
    add_pair(SNX_F_HEADER, "User-Agent", "curl/7.88.1");
    snx_rec_num(&writer, SNX_F_STATUS, 200);
    snx_rec_num(&writer, SNX_F_BODY_SIZE, 5);
    snx_rec_str(&writer, SNX_F_UPSTREAM_SPAN_ID, snx_cstr(UTIL_PARENT));
    add_mark(SNX_AT_ACCEPT, -30);
    add_mark(SNX_AT_PHASES, 1);
    add_mark(SNX_AT_LIMITED, 11);
    add_mark(SNX_AT_CONTENT, 22);
    add_subrequest(0, 12, 18, 204, "abcdefgh", "ijklmnop", "/auth");
    add_try(1, 13, 204, 1, 4, 4, "unix:/run/auth.sock");
    add_try(0, 30, 502, -1, -1, 1, "10.0.0.1:8080");
    add_try(0, 31, 502, 1, 10, 10, "[::1]:8081");
    add_try(0, 41, 200, 1, 30, 34, "10.0.0.1:8080");
}


static int
dump(void)
{
    size_t                len;
    snx_dsn_t             dsn;
    const char           *why;
    snx_envelope_t        envelope;
    snx_envelope_meta_t   meta;

    static char  buf[SNX_ENCODE_MAX + SNX_ENVELOPE_HEADER_MAX];

    (void) snx_dsn_parse(&dsn, snx_cstr(UTIL_DSN), &why);
    meta.now_us = UTIL_TIME_US;
    meta.dsn = &dsn;

    make_rich();
    (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&writer)));

    if (snx_encode_transaction(&encode, &fields, 0, out, SNX_ENCODE_MAX, &len)
        != SNX_OK
        || snx_envelope_begin(&envelope, buf, sizeof(buf), &fields, &meta)
           != SNX_OK
        || snx_envelope_item(&envelope, "transaction", out, len) != SNX_OK)
    {
        return 1;
    }

    return fwrite(envelope.data, 1, envelope.len, stdout) != envelope.len;
}
