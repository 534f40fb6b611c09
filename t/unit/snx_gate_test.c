
/*
 * Copyright (C) ngx_sentry authors
 *
 * The gate: what passes when, who makes room for whom, and that every event
 * held back is told once or still there, whatever many threads do at once.
 */


#include <pthread.h>

#include "snx_gate.h"
#include "tap.h"


#define THREADS_N              8
#define EVENTS_N               200000      /* of each thread */
#define CROWD_N                (SNX_GATE_WAYS_N * 3)


typedef struct {
    _Atomic uint64_t   passed;
    _Atomic uint64_t   held;
    _Atomic uint64_t   told;
} books_t;


static void test_bucket(void);
static void test_told(void);
static void test_keys(void);
static void test_room(void);
static void test_killed(void);
static void test_other_limit(void);
static void test_threads(unsigned keys);

static snx_gate_t *gate_new(void);
static uint64_t key_of(unsigned i);
static uint64_t left(uint64_t key);
static void *work(void *data);


static snx_gate_t        *gate;
static unsigned           keys_n;
static books_t            books[CROWD_N];
static _Atomic uint64_t   clock_ms;


int
main(void)
{
    test_bucket();
    test_told();
    test_keys();
    test_room();
    test_killed();
    test_other_limit();
    test_threads(1);
    test_threads(SNX_GATE_WAYS_N);
    test_threads(CROWD_N);

    return tap_done();
}


static snx_gate_t *
gate_new(void)
{
    static snx_gate_t  room;

    gate = &room;
    memset((void *) gate, 0, sizeof(snx_gate_t));
    snx_gate_init(gate, 12345);

    return gate;
}


/* All of one set. */

static uint64_t
key_of(unsigned i)
{
    return ((uint64_t) 7 << 48) + i + 1;
}


/* Held back and not told. */

static uint64_t
left(uint64_t key)
{
    unsigned           i;
    uint64_t           tag;
    snx_gate_group_t  *group;

    for (i = 0; i < SNX_GATE_WAYS_N; i++) {
        group = &gate->groups[7][i];
        tag = atomic_load(&group->tag);

        if (tag >> 16 == (key & 0xffffffffffff)
            && (tag & 0xffff) == (atomic_load(&group->count) & 0xffff))
        {
            return atomic_load(&group->count) >> 16;
        }
    }

    return 0;
}


static void
test_bucket(void)
{
    unsigned  i, passed;
    uint64_t  held, start, ms;

    static const struct {
        uint64_t  interval_us;
        uint64_t  burst;
        uint64_t  step_ms;         /* between two events */
        unsigned  events;
        unsigned  passed;
    } tests[] = {
        { 2000000, 10, 0, 1000, 10 },
        { 2000000, 1, 0, 1000, 1 },
        { 2000000, 10, 1, 10000, 14 },     /* until 9,999 ms */
        { 2000000, 10, 1, 10001, 15 },
        { 2000000, 1, 1000, 10, 5 },
        { 1000000, 1, 999, 3, 2 },
        { 1000000, 1, 1000, 100, 100 },
        { 100, 5, 0, 100, 5 },             /* 10,000 a second */
        { 100, 5, 1, 1000, 1000 },
        { 333333, 1, 333, 4, 2 },          /* no rounding in its favour */
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        snx_gate_limit_t  limit = { tests[i].interval_us, tests[i].burst };

        (void) gate_new();
        passed = 0;
        start = 1000000;

        for (ms = 0; ms < tests[i].events; ms++) {
            if (snx_gate_pass(gate, &limit, key_of(1),
                              start + ms * tests[i].step_ms, &held))
            {
                passed++;
            }
        }

        ok(passed == tests[i].passed, "bucket %u: %u pass, %u should", i,
           passed, tests[i].passed);
    }
}


static void
test_told(void)
{
    uint64_t          held;
    snx_gate_limit_t  limit = { 1000000, 2 };

    (void) gate_new();

    ok(snx_gate_pass(gate, &limit, key_of(1), 5000, &held), "the first");
    is_int(held, 0, "nothing was held back before");
    ok(snx_gate_pass(gate, &limit, key_of(1), 5000, &held), "the burst");
    ok(!snx_gate_pass(gate, &limit, key_of(1), 5000, &held), "no more");
    ok(!snx_gate_pass(gate, &limit, key_of(1), 5100, &held), "and no more");
    ok(snx_gate_pass(gate, &limit, key_of(2), 5100, &held), "another group");
    is_int(held, 0, "has its own count");
    ok(snx_gate_pass(gate, &limit, key_of(1), 6000, &held), "a second later");
    is_int(held, 2, "tells of two");

    snx_gate_give_back(gate, key_of(1), held);
    ok(!snx_gate_pass(gate, &limit, key_of(1), 6001, &held), "held back");
    ok(snx_gate_pass(gate, &limit, key_of(1), 7000, &held), "the next one");
    is_int(held, 3, "tells what was given back");
    ok(snx_gate_pass(gate, &limit, key_of(1), 8000, &held), "and the next");
    is_int(held, 0, "tells nothing twice");

    snx_gate_give_back(gate, key_of(3), 5);
    ok(snx_gate_pass(gate, &limit, key_of(3), 8000, &held), "unknown group");
    is_int(held, 0, "was given nothing");
    is_int(snx_gate_used(gate), 3, "three groups");

    /* one worker's clock may lag behind another's */

    ok(snx_gate_pass(gate, &limit, key_of(1), 20000, &held), "on time");
    ok(!snx_gate_pass(gate, &limit, key_of(1), 19990, &held), "late");
    ok(snx_gate_pass(gate, &limit, key_of(1), 20000, &held), "on time again");
}


static void
test_keys(void)
{
    size_t    i, j, same;
    uint64_t  keys[8], seed;

    static const char  *parts[8][3] = {
        { "a", "bc", "" }, { "ab", "c", "" }, { "abc", "", "" },
        { "", "abc", "" }, { "12345678", "9", "" }, { "123456789", "", "" },
        { "a", "b", "c" }, { "a\1", "bc", "" },
    };

    (void) gate_new();
    seed = snx_gate_key(gate);

    for (i = 0; i < 8; i++) {
        keys[i] = seed;

        for (j = 0; j < 3; j++) {
            keys[i] = snx_gate_mix(keys[i], snx_cstr(parts[i][j]));
        }
    }

    same = 0;

    for (i = 0; i < 8; i++) {
        for (j = 0; j < i; j++) {
            same += keys[i] == keys[j];
        }
    }

    is_int(same, 0, "different parts, different keys");
    is_int(snx_gate_mix(seed, snx_cstr("x"))
           == snx_gate_mix(seed, snx_cstr("x")), 1, "the same, the same");

    snx_gate_init(gate, 54321);
    ok(snx_gate_key(gate) != seed, "another seed");

    /* a key of zero bits is not a free place */

    ok(snx_gate_used(gate) == 0, "empty");
    (void) snx_gate_pass(gate, &(snx_gate_limit_t) { 1, 1 }, 0, 1, &seed);
    is_int(snx_gate_used(gate), 1, "one group");
}


static void
test_room(void)
{
    unsigned          i;
    uint64_t          held;
    snx_gate_limit_t  limit = { 60000000, 1 };

    (void) gate_new();

    for (i = 0; i < SNX_GATE_WAYS_N; i++) {
        (void) snx_gate_pass(gate, &limit, key_of(i), 100 + i, &held);
        (void) snx_gate_pass(gate, &limit, key_of(i), 100 + i, &held);
    }

    is_int(atomic_load(&gate->evicted), 0, "all have room");

    /* the oldest one is used again: it is the second that goes */

    ok(!snx_gate_pass(gate, &limit, key_of(0), 200, &held), "held back");
    ok(snx_gate_pass(gate, &limit, key_of(9), 201, &held), "a new group");
    is_int(held, 0, "does not tell of the one that made room");
    is_int(atomic_load(&gate->evicted), 1, "one made room");
    is_int(left(key_of(0)), 2, "the one in use stays");
    is_int(left(key_of(1)), 0, "the oldest is gone");
    is_int(left(key_of(2)), 1, "the others stay");

    ok(snx_gate_pass(gate, &limit, key_of(1), 202, &held), "it comes back");
    is_int(held, 0, "as a new one");

    for (i = 0; i < 100000; i++) {
        (void) snx_gate_pass(gate, &limit,
                             snx_gate_mix(12345, snx_str(&i, sizeof(i))),
                             300 + i, &held);
    }

    is_int(snx_gate_used(gate), SNX_GATE_GROUPS_N, "all of it is used");
}


/* Between the two steps of a change: nobody is there, and it is mended. */

static void
test_killed(void)
{
    unsigned           i;
    uint64_t           held;
    snx_gate_limit_t   limit = { 60000000, 1 };
    snx_gate_group_t  *group;

    for (i = 0; i < 2; i++) {
        (void) gate_new();
        group = &gate->groups[7][0];

        if (i) {
            (void) snx_gate_pass(gate, &limit, key_of(1), 100, &held);
            (void) snx_gate_pass(gate, &limit, key_of(1), 100, &held);
        }

        atomic_store(&group->count,
                     (atomic_load(&group->count) & 0xffff) + 1);

        ok(snx_gate_pass(gate, &limit, key_of(1), 101, &held), "passes");
        is_int(held, 0, "tells nothing of another life");
        ok(!snx_gate_pass(gate, &limit, key_of(1), 101, &held), "counts");
        is_int(left(key_of(1)), 1, "and holds back again");
    }
}


static void
test_other_limit(void)
{
    unsigned          i;
    uint64_t          held;
    snx_gate_limit_t  hourly = { 3600000000u, 10 }, often = { 1000, 1 };

    (void) gate_new();

    for (i = 0; i < 10; i++) {
        (void) snx_gate_pass(gate, &hourly, key_of(1), 100, &held);
    }

    ok(!snx_gate_pass(gate, &hourly, key_of(1), 101, &held), "hours to wait");
    ok(snx_gate_pass(gate, &often, key_of(1), 102, &held),
       "not under another limit");
    is_int(held, 1, "what was held back is not forgotten");
    ok(!snx_gate_pass(gate, &often, key_of(1), 102, &held), "it is in force");
}


static void *
work(void *data)
{
    unsigned          i, k;
    uint64_t          held, dice;
    snx_gate_limit_t  limit = { 20000, 2 }, none = { 1, 1000000000 };

    /* in a crowd none stays for long: the next token must come before */

    if (keys_n == CROWD_N) {
        limit = (snx_gate_limit_t) { 1000, 1 };
    }

    dice = (uint64_t) (uintptr_t) data;

    for (i = 0; i < EVENTS_N; i++) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        k = (unsigned) (dice >> 33) % keys_n;

        /* and every second group is never held back */

        if (snx_gate_pass(gate, k % 2 && keys_n == CROWD_N ? &none : &limit,
                          key_of(k),
                          atomic_fetch_add(&clock_ms, i % 64 == 0), &held))
        {
            (void) atomic_fetch_add(&books[k].passed, 1);

            if (held != 0 && dice >> 60 == 0) {
                snx_gate_give_back(gate, key_of(k), held);
                continue;
            }

            (void) atomic_fetch_add(&books[k].told, held);

        } else {
            (void) atomic_fetch_add(&books[k].held, 1);
        }
    }

    return NULL;
}


/*
 * As many groups as have room: every one held back is told or still there.
 * More: none is told by another group, or twice.
 */

static void
test_threads(unsigned keys)
{
    unsigned   i, wrong;
    uint64_t   passed, held, told, rest;
    pthread_t  threads[THREADS_N];

    (void) gate_new();
    memset((void *) books, 0, sizeof(books));
    keys_n = keys;
    atomic_store(&clock_ms, 1000);

    for (i = 0; i < THREADS_N; i++) {
        (void) pthread_create(&threads[i], NULL, work,
                              (void *) (uintptr_t) (i * 7919 + 1));
    }

    for (i = 0; i < THREADS_N; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    passed = held = told = rest = 0;
    wrong = 0;

    for (i = 0; i < keys; i++) {
        passed += books[i].passed;
        held += books[i].held;
        told += books[i].told;
        rest += left(key_of(i));

        wrong += books[i].told + left(key_of(i)) > books[i].held;
    }

    ok(passed + held == (uint64_t) THREADS_N * EVENTS_N,
       "%u groups: passed or held back are all", keys);
    ok(wrong == 0, "%u groups: each tells of its own", keys);
    ok(told != 0, "%u groups: something was told", keys);

    if (keys <= SNX_GATE_WAYS_N) {
        ok(told + rest == held, "%u groups: told or there are all", keys);
        ok(passed <= keys * (2 + atomic_load(&clock_ms) / 20),
           "%u groups: no more than the limit pass", keys);
        is_int(atomic_load(&gate->evicted), 0, "nobody made room");

    } else {
        ok(told + rest <= held, "%u groups: none is told twice", keys);
        ok(atomic_load(&gate->evicted) > 1000, "many made room");
    }
}
