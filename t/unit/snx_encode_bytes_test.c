
/*
 * Copyright (C) ngx_sentry authors
 *
 * Events of bytes that nobody wants: hostile, too long, odd, damaged; and
 * without room.
 */


#include "encode_util.h"


static void test_hostile(void);
static void test_limits(void);
static void test_url(void);
static void test_odd(void);
static void test_largest(void);
static void test_damaged(void);
static void test_room(void);


int
main(void)
{
    snx_encode_init(&encode, "Linux", "6.1.0");

    test_hostile();
    test_limits();
    test_url();
    test_odd();
    test_largest();
    test_damaged();
    test_room();

    return tap_done();
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

    begin();

    for (i = 0; i < 100; i++) {
        snprintf(long_text, sizeof(long_text), "t%zu", i);
        add(SNX_F_FINGERPRINT, long_text);
        add_pair(SNX_F_TAG, long_text, "v");
    }

    tree = event();

    is_int(cJSON_GetArraySize(util_at(tree, "fingerprint")),
           SNX_FINGERPRINT_MAX_N, "a short fingerprint");
    is_int(cJSON_GetArraySize(util_at(tree, "tags")), SNX_TAGS_MAX_N,
           "few tags");

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
    add_pair(SNX_F_PASS, "short", "a");
    add_pair(SNX_F_CAUSE, "short", "a");
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
    is_int(cJSON_GetArraySize(util_at(tree, "exception.values")), 1,
           "no cause of a wrong size");
    ok(util_at(tree, "breadcrumbs") == NULL, "no step of a wrong size");
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
    int     bad;
    cJSON  *tree;
    size_t  len, cut;

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
    is_int(damaged(len, 5000, event_of), 0, "with bytes changed");
}


/* Any room: the event or a refusal, and nothing behind it is touched. */

static void
test_room(void)
{
    size_t    cap, len, whole, wrong;
    snx_rc_t  rc;

    len = util_rich(record, sizeof(record), UTIL_DSN);
    (void) snx_fields_read(&fields, snx_str(record, len));
    (void) snx_encode_event(&encode, &fields, 0, out, sizeof(out), &whole);

    wrong = 0;
    rc = SNX_TOO_BIG;

    for (cap = 0; rc != SNX_OK && cap < SNX_ENCODE_MAX; cap++) {
        memset(out + cap, '#', 64);
        rc = snx_encode_event(&encode, &fields, 0, out, cap, &len);
        wrong += (rc != SNX_OK && rc != SNX_TOO_BIG)
                 || (rc == SNX_OK && (len != whole || len > cap))
                 || strspn(out + cap, "#") < 64;
    }

    is_int(rc, SNX_OK, "with all the room it wants");
    ok(cap > whole, "%zu bytes in %zu", whole, cap);
    is_int(wrong, 0, "without it says so");
}
