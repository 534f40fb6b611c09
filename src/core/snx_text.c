
/*
 * Copyright (C) ngx_sentry authors
 *
 * Bytes as text.  Input may be any bytes: nothing is terminated, nothing is
 * trusted, no locale is asked.
 */


#include "snx_text.h"


#define SNX_TEXT_US_MAX        253402300799999999   /* end of the year 9999 */


/* gcc since 12, clang */

#ifdef __has_builtin
#define SNX_TEXT_VECTORS       __has_builtin(__builtin_shufflevector)
#else
#define SNX_TEXT_VECTORS       0
#endif


static unsigned char snx_text_lower(unsigned char c);
static int snx_text_nibble(unsigned char c);
static char *snx_text_digits(char *p, int64_t n, int width);


size_t
snx_text_char(const unsigned char *p, size_t len)
{
    size_t         i, n;
    unsigned char  lo, hi;

    lo = 0x80;
    hi = 0xbf;

    if (p[0] < 0x80) {
        return p[0] != '\0';

    } else if (p[0] < 0xc2) {
        return 0;

    } else if (p[0] < 0xe0) {
        n = 2;

    } else if (p[0] < 0xf0) {
        n = 3;
        lo = (p[0] == 0xe0) ? 0xa0 : 0x80;      /* overlong */
        hi = (p[0] == 0xed) ? 0x9f : 0xbf;      /* surrogates */

    } else if (p[0] < 0xf5) {
        n = 4;
        lo = (p[0] == 0xf0) ? 0x90 : 0x80;      /* overlong */
        hi = (p[0] == 0xf4) ? 0x8f : 0xbf;      /* above U+10FFFF */

    } else {
        return 0;
    }

    if (len < n || p[1] < lo || p[1] > hi) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


size_t
snx_text_utf8(snx_str_t in, void *out, size_t cap, int *cut)
{
    size_t                len, n, i, used;
    unsigned char        *dst;
    const unsigned char  *src;

    dst = out;
    len = 0;

    for (i = 0; i < in.len; i += used) {
        src = &in.data[i];

        if (src[0] - 1u < 0x7f && len < cap) {
            dst[len++] = src[0];
            used = 1;
            continue;
        }

        n = snx_text_char(src, in.len - i);
        used = n;

        if (n == 0) {
            src = (const unsigned char *) "\xef\xbf\xbd";
            n = 3;
            used = 1;
        }

        if (n > cap - len) {
            if (cut != NULL) {
                *cut = 1;
            }

            break;
        }

        memcpy(&dst[len], src, n);
        len += n;
    }

    return len;
}


int
snx_text_valid(snx_str_t in)
{
    size_t  i, n;

    for (i = 0; i < in.len; i += n) {
        n = snx_text_char(&in.data[i], in.len - i);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


/* Ids are written for each request: where it can be, 8 bytes at once. */

#if SNX_TEXT_VECTORS

typedef signed char  snx_text_bytes_t __attribute__((vector_size(16)));
typedef uint64_t     snx_text_words_t __attribute__((vector_size(16)));


static inline void
snx_text_hex_word(const unsigned char *in, char *out)
{
    uint64_t          word;
    snx_text_bytes_t  high, low, digits;

    memcpy(&word, in, 8);

    high = (snx_text_bytes_t) ((snx_text_words_t) { word, 0 } >> 4) & 15;
    low = (snx_text_bytes_t) (snx_text_words_t) { word, 0 } & 15;

    digits = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19,
                                     4, 20, 5, 21, 6, 22, 7, 23);
    digits += '0' + ((digits > 9) & ('a' - '9' - 1));

    memcpy(out, &digits, 16);
}

#endif


void
snx_text_hex(const unsigned char *in, size_t len, char *out)
{
    static const char  digits[] = "0123456789abcdef";

#if SNX_TEXT_VECTORS

    for ( /* void */ ; len >= 8; len -= 8) {
        snx_text_hex_word(in, out);
        in += 8;
        out += 16;
    }

#endif

    for ( /* void */ ; len != 0; len--) {
        *out++ = digits[*in >> 4];
        *out++ = digits[*in++ & 15];
    }
}


static int
snx_text_nibble(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = snx_text_lower(c);

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


int
snx_text_unhex(snx_str_t in, unsigned char *out, size_t len)
{
    int     hi, lo;
    size_t  i;

    if (in.len / 2 != len || in.len % 2 != 0) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        hi = snx_text_nibble(in.data[2 * i]);
        lo = snx_text_nibble(in.data[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return 0;
        }

        out[i] = (unsigned char) (hi << 4 | lo);
    }

    return 1;
}


static char *
snx_text_digits(char *p, int64_t n, int width)
{
    int  i;

    for (i = width - 1; i >= 0; i--) {
        p[i] = (char) ('0' + n % 10);
        n /= 10;
    }

    return p + width;
}


/* Civil date from days, in years that begin on 1 March. */

size_t
snx_text_time(int64_t us, char out[SNX_TEXT_TIME_MAX])
{
    char     *p;
    int64_t   sec, days, era, doe, yoe, doy, mp, month;

    us = (us < 0) ? 0 : (us > SNX_TEXT_US_MAX) ? SNX_TEXT_US_MAX : us;

    sec = us / 1000000;
    days = sec / 86400 + 719468;        /* since 0000-03-01 */
    era = days / 146097;                /* days of 400 years */
    doe = days % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    month = (mp < 10) ? mp + 3 : mp - 9;

    p = snx_text_digits(out, era * 400 + yoe + (month <= 2), 4);
    *p++ = '-';
    p = snx_text_digits(p, month, 2);
    *p++ = '-';
    p = snx_text_digits(p, doy - (153 * mp + 2) / 5 + 1, 2);
    *p++ = 'T';
    p = snx_text_digits(p, sec / 3600 % 24, 2);
    *p++ = ':';
    p = snx_text_digits(p, sec / 60 % 60, 2);
    *p++ = ':';
    p = snx_text_digits(p, sec % 60, 2);
    *p++ = '.';
    p = snx_text_digits(p, us % 1000000, 6);
    *p++ = 'Z';
    *p = '\0';

    return (size_t) (p - out);
}


static unsigned char
snx_text_lower(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') ? (unsigned char) (c | 0x20) : c;
}


snx_str_t
snx_text_trim(snx_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = snx_str(s.data + 1, s.len - 1);
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


int
snx_text_ieq(snx_str_t a, snx_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        if (snx_text_lower(a.data[i]) != snx_text_lower(b.data[i])) {
            return 0;
        }
    }

    return 1;
}


int
snx_text_ihas(snx_str_t text, snx_str_t term)
{
    size_t         i;
    unsigned char  first;

    if (term.len == 0 || term.len > text.len) {
        return 0;
    }

    first = snx_text_lower(term.data[0]);

    for (i = 0; i <= text.len - term.len; i++) {
        if (snx_text_lower(text.data[i]) == first
            && snx_text_ieq(snx_str(&text.data[i], term.len), term))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * strtod() would ask the locale.  Digits beyond the 18th are checked but not
 * counted, so the quotient is exact to the last bit a rate can use.
 */

int
snx_text_rate(snx_str_t in, double *rate)
{
    int       point, digit;
    size_t    i;
    double    scale;
    uint64_t  mantissa, over;

    scale = 1;
    point = 0;
    digit = -1;
    mantissa = 0;
    over = 0;

    for (i = 0; i < in.len; i++) {
        if (in.data[i] == '.' && !point) {
            point = 1;
            digit = -1;
            continue;
        }

        if (in.data[i] < '0' || in.data[i] > '9') {
            return 0;
        }

        digit = in.data[i] - '0';
        over |= (uint64_t) (mantissa >= (uint64_t) scale && digit != 0);

        if (scale < 1e18) {
            mantissa = mantissa * 10 + (uint64_t) digit;
            scale *= point ? 10 : 1;
        }

        if (over || (!point && mantissa > 1)) {
            return 0;
        }
    }

    if (digit == -1) {
        return 0;
    }

    *rate = (double) mantissa / scale;

    return 1;
}


void
snx_text_init(snx_text_t *t, void *buf, size_t cap)
{
    t->data = buf;
    t->len = 0;
    t->cap = cap;
    t->cut = 0;
}


void
snx_text_add(snx_text_t *t, snx_str_t s)
{
    if (s.len > t->cap - t->len) {
        s.len = t->cap - t->len;
        t->cut = 1;
    }

    if (s.len != 0) {
        memcpy(t->data + t->len, s.data, s.len);
        t->len += s.len;
    }
}


void
snx_text_addz(snx_text_t *t, const char *z)
{
    snx_text_add(t, snx_cstr(z));
}


size_t
snx_text_num(int64_t n, char out[SNX_TEXT_NUM_MAX])
{
    char      *p;
    size_t     len;
    uint64_t   u, left;

    /* the absolute value of INT64_MIN exists only unsigned */

    u = (n < 0) ? -(uint64_t) n : (uint64_t) n;
    len = (n < 0) ? 2 : 1;

    for (left = u; left >= 10; left /= 10) {
        len++;
    }

    p = out + len;

    do {
        *--p = (char) ('0' + u % 10);
        u /= 10;
    } while (u != 0);

    if (n < 0) {
        *--p = '-';
    }

    return len;
}


void
snx_text_addn(snx_text_t *t, int64_t n)
{
    char  buf[SNX_TEXT_NUM_MAX];

    snx_text_add(t, snx_str(buf, snx_text_num(n, buf)));
}
