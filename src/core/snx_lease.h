
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sender lease: which process may send.  One 64-bit word in shared
 * memory, changed only by compare-and-swap, so it is never seen torn and
 * never left half-written by a killed holder.
 *
 * DESIGN.  The word packs pid (22 bits, Linux' and BSDs' maximum),
 * generation (16 bits, counts configurations, compared as a serial number)
 * and deadline (26 bits of 100 ms since an arbitrary start, compared as a
 * serial number; wraps after 77 days).  0 is "free".  Renewing swaps the word
 * the holder last wrote; taking swaps the word just read: whoever was
 * overtaken notices at its next renewal.
 *
 * start_ticks repeats the pid it belongs to, so that the time between the two
 * stores cannot make a new holder look dead; without it the pid alone is
 * asked for, and the deadline decides in the end.
 */


#ifndef SNX_LEASE_H_INCLUDED
#define SNX_LEASE_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"
#include "snx_lane.h"      /* snx_alive_pt */


#define SNX_LEASE_MS           1500    /* validity of one renewal */
#define SNX_LEASE_RENEW_MS     300


typedef struct {
    _Atomic uint64_t   word;
    _Atomic uint64_t   start_ticks;    /* pid:22 | ticks:42, advisory */
    _Atomic uint64_t   taken;          /* how often it changed hands */
} snx_lease_t;


typedef struct {
    uint32_t   pid;                    /* 0: nobody */
    uint16_t   generation;
    int32_t    left_ms;                /* until the deadline, < 0 past it */
} snx_lease_info_t;


/*
 * Takes the lease when it is free, expired, held by a dead process, by an
 * older generation, or by the caller's own pid (a dead namesake).
 * now_ms: monotonic milliseconds, the same clock in all processes.
 * Returns SNX_OK with *token set (pass it on to renew and release), or
 * SNX_AGAIN when somebody else rightly holds it.
 */
SNX_COLD snx_rc_t snx_lease_take(snx_lease_t *lease, uint32_t pid,
    uint64_t start_ticks, uint16_t generation, uint64_t now_ms,
    snx_alive_pt alive, void *data, uint64_t *token);

/* SNX_OK with a new deadline and token, or SNX_AGAIN: it is lost. */
snx_rc_t snx_lease_renew(snx_lease_t *lease, uint64_t now_ms,
    uint64_t *token);

/* Gives it back if it is still the caller's. */
SNX_COLD void snx_lease_release(snx_lease_t *lease, uint64_t token);

/* Who holds it. */
void snx_lease_info(const snx_lease_t *lease, uint64_t now_ms,
    snx_lease_info_t *info);


#endif /* SNX_LEASE_H_INCLUDED */
