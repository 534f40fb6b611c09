
/*
 * Copyright (C) ngx_sentry authors
 *
 * gzip for envelopes.  Pure.
 *
 * DESIGN.  For a text of some KB most of deflate's time goes into counting
 * symbols, making codes for them and clearing tables, and an envelope is
 * always the same kind of text.  So it becomes one block with codes made
 * beforehand, of the counts in typical envelopes: it is written while it is
 * read, in a quarter of the time, and no larger, because the codes fit.
 * Other texts become somewhat larger than they could; whoever reads it sees
 * gzip like any other.  Sources: RFC 1951, RFC 1952.
 */


#ifndef SNX_GZIP_H_INCLUDED
#define SNX_GZIP_H_INCLUDED


#include "snx.h"


#define SNX_GZIP_HASH_BITS     12
#define SNX_GZIP_LITERALS      257     /* bytes and the end */
#define SNX_GZIP_MATCH_MAX     258
#define SNX_GZIP_DISTANCES     30


/* A code is its bits, the first one lowest, above eight bits of length. */

typedef struct {
    uint32_t        base;              /* of positions, in this text */
    uint32_t        last[1 << SNX_GZIP_HASH_BITS];
    uint32_t        literal[SNX_GZIP_LITERALS];
    uint32_t        match[SNX_GZIP_MATCH_MAX + 1];     /* with extra bits */
    uint32_t        distance[SNX_GZIP_DISTANCES];
} snx_gzip_t;


void snx_gzip_init(snx_gzip_t *gzip);

/*
 * Compresses in to out.  SNX_OK with *len set, or SNX_TOO_BIG: it does not
 * fit in cap bytes, 16 to spare.
 * Memory: none is taken; gzip is reused, each text is on its own.
 */
snx_rc_t snx_gzip(snx_gzip_t *gzip, snx_str_t in, void *out, size_t cap,
    size_t *len);


#endif /* SNX_GZIP_H_INCLUDED */
