
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: baggage, two headers divided by a NUL.  What is written stays
 * within its bound, reads as the same members, and takes changes; numbers
 * read from it are in their range.
 */


#include <stdlib.h>

#include "snx_baggage.h"
#include "snx_sample.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void check_text(const snx_baggage_t *b, int ours);
static void check_set(snx_baggage_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          first, cap;
    snx_baggage_t   b;
    unsigned char  *mem;
    const uint8_t  *nul;

    if (size == 0) {
        return 0;
    }

    /* exact memory: a sanitizer sees one byte too many */

    cap = (size_t) data[0] * 32 + 1;
    data++;
    size--;

    nul = size ? memchr(data, '\0', size) : NULL;
    first = nul ? (size_t) (nul - data) : size;

    mem = malloc(cap);
    if (mem == NULL) {
        abort();
    }

    snx_baggage_init(&b, mem, cap);
    snx_baggage_others(&b, snx_str(data, first));
    snx_baggage_others(&b, snx_str(data + first, size - first));
    check_text(&b, 0);

    snx_baggage_init(&b, mem, cap);
    snx_baggage_ours(&b, snx_str(data, first));
    snx_baggage_ours(&b, snx_str(data + first, size - first));
    check_text(&b, 1);
    check_set(&b);
    check_text(&b, 1);

    free(mem);

    return 0;
}


static void
check_text(const snx_baggage_t *b, int ours)
{
    size_t         len;
    uint32_t       random;
    snx_str_t      rest;
    snx_member_t   member;
    unsigned char  out[64];

    if (b->len > b->cap) {
        abort();
    }

    rest = snx_str(b->data, b->len);
    len = 0;

    while (snx_baggage_next(&rest, &member) == SNX_OK) {

        if (member.ours != (unsigned) ours) {
            abort();
        }

        len += member.text.len + (len != 0);

        if (snx_baggage_decode(member.value, out, sizeof(out))
            > sizeof(out))
        {
            abort();
        }

        if (snx_sample_read(member.value, &random)
            && random >= SNX_SAMPLE_RAND_N)
        {
            abort();
        }
    }

    /* nothing between the members but commas */

    if (len != b->len) {
        abort();
    }
}


static void
check_set(snx_baggage_t *b)
{
    snx_str_t      value, text;
    unsigned char  out[8];

    text = snx_cstr("a, \"\xff");

    if (snx_baggage_set(b, "sampled", text)
        && (snx_baggage_find(snx_str(b->data, b->len), "sampled", &value)
            != SNX_OK
            || snx_baggage_decode(value, out, sizeof(out)) != text.len
            || memcmp(out, text.data, text.len) != 0))
    {
        abort();
    }

    snx_baggage_drop(b, "sampled");

    if (snx_baggage_find(snx_str(b->data, b->len), "sampled", &value)
        != SNX_DONE)
    {
        abort();
    }
}
