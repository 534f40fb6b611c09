
/*
 * Copyright (C) ngx_sentry authors
 *
 * The memory of model_util.h: what each access may find, and the atomics of
 * the sources in its place.
 */


#ifndef MODEL_MEMORY_H_INCLUDED
#define MODEL_MEMORY_H_INCLUDED


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


#endif /* MODEL_MEMORY_H_INCLUDED */
