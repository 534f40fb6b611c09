
/*
 * Copyright (C) ngx_sentry authors
 *
 * The JSON writer: nesting, values, strings of any bytes, room.
 */


#include <stdlib.h>

#include <cjson/cJSON.h>

#include "snx_json.h"
#include "snx_text.h"
#include "tap.h"


static void test_nesting(void);
static void test_values(void);
static void test_times(void);
static void test_strings(void);
static void test_places(void);
static void test_limits(void);
static void test_random(void);
static void test_room(void);
static void test_has(void);


static snx_json_t  json;
static char        out[65536];


int
main(void)
{
    test_nesting();
    test_values();
    test_times();
    test_strings();
    test_places();
    test_limits();
    test_random();
    test_room();
    test_has();

    return tap_done();
}


static void
begin(void)
{
    snx_json_begin(&json, out, sizeof(out));
}


/* What was written; empty when it is not whole. */

static snx_str_t
written(void)
{
    size_t  len;

    return snx_json_end(&json, &len) == SNX_OK ? snx_str(out, len)
                                               : snx_cstr("");
}


static void
test_nesting(void)
{
    int  i;

    begin();
    is_str(written(), "{}", "nothing");

    begin();
    snx_json_object(&json, "a");
    snx_json_array(&json, "b");
    snx_json_num(&json, NULL, 1);
    snx_json_object(&json, NULL);
    snx_json_close(&json);
    snx_json_array(&json, NULL);
    snx_json_num(&json, NULL, 2);
    snx_json_num(&json, NULL, 3);
    snx_json_close(&json);
    snx_json_close(&json);
    snx_json_num(&json, "c", 4);
    snx_json_close(&json);
    snx_json_name(&json, snx_cstr("d\"\n"), 10);
    snx_json_array(&json, NULL);
    snx_json_close(&json);
    snx_json_name(&json, snx_cstr("e\xff"), 10);
    snx_json_bool(&json, NULL, 1);
    is_str(written(),
           "{\"a\":{\"b\":[1,{},[2,3]],\"c\":4},\"d\\\"\\n\":[],"
           "\"e\xef\xbf\xbd\":true}", "objects and arrays in each other");

    begin();

    for (i = 0; i < 15; i++) {
        snx_json_object(&json, "o");
        snx_json_array(&json, "a");
    }

    for (i = 0; i < 30; i++) {
        snx_json_close(&json);
    }

    is_int(written().len, 2 + 15 * (5 + 4 + 1 + 1 + 1), "31 levels");
}


static void
test_values(void)
{
    size_t  i;

    static const struct {
        int64_t      n;
        const char  *num;
        const char  *ms;
    } tests[] = {
        { 0, "{\"n\":0}", "{\"n\":0.000}" },
        { 7, "{\"n\":7}", "{\"n\":0.007}" },
        { 1234, "{\"n\":1234}", "{\"n\":1.234}" },
        { 60000, "{\"n\":60000}", "{\"n\":60.000}" },
        { -1, "{\"n\":-1}", "{}" },
        { INT64_MAX, "{\"n\":9223372036854775807}",
          "{\"n\":9223372036854775.807}" },
        { INT64_MIN, "{\"n\":-9223372036854775808}", "{}" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        begin();
        snx_json_num(&json, "n", tests[i].n);
        is_str(written(), tests[i].num, tests[i].num);

        begin();
        snx_json_ms(&json, "n", tests[i].n);
        is_str(written(), tests[i].ms, tests[i].ms);
    }

    begin();
    snx_json_hex(&json, "h", (const unsigned char *) "\x00\x1f\xff", 3);
    snx_json_const(&json, "c", "ok");
    snx_json_const(&json, "e", "");
    snx_json_bool(&json, "t", 1);
    snx_json_bool(&json, "f", 0);
    snx_json_str(&json, "s", snx_cstr(""), 5);
    snx_json_text(&json, "x", snx_cstr(""), 5);
    is_str(written(), "{\"h\":\"001fff\",\"c\":\"ok\",\"e\":\"\",\"t\":true,"
                      "\"f\":false,\"x\":\"\"}", "the other values");
}


/* In an order that tells whether the date is refreshed when it must be. */

static void
test_times(void)
{
    size_t  i;

    static const struct {
        int64_t      us;
        const char  *expected;
    } tests[] = {
        { 0, "{\"t\":\"1970-01-01T00:00:00.000000Z\"}" },
        { 999999, "{\"t\":\"1970-01-01T00:00:00.999999Z\"}" },
        { 1000000, "{\"t\":\"1970-01-01T00:00:01.000000Z\"}" },
        { 0, "{\"t\":\"1970-01-01T00:00:00.000000Z\"}" },
        { -1, "{\"t\":\"1970-01-01T00:00:00.000000Z\"}" },
        { 1790000000123456, "{\"t\":\"2026-09-21T14:13:20.123456Z\"}" },
        { 1790000000123457, "{\"t\":\"2026-09-21T14:13:20.123457Z\"}" },
        { 1790000001000001, "{\"t\":\"2026-09-21T14:13:21.000001Z\"}" },
        { 1790000000999999, "{\"t\":\"2026-09-21T14:13:20.999999Z\"}" },
        { 253402300799999999, "{\"t\":\"9999-12-31T23:59:59.999999Z\"}" },
        { INT64_MIN, "{\"t\":\"1970-01-01T00:00:00.000000Z\"}" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        begin();
        snx_json_time(&json, "t", tests[i].us);
        is_str(written(), tests[i].expected, tests[i].expected);
    }

    begin();
    snx_json_time(&json, "t", INT64_MAX);
    ok(strncmp(out, "{\"t\":\"9999-12-31T23:59:59.", 25) == 0,
       "no time after the last one");
    (void) written();
}


static void
is_text(snx_str_t in, size_t max, const char *expected, const char *what)
{
    begin();
    snx_json_text(&json, NULL, in, max);
    is_str(snx_str(out + 1, (size_t) (json.pos - out) - 1), expected, what);
}


static void
test_strings(void)
{
    size_t  i;

    static const struct {
        snx_str_t    in;
        const char  *expected;
    } tests[] = {
        { snx_string("plain text of more than eight bytes"),
          "\"plain text of more than eight bytes\"" },
        { snx_string("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
        { snx_string("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\"" },
        { snx_string("\0"), "\"\xef\xbf\xbd\"" },
        { snx_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x92\xa9"),
          "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x92\xa9\"" },
        { snx_string("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { snx_string("\xed\xa0\x80"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { snx_string("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { snx_string("1234567\xe2\x82\xac" "1234567"),
          "\"1234567\xe2\x82\xac" "1234567\"" },
        { snx_string("</script>"), "\"</script>\"" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_text(tests[i].in, 100, tests[i].expected, tests[i].expected);
    }
}


/* Each byte at each place of a string, as snx_text_utf8() sees it. */

static void
test_places(void)
{
    int             c;
    size_t          i, at, n, len, size, wrong;
    cJSON          *tree;
    unsigned char   in[24], want[80];

    wrong = 0;

    for (c = 0; c < 256; c++) {
        for (i = 0; i < sizeof(in) * sizeof(in); i++) {
            at = i / sizeof(in);
            size = i % sizeof(in) + 1;

            if (at >= size) {
                continue;
            }

            memset(in, 'x', sizeof(in));
            in[at] = (unsigned char) c;

            begin();
            snx_json_text(&json, "s", snx_str(in, size), 70);
            len = written().len;
            out[len] = '\0';

            n = snx_text_utf8(snx_str(in, size), want, 70, NULL);
            want[n] = '\0';
            tree = cJSON_Parse(out);
            wrong += tree == NULL
                     || strcmp(tree->child->valuestring, (char *) want) != 0;
            cJSON_Delete(tree);
        }
    }

    is_int(wrong, 0, "each byte at each place");
}


static void
test_limits(void)
{
    is_text(snx_cstr("123456789abcdef"), 10, "\"123456789a\"", "cut");
    is_text(snx_cstr("123456789"), 0, "\"\"", "cut to nothing");
    is_text(snx_cstr("\n\n\n"), 2, "\"\\n\\n\"", "before it is escaped");
    is_text(snx_cstr("1234567\xe2\x82\xac"), 9, "\"1234567\"",
            "between characters");
    is_text(snx_cstr("1234567\xe2\x82\xac"), 10, "\"1234567\xe2\x82\xac\"",
            "behind one that just fits");
    is_text(snx_cstr("\xff\xff"), 5, "\"\xef\xbf\xbd\"", "as repaired");
}


/* Bytes of all kinds against the repair that text is known by. */

static void
test_random(void)
{
    int             i;
    size_t          n, len, max, wrong;
    cJSON          *tree;
    uint32_t        lcg;
    unsigned char   in[64], want[256];

    static const unsigned char  letters[] =
                                    "abcdefghijklmnopqrstuvwxyz";
    static const unsigned char  odd[] = "a\"\\\n\xe2\x82\xac\xc3\xbc\xff\xed";

    lcg = 4711;
    wrong = 0;

    for (i = 0; i < 20000; i++) {

        for (n = 0; n < sizeof(in); n++) {
            lcg = lcg * 1664525 + 1013904223;
            in[n] = (lcg >> 24) < 160 ? letters[(lcg >> 16) % 26]
                                      : odd[(lcg >> 8) % (sizeof(odd) - 1)];
        }

        n = (lcg >> 10) % sizeof(in);
        max = (lcg >> 20) % 80;

        begin();
        snx_json_text(&json, "s", snx_str(in, n), max);
        len = written().len;
        out[len] = '\0';
        wrong += !snx_text_valid(snx_str(out, len));

        n = snx_text_utf8(snx_str(in, n), want, max, NULL);
        want[n] = '\0';
        tree = cJSON_Parse(out);
        wrong += tree == NULL
                 || strcmp(tree->child->valuestring, (char *) want) != 0;
        cJSON_Delete(tree);
    }

    is_int(wrong, 0, "bytes of all kinds");
}


static void
everything(size_t cap)
{
    snx_json_begin(&json, out, cap);
    snx_json_object(&json, "o");
    snx_json_array(&json, "a");
    snx_json_num(&json, NULL, 123);
    snx_json_ms(&json, NULL, 123);
    snx_json_close(&json);
    snx_json_name(&json, snx_cstr("\x01\x02"), 10);
    snx_json_text(&json, NULL, snx_cstr("\x01\x02\x03 text"), 100);
    snx_json_hex(&json, "h", (const unsigned char *) "1234", 4);
    snx_json_time(&json, "t", 1);
    snx_json_bool(&json, "b", 0);
    snx_json_const(&json, "c", "constant");
    snx_json_close(&json);
}


static void
test_room(void)
{
    size_t  cap, len, wrong;

    wrong = 0;

    for (cap = 0; cap < 400; cap++) {
        memset(out + cap, '#', 400);
        everything(cap);
        wrong += strspn(out + cap, "#") < 400;
        wrong += snx_json_end(&json, &len) == SNX_OK && len > cap;
        wrong += strspn(out + cap, "#") < 400;
    }

    is_int(wrong, 0, "nothing is written behind the room there is");

    everything(40);
    is_int(snx_json_end(&json, &len), SNX_TOO_BIG, "too little");
    everything(400);
    is_int(snx_json_end(&json, &len), SNX_OK, "enough again");
}


static void
test_has(void)
{
    size_t       i;
    const char  *from;

    static const struct {
        const char  *name;
        int          there;
    } tests[] = {
        { "a", 1 }, { "b", 1 }, { "c", 1 }, { "z", 1 },
        { "outer", 0 }, { "inner", 0 }, { "x", 0 }, { "v", 0 }, { "", 0 },
        { "q\\\"b", 1 }, { "b\\\":", 0 }
    };

    begin();
    snx_json_num(&json, "outer", 1);
    snx_json_object(&json, "o");
    from = json.pos;
    snx_json_str(&json, "a", snx_cstr("v\"x\":{[\\"), 100);
    snx_json_object(&json, "b");
    snx_json_str(&json, "inner", snx_cstr("}"), 10);
    snx_json_close(&json);
    snx_json_array(&json, "c");
    snx_json_str(&json, NULL, snx_cstr("x"), 10);
    snx_json_close(&json);
    snx_json_str(&json, "q\\\"b", snx_cstr("v"), 10);
    snx_json_num(&json, "z", 1);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_int(snx_json_has(&json, from, snx_cstr(tests[i].name)),
               tests[i].there, tests[i].name);
    }
}
