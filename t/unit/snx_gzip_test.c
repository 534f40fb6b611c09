
/*
 * Copyright (C) ngx_sentry authors
 *
 * gzip: zlib reads back whatever was written, of any kind and length.
 */


#include <stdlib.h>
#include <zlib.h>

#include "encode_util.h"
#include "snx_gzip.h"
#include "snx_random.h"


#define TEXT_MAX  200000


static snx_gzip_t     gzip;
static snx_random_t   entropy;
static unsigned char  text[TEXT_MAX];
static unsigned char  packed[2 * TEXT_MAX + 200];
static unsigned char  again[TEXT_MAX];


/* Whether the first len bytes of packed are one gzip member holding text. */

static int
unpacks(size_t len, size_t text_len)
{
    int        same;
    z_stream   z;

    memset(&z, 0, sizeof(z));
    (void) inflateInit2(&z, 15 + 16);

    z.next_in = packed;
    z.avail_in = (unsigned) len;
    z.next_out = again;
    z.avail_out = sizeof(again);

    same = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0
           && z.total_out == text_len
           && memcmp(text, again, text_len) == 0;

    (void) inflateEnd(&z);

    return same;
}


/* The first len bytes of text there and back; their length, 0: wrong. */

static size_t
there_and_back(size_t len)
{
    size_t  packed_len;

    if (snx_gzip(&gzip, snx_str(text, len), packed, sizeof(packed),
                 &packed_len)
        != SNX_OK)
    {
        return 0;
    }

    return unpacks(packed_len, len) ? packed_len : 0;
}


/* Bytes below kinds, in runs that are taken from before, or not. */

static void
fill(size_t len, uint32_t kinds, uint32_t copies)
{
    size_t  i, n, from;

    for (i = 0; i < len; /* void */ ) {

        if (i != 0 && snx_random_next(&entropy) % 100 < copies) {
            n = 1 + snx_random_next(&entropy) % 600;
            from = snx_random_next(&entropy) % i;

            for ( /* void */ ; n != 0 && i < len; n--) {
                text[i++] = text[from++];
            }

        } else {
            text[i++] = (unsigned char) (snx_random_next(&entropy) % kinds);
        }
    }
}


static void
test_lengths(void)
{
    int     wrong;
    size_t  len;

    memset(text, 'a', sizeof(text));

    for (len = 0, wrong = 0; len < 1200; len++) {
        wrong += there_and_back(len) == 0;
    }

    is_int(wrong, 0, "one byte again and again, 0 to 1199 times");

    for (len = 0; len < sizeof(text); len++) {
        text[len] = (unsigned char) len;
    }

    for (len = 0, wrong = 0; len < 1200; len++) {
        wrong += there_and_back(len) == 0;
    }

    is_int(wrong, 0, "all bytes, as many");
}


/* The beginning again, so far behind it. */

static int
at_distance(size_t far)
{
    size_t  i;

    memset(text, '.', far + 100);

    for (i = 0; i < 40; i++) {
        text[i] = (unsigned char) (i * 5 + 7);
        text[far + i] = text[i];
    }

    return there_and_back(far + 100) != 0;
}


static void
test_distances(void)
{
    int     wrong;
    size_t  far;

    wrong = 0;

    for (far = 1; far < 70000; far += far < 40 ? 1 : far / 9) {
        wrong += !at_distance(far);
    }

    for (far = 32760; far < 32776; far++) {
        wrong += !at_distance(far);
    }

    is_int(wrong, 0, "every distance");
}


static void
test_random(void)
{
    int     i, wrong;
    size_t  len;

    wrong = 0;

    for (i = 0; i < 3000; i++) {
        len = snx_random_next(&entropy) % (i % 100 ? 5000 : sizeof(text));

        fill(len, 1 + snx_random_next(&entropy) % 256,
             (uint32_t) (snx_random_next(&entropy) % 100));

        wrong += there_and_back(len) == 0;
    }

    is_int(wrong, 0, "3000 random texts");
}


/* Positions of all texts together are counted in 32 bits. */

static void
test_wrap(void)
{
    int  i, wrong;

    wrong = 0;
    gzip.base = UINT32_MAX - (1 << 25) - 20000;

    for (i = 0; i < 20; i++) {
        fill(3000, 40, 30);
        wrong += there_and_back(3000) == 0;
    }

    is_int(wrong, 0, "positions begin anew");
    ok(gzip.base < 200000, "and did");
}


static void
test_room(void)
{
    int            over;
    size_t         cap, len, full;
    unsigned char  after[32];

    fill(4000, 60, 20);
    full = there_and_back(4000);
    over = 0;
    memset(after, 0xa5, sizeof(after));

    for (cap = 0; cap <= full + 20; cap++) {
        memset(packed + cap, 0xa5, sizeof(after));

        if (snx_gzip(&gzip, snx_str(text, 4000), packed, cap, &len)
            == SNX_OK)
        {
            over += len > cap || !unpacks(len, 4000);
        }

        over += memcmp(packed + cap, after, sizeof(after)) != 0;
    }

    is_int(over, 0, "no byte behind what there is room for");
    is_int(snx_gzip(&gzip, snx_str(text, 4000), packed, full - 1, &len),
           SNX_TOO_BIG, "not with one byte less");
    is_int(snx_gzip(&gzip, snx_str(text, 4000), packed, full + 16, &len),
           SNX_OK, "with 16 to spare");

    /* bytes that an envelope never holds have the longest codes */

    fill(4000, 256, 0);
    is_int(snx_gzip(&gzip, snx_str(text, 4000), packed, 4000, &len),
           SNX_TOO_BIG, "what does not shrink is refused");
}


static void
test_event(void)
{
    size_t     len, event_len, zlib_len;
    z_stream   z;

    len = util_rich(record, sizeof(record), "https://k@example.com/1");
    (void) snx_fields_read(&fields, snx_str(record, len));
    (void) snx_encode_event(&encode, &fields, UTIL_TIME_US, out,
                            SNX_ENCODE_MAX, &event_len);
    memcpy(text, out, event_len);

    memset(&z, 0, sizeof(z));
    (void) deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = text;
    z.avail_in = (unsigned) event_len;
    z.next_out = again;
    z.avail_out = sizeof(again);
    (void) deflate(&z, Z_FINISH);
    zlib_len = z.total_out;
    (void) deflateEnd(&z);

    len = there_and_back(event_len);

    ok(len != 0 && len < event_len / 2 && len < zlib_len * 105 / 100,
       "an event of %zu bytes: %zu, zlib's fastest makes %zu", event_len,
       len, zlib_len);
}


int
main(void)
{
    uint64_t  seed[4] = { 1, 2, 3, 4 };

    snx_random_seed(&entropy, seed);
    snx_gzip_init(&gzip);

    test_lengths();
    test_distances();
    test_random();
    test_room();
    test_event();
    test_wrap();

    return tap_done();
}
