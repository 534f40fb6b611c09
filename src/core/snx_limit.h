
/*
 * Copyright (C) ngx_sentry authors
 *
 * Sentry's rate limits: categories, the X-Sentry-Rate-Limits and Retry-After
 * headers, and the deadlines they set.  Source: develop docs,
 * sdk/foundations/transport/rate-limiting.
 */


#ifndef SNX_LIMIT_H_INCLUDED
#define SNX_LIMIT_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"


typedef enum {
    SNX_CAT_ERROR = 0,
    SNX_CAT_TRANSACTION,
    SNX_CAT_SPAN,
    SNX_CAT_SESSION,
    SNX_CAT_LOG,
    SNX_CAT_INTERNAL,          /* client reports: only "all" limits them */
    SNX_CATS_N
} snx_category_t;


#define SNX_LIMIT_DEFAULT_MS   60000   /* a bare 429 */
#define SNX_LIMIT_MAX_MS       86400000


/* Deadlines in monotonic ms per category, 0 none; in shared memory. */

typedef struct {
    _Atomic uint64_t   until_ms[SNX_CATS_N];
} snx_limits_t;


/* The wire name: "error", "transaction", ... */
snx_str_t snx_category_name(snx_category_t category);

/*
 * Applies one X-Sentry-Rate-Limits value.  Seconds may be fractions; spaces,
 * unknown categories and further fields are ignored; an empty category list
 * means all; the longer of the old and the new deadline stays.
 * Returns the number of limits applied.  Bad input applies nothing.
 */
SNX_COLD int snx_limits_header(snx_limits_t *limits, snx_str_t value,
    uint64_t now_ms);

/*
 * Applies a Retry-After value (seconds, or an HTTP date compared with
 * now_epoch in seconds) to all categories; returns 1, or 0 when the value
 * cannot be read (nothing is applied).
 */
SNX_COLD int snx_limits_retry_after(snx_limits_t *limits, snx_str_t value,
    uint64_t now_ms, int64_t now_epoch);

/* Limits all categories for ms from now (a bare 429). */
SNX_COLD void snx_limits_all(snx_limits_t *limits, uint64_t ms,
    uint64_t now_ms);

/* Whether the category was ever limited: spares looking at a clock. */

static inline int
snx_limits_any(const snx_limits_t *limits, snx_category_t category)
{
    return atomic_load_explicit(&limits->until_ms[category],
                                memory_order_relaxed) != 0;
}


/* Milliseconds until the category may be sent again, 0 now. */
uint64_t snx_limits_left(const snx_limits_t *limits, snx_category_t category,
    uint64_t now_ms);


#endif /* SNX_LIMIT_H_INCLUDED */
