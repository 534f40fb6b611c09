
/*
 * Copyright (C) ngx_sentry authors
 *
 * Fast random bits for identifiers and sampling (xoroshiro128+, Blackman and
 * Vigna).  Not for secrets.  The caller brings the seed.
 */


#ifndef SNX_RANDOM_H_INCLUDED
#define SNX_RANDOM_H_INCLUDED


#include "snx.h"


typedef struct {
    uint64_t  s[2];
} snx_random_t;


/* Any 32 bytes of entropy; all zero is mended. */
void snx_random_seed(snx_random_t *random, const void *entropy);

uint64_t snx_random_next(snx_random_t *random);

/* Fills out with len random bytes; at least one is not zero. */
void snx_random_id(snx_random_t *random, void *out, size_t len);

/* A number in [0, 1) with 53 random bits. */
double snx_random_unit(snx_random_t *random);


#endif /* SNX_RANDOM_H_INCLUDED */
