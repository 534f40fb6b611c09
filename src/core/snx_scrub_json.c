
/*
 * Copyright (C) ngx_sentry authors
 *
 * Filters JSON.  One pass, no recursion: what is open is a bit per level.
 * Strings and numbers are read in snx_scrub_json_scan.c.
 * The grammar is checked to the last byte, since what is read otherwise by
 * the application may hide a secret; then nothing of the document is kept.
 */


#include "snx_scrub_parts.h"
#include "snx_text.h"


/* Of a key, or of a text that names the secret beside it. */
#define SNX_SCRUB_JSON_NAME_MAX  64

/* Longer strings are secrets. */
#define SNX_SCRUB_JSON_TEXT_MAX  8192


typedef enum {
    SNX_JSON_VALUE = 0,
    SNX_JSON_FIRST,            /* a value, or the array's end */
    SNX_JSON_KEY,
    SNX_JSON_FIRST_KEY,        /* a key, or the object's end */
    SNX_JSON_NEXT              /* a comma, or the end of what is open */
} snx_scrub_json_state_t;


typedef struct {
    const snx_scrub_t       *scrub;
    const unsigned char     *p;
    const unsigned char     *end;
    unsigned char           *out;
    unsigned char           *last;
    snx_scrub_json_state_t   state;
    unsigned                 depth;
    unsigned                 skip;     /* depth of a secret, 0: none */
    uint32_t                 objects;  /* a bit per depth: {} or [] */
    uint32_t                 named;    /* a text there names a secret */
    unsigned                 secret:1; /* the next value is one */
    unsigned                 naming:1; /* the next value may name one */
    unsigned                 full:1;
    unsigned char            text[SNX_SCRUB_JSON_TEXT_MAX];
    unsigned char            clean[SNX_SCRUB_JSON_TEXT_MAX];
} snx_scrub_json_t;


static snx_rc_t snx_scrub_json_token(snx_scrub_json_t *j);
static snx_rc_t snx_scrub_json_open(snx_scrub_json_t *j);
static snx_rc_t snx_scrub_json_close(snx_scrub_json_t *j);
static snx_rc_t snx_scrub_json_key(snx_scrub_json_t *j);
static snx_rc_t snx_scrub_json_value(snx_scrub_json_t *j);
static void snx_scrub_json_text(snx_scrub_json_t *j, snx_str_t raw,
    size_t len);


static void
snx_scrub_json_put(snx_scrub_json_t *j, const void *p, size_t len)
{
    if (j->skip) {
        return;
    }

    if (len > (size_t) (j->last - j->out)) {
        j->full = 1;
        return;
    }

    memcpy(j->out, p, len);
    j->out += len;
}


static int
snx_scrub_json_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


size_t
snx_scrub_json(const snx_scrub_t *scrub, snx_str_t in, void *out, size_t cap)
{
    snx_rc_t          rc;
    snx_scrub_json_t  j;

    memset(&j, 0, sizeof(snx_scrub_json_t));

    j.scrub = scrub;
    j.p = in.data;
    j.end = in.data + in.len;
    j.out = out;
    j.last = j.out + cap;
    j.state = SNX_JSON_VALUE;

    /* who sends less than an object sends no names to judge by */

    while (j.p < j.end && snx_scrub_json_space(*j.p)) {
        j.p++;
    }

    if (j.p == j.end || (*j.p != '{' && *j.p != '[')
        || !snx_text_valid(in))
    {
        return 0;
    }

    do {
        rc = snx_scrub_json_token(&j);
    } while (rc == SNX_OK && !j.full);

    return rc == SNX_DONE && !j.full
           ? (size_t) (j.out - (unsigned char *) out) : 0;
}


static snx_rc_t
snx_scrub_json_token(snx_scrub_json_t *j)
{
    unsigned char  c;

    while (j->p < j->end && snx_scrub_json_space(*j->p)) {
        j->p++;
    }

    if (j->p == j->end) {
        return j->depth == 0 && j->state == SNX_JSON_NEXT ? SNX_DONE
                                                          : SNX_INVALID;
    }

    c = *j->p;

    switch (j->state) {

    case SNX_JSON_FIRST_KEY:
    case SNX_JSON_KEY:
        if (c == '}' && j->state == SNX_JSON_FIRST_KEY) {
            return snx_scrub_json_close(j);
        }

        return snx_scrub_json_key(j);

    case SNX_JSON_NEXT:
        if (j->depth == 0) {
            return SNX_INVALID;
        }

        if (c != ',') {
            return snx_scrub_json_close(j);
        }

        snx_scrub_json_put(j, ",", 1);
        j->p++;
        j->state = (j->objects >> j->depth & 1) ? SNX_JSON_KEY
                                                : SNX_JSON_VALUE;
        return SNX_OK;

    default:
        if (c == ']' && j->state == SNX_JSON_FIRST) {
            return snx_scrub_json_close(j);
        }

        return (c == '{' || c == '[') ? snx_scrub_json_open(j)
                                      : snx_scrub_json_value(j);
    }
}


/* A secret object is read to its end and not written. */

static snx_rc_t
snx_scrub_json_open(snx_scrub_json_t *j)
{
    uint32_t  bit;

    if (j->depth == SNX_SCRUB_JSON_DEPTH_MAX) {
        return SNX_INVALID;
    }

    j->depth++;
    bit = (uint32_t) 1 << j->depth;

    if ((j->secret || (j->named >> (j->depth - 1) & 1)) && j->skip == 0) {
        snx_scrub_json_put(j, "\"" SNX_FILTERED "\"",
                           sizeof("\"" SNX_FILTERED "\"") - 1);
        j->skip = j->depth;
    }

    j->secret = 0;
    j->named &= ~bit;
    j->objects &= ~bit;

    if (*j->p == '{') {
        j->objects |= bit;
        j->state = SNX_JSON_FIRST_KEY;

    } else {
        j->state = SNX_JSON_FIRST;
    }

    j->naming = *j->p == '[';

    snx_scrub_json_put(j, j->p, 1);
    j->p++;

    return SNX_OK;
}


static snx_rc_t
snx_scrub_json_close(snx_scrub_json_t *j)
{
    if (*j->p != ((j->objects >> j->depth & 1) ? '}' : ']')) {
        return SNX_INVALID;
    }

    snx_scrub_json_put(j, j->p, 1);
    j->p++;

    if (j->skip == j->depth) {
        j->skip = 0;
    }

    j->depth--;
    j->state = SNX_JSON_NEXT;

    return SNX_OK;
}


/* Of {"name": "token", "value": ...}: whether key is the first one. */

static int
snx_scrub_json_naming(snx_str_t key)
{
    size_t  i;

    static const char  *keys[] = {
        "name", "key", "header", "field", "param", "parameter", "variable",
        "attribute", "property", "k", "n"
    };

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (snx_scrub_is(key, keys[i])) {
            return 1;
        }
    }

    return 0;
}


static snx_rc_t
snx_scrub_json_read(snx_scrub_json_t *j, snx_str_t *raw, size_t *len)
{
    return snx_scrub_json_string(&j->p, j->end, j->text, sizeof(j->text), raw,
                                 len);
}


static snx_rc_t
snx_scrub_json_key(snx_scrub_json_t *j)
{
    size_t     len;
    snx_str_t  raw;

    if (*j->p != '"' || snx_scrub_json_read(j, &raw, &len) != SNX_OK) {
        return SNX_INVALID;
    }

    j->secret = snx_scrub_key(j->scrub, snx_str(j->text, len))
                || (j->named >> j->depth & 1);

    j->naming = (snx_scrub_json_naming(snx_str(j->text, len)) != 0);

    snx_scrub_json_text(j, raw, len);

    while (j->p < j->end && snx_scrub_json_space(*j->p)) {
        j->p++;
    }

    if (j->p == j->end || *j->p != ':') {
        return SNX_INVALID;
    }

    snx_scrub_json_put(j, ":", 1);
    j->p++;
    j->state = SNX_JSON_VALUE;

    return SNX_OK;
}


/* Whether a text is the name of the secrets beside it. */

static int
snx_scrub_json_names(snx_scrub_json_t *j, size_t len)
{
    size_t  i;

    if (len > SNX_SCRUB_JSON_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (snx_scrub_space(j->text[i])) {
            return 0;
        }
    }

    return snx_scrub_key(j->scrub, snx_str(j->text, len));
}


/* A string, a number or a word. */

static snx_rc_t
snx_scrub_json_value(snx_scrub_json_t *j)
{
    int                   names;
    size_t                len;
    snx_str_t             raw;
    const unsigned char  *p;

    names = 0;
    len = 0;
    p = j->p;

    if (*p == '"') {
        if (snx_scrub_json_read(j, &raw, &len) != SNX_OK) {
            return SNX_INVALID;
        }

        names = j->naming && snx_scrub_json_names(j, len);

    } else {
        while (j->p < j->end && !snx_scrub_json_space(*j->p)
               && !snx_scrub_in(*j->p, ",]}"))
        {
            j->p++;
        }

        raw = snx_str(p, (size_t) (j->p - p));

        if (!snx_scrub_json_number(raw)) {
            return SNX_INVALID;
        }
    }

    if (j->secret || (j->named >> j->depth & 1)) {
        snx_scrub_json_put(j, "\"" SNX_FILTERED "\"",
                           sizeof("\"" SNX_FILTERED "\"") - 1);

    } else if (*p == '"') {
        snx_scrub_json_text(j, raw, len);

    } else {
        snx_scrub_json_put(j, raw.data, raw.len);
    }

    if (names) {
        j->named |= (uint32_t) 1 << j->depth;
    }

    j->secret = 0;
    j->naming = 0;
    j->state = SNX_JSON_NEXT;

    return SNX_OK;
}


/* The string as it was, or what the filter of texts left of its meaning. */

static void
snx_scrub_json_text(snx_scrub_json_t *j, snx_str_t raw, size_t len)
{
    char    hex[6];
    size_t  i, n;

    if (j->skip) {
        return;
    }

    n = snx_scrub_text(j->scrub, snx_str(j->text, len), j->clean,
                       sizeof(j->clean));

    snx_scrub_json_put(j, "\"", 1);

    if (n == len && memcmp(j->clean, j->text, n) == 0) {
        snx_scrub_json_put(j, raw.data, raw.len);
        snx_scrub_json_put(j, "\"", 1);
        return;
    }

    for (i = 0; i < n; i++) {

        if (j->clean[i] == '"' || j->clean[i] == '\\') {
            snx_scrub_json_put(j, "\\", 1);
        }

        if (j->clean[i] < ' ') {
            memcpy(hex, "\\u00", 4);
            snx_text_hex(&j->clean[i], 1, hex + 4);
            snx_scrub_json_put(j, hex, sizeof(hex));

        } else {
            snx_scrub_json_put(j, &j->clean[i], 1);
        }
    }

    snx_scrub_json_put(j, "\"", 1);
}
