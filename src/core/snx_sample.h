
/*
 * Copyright (C) ngx_sentry authors
 *
 * Whether a trace is recorded: the decision, its random number, the cap on
 * sampled traces and backpressure.
 * Source: develop docs, sdk/telemetry/traces (sampling, backpressure) and
 * sdk/foundations/trace-propagation (sample_rand).
 *
 * DESIGN.  sample_rand belongs to the trace, travels with it and has six
 * digits; it is an integer of millionths here, so what is compared is what
 * is told.  Every decision by a rate is sample_rand < rate, never a fresh
 * random number: then services that share a trace agree.
 */


#ifndef SNX_SAMPLE_H_INCLUDED
#define SNX_SAMPLE_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"


#define SNX_SAMPLE_RAND_N      1000000u    /* sample_rand is below it */
#define SNX_SAMPLE_RAND_LEN    8           /* "0.123456" */
#define SNX_SAMPLE_RATE_MAX    16          /* longest rate as text */
#define SNX_SAMPLE_DIGITS      12          /* of a rate, behind the point */
#define SNX_SAMPLE_SCALE       1000000000000u

#define SNX_PRESSURE_STEP_MS   10000       /* between two halvings */
#define SNX_PRESSURE_MAX       10          /* halvings */


/* What decided. */

typedef enum {
    SNX_SAMPLE_OFF = 0,        /* nothing: tracing is off */
    SNX_SAMPLE_RATE,           /* sample_rand against the rate */
    SNX_SAMPLE_CALLER,         /* the caller's flag */
    SNX_SAMPLE_ROUTE,          /* a route that is not traced */
    SNX_SAMPLE_LIMIT,          /* sentry_traces_limit: not sampled */
    SNX_SAMPLE_PRESSURE        /* backpressure: not sampled */
} snx_sample_why_t;


typedef struct {
    double             rate;   /* that decided, -1 none did */
    int8_t             sampled;    /* 1, 0, -1 no decision */
    snx_sample_why_t   why;
} snx_sample_t;


/*
 * rate: 0..1, -1 off.  caller: the flag to obey, 1 or 0, -1 none.
 * random: millionths.  halvings: of backpressure.
 */
void snx_sample_decide(snx_sample_t *sample, double rate, int caller,
    uint32_t random, unsigned halvings);

/*
 * A random number for a trace that has none, from unit in [0, 1): anything,
 * or, when the caller told its rate (else -1) and flag (else -1), one that
 * would have led to that.
 */
uint32_t snx_sample_random(double unit, double rate, int flag);

/* The same of 64 random bits when the caller told neither. */

static inline uint32_t
snx_sample_bits(uint64_t bits)
{
    return (uint32_t) ((bits >> 32) * SNX_SAMPLE_RAND_N >> 32);
}


/* "0.123456", cut after six digits: 1 and *random, or 0. */
int snx_sample_read(snx_str_t text, uint32_t *random);

/* A rate in whole numbers. */

static inline int64_t
snx_sample_scaled(double rate)
{
    return (int64_t) (rate * (double) SNX_SAMPLE_SCALE + 0.5);
}


/* Each returns the length. */
size_t snx_sample_write(uint32_t random, char out[SNX_SAMPLE_RAND_LEN]);
size_t snx_sample_write_rate(double rate, char out[SNX_SAMPLE_RATE_MAX]);


/*
 * Takes one of per_s traces a second, of which a second's worth may come at
 * once; 1, or 0 when there is none left.  at: in shared memory, zeroed.
 * Threads: any.  Cost: one swap when taken, no lock.
 */
int snx_sample_take(_Atomic uint64_t *at, uint64_t per_s, uint64_t now_ms);


/* Backpressure, in shared memory, zeroed; written by the lease holder. */

typedef struct {
    _Atomic uint32_t   halvings;
    _Atomic uint64_t   next_ms;
} snx_pressure_t;


/*
 * Halves the rate once more while things are bad, at most every 10 s and 10
 * times; whole again as soon as they are not.
 */
void snx_pressure_check(snx_pressure_t *pressure, int bad, uint64_t now_ms);

unsigned snx_pressure_halvings(const snx_pressure_t *pressure);


#endif /* SNX_SAMPLE_H_INCLUDED */
