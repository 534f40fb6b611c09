
/*
 * Copyright (C) ngx_sentry authors
 *
 * Key: the low 48 bits make the tag, higher ones choose the set.
 */


#include "snx_gate.h"


#define SNX_GATE_LIFE          0xffffu
#define SNX_GATE_SHIFT         16

/* rounds for a place that changes hands meanwhile, half of them patient */
#define SNX_GATE_TRIES         64

/* no bucket of this limit can be emptier than its burst and such a lag */
#define SNX_GATE_LAG_US        10000000u


static uint64_t snx_gate_scramble(uint64_t x);
static snx_gate_group_t *snx_gate_set(snx_gate_t *gate, uint64_t key);
static snx_gate_group_t *snx_gate_find(snx_gate_group_t *set, uint64_t key,
    uint64_t *life);
static void snx_gate_claim(snx_gate_t *gate, snx_gate_group_t *set,
    uint64_t key, int mend);
static int snx_gate_token(snx_gate_group_t *group,
    const snx_gate_limit_t *limit, uint64_t now_us);
static int snx_gate_add(snx_gate_group_t *group, uint64_t life, uint64_t n);
static uint64_t snx_gate_take(snx_gate_group_t *group, uint64_t life);


/* The finalizer of splitmix64 (Vigna). */

static uint64_t
snx_gate_scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;

    return x ^ (x >> 31);
}


void
snx_gate_init(snx_gate_t *gate, uint64_t entropy)
{
    gate->seed = snx_gate_scramble(entropy + 0x9e3779b97f4a7c15u);
}


uint64_t
snx_gate_key(const snx_gate_t *gate)
{
    return gate->seed;
}


uint64_t
snx_gate_mix(uint64_t key, snx_str_t part)
{
    size_t    i, n;
    uint64_t  word;

    key = snx_gate_scramble(key + part.len + 1);

    for (i = 0; i < part.len; i += n) {
        n = (part.len - i < sizeof(word)) ? part.len - i : sizeof(word);
        word = 0;
        memcpy(&word, part.data + i, n);

        key = snx_gate_scramble(key ^ word);
    }

    return key;
}


static snx_gate_group_t *
snx_gate_set(snx_gate_t *gate, uint64_t key)
{
    return gate->groups[(key >> 48) % SNX_GATE_SETS_N];
}


/* What the tag holds of a key, never 0: that is a free place. */

static uint64_t
snx_gate_tag(uint64_t key)
{
    key <<= SNX_GATE_SHIFT;

    return key ? key : (uint64_t) 1 << SNX_GATE_SHIFT;
}


static snx_gate_group_t *
snx_gate_find(snx_gate_group_t *set, uint64_t key, uint64_t *life)
{
    size_t    i;
    uint64_t  tag;

    for (i = 0; i < SNX_GATE_WAYS_N; i++) {

        /* acquire: the bucket was begun before the tag was written */

        tag = atomic_load_explicit(&set[i].tag, memory_order_acquire);

        if ((tag & ~(uint64_t) SNX_GATE_LIFE) != snx_gate_tag(key)) {
            continue;
        }

        /* not in the middle of a change, and not left there */

        if (((tag ^ atomic_load_explicit(&set[i].count,
                                         memory_order_relaxed))
             & SNX_GATE_LIFE) == 0)
        {
            *life = tag & SNX_GATE_LIFE;
            return &set[i];
        }
    }

    return NULL;
}


/*
 * Moves the key into the place used least recently, free ones first.  Whether
 * that worked is found out by looking again.
 */

static void
snx_gate_claim(snx_gate_t *gate, snx_gate_group_t *set, uint64_t key,
    int mend)
{
    size_t             i;
    uint64_t           tag, count, life, used, least;
    snx_gate_group_t  *group;

    group = set;
    least = UINT64_MAX;

    for (i = 0; i < SNX_GATE_WAYS_N; i++) {
        used = atomic_load_explicit(&set[i].used_ms, memory_order_relaxed);

        if (used < least) {
            least = used;
            group = &set[i];
        }
    }

    tag = atomic_load_explicit(&group->tag, memory_order_acquire);
    count = atomic_load_explicit(&group->count, memory_order_relaxed);

    if (((tag ^ count) & SNX_GATE_LIFE) != 0 && !mend) {
        return;
    }

    life = (count + 1) & SNX_GATE_LIFE;

    if (!atomic_compare_exchange_strong_explicit(&group->count, &count, life,
                                                 memory_order_relaxed,
                                                 memory_order_relaxed))
    {
        return;
    }

    atomic_store_explicit(&group->full_us, 0, memory_order_relaxed);

    if (atomic_compare_exchange_strong_explicit(&group->tag, &tag,
                                                snx_gate_tag(key) | life,
                                                memory_order_release,
                                                memory_order_relaxed)
        && tag != 0)
    {
        (void) atomic_fetch_add_explicit(&gate->evicted, 1,
                                         memory_order_relaxed);
    }
}


static int
snx_gate_token(snx_gate_group_t *group, const snx_gate_limit_t *limit,
    uint64_t now_us)
{
    uint64_t  full, from, room;

    room = (limit->burst - 1) * limit->interval_us;
    full = atomic_load_explicit(&group->full_us, memory_order_relaxed);

    do {
        from = (full > now_us) ? full : now_us;

        if (from - now_us > room + limit->interval_us + SNX_GATE_LAG_US) {

            /* left by a configuration with another limit */

            from = now_us;

        } else if (from - now_us > room) {
            return 0;
        }

    } while (!atomic_compare_exchange_weak_explicit(&group->full_us, &full,
                                                  from + limit->interval_us,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed));

    return 1;
}


/* 0 when the life is over. */

static int
snx_gate_add(snx_gate_group_t *group, uint64_t life, uint64_t n)
{
    uint64_t  count;

    count = atomic_load_explicit(&group->count, memory_order_relaxed);

    do {
        if ((count & SNX_GATE_LIFE) != life) {
            return 0;
        }

    } while (!atomic_compare_exchange_weak_explicit(&group->count, &count,
                                              count + (n << SNX_GATE_SHIFT),
                                              memory_order_relaxed,
                                              memory_order_relaxed));

    return 1;
}


static uint64_t
snx_gate_take(snx_gate_group_t *group, uint64_t life)
{
    uint64_t  count;

    count = atomic_load_explicit(&group->count, memory_order_relaxed);

    do {
        if ((count & SNX_GATE_LIFE) != life) {
            return 0;
        }

    } while (count != life
             && !atomic_compare_exchange_weak_explicit(&group->count, &count,
                                                       life,
                                                       memory_order_relaxed,
                                                       memory_order_relaxed));

    return count >> SNX_GATE_SHIFT;
}


int
snx_gate_pass(snx_gate_t *gate, const snx_gate_limit_t *limit, uint64_t key,
    uint64_t now_ms, uint64_t *held)
{
    int                tries;
    uint64_t           life;
    snx_gate_group_t  *set, *group;

    *held = 0;
    set = snx_gate_set(gate, key);

    for (tries = 0; tries < SNX_GATE_TRIES; tries++) {
        group = snx_gate_find(set, key, &life);

        if (group == NULL) {
            snx_gate_claim(gate, set, key, tries >= SNX_GATE_TRIES / 2);
            continue;
        }

        /* a line that all workers write is written when it must be */

        if (atomic_load_explicit(&group->used_ms, memory_order_relaxed)
            < now_ms)
        {
            atomic_store_explicit(&group->used_ms, now_ms,
                                  memory_order_relaxed);
        }

        if (snx_gate_token(group, limit, now_ms * 1000)) {
            *held = snx_gate_take(group, life);
            return 1;
        }

        if (snx_gate_add(group, life, 1)) {
            return 0;
        }
    }

    /* better one too many than a failure nobody hears of */

    return 1;
}


void
snx_gate_give_back(snx_gate_t *gate, uint64_t key, uint64_t held)
{
    uint64_t           life;
    snx_gate_group_t  *group;

    group = snx_gate_find(snx_gate_set(gate, key), key, &life);

    if (group != NULL && held != 0) {
        (void) snx_gate_add(group, life, held);
    }
}


size_t
snx_gate_used(const snx_gate_t *gate)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < SNX_GATE_GROUPS_N; i++) {
        n += atomic_load_explicit(&gate->groups[i / SNX_GATE_WAYS_N]
                                               [i % SNX_GATE_WAYS_N].tag,
                                  memory_order_relaxed)
             != 0;
    }

    return n;
}
