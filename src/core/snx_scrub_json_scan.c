
/*
 * Copyright (C) ngx_sentry authors
 *
 * Strings and numbers of JSON.
 */


#include "snx_scrub_parts.h"
#include "snx_text.h"


static size_t snx_scrub_json_escape(const unsigned char *p,
    const unsigned char *end, unsigned char *out, size_t *n);


int
snx_scrub_json_number(snx_str_t s)
{
    const unsigned char  *p, *end, *digits;

    if (snx_scrub_is(s, "true") || snx_scrub_is(s, "false")
        || snx_scrub_is(s, "null"))
    {
        return s.data[0] >= 'a';
    }

    p = s.data;
    end = p + s.len;
    p += (p < end && *p == '-');

    for (digits = p; p < end && snx_scrub_digit(*p); p++) { /* void */ }

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return 0;
    }

    if (p < end && *p == '.') {
        for (digits = ++p; p < end && snx_scrub_digit(*p); p++) { /* void */ }

        if (p == digits) {
            return 0;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += (p < end && (*p == '-' || *p == '+'));

        for (digits = p; p < end && snx_scrub_digit(*p); p++) { /* void */ }

        if (p == digits) {
            return 0;
        }
    }

    return p == end;
}


snx_rc_t
snx_scrub_json_string(const unsigned char **pos, const unsigned char *end,
    unsigned char *text, size_t cap, snx_str_t *raw, size_t *len)
{
    size_t                n, used;
    const unsigned char  *p, *start;

    start = *pos + 1;
    *len = 0;

    for (p = start; p < end && *p != '"'; /* void */ ) {

        if (*p < ' ' || *len + 4 > cap) {
            return SNX_INVALID;
        }

        if (*p != '\\') {
            text[(*len)++] = *p++;
            continue;
        }

        used = snx_scrub_json_escape(p, end, text + *len, &n);

        if (used == 0) {
            return SNX_INVALID;
        }

        p += used;
        *len += n;
    }

    if (p == end) {
        return SNX_INVALID;
    }

    *raw = snx_str(start, (size_t) (p - start));
    *pos = p + 1;

    return SNX_OK;
}


/* Four hexadecimal digits; -1 when there are none. */

static int
snx_scrub_json_hex(const unsigned char *p, const unsigned char *end)
{
    unsigned char  b[2];

    if (end - p < 4 || !snx_text_unhex(snx_str(p, 4), b, 2)) {
        return -1;
    }

    return b[0] << 8 | b[1];
}


/*
 * What the escape at p means, as n bytes of UTF-8; returns how many bytes it
 * takes, 0: invalid.  Half a pair of surrogates reads "?".
 */

static size_t
snx_scrub_json_escape(const unsigned char *p, const unsigned char *end,
    unsigned char *out, size_t *n)
{
    int          c, low;
    size_t       used;
    const char  *at;

    static const char  escapes[] = "\"\\/bfnrt";
    static const char  meanings[] = "\"\\/\b\f\n\r\t";

    if (end - p < 2) {
        return 0;
    }

    at = p[1] == '\0' ? NULL : strchr(escapes, p[1]);

    if (at != NULL) {
        *out = (unsigned char) meanings[at - escapes];
        *n = 1;
        return 2;
    }

    c = p[1] == 'u' ? snx_scrub_json_hex(p + 2, end) : -1;

    if (c == -1) {
        return 0;
    }

    used = 6;

    if (c >= 0xd800 && c <= 0xdfff) {
        low = end - p >= 8 && p[6] == '\\' && p[7] == 'u'
              ? snx_scrub_json_hex(p + 8, end) : -1;

        if (c <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
            used = 12;

        } else {
            c = '?';
        }
    }

    if (c < 0x80) {
        out[0] = (unsigned char) c;
        *n = 1;

    } else if (c < 0x800) {
        out[0] = (unsigned char) (0xc0 | c >> 6);
        out[1] = (unsigned char) (0x80 | (c & 0x3f));
        *n = 2;

    } else if (c < 0x10000) {
        out[0] = (unsigned char) (0xe0 | c >> 12);
        out[1] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (unsigned char) (0x80 | (c & 0x3f));
        *n = 3;

    } else {
        out[0] = (unsigned char) (0xf0 | c >> 18);
        out[1] = (unsigned char) (0x80 | (c >> 12 & 0x3f));
        out[2] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        out[3] = (unsigned char) (0x80 | (c & 0x3f));
        *n = 4;
    }

    return used;
}
