
/*
 * Copyright (C) ngx_sentry authors
 *
 * Trace headers, valid and not.
 */


#include <stdlib.h>

#include "snx_text.h"
#include "snx_trace.h"
#include "tap.h"


#define TRACE                  "771a43a4192642f0b136d5159a501700"
#define SPAN                   "a9f442f9330b4e09"
#define IDS                    TRACE "-" SPAN
#define Z16                    "0000000000000000"


typedef snx_rc_t (*parser_pt)(snx_trace_t *trace, snx_str_t value);


typedef struct {
    const char  *value;
    snx_rc_t     rc;
    int          sampled;
} case_t;


static void test(const char *what, parser_pt parse, const case_t *tests,
    size_t n);
static void test_write(void);
static void test_lengths(const char *what, parser_pt parse, const char *value,
    size_t first, size_t last);


int
main(void)
{
    static const case_t  sentry[] = {
        { IDS, SNX_OK, -1 },
        { IDS "-1", SNX_OK, 1 },
        { IDS "-0", SNX_OK, 0 },
        { IDS "-", SNX_OK, -1 },
        { " \t" IDS "-1 ", SNX_OK, 1 },
        { "771A43A4192642F0B136D5159A501700-A9F442F9330B4E09-1", SNX_OK, 1 },
        { IDS "-1,11111111111111111111111111111111-" Z16 "-0", SNX_OK, 1 },
        { IDS "-1, " IDS "-0", SNX_OK, 1 },
        { " , ," IDS "-0", SNX_OK, 0 },
        { "00-" IDS "-00", SNX_OK, -1 },
        { "00-" IDS "-1-00", SNX_OK, 1 },
        { "00-" IDS "-01", SNX_INVALID, 0 },
        { IDS "-2", SNX_INVALID, 0 },
        { IDS "-11", SNX_INVALID, 0 },
        { IDS "1", SNX_INVALID, 0 },
        { IDS "x1", SNX_INVALID, 0 },
        { IDS "--1", SNX_INVALID, 0 },
        { "x" IDS "-1", SNX_INVALID, 0 },
        { TRACE "x" SPAN "-1", SNX_INVALID, 0 },
        { TRACE, SNX_INVALID, 0 },
        { TRACE "-", SNX_INVALID, 0 },
        { "-" SPAN, SNX_INVALID, 0 },
        { "g71a43a4192642f0b136d5159a501700-" SPAN, SNX_INVALID, 0 },
        { TRACE "-a9f442f9330b4e0g", SNX_INVALID, 0 },
        { Z16 Z16 "-" SPAN "-1", SNX_INVALID, 0 },
        { TRACE "-" Z16 "-1", SNX_INVALID, 0 },
        { "00-00", SNX_INVALID, 0 },
        { "00-0-00", SNX_INVALID, 0 },
        { ",", SNX_INVALID, 0 },
        { "0", SNX_INVALID, 0 },
        { "", SNX_INVALID, 0 },
    };

    static const case_t  w3c[] = {
        { "00-" IDS "-01", SNX_OK, 1 },
        { "00-" IDS "-00", SNX_OK, 0 },
        { "00-" IDS "-03", SNX_OK, 1 },
        { "00-" IDS "-fe", SNX_OK, 0 },
        { " 00-" IDS "-01\t", SNX_OK, 1 },
        { "01-" IDS "-01", SNX_OK, 1 },
        { "cc-" IDS "-01-what-the-future-holds", SNX_OK, 1 },
        { "cc-" IDS "-01x", SNX_INVALID, 0 },
        { "00-" IDS "-01-", SNX_INVALID, 0 },
        { "00-" IDS "-01-more", SNX_INVALID, 0 },
        { "ff-" IDS "-01", SNX_INVALID, 0 },
        { "00-" IDS "-1", SNX_INVALID, 0 },
        { "00-" IDS "-0g", SNX_INVALID, 0 },
        { "0g-" IDS "-01", SNX_INVALID, 0 },
        { "00-" IDS "_01", SNX_INVALID, 0 },
        { "00_" IDS "-01", SNX_INVALID, 0 },
        { "00-" TRACE "_" SPAN "-01", SNX_INVALID, 0 },
        { "00-771A43A4192642F0B136D5159A501700-" SPAN "-01", SNX_INVALID, 0 },
        { "00-" Z16 Z16 "-" SPAN "-01", SNX_INVALID, 0 },
        { "00-" TRACE "-" Z16 "-01", SNX_INVALID, 0 },
        { IDS "-1", SNX_INVALID, 0 },
        { "", SNX_INVALID, 0 },
    };

    test("sentry-trace", snx_trace_sentry, sentry,
         sizeof(sentry) / sizeof(sentry[0]));
    test("traceparent", snx_trace_w3c, w3c, sizeof(w3c) / sizeof(w3c[0]));

    test_lengths("sentry-trace", snx_trace_sentry, IDS "-1", 49, 51);
    test_lengths("traceparent", snx_trace_w3c, "00-" IDS "-01", 55, 55);

    test_write();

    is_int(snx_trace_sentry(&(snx_trace_t) { .sampled = 0 }, snx_str(NULL, 0)),
           SNX_INVALID, "no bytes");
    is_int(snx_trace_w3c(&(snx_trace_t) { .sampled = 0 }, snx_str(NULL, 0)),
           SNX_INVALID, "no bytes");

    return tap_done();
}


static void
test(const char *what, parser_pt parse, const case_t *tests, size_t n)
{
    char         text[50];
    size_t       i;
    snx_rc_t     rc;
    snx_trace_t  trace, untouched;

    memset(&untouched, 0x55, sizeof(untouched));

    for (i = 0; i < n; i++) {
        trace = untouched;
        rc = parse(&trace, snx_cstr(tests[i].value));

        ok(rc == tests[i].rc, "%s \"%s\": %d", what, tests[i].value, (int) rc);

        if (rc != SNX_OK) {
            ok(memcmp(&trace, &untouched, sizeof(trace)) == 0, "untouched");
            continue;
        }

        is_int(trace.sampled, tests[i].sampled, "the decision");

        snx_text_hex(trace.trace_id, 16, text);
        text[32] = '-';
        snx_text_hex(trace.span_id, 8, text + 33);
        is_mem(text, 49, IDS, "the ids");
    }
}


static void
test_write(void)
{
    char           out[64];
    unsigned char  trace_id[16], span_id[8];

    (void) snx_text_unhex(snx_cstr(TRACE), trace_id, 16);
    (void) snx_text_unhex(snx_cstr(SPAN), span_id, 8);

    is_mem(out, snx_trace_write_sentry(trace_id, span_id, 1, out), IDS "-1",
           "sampled");
    is_mem(out, snx_trace_write_sentry(trace_id, span_id, 0, out), IDS "-0",
           "not sampled");
    is_mem(out, snx_trace_write_sentry(trace_id, span_id, -1, out), IDS,
           "not decided");
    is_mem(out, snx_trace_write_w3c(trace_id, span_id, 1, out),
           "00-" IDS "-01", "traceparent, sampled");
    is_mem(out, snx_trace_write_w3c(trace_id, span_id, -1, out),
           "00-" IDS "-00", "traceparent, not decided");
}


/* Each prefix, where a sanitizer sees a read behind it. */

static void
test_lengths(const char *what, parser_pt parse, const char *value,
    size_t first, size_t last)
{
    size_t        n, wrong;
    snx_rc_t      rc;
    snx_trace_t   trace;
    char         *copy;

    wrong = 0;

    for (n = 1; n <= strlen(value); n++) {
        copy = strndup(value, n);
        copy = realloc(copy, n);
        rc = parse(&trace, snx_str(copy, n));
        wrong += (rc == SNX_OK) != (n >= first && n <= last);
        free(copy);
    }

    ok(wrong == 0, "%s: prefixes", what);
}
