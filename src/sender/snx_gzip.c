
/*
 * Copyright (C) ngx_sentry authors
 */


#include <zlib.h>

#include "snx_gzip.h"
#include "snx_gzip_codes.h"


#define SNX_GZIP_WINDOW        32768
#define SNX_GZIP_MATCH_MIN     4
#define SNX_GZIP_END           256     /* of a block, as a symbol */
#define SNX_GZIP_CODE_MAX      15      /* bits */
#define SNX_GZIP_SPARE         16      /* bytes that one step may write */
#define SNX_GZIP_LENGTHS       29
#define SNX_GZIP_LAZY          16      /* longer matches are taken at once */
#define SNX_GZIP_LEAST         (10 + sizeof(snx_gzip_head) + SNX_GZIP_SPARE)

/* So that positions of two texts fit into 32 bits. */
#define SNX_GZIP_TEXT_MAX      (1 << 24)


typedef struct {
    unsigned char   *pos;
    unsigned char   *end;
    uint64_t         bits;
    unsigned         n;                /* of bits, below 32 between steps */
} snx_gzip_out_t;


static const unsigned char  snx_gzip_length_extra[SNX_GZIP_LENGTHS] = {
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4,
    5, 5, 5, 5, 0
};


/* The codes of symbols whose lengths are given; 0: has none. */

static void
snx_gzip_codes(uint32_t *code, const unsigned char *bits, uint32_t n)
{
    uint32_t  i, j, next[SNX_GZIP_CODE_MAX + 2], count[SNX_GZIP_CODE_MAX + 1];

    memset(count, 0, sizeof(count));

    for (i = 0; i < n; i++) {
        count[bits[i]]++;
    }

    next[1] = 0;

    for (i = 1; i <= SNX_GZIP_CODE_MAX; i++) {
        next[i + 1] = (next[i] + count[i]) << 1;
    }

    for (i = 0; i < n; i++) {
        code[i] = 0;

        for (j = 0; j < bits[i]; j++) {
            code[i] |= (next[bits[i]] >> j & 1) << (bits[i] - 1 - j);
        }

        next[bits[i]] += bits[i] != 0;
        code[i] = code[i] << 8 | bits[i];
    }
}


/* Those of lengths from 3 to 258, each with the bits behind its symbol. */

static void
snx_gzip_lengths(snx_gzip_t *gzip, const uint32_t *code)
{
    uint32_t  i, j, n, extra;

    for (i = 0, n = 3; i < SNX_GZIP_LENGTHS; i++) {
        extra = snx_gzip_length_extra[i];

        /* 258 has a symbol of its own */

        for (j = 0; j < 1u << extra && n <= SNX_GZIP_MATCH_MAX; j++, n++) {
            n = i == SNX_GZIP_LENGTHS - 1 ? SNX_GZIP_MATCH_MAX : n;

            gzip->match[n] = (code[i] & 0xff) + extra
                             + (code[i] & 0xffffff00)
                             + (j << ((code[i] & 0xff) + 8));
        }
    }
}


void
snx_gzip_init(snx_gzip_t *gzip)
{
    uint32_t  code[SNX_GZIP_LITERALS + SNX_GZIP_LENGTHS];

    memset(gzip, 0, sizeof(snx_gzip_t));

    gzip->base = SNX_GZIP_WINDOW;

    snx_gzip_codes(code, snx_gzip_symbol_bits, sizeof(code) / sizeof(code[0]));
    snx_gzip_codes(gzip->distance, snx_gzip_distance_bits,
                   SNX_GZIP_DISTANCES);

    memcpy(gzip->literal, code, sizeof(gzip->literal));
    snx_gzip_lengths(gzip, code + SNX_GZIP_LITERALS);
}


/* The lowest n bits of bits; at most 32 fit between two flushes. */

static inline void
snx_gzip_put(snx_gzip_out_t *o, uint64_t bits, unsigned n)
{
    o->bits |= bits << o->n;
    o->n += n;
}


static inline void
snx_gzip_flush(snx_gzip_out_t *o)
{
    if (o->n >= 32) {
        o->pos[0] = (unsigned char) o->bits;
        o->pos[1] = (unsigned char) (o->bits >> 8);
        o->pos[2] = (unsigned char) (o->bits >> 16);
        o->pos[3] = (unsigned char) (o->bits >> 24);
        o->pos += 4;
        o->bits >>= 32;
        o->n -= 32;
    }
}


static inline void
snx_gzip_code(snx_gzip_out_t *o, uint32_t code)
{
    snx_gzip_put(o, code >> 8, code & 0xff);
    snx_gzip_flush(o);
}


static inline void
snx_gzip_literal(const snx_gzip_t *gzip, snx_gzip_out_t *o, unsigned char c)
{
    snx_gzip_code(o, gzip->literal[c]);
}


/* n is the distance less one: the symbol is in its two highest bits. */

static inline void
snx_gzip_match(const snx_gzip_t *gzip, snx_gzip_out_t *o, uint32_t len,
    uint32_t n)
{
    uint32_t  symbol, extra;

    snx_gzip_code(o, gzip->match[len]);

    extra = 0;
    symbol = n;

    if (n >= 4) {
        extra = 30 - (uint32_t) __builtin_clz(n);
        symbol = 2 * extra + (n >> extra);
    }

    snx_gzip_code(o, gzip->distance[symbol]);
    snx_gzip_put(o, n & ((1u << extra) - 1), extra);
    snx_gzip_flush(o);
}


static inline uint32_t
snx_gzip_hash(const unsigned char *p)
{
    uint32_t  v;

    memcpy(&v, p, sizeof(v));

    return v * 2654435761u >> (32 - SNX_GZIP_HASH_BITS);
}


/* How many bytes at a and b are the same, up to max. */

static inline uint32_t
snx_gzip_same(const unsigned char *a, const unsigned char *b, uint32_t max)
{
    uint32_t  n;
    uint64_t  u, v;

    for (n = 0; n + sizeof(u) <= max; n += sizeof(u)) {
        memcpy(&u, a + n, sizeof(u));
        memcpy(&v, b + n, sizeof(v));

        if (u != v) {
#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            return n + (uint32_t) __builtin_ctzll(u ^ v) / 8;
#else
            break;
#endif
        }
    }

    while (n < max && a[n] == b[n]) {
        n++;
    }

    return n;
}


/*
 * Length of the match at i, below SNX_GZIP_MATCH_MIN there is none; *n is
 * set to the distance less one.  i is remembered.
 */

static inline uint32_t
snx_gzip_find(snx_gzip_t *gzip, snx_str_t in, uint32_t i, uint32_t *n)
{
    uint32_t  *last, at, max;

    last = &gzip->last[snx_gzip_hash(in.data + i)];
    at = *last;
    *last = gzip->base + i;

    if (at < gzip->base || gzip->base + i - at > SNX_GZIP_WINDOW) {
        return 0;
    }

    *n = gzip->base + i - at - 1;
    max = in.len - i < SNX_GZIP_MATCH_MAX ? (uint32_t) in.len - i
                                          : SNX_GZIP_MATCH_MAX;

    return snx_gzip_same(in.data + i, in.data + (at - gzip->base), max);
}


/* The block: 1, or 0 when there is no room. */

static int
snx_gzip_block(snx_gzip_t *gzip, snx_gzip_out_t *o, snx_str_t in)
{
    uint32_t  i, j, n, len, next, lazy;

    i = 0;
    n = 0;
    next = 0;

    while (i < in.len) {

        if (o->end - o->pos < SNX_GZIP_SPARE) {
            return 0;
        }

        len = in.len - i < SNX_GZIP_MATCH_MIN ? 0
              : snx_gzip_find(gzip, in, i, &n);

        if (len < SNX_GZIP_MATCH_MIN) {
            snx_gzip_literal(gzip, o, in.data[i++]);
            continue;
        }

        /* a longer one may begin with the next byte */

        if (len < SNX_GZIP_LAZY && in.len - i > SNX_GZIP_MATCH_MIN) {
            lazy = snx_gzip_find(gzip, in, i + 1, &next);

            if (lazy > len) {
                snx_gzip_literal(gzip, o, in.data[i++]);
                len = lazy;
                n = next;
            }
        }

        snx_gzip_match(gzip, o, len, n);

        /* each other byte is remembered: 0.5% of size for 10% of time */

        for (j = i + 1;
             j < i + len && j + SNX_GZIP_MATCH_MIN <= in.len;
             j += 2)
        {
            gzip->last[snx_gzip_hash(in.data + j)] = gzip->base + j;
        }

        i += len;
    }

    snx_gzip_code(o, gzip->literal[SNX_GZIP_END]);

    return 1;
}


static void
snx_gzip_begin(snx_gzip_out_t *o)
{
    static const unsigned char  header[] = {
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3             /* of Unix */
    };

    memcpy(o->pos, header, sizeof(header));
    memcpy(o->pos + sizeof(header), snx_gzip_head, SNX_GZIP_HEAD_BITS / 8);

    o->pos += sizeof(header) + SNX_GZIP_HEAD_BITS / 8;
    o->bits = snx_gzip_head[SNX_GZIP_HEAD_BITS / 8];
    o->n = SNX_GZIP_HEAD_BITS % 8;
}


static void
snx_gzip_end(snx_gzip_out_t *o, snx_str_t in)
{
    int       i;
    uint32_t  crc;

    for ( /* void */ ; o->n > 0; o->n -= o->n < 8 ? o->n : 8) {
        *o->pos++ = (unsigned char) o->bits;
        o->bits >>= 8;
    }

    crc = (uint32_t) crc32(0, in.data, (uInt) in.len);

    for (i = 0; i < 32; i += 8) {
        *o->pos++ = (unsigned char) (crc >> i);
    }

    for (i = 0; i < 32; i += 8) {
        *o->pos++ = (unsigned char) (in.len >> i);
    }
}


snx_rc_t
snx_gzip(snx_gzip_t *gzip, snx_str_t in, void *out, size_t cap, size_t *len)
{
    snx_gzip_out_t  o;

    if (in.len > SNX_GZIP_TEXT_MAX || cap < SNX_GZIP_LEAST) {
        return SNX_TOO_BIG;
    }

    o.pos = out;
    o.end = o.pos + cap;

    snx_gzip_begin(&o);

    /* positions of the text before are below base; there are 2^32 */

    if (gzip->base > UINT32_MAX - 2 * SNX_GZIP_TEXT_MAX) {
        memset(gzip->last, 0, sizeof(gzip->last));
        gzip->base = SNX_GZIP_WINDOW;
    }

    if (!snx_gzip_block(gzip, &o, in)
        || o.end - o.pos < SNX_GZIP_SPARE)
    {
        gzip->base += (uint32_t) in.len;
        return SNX_TOO_BIG;
    }

    gzip->base += (uint32_t) in.len;

    snx_gzip_end(&o, in);
    *len = (size_t) (o.pos - (unsigned char *) out);

    return SNX_OK;
}
