
/*
 * Copyright (C) ngx_sentry authors
 *
 * Rows for the tests of the filter.  Each is also filtered again, which must
 * change nothing, and into every smaller buffer, which must hold the beginning
 * of the same text and no part of "[Filtered]" at its end.
 */


#ifndef SCRUB_UTIL_H_INCLUDED
#define SCRUB_UTIL_H_INCLUDED


#include <stdlib.h>

#include "snx_scrub.h"
#include "tap.h"


#define UTIL_OUT_MAX           16384

#define util_n(a)              (sizeof(a) / sizeof((a)[0]))


typedef size_t (*util_scrub_pt)(const snx_scrub_t *scrub, snx_str_t in,
    void *out, size_t cap);


/* expected NULL: the same as in */

typedef struct {
    const char  *in;
    const char  *expected;
} util_row_t;


/* The text as a name of a test: one line. */

static TAP_UNUSED const char *
util_name(snx_str_t s)
{
    size_t       i, n;

    static char  name[160];

    for (i = 0, n = 0; i < s.len && n < sizeof(name) - 5; i++) {
        if (s.data[i] >= ' ' && s.data[i] < 0x7f && s.data[i] != '#') {
            name[n++] = (char) s.data[i];

        } else {
            n += (size_t) snprintf(name + n, 5, "\\x%02x", s.data[i]);
        }
    }

    name[n] = '\0';

    return name;
}


static TAP_UNUSED int
util_has(snx_str_t s, const char *text)
{
    size_t  i, n;

    n = strlen(text);

    for (i = 0; i + n <= s.len; i++) {
        if (memcmp(s.data + i, text, n) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Whether s ends with "[", "[F", ... "[Filtered". */

static TAP_UNUSED int
util_half(snx_str_t s)
{
    size_t       n;

    static const char  mark[] = SNX_FILTERED;

    for (n = sizeof(mark) - 2; n > 1; n--) {
        if (s.len >= n && memcmp(s.data + s.len - n, mark, n) == 0) {
            return 1;
        }
    }

    return 0;
}


static TAP_UNUSED int
util_again(util_scrub_pt scrub, const snx_scrub_t *conf, snx_str_t out)
{
    size_t                n;

    static unsigned char  buf[UTIL_OUT_MAX];

    n = scrub(conf, out, buf, sizeof(buf));

    if (n == out.len && memcmp(buf, out.data, n) == 0) {
        return 1;
    }

    tap_bytes("again   ", buf, n);

    return 0;
}


static TAP_UNUSED int
util_cut(util_scrub_pt scrub, const snx_scrub_t *conf, snx_str_t in,
    snx_str_t whole)
{
    size_t          cap, n;
    unsigned char  *buf;

    for (cap = 0; cap < whole.len; cap++) {
        buf = malloc(cap + 1);          /* its size for the sanitizer */

        if (buf == NULL) {
            return 0;
        }

        n = scrub(conf, in, buf, cap);

        if (n > cap || memcmp(buf, whole.data, n) != 0
            || (util_half(snx_str(buf, n)) && !util_has(in, "[Filtered]")))
        {
            tap_bytes("cut     ", buf, n);
            free(buf);
            return 0;
        }

        free(buf);
    }

    return 1;
}


static TAP_UNUSED void
util_row(util_scrub_pt scrub, const snx_scrub_t *conf, snx_str_t in,
    snx_str_t expected)
{
    size_t                n;

    static unsigned char  out[UTIL_OUT_MAX];

    n = scrub(conf, in, out, sizeof(out));

    if (n != expected.len || memcmp(out, expected.data, n) != 0) {
        ok(0, "%s", util_name(in));
        tap_bytes("got     ", out, n);
        tap_bytes("expected", expected.data, expected.len);
        return;
    }

    ok(util_again(scrub, conf, snx_str(out, n))
       && util_cut(scrub, conf, in, snx_str(out, n)),
       "%s", util_name(in));
}


static TAP_UNUSED void
util_rows(util_scrub_pt scrub, const snx_scrub_t *conf,
    const util_row_t *rows, size_t n)
{
    size_t       i;
    const char  *expected;

    for (i = 0; i < n; i++) {
        expected = rows[i].expected ? rows[i].expected : rows[i].in;
        util_row(scrub, conf, snx_cstr(rows[i].in), snx_cstr(expected));
    }
}


#endif /* SCRUB_UTIL_H_INCLUDED */
