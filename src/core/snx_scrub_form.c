
/*
 * Copyright (C) ngx_sentry authors
 *
 * Filters form bodies, pair by pair.
 */


#include "snx_scrub_parts.h"


/* What is longer is cut. */
#define SNX_SCRUB_FORM_PAIR_MAX  8192


static void snx_scrub_form_pair(const snx_scrub_t *scrub,
    snx_scrub_out_t *out, const unsigned char *p, const unsigned char *end);


size_t
snx_scrub_form(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    int                   secret;
    snx_scrub_out_t       out;
    const unsigned char  *p, *end, *last, *eq;

    p = in.data;
    end = p + in.len;

    while (p < end && snx_scrub_space(*p)) {
        p++;
    }

    /* curl sends JSON as a form unless it is told otherwise */

    if (p < end && snx_scrub_in(*p, "{[")) {
        return snx_scrub_json(scrub, in, buf, cap);
    }

    snx_scrub_begin(&out, buf, cap);

    for ( /* void */ ; p < end && !out.full; p = last) {

        if (*p == '&') {
            last = p + 1;
            snx_scrub_copy(&out, p, last);
            continue;
        }

        last = snx_scrub_seek(p, end, '&');
        eq = snx_scrub_seek(p, last, '=');

        if (eq == last) {
            snx_scrub_filtered(&out);
            continue;
        }

        secret = snx_scrub_key(scrub, snx_str(p, snx_scrub_len(p, eq)));

        snx_scrub_form_pair(scrub, &out, p, secret ? eq + 1 : last);

        if (secret && eq + 1 != last) {
            snx_scrub_filtered(&out);
        }
    }

    return snx_scrub_len(out.start, out.pos);
}


/* A key with "=" and perhaps its value. */

static void
snx_scrub_form_pair(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end)
{
    size_t         n;
    unsigned char  pair[SNX_SCRUB_FORM_PAIR_MAX];

    n = snx_scrub_query(scrub, snx_str(p, snx_scrub_len(p, end)), pair,
                        sizeof(pair));

    snx_scrub_copy(out, pair, pair + n);
}
