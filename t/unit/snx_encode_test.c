
/*
 * Copyright (C) ngx_sentry authors
 *
 * From a record to the JSON of an event: every field in its place, absence,
 * limits, hostile bytes, damaged records, no memory.
 */

/* LDFLAGS: -Wl,--wrap=cJSON_CreateObject -Wl,--wrap=cJSON_CreateArray */
/* LDFLAGS: -Wl,--wrap=cJSON_CreateStringReference */
/* LDFLAGS: -Wl,--wrap=cJSON_CreateBool */

#include "event_util.h"


static void test_least(void);
static void test_rich(void);
static void test_absent(void);
static void test_hostile(void);
static void test_limits(void);
static void test_url(void);
static void test_headers(void);
static void test_trace(void);
static void test_status(void);
static void test_names(void);
static void test_custom(void);
static void test_message(void);
static void test_odd(void);
static void test_largest(void);
static void test_damaged(void);
static void test_memory(void);


static snx_fields_t      fields;
static snx_encode_t      encode;
static snx_rec_writer_t  writer;
static unsigned char     record[SNX_RECORD_MAX];
static char              out[SNX_ENCODE_MAX + 1];


int
main(void)
{
    snx_encode_init(&encode, "Linux", "6.1.0");

    test_least();
    test_rich();
    test_absent();
    test_hostile();
    test_limits();
    test_url();
    test_headers();
    test_trace();
    test_status();
    test_names();
    test_custom();
    test_message();
    test_odd();
    test_largest();
    test_damaged();
    test_memory();

    return tap_done();
}


/* Every constructor of a node is the one allocation it makes. */

static long  allocations_left = -1;

cJSON *__real_cJSON_CreateObject(void);
cJSON *__real_cJSON_CreateArray(void);
cJSON *__real_cJSON_CreateStringReference(const char *string);
cJSON *__real_cJSON_CreateBool(cJSON_bool boolean);
cJSON *__wrap_cJSON_CreateObject(void);
cJSON *__wrap_cJSON_CreateArray(void);
cJSON *__wrap_cJSON_CreateStringReference(const char *string);
cJSON *__wrap_cJSON_CreateBool(cJSON_bool boolean);


static int
allocation_fails(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}


cJSON *
__wrap_cJSON_CreateObject(void)
{
    return allocation_fails() ? NULL : __real_cJSON_CreateObject();
}


cJSON *
__wrap_cJSON_CreateArray(void)
{
    return allocation_fails() ? NULL : __real_cJSON_CreateArray();
}


cJSON *
__wrap_cJSON_CreateStringReference(const char *string)
{
    return allocation_fails() ? NULL
                              : __real_cJSON_CreateStringReference(string);
}


cJSON *
__wrap_cJSON_CreateBool(cJSON_bool boolean)
{
    return allocation_fails() ? NULL : __real_cJSON_CreateBool(boolean);
}


/* A record with an event id and what the test adds. */

static void
begin(void)
{
    snx_rec_begin(&writer, record, sizeof(record));
    snx_rec_str(&writer, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
}


static void
add(snx_field_id_t id, const char *value)
{
    snx_rec_str(&writer, id, snx_cstr(value));
}


static void
add_pair(snx_field_id_t id, const char *key, const char *value)
{
    snx_rec_pair(&writer, id, snx_cstr(key), snx_cstr(value));
}


/* The event of a record as a tree; NULL when it is not good JSON. */

static cJSON *
event_of(size_t len)
{
    size_t     n;
    cJSON     *tree;
    snx_rc_t   rc;

    rc = snx_fields_read(&fields, snx_str(record, len));

    if (rc == SNX_OK) {
        rc = snx_encode_event(&encode, &fields, UTIL_TIME_US, out,
                              SNX_ENCODE_MAX, &n);
    }

    if (rc != SNX_OK) {
        printf("# code %d\n", rc);
        return NULL;
    }

    out[n] = '\0';

    if (strlen(out) != n || !snx_text_valid(snx_str(out, n))) {
        printf("# not valid UTF-8\n");
        return NULL;
    }

    tree = cJSON_Parse(out);

    if (tree == NULL) {
        printf("# not JSON: %.200s\n", cJSON_GetErrorPtr());
    }

    return tree;
}


static cJSON *
event(void)
{
    return event_of(snx_rec_end(&writer));
}


static void
is_at(const cJSON *tree, const char *path, const char *expected)
{
    is_str(snx_cstr(util_text_at(tree, path)), expected, path);
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
        { "exception.values.0.type", "UpstreamTimeout" },
        { "exception.values.0.value", "upstream timed out (110: Connection "
          "timed out) while reading response header from upstream" },
        { "exception.values.0.mechanism.type", "auto.http.nginx" },
        { "exception.values.0.mechanism.handled", "false" },
        { "exception.values.0.mechanism.meta.errno.number", "110" },
        { "exception.values.0.stacktrace.frames.0.filename",
          "/etc/nginx/nginx.conf" },
        { "exception.values.0.stacktrace.frames.0.function", "server shop" },
        { "exception.values.0.stacktrace.frames.0.lineno", "12" },
        { "exception.values.0.stacktrace.frames.1.context_line",
          "        proxy_pass http://backend;" },
        { "exception.values.0.stacktrace.frames.1.in_app", "true" },
        { "breadcrumbs.values.0.timestamp", "2026-09-21T14:13:19.123456Z" },
        { "breadcrumbs.values.0.category", "nginx.error_log" },
        { "breadcrumbs.values.0.level", "error" },
        { "breadcrumbs.values.0.message",
          "connect() failed (111: Connection refused)" },
        { "breadcrumbs.values.1.category", "nginx.upstream" },
        { "breadcrumbs.values.1.level", "info" },
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


/* The same bytes in every text, with what JSON and UTF-8 trip over. */

static void
test_hostile(void)
{
    size_t        i;
    cJSON        *tree;
    snx_frame_t   frame;

    static const snx_str_t  evil = snx_string(
        "a\0b\xff\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80\"\\\n\r\t\x01\x7f/<&>"
        "\xe2\x82");
    static const snx_str_t  ascii = snx_string("GET\0 HTTP/1.1 and so on");
    static const char  repaired[] =
        "a\xef\xbf\xbd" "b\xef\xbf\xbd";

    begin();

    for (i = 0; i < sizeof(util_texts) / sizeof(util_texts[0]); i++) {
        if (util_texts[i].id == SNX_F_METHOD) {
            snx_rec_str(&writer, SNX_F_METHOD, ascii);

        } else if (util_texts[i].id != SNX_F_EVENT_ID) {
            snx_rec_str(&writer, util_texts[i].id, evil);
        }
    }

    for (i = 0; i < sizeof(util_pairs) / sizeof(util_pairs[0]); i++) {
        snx_rec_pair(&writer, util_pairs[i].id, evil, evil);
    }

    memset(&frame, 0xff, sizeof(frame));
    snx_rec_pair(&writer, SNX_F_FRAME, snx_str(&frame, sizeof(frame)), evil);
    snx_rec_pair(&writer, SNX_F_CONTEXT, evil, evil);
    snx_rec_pair(&writer, SNX_F_BREADCRUMB, evil, evil);
    snx_rec_pair(&writer, SNX_F_UPSTREAM, evil, evil);

    tree = event();

    ok(tree != NULL, "hostile bytes make valid JSON in UTF-8");
    ok(strncmp(util_text_at(tree, "exception.values.0.value"), repaired,
               sizeof(repaired) - 1)
       == 0, "what is not UTF-8 is replaced, NUL too");
    is_at(tree, "request.method", "GET\xef\xbf\xbd HTTP/1.1 and so on");
    ok(strstr(util_text_at(tree, "exception.values.0.value"), "\"\\\n\r\t\x01")
       != NULL, "the rest is kept");
    ok(util_at(tree, "request.url") == NULL, "no URL that is none");
    ok(util_at(tree, "user") == NULL, "no user without a known key");
    is_at(tree, "transaction_info.source", "custom");
    is_at(tree, "contexts.trace.trace_id", UTIL_ID_HEX);

    cJSON_Delete(tree);
}


static void
test_limits(void)
{
    char    long_text[16384];
    size_t  i;
    cJSON  *tree;

    static const struct {
        const char  *path;
        size_t       len;
    } tests[] = {
        { "server_name", 200 },
        { "release", 200 },
        { "environment", 64 },
        { "transaction", 200 },
        { "exception.values.0.type", 128 },
        { "exception.values.0.value", 2048 },
        { "request.query_string", 2048 },
        { "tags.t", 200 },
        { "user.id", 128 },
    };

    memset(long_text, 'x', sizeof(long_text));
    long_text[2400] = '\0';

    begin();
    add(SNX_F_SERVER_NAME, long_text);
    add(SNX_F_RELEASE, long_text);
    add(SNX_F_ENVIRONMENT, long_text);
    add(SNX_F_TRANSACTION, long_text);
    add(SNX_F_EXC_TYPE, long_text);
    add(SNX_F_EXC_VALUE, long_text);
    add(SNX_F_METHOD, "GET");
    add(SNX_F_QUERY, long_text);
    add_pair(SNX_F_TAG, "t", long_text);
    add_pair(SNX_F_USER, "id", long_text);
    tree = event();

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_int(strlen(util_text_at(tree, tests[i].path)), tests[i].len,
               tests[i].path);
    }

    cJSON_Delete(tree);

    long_text[2400] = 'x';
    long_text[12000] = '\0';

    begin();
    add(SNX_F_MESSAGE, long_text);
    add(SNX_F_METHOD, "GET");
    add(SNX_F_BODY_DATA, long_text);
    add_pair(SNX_F_TAG, long_text + 11700, "v\nw");
    tree = event();

    is_int(strlen(util_text_at(tree, "logentry.message")), 8192,
           "logentry.message");
    is_int(strlen(util_text_at(tree, "request.data")), 8192, "request.data");
    is_int(strlen(util_at(tree, "tags")->child->string), 200,
           "the name of a tag");
    is_str(snx_cstr(util_at(tree, "tags")->child->valuestring), "v w",
           "a tag has no line breaks");

    cJSON_Delete(tree);
}


static void
test_url(void)
{
    size_t  i;
    cJSON  *tree;

    static const char  *tests[][2] = {
        { "http://a/", "http://a/" },
        { "HTTPS://[::1]:8443/x?y#z", "HTTPS://[::1]:8443/x?y#z" },
        { "http://a", "http://a" },
        { "http://a<b c\x01\xff/p<q", "http://a_b_c____/p<q" },
        { "http://", "" },
        { "http:///path", "" },
        { "http://:80/", "" },
        { "http:", "" },
        { "/relative", "" },
        { "ftp://a/", "" },
        { "*", "" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        begin();
        add(SNX_F_URL, tests[i][0]);
        tree = event();

        /* U+FFFD is three bytes, so one bad byte makes three "_" */

        is_str(snx_cstr(util_text_at(tree, "request.url")), tests[i][1],
               tests[i][1]);
        cJSON_Delete(tree);
    }
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


static void
test_odd(void)
{
    int         i;
    cJSON      *tree;
    size_t      len;
    snx_rc_t    rc;

    snx_rec_begin(&writer, record, sizeof(record));
    add(SNX_F_EXC_TYPE, "T");
    len = snx_rec_end(&writer);
    (void) snx_fields_read(&fields, snx_str(record, len));
    rc = snx_encode_event(&encode, &fields, 0, out, sizeof(out), &len);
    is_int(rc, SNX_INVALID, "no event without an id");

    begin();
    add(SNX_F_EXC_TYPE, "T");
    rc = snx_fields_read(&fields, snx_str(record, snx_rec_end(&writer)));
    rc = snx_encode_event(&encode, &fields, 0, out, 300, &len);
    is_int(rc, SNX_TOO_BIG, "no room");

    begin();
    add_pair(SNX_F_UPSTREAM, "short", "a");
    add_pair(SNX_F_BREADCRUMB, "short", "a");
    add_pair(SNX_F_FRAME, "short", "a");
    add(SNX_F_EXC_TYPE, "T");
    add((snx_field_id_t) 190, "unknown");
    add((snx_field_id_t) 1000, "unknown");
    add(SNX_F_STATUS, "no number");
    snx_rec_num(&writer, SNX_F_TIMESTAMP_US, INT64_MIN);
    snx_rec_num(&writer, SNX_F_REQUEST_TIME_MS, -1);
    snx_rec_num(&writer, SNX_F_CONNECTION, INT64_MAX);
    snx_rec_num(&writer, SNX_F_BYTES_SENT, INT64_MIN);
    tree = event();

    ok(tree != NULL, "odd fields are left out");
    is_int(cJSON_GetArraySize(util_at(tree, "contexts.nginx.upstream")), 0,
           "no upstream of a wrong size");
    ok(util_at(tree, "contexts.response") == NULL, "no status that is none");
    ok(util_at(tree, "timestamp") != NULL, "a time always");
    ok(strstr(out, "\"connection\":9223372036854775807") != NULL,
       "numbers are exact");
    cJSON_Delete(tree);

    begin();

    for (i = 0; i < SNX_FIELDS_MAX_N + 50; i++) {
        add_pair(SNX_F_HEADER, "a", "b");
    }

    tree = event();
    ok(tree != NULL, "more fields than are looked at");
    is_int(fields.skipped, 51, "the rest is skipped");
    cJSON_Delete(tree);
}


/* As many bytes as a record can hold, those that grow most. */

static void
test_largest(void)
{
    int            fill, i;
    char           key[24];
    cJSON         *tree;
    unsigned char  value[SNX_HEADER_VALUE_MAX];

    static const int  fills[] = { 0x01, 0xff, '"', 'a' };

    for (fill = 0; fill < 4; fill++) {
        memset(value, fills[fill], sizeof(value));
        begin();

        for (i = 0; i < SNX_HEADERS_MAX_N && writer.left_out == 0; i++) {
            (void) snprintf(key, sizeof(key), "X-%d", i);
            snx_rec_pair(&writer, SNX_F_HEADER, snx_cstr(key),
                         snx_str(value, sizeof(value)));
        }

        tree = event();
        ok(tree != NULL, "the largest record of 0x%02x", fills[fill]);
        ok(writer.left_out != 0, "it was full");
        ok(util_at(tree, "sdk.version") != NULL, "nothing is missing");
        cJSON_Delete(tree);
    }
}


/* Cut off anywhere, and with bytes changed: an event or a refusal. */

static void
test_damaged(void)
{
    int                   bad, n;
    cJSON                *tree;
    size_t                len, cut, at;
    uint32_t              lcg;

    static unsigned char  whole[SNX_RECORD_MAX];

    len = util_rich(whole, sizeof(whole), UTIL_DSN);
    bad = 0;

    for (cut = 0; cut <= len; cut++) {
        memcpy(record, whole, cut);

        if (snx_fields_read(&fields, snx_str(record, cut)) == SNX_OK
            && fields.first[SNX_F_EVENT_ID] != 0)
        {
            tree = event_of(cut);
            bad += tree == NULL;
            cJSON_Delete(tree);
        }
    }

    is_int(bad, 0, "cut off anywhere");

    lcg = 12345;

    for (n = 0; n < 5000; n++) {
        memcpy(record, whole, len);

        for (at = 0; at < 4; at++) {
            lcg = lcg * 1664525 + 1013904223;
            record[(lcg >> 8) % len] = (unsigned char) (lcg >> 4);
        }

        if (snx_fields_read(&fields, snx_str(record, len)) == SNX_OK
            && snx_fields_str(&fields, SNX_F_EVENT_ID).len == 16)
        {
            tree = event_of(len);
            bad += tree == NULL;
            cJSON_Delete(tree);
        }
    }

    is_int(bad, 0, "with bytes changed");
}


static void
test_memory(void)
{
    long      n;
    size_t    len, wrong;
    snx_rc_t  rc;

    len = util_rich(record, sizeof(record), UTIL_DSN);
    (void) snx_fields_read(&fields, snx_str(record, len));

    wrong = 0;

    for (n = 0; /* void */ ; n++) {
        allocations_left = n;
        rc = snx_encode_event(&encode, &fields, 0, out, sizeof(out), &len);

        if (allocations_left >= 0) {
            break;
        }

        wrong += rc != SNX_NOMEM;
    }

    allocations_left = -1;

    is_int(rc, SNX_OK, "with all the memory it wants");
    is_int(wrong, 0, "without it says so");
    ok(n > 100, "%ld allocations were refused, one at a time", n);
}
