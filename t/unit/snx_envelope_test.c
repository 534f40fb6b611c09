
/*
 * Copyright (C) ngx_sentry authors
 *
 * Envelopes: the header, framing, client reports, gzip.  With "dump" and one
 * of "rich", "least", "hostile" it writes that envelope instead, for readers
 * of others to judge.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "snx_sample.h"
#include "event_util.h"


static void test_header(void);
static void test_trace(void);
static void test_begun(void);
static void test_items(void);
static void test_report(void);
static void test_gzip(void);
static int dump(const char *what);


static snx_dsn_t             dsn;
static snx_fields_t          fields;
static snx_encode_t          encode;
static snx_envelope_t        envelope;
static snx_envelope_meta_t   meta;
static unsigned char         record[SNX_RECORD_MAX];
static char                  buf[SNX_ENCODE_MAX + 32768];
static char                  json[SNX_ENCODE_MAX];


int
main(int argc, char **argv)
{
    const char  *why;

    snx_encode_init(&encode, "Linux", "6.1.0");
    (void) snx_dsn_parse(&dsn, snx_cstr(UTIL_DSN), &why);

    meta.now_us = UTIL_TIME_US;
    meta.dsn = &dsn;

    if (argc == 3 && strcmp(argv[1], "dump") == 0) {
        return dump(argv[2]);
    }

    test_header();
    test_trace();
    test_begun();
    test_items();
    test_report();
    test_gzip();

    return tap_done();
}


static snx_str_t
written(void)
{
    return snx_str(envelope.data, envelope.len);
}


static snx_rc_t
begin(const snx_fields_t *f)
{
    return snx_envelope_begin(&envelope, buf, sizeof(buf), f, &meta);
}


static void
read_rich(void)
{
    size_t  len;

    len = util_rich(record, sizeof(record), UTIL_DSN);
    (void) snx_fields_read(&fields, snx_str(record, len));
}


static void
test_header(void)
{
    static const char  expected[] =
        "{\"event_id\":\"" UTIL_ID_HEX "\","
        "\"sent_at\":\"2026-09-21T14:13:20.123456Z\","
        "\"sdk\":{\"name\":\"" SNX_SDK_NAME "\","
        "\"version\":\"" SNX_VERSION "\"},"
        "\"trace\":{\"trace_id\":\"" UTIL_TRACE_HEX "\","
        "\"public_key\":\"abc\",\"release\":\"shop@1.2.3\","
        "\"sample_rate\":\"0.25\",\"sample_rand\":\"0.000001\","
        "\"sampled\":\"true\",\"transaction\":\"GET /api/\"}}\n";

    read_rich();

    is_int(begin(&fields), SNX_OK, "an envelope of an event");
    is_str(written(), expected, "its header");

    is_int(begin(NULL), SNX_OK, "an envelope of no event");
    is_str(written(), "{\"sent_at\":\"2026-09-21T14:13:20.123456Z\","
                      "\"sdk\":{\"name\":\"" SNX_SDK_NAME "\","
                      "\"version\":\"" SNX_VERSION "\"}}\n", "its header");

    is_int(snx_envelope_begin(&envelope, buf, 100, &fields, &meta),
           SNX_TOO_BIG, "no room");
}


/* A record of an event, with what tells of its trace; NULL, -1: without. */

static void
read_traced(const char *baggage, int sampled, int continued)
{
    snx_rec_writer_t  w;

    snx_rec_begin(&w, record, sizeof(record));
    snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
    snx_rec_str(&w, SNX_F_TRACE_ID, snx_cstr(UTIL_TRACE));
    snx_rec_str(&w, SNX_F_RELEASE, snx_cstr("a\"b\\c\nd\xff"));
    snx_rec_str(&w, SNX_F_TRANSACTION, snx_cstr("GET /users/17"));
    snx_rec_str(&w, SNX_F_BAGGAGE, snx_cstr(baggage));

    if (sampled >= 0) {
        snx_rec_num(&w, SNX_F_SAMPLED, sampled);
    }

    if (continued) {
        snx_rec_str(&w, SNX_F_PARENT_SPAN_ID, snx_cstr(UTIL_PARENT));
    }

    (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&w)));
}


/* What is in the trace, and that it stays one line of strings. */

static void
test_trace(void)
{
    size_t  i;
    cJSON  *tree;
    char   *text;

    static const struct {
        const char  *what;
        const char  *baggage;
        int          sampled;
        int          continued;
        const char  *expected;
    } tests[] = {
        { "as propagated, decoded, only ours, each once",
          "sentry-trace_id=" UTIL_TRACE_HEX ",other=1,sentry-public_key=k,"
          "sentry-release=a%22%0A%FF%zz%e2%82%ac,sentry-sampled=false,"
          "sentry-sampled=true,sentry-new_one=x;p=1,sentry-empty=", 0, 1,
          "{\"trace_id\":\"" UTIL_TRACE_HEX "\",\"public_key\":\"k\","
          "\"release\":\"a\\\"\\n\xef\xbf\xbd%zz\xe2\x82\xac\","
          "\"sampled\":\"false\",\"new_one\":\"x\",\"empty\":\"\"}" },
        { "upper-case digits of an id are that id",
          "sentry-public_key=k,sentry-trace_id="
          "112233445566778899AABBCCDDEEFF01", 1, 0,
          "{\"public_key\":\"k\",\"trace_id\":"
          "\"112233445566778899AABBCCDDEEFF01\"}" },
        { "another trace", "sentry-trace_id=" UTIL_ID_HEX
          ",sentry-public_key=k", 1, 1, "" },
        { "no key", "sentry-trace_id=" UTIL_TRACE_HEX, 1, 1, "" },
        { "no trace", "sentry-public_key=k", 1, 1, "" },
        { "nothing of ours", "other=1", 1, 1, "" },
        { "a caller without any", NULL, -1, 1, "" },
        { "a decision without any", NULL, 1, 0, "" },
        { "no tracing", NULL, -1, 0,
          "{\"trace_id\":\"" UTIL_TRACE_HEX "\","
          "\"public_key\":\"0123456789abcdef0123456789abcdef\","
          "\"release\":\"a\\\"b\\\\c\\nd\xef\xbf\xbd\","
          "\"org_id\":\"7\"}" }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        read_traced(tests[i].baggage, tests[i].sampled, tests[i].continued);

        (void) begin(&fields);
        tree = cJSON_ParseWithLength(envelope.data, envelope.len);
        text = cJSON_PrintUnformatted(util_at(tree, "trace"));

        is_str(snx_cstr(text), tests[i].expected, tests[i].what);
        ok(memchr(envelope.data, '\n', envelope.len)
           == envelope.data + envelope.len - 1, "one line");

        free(text);
        cJSON_Delete(tree);
    }

    meta.dsn = NULL;
    (void) begin(&fields);
    meta.dsn = &dsn;
    ok(memmem(envelope.data, envelope.len, "trace", 5) == NULL,
       "no trace without a DSN");
}


/* What the sender makes of a random number, for want of baggage. */

static void
test_begun(void)
{
    size_t             i;
    cJSON             *tree;
    char              *text;
    snx_rec_writer_t   w;

    static const struct {
        const char  *what;
        double       rate;
        int64_t      random;
        int          parent;
        const char  *baggage;
        const char  *expected;
    } tests[] = {
        { "a trace begun here", 0.25, 123456, 0, "",
          "\"sampled\":\"true\",\"sample_rate\":\"0.25\","
          "\"sample_rand\":\"0.123456\"}" },
        { "the smallest number", 0.001, 0, 0, "",
          "\"sampled\":\"true\",\"sample_rate\":\"0.001\","
          "\"sample_rand\":\"0.000000\"}" },
        { "by a caller's traceparent, no rate", -1, 999999, 1, "",
          "\"sampled\":\"true\",\"sample_rate\":\"1\","
          "\"sample_rand\":\"0.999999\"}" },
        { "what was propagated counts more", 0.25, 123456, 0,
          "sentry-trace_id=" UTIL_TRACE_HEX ",sentry-public_key=k",
          "{\"trace_id\":\"" UTIL_TRACE_HEX "\",\"public_key\":\"k\"}" }
    };

    static const char  ours[] =
        "{\"trace_id\":\"" UTIL_TRACE_HEX "\","
        "\"public_key\":\"0123456789abcdef0123456789abcdef\","
        "\"release\":\"r1\",\"environment\":\"prod\",\"org_id\":\"7\",";

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        snx_rec_begin(&w, record, sizeof(record));
        snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
        snx_rec_str(&w, SNX_F_TRACE_ID, snx_cstr(UTIL_TRACE));
        snx_rec_str(&w, SNX_F_RELEASE, snx_cstr("r1"));
        snx_rec_str(&w, SNX_F_ENVIRONMENT, snx_cstr("prod"));
        snx_rec_num(&w, SNX_F_SAMPLED, 1);

        if (tests[i].rate >= 0) {
            snx_rec_num(&w, SNX_F_CLIENT_SAMPLE_RATE,
                        snx_sample_scaled(tests[i].rate));
        }

        snx_rec_num(&w, SNX_F_SAMPLE_RAND, tests[i].random);
        snx_rec_str(&w, SNX_F_BAGGAGE, snx_cstr(tests[i].baggage));

        if (tests[i].parent) {
            snx_rec_str(&w, SNX_F_PARENT_SPAN_ID, snx_cstr(UTIL_PARENT));
        }

        (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&w)));
        (void) begin(&fields);

        tree = cJSON_ParseWithLength(envelope.data, envelope.len);
        text = cJSON_PrintUnformatted(util_at(tree, "trace"));

        ok(tests[i].expected[0] == '{'
           || strncmp(text, ours, sizeof(ours) - 1) == 0,
           "%s: what we are", tests[i].what);
        is_str(snx_cstr(tests[i].expected[0] == '{'
                        ? text : text + sizeof(ours) - 1),
               tests[i].expected, tests[i].what);

        free(text);
        cJSON_Delete(tree);
    }
}


static void
test_items(void)
{
    size_t  len;

    (void) begin(NULL);
    envelope.len = 0;

    is_int(snx_envelope_item(&envelope, "event", "{}\r\n{}", 6), SNX_OK,
           "an item");
    is_int(snx_envelope_item(&envelope, "x", "", 0), SNX_OK, "an empty one");
    is_str(written(), "{\"type\":\"event\",\"length\":6}\n{}\r\n{}\n"
                      "{\"type\":\"x\",\"length\":0}\n\n",
           "as they are framed");

    len = envelope.len;
    envelope.cap = len + 31;

    is_int(snx_envelope_item(&envelope, "event", "1234567", 7), SNX_TOO_BIG,
           "an item that does not fit");
    is_int(envelope.len, len, "leaves the envelope as it was");

    envelope.cap = len + 35;
    is_int(snx_envelope_item(&envelope, "event", "1234567", 7), SNX_TOO_BIG,
           "not even its line feed");

    envelope.cap = len + 36;
    is_int(snx_envelope_item(&envelope, "event", "1234567", 7), SNX_OK,
           "one that just fits");
    is_int(envelope.len, envelope.cap, "to the last byte");
}


static void
test_report(void)
{
    size_t        len;
    snx_report_t  report;

    (void) begin(NULL);
    envelope.len = 0;
    memset(&report, 0, sizeof(report));

    is_int(snx_envelope_report(&envelope, &report, UTIL_TIME_US), SNX_OK,
           "an empty report");
    is_int(envelope.len, 0, "adds nothing");

    report.n[SNX_LOST_QUEUE_OVERFLOW][SNX_CAT_ERROR] = 3;
    report.n[SNX_LOST_SAMPLE_RATE][SNX_CAT_ERROR] = 12345678901;
    report.n[SNX_LOST_NETWORK_ERROR][SNX_CAT_TRANSACTION] = 1;

    is_int(snx_envelope_report(&envelope, &report, UTIL_TIME_US), SNX_OK,
           "a report");
    is_str(written(), "{\"type\":\"client_report\",\"length\":256}\n"
           "{\"timestamp\":\"2026-09-21T14:13:20.123456Z\","
           "\"discarded_events\":["
           "{\"reason\":\"queue_overflow\",\"category\":\"error\","
           "\"quantity\":3},"
           "{\"reason\":\"network_error\",\"category\":\"transaction\","
           "\"quantity\":1},"
           "{\"reason\":\"sample_rate\",\"category\":\"error\","
           "\"quantity\":12345678901}]}\n", "what it tells");

    memset(&report, 0xff, sizeof(report));
    is_int(snx_envelope_report(&envelope, &report, UTIL_TIME_US), SNX_OK,
           "the largest report");

    len = envelope.len;
    envelope.cap = len + 10;
    is_int(snx_envelope_report(&envelope, &report, UTIL_TIME_US), SNX_TOO_BIG,
           "no room");
    is_int(envelope.len, len, "leaves the envelope as it was");
}


/* Whether packed is gzip and holds plain. */

static int
unpacks(const char *packed, size_t len, snx_str_t plain)
{
    int        same;
    z_stream   z;

    static unsigned char  text[65536];

    memset(&z, 0, sizeof(z));
    (void) inflateInit2(&z, 15 + 16);

    z.next_in = (unsigned char *) (uintptr_t) packed;
    z.avail_in = (unsigned) len;
    z.next_out = text;
    z.avail_out = sizeof(text);

    same = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0
           && z.total_out == plain.len
           && memcmp(text, plain.data, plain.len) == 0;

    (void) inflateEnd(&z);

    return same;
}


static void
test_gzip(void)
{
    int         n;
    char        packed[65536];
    size_t      len;
    snx_rc_t    rc;
    snx_gzip_t  gzip;

    read_rich();
    (void) begin(&fields);
    (void) snx_encode_event(&encode, &fields, 0, json, sizeof(json), &len);
    (void) snx_envelope_item(&envelope, "event", json, len);

    memset(&gzip, 0, sizeof(gzip));
    is_int(snx_gzip(&gzip, written(), packed, sizeof(packed), &len),
           SNX_TOO_BIG, "not before it is ready");

    is_int(snx_gzip_init(&gzip), SNX_OK, "a deflate state");

    for (n = 0; n < 3; n++) {
        rc = snx_gzip(&gzip, written(), packed, sizeof(packed), &len);

        is_int(rc, SNX_OK, "compressed");
        ok(len < envelope.len * 6 / 10, "from %zu to %zu", envelope.len, len);
        ok(unpacks(packed, len, written()), "and back");

        rc = snx_gzip(&gzip, written(), packed, len - 1, &len);
        is_int(rc, SNX_TOO_BIG, "not with one byte less");

        envelope.len -= 500;
    }

    snx_gzip_done(&gzip);
    snx_gzip_done(&gzip);
    is_int(snx_gzip(&gzip, written(), packed, sizeof(packed), &len),
           SNX_TOO_BIG, "not after its end");
}


/* Every field of its own length, all of bytes that break things. */

static void
make_hostile(void)
{
    int                i;
    char               key[8];
    snx_rec_writer_t   w;

    static const snx_str_t  evil = snx_string(
        "\xff\0\"\\\n\x1b[31m\xed\xa0\x80</script>{{7*7}}\xf0\x9f\x92\xa9");

    snx_rec_begin(&w, record, sizeof(record));
    snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
    snx_rec_num(&w, SNX_F_STATUS, 400);
    snx_rec_num(&w, SNX_F_SAMPLED, 1);
    snx_rec_str(&w, SNX_F_URL, snx_str("http://\xff\0\x01<>/a b\xff", 16));

    for (i = SNX_F_ENVIRONMENT; i <= SNX_F_FRAME; i++) {

        if (i == SNX_F_EVENT_ID || i == SNX_F_STATUS || i == SNX_F_SAMPLED
            || i == SNX_F_URL)
        {
            continue;
        }

        snx_rec_str(&w, (snx_field_id_t) i, evil);
        (void) snprintf(key, sizeof(key), "k%d", i);
        snx_rec_pair(&w, (snx_field_id_t) i, snx_cstr(key), evil);
        snx_rec_pair(&w, (snx_field_id_t) i, evil, evil);
    }

    (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&w)));
}


static int
dump(const char *what)
{
    size_t             len;
    snx_rec_writer_t   w;

    read_rich();

    if (strcmp(what, "least") == 0) {
        snx_rec_begin(&w, record, sizeof(record));
        snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
        (void) snx_fields_read(&fields, snx_str(record, snx_rec_end(&w)));
    }

    if (strcmp(what, "hostile") == 0) {
        make_hostile();
    }

    if (begin(&fields) != SNX_OK
        || snx_encode_event(&encode, &fields, UTIL_TIME_US, json,
                            sizeof(json), &len)
           != SNX_OK
        || snx_envelope_item(&envelope, "event", json, len) != SNX_OK)
    {
        return 1;
    }

    return fwrite(envelope.data, 1, envelope.len, stdout) != envelope.len;
}
