
/*
 * Copyright (C) ngx_sentry authors
 *
 * A model checker for code on C11 atomics: runs the real code in every order
 * of its steps.  Include it first, then the sources to be checked: their
 * atomics become its own.
 *
 * DESIGN.  Tasks are coroutines.  Before each access to a word that tasks
 * share, the explorer may let another task go on, or kill one.  Each choice
 * is noted; when all tasks have ended the last choice that has another way
 * is changed and all is run again from the start, until none is left.
 *
 * Memory is C11's and not the machine's, which hides what it orders by
 * itself.  A word is the list of all that was written to it, in order; each
 * entry carries a view: up to where its writer saw every other word, if it
 * was a release, else as of its last release fence.  A load may take any
 * entry that is not older than what the task has seen of that word, and an
 * acquire (or a relaxed load and a later acquire fence) takes the entry's
 * view over.  Read-modify-writes take the last entry.  seq_cst is taken for
 * acquire and release on the last entry, which is enough for words that are
 * used in no other way.
 *
 * Left out: loads that take what is written later (load buffering), stores
 * that go before others in the order of a word, spurious failures of weak
 * swaps.
 *
 * Bounds, per run: preemptions (a task that could go on does not), stale
 * loads (not the last entry), kills.  Two runs that reach the same state
 * (what each task has read and written, what memory holds, bounds that are
 * left) go on alike: the second is cut.  Words that only one task uses, or
 * that nobody writes, are no choice; a word that turns out to be shared
 * starts all anew.
 */


#ifndef MODEL_UTIL_H_INCLUDED
#define MODEL_UTIL_H_INCLUDED


#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>


#define MODEL_TASKS_N          4
#define MODEL_WORDS_N          16384       /* 8 bytes each */
#define MODEL_PLACES_N         (2 * MODEL_WORDS_N)     /* of 4 bytes */
#define MODEL_SHARED_N         64          /* of them */
#define MODEL_ENTRIES_N        48          /* written to one in a run */
#define MODEL_DEPTH_N          4096        /* choices in a run */
#define MODEL_STACK            65536
#define MODEL_ALL              1000        /* no bound */


typedef uint8_t  model_16_t __attribute__((vector_size(16)));


typedef union {
    uint8_t     seen[MODEL_SHARED_N];
    model_16_t  wide[MODEL_SHARED_N / 16];
} model_view_t;


typedef struct {
    uint64_t      value;
    model_view_t  view;
} model_entry_t;


typedef struct {
    unsigned       n;
    model_entry_t  entry[MODEL_ENTRIES_N];
} model_word_t;


typedef struct {
    jmp_buf        here;
    jmp_buf        base;           /* the coroutine's beginning */
    model_view_t   view;
    model_view_t   pending;        /* what an acquire fence takes over */
    model_view_t   fenced;         /* as of the last release fence */
    uint64_t       history;        /* hash of all it did and read */
    int            ended;
    int            dead;
} model_task_t;


typedef struct {
    const char    *name;
    unsigned       tasks;
    void         (*task[MODEL_TASKS_N])(unsigned self);
    void         (*begin)(void);
    const char  *(*end)(void);     /* NULL: all is well */
    unsigned       killable;       /* a bit per task */
    int            preemptions;
    int            stale;
    int            kills;
} model_scenario_t;


typedef struct {
    unsigned long  runs;           /* to the end */
    unsigned long  cut;            /* at a state that was met before */
    unsigned long  states;
    unsigned       longest;        /* choices */
    const char    *failure;
    char           how[1600];      /* the way to it */
} model_result_t;


static uint64_t  model_memory[MODEL_WORDS_N] __attribute__((aligned(64)));

static struct {
    const model_scenario_t  *scenario;
    model_task_t             task[MODEL_TASKS_N];
    int                      current;      /* -1: none, all is plain */
    jmp_buf                  home;
    ucontext_t               cradle;
    ucontext_t               unused;
    int                      born;

    int16_t                  shared[MODEL_PLACES_N];    /* index, -1 not */
    uint8_t                  readers[MODEL_PLACES_N];   /* bits of tasks */
    uint8_t                  writers[MODEL_PLACES_N];
    unsigned                 shared_n;
    const volatile void     *place[MODEL_SHARED_N];
    size_t                   size[MODEL_SHARED_N];
    int                      anew;
    model_word_t             word[MODEL_SHARED_N];

    struct {
        uint8_t              n;
        uint8_t              chosen;
    }                        choice[MODEL_DEPTH_N];
    unsigned                 depth;
    unsigned                 noted;
    int                      preemptions;
    int                      stale;
    int                      kills;
    int                      pruned;
    uint64_t                 entries_hash;

    uint64_t                *states;
    size_t                   states_cap;
    size_t                   states_n;

    /* a memory order taken away, for seeing it missed */
    const char              *weak_func;
    int                      weak_kind;
    int                      weakened;
    model_result_t          *result;
} model;


static int model_met(uint64_t state);


static uint64_t
model_mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * 0x9e3779b97f4a7c15u;
    a ^= a >> 29;
    a *= 0xbf58476d1ce4e5b9u;

    return a ^ a >> 32;
}


static void
model_join(model_view_t *to, const model_view_t *from)
{
    unsigned    i;
    model_16_t  newer;

    for (i = 0; i < MODEL_SHARED_N / 16; i++) {
        newer = (model_16_t) (to->wide[i] > from->wide[i]);
        to->wide[i] = (to->wide[i] & newer) | (from->wide[i] & ~newer);
    }
}


/* The run is of no more use; the coroutines are left where they are. */

static void
model_abandon(void)
{
    model.pruned = 1;
    _longjmp(model.home, 1);
}


static void
model_say(const char *fmt, int a, int b)
{
    size_t  len;

    len = strlen(model.result->how);
    (void) snprintf(model.result->how + len, sizeof(model.result->how) - len,
                    fmt, a, b);
}


/* One of n ways, the first one first. */

static unsigned
model_choose(unsigned n)
{
    if (n < 2) {
        return 0;
    }

    if (model.depth == MODEL_DEPTH_N) {
        fprintf(stderr, "model: too many choices\n");
        abort();
    }

    if (model.depth == model.noted) {
        model.choice[model.depth].n = (uint8_t) n;
        model.choice[model.depth].chosen = 0;
        model.noted++;
    }

    return model.choice[model.depth++].chosen;
}


/* Whether the state was met before; then this run is of no use. */

static void
model_check_state(int moment)
{
    unsigned  i;
    uint64_t  state;

    if (model.depth != model.noted) {
        return;                     /* still on the way of the last run */
    }

    state = model_mix(model.entries_hash, (uint64_t) model.stale << 48
                                          | (uint64_t) moment << 32
                                          | (unsigned) model.kills << 16
                                          | (unsigned) model.preemptions);

    if (model.scenario->preemptions < MODEL_ALL) {
        state = model_mix(state, (uint64_t) model.current + 1);
    }

    for (i = 0; i < model.scenario->tasks; i++) {
        state = model_mix(state, model.task[i].history);
        state = model_mix(state, (unsigned) model.task[i].ended << 1
                                 | (unsigned) model.task[i].dead);
    }

    if (model_met(state)) {
        model.result->cut++;
        model_abandon();
    }
}


static void model_write(model_task_t *task, int16_t w, uint64_t value,
    int release);


/* Where the tasks' deaths are known; words of their own. */

static _Atomic uint64_t *
model_grave(unsigned task)
{
    return (_Atomic uint64_t *) &model_memory[MODEL_WORDS_N - 1 - task];
}


static int model_shared(const volatile void *p, size_t size, int write);


static void
model_kill(unsigned who)
{
    int  w;

    model.task[who].dead = 1;
    model.task[who].ended = 1;
    model.kills--;

    *(uint64_t *) model_grave(who) = 1;
    w = model_shared(model_grave(who), sizeof(uint64_t), 0);
    model_write(&model.task[who], (int16_t) w, 1, 1);
}


/* Another task may go on, or one die, before the current one's next step. */

static void
model_step(void)
{
    unsigned  i, n, way, self;
    int       ways[2 * MODEL_TASKS_N];

    self = (unsigned) model.current;
    n = 0;
    ways[n++] = (int) self;

    for (i = 0; i < model.scenario->tasks; i++) {
        if (i != self && !model.task[i].ended && model.preemptions > 0) {
            ways[n++] = (int) i;
        }
    }

    for (i = 0; i < model.scenario->tasks && model.kills > 0; i++) {
        if (model.scenario->killable >> i & 1 && !model.task[i].ended) {
            ways[n++] = -1 - (int) i;
        }
    }

    if (n == 1) {
        return;
    }

    model_check_state(0);
    way = model_choose(n);

    if (ways[way] == (int) self) {
        return;
    }

    if (ways[way] >= 0) {
        model_say(" %d>%d", (int) self, ways[way]);
        model.preemptions -= (model.scenario->preemptions < MODEL_ALL);
        i = (unsigned) model.current;
        model.current = ways[way];

        model_check_state(1);

        if (_setjmp(model.task[i].here) == 0) {
            _longjmp(model.task[model.current].here, 1);
        }

        return;
    }

    i = (unsigned) (-1 - ways[way]);
    model_say(" kill%d", (int) i, 0);
    model_kill(i);

    if (i == self) {
        _longjmp(model.home, 1);
    }

    model_step();
}


static void
model_share(const volatile void *p, size_t size)
{
    if (model.shared_n == MODEL_SHARED_N) {
        fprintf(stderr, "model: too many shared words\n");
        abort();
    }

    model.place[model.shared_n] = p;
    model.size[model.shared_n] = size;
    model.shared[(const volatile uint32_t *) p
                 - (const uint32_t *) model_memory] = (int16_t) model.shared_n;
    model.shared_n++;
}


/* The index of a shared word, -1 when it is the task's own. */

static int
model_shared(const volatile void *p, size_t size, int write)
{
    size_t   i;
    uint8_t  self, others;

    i = (size_t) ((const volatile uint32_t *) p
                  - (const uint32_t *) model_memory);

    if (i >= MODEL_PLACES_N) {
        fprintf(stderr, "model: an atomic outside of model_memory\n");
        abort();
    }

    if (model.shared[i] >= 0) {
        return model.shared[i];
    }

    self = (uint8_t) (1u << model.current);
    model.readers[i] |= self;
    model.writers[i] |= write ? self : 0;
    others = model.readers[i] & (uint8_t) ~self;

    if (others != 0 && model.writers[i] != 0) {
        model_share(p, size);
        model.anew = 1;
        model_abandon();
    }

    return -1;
}


#include "model_memory.h"
#include "model_explore.h"


#endif /* MODEL_UTIL_H_INCLUDED */
