
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
#define MODEL_SHARED_N         96          /* of them */
#define MODEL_ENTRIES_N        48          /* written to one in a run */
#define MODEL_DEPTH_N          4096        /* choices in a run */
#define MODEL_STACK            65536
#define MODEL_ALL              1000        /* no bound */


typedef struct {
    uint8_t   seen[MODEL_SHARED_N];
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
    unsigned  i;

    for (i = 0; i < MODEL_SHARED_N; i++) {
        to->seen[i] = (to->seen[i] > from->seen[i]) ? to->seen[i]
                                                    : from->seen[i];
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
model_check_state(void)
{
    unsigned  i;
    uint64_t  state;

    if (model.depth != model.noted) {
        return;                     /* still on the way of the last run */
    }

    state = model_mix(model.entries_hash, (uint64_t) model.stale << 32
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
    model_check_state();

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

    way = model_choose(n);

    if (ways[way] == (int) self) {
        return;
    }

    if (ways[way] >= 0) {
        model_say(" %d>%d", (int) self, ways[way]);
        model.preemptions -= (model.scenario->preemptions < MODEL_ALL);
        i = (unsigned) model.current;
        model.current = ways[way];

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


static int
model_order(memory_order order, const char *func, int kind, int *acquire,
    int *release)
{
    *acquire = order == memory_order_acquire || order == memory_order_acq_rel
               || order == memory_order_seq_cst;
    *release = order == memory_order_release || order == memory_order_acq_rel
               || order == memory_order_seq_cst;

    if (model.weak_func != NULL && model.weak_kind == kind
        && strcmp(func, model.weak_func) == 0 && (*acquire || *release))
    {
        *acquire = 0;
        *release = 0;
        model.weakened++;
    }

    return order == memory_order_seq_cst;
}


static void
model_write(model_task_t *task, int16_t w, uint64_t value, int release)
{
    unsigned        n;
    uint64_t        hash;
    model_word_t   *word;
    model_entry_t  *entry;

    word = &model.word[w];
    n = word->n++;

    if (n == MODEL_ENTRIES_N) {
        fprintf(stderr, "model: too many writes to a word\n");
        abort();
    }

    task->view.seen[w] = (uint8_t) n;

    entry = &word->entry[n];
    entry->value = value;
    entry->view = release ? task->view : task->fenced;

    if (entry->view.seen[w] < n) {
        entry->view.seen[w] = (uint8_t) n;
    }

    hash = model_mix((uint64_t) w << 32 | n, value);
    model.entries_hash += hash;
    task->history = model_mix(task->history, hash);
}


static void
model_read(model_task_t *task, int w, unsigned n, int acquire)
{
    const model_entry_t  *entry;

    entry = &model.word[w].entry[n];

    task->view.seen[w] = (uint8_t) n;
    model_join(&task->pending, &entry->view);

    if (acquire) {
        model_join(&task->view, &entry->view);
    }

    task->history = model_mix(task->history, (uint64_t) w << 32 | n << 1 | 1);
}


static uint64_t
model_raw(const volatile void *p, size_t size)
{
    return (size == 4) ? *(const volatile uint32_t *) p
                       : *(const volatile uint64_t *) p;
}


static void
model_raw_set(volatile void *p, size_t size, uint64_t value)
{
    if (size == 4) {
        *(volatile uint32_t *) p = (uint32_t) value;

    } else {
        *(volatile uint64_t *) p = value;
    }
}


/* Entries that a load may take: the last one first, older ones as bounded. */

static unsigned
model_pick(const model_task_t *task, int w, int latest, int differ,
    uint64_t value)
{
    unsigned             i, k, n, last, ways[MODEL_ENTRIES_N];
    const model_word_t  *word;

    word = &model.word[w];
    last = word->n - 1;
    n = 0;
    ways[n++] = last;

    for (i = last; i > task->view.seen[w] && model.stale > 0 && !latest; i--) {
        if (!differ || word->entry[i - 1].value != value) {
            ways[n++] = i - 1;
        }
    }

    k = model_choose(n);

    if (k != 0) {
        model.stale -= (model.scenario->stale < MODEL_ALL);
        model_say(" stale%d-%d", w, (int) k);
    }

    return ways[k];
}


static uint64_t
model_load(const volatile void *p, size_t size, memory_order order,
    const char *func)
{
    int            w, acquire, release, latest;
    unsigned       n;
    model_task_t  *task;

    if (model.current < 0 || (w = model_shared(p, size, 0)) < 0) {
        return model_raw(p, size);
    }

    model_step();

    task = &model.task[model.current];
    latest = model_order(order, func, 'l', &acquire, &release);
    n = model_pick(task, w, latest, 0, 0);
    model_read(task, w, n, acquire);

    return model.word[w].entry[n].value;
}


static void
model_store(volatile void *p, size_t size, uint64_t value, memory_order order,
    const char *func)
{
    int  w, acquire, release;

    if (model.current < 0 || (w = model_shared(p, size, 1)) < 0) {
        model_raw_set(p, size, value);
        return;
    }

    model_step();

    (void) model_order(order, func, 's', &acquire, &release);
    model_raw_set(p, size, value);
    model_write(&model.task[model.current], (int16_t) w,
                model_raw(p, size), release);
}


/* The last entry is replaced; the view of what it follows is kept. */

static void
model_replace(volatile void *p, size_t size, int w, uint64_t value,
    memory_order order, const char *func)
{
    int            acquire, release;
    unsigned       n;
    model_task_t  *task;

    task = &model.task[model.current];
    n = model.word[w].n - 1;

    (void) model_order(order, func, 'x', &acquire, &release);
    model_read(task, w, n, acquire);
    model_raw_set(p, size, value);
    model_write(task, (int16_t) w, model_raw(p, size), release);
    model_join(&model.word[w].entry[n + 1].view, &model.word[w].entry[n].view);
}


static int
model_swap(volatile void *p, size_t size, void *expected, uint64_t value,
    memory_order order, memory_order failed, const char *func)
{
    int            w, acquire, release, shared;
    unsigned       n;
    uint64_t       old, want;

    want = model_raw(expected, size);
    shared = model.current >= 0 && (w = model_shared(p, size, 1)) >= 0;

    if (!shared) {
        old = model_raw(p, size);

        if (old == want) {
            model_raw_set(p, size, value);
            return 1;
        }

        model_raw_set(expected, size, old);
        return 0;
    }

    model_step();

    n = model_pick(&model.task[model.current], w,
                   order == memory_order_seq_cst, 1, want);
    old = model.word[w].entry[n].value;

    if (old == want) {
        model_replace(p, size, w, value, order, func);
        return 1;
    }

    (void) model_order(failed, func, 'f', &acquire, &release);
    model_read(&model.task[model.current], w, n, acquire);
    model_raw_set(expected, size, old);

    return 0;
}


static uint64_t
model_change(volatile void *p, size_t size, char op, uint64_t arg,
    memory_order order, const char *func)
{
    int       w, shared;
    uint64_t  old, value;

    shared = model.current >= 0 && (w = model_shared(p, size, 1)) >= 0;

    if (shared) {
        model_step();
    }

    old = model_raw(p, size);
    value = (op == '+') ? old + arg : (op == '|') ? old | arg
            : (op == '&') ? (old & arg) : arg;

    if (shared) {
        model_replace(p, size, w, value, order, func);

    } else {
        model_raw_set(p, size, value);
    }

    return old;
}


static void
model_fence(memory_order order, const char *func)
{
    int            acquire, release;
    model_task_t  *task;

    if (model.current < 0) {
        return;
    }

    task = &model.task[model.current];
    (void) model_order(order, func, 'b', &acquire, &release);

    if (acquire) {
        model_join(&task->view, &task->pending);
    }

    if (release) {
        task->fenced = task->view;
    }

    task->history = model_mix(task->history, (unsigned) order + 77);
}


#include "model_explore.h"


/* From here on atomics are the model's. */

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_thread_fence
#undef atomic_load
#undef atomic_store
#undef atomic_compare_exchange_strong
#undef atomic_fetch_add

#define atomic_load_explicit(p, order)                                        \
    ((__typeof__(+*(p))) model_load((p), sizeof(*(p)), (order), __func__))
#define atomic_store_explicit(p, value, order)                                \
    model_store((p), sizeof(*(p)), (value), (order), __func__)
#define atomic_compare_exchange_strong_explicit(p, e, v, order, failed)       \
    model_swap((p), sizeof(*(p)), (e), (v), (order), (failed), __func__)
#define atomic_compare_exchange_weak_explicit                                 \
    atomic_compare_exchange_strong_explicit
#define atomic_fetch_add_explicit(p, value, order)                            \
    ((__typeof__(+*(p))) model_change((p), sizeof(*(p)), '+', (value),        \
                                      (order), __func__))
#define atomic_fetch_or_explicit(p, value, order)                             \
    ((__typeof__(+*(p))) model_change((p), sizeof(*(p)), '|', (value),        \
                                      (order), __func__))
#define atomic_fetch_and_explicit(p, value, order)                            \
    ((__typeof__(+*(p))) model_change((p), sizeof(*(p)), '&', (value),        \
                                      (order), __func__))
#define atomic_thread_fence(order)    model_fence((order), __func__)

#define atomic_load(p)         atomic_load_explicit((p), memory_order_seq_cst)
#define atomic_store(p, v)                                                    \
    atomic_store_explicit((p), (v), memory_order_seq_cst)
#define atomic_compare_exchange_strong(p, e, v)                               \
    atomic_compare_exchange_strong_explicit((p), (e), (v),                    \
                            memory_order_seq_cst, memory_order_seq_cst)
#define atomic_fetch_add(p, v)                                                \
    atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)


#endif /* MODEL_UTIL_H_INCLUDED */
