
/*
 * Copyright (C) ngx_sentry authors
 *
 * URLs and queries.  They are cut at the characters that stand there as they
 * are; a secret hidden behind percent-encoding makes all that stands between
 * two cuts a secret.
 */


#include "snx_scrub_parts.h"


/* How far a "@" is looked for behind what is no port number. */

#define SNX_SCRUB_LOOK         256


static void snx_scrub_write_query(const snx_scrub_t *scrub,
    snx_scrub_out_t *out, const unsigned char *p, const unsigned char *end);
static int snx_scrub_url_like(const unsigned char *p,
    const unsigned char *end);
static void snx_scrub_query_piece(const snx_scrub_t *scrub,
    snx_scrub_out_t *out, const unsigned char *p, const unsigned char *end);
static const unsigned char *snx_scrub_host_end(const unsigned char *p,
    const unsigned char *end, const char *stop);
static int snx_scrub_host_odd(const unsigned char *p,
    const unsigned char *end);


void
snx_scrub_begin(snx_scrub_out_t *out, void *buf, size_t cap)
{
    out->start = buf;
    out->pos = buf;
    out->end = (cap == 0) ? buf : out->start + cap;
    out->full = 0;
}


void
snx_scrub_copy(snx_scrub_out_t *out, const unsigned char *p,
    const unsigned char *end)
{
    size_t  n;

    if (out->full || p >= end) {
        return;
    }

    n = snx_scrub_len(p, end);

    if (n > snx_scrub_len(out->pos, out->end)) {
        n = snx_scrub_len(out->pos, out->end);
        out->full = 1;
    }

    if (n != 0) {
        memcpy(out->pos, p, n);
        out->pos += n;
    }
}


void
snx_scrub_filtered(snx_scrub_out_t *out)
{
    if (snx_scrub_len(out->pos, out->end) < sizeof(SNX_FILTERED) - 1) {
        out->full = 1;
    }

    if (!out->full) {
        memcpy(out->pos, SNX_FILTERED, sizeof(SNX_FILTERED) - 1);
        out->pos += sizeof(SNX_FILTERED) - 1;
    }
}


size_t
snx_scrub_query(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    snx_scrub_out_t  out;

    snx_scrub_begin(&out, buf, cap);

    if (in.len != 0) {
        snx_scrub_write_query(scrub, &out, in.data, in.data + in.len);
    }

    return snx_scrub_len(out.start, out.pos);
}


size_t
snx_scrub_url(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    snx_scrub_out_t  out;

    snx_scrub_begin(&out, buf, cap);

    if (in.len != 0) {
        snx_scrub_write_url(scrub, &out, in.data, in.data + in.len);
    }

    return snx_scrub_len(out.start, out.pos);
}


/*
 * The host is written first, up to its "@" wherever that is: passwords that
 * ought to be encoded hold "?" and "#".
 */

void
snx_scrub_write_url(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *host, *path;

    host = snx_scrub_host(p, end);

    if (host != NULL) {
        snx_scrub_copy(out, p, host);
        p = snx_scrub_write_host(scrub, out, host, end, "/?#");
    }

    path = snx_scrub_any(p, end, "?#");

    snx_scrub_write_path(scrub, out, p, path);
    snx_scrub_write_query(scrub, out, path, end);
}


/*
 * Begins with a delimiter or a key.  "?" and "#" cut values as well, since a
 * value may be a URL with parameters of its own; they do not cut secrets.
 */

static void
snx_scrub_write_query(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end)
{
    int                   secret;
    const unsigned char  *key, *eq, *last;

    while (p < end && !out->full) {
        for (key = p; key < end && snx_scrub_in(*key, "?#&;"); key++) {
            /* void */
        }

        snx_scrub_copy(out, p, key);

        last = snx_scrub_any(key, end, snx_scrub_url_like(key, end)
                                       ? "?&;" : "&;");
        eq = snx_scrub_seek(key, last, '=');

        snx_scrub_query_piece(scrub, out, key, eq);

        if (eq == last) {
            p = last;
            continue;
        }

        snx_scrub_copy(out, eq, eq + 1);

        secret = snx_scrub_flags(scrub, key, eq) != 0;
        p = snx_scrub_query_value(eq + 1, end, secret);

        if (secret && p != eq + 1) {
            snx_scrub_filtered(out);

        } else {
            snx_scrub_query_piece(scrub, out, eq + 1, p);
        }
    }
}


/*
 * Where the value at p ends.  A ";" may belong to a secret: it does when no
 * "=" follows it up to the next delimiter.
 */

const unsigned char *
snx_scrub_query_value(const unsigned char *p, const unsigned char *end,
    int secret)
{
    const unsigned char  *next;

    if (!secret) {
        return snx_scrub_any(p, end, "?#&;");
    }

    p = snx_scrub_any(p, end, "&;");

    while (p < end && *p == ';') {
        next = snx_scrub_any(p + 1, end, "&;");

        if (snx_scrub_seek(p + 1, next, '=') != next) {
            break;
        }

        p = next;
    }

    return p;
}


static int
snx_scrub_url_like(const unsigned char *p, const unsigned char *end)
{
    return p < end && (*p == '/' || snx_scrub_host(p, end) != NULL);
}


/* A key, or a value that is not secret by its key. */

static void
snx_scrub_query_piece(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end)
{
    if (p == end) {
        return;
    }

    if (snx_scrub_url_like(p, end) || !snx_scrub_found(scrub, p, end)) {
        snx_scrub_write_path(scrub, out, p, end);
        return;
    }

    snx_scrub_filtered(out);
}


const unsigned char *
snx_scrub_host(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *start;

    for (start = p; p < end; p++) {
        if (!snx_scrub_alnum(*p) && *p != '+' && *p != '-' && *p != '.') {
            break;
        }
    }

    if (p < end && *p == ':' && snx_scrub_scheme(start, p + 1)) {
        p++;

    } else if (p != start) {
        return NULL;
    }

    if (snx_scrub_starts(p, end, "//")) {
        return p + 2;
    }

    return snx_scrub_starts(p, end, "\\/\\/") ? p + 4 : NULL;
}


const unsigned char *
snx_scrub_user(const unsigned char *p, const unsigned char *end,
    const char *stop)
{
    const unsigned char  *last, *at;

    last = snx_scrub_host_end(p, end, stop);
    at = snx_scrub_last_at(p, last);

    if (at == NULL && snx_scrub_host_odd(p, last)) {
        end = (end - last > SNX_SCRUB_LOOK) ? last + SNX_SCRUB_LOOK : end;
        at = snx_scrub_last_at(last, end);

        return (at == NULL) ? last : at;
    }

    return (at == p) ? NULL : at;
}


const unsigned char *
snx_scrub_write_host(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end, const char *stop)
{
    unsigned char         c;
    const unsigned char  *last, *at, *port;

    at = snx_scrub_user(p, end, stop);
    last = snx_scrub_host_end(p, end, stop);

    if (at == last) {
        snx_scrub_filtered(out);
        return last;
    }

    if (at != NULL) {
        snx_scrub_filtered(out);
        last = snx_scrub_host_end(at, end, stop);
        p = at + snx_scrub_char(at, last, &c);
        snx_scrub_copy(out, at, p);
    }

    port = snx_scrub_any(p, last, ":");

    if (snx_scrub_host_odd(p, last) || snx_scrub_found(scrub, p, port)
        || snx_scrub_found(scrub, port, last))
    {
        snx_scrub_filtered(out);

    } else {
        snx_scrub_copy(out, p, last);
    }

    return last;
}


static const unsigned char *
snx_scrub_host_end(const unsigned char *p, const unsigned char *end,
    const char *stop)
{
    end = snx_scrub_any(p, end, stop);

    while (end > p && end[-1] == '\\') {
        end--;
    }

    return end;
}


/*
 * Whether what follows the host's colon is no port: then it is the password
 * of a URL that was cut, or that holds delimiters.  A variable is a port.
 */

static int
snx_scrub_host_odd(const unsigned char *p, const unsigned char *end)
{
    int     variable;
    size_t  n;

    if (p < end && *p == '[') {
        p = snx_scrub_seek(p, end, ']');
    }

    p = snx_scrub_seek(p, end, ':');

    if (end - p < 2 || snx_scrub_starts(p + 1, end, SNX_FILTERED)) {
        return 0;
    }

    variable = (p[1] == '$');

    for (p += 1 + variable, n = 0; p < end; p++, n++) {
        if (!snx_scrub_digit(*p)
            && !(variable && (*p == '_' || (*p >= 'a' && *p <= 'z'))))
        {
            return 1;
        }
    }

    return !variable && n > 5;
}
