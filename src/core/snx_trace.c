
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reading the trace headers of a request, bytes from anybody, and writing
 * them.
 */


#include "snx_trace.h"
#include "snx_text.h"


#define SNX_TRACE_IDS_LEN      49      /* 32 digits, "-", 16 digits */


static snx_str_t snx_trace_first(snx_str_t s);
static int snx_trace_ids(snx_trace_t *trace, const unsigned char *p);
static int snx_trace_zero(const unsigned char *p, size_t len);


/* Two headers of the same name joined by a proxy: the first one with text. */

static snx_str_t
snx_trace_first(snx_str_t s)
{
    size_t     i;
    snx_str_t  one;

    do {
        for (i = 0; i < s.len && s.data[i] != ','; i++) { /* void */ }

        one = snx_text_trim(snx_str(s.data, i));
        i += (i < s.len);
        s = snx_str(i == 0 ? s.data : s.data + i, s.len - i);

    } while (one.len == 0 && s.len != 0);

    return one;
}


static int
snx_trace_zero(const unsigned char *p, size_t len)
{
    size_t         i;
    unsigned char  any;

    any = 0;

    for (i = 0; i < len; i++) {
        any |= p[i];
    }

    return any == 0;
}


/* p has SNX_TRACE_IDS_LEN bytes. */

static int
snx_trace_ids(snx_trace_t *trace, const unsigned char *p)
{
    return p[32] == '-'
           && snx_text_unhex(snx_str(p, 32), trace->trace_id, 16)
           && snx_text_unhex(snx_str(p + 33, 16), trace->span_id, 8)
           && !snx_trace_zero(trace->trace_id, 16)
           && !snx_trace_zero(trace->span_id, 8);
}


snx_rc_t
snx_trace_sentry(snx_trace_t *trace, snx_str_t value)
{
    snx_str_t    s;
    snx_trace_t  t;

    s = snx_trace_first(value);

    /* some proxies wrap it like a traceparent */

    if (s.len >= 6 && memcmp(s.data, "00-", 3) == 0
        && memcmp(s.data + s.len - 3, "-00", 3) == 0)
    {
        s = snx_str(s.data + 3, s.len - 6);
    }

    if (s.len < SNX_TRACE_IDS_LEN || s.len > SNX_TRACE_IDS_LEN + 2
        || !snx_trace_ids(&t, s.data))
    {
        return SNX_INVALID;
    }

    s = snx_str(s.data + SNX_TRACE_IDS_LEN, s.len - SNX_TRACE_IDS_LEN);
    t.sampled = -1;

    if (s.len != 0 && s.data[0] != '-') {
        return SNX_INVALID;
    }

    if (s.len == 2) {
        if (s.data[1] != '0' && s.data[1] != '1') {
            return SNX_INVALID;
        }

        t.sampled = (int8_t) (s.data[1] - '0');
    }

    *trace = t;

    return SNX_OK;
}


/*
 * Version 00 is exactly "00-ids-flags"; later versions may add fields, ff is
 * forbidden.  Digits are lower case.
 */

snx_rc_t
snx_trace_w3c(snx_trace_t *trace, snx_str_t value)
{
    size_t         i;
    snx_str_t      s;
    snx_trace_t    t;
    unsigned char  version, flags;

    s = snx_text_trim(value);

    if (s.len < 55 || s.data[2] != '-' || s.data[52] != '-') {
        return SNX_INVALID;
    }

    for (i = 0; i < 55; i++) {
        if (s.data[i] >= 'A' && s.data[i] <= 'Z') {
            return SNX_INVALID;
        }
    }

    if (!snx_text_unhex(snx_str(s.data, 2), &version, 1)
        || !snx_text_unhex(snx_str(s.data + 53, 2), &flags, 1)
        || !snx_trace_ids(&t, s.data + 3)
        || version == 0xff
        || (s.len > 55 && (version == 0 || s.data[55] != '-')))
    {
        return SNX_INVALID;
    }

    t.sampled = flags & 1;
    *trace = t;

    return SNX_OK;
}


size_t
snx_trace_write_sentry(const unsigned char trace_id[16],
    const unsigned char span_id[8], int sampled,
    char out[SNX_TRACE_SENTRY_MAX])
{
    snx_text_hex(trace_id, 16, out);

    return 32 + snx_trace_write_span(span_id, sampled, out + 32);
}


size_t
snx_trace_write_span(const unsigned char span_id[8], int sampled,
    char out[SNX_TRACE_SPAN_MAX])
{
    out[0] = '-';
    snx_text_hex(span_id, 8, out + 1);

    if (sampled < 0) {
        return SNX_TRACE_SPAN_MAX - 2;
    }

    out[17] = '-';
    out[18] = sampled ? '1' : '0';

    return SNX_TRACE_SPAN_MAX;
}


size_t
snx_trace_write_w3c(const unsigned char trace_id[16],
    const unsigned char span_id[8], int sampled, char out[SNX_TRACE_W3C_LEN])
{
    memcpy(out, "00-", 3);
    (void) snx_trace_write_sentry(trace_id, span_id, -1, out + 3);
    memcpy(out + 52, sampled > 0 ? "-01" : "-00", 3);

    return SNX_TRACE_W3C_LEN;
}
