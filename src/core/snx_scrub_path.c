
/*
 * Copyright (C) ngx_sentry authors
 *
 * Paths, segment by segment: key=value, hosts of embedded URLs, and segments
 * that are secret because of the word before them.
 */


#include "snx_scrub_parts.h"


/* How many segments after a sensitive word may be its token. */

#define SNX_SCRUB_NEAR_HARD    2       /* /token/verify/8f3a9c1d */
#define SNX_SCRUB_NEAR_WORD    1       /* /session/8f3a9c1d */
#define SNX_SCRUB_NEAR_LINK    2       /* /reset/MTIz/5f2-8f3a9c1d */

#define SNX_SCRUB_TOKEN_MIN    6       /* with a digit */
#define SNX_SCRUB_TOKEN_LONG   16      /* without */


typedef struct {
    const snx_scrub_t    *scrub;
    snx_scrub_out_t      *out;
    unsigned              near;        /* segments that may be a token */
    unsigned              hard;        /* the word before was a hard one */
    unsigned              host;        /* whether a host is next */
    unsigned              filtered:1;  /* of the last segment, a part */
} snx_scrub_path_t;


/* Slashes are merged on the way, so that one may have been two. */

enum {
    SNX_SCRUB_HOST_NONE = 0,
    SNX_SCRUB_HOST_MAYBE,              /* after "//" or "http:/" */
    SNX_SCRUB_HOST                     /* after "http://" */
};


static void snx_scrub_path_segment(snx_scrub_path_t *path,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *snx_scrub_path_pair(snx_scrub_path_t *path,
    const unsigned char *p, const unsigned char *eq,
    const unsigned char *end);
static void snx_scrub_path_piece(snx_scrub_path_t *path,
    const unsigned char *p, const unsigned char *end);
static void snx_scrub_path_near(snx_scrub_path_t *path,
    const unsigned char *p, const unsigned char *end);
static int snx_scrub_path_link(snx_str_t name);
static int snx_scrub_path_token(const snx_scrub_path_t *path,
    const unsigned char *p, const unsigned char *end);
static int snx_scrub_path_version(const unsigned char *p,
    const unsigned char *end);
static int snx_scrub_path_slug(const unsigned char *p,
    const unsigned char *end);


size_t
snx_scrub_path(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    snx_scrub_out_t  out;

    snx_scrub_begin(&out, buf, cap);

    if (in.len != 0) {
        snx_scrub_write_path(scrub, &out, in.data, in.data + in.len);
    }

    return snx_scrub_len(out.start, out.pos);
}


/* "\/", as JSON writers spell "/", is a delimiter as well. */

void
snx_scrub_write_path(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end)
{
    snx_scrub_path_t      path;
    const unsigned char  *slash, *last;

    memset(&path, 0, sizeof(path));

    path.scrub = scrub;
    path.out = out;

    while (p < end && !out->full) {
        if (path.host == SNX_SCRUB_HOST
            || (path.host == SNX_SCRUB_HOST_MAYBE
                && snx_scrub_user(p, end, "/") != NULL))
        {
            p = snx_scrub_write_host(scrub, out, p, end, "/");

            if (path.near) {
                path.near--;
            }
        }

        path.host = SNX_SCRUB_HOST_NONE;

        slash = snx_scrub_seek(p, end, '/');

        for (last = slash; last > p && last[-1] == '\\'; last--) {
            /* void */
        }

        if (last > p) {
            snx_scrub_path_segment(&path, p, last);

            if (!path.filtered && snx_scrub_scheme(p, last)) {
                path.host = SNX_SCRUB_HOST_MAYBE;
            }
        }

        for (p = slash; p < end && (*p == '/' || *p == '\\'); p++) {
            /* void */
        }

        if (snx_scrub_starts(last, p, "//")
            || snx_scrub_starts(last, p, "\\/\\/"))
        {
            path.host = (path.host == SNX_SCRUB_HOST_NONE)
                        ? SNX_SCRUB_HOST_MAYBE : SNX_SCRUB_HOST;
        }

        snx_scrub_copy(out, last, p);
    }
}


static void
snx_scrub_path_segment(snx_scrub_path_t *path, const unsigned char *p,
    const unsigned char *end)
{
    const unsigned char  *start, *eq, *last;

    start = p;
    path->filtered = 0;

    for ( ;; ) {
        last = snx_scrub_any(p, end, "&;");
        eq = snx_scrub_seek(p, last, '=');

        if (eq == last) {
            snx_scrub_path_piece(path, p, last);
            p = last;

        } else {
            p = snx_scrub_path_pair(path, p, eq, end);
        }

        if (p == end) {
            break;
        }

        snx_scrub_copy(path->out, p, p + 1);
        p++;
    }

    snx_scrub_path_near(path, start, end);
}


/* key=value; returns where the value ends. */

static const unsigned char *
snx_scrub_path_pair(snx_scrub_path_t *path, const unsigned char *p,
    const unsigned char *eq, const unsigned char *end)
{
    const unsigned char  *last;

    snx_scrub_path_piece(path, p, eq);
    snx_scrub_copy(path->out, eq, eq + 1);

    if (snx_scrub_flags(path->scrub, p, eq)) {
        last = snx_scrub_query_value(eq + 1, end, 1);

        if (last != eq + 1) {
            snx_scrub_filtered(path->out);
        }

    } else {
        last = snx_scrub_any(eq + 1, end, "&;");
        snx_scrub_path_piece(path, eq + 1, last);
    }

    return last;
}


static void
snx_scrub_path_piece(snx_scrub_path_t *path, const unsigned char *p,
    const unsigned char *end)
{
    if ((path->near && snx_scrub_path_token(path, p, end))
        || snx_scrub_found(path->scrub, p, end))
    {
        snx_scrub_filtered(path->out);
        path->filtered = 1;

    } else {
        snx_scrub_copy(path->out, p, end);
    }
}


/* What the segment p..end says about those after it. */

static void
snx_scrub_path_near(snx_scrub_path_t *path, const unsigned char *p,
    const unsigned char *end)
{
    unsigned              flags;
    snx_str_t             name;
    const unsigned char  *eq;

    end = snx_scrub_any(p, end, "&;");
    eq = snx_scrub_seek(p, end, '=');
    flags = snx_scrub_flags(path->scrub, p, eq);
    name = snx_str(p, snx_scrub_len(p, end));

    if ((flags & SNX_SCRUB_HARD) || (flags && eq != end)) {
        path->near = SNX_SCRUB_NEAR_HARD;
        path->hard = 1;

    } else if (flags & SNX_SCRUB_WORD) {
        path->near = SNX_SCRUB_NEAR_WORD;
        path->hard = 0;

    } else if (snx_scrub_path_link(name)) {
        path->near = SNX_SCRUB_NEAR_LINK;
        path->hard = 0;

    } else if (path->near) {
        path->near--;
    }
}


/* Segments of links that are sent by mail, with a token behind them. */

static int
snx_scrub_path_link(snx_str_t name)
{
    size_t  i;

    static const char *const  names[] = {
        "activate", "activation", "confirm", "invitation", "invite", "magic",
        "recover", "reset", "unsubscribe", "verify"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (snx_scrub_is(name, names[i])) {
            return 1;
        }
    }

    return 0;
}


/*
 * Whether a segment behind a sensitive word is more than a route's name:
 * long, or with a digit.  Behind the softer words a long name may consist of
 * words ("/auth/email-verification").
 */

static int
snx_scrub_path_token(const snx_scrub_path_t *path, const unsigned char *p,
    const unsigned char *end)
{
    size_t  n;

    n = snx_scrub_len(p, end);

    if (n < SNX_SCRUB_TOKEN_MIN || snx_scrub_path_version(p, end)
        || snx_scrub_done(p, end))
    {
        return 0;
    }

    if (n >= SNX_SCRUB_TOKEN_LONG) {
        return path->hard || !snx_scrub_path_slug(p, end);
    }

    while (p < end && !snx_scrub_digit(*p)) {
        p++;
    }

    return p < end;
}


/* "oauth2", "v1beta1", "v2.0.1" */

static int
snx_scrub_path_version(const unsigned char *p, const unsigned char *end)
{
    if (end - p == 6 && snx_scrub_starts(p, end, "oauth")) {
        return 1;
    }

    if (p == end || *p != 'v') {
        return 0;
    }

    for (p++; p < end && (snx_scrub_digit(*p) || *p == '.'); p++) {
        if (end - p >= 3 && snx_scrub_digit(p[0]) && snx_scrub_digit(p[1])
            && snx_scrub_digit(p[2]))
        {
            return 0;
        }
    }

    if (snx_scrub_starts(p, end, "alpha")) {
        p += 5;

    } else if (snx_scrub_starts(p, end, "beta")) {
        p += 4;
    }

    return p == end || (p + 1 == end && snx_scrub_digit(*p));
}


/* Words of small letters, two at least. */

static int
snx_scrub_path_slug(const unsigned char *p, const unsigned char *end)
{
    int     words;
    size_t  n;

    words = 1;

    for (n = 0; p < end; p++) {
        if (*p == '-' || *p == '_' || *p == '.') {
            words++;
            n = 0;

        } else if (*p < 'a' || *p > 'z' || ++n >= SNX_SCRUB_TOKEN_LONG) {
            return 0;
        }
    }

    return words > 1;
}


int
snx_scrub_scheme(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 2 || end[-1] != ':' || !snx_scrub_alpha(*p)) {
        return 0;
    }

    for (end--; p < end; p++) {
        if (!snx_scrub_alnum(*p) && *p != '+' && *p != '-' && *p != '.') {
            return 0;
        }
    }

    return 1;
}


const unsigned char *
snx_scrub_any(const unsigned char *p, const unsigned char *end,
    const char *set)
{
    while (p < end && !snx_scrub_in(*p, set)) {
        p++;
    }

    return p;
}
