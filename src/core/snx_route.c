
/*
 * Copyright (C) ngx_sentry authors
 *
 * Paths.  snx_route_path() does what ngx_http_parse_complex_uri() does, but
 * never fails: bad escapes stay, ".." at the top stays there.
 */


#include "snx_route.h"
#include "snx_text.h"


#define SNX_ROUTE_HEX_MIN      8       /* with a digit: an id */
#define SNX_ROUTE_LONG         24      /* with a digit: a token or a slug */


/* DESIGN, section 6: what is dropped when nothing else was said. */

static const snx_str_t  snx_route_equal[] = {
    snx_string("/health"),
    snx_string("/healthz"),
    snx_string("/healthcheck"),
    snx_string("/live"),
    snx_string("/livez"),
    snx_string("/ready"),
    snx_string("/readyz"),
    snx_string("/ping"),
    snx_string("/metrics"),
    snx_string("/docs"),
    snx_string("/redoc"),
    snx_string("/openapi.json"),
    snx_string("/favicon.ico"),
    snx_string("/robots.txt"),
    snx_null_string
};


static const snx_str_t  snx_route_ending[] = {
    snx_string("/health"),
    snx_string("/healthz"),
    snx_string("/livez"),
    snx_string("/readyz"),
    snx_string("/ping"),
    snx_null_string
};


static const snx_str_t  snx_route_below[] = {
    snx_string("/docs/"),
    snx_string("/redoc/"),
    snx_string("/_next/"),
    snx_null_string
};


/*
 * A path that is written while it is resolved.  What does not fit any more is
 * only counted, so that ".." still takes away the right segment.
 */

typedef struct {
    unsigned char  *data;
    size_t          len;
    size_t          cap;
    size_t          slashes;   /* that did not fit */
    unsigned        cut:1;     /* something did not fit */
} snx_route_out_t;


static snx_str_t snx_route_origin(snx_str_t target);
static size_t snx_route_plain(snx_str_t target);
static size_t snx_route_char(snx_str_t s, size_t i, unsigned char *c);
static size_t snx_route_segment(snx_str_t s, size_t i, size_t *n,
    size_t *dots);
static void snx_route_put(snx_route_out_t *out, unsigned char c);
static void snx_route_up(snx_route_out_t *out);
static int snx_route_variable(snx_str_t s);
static int snx_route_uuid(snx_str_t s);
static int snx_route_email(snx_str_t s);


static inline int
snx_route_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


static inline int
snx_route_xdigit(unsigned char c)
{
    return snx_route_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}


static inline int
snx_route_starts(snx_str_t path, snx_str_t with)
{
    return path.len >= with.len
           && (with.len == 0 || memcmp(path.data, with.data, with.len) == 0);
}


int
snx_route_match(const snx_route_t *route, snx_str_t path)
{
    switch (route->type) {

    case SNX_ROUTE_PREFIX:
        return snx_route_starts(path, route->pattern);

    case SNX_ROUTE_EXACT:
        return path.len == route->pattern.len
               && snx_route_starts(path, route->pattern);

    default:
        return route->regex != NULL && snx_regex_match(route->regex, path);
    }
}


int
snx_route_default(snx_str_t path)
{
    const snx_str_t  *s;

    for (s = snx_route_equal; s->len != 0; s++) {
        if (path.len == s->len && snx_route_starts(path, *s)) {
            return 1;
        }
    }

    for (s = snx_route_ending; s->len != 0; s++) {
        if (path.len > s->len
            && memcmp(path.data + path.len - s->len, s->data, s->len) == 0)
        {
            return 1;
        }
    }

    for (s = snx_route_below; s->len != 0; s++) {
        if (snx_route_starts(path, *s)) {
            return 1;
        }
    }

    return 0;
}


size_t
snx_route_path(snx_str_t target, void *buf, size_t cap)
{
    size_t           i, last, n, dots;
    unsigned char    c;
    snx_route_out_t  out;

    target = snx_route_origin(target);

    if (target.len == 0 || cap == 0) {
        return 0;
    }

    i = snx_route_plain(target);

    if (i != 0 && i <= cap) {
        memcpy(buf, target.data, i);
        return i;
    }

    memset(&out, 0, sizeof(out));

    out.data = buf;
    out.cap = cap;

    snx_route_put(&out, '/');

    for (i = 0; i < target.len; /* void */ ) {
        last = snx_route_segment(target, i, &n, &dots);

        if (n == 2 && dots == 2) {
            snx_route_up(&out);

        } else if (n != 0 && !(n == 1 && dots == 1)) {
            while (i < last) {
                i += snx_route_char(target, i, &c);
                snx_route_put(&out, c);
            }
        }

        if (last == target.len || target.data[last] == '?'
            || target.data[last] == '#')
        {
            break;
        }

        i = last + snx_route_char(target, last, &c);

        if (n > 2 || dots != n) {
            snx_route_put(&out, '/');
        }
    }

    return out.len;
}


/*
 * The target from its path on: behind the host of the absolute form, where
 * no path means "/".  Empty when it has none: "*", "host:443".
 */

static snx_str_t
snx_route_origin(snx_str_t target)
{
    size_t         i;
    unsigned char  c;

    if (target.len != 0 && target.data[0] == '/') {
        return target;
    }

    for (i = 0; i < target.len; i++) {
        c = (unsigned char) (target.data[i] | 0x20);

        if (!(c >= 'a' && c <= 'z')
            && (i == 0 || (!snx_route_digit(target.data[i])
                           && memchr("+-.", target.data[i], 3) == NULL)))
        {
            break;
        }
    }

    if (i == 0 || target.len - i < 3
        || memcmp(target.data + i, "://", 3) != 0)
    {
        return snx_str(NULL, 0);
    }

    for (i += 3; i < target.len; i++) {
        if (target.data[i] == '/') {
            return snx_str(target.data + i, target.len - i);
        }

        if (target.data[i] == '?' || target.data[i] == '#') {
            break;
        }
    }

    return snx_str("/", 1);
}


/* Length of a path that is its own normal form, as most are; 0: it is not. */

static size_t
snx_route_plain(snx_str_t target)
{
    size_t         i;
    unsigned char  c, last;

    last = '\0';

    for (i = 0; i < target.len; i++) {
        c = target.data[i];

        if (c == '%' || (last == '/' && (c == '/' || c == '.'))) {
            return 0;
        }

        if (c == '?' || c == '#') {
            break;
        }

        last = c;
    }

    return i;
}


/* Decodes once; an escape that is bad or stands for NUL is itself. */

static size_t
snx_route_char(snx_str_t s, size_t i, unsigned char *c)
{
    if (s.data[i] == '%' && s.len - i > 2
        && snx_text_unhex(snx_str(s.data + i + 1, 2), c, 1) && *c != '\0')
    {
        return 3;
    }

    *c = s.data[i];

    return 1;
}


/* Where the segment at i ends, how many characters it has, how many dots. */

static size_t
snx_route_segment(snx_str_t s, size_t i, size_t *n, size_t *dots)
{
    size_t         len;
    unsigned char  c;

    *n = 0;
    *dots = 0;

    for ( /* void */ ; i < s.len; i += len) {
        if (s.data[i] == '?' || s.data[i] == '#') {
            break;
        }

        len = snx_route_char(s, i, &c);

        if (c == '/') {
            break;
        }

        (*n)++;
        *dots += (c == '.');
    }

    return i;
}


static void
snx_route_put(snx_route_out_t *out, unsigned char c)
{
    if (out->cut || out->len == out->cap) {
        out->cut = 1;
        out->slashes += (c == '/');
        return;
    }

    out->data[out->len++] = c;
}


/* Takes away the last segment; the output ends with a "/" before and after. */

static void
snx_route_up(snx_route_out_t *out)
{
    if (out->slashes > 1) {
        out->slashes--;
        return;
    }

    if (out->slashes == 0) {
        out->len -= (out->len > 1);
    }

    while (out->data[out->len - 1] != '/') {
        out->len--;
    }

    out->slashes = 0;
    out->cut = 0;
}


size_t
snx_route_name(snx_str_t path, void *buf, size_t cap)
{
    size_t          i, from, to, n;
    snx_str_t       segment;
    unsigned char  *out;

    out = buf;
    n = 0;

    for (i = 0; i < path.len; i = to) {
        from = i + (path.data[i] == '/');

        for (to = from; to < path.len && path.data[to] != '/'; to++) {
            /* void */
        }

        segment = snx_str(path.data + from, to - from);

        if (snx_route_variable(segment)) {
            segment = snx_str("*", 1);
        }

        if (segment.len + (from - i) > cap - n) {
            break;
        }

        if (from != i) {
            out[n++] = '/';
        }

        if (segment.len != 0) {
            memcpy(out + n, segment.data, segment.len);
            n += segment.len;
        }
    }

    if (n == 0 && cap != 0 && path.len != 0) {
        out[n++] = '/';
    }

    return n;
}


/*
 * Numbers, dates and addresses of digits and punctuation, hexadecimal ids,
 * UUIDs, whatever is long and has a digit, e-mail addresses.  "1.0" is a
 * version.
 */

static int
snx_route_variable(snx_str_t s)
{
    size_t         i, digits, xdigits, other;
    unsigned char  c;

    digits = 0;
    xdigits = 0;
    other = 0;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        digits += (c >= '0' && c <= '9');
        xdigits += (snx_route_xdigit(c) != 0);
        other += (c == '-' || c == '.' || c == '_' || c == ':' || c == ',');
    }

    if (digits != 0
        && (s.len >= SNX_ROUTE_LONG
            || (s.len >= SNX_ROUTE_HEX_MIN && xdigits == s.len)
            || (digits + other == s.len
                && !(s.len == 3 && s.data[1] == '.'))))
    {
        return 1;
    }

    return snx_route_uuid(s) || snx_route_email(s);
}


static int
snx_route_uuid(snx_str_t s)
{
    size_t  i;

    if (s.len != 36) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.data[i] != '-') {
                return 0;
            }

        } else if (!snx_route_xdigit(s.data[i])) {
            return 0;
        }
    }

    return 1;
}


static int
snx_route_email(snx_str_t s)
{
    size_t  i, at;

    at = 0;

    for (i = 1; i < s.len; i++) {
        if (s.data[i] == '@') {
            at = i;

        } else if (s.data[i] == '.' && at != 0 && i > at + 1) {
            return 1;
        }
    }

    return 0;
}
