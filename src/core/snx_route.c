
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_route.h"
#include "snx_text.h"


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


static int snx_route_variable(snx_str_t segment);
static int snx_route_uuid(snx_str_t s);


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
    return path.len >= with.len && memcmp(path.data, with.data, with.len) == 0;
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
        return route->regex != NULL && path.data != NULL
               && snx_regex_match(route->regex, path);
    }
}


int
snx_route_default(snx_str_t path)
{
    const snx_str_t  *s;

    for (s = snx_route_equal; s->len; s++) {
        if (path.len == s->len && snx_route_starts(path, *s)) {
            return 1;
        }
    }

    for (s = snx_route_ending; s->len; s++) {
        if (path.len > s->len
            && memcmp(path.data + path.len - s->len, s->data, s->len) == 0)
        {
            return 1;
        }
    }

    for (s = snx_route_below; s->len; s++) {
        if (snx_route_starts(path, *s)) {
            return 1;
        }
    }

    return 0;
}


/* Behind "scheme://host" of an absolute target; empty when there is none. */

static snx_str_t
snx_route_origin_form(snx_str_t target)
{
    size_t  i;

    if (target.len != 0 && target.data[0] == '/') {
        return target;
    }

    for (i = 0; i + 2 < target.len; i++) {
        if (memcmp(target.data + i, "://", 3) == 0) {
            break;
        }
    }

    for (i += 3; i < target.len; i++) {
        if (target.data[i] == '/') {
            return snx_str(target.data + i, target.len - i);
        }
    }

    return snx_str(NULL, 0);
}


/* One decoded byte, -1 at the end of the path; bad escapes stay as they are. */

static int
snx_route_next(snx_str_t s, size_t *at)
{
    unsigned char  c, byte;

    if (*at == s.len || s.data[*at] == '?' || s.data[*at] == '#') {
        return -1;
    }

    c = s.data[(*at)++];

    if (c == '%' && s.len - *at >= 2
        && snx_text_unhex(snx_str(s.data + *at, 2), &byte, 1))
    {
        *at += 2;
        return byte;
    }

    return c;
}


/* At "/" or the end: takes "", "." and ".." out again. */

static size_t
snx_route_resolve(const unsigned char *out, size_t from, size_t pos)
{
    size_t  len;

    len = pos - from;

    if (len == 0 || (len == 1 && out[from] == '.')) {
        return from;
    }

    if (len == 2 && out[from] == '.' && out[from + 1] == '.') {

        /* out[from - 1] is the "/" before; back to the one before that */

        if (from < 2) {
            return from;
        }

        for (pos = from - 1; out[pos - 1] != '/'; pos--) { /* void */ }

        return pos;
    }

    return pos;
}


size_t
snx_route_path(snx_str_t target, void *out, size_t cap)
{
    int             c;
    size_t          at, pos, from;
    unsigned char  *p;

    target = snx_route_origin_form(target);

    if (target.len == 0 || cap == 0) {
        return 0;
    }

    p = out;
    p[0] = '/';
    pos = from = at = 1;

    while ((c = snx_route_next(target, &at)) != -1 && pos < cap) {

        if (c != '/') {
            p[pos++] = (unsigned char) c;
            continue;
        }

        from = snx_route_resolve(p, from, pos);

        if (from == pos) {

            /* an ordinary segment, or none since the last "/" */

            if (p[pos - 1] != '/') {
                p[pos++] = '/';
                from = pos;
            }

            continue;
        }

        pos = from;
    }

    return snx_route_resolve(p, from, pos);
}


size_t
snx_route_name(snx_str_t path, void *out, size_t cap)
{
    size_t          i, from, len, n;
    snx_str_t       segment;
    unsigned char  *p;

    p = out;
    n = 0;

    for (i = 0; i < path.len; i = from + len) {

        /* a "/" and the segment behind it */

        from = path.data[i] == '/' ? i + 1 : i;

        for (len = 0; from + len < path.len; len++) {
            if (path.data[from + len] == '/') {
                break;
            }
        }

        segment = snx_str(path.data + from, len);

        if (snx_route_variable(segment)) {
            segment = snx_str("*", 1);
        }

        if ((from - i) + segment.len > cap - n) {
            break;
        }

        if (from != i) {
            p[n++] = '/';
        }

        if (segment.len != 0) {
            memcpy(p + n, segment.data, segment.len);
            n += segment.len;
        }
    }

    return n;
}


/* Numbers, dates, UUIDs, hexadecimal ids, tokens, addresses. */

static int
snx_route_variable(snx_str_t s)
{
    size_t  i, digits, xdigits, other, at;

    digits = xdigits = other = at = 0;

    for (i = 0; i < s.len; i++) {
        digits += (size_t) snx_route_digit(s.data[i]);
        xdigits += (size_t) snx_route_xdigit(s.data[i]);
        other += (size_t) (s.data[i] == '-' || s.data[i] == '.'
                           || s.data[i] == '_' || s.data[i] == ':'
                           || s.data[i] == ',');
        at += (size_t) (s.data[i] == '@');
    }

    if (digits != 0 && digits + other == s.len) {
        return 1;
    }

    if (s.len >= 8 && xdigits == s.len && digits != 0) {
        return 1;
    }

    if (s.len >= 24 && digits != 0) {
        return 1;
    }

    return at == 1 || snx_route_uuid(s);
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
