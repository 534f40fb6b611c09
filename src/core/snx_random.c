
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_random.h"


static inline uint64_t
snx_random_rotl(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}


void
snx_random_seed(snx_random_t *random, const void *entropy)
{
    uint64_t  word[4];

    memcpy(word, entropy, sizeof(word));

    random->s[0] = word[0] ^ word[2];
    random->s[1] = word[1] ^ word[3];

    if ((random->s[0] | random->s[1]) == 0) {
        random->s[0] = 0x9e3779b97f4a7c15u;
    }
}


static inline uint64_t
snx_random_draw(snx_random_t *random)
{
    uint64_t   result, t, *s;

    s = random->s;
    result = s[0] + s[1];
    t = s[0] ^ s[1];

    s[0] = snx_random_rotl(s[0], 24) ^ t ^ t << 16;
    s[1] = snx_random_rotl(t, 37);

    return result;
}


uint64_t
snx_random_next(snx_random_t *random)
{
    return snx_random_draw(random);
}


void
snx_random_id(snx_random_t *random, void *out, size_t len)
{
    uint64_t        bits, any;
    snx_random_t    state;
    unsigned char  *p;

    /* a copy that out cannot overlap stays in registers */

    state = *random;
    any = 0;

    for (p = out; len >= sizeof(bits); len -= sizeof(bits)) {
        bits = snx_random_draw(&state);
        any |= bits;
        memcpy(p, &bits, sizeof(bits));
        p += sizeof(bits);
    }

    if (len != 0) {
        bits = snx_random_draw(&state);

        for (/* void */; len != 0; len--) {
            any |= bits & 0xff;
            *p++ = (unsigned char) bits;
            bits >>= 8;
        }
    }

    *random = state;

    /* Sentry and W3C refuse zero ids */

    if (any == 0 && p != out) {
        p[-1] = 1;
    }
}


double
snx_random_unit(snx_random_t *random)
{
    return (double) (snx_random_draw(random) >> 11) * 0x1.0p-53;
}
