
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the fuzzers share: taking an input apart, exact memory, secrets that
 * are planted, and failing loudly.
 */


#ifndef FUZZ_H_INCLUDED
#define FUZZ_H_INCLUDED


#include <stdio.h>
#include <stdlib.h>

#include "snx.h"


#define FUZZ_UNUSED            __attribute__((unused))
#define FUZZ_IN_MAX            8192

/* No input has a part of it, but for what a harness plants. */
#define FUZZ_MARK              "S3CR3T_x"
#define FUZZ_MARK_PART         "S3CR"

#define nelts(a)               (sizeof(a) / sizeof((a)[0]))


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* What is left of an input; zeros when nothing is. */

typedef struct {
    const uint8_t  *p;
    size_t          left;
} fuzz_in_t;


static FUZZ_UNUSED uint32_t
fuzz_byte(fuzz_in_t *in)
{
    if (in->left == 0) {
        return 0;
    }

    in->left--;

    return *in->p++;
}


static FUZZ_UNUSED uint64_t
fuzz_word(fuzz_in_t *in, unsigned bytes)
{
    uint64_t  word;

    for (word = 0; bytes != 0; bytes--) {
        word = word << 8 | fuzz_byte(in);
    }

    return word;
}


/* At most n bytes of it, where they are. */

static FUZZ_UNUSED snx_str_t
fuzz_take(fuzz_in_t *in, size_t n)
{
    snx_str_t  s;

    n = n < in->left ? n : in->left;
    s = snx_str(in->p, n);

    in->p += n;
    in->left -= n;

    return s;
}


static FUZZ_UNUSED void
fuzz_show(const char *what, const void *text, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = text;
    fprintf(stderr, "%s", what);

    for (i = 0; i < len; i++) {
        if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\') {
            fputc(p[i], stderr);

        } else {
            fprintf(stderr, "\\x%02x", p[i]);
        }
    }

    fprintf(stderr, "\n");
}


static FUZZ_UNUSED void
fuzz_fail(const char *what, snx_str_t in, const void *out, size_t len)
{
    fprintf(stderr, "does not hold: %s\n", what);
    fuzz_show("in:  ", in.data, in.len);
    fuzz_show("out: ", out, len);
    abort();
}


static FUZZ_UNUSED void
require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}


/* Memory of its own: a sanitizer sees one byte too many.  Freed by caller. */

static FUZZ_UNUSED unsigned char *
fuzz_memory(size_t size)
{
    unsigned char  *p;

    p = malloc(size + (size == 0));

    if (p == NULL) {
        abort();
    }

    return p;
}


static FUZZ_UNUSED snx_str_t
fuzz_copy(snx_str_t s)
{
    unsigned char  *p;

    p = fuzz_memory(s.len);

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }

    return snx_str(p, s.len);
}


static FUZZ_UNUSED void
fuzz_free(snx_str_t s)
{
    free((void *) (uintptr_t) s.data);
}


static FUZZ_UNUSED int
fuzz_has(snx_str_t s, const char *text)
{
    return s.len != 0 && memmem(s.data, s.len, text, strlen(text)) != NULL;
}


static FUZZ_UNUSED int
fuzz_same(snx_str_t a, snx_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static FUZZ_UNUSED int
fuzz_begins(snx_str_t s, snx_str_t with)
{
    return with.len <= s.len
           && (with.len == 0 || memcmp(s.data, with.data, with.len) == 0);
}


/* JSON has no control character as it is, though some parsers take them. */

static FUZZ_UNUSED int
fuzz_escaped(snx_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && s.data[i] >= ' '; i++) { /* void */ }

    return i == s.len;
}


/* Whether s is a part of whole, or empty. */

static FUZZ_UNUSED int
fuzz_inside(snx_str_t s, snx_str_t whole)
{
    return s.len == 0
           || (s.data >= whole.data
               && s.data + s.len <= whole.data + whole.len);
}


/* s with plant in its middle: at / 255 of it are before; freed by caller. */

static FUZZ_UNUSED snx_str_t
fuzz_plant(snx_str_t s, const char *plant, unsigned at)
{
    size_t          n, before;
    unsigned char  *p;

    n = strlen(plant);
    before = s.len * at / 255;
    p = fuzz_memory(s.len + n);

    if (before != 0) {
        memcpy(p, s.data, before);
    }

    memcpy(p + before, plant, n);

    if (s.len != before) {
        memcpy(p + before + n, s.data + before, s.len - before);
    }

    return snx_str(p, s.len + n);
}


#endif /* FUZZ_H_INCLUDED */
