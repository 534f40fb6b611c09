
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_json.h"
#include "snx_text.h"


#define SNX_JSON_GROWTH        6       /* a byte may become "\u001f" */
#define SNX_JSON_STAMP         20      /* time up to its fraction */

#define SNX_JSON_ONES          0x0101010101010101u
#define SNX_JSON_TOPS          0x8080808080808080u


void
snx_json_begin(snx_json_t *j, void *buf, size_t cap)
{
    j->start = buf;
    j->pos = buf;
    j->end = j->start + cap;
    j->arrays = 0;
    j->comma = 0;
    j->full = 0;

    snx_json_object(j, NULL);
}


snx_rc_t
snx_json_end(snx_json_t *j, size_t *len)
{
    snx_json_close(j);

    if (j->full) {
        return SNX_TOO_BIG;
    }

    *len = (size_t) (j->pos - j->start);

    return SNX_OK;
}


/* Where want bytes of a value go, behind comma and name; NULL: no room. */

static char *
snx_json_room(snx_json_t *j, const char *key, size_t want)
{
    char    *p;
    size_t   n;

    p = j->pos;
    n = key == NULL ? 0 : strlen(key);

    if ((size_t) (j->end - p) < want + n + 4) {
        j->full = 1;
        return NULL;
    }

    if (j->comma) {
        *p++ = ',';
    }

    j->comma = 1;

    if (key != NULL) {
        *p++ = '"';
        p = (char *) memcpy(p, key, n) + n;
        *p++ = '"';
        *p++ = ':';
    }

    return p;
}


static void
snx_json_open(snx_json_t *j, const char *key, unsigned array)
{
    char  *p;

    j->arrays = j->arrays << 1 | array;

    p = snx_json_room(j, key, 1);

    if (p != NULL) {
        *p++ = array ? '[' : '{';
        j->pos = p;
    }

    j->comma = 0;
}


void
snx_json_object(snx_json_t *j, const char *key)
{
    snx_json_open(j, key, 0);
}


void
snx_json_array(snx_json_t *j, const char *key)
{
    snx_json_open(j, key, 1);
}


void
snx_json_close(snx_json_t *j)
{
    if (j->pos == j->end) {
        j->full = 1;

    } else {
        *j->pos++ = (j->arrays & 1) ? ']' : '}';
    }

    j->arrays >>= 1;
    j->comma = 1;
}


/*
 * Whether eight bytes are copied as they are: ASCII, none below a blank, no
 * quote, no backslash.  Subtracting borrows into the top bit of a byte that
 * is below what is subtracted; a borrow may make a neighbour look special,
 * which costs time only.
 */

static int
snx_json_plain(uint64_t w)
{
    return ((w | (w - 0x20 * SNX_JSON_ONES)
             | ((w ^ '"' * SNX_JSON_ONES) - SNX_JSON_ONES)
             | ((w ^ '\\' * SNX_JSON_ONES) - SNX_JSON_ONES))
            & SNX_JSON_TOPS) == 0;
}


static char *
snx_json_escape(char *p, unsigned char c)
{
    char               e;
    static const char  hex[] = "0123456789abcdef";

    e = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '\b' ? 'b'
        : c == '\f' ? 'f' : c >= 0x20 ? (char) c : '\0';

    *p++ = '\\';

    if (e != '\0') {
        *p++ = e;
        return p;
    }

    *p++ = 'u';
    *p++ = '0';
    *p++ = '0';
    *p++ = hex[c >> 4];
    *p++ = hex[c & 0xf];

    return p;
}


/*
 * Writes the next character of s, whole or as U+FFFD, unless it is longer
 * than *left; cuts it off s and its length off *left.
 */

static char *
snx_json_char(char *p, snx_str_t *s, size_t *left)
{
    size_t                n, used;
    unsigned char         c;
    const unsigned char  *src;

    c = s->data[0];
    src = s->data;
    n = snx_text_char(src, s->len);
    used = n;

    if (n == 0) {
        src = (const unsigned char *) "\xef\xbf\xbd";
        n = 3;
        used = 1;
    }

    if (n > *left) {
        *left = 0;
        return p;
    }

    if (n == 1 && (c < 0x20 || c == '"' || c == '\\')) {
        p = snx_json_escape(p, c);

    } else {
        p = (char *) memcpy(p, src, n) + n;
    }

    s->data += used;
    s->len -= used;
    *left -= n;

    return p;
}


/* The same for four to seven bytes, which overlap. */

static size_t
snx_json_short(char *p, const unsigned char *src, size_t n)
{
    uint32_t  head, tail;

    memcpy(&head, src, sizeof(head));
    memcpy(&tail, src + n - sizeof(tail), sizeof(tail));

    if (!snx_json_plain((uint64_t) head << 32 | tail)) {
        return 0;
    }

    memcpy(p, &head, sizeof(head));
    memcpy(p + n - sizeof(tail), &tail, sizeof(tail));

    return n;
}


/*
 * As many of the next n bytes as are copied as they are, eight at a time;
 * the last eight may overlap those before.
 */

static size_t
snx_json_run(char *p, const unsigned char *src, size_t n)
{
    size_t    i;
    uint64_t  w;

    if (n < sizeof(w)) {
        return n < sizeof(uint32_t) ? 0 : snx_json_short(p, src, n);
    }

    for (i = 0; n - i >= sizeof(w); i += sizeof(w)) {
        memcpy(&w, src + i, sizeof(w));

        if (!snx_json_plain(w)) {
            return i;
        }

        memcpy(p + i, &w, sizeof(w));
    }

    if (i == n || i == 0) {
        return i;
    }

    memcpy(&w, src + n - sizeof(w), sizeof(w));

    if (!snx_json_plain(w)) {
        return i;
    }

    memcpy(p + n - sizeof(w), &w, sizeof(w));

    return n;
}


/* At most left bytes of s, as they are before they are escaped. */

static char *
snx_json_bytes(char *p, snx_str_t s, size_t left)
{
    size_t         n;
    unsigned char  c;

    while (s.len != 0 && left != 0) {

        n = snx_json_run(p, s.data, s.len < left ? s.len : left);

        p += n;
        s.data += n;
        s.len -= n;
        left -= n;

        /* the next eight are looked at one by one */

        for (n = sizeof(uint64_t); n != 0 && s.len != 0 && left != 0; n--) {
            c = s.data[0];

            if (c < 0x20 || c > 0x7f || c == '"' || c == '\\') {
                p = snx_json_char(p, &s, &left);
                continue;
            }

            *p++ = (char) c;
            s.data++;
            s.len--;
            left--;
        }
    }

    return p;
}


/* A string in its quotes; p has room for SNX_JSON_GROWTH times its bytes. */

static char *
snx_json_quoted(char *p, snx_str_t s, size_t max)
{
    *p++ = '"';
    p = snx_json_bytes(p, s, max);
    *p++ = '"';

    return p;
}


void
snx_json_text(snx_json_t *j, const char *key, snx_str_t s, size_t max)
{
    char    *p;
    size_t   n;

    n = s.len < max ? s.len : max;
    p = snx_json_room(j, key, SNX_JSON_GROWTH * n + 2);

    if (p != NULL) {
        j->pos = snx_json_quoted(p, s, max);
    }
}


void
snx_json_str(snx_json_t *j, const char *key, snx_str_t s, size_t max)
{
    if (s.len != 0) {
        snx_json_text(j, key, s, max);
    }
}


void
snx_json_name(snx_json_t *j, snx_str_t name, size_t max)
{
    snx_json_text(j, NULL, name, max);

    if (j->pos == j->end) {
        j->full = 1;

    } else {
        *j->pos++ = ':';
    }

    j->comma = 0;
}


void
snx_json_const(snx_json_t *j, const char *key, const char *z)
{
    char    *p;
    size_t   n;

    n = strlen(z);
    p = snx_json_room(j, key, n + 2);

    if (p != NULL) {
        *p++ = '"';
        p = (char *) memcpy(p, z, n) + n;
        *p++ = '"';
        j->pos = p;
    }
}


void
snx_json_hex(snx_json_t *j, const char *key, const unsigned char *data,
    size_t len)
{
    char  *p;

    p = snx_json_room(j, key, 2 * len + 2);

    if (p != NULL) {
        *p++ = '"';
        snx_text_hex(data, len, p);
        p += 2 * len;
        *p++ = '"';
        j->pos = p;
    }
}


void
snx_json_num(snx_json_t *j, const char *key, int64_t n)
{
    char  *p;

    p = snx_json_room(j, key, SNX_TEXT_NUM_MAX);

    if (p != NULL) {
        j->pos = p + snx_text_num(n, p);
    }
}


void
snx_json_decimal(snx_json_t *j, const char *key, int64_t n, int places)
{
    int       i;
    char     *p;
    int64_t   unit;

    if (n < 0) {
        return;
    }

    p = snx_json_room(j, key, 2 * SNX_TEXT_NUM_MAX);

    if (p == NULL) {
        return;
    }

    for (i = 0, unit = 1; i < places; i++) {
        unit *= 10;
    }

    p += snx_text_num(n / unit, p);
    *p++ = '.';

    for (n %= unit, i = places - 1; i >= 0; i--, n /= 10) {
        p[i] = (char) ('0' + n % 10);
    }

    j->pos = p + places;
}


void
snx_json_ms(snx_json_t *j, const char *key, int64_t ms)
{
    snx_json_decimal(j, key, ms, 3);
}


/* Most times of an item are of one second: its date is written once. */

void
snx_json_time(snx_json_t *j, const char *key, int64_t us)
{
    int    i;
    char  *p, buf[SNX_TEXT_TIME_MAX];

    p = snx_json_room(j, key, SNX_TEXT_TIME_MAX + 2);

    if (p == NULL) {
        return;
    }

    us = us < 0 ? 0 : us;

    if (us / 1000000 != j->sec || j->stamp[0] == '\0') {
        (void) snx_text_time(us, buf);
        memcpy(j->stamp, buf, SNX_JSON_STAMP);
        j->sec = us / 1000000;
    }

    *p++ = '"';
    p = (char *) memcpy(p, j->stamp, SNX_JSON_STAMP) + SNX_JSON_STAMP;

    for (i = 5, us %= 1000000; i >= 0; i--, us /= 10) {
        p[i] = (char) ('0' + us % 10);
    }

    p += 6;
    *p++ = 'Z';
    *p++ = '"';
    j->pos = p;
}


void
snx_json_bool(snx_json_t *j, const char *key, int on)
{
    char    *p;
    size_t   n;

    n = on ? 4 : 5;
    p = snx_json_room(j, key, n);

    if (p != NULL) {
        j->pos = (char *) memcpy(p, on ? "true" : "false", n) + n;
    }
}


/* The end of the string that begins at p, behind its quote. */

static const char *
snx_json_skip(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }

    return p + 1;
}


int
snx_json_has(const snx_json_t *j, const char *from, snx_str_t name)
{
    int          depth;
    const char  *p, *next;

    depth = 0;

    for (p = from; p < j->pos; p = next) {
        next = p + 1;

        if (*p == '{' || *p == '[') {
            depth++;

        } else if (*p == '}' || *p == ']') {
            depth--;

        } else if (*p == '"') {
            next = snx_json_skip(p, j->pos);

            if (depth == 0 && next < j->pos && *next == ':'
                && (size_t) (next - p) == name.len + 2
                && memcmp(p + 1, name.data, name.len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}
