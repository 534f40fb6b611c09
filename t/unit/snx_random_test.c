
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_random.h"
#include "tap.h"


int
main(void)
{
    int             i, ones, same, out_of_range;
    double          u, sum;
    uint64_t        x;
    snx_random_t    a, b;
    unsigned char   id[16], last[16], zero[16];

    uint64_t  seed[4] = { 1, 2, 0, 0 };
    uint64_t  none[4] = { 0, 0, 0, 0 };

    /* the reference implementation's first outputs for this state */

    snx_random_seed(&a, seed);
    ok(snx_random_next(&a) == 3u, "first output");
    ok(snx_random_next(&a) == 412333834243u, "second output");
    ok(snx_random_next(&a) == 2360170716294286339u, "third output");
    ok(snx_random_next(&a) == 9295852285959843169u, "fourth output");

    seed[2] = 1;
    seed[3] = 2;
    snx_random_seed(&a, seed);
    ok(snx_random_next(&a) != 0, "what comes to a zero seed is mended");

    seed[3] = 3;
    snx_random_seed(&a, seed);
    ok(snx_random_next(&a) == 1u, "all of the seed counts");

    snx_random_seed(&a, none);
    snx_random_seed(&b, none);
    (void) snx_random_next(&a);
    x = snx_random_next(&a) | snx_random_next(&a) | snx_random_next(&a);
    ok(x != 0, "a zero seed is mended");

    memset(zero, 0, sizeof(zero));
    memset(last, 0, sizeof(last));
    same = 0;

    for (i = 0; i < 1000; i++) {
        snx_random_id(&b, id, sizeof(id));
        same += memcmp(id, last, sizeof(id)) == 0
                || memcmp(id, zero, sizeof(id)) == 0;
        memcpy(last, id, sizeof(id));
    }

    is_int(same, 0, "ids differ and are not zero");

    memset(id, 0xaa, sizeof(id));
    snx_random_id(&b, id, 3);
    is_int(id[3], 0xaa, "an id keeps to its length");

    sum = 0;
    ones = 0;
    out_of_range = 0;

    for (i = 0; i < 100000; i++) {
        u = snx_random_unit(&b);
        sum += u;
        ones += u < 0.1;
        out_of_range += !(u >= 0 && u < 1);
    }

    is_int(out_of_range, 0, "units are in [0, 1)");
    ok(sum > 49000 && sum < 51000, "their mean is a half");
    ok(ones > 9600 && ones < 10400, "a tenth is below 0.1");

    return tap_done();
}
