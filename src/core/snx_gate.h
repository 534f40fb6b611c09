
/*
 * Copyright (C) ngx_sentry authors
 *
 * The gate: lets the first events of a group pass at once and then as many
 * as the limit allows, and counts those it holds back, for all workers
 * together.
 *
 * DESIGN.  A table in shared memory, set-associative, without a lock: the
 * least recently used group of a set makes room for a new one.  The number
 * held back is exact: it belongs to one life of its place in the table.  A
 * life begins when a group moves in; its number, 16 bits, stands in the tag
 * (with the key) and in the count, and a count is changed only by a compare
 * and swap that expects the life the caller has read from the tag.  To evict
 * a group is to begin the next life in the count, which ends all changes on
 * behalf of the old one, and then to write the tag.  A process killed between
 * the two leaves a place where the lives differ: it matches no group, and
 * whoever needs a place mends it.
 */


#ifndef SNX_GATE_H_INCLUDED
#define SNX_GATE_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"


#define SNX_GATE_SETS_N        256     /* a power of two, at most 65536 */
#define SNX_GATE_WAYS_N        4
#define SNX_GATE_GROUPS_N      (SNX_GATE_SETS_N * SNX_GATE_WAYS_N)


typedef struct {
    _Atomic uint64_t   tag;        /* 48 bits of the key, life; 0 free */
    _Atomic uint64_t   count;      /* 48 bits: held back, not told; life */
    _Atomic uint64_t   full_us;    /* when the bucket will be full again */
    _Atomic uint64_t   used_ms;
} snx_gate_group_t;


typedef struct {
    uint64_t           seed;
    _Atomic uint64_t   evicted;    /* groups that had to make room */
    snx_gate_group_t   groups[SNX_GATE_SETS_N][SNX_GATE_WAYS_N];
} snx_gate_t;


/* A token bucket: burst events at once, then one every interval_us. */

typedef struct {
    uint64_t   interval_us;        /* 0: no limit */
    uint64_t   burst;
} snx_gate_limit_t;


/* Threads: before any other process uses it; mem is zeroed. */
void snx_gate_init(snx_gate_t *gate, uint64_t entropy);

/*
 * A group's key is snx_gate_key(gate), with snx_gate_mix() for each part that
 * makes the group: "a", "bc" and "ab", "c" give different keys.
 */
uint64_t snx_gate_key(const snx_gate_t *gate);
uint64_t snx_gate_mix(uint64_t key, snx_str_t part);

/*
 * Whether an event of the group may pass now.  If so, *held is how many were
 * held back since the last one that passed, and they are told with it; else
 * the event is counted as held back.  now_ms is monotonic.
 * Cost: constant, no lock; a first event of a new group evicts another one
 * when its set is full.
 */
int snx_gate_pass(snx_gate_t *gate, const snx_gate_limit_t *limit,
    uint64_t key, uint64_t now_ms, uint64_t *held);

/*
 * Gives back what snx_gate_pass() told, when the event could not be recorded:
 * the group's next one tells it.  Nothing to do for a group that is gone.
 */
void snx_gate_give_back(snx_gate_t *gate, uint64_t key, uint64_t held);

/* Groups in the table now. */
size_t snx_gate_used(const snx_gate_t *gate);


#endif /* SNX_GATE_H_INCLUDED */
