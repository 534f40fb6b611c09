
/*
 * Copyright (C) ngx_sentry authors
 *
 * Sampling decisions.
 */


#include "snx_sample.h"
#include "snx_text.h"


#define SNX_SAMPLE_NS          1000000000u


/* Two digits of a number at once. */

#define SNX_SAMPLE_PAIRS(d)                                                   \
    d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"

static const char  snx_sample_pairs[] =
    SNX_SAMPLE_PAIRS("0") SNX_SAMPLE_PAIRS("1") SNX_SAMPLE_PAIRS("2")
    SNX_SAMPLE_PAIRS("3") SNX_SAMPLE_PAIRS("4") SNX_SAMPLE_PAIRS("5")
    SNX_SAMPLE_PAIRS("6") SNX_SAMPLE_PAIRS("7") SNX_SAMPLE_PAIRS("8")
    SNX_SAMPLE_PAIRS("9");


void
snx_sample_decide(snx_sample_t *sample, double rate, int caller,
    uint32_t random, unsigned halvings)
{
    double  effective;

    sample->rate = -1;
    sample->sampled = -1;
    sample->why = SNX_SAMPLE_OFF;

    if (rate < 0) {
        return;
    }

    if (caller >= 0) {
        sample->sampled = (int8_t) caller;
        sample->why = SNX_SAMPLE_CALLER;

        if (caller == 0 || halvings == 0) {
            return;
        }

        rate = 1;
    }

    effective = rate / (double) (1u << halvings);

    sample->rate = effective;
    sample->sampled = (double) random < effective * SNX_SAMPLE_RAND_N;

    if (caller < 0) {
        sample->why = SNX_SAMPLE_RATE;
    }

    if (!sample->sampled && (double) random < rate * SNX_SAMPLE_RAND_N) {
        sample->why = SNX_SAMPLE_PRESSURE;
    }
}


uint32_t
snx_sample_random(double unit, double rate, int flag)
{
    double    low, high;
    uint32_t  random;

    low = 0;
    high = 1;

    if (flag == 1 && rate > 0) {
        high = rate;

    } else if (flag == 0 && rate >= 0 && rate < 1) {
        low = rate;
    }

    random = (uint32_t) ((low + unit * (high - low)) * SNX_SAMPLE_RAND_N);

    /* cut to six digits it may be below a rate that has more of them */

    if ((double) random < low * SNX_SAMPLE_RAND_N) {
        random++;
    }

    return random < SNX_SAMPLE_RAND_N ? random : SNX_SAMPLE_RAND_N - 1;
}


int
snx_sample_read(snx_str_t text, uint32_t *random)
{
    double    value;
    size_t    i;
    uint32_t  n, unit;

    if (!snx_text_rate(text, &value) || value >= 1) {
        return 0;
    }

    n = 0;
    unit = 0;

    for (i = 0; i < text.len && unit != 1; i++) {
        if (text.data[i] == '.') {
            unit = SNX_SAMPLE_RAND_N;

        } else if (unit != 0) {
            unit /= 10;
            n += (uint32_t) (text.data[i] - '0') * unit;
        }
    }

    *random = n;

    return 1;
}


size_t
snx_sample_write(uint32_t random, char out[SNX_SAMPLE_RAND_LEN])
{
    _Static_assert(SNX_SAMPLE_RAND_N == 1000000 && SNX_SAMPLE_RAND_LEN == 8,
                   "six digits");

    memcpy(out, "0.", 2);
    memcpy(out + 2, &snx_sample_pairs[random / 10000 % 100 * 2], 2);
    memcpy(out + 4, &snx_sample_pairs[random / 100 % 100 * 2], 2);
    memcpy(out + 6, &snx_sample_pairs[random % 100 * 2], 2);

    return SNX_SAMPLE_RAND_LEN;
}


size_t
snx_sample_write_rate(double rate, char out[SNX_SAMPLE_RATE_MAX])
{
    size_t    i, len;
    uint64_t  n;

    rate = (rate < 0) ? 0 : (rate > 1) ? 1 : rate;
    n = (uint64_t) snx_sample_scaled(rate);

    out[0] = (char) ('0' + n / SNX_SAMPLE_SCALE);
    out[1] = '.';
    n %= SNX_SAMPLE_SCALE;
    len = 1;

    for (i = SNX_SAMPLE_DIGITS + 1; i > 1; i--) {
        out[i] = (char) ('0' + n % 10);
        n /= 10;

        if (len == 1 && out[i] != '0') {
            len = i + 1;
        }
    }

    return len;
}


/*
 * at is when all that was taken is earned, in ns.  A swap that fails lost to
 * another worker that took one.
 */

int
snx_sample_take(_Atomic uint64_t *at, uint64_t per_s, uint64_t now_ms)
{
    uint64_t  now, old, until, step;

    step = SNX_SAMPLE_NS / (per_s ? per_s : 1);
    step += (step == 0);
    now = now_ms * 1000000u;
    old = atomic_load_explicit(at, memory_order_relaxed);

    do {
        until = (old > now ? old : now) + step;

        if (until - now > SNX_SAMPLE_NS) {
            return 0;
        }

        /* relaxed: the number orders nothing */

    } while (!atomic_compare_exchange_weak_explicit(at, &old, until,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));

    return 1;
}


void
snx_pressure_check(snx_pressure_t *pressure, int bad, uint64_t now_ms)
{
    uint32_t  n;

    n = snx_pressure_halvings(pressure);

    if (!bad) {
        if (n != 0) {
            atomic_store_explicit(&pressure->halvings, 0,
                                  memory_order_relaxed);
        }

        return;
    }

    if (n == SNX_PRESSURE_MAX
        || (n != 0 && now_ms < atomic_load_explicit(&pressure->next_ms,
                                                    memory_order_relaxed)))
    {
        return;
    }

    atomic_store_explicit(&pressure->next_ms, now_ms + SNX_PRESSURE_STEP_MS,
                          memory_order_relaxed);
    atomic_store_explicit(&pressure->halvings, n + 1, memory_order_relaxed);
}


unsigned
snx_pressure_halvings(const snx_pressure_t *pressure)
{
    uint32_t  n;

    n = atomic_load_explicit(&pressure->halvings, memory_order_relaxed);

    return n < SNX_PRESSURE_MAX ? n : SNX_PRESSURE_MAX;
}
