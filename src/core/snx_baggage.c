
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reading and writing baggage.
 */


#include "snx_baggage.h"
#include "snx_text.h"


#define SNX_BAGGAGE_PREFIX     "sentry-"
#define SNX_BAGGAGE_PREFIX_LEN (sizeof(SNX_BAGGAGE_PREFIX) - 1)


static snx_str_t snx_baggage_before(snx_str_t s, unsigned char c);
static int snx_baggage_read(snx_str_t text, snx_member_t *member);
static int snx_baggage_is_key(snx_str_t s);
static int snx_baggage_is_text(snx_str_t s);
static int snx_baggage_is_value(snx_str_t s);
static int snx_baggage_plain(unsigned char c);
static int snx_baggage_nibble(unsigned char c);
static unsigned snx_baggage_count(snx_str_t baggage);
static void snx_baggage_remove(snx_baggage_t *b, snx_str_t key);


/* What stands before the first c, or all. */

static snx_str_t
snx_baggage_before(snx_str_t s, unsigned char c)
{
    const unsigned char  *p;

    p = s.len ? memchr(s.data, c, s.len) : NULL;

    return p ? snx_str(s.data, (size_t) (p - s.data)) : s;
}


snx_rc_t
snx_baggage_next(snx_str_t *rest, snx_member_t *member)
{
    size_t     n;
    snx_str_t  text;

    while (rest->len != 0) {
        text = snx_baggage_before(*rest, ',');

        n = text.len + (text.len < rest->len);
        *rest = snx_str(rest->data + n, rest->len - n);

        if (snx_baggage_read(snx_text_trim(text), member)) {
            return SNX_OK;
        }
    }

    return SNX_DONE;
}


static int
snx_baggage_read(snx_str_t text, snx_member_t *member)
{
    size_t     n;
    snx_str_t  pair, key, value;

    pair = snx_baggage_before(text, ';');
    key = snx_baggage_before(pair, '=');

    if (key.len == pair.len) {
        return 0;
    }

    n = key.len + 1;
    value = snx_text_trim(snx_str(pair.data + n, pair.len - n));
    key = snx_text_trim(key);

    member->text = text;
    member->key = key;
    member->value = value;
    member->ours = key.len > SNX_BAGGAGE_PREFIX_LEN
                   && memcmp(key.data, SNX_BAGGAGE_PREFIX,
                             SNX_BAGGAGE_PREFIX_LEN) == 0;

    if (!member->ours) {
        return key.len != 0 && snx_baggage_is_text(text);
    }

    /* nobody gives Sentry's members properties */

    member->text = snx_text_trim(pair);
    member->key = snx_str(key.data + SNX_BAGGAGE_PREFIX_LEN,
                          key.len - SNX_BAGGAGE_PREFIX_LEN);

    return snx_baggage_is_key(key) && snx_baggage_is_value(value);
}


static int
snx_baggage_is_key(snx_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f) {
            return 0;
        }

        switch (s.data[i]) {

        case '"': case '(': case ')': case ',': case '/': case ':':
        case ';': case '<': case '=': case '>': case '?': case '@':
        case '[': case '\\': case ']': case '{': case '}':
            return 0;

        default:
            break;
        }
    }

    return s.len != 0;
}


static int
snx_baggage_is_text(snx_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
snx_baggage_is_value(snx_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f || s.data[i] == '"'
            || s.data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}


snx_rc_t
snx_baggage_find(snx_str_t baggage, const char *key, snx_str_t *value)
{
    snx_rc_t      rc;
    snx_str_t     name;
    snx_member_t  member;

    rc = SNX_DONE;
    name = snx_cstr(key);

    while (snx_baggage_next(&baggage, &member) == SNX_OK) {
        if (member.ours && member.key.len == name.len
            && memcmp(member.key.data, name.data, name.len) == 0)
        {
            *value = member.value;
            rc = SNX_OK;
        }
    }

    return rc;
}


static int
snx_baggage_nibble(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


size_t
snx_baggage_decode(snx_str_t value, void *out, size_t cap)
{
    int             hi, lo;
    size_t          i, n;
    unsigned char  *p;

    p = out;
    n = 0;

    for (i = 0; i < value.len && n < cap; i++) {

        if (value.data[i] == '%' && value.len - i > 2) {
            hi = snx_baggage_nibble(value.data[i + 1]);
            lo = snx_baggage_nibble(value.data[i + 2]);

            if (hi >= 0 && lo >= 0) {
                p[n++] = (unsigned char) (hi << 4 | lo);
                i += 2;
                continue;
            }
        }

        p[n++] = value.data[i];
    }

    return n;
}


void
snx_baggage_init(snx_baggage_t *b, void *buf, size_t cap)
{
    b->data = buf;
    b->len = 0;
    b->cap = cap;
}


int
snx_baggage_add(snx_baggage_t *b, snx_str_t text)
{
    size_t  comma;

    comma = (b->len != 0);

    if (text.len == 0) {
        return 1;
    }

    if (text.len > b->cap || b->len + comma > b->cap - text.len) {
        return 0;
    }

    if (comma) {
        b->data[b->len++] = ',';
    }

    memcpy(b->data + b->len, text.data, text.len);
    b->len += text.len;

    return 1;
}


/* What stays as it is; the rest is percent-encoded. */

static int
snx_baggage_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || c == '-' || c == '_' || c == '.' || c == '~';
}


int
snx_baggage_put(snx_baggage_t *b, const char *key, snx_str_t value)
{
    size_t             i, len, need;
    snx_str_t          name;
    unsigned char     *p;
    static const char  hex[] = "0123456789ABCDEF";

    name = snx_cstr(key);
    len = 0;

    for (i = 0; i < value.len; i++) {
        len += snx_baggage_plain(value.data[i]) ? 1 : 3;
    }

    need = (b->len != 0) + SNX_BAGGAGE_PREFIX_LEN + name.len + 1 + len;

    if (need > b->cap - b->len) {
        return 0;
    }

    p = b->data + b->len;

    if (b->len != 0) {
        *p++ = ',';
    }

    memcpy(p, SNX_BAGGAGE_PREFIX, SNX_BAGGAGE_PREFIX_LEN);
    p += SNX_BAGGAGE_PREFIX_LEN;
    memcpy(p, name.data, name.len);
    p += name.len;
    *p++ = '=';

    for (i = 0; i < value.len; i++) {
        if (snx_baggage_plain(value.data[i])) {
            *p++ = value.data[i];

        } else {
            *p++ = '%';
            *p++ = (unsigned char) hex[value.data[i] >> 4];
            *p++ = (unsigned char) hex[value.data[i] & 0xf];
        }
    }

    b->len += need;

    return 1;
}


int
snx_baggage_put_plain(snx_baggage_t *b, snx_str_t key, snx_str_t value)
{
    size_t          need;
    unsigned char  *p;

    need = (b->len != 0) + SNX_BAGGAGE_PREFIX_LEN + key.len + 1 + value.len;

    if (need > b->cap - b->len) {
        return 0;
    }

    p = b->data + b->len;
    b->len += need;

    if (p != b->data) {
        *p++ = ',';
    }

    memcpy(p, SNX_BAGGAGE_PREFIX, SNX_BAGGAGE_PREFIX_LEN);
    p += SNX_BAGGAGE_PREFIX_LEN;
    memcpy(p, key.data, key.len);
    p += key.len;
    *p++ = '=';
    memcpy(p, value.data, value.len);

    return 1;
}


void
snx_baggage_drop(snx_baggage_t *b, const char *key)
{
    snx_baggage_remove(b, snx_cstr(key));
}


int
snx_baggage_set(snx_baggage_t *b, const char *key, snx_str_t value)
{
    snx_baggage_remove(b, snx_cstr(key));

    return snx_baggage_put(b, key, value);
}


/* Every member of ours with that key (without "sentry-"). */

static void
snx_baggage_remove(snx_baggage_t *b, snx_str_t key)
{
    size_t         from, to;
    snx_str_t      rest;
    snx_member_t   member;

    rest = snx_str(b->data, b->len);

    while (snx_baggage_next(&rest, &member) == SNX_OK) {

        if (!member.ours || member.key.len != key.len
            || memcmp(member.key.data, key.data, key.len) != 0)
        {
            continue;
        }

        /* with the comma before it, or else the one behind it */

        from = (size_t) (member.text.data - b->data);
        to = from + member.text.len;

        if (from != 0) {
            from--;

        } else if (to != b->len) {
            to++;
        }

        memmove(b->data + from, b->data + to, b->len - to);
        b->len -= to - from;

        rest = snx_str(b->data + from, b->len - from);
    }
}


static unsigned
snx_baggage_count(snx_str_t baggage)
{
    unsigned      n;
    snx_member_t  member;

    for (n = 0; snx_baggage_next(&baggage, &member) == SNX_OK; n++) {
        /* void */
    }

    return n;
}


void
snx_baggage_ours(snx_baggage_t *b, snx_str_t header)
{
    unsigned      n;
    snx_member_t  member;

    n = snx_baggage_count(snx_str(b->data, b->len));

    while (n < SNX_BAGGAGE_OURS_MAX_N
           && snx_baggage_next(&header, &member) == SNX_OK)
    {
        if (member.ours) {
            snx_baggage_remove(b, member.key);
            (void) snx_baggage_add(b, member.text);
            n++;
        }
    }
}


void
snx_baggage_others(snx_baggage_t *b, snx_str_t header)
{
    snx_member_t  member;

    while (snx_baggage_next(&header, &member) == SNX_OK) {
        if (!member.ours) {
            (void) snx_baggage_add(b, member.text);
        }
    }
}
