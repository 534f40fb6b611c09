
/*
 * Copyright (C) ngx_sentry authors
 *
 * From a record to the JSON of an event: every field in its place, absence,
 * names that meet.
 */


#include "encode_util.h"


static void test_least(void);
static void test_rich(void);
static void test_absent(void);
static void test_headers(void);
static void test_trace(void);
static void test_status(void);
static void test_names(void);
static void test_custom(void);
static void test_message(void);


int
main(void)
{
    snx_encode_init(&encode, "Linux", "6.1.0");

    test_least();
    test_rich();
    test_absent();
    test_headers();
    test_trace();
    test_status();
    test_names();
    test_custom();
    test_message();

    return tap_done();
}


static void
test_least(void)
{
    cJSON  *tree;

    static const char  expected[] =
        "{\"event_id\":\"" UTIL_ID_HEX "\","
        "\"timestamp\":\"2026-09-21T14:13:20.123456Z\","
        "\"platform\":\"other\",\"level\":\"error\",\"logger\":\"nginx\","
        "\"contexts\":{\"trace\":{\"trace_id\":\"" UTIL_ID_HEX "\","
        "\"span_id\":\"fc6d8c0c43fc4630\",\"origin\":\"auto.http.nginx\"},"
        "\"runtime\":{\"name\":\"nginx\"},"
        "\"os\":{\"name\":\"Linux\",\"version\":\"6.1.0\"},\"nginx\":{}},"
        "\"sdk\":{\"name\":\"" SNX_SDK_NAME "\","
        "\"version\":\"" SNX_VERSION "\"}}";

    begin();
    tree = event();

    ok(tree != NULL, "the least record makes an event");
    is_str(snx_cstr(out), expected, "with nothing that is not known");

    cJSON_Delete(tree);
}


static void
test_rich(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *tests[][2] = {
        { "event_id", UTIL_ID_HEX },
        { "timestamp", "2026-09-21T14:13:20.123456Z" },
        { "platform", "other" },
        { "level", "warning" },
        { "logger", "nginx" },
        { "server_name", "web-1" },
        { "release", "shop@1.2.3" },
        { "environment", "production" },
        { "transaction", "GET /api/" },
        { "transaction_info.source", "route" },
        { "fingerprint.0", "upstream-timeout" },
        { "fingerprint.1", "GET /api/" },
        { "tags.status", "504" },
        { "tags.upstream", "10.0.0.1:8080" },
        { "user.id", "42" },
        { "user.ip_address", "2001:db8::7" },
        { "sdk.name", SNX_SDK_NAME },
        { "sdk.version", SNX_VERSION },
        { "exception.values.1.type", "UpstreamTimeout" },
        { "exception.values.1.value", "upstream timed out (110: Connection "
          "timed out) while reading response header from upstream" },
        { "exception.values.0.type", "UpstreamRefused" },
        { "exception.values.0.value", "connect() failed" },
        { "exception.values.0.mechanism.type", "chained" },
        { "exception.values.0.mechanism.exception_id", "1" },
        { "exception.values.0.mechanism.parent_id", "0" },
        { "exception.values.0.mechanism.meta.errno.number", "111" },
        { "exception.values.1.mechanism.exception_id", "0" },
        { "exception.values.1.mechanism.type", "auto.http.nginx" },
        { "exception.values.1.mechanism.handled", "false" },
        { "exception.values.1.mechanism.meta.errno.number", "110" },
        { "exception.values.1.stacktrace.frames.0.filename", "nginx.conf" },
        { "exception.values.1.stacktrace.frames.0.abs_path",
          "/etc/nginx/nginx.conf" },
        { "exception.values.1.stacktrace.frames.0.function", "server shop" },
        { "exception.values.1.stacktrace.frames.0.lineno", "12" },
        { "exception.values.1.stacktrace.frames.0.pre_context.0", "http {" },
        { "exception.values.1.stacktrace.frames.0.pre_context.1", "" },
        { "exception.values.1.stacktrace.frames.0.context_line",
          "    server {" },
        { "exception.values.1.stacktrace.frames.0.post_context.0",
          "        listen 80;" },
        { "exception.values.1.stacktrace.frames.1.context_line",
          "        proxy_pass http://backend;" },
        { "exception.values.1.stacktrace.frames.1.in_app", "true" },
        { "breadcrumbs.values.0.category", "nginx.request" },
        { "breadcrumbs.values.0.data.method", "POST" },
        { "breadcrumbs.values.1.category", "nginx.location" },
        { "breadcrumbs.values.1.message", "location /api/" },
        { "breadcrumbs.values.2.category", "nginx.cache" },
        { "breadcrumbs.values.2.data.status", "MISS" },
        { "breadcrumbs.values.3.type", "http" },
        { "breadcrumbs.values.3.category", "nginx.upstream" },
        { "breadcrumbs.values.3.message",
          "upstream 10.0.0.1:8080 did not answer" },
        { "breadcrumbs.values.3.data.status_code", "502" },
        { "breadcrumbs.values.4.category", "nginx.limit" },
        { "breadcrumbs.values.5.timestamp", "2026-09-21T14:13:19.123456Z" },
        { "breadcrumbs.values.5.category", "nginx.error_log" },
        { "breadcrumbs.values.5.level", "error" },
        { "breadcrumbs.values.5.message",
          "connect() failed (111: Connection refused)" },
        { "breadcrumbs.values.6.message",
          "upstream 10.0.0.2:8080 did not answer" },
        { "breadcrumbs.values.7.category", "nginx.response" },
        { "breadcrumbs.values.7.data.status_code", "504" },
        { "request.method", "POST" },
        { "request.url", "https://shop.example.com/api/orders/1234" },
        { "request.query_string", "page=2&token=[Filtered]" },
        { "request.data", "{\"a\":1}" },
        { "request.body_size", "7" },
        { "request.headers.Host", "shop.example.com" },
        { "request.headers.Authorization", "[Filtered]" },
        { "request.headers.Via", "1.1 a, 1.1 b" },
        { "request.headers.Cookie", "theme=dark; sid=[Filtered]" },
        { "request.env.SERVER_NAME", "shop.example.com" },
        { "request.env.SERVER_ADDR", "10.0.0.5" },
        { "request.env.SERVER_PORT", "443" },
        { "request.env.SERVER_PROTOCOL", "HTTP/1.1" },
        { "request.env.REMOTE_ADDR", "192.0.2.7" },
        { "request.env.REMOTE_PORT", "51234" },
        { "contexts.trace.trace_id", UTIL_TRACE_HEX },
        { "contexts.trace.span_id", "1234567890abcdef" },
        { "contexts.trace.parent_span_id", "2234567890abcdef" },
        { "contexts.trace.op", "http.server" },
        { "contexts.trace.status", "deadline_exceeded" },
        { "contexts.trace.origin", "auto.http.nginx" },
        { "contexts.response.status_code", "504" },
        { "contexts.response.body_size", "167" },
        { "contexts.runtime.name", "nginx" },
        { "contexts.runtime.version", "1.22.1" },
        { "contexts.os.name", "Linux" },
        { "contexts.os.version", "6.1.0" },
        { "contexts.nginx.location", "/api/" },
        { "contexts.nginx.server", "shop.example.com" },
        { "contexts.nginx.worker_pid", "1234" },
        { "contexts.nginx.connection", "98765" },
        { "contexts.nginx.connection_requests", "3" },
        { "contexts.nginx.request_time", "60.012" },
        { "contexts.nginx.request_length", "512" },
        { "contexts.nginx.bytes_sent", "494" },
        { "contexts.nginx.tls_protocol", "TLSv1.3" },
        { "contexts.nginx.tls_cipher", "TLS_AES_256_GCM_SHA384" },
        { "contexts.nginx.cache_status", "MISS" },
        { "contexts.nginx.upstream_url", "http://backend/api/orders/1234" },
        { "contexts.nginx.held_back", "17" },
        { "contexts.nginx.upstream.0.address", "10.0.0.1:8080" },
        { "contexts.nginx.upstream.0.status", "502" },
        { "contexts.nginx.upstream.0.connect_time", "0.001" },
        { "contexts.nginx.upstream.0.header_time", "" },
        { "contexts.nginx.upstream.0.response_time", "0.005" },
        { "contexts.nginx.upstream.0.bytes_sent", "600" },
        { "contexts.nginx.upstream.0.bytes_received", "0" },
        { "contexts.nginx.upstream.1.status", "" },
        { "contexts.nginx.upstream.1.response_time", "60" },
        { "contexts.billing.plan", "gold" },
        { "logentry", "" },
    };

    tree = event_of(util_rich(record, sizeof(record), UTIL_DSN));

    ok(tree != NULL, "a record with every field makes an event");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_at(tree, tests[i][0], tests[i][1]);
    }

    is_int(cJSON_GetArraySize(util_at(tree, "request.headers")), 7,
           "each header once");
    ok(strstr(out, "0123456789abcdef0123") == NULL, "the key is not in it");

    cJSON_Delete(tree);
}


static void
test_absent(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *keys[] = {
        "server_name", "release", "environment", "transaction",
        "transaction_info", "exception", "logentry", "breadcrumbs",
        "fingerprint", "tags", "user", "request", "contexts.response",
        "contexts.trace.op", "contexts.trace.status"
    };

    begin();
    snx_rec_num(&writer, SNX_F_LEVEL, 77);
    tree = event();

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        ok(util_at(tree, keys[i]) == NULL, "absent: %s", keys[i]);
    }

    ok(strstr(out, "null") == NULL, "null is never written");
    is_at(tree, "level", "error");

    cJSON_Delete(tree);
}


static void
test_headers(void)
{
    cJSON  *tree;

    begin();
    add_pair(SNX_F_HEADER, "X-A", "1");
    add_pair(SNX_F_HEADER, "X-B", "2");
    add_pair(SNX_F_HEADER, "x-a", "3");
    add_pair(SNX_F_HEADER, "X-a", "4");
    add_pair(SNX_F_HEADER, "X-AA", "5");
    tree = event();

    is_at(tree, "request.headers.X-A", "1, 3, 4");
    is_at(tree, "request.headers.X-B", "2");
    is_at(tree, "request.headers.X-AA", "5");
    is_int(cJSON_GetArraySize(util_at(tree, "request.headers")), 3,
           "and no other");
    cJSON_Delete(tree);

    begin();
    add(SNX_F_METHOD, "GET");
    add_pair(SNX_F_COOKIE, "a", "1");
    add_pair(SNX_F_COOKIE, "a", "2");
    tree = event();

    is_at(tree, "request.headers.Cookie", "a=1; a=2");
    cJSON_Delete(tree);
}


static void
test_trace(void)
{
    cJSON  *tree;

    begin();
    snx_rec_str(&writer, SNX_F_TRACE_ID,
                snx_str("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
    snx_rec_str(&writer, SNX_F_SPAN_ID, snx_str("\0\0\0\0\0\0\0\0", 8));
    add(SNX_F_PARENT_SPAN_ID, "short");
    tree = event();

    is_at(tree, "contexts.trace.trace_id", UTIL_ID_HEX);
    is_at(tree, "contexts.trace.span_id", "fc6d8c0c43fc4630");
    ok(util_at(tree, "contexts.trace.parent_span_id") == NULL,
       "no parent of a wrong length");
    cJSON_Delete(tree);
}


static void
test_status(void)
{
    size_t  i;

    static const struct {
        int          code;
        const char  *status;
    } tests[] = {
        { 0, "ok" }, { 200, "ok" }, { 304, "ok" }, { 399, "ok" },
        { 400, "invalid_argument" }, { 401, "unauthenticated" },
        { 403, "permission_denied" }, { 404, "not_found" },
        { 409, "already_exists" }, { 413, "failed_precondition" },
        { 414, "invalid_argument" }, { 429, "resource_exhausted" },
        { 494, "invalid_argument" }, { 499, "cancelled" },
        { 500, "internal_error" }, { 501, "unimplemented" },
        { 502, "internal_error" }, { 503, "unavailable" },
        { 504, "deadline_exceeded" }, { 599, "internal_error" }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_str(snx_cstr(snx_encode_span_status(tests[i].code)),
               tests[i].status, tests[i].status);
    }
}


static void
test_names(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *sources[][2] = {
        { "custom", "custom" }, { "url", "url" }, { "route", "route" },
        { "view", "view" }, { "bogus", "custom" }, { "", "custom" }
    };

    for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        begin();
        add(SNX_F_TRANSACTION, "n");
        add(SNX_F_TRANSACTION_SOURCE, sources[i][0]);
        tree = event();
        is_at(tree, "transaction_info.source", sources[i][1]);
        cJSON_Delete(tree);
    }

    begin();
    add_pair(SNX_F_TAG, "a", "1");
    add_pair(SNX_F_TAG, "b", "2");
    add_pair(SNX_F_TAG, "a", "3");
    add_pair(SNX_F_USER, "id", "1");
    add_pair(SNX_F_USER, "id", "2");
    add_pair(SNX_F_USER, "ip_address", "unix:");
    add_pair(SNX_F_USER, "shoe_size", "47");
    tree = event();

    is_at(tree, "tags.a", "1");
    is_at(tree, "tags.b", "2");
    is_int(cJSON_GetArraySize(util_at(tree, "tags")), 2, "a tag only once");
    is_at(tree, "user.id", "1");
    is_int(cJSON_GetArraySize(util_at(tree, "user")), 1,
           "no address that is none, no unknown key");
    cJSON_Delete(tree);
}


static void
test_custom(void)
{
    cJSON  *tree;

    begin();
    snx_rec_num(&writer, SNX_F_STATUS, 502);
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("a\0x", 3), snx_cstr("1"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("b\0x", 3), snx_cstr("2"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("a\0y", 3), snx_cstr("3"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("a\0x", 3), snx_cstr("4"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("trace\0status", 12),
                 snx_cstr("mine"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("no name", 7), snx_cstr("5"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("\0x", 2), snx_cstr("6"));
    snx_rec_pair(&writer, SNX_F_CONTEXT, snx_str("x\0", 2), snx_cstr("7"));
    tree = event();

    is_at(tree, "contexts.a.x", "1");
    is_at(tree, "contexts.b.x", "2");
    is_at(tree, "contexts.a.y", "3");
    is_at(tree, "contexts.trace.status", "internal_error");
    is_int(cJSON_GetArraySize(util_at(tree, "contexts")), 7,
           "no context without a name");
    cJSON_Delete(tree);
}


static void
test_message(void)
{
    cJSON  *tree;

    begin();
    add(SNX_F_MESSAGE, "worker process 7 exited on signal 11");
    tree = event();
    is_at(tree, "logentry.message", "worker process 7 exited on signal 11");
    cJSON_Delete(tree);

    begin();
    add(SNX_F_MESSAGE, "hidden");
    add(SNX_F_EXC_VALUE, "value alone");
    snx_rec_num(&writer, SNX_F_EXC_ERRNO, 1ll << 40);
    tree = event();
    ok(util_at(tree, "logentry") == NULL, "no message beside an exception");
    is_at(tree, "exception.values.0.type", "Error");
    is_at(tree, "exception.values.0.value", "value alone");
    ok(util_at(tree, "exception.values.0.mechanism.meta") == NULL,
       "no errno that is none");
    cJSON_Delete(tree);
}
