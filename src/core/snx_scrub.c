
/*
 * Copyright (C) ngx_sentry authors
 *
 * The deny list: which keys, headers and cookies hold secrets.  Keys are
 * compared as the application will read them, behind their percent-encoding.
 */


#include "snx_scrub_parts.h"


typedef enum {
    SNX_TERM_ANY = 0,          /* anywhere in the key */
    SNX_TERM_HARD,             /* likewise, and rarely harmless */
    SNX_TERM_END,              /* at the end of the key */
    SNX_TERM_TAIL              /* the last word of the key */
} snx_term_kind_t;


typedef struct {
    snx_str_t          text;
    snx_term_kind_t    kind;
} snx_term_t;


static const snx_term_t  snx_scrub_terms[] = {
    { snx_string("auth"),          SNX_TERM_ANY },
    { snx_string("authorization"), SNX_TERM_HARD },
    { snx_string("token"),         SNX_TERM_HARD },
    { snx_string("secret"),        SNX_TERM_HARD },
    { snx_string("password"),      SNX_TERM_HARD },
    { snx_string("passwd"),        SNX_TERM_HARD },
    { snx_string("passphrase"),    SNX_TERM_HARD },
    { snx_string("passcode"),      SNX_TERM_HARD },
    { snx_string("pwd"),           SNX_TERM_HARD },
    { snx_string("key"),           SNX_TERM_ANY },
    { snx_string("apikey"),        SNX_TERM_HARD },
    { snx_string("jwt"),           SNX_TERM_HARD },
    { snx_string("bearer"),        SNX_TERM_ANY },
    { snx_string("sso"),           SNX_TERM_ANY },
    { snx_string("saml"),          SNX_TERM_ANY },
    { snx_string("csrf"),          SNX_TERM_HARD },
    { snx_string("xsrf"),          SNX_TERM_HARD },
    { snx_string("credential"),    SNX_TERM_HARD },
    { snx_string("session"),       SNX_TERM_ANY },
    { snx_string("sessid"),        SNX_TERM_HARD },
    { snx_string("sid"),           SNX_TERM_ANY },
    { snx_string("identity"),      SNX_TERM_ANY },
    { snx_string("cookie"),        SNX_TERM_ANY },
    { snx_string("remember"),      SNX_TERM_ANY },
    { snx_string("oidc"),          SNX_TERM_ANY },
    { snx_string("pkce"),          SNX_TERM_ANY },
    { snx_string("nonce"),         SNX_TERM_ANY },
    { snx_string("__secure-"),     SNX_TERM_ANY },
    { snx_string("__host-"),       SNX_TERM_ANY },
    { snx_string("mfa"),           SNX_TERM_ANY },
    { snx_string("2fa"),           SNX_TERM_ANY },
    { snx_string("signature"),     SNX_TERM_END },
    { snx_string("sig"),           SNX_TERM_TAIL },
    { snx_string("pass"),          SNX_TERM_TAIL },
    { snx_string("pw"),            SNX_TERM_TAIL },
    { snx_string("otp"),           SNX_TERM_TAIL }
};


static const snx_str_t  snx_scrub_users[] = {
    snx_string("forwarded"),
    snx_string("-ip"),
    snx_string("remote-"),
    snx_string("via"),
    snx_string("-user")
};


/* Of each first character of a term the second ones, a bit each. */

#define snx_scrub_bit(c)  (1u << ((c) & 0x1f))

static const uint32_t  snx_scrub_second[128] = {
    ['2'] = snx_scrub_bit('f'),
    ['_'] = snx_scrub_bit('_'),
    ['a'] = snx_scrub_bit('p')|snx_scrub_bit('u'),
    ['b'] = snx_scrub_bit('e'),
    ['c'] = snx_scrub_bit('o')|snx_scrub_bit('r')|snx_scrub_bit('s'),
    ['i'] = snx_scrub_bit('d'),
    ['j'] = snx_scrub_bit('w'),
    ['k'] = snx_scrub_bit('e'),
    ['m'] = snx_scrub_bit('f'),
    ['n'] = snx_scrub_bit('o'),
    ['o'] = snx_scrub_bit('i')|snx_scrub_bit('t'),
    ['p'] = snx_scrub_bit('a')|snx_scrub_bit('k')|snx_scrub_bit('w'),
    ['r'] = snx_scrub_bit('e'),
    ['s'] = snx_scrub_bit('a')|snx_scrub_bit('e')|snx_scrub_bit('i')
            |snx_scrub_bit('s'),
    ['t'] = snx_scrub_bit('o'),
    ['x'] = snx_scrub_bit('s')
};


#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


static size_t snx_scrub_decode(const unsigned char *p,
    const unsigned char *end, unsigned level, unsigned char *c);
static int snx_scrub_nibble(unsigned char c);
static unsigned snx_scrub_judge(snx_term_kind_t kind, unsigned char prev,
    unsigned char first, unsigned char last, const unsigned char *p,
    const unsigned char *end);
static void snx_scrub_trim(snx_str_t *s);


size_t
snx_scrub_unquote(const unsigned char *p, const unsigned char *end,
    unsigned char *c)
{
    return snx_scrub_decode(p, end, SNX_SCRUB_LEVELS, c);
}


/* A character of level n is made of up to three characters of level n - 1. */

static size_t
snx_scrub_decode(const unsigned char *p, const unsigned char *end,
    unsigned level, unsigned char *c)
{
    int            hi, lo;
    size_t         n, m;
    unsigned char  h, l;

    if (level == 0 || *p != '%') {
        *c = *p;
        return 1;
    }

    n = snx_scrub_decode(p, end, level - 1, c);

    if (*c != '%' || p + n == end) {
        return n;
    }

    m = n + snx_scrub_decode(p + n, end, level - 1, &h);
    hi = snx_scrub_nibble(h);

    if (hi < 0 || p + m == end) {
        return n;
    }

    m += snx_scrub_decode(p + m, end, level - 1, &l);
    lo = snx_scrub_nibble(l);

    if (lo < 0) {
        return n;
    }

    *c = (unsigned char) (hi << 4 | lo);

    return m;
}


static int
snx_scrub_nibble(unsigned char c)
{
    if (snx_scrub_digit(c)) {
        return c - '0';
    }

    c = snx_scrub_lower(c);

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


size_t
snx_scrub_at(const unsigned char *p, const unsigned char *end, snx_str_t term,
    unsigned char *last)
{
    size_t                i;
    unsigned char         c;
    const unsigned char  *start;

    start = p;

    for (i = 0; i < term.len; i++) {
        if (p == end) {
            return 0;
        }

        p += snx_scrub_char(p, end, last);
        c = (*last == '+') ? ' ' : snx_scrub_lower(*last);

        if (c != term.data[i] && !(c == '_' && term.data[i] == '-')) {
            return 0;
        }
    }

    return snx_scrub_len(start, p);
}


unsigned
snx_scrub_term(const snx_scrub_t *scrub, unsigned char prev,
    const unsigned char *p, const unsigned char *end)
{
    size_t         i, n;
    unsigned       flags;
    unsigned char  c, lower, last, second;

    flags = 0;
    last = 0;

    for (i = 0; i < scrub->nterms; i++) {
        if (snx_scrub_at(p, end, scrub->terms[i], &last) != 0) {
            flags = SNX_SCRUB_ANY|SNX_SCRUB_WORD|SNX_SCRUB_HARD;
        }
    }

    n = snx_scrub_char(p, end, &c);
    lower = snx_scrub_lower(c);

    if (lower >= 128 || snx_scrub_second[lower] == 0 || p + n == end) {
        return flags;
    }

    (void) snx_scrub_char(p + n, end, &second);

    if (!(snx_scrub_second[lower] & snx_scrub_bit(second))) {
        return flags;
    }

    for (i = 0; i < snx_nelts(snx_scrub_terms); i++) {
        if (snx_scrub_terms[i].text.data[0] != lower) {
            continue;
        }

        n = snx_scrub_at(p, end, snx_scrub_terms[i].text, &last);

        if (n != 0) {
            flags |= snx_scrub_judge(snx_scrub_terms[i].kind, prev, c, last,
                                     p + n, end);
        }
    }

    return flags;
}


/*
 * What a term is worth where it stands: first and last are its own outer
 * characters, prev stands before it and p after it.
 */

static unsigned
snx_scrub_judge(snx_term_kind_t kind, unsigned char prev, unsigned char first,
    unsigned char last, const unsigned char *p, const unsigned char *end)
{
    int            begins, ends;
    size_t         n;
    unsigned char  next;

    begins = !snx_scrub_alnum(prev)
             || (snx_scrub_upper(first) && !snx_scrub_upper(prev));

    next = 0;
    n = (p < end) ? snx_scrub_char(p, end, &next) : 0;

    if (kind == SNX_TERM_TAIL || kind == SNX_TERM_END) {
        ends = !snx_scrub_alnum(next) && next != '-' && next != '_'
               && next != '.';

        return (ends && (begins || kind == SNX_TERM_END)) ? SNX_SCRUB_ANY : 0;
    }

    if (kind == SNX_TERM_HARD) {
        return SNX_SCRUB_ANY|SNX_SCRUB_WORD|SNX_SCRUB_HARD;
    }

    if (snx_scrub_lower(next) == 's') {         /* plural */
        last = next;
        p += n;
        next = 0;

        if (p < end) {
            (void) snx_scrub_char(p, end, &next);
        }
    }

    ends = !snx_scrub_alpha(next)
           || (snx_scrub_upper(next) && !snx_scrub_upper(last));

    return (begins && ends) ? SNX_SCRUB_ANY|SNX_SCRUB_WORD : SNX_SCRUB_ANY;
}


unsigned
snx_scrub_flags(const snx_scrub_t *scrub, const unsigned char *p,
    const unsigned char *end)
{
    unsigned       flags;
    unsigned char  prev;

    flags = 0;
    prev = 0;

    while (p < end) {
        flags |= snx_scrub_term(scrub, prev, p, end);
        p += snx_scrub_char(p, end, &prev);
    }

    return flags;
}


int
snx_scrub_key(const snx_scrub_t *scrub, snx_str_t key)
{
    if (key.len == 0) {
        return 0;
    }

    return snx_scrub_flags(scrub, key.data, key.data + key.len) != 0;
}


int
snx_scrub_identifies(const unsigned char *p, const unsigned char *end)
{
    size_t         i;
    unsigned char  last;

    for ( /* void */ ; p < end; p += snx_scrub_char(p, end, &last)) {
        for (i = 0; i < snx_nelts(snx_scrub_users); i++) {
            if (snx_scrub_at(p, end, snx_scrub_users[i], &last) != 0) {
                return 1;
            }
        }
    }

    return 0;
}


int
snx_scrub_header(const snx_scrub_t *scrub, snx_str_t name)
{
    if (name.len == 0) {
        return 0;
    }

    return snx_scrub_key(scrub, name)
           || (!scrub->pii
               && snx_scrub_identifies(name.data, name.data + name.len));
}


static void
snx_scrub_trim(snx_str_t *s)
{
    while (s->len != 0 && snx_scrub_space(s->data[0])) {
        s->data++;
        s->len--;
    }

    while (s->len != 0 && snx_scrub_space(s->data[s->len - 1])) {
        s->len--;
    }
}


snx_rc_t
snx_scrub_cookie(const snx_scrub_t *scrub, snx_str_t *in, snx_str_t *name,
    snx_str_t *value)
{
    const unsigned char  *p, *end, *eq;

    do {
        if (in->len == 0) {
            return SNX_DONE;
        }

        p = in->data;
        end = snx_scrub_seek(p, p + in->len, ';');

        *value = snx_str(p, snx_scrub_len(p, end));
        snx_scrub_trim(value);

        p = (end < p + in->len) ? end + 1 : end;
        in->len -= snx_scrub_len(in->data, p);
        in->data = p;

    } while (value->len == 0);

    p = value->data;
    end = p + value->len;
    eq = snx_scrub_seek(p, end, '=');

    *name = snx_str(p, snx_scrub_len(p, eq));
    snx_scrub_trim(name);

    if (eq == end || name->len == 0 || snx_scrub_found(scrub, p, eq)) {
        *name = snx_str(p, 0);
        *value = snx_cstr(SNX_FILTERED);
        return SNX_OK;
    }

    *value = snx_str(eq + 1, snx_scrub_len(eq + 1, end));
    snx_scrub_trim(value);

    if (value->len != 0
        && (snx_scrub_key(scrub, *name)
            || snx_scrub_found(scrub, value->data, value->data + value->len)))
    {
        *value = snx_cstr(SNX_FILTERED);
    }

    return SNX_OK;
}
