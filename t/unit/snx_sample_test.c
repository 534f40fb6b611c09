
/*
 * Copyright (C) ngx_sentry authors
 *
 * Sampling: decisions, random numbers, the cap and backpressure.
 */


#include "snx_random.h"
#include "snx_sample.h"
#include "tap.h"


static void test_decide(void);
static void test_random(void);
static void test_text(void);
static void test_take(void);
static void test_pressure(void);
static void test_share(void);


int
main(void)
{
    test_decide();
    test_random();
    test_text();
    test_take();
    test_pressure();
    test_share();

    return tap_done();
}


static void
test_decide(void)
{
    size_t        i;
    snx_sample_t  sample;

    static const struct {
        double            rate;
        int               caller;
        uint32_t          random;
        unsigned          halvings;
        int               sampled;
        double            decided;
        snx_sample_why_t  why;
    } t[] = {
        { -1, -1, 0, 0, -1, -1, SNX_SAMPLE_OFF },
        { -1, 1, 0, 0, -1, -1, SNX_SAMPLE_OFF },
        { 0, -1, 0, 0, 0, 0, SNX_SAMPLE_RATE },
        { 1, -1, 999999, 0, 1, 1, SNX_SAMPLE_RATE },
        { 0.25, -1, 249999, 0, 1, 0.25, SNX_SAMPLE_RATE },
        { 0.25, -1, 250000, 0, 0, 0.25, SNX_SAMPLE_RATE },
        { 0, 1, 999999, 0, 1, -1, SNX_SAMPLE_CALLER },
        { 1, 0, 0, 0, 0, -1, SNX_SAMPLE_CALLER },
        { 1, -1, 499999, 1, 1, 0.5, SNX_SAMPLE_RATE },
        { 1, -1, 500000, 1, 0, 0.5, SNX_SAMPLE_PRESSURE },
        { 0.5, -1, 124999, 2, 1, 0.125, SNX_SAMPLE_RATE },
        { 0.5, -1, 125000, 2, 0, 0.125, SNX_SAMPLE_PRESSURE },
        { 0.5, -1, 500000, 2, 0, 0.125, SNX_SAMPLE_RATE },
        { 0.1, 1, 249999, 2, 1, 0.25, SNX_SAMPLE_CALLER },
        { 0.1, 1, 250000, 2, 0, 0.25, SNX_SAMPLE_PRESSURE },
        { 0.1, 0, 0, 2, 0, -1, SNX_SAMPLE_CALLER },
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        snx_sample_decide(&sample, t[i].rate, t[i].caller, t[i].random,
                          t[i].halvings);
        ok(sample.sampled == t[i].sampled && sample.rate == t[i].decided
           && sample.why == t[i].why, "decision %zu: %d by %g, %d", i,
           sample.sampled, sample.rate, (int) sample.why);
    }
}


static void
test_random(void)
{
    size_t    i, j, wrong;
    uint32_t  n;

    static const double  rates[] = { 0, 0.1, 0.1234567, 0.5, 0.9999999, 1 };
    static const double  units[] = { 0, 0.25, 0.5, 0.9999999, 0.99999999999 };

    wrong = 0;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (j = 0; j < sizeof(units) / sizeof(units[0]); j++) {

            n = snx_sample_random(units[j], rates[i], 1);
            wrong += n >= SNX_SAMPLE_RAND_N;
            wrong += rates[i] > 0 && n >= rates[i] * SNX_SAMPLE_RAND_N;

            n = snx_sample_random(units[j], rates[i], 0);
            wrong += n >= SNX_SAMPLE_RAND_N;
            wrong += rates[i] < 0.99999 && n < rates[i] * SNX_SAMPLE_RAND_N;
        }
    }

    is_int((intmax_t) wrong, 0, "as the caller decided");

    is_int(snx_sample_random(0.5, -1, 1), 500000, "rate not told");
    is_int(snx_sample_random(0.5, 0.1, -1), 500000, "flag not told");
    is_int(snx_sample_random(0.1234569, -1, -1), 123456, "cut");

    is_int(snx_sample_bits(0), 0, "no bit");
    is_int(snx_sample_bits(UINT64_MAX), SNX_SAMPLE_RAND_N - 1, "all bits");
    is_int(snx_sample_bits(UINT64_C(1) << 63), 500000, "the first bit");
}


static void
test_text(void)
{
    size_t    i, n;
    char      out[SNX_SAMPLE_RATE_MAX];
    uint32_t  random;

    static const struct {
        const char  *text;
        int          ok;
        uint32_t     random;
    } read[] = {
        { "0.123456", 1, 123456 },
        { "0.1234569", 1, 123456 },
        { "0.9999999", 1, 999999 },
        { "0.5", 1, 500000 },
        { ".5", 1, 500000 },
        { "0", 1, 0 },
        { "0.0", 1, 0 },
        { "0.000001", 1, 1 },
        { "1", 0, 0 },
        { "1.0", 0, 0 },
        { "-0.1", 0, 0 },
        { "0.1e1", 0, 0 },
        { "nan", 0, 0 },
        { "0.", 0, 0 },
        { "", 0, 0 },
    };

    static const struct {
        double       rate;
        const char  *text;
    } rates[] = {
        { 0, "0" },
        { 1, "1" },
        { 0.1, "0.1" },
        { 0.25, "0.25" },
        { 0.001, "0.001" },
        { 1.0 / 1024, "0.0009765625" },
        { 0.5 / 1024, "0.00048828125" },
        { 0.123456, "0.123456" },
        { -1, "0" },
        { 2, "1" },
    };

    for (i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
        random = 7;
        is_int(snx_sample_read(snx_cstr(read[i].text), &random), read[i].ok,
               read[i].text);
        is_int(random, read[i].ok ? read[i].random : 7, "its value");
    }

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        n = snx_sample_write_rate(rates[i].rate, out);
        ok(n == strlen(rates[i].text) && memcmp(out, rates[i].text, n) == 0,
           "rate %s: %.*s", rates[i].text, (int) n, out);
    }

    is_mem(out, snx_sample_write(123, out), "0.000123", "sample_rand");
    is_mem(out, snx_sample_write(999999, out), "0.999999", "sample_rand");
}


static void
test_take(void)
{
    int               i, n;
    _Atomic uint64_t  at;

    at = 0;
    n = 0;

    for (i = 0; i < 100; i++) {
        n += snx_sample_take(&at, 10, 5000);
    }

    is_int(n, 10, "a second's worth at once");
    is_int(snx_sample_take(&at, 10, 5099), 0, "not yet");
    is_int(snx_sample_take(&at, 10, 5100), 1, "the next");
    is_int(snx_sample_take(&at, 10, 5100), 0, "one only");

    n = 0;

    for (i = 0; i < 10000; i++) {
        n += snx_sample_take(&at, 10, 6100 + (uint64_t) i);
    }

    ok(n >= 108 && n <= 111, "ten a second: %d in ten", n);

    is_int(snx_sample_take(&at, 10, 1000000), 1, "after a long time");

    at = 0;
    is_int(snx_sample_take(&at, 1, 1), 1, "one a second");
    is_int(snx_sample_take(&at, 1, 1000), 0, "not two");
    is_int(snx_sample_take(&at, 1, 1001), 1, "one a second");
}


static void
test_pressure(void)
{
    int             i;
    snx_pressure_t  p;

    memset(&p, 0, sizeof(p));

    snx_pressure_check(&p, 0, 1000);
    is_int(snx_pressure_halvings(&p), 0, "all well");

    snx_pressure_check(&p, 1, 1000);
    is_int(snx_pressure_halvings(&p), 1, "the first step");

    snx_pressure_check(&p, 1, 10999);
    is_int(snx_pressure_halvings(&p), 1, "not before 10 s");

    snx_pressure_check(&p, 1, 11000);
    is_int(snx_pressure_halvings(&p), 2, "the second");

    for (i = 0; i < 20; i++) {
        snx_pressure_check(&p, 1, 100000 + 10000 * (uint64_t) i);
    }

    is_int(snx_pressure_halvings(&p), SNX_PRESSURE_MAX, "at most");

    snx_pressure_check(&p, 0, 400000);
    is_int(snx_pressure_halvings(&p), 0, "whole again at once");
}


/* A million decisions at each rate, four standard deviations. */

static void
test_share(void)
{
    size_t        i;
    double        n, mean, four;
    uint32_t      j;
    uint64_t      seed[4] = { 1, 2, 3, 4 };
    snx_sample_t  sample;
    snx_random_t  random;

    static const double  rates[] = { 0, 0.001, 0.1, 0.5, 1 };

    snx_random_seed(&random, seed);

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        n = 0;

        for (j = 0; j < 1000000; j++) {
            snx_sample_decide(&sample, rates[i], -1,
                              snx_sample_bits(snx_random_next(&random)), 0);
            n += sample.sampled;
        }

        mean = rates[i] * 1e6;
        four = 16 * 1e6 * rates[i] * (1 - rates[i]);

        ok((n - mean) * (n - mean) <= four, "rate %g: %g of a million",
           rates[i], n);
    }
}
