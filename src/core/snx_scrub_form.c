
/*
 * Copyright (C) ngx_sentry authors
 *
 * Filters form bodies, pair by pair.
 */


#include "snx_scrub_parts.h"


size_t
snx_scrub_form(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    size_t                n;
    snx_scrub_out_t       out;
    const unsigned char  *p, *end, *last, *eq;

    snx_scrub_begin(&out, buf, cap);

    end = in.data + in.len;

    for (p = in.data; p < end && !out.full; p = last) {

        if (*p == '&') {
            last = p + 1;
            snx_scrub_copy(&out, p, last);
            continue;
        }

        last = snx_scrub_seek(p, end, '&');
        eq = snx_scrub_seek(p, last, '=');

        if (eq == last) {
            snx_scrub_filtered(&out);

        } else if (snx_scrub_key(scrub, snx_str(p, snx_scrub_len(p, eq)))
                   && eq + 1 != last)
        {
            snx_scrub_copy(&out, p, eq + 1);
            snx_scrub_filtered(&out);

        } else {
            n = snx_scrub_query(scrub, snx_str(p, snx_scrub_len(p, last)),
                                out.pos, snx_scrub_len(out.pos, out.end));
            out.pos += n;
            out.full = (n < snx_scrub_len(p, last) && out.pos == out.end);
        }
    }

    return snx_scrub_len(out.start, out.pos);
}
