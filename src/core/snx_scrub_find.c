
/*
 * Copyright (C) ngx_sentry authors
 *
 * Does a piece of a URL or a word hide a secret?  Answers yes or no for the
 * whole piece, so that the caller replaces all of it; looks at characters
 * behind their percent-encoding, each once.
 */


#include "snx_scrub_parts.h"


#define SNX_SCRUB_JWT_LOOK     32      /* characters searched for a digit */


/* Tokens that tell what they are; n characters of base64url must follow. */

typedef struct {
    snx_str_t      prefix;
    unsigned       n:6;
    unsigned       digit:1;    /* one of them is a digit */
    unsigned       caps:1;     /* they are capitals and digits only */
    unsigned       alone:1;    /* no letter or digit stands before */
} snx_shape_t;


static const snx_shape_t  snx_scrub_shapes[] = {
    { snx_string("sk_live_"),     4, 0, 0, 0 },
    { snx_string("sk_test_"),     4, 0, 0, 0 },
    { snx_string("rk_live_"),     4, 0, 0, 0 },
    { snx_string("rk_test_"),     4, 0, 0, 0 },
    { snx_string("whsec_"),       8, 0, 0, 0 },
    { snx_string("sk-"),         20, 1, 0, 1 },
    { snx_string("shpat_"),      16, 0, 0, 0 },
    { snx_string("ghp_"),         6, 0, 0, 0 },
    { snx_string("gho_"),         6, 0, 0, 0 },
    { snx_string("ghu_"),         6, 0, 0, 0 },
    { snx_string("ghs_"),         6, 0, 0, 0 },
    { snx_string("ghr_"),         6, 0, 0, 0 },
    { snx_string("github_pat_"),  6, 0, 0, 0 },
    { snx_string("glpat-"),       6, 0, 0, 0 },
    { snx_string("xoxa-"),        4, 0, 0, 0 },
    { snx_string("xoxb-"),        4, 0, 0, 0 },
    { snx_string("xoxp-"),        4, 0, 0, 0 },
    { snx_string("xoxr-"),        4, 0, 0, 0 },
    { snx_string("xoxs-"),        4, 0, 0, 0 },
    { snx_string("xapp-"),        8, 1, 0, 0 },
    { snx_string("AKIA"),        16, 0, 1, 0 },
    { snx_string("ASIA"),        16, 0, 1, 0 },
    { snx_string("AIza"),        30, 0, 0, 0 },
    { snx_string("SG."),         20, 0, 0, 1 },
    { snx_string("npm_"),        30, 1, 0, 1 },
    { snx_string("ya29."),       16, 0, 0, 0 },
    { snx_string("hvs."),        20, 0, 0, 1 },
    { snx_string("dop_v1_"),     20, 0, 0, 0 }
};


/* First characters of the above and of "eyJ". */

static const uint32_t  snx_scrub_shape_first[] = {
    0x00000000, 0x00000000, 0x00080002, 0x038c41b0
};


/* What is known of the characters before the one that is looked at. */

typedef struct {
    const snx_scrub_t    *scrub;
    const unsigned char  *start;
    const unsigned char  *end;
    unsigned char         prev;
    unsigned              digits;      /* of what may be a port */
    unsigned              hit:1;       /* a sensitive word ended there */
    unsigned              slash:1;     /* "/" */
    unsigned              host:1;      /* "//" and no end of host since */
    unsigned              coded:1;     /* that was percent-encoded */
    unsigned              colon:1;     /* ":" in host, or after a word */
    unsigned              odd:1;       /* what follows it is not a port */
    unsigned              chars:1;     /* something a "@" could end */
} snx_finder_t;


#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


static int snx_scrub_shape_jwt(const unsigned char *start,
    const unsigned char *p, const unsigned char *run,
    const unsigned char *end);
static int snx_scrub_shape_prefix(const snx_shape_t *shape,
    const unsigned char *start, const unsigned char *p,
    const unsigned char *end);
static int snx_scrub_find_key(snx_finder_t *f, const unsigned char *p,
    const unsigned char *next, unsigned char c);
static int snx_scrub_find_user(snx_finder_t *f, unsigned char c, int coded);
static int snx_scrub_find_scheme(const unsigned char *p,
    const unsigned char *end);
static int snx_scrub_find_port(const unsigned char *p,
    const unsigned char *end);


const unsigned char *
snx_scrub_shape(const unsigned char *p, const unsigned char *end)
{
    size_t                i;
    const unsigned char  *start, *run;

    start = p;
    run = p;

    for ( /* void */ ; p < end; p++) {
        if (*p >= 128
            || !(snx_scrub_shape_first[*p >> 5] & (1u << (*p & 0x1f))))
        {
            continue;
        }

        if (*p == 'e' && snx_scrub_starts(p, end, "eyJ")) {

            /* one run holds many "eyJ", but is measured once */

            run = (run < p) ? p : run;

            while (run < end && snx_scrub_b64(*run)) {
                run++;
            }

            if (snx_scrub_shape_jwt(start, p, run, end)) {
                return p;
            }
        }

        for (i = 0; i < snx_nelts(snx_scrub_shapes); i++) {
            if (snx_scrub_shape_prefix(&snx_scrub_shapes[i], start, p, end)) {
                return p;
            }
        }
    }

    return end;
}


/*
 * "eyJ" is base64 of '{"'.  A JWT has a dot after its first part, run ends
 * that; without one a long run is still JSON in disguise.  Behind a letter,
 * as in keyJoin.table, a digit must show that it is no identifier; a letter
 * that ends "%3D" is none.
 */

static int
snx_scrub_shape_jwt(const unsigned char *start, const unsigned char *p,
    const unsigned char *run, const unsigned char *end)
{
    int     glued, digit;
    size_t  i, n;

    n = snx_scrub_len(p, run);

    glued = p > start && snx_scrub_alpha(p[-1])
            && !(p > start + 1 && snx_scrub_digit(p[-2])
                 && snx_scrub_lower(p[-1]) <= 'f');
    digit = 0;

    for (i = 0; i < n && i < SNX_SCRUB_JWT_LOOK; i++) {
        digit |= snx_scrub_digit(p[i]);
    }

    if (n >= 20 && digit) {
        return 1;
    }

    return n > 3 && end - run >= 2 && run[0] == '.'
           && (snx_scrub_b64(run[1]) || run[1] == '.') && (!glued || digit);
}


static int
snx_scrub_shape_prefix(const snx_shape_t *shape, const unsigned char *start,
    const unsigned char *p, const unsigned char *end)
{
    int     digit;
    size_t  i, n;

    n = shape->prefix.len;

    if (*p != shape->prefix.data[0]
        || snx_scrub_len(p, end) < n + shape->n
        || memcmp(p, shape->prefix.data, n) != 0
        || (shape->alone && p > start && snx_scrub_alnum(p[-1])))
    {
        return 0;
    }

    p += n;
    digit = 0;

    for (i = 0; i < shape->n; i++) {
        if (shape->caps && !snx_scrub_upper(p[i]) && !snx_scrub_digit(p[i])) {
            return 0;
        }

        if (!snx_scrub_b64(p[i])) {
            return 0;
        }

        digit |= snx_scrub_digit(p[i]);
    }

    return digit || !shape->digit;
}


int
snx_scrub_found(const snx_scrub_t *scrub, const unsigned char *p,
    const unsigned char *end)
{
    unsigned char         c;
    snx_finder_t          f;
    const unsigned char  *next;

    if (snx_scrub_shape(p, end) != end) {
        return 1;
    }

    memset(&f, 0, sizeof(f));

    f.scrub = scrub;
    f.start = p;
    f.end = end;

    while (p < end) {
        next = p + snx_scrub_char(p, end, &c);

        if (snx_scrub_find_key(&f, p, next, c)
            || snx_scrub_find_user(&f, c, next - p > 1))
        {
            return 1;
        }

        f.prev = c;
        p = next;
    }

    return 0;
}


/* Characters of keys: what no application takes for punctuation. */

static int
snx_scrub_find_word(unsigned char c)
{
    return c >= 0x80
           || snx_scrub_alnum(c)
           || snx_scrub_in(c, "_-.$%[]+~!*^@");
}


/* A sensitive key that has a value, or an authentication scheme. */

static int
snx_scrub_find_key(snx_finder_t *f, const unsigned char *p,
    const unsigned char *next, unsigned char c)
{
    if (snx_scrub_find_word(c)) {
        if (!snx_scrub_find_word(f->prev)) {
            f->hit = 0;
        }

        if (snx_scrub_term(f->scrub, f->prev, p, f->end)) {
            f->hit = 1;
        }

        return !snx_scrub_alnum(f->prev) && snx_scrub_find_scheme(p, f->end);
    }

    if (c == '=' || c == '>') {
        return f->hit && next < f->end;
    }

    if (c == ':') {
        return f->hit && next < f->end
               && !snx_scrub_starts(next, f->end, "//")
               && !(f->host && snx_scrub_find_port(next, f->end))
               && !snx_scrub_source(f->start, p, next, f->end);
    }

    if (!snx_scrub_space(c) && !snx_scrub_quote(c) && c != '\\' && c != ')') {
        f->hit = 0;
    }

    return 0;
}


/* user:password@host, with "//" before it or not. */

static int
snx_scrub_find_user(snx_finder_t *f, unsigned char c, int coded)
{
    int  slash;

    slash = f->slash;
    f->slash = (c == '/' || (slash && c == '\\'));

    if (c == '@' && f->chars && (f->host || f->colon)) {
        return 1;
    }

    if (f->host && (f->odd || (c == '/' && coded && !f->coded))) {

        /* a password with delimiters in it, up to "@" */

        f->chars = 1;
        return 0;
    }

    if (c == '/') {
        f->host = (slash != 0);
        f->coded = (coded != 0);
        f->colon = 0;
        f->chars = 0;

    } else if (!f->host
               && (snx_scrub_space(c) || snx_scrub_quote(c)
                   || snx_scrub_in(c, "?#&,;<>")))
    {
        f->colon = 0;
        f->chars = 0;

    } else if (c == ':') {
        f->odd = f->host && f->colon;
        f->colon = f->host || snx_scrub_find_word(f->prev);
        f->chars = f->host;
        f->digits = 0;

    } else if (c != '\\') {
        f->chars = 1;
        f->odd = f->host && f->colon
                 && (!snx_scrub_digit(c) || ++f->digits > 5);
    }

    return 0;
}


/* "Bearer x", "Basic base64" and the start of a private key. */

static int
snx_scrub_find_scheme(const unsigned char *p, const unsigned char *end)
{
    int            odd;
    size_t         n;
    unsigned char  c;

    static const snx_str_t  bearer = snx_string("bearer ");
    static const snx_str_t  basic = snx_string("basic ");
    static const snx_str_t  pem = snx_string("-----begin ");

    n = snx_scrub_at(p, end, bearer, &c);

    if (n != 0) {
        return p + n < end;
    }

    if (snx_scrub_at(p, end, pem, &c) != 0) {
        return 1;
    }

    n = snx_scrub_at(p, end, basic, &c);

    if (n == 0) {
        return 0;
    }

    odd = 0;

    for (p += n, n = 0; p < end && n < 8; n++) {
        p += snx_scrub_char(p, end, &c);

        if (!snx_scrub_b64(c) && c != '+' && c != '/' && c != '=') {
            return 0;
        }

        odd |= snx_scrub_digit(c) || snx_scrub_upper(c);
    }

    return n == 8 && odd;
}


static int
snx_scrub_find_port(const unsigned char *p, const unsigned char *end)
{
    size_t         n;
    unsigned char  c;

    for (n = 0; p < end; n++) {
        p += snx_scrub_char(p, end, &c);

        if (!snx_scrub_digit(c)) {
            return n != 0 && n <= 5 && !snx_scrub_alnum(c);
        }

        if (n == 5) {
            return 0;
        }
    }

    return n != 0;
}


int
snx_scrub_source(const unsigned char *p, const unsigned char *name,
    const unsigned char *line, const unsigned char *end)
{
    size_t  i, n;

    static const char *const  names[] = {
        ".c", ".conf", ".go", ".java", ".js", ".lua", ".php", ".pl", ".pm",
        ".py", ".rb", ".rs", ".ts"
    };

    if (!snx_scrub_find_port(line, end)) {
        return 0;
    }

    for (i = 0; i < snx_nelts(names); i++) {
        n = strlen(names[i]);

        if (snx_scrub_len(p, name) > n && memcmp(name - n, names[i], n) == 0) {
            return 1;
        }
    }

    return 0;
}


const unsigned char *
snx_scrub_last_at(const unsigned char *p, const unsigned char *end)
{
    unsigned char         c;
    const unsigned char  *at, *next;

    for (at = NULL; p < end; p = next) {
        next = p + snx_scrub_char(p, end, &c);

        if (c == '@') {
            at = p;
        }
    }

    return at;
}
