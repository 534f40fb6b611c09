
/*
 * Copyright (C) ngx_sentry authors
 *
 * Bytes as text.
 */


#include <float.h>
#include <stdlib.h>

#include "snx_text.h"
#include "tap.h"


#define BAD                    "\xef\xbf\xbd"


static void test_utf8(void);
static void test_utf8_cut(void);
static void test_utf8_all(void);
static void test_hex(void);
static void test_hex_all(void);
static void test_time(void);
static void test_compare(void);
static void test_rate(void);
static void test_append(void);


int
main(void)
{
    test_utf8();
    test_utf8_cut();
    test_utf8_all();
    test_hex();
    test_hex_all();
    test_time();
    test_compare();
    test_rate();
    test_append();

    return tap_done();
}


#define T(in, out, valid)  { in, sizeof(in) - 1, out, sizeof(out) - 1, valid }

static void
test_utf8(void)
{
    int        cut;
    char       out[64];
    size_t     i, n;
    snx_str_t  in;

    static const struct {
        const char  *in;
        size_t       len;
        const char  *out;
        size_t       out_len;
        int          valid;
    } tests[] = {
        T("", "", 1),
        T("plain", "plain", 1),
        T("tab\tnl\n\x01\x7f", "tab\tnl\n\x01\x7f", 1),
        T("a\0b", "a" BAD "b", 0),
        T("\xc3\xa9", "\xc3\xa9", 1),
        T("\xe2\x82\xac", "\xe2\x82\xac", 1),
        T("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 1),
        T("\x80", BAD, 0),
        T("\xbf\xbf", BAD BAD, 0),
        T("\xc0\x80", BAD BAD, 0),                      /* overlong */
        T("\xc1\xbf", BAD BAD, 0),
        T("\xe0\x9f\xbf", BAD BAD BAD, 0),
        T("\xe0\xa0\x80", "\xe0\xa0\x80", 1),
        T("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD, 0),
        T("\xf0\x90\x80\x80", "\xf0\x90\x80\x80", 1),
        T("\xed\x9f\xbf", "\xed\x9f\xbf", 1),
        T("\xed\xa0\x80", BAD BAD BAD, 0),              /* surrogates */
        T("\xed\xbf\xbf", BAD BAD BAD, 0),
        T("\xee\x80\x80", "\xee\x80\x80", 1),
        T("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", 1),
        T("\xf4\x90\x80\x80", BAD BAD BAD BAD, 0),      /* U+110000 */
        T("\xf5\x80\x80\x80", BAD BAD BAD BAD, 0),
        T("\xff\xfe", BAD BAD, 0),
        T("\xc3", BAD, 0),                              /* cut off */
        T("\xe2\x82", BAD BAD, 0),
        T("\xf0\x9f\x98", BAD BAD BAD, 0),
        T("a\xc3(b", "a" BAD "(b", 0),
        T("\xe2\x82\xc3\xa9", BAD BAD "\xc3\xa9", 0),
        T("\xef\xbf\xbd", BAD, 1),
        T("\xef\xbf\xbf", "\xef\xbf\xbf", 1),
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        cut = 0;
        in = snx_str(tests[i].in, tests[i].len);
        n = snx_text_utf8(in, out, sizeof(out), &cut);

        (void) tap_is_mem(out, n, tests[i].out, tests[i].out_len, __FILE__,
                          __LINE__, "repaired");
        is_int(cut, 0, "not cut");
        is_int(snx_text_valid(in), tests[i].valid, "validity");
    }

    is_int(snx_text_utf8(snx_str(NULL, 0), NULL, 0, NULL), 0, "nothing at all");
    is_int(snx_text_valid(snx_str(NULL, 0)), 1, "is valid");
}


static void
test_utf8_cut(void)
{
    int     cut;
    char    out[16];
    size_t  i, n;

    static const struct {
        const char  *in;
        size_t       cap;
        const char  *out;
        int          cut;
    } tests[] = {
        { "abc", 3, "abc", 0 },
        { "abcd", 3, "abc", 1 },
        { "abc", 0, "", 1 },
        { "", 0, "", 0 },
        { "ab\xc3\xa9", 4, "ab\xc3\xa9", 0 },
        { "ab\xc3\xa9", 3, "ab", 1 },
        { "\xe2\x82\xac\xe2\x82\xac", 5, "\xe2\x82\xac", 1 },
        { "\xf0\x9f\x98\x80", 3, "", 1 },
        { "a\xff", 4, "a" BAD, 0 },
        { "a\xff", 3, "a", 1 },
        { "\xff" "b", 3, BAD, 1 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        cut = 0;
        memset(out, '#', sizeof(out));
        n = snx_text_utf8(snx_cstr(tests[i].in), out, tests[i].cap, &cut);

        is_str(snx_str(out, n), tests[i].out, "fits in");
        is_int(cut, tests[i].cut, "cut");
        ok(out[tests[i].cap] == '#', "nothing behind");
    }

    cut = 1;
    (void) snx_text_utf8(snx_cstr("abc"), out, 16, &cut);
    is_int(cut, 1, "an older cut stays");
}


/* Whatever three bytes: the result is valid, and valid input is unchanged. */

static void
test_utf8_all(void)
{
    size_t                n, wrong;
    uint32_t              i;
    unsigned char         in[5], out[16];
    static unsigned char  edges[] = {
        0, 1, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
        0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
        0xf5, 0xff
    };

    wrong = 0;

    for (i = 0; i < 25 * 25 * 25 * 25; i++) {
        in[0] = edges[i % 25];
        in[1] = edges[i / 25 % 25];
        in[2] = edges[i / 625 % 25];
        in[3] = edges[i / 15625 % 25];

        n = snx_text_utf8(snx_str(in, 4), out, sizeof(out), NULL);
        wrong += !snx_text_valid(snx_str(out, n));
        wrong += snx_text_valid(snx_str(in, 4))
                 && (n != 4 || memcmp(in, out, 4) != 0);
    }

    is_int(wrong, 0, "four bytes of any kind");
}


static void
test_hex(void)
{
    char           text[8];
    size_t         i;
    unsigned char  bytes[4];

    static const struct {
        const char  *in;
        size_t       len;
        int          rc;
    } tests[] = {
        { "00ff7Fa5", 4, 1 },
        { "00FF7fA5", 4, 1 },
        { "00ff7fa", 4, 0 },
        { "00ff7fa50", 4, 0 },
        { "00ff7fa5", 3, 0 },
        { "00ff7fag", 4, 0 },
        { "0 ff7fa5", 4, 0 },
        { "00ff7f/5", 4, 0 },
        { "00ff7f:5", 4, 0 },
        { "00ff7f`5", 4, 0 },
        { "00ff7f@5", 4, 0 },
        { "", 4, 0 },
        { "", 0, 1 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        is_int(snx_text_unhex(snx_cstr(tests[i].in), bytes, tests[i].len),
               tests[i].rc, tests[i].in);

        if (tests[i].rc == 1 && tests[i].len != 0) {
            is_mem(bytes, 4, "\x00\xff\x7f\xa5", "its bytes");
            snx_text_hex(bytes, 4, text);
            is_mem(text, 8, "00ff7fa5", "and back");
        }
    }
}


/* Each byte, in each place of up to three words of them. */

static void
test_hex_all(void)
{
    char           text[50], want[51];
    size_t         i, len, wrong;
    unsigned char  bytes[24];

    memset(bytes, 0, sizeof(bytes));
    wrong = 0;

    for (i = 0; i < 256 * sizeof(bytes); i++) {
        bytes[i % sizeof(bytes)] = (unsigned char) (i / sizeof(bytes) + i);

        for (len = 0; len <= sizeof(bytes); len++) {
            snprintf(want + 2 * len, 3, "%02x", bytes[len % sizeof(bytes)]);
            memset(text, '#', sizeof(text));
            snx_text_hex(bytes, len, text);

            wrong += memcmp(text, want, 2 * len) != 0 || text[2 * len] != '#';
        }
    }

    is_int((intmax_t) wrong, 0, "digits of all bytes, nothing behind them");
}


static void
test_time(void)
{
    char    out[SNX_TEXT_TIME_MAX];
    size_t  i, n;

    static const struct {
        int64_t      us;
        const char  *text;
    } tests[] = {
        { 0, "1970-01-01T00:00:00.000000Z" },
        { 1, "1970-01-01T00:00:00.000001Z" },
        { -1, "1970-01-01T00:00:00.000000Z" },
        { INT64_MIN, "1970-01-01T00:00:00.000000Z" },
        { 1795309323000456, "2026-11-22T01:02:03.000456Z" },
        { 951782399999999, "2000-02-28T23:59:59.999999Z" },
        { 951782400000000, "2000-02-29T00:00:00.000000Z" },
        { 951868800000000, "2000-03-01T00:00:00.000000Z" },
        { 1709164800000000, "2024-02-29T00:00:00.000000Z" },
        { 1735689599000000, "2024-12-31T23:59:59.000000Z" },
        { 1735689600000000, "2025-01-01T00:00:00.000000Z" },
        { 4107542400000000, "2100-03-01T00:00:00.000000Z" },
        { 4107456000000000, "2100-02-28T00:00:00.000000Z" },
        { 253402300799999999, "9999-12-31T23:59:59.999999Z" },
        { 253402300800000000, "9999-12-31T23:59:59.999999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999999Z" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        n = snx_text_time(tests[i].us, out);
        is_str(snx_str(out, n), tests[i].text, tests[i].text);
        is_int(out[n], 0, "terminated");
    }
}


static void
test_compare(void)
{
    size_t  i;

    static const struct {
        const char  *a;
        const char  *b;
        int          eq;
        int          has;
    } tests[] = {
        { "abc", "ABC", 1, 1 },
        { "ABC", "abc", 1, 1 },
        { "abc", "abd", 0, 0 },
        { "abc", "ab", 0, 1 },
        { "ab", "abc", 0, 0 },
        { "X-Auth-Token", "token", 0, 1 },
        { "aab", "AB", 0, 1 },
        { "tokentoke", "tokens", 0, 0 },
        { "[", "{", 0, 0 },
        { "@", "`", 0, 0 },
        { "\xc1", "\xe1", 0, 0 },
        { "", "", 1, 0 },
        { "abc", "", 0, 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        ok(snx_text_ieq(snx_cstr(tests[i].a), snx_cstr(tests[i].b))
           == tests[i].eq, "\"%s\" is \"%s\": %d", tests[i].a, tests[i].b,
           tests[i].eq);
        ok(snx_text_ihas(snx_cstr(tests[i].a), snx_cstr(tests[i].b))
           == tests[i].has, "\"%s\" has \"%s\": %d", tests[i].a, tests[i].b,
           tests[i].has);
    }

    is_int(snx_text_ihas(snx_str("abcd", 3), snx_cstr("d")), 0,
           "nothing behind the length is read");
    is_int(snx_text_ihas(snx_str(NULL, 0), snx_cstr("d")), 0, "no bytes");
}


static void
test_rate(void)
{
    int     rc;
    double  rate;
    size_t  i;

    static const struct {
        const char  *in;
        int          rc;
        double       rate;
    } tests[] = {
        { "0", 1, 0 },
        { "1", 1, 1 },
        { "0.0", 1, 0 },
        { "1.0", 1, 1 },
        { "1.000000000000000000000000", 1, 1 },
        { "0.25", 1, 0.25 },
        { ".5", 1, 0.5 },
        { "0.1", 1, 0.1 },
        { "0.3", 1, 0.3 },
        { "0.7", 1, 0.7 },
        { "0.000001", 1, 0.000001 },
        { "0.999999", 1, 0.999999 },
        { "00.5", 1, 0.5 },
        { "01", 1, 1 },
        { "0.33333333333333333333333333333333333", 1, 1.0 / 3 },
        { "0.9999999999999999999999999999999", 1, 1 },
        { "1.1", 0, 0 },
        { "1.00000000000000000000000000001", 0, 0 },
        { "2", 0, 0 },
        { "10", 0, 0 },
        { "18446744073709551616", 0, 0 },
        { "99999999999999999999999999999999999999", 0, 0 },
        { "-0", 0, 0 },
        { "-0.1", 0, 0 },
        { "+0.1", 0, 0 },
        { "1e-3", 0, 0 },
        { "0x1", 0, 0 },
        { "0,5", 0, 0 },
        { "1.", 0, 0 },
        { ".", 0, 0 },
        { "0..5", 0, 0 },
        { "0.5.", 0, 0 },
        { " 1", 0, 0 },
        { "1 ", 0, 0 },
        { "nan", 0, 0 },
        { "50%", 0, 0 },
        { "", 0, 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        rate = -1;
        rc = snx_text_rate(snx_cstr(tests[i].in), &rate);

        ok(rc == tests[i].rc, "\"%s\": %d", tests[i].in, rc);

        if (rc == 1) {
            ok(rate >= tests[i].rate - DBL_EPSILON
               && rate <= tests[i].rate + DBL_EPSILON && rate <= 1,
               "%.17g", rate);

        } else {
            ok(rate == -1, "untouched");
        }
    }
}


static void
test_append(void)
{
    char        buf[32];
    size_t      i;
    snx_text_t  t;

    static const struct {
        int64_t      n;
        const char  *text;
    } numbers[] = {
        { 0, "0" },
        { 7, "7" },
        { -7, "-7" },
        { 1234567890, "1234567890" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" },
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snx_text_init(&t, buf, sizeof(buf));
        snx_text_addn(&t, numbers[i].n);
        is_str(snx_str(t.data, t.len), numbers[i].text, numbers[i].text);
    }

    memset(buf, '#', sizeof(buf));
    snx_text_init(&t, buf, 8);
    snx_text_addz(&t, "abc");
    snx_text_add(&t, snx_str(NULL, 0));
    snx_text_addn(&t, 123);
    ok(t.len == 6 && t.cut == 0, "fits");
    snx_text_addz(&t, "defg");
    snx_text_addz(&t, "h");
    is_str(snx_str(t.data, t.len), "abc123de", "as much as there is room");
    is_int(t.cut, 1, "cut");
    is_int(buf[8], '#', "nothing behind");

    snx_text_init(&t, NULL, 0);
    snx_text_addz(&t, NULL);
    is_int(t.cut, 0, "nothing fits into nothing");
    snx_text_addz(&t, "x");
    is_int(t.cut, 1, "but nothing else");
}
