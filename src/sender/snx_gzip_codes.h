
/*
 * Copyright (C) ngx_sentry authors
 *
 * The codes of snx_gzip.c: how many bits each symbol has, and the beginning
 * of a block that tells so.  Made by package-merge, at most 14 bits, of the
 * counts in 400 envelopes of transactions and events that differ in all that
 * differs between requests; what was not seen counts as a fifth.
 */


#ifndef SNX_GZIP_CODES_H_INCLUDED
#define SNX_GZIP_CODES_H_INCLUDED


/* The last block, with codes of its own, up to its first symbol. */

#define SNX_GZIP_HEAD_BITS     726

static const unsigned char  snx_gzip_head[] = {
    0xed, 0xbd, 0x07, 0x80, 0xdc, 0x36, 0xf6, 0x3e, 0x96, 0x5e, 0x9c, 0xde,
    0x7b, 0xc2, 0xbc, 0x24, 0x17, 0xdb, 0xc7, 0xe1, 0x00, 0xec, 0x84, 0xe3,
    0xe4, 0x14, 0xdd, 0xda, 0xfa, 0xe7, 0x24, 0xaf, 0xb2, 0x1a, 0xf9, 0x7e,
    0xb1, 0xff, 0x0a, 0x03, 0x92, 0x8f, 0x33, 0xcc, 0x72, 0x00, 0x0a, 0x00,
    0x67, 0x77, 0xb5, 0x99, 0xf4, 0xde, 0x7b, 0xef, 0xbd, 0xf7, 0xde, 0x7b,
    0xef, 0xbd, 0xf7, 0xde, 0x7b, 0x2f, 0x0e, 0x48, 0x4e, 0xd9, 0x22, 0x59,
    0x92, 0x2f, 0x97, 0x38, 0x89, 0xfd, 0xcf, 0x1d, 0x07, 0x78, 0x00, 0xde,
    0xfb, 0xbe, 0xef, 0x7d, 0xc0, 0x5e, 0x1a
};


/* Bytes, the end of the block, lengths of matches. */

static const unsigned char  snx_gzip_symbol_bits[] = {
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 10, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 6, 14, 4, 14, 14, 14,
    11, 14, 10, 10, 10, 11, 6, 7, 6, 7, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 5, 10,
    14, 10, 14, 14, 11, 9, 14, 9, 11, 8, 10, 10, 9, 13, 14, 11, 9, 9, 10, 8, 9,
    14, 8, 9, 7, 9, 10, 11, 12, 14, 10, 10, 13, 9, 14, 6, 14, 5, 6, 6, 6, 4, 6,
    7, 7, 6, 14, 8, 6, 7, 5, 5, 6, 9, 5, 5, 5, 6, 7, 8, 8, 8, 9, 8, 14, 7, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
    14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 10, 14, 5, 6,
    6, 6, 7, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 9, 9, 9, 10, 11, 14, 11, 14, 14,
    10, 14, 14, 14
};


static const unsigned char  snx_gzip_distance_bits[] = {
    10, 10, 13, 14, 11, 11, 6, 7, 5, 5, 4, 5, 5, 5, 4, 4, 3, 3, 3, 4, 3, 5, 5,
    8, 11, 14, 14, 14, 14, 14
};


#endif /* SNX_GZIP_CODES_H_INCLUDED */
