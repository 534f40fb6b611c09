
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: what a caller says about its trace, any bytes as sentry-trace,
 * traceparent and baggage (two headers divided by a NUL).  Holds: what is
 * read can be written and read again to the same, and was in the header;
 * what is refused touches nothing; baggage stays within its bound, reads as
 * the same members, has no byte that ends a header, and takes changes.
 */


#include "fuzz.h"
#include "snx_baggage.h"
#include "snx_sample.h"
#include "snx_text.h"
#include "snx_trace.h"


static void check_trace(snx_str_t value, int w3c);
static void check_baggage(snx_str_t headers, size_t cap);
static void check_members(const snx_baggage_t *b, int ours);
static void check_again(const snx_baggage_t *b, int ours);
static void check_set(snx_baggage_t *b, snx_str_t text);
static void check_sample(snx_str_t value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     cap;
    fuzz_in_t  in;
    snx_str_t  value;

    in.p = data;
    in.left = size;

    cap = fuzz_byte(&in) * 32 + 1;
    value = fuzz_copy(fuzz_take(&in, FUZZ_IN_MAX));

    check_trace(value, 0);
    check_trace(value, 1);
    check_baggage(value, cap);
    check_sample(value);

    fuzz_free(value);

    return 0;
}


static void
check_trace(snx_str_t value, int w3c)
{
    char         out[SNX_TRACE_W3C_LEN];
    size_t       len;
    snx_rc_t     rc;
    snx_trace_t  trace, again, untouched;

    memset(&untouched, 0x5a, sizeof(untouched));
    trace = untouched;

    rc = w3c ? snx_trace_w3c(&trace, value) : snx_trace_sentry(&trace, value);

    if (rc != SNX_OK) {
        require(rc == SNX_INVALID
                && memcmp(&trace, &untouched, sizeof(trace)) == 0,
                "what is refused touches nothing");
        return;
    }

    len = w3c ? snx_trace_write_w3c(trace.trace_id, trace.span_id,
                                    trace.sampled, out)
              : snx_trace_write_sentry(trace.trace_id, trace.span_id,
                                       trace.sampled, out);

    require(len <= (w3c ? SNX_TRACE_W3C_LEN : SNX_TRACE_SENTRY_MAX),
            "within its bound");
    require(snx_text_ihas(value, snx_str(out + (w3c ? 3 : 0), 49)),
            "these ids were in the header");
    require(trace.sampled >= -!w3c && trace.sampled <= 1, "a flag");

    rc = w3c ? snx_trace_w3c(&again, snx_str(out, len))
             : snx_trace_sentry(&again, snx_str(out, len));

    require(rc == SNX_OK && memcmp(again.trace_id, trace.trace_id, 16) == 0
            && memcmp(again.span_id, trace.span_id, 8) == 0
            && again.sampled == trace.sampled, "read again to the same");
}


static void
check_baggage(snx_str_t headers, size_t cap)
{
    int                   ours;
    size_t                first;
    unsigned char        *mem;
    snx_baggage_t         b;
    const unsigned char  *nul;

    nul = headers.len ? memchr(headers.data, '\0', headers.len) : NULL;
    first = nul ? (size_t) (nul - headers.data) : headers.len;

    mem = fuzz_memory(cap);

    for (ours = 0; ours < 2; ours++) {
        snx_baggage_init(&b, mem, cap);

        if (ours) {
            snx_baggage_ours(&b, snx_str(headers.data, first));
            snx_baggage_ours(&b, snx_str(headers.data + first,
                                         headers.len - first));

        } else {
            snx_baggage_others(&b, snx_str(headers.data, first));
            snx_baggage_others(&b, snx_str(headers.data + first,
                                           headers.len - first));
        }

        check_members(&b, ours);
        check_again(&b, ours);
    }

    check_set(&b, snx_cstr("a, \"\xff"));
    check_members(&b, 1);
    check_set(&b, headers);
    check_members(&b, 1);

    free(mem);
}


static void
check_members(const snx_baggage_t *b, int ours)
{
    size_t         i, n, len;
    uint32_t       random;
    snx_str_t      rest;
    snx_member_t   member;
    unsigned char  out[64];

    require(b->len <= b->cap, "within its bound");

    for (i = 0; i < b->len; i++) {
        require((b->data[i] >= ' ' || b->data[i] == '\t')
                && b->data[i] != 0x7f, "no control character");
    }

    rest = snx_str(b->data, b->len);
    len = 0;
    n = 0;

    while (snx_baggage_next(&rest, &member) == SNX_OK) {
        require(member.ours == (unsigned) ours, "of one kind");

        len += member.text.len + (n++ != 0);

        require(snx_baggage_decode(member.value, out, sizeof(out))
                <= sizeof(out), "decoded within its bound");

        if (snx_sample_read(member.value, &random)) {
            require(random < SNX_SAMPLE_RAND_N, "sample_rand in its range");
        }
    }

    require(len == b->len, "nothing between the members but commas");
    require(!ours || n <= SNX_BAGGAGE_OURS_MAX_N, "not more than are kept");
}


static void
check_again(const snx_baggage_t *b, int ours)
{
    snx_baggage_t   again;
    unsigned char  *mem;

    mem = fuzz_memory(b->len);
    snx_baggage_init(&again, mem, b->len);

    if (ours) {
        snx_baggage_ours(&again, snx_str(b->data, b->len));

    } else {
        snx_baggage_others(&again, snx_str(b->data, b->len));
    }

    require(fuzz_same(snx_str(b->data, b->len),
                      snx_str(again.data, again.len)), "written again");
    free(mem);
}


/* Any text goes in and comes out; a member that is dropped is gone. */

static void
check_set(snx_baggage_t *b, snx_str_t text)
{
    size_t          n;
    snx_str_t       value;
    unsigned char  *out;

    if (snx_baggage_set(b, "sampled", text)) {
        require(snx_baggage_find(snx_str(b->data, b->len), "sampled", &value)
                == SNX_OK, "what was set is found");

        out = fuzz_memory(text.len);
        n = snx_baggage_decode(value, out, text.len);

        require(fuzz_same(snx_str(out, n), text), "and is the same");
        free(out);
    }

    snx_baggage_drop(b, "sampled");

    require(snx_baggage_find(snx_str(b->data, b->len), "sampled", &value)
            == SNX_DONE, "what was dropped is gone");
}


static void
check_sample(snx_str_t value)
{
    char      out[SNX_SAMPLE_RATE_MAX];
    double    rate, rate2;
    size_t    n;
    uint32_t  random, random2;

    if (snx_sample_read(value, &random)) {
        n = snx_sample_write(random, out);

        require(random < SNX_SAMPLE_RAND_N && n == SNX_SAMPLE_RAND_LEN
                && snx_sample_read(snx_str(out, n), &random2)
                && random2 == random, "sample_rand again");
    }

    if (snx_text_rate(value, &rate)) {
        n = snx_sample_write_rate(rate, out);

        require(rate >= 0 && rate <= 1 && n <= sizeof(out)
                && snx_text_rate(snx_str(out, n), &rate2)
                && rate2 - rate < 1e-5 && rate - rate2 < 1e-5, "a rate again");
    }
}
