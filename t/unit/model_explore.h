
/*
 * Copyright (C) ngx_sentry authors
 *
 * The second half of model_util.h: runs, and the way from one to the next.
 */


#ifndef MODEL_EXPLORE_H_INCLUDED
#define MODEL_EXPLORE_H_INCLUDED


#define MODEL_STATES_MIN       ((size_t) 1 << 16)


static void
model_states_new(size_t cap)
{
    model.states_cap = cap;
    model.states_n = 0;
    model.states = calloc(cap, sizeof(uint64_t));

    if (model.states == NULL) {
        perror("model");
        abort();
    }
}


/* An open hash table; returns whether the state was in it. */

static int
model_met(uint64_t state)
{
    size_t     i, old_cap;
    uint64_t  *old;

    state += (state == 0);

    if (model.states_n >= model.states_cap / 2) {
        old = model.states;
        old_cap = model.states_cap;
        model_states_new(old_cap * 2);

        for (i = 0; i < old_cap; i++) {
            if (old[i] != 0) {
                (void) model_met(old[i]);
            }
        }

        free(old);
    }

    for (i = state & (model.states_cap - 1); model.states[i] != 0;
         i = (i + 1) & (model.states_cap - 1))
    {
        if (model.states[i] == state) {
            return 1;
        }
    }

    model.states[i] = state;
    model.states_n++;

    return 0;
}


/* A coroutine's life: it begins anew whenever its base is jumped to. */

static void
model_cradle(void)
{
    if (_setjmp(model.task[model.born].base) == 0) {
        (void) swapcontext(&model.unused, &model.cradle);
    }

    model.scenario->task[model.current]((unsigned) model.current);
    model.task[model.current].ended = 1;

    _longjmp(model.home, 1);
}


static void
model_give_birth(void)
{
    static char        stacks[MODEL_TASKS_N][MODEL_STACK]
                       __attribute__((aligned(64)));
    static ucontext_t  contexts[MODEL_TASKS_N];
    static int         done;

    if (done) {
        return;
    }

    done = 1;

    for (model.born = 0; model.born < MODEL_TASKS_N; model.born++) {
        (void) getcontext(&contexts[model.born]);
        contexts[model.born].uc_stack.ss_sp = stacks[model.born];
        contexts[model.born].uc_stack.ss_size = MODEL_STACK;
        contexts[model.born].uc_link = NULL;
        makecontext(&contexts[model.born], model_cradle, 0);
        (void) swapcontext(&model.cradle, &contexts[model.born]);
    }
}


static void
model_begin(const model_scenario_t *scenario)
{
    unsigned  i;

    model.current = -1;
    model.depth = 0;
    model.pruned = 0;
    model.entries_hash = 0;
    model.preemptions = scenario->preemptions;
    model.stale = scenario->stale;
    model.kills = scenario->kills;
    model.result->how[0] = '\0';

    for (i = 0; i < scenario->tasks; i++) {
        *(uint64_t *) model_grave(i) = 0;
    }

    scenario->begin();

    for (i = 0; i < MODEL_TASKS_N; i++) {
        memset(&model.task[i].view, 0, sizeof(model_view_t));
        memset(&model.task[i].pending, 0, sizeof(model_view_t));
        memset(&model.task[i].fenced, 0, sizeof(model_view_t));
        memcpy(model.task[i].here, model.task[i].base, sizeof(jmp_buf));
        model.task[i].history = 0;
        model.task[i].dead = 0;
        model.task[i].ended = i >= scenario->tasks;
    }

    for (i = 0; i < model.shared_n; i++) {
        model.word[i].n = 1;
        model.word[i].entry[0].value = model_raw(model.place[i],
                                                 model.size[i]);
        memset(&model.word[i].entry[0].view, 0, sizeof(model_view_t));
    }
}


static void
model_run(const model_scenario_t *scenario)
{
    unsigned  i, n;
    int       ways[MODEL_TASKS_N];

    model_begin(scenario);

    for ( ;; ) {
        for (n = 0, i = 0; i < scenario->tasks; i++) {
            if (!model.task[i].ended) {
                ways[n++] = (int) i;
            }
        }

        if (n == 0) {
            break;
        }

        model.current = ways[model_choose(n)];
        model_say(" %d", model.current, 0);

        if (_setjmp(model.home) == 0) {
            model_check_state(2);
            _longjmp(model.task[model.current].here, 1);
        }

        if (model.pruned) {
            return;
        }
    }

    model.current = -1;
    model.result->runs++;
    model.result->failure = scenario->end();

    if (model.depth > model.result->longest) {
        model.result->longest = model.depth;
    }
}


/* The next way: 0 when there is none. */

static int
model_next(void)
{
    while (model.noted > 0) {
        if (++model.choice[model.noted - 1].chosen
            < model.choice[model.noted - 1].n)
        {
            return 1;
        }

        model.noted--;
    }

    return 0;
}


/* All runs of a scenario, or until one fails. */

static void
model_explore(const model_scenario_t *scenario, model_result_t *result)
{
    unsigned  i;

    model.scenario = scenario;
    model.result = result;
    model.shared_n = 0;
    memset(model.shared, 0xff, sizeof(model.shared));
    memset(model.readers, 0, sizeof(model.readers));
    memset(model.writers, 0, sizeof(model.writers));
    model_give_birth();

    for (i = 0; i < scenario->tasks && scenario->killable != 0; i++) {
        model_share(model_grave(i), sizeof(uint64_t));
    }

    do {
        memset(result, 0, sizeof(model_result_t));
        free(model.states);
        model_states_new(MODEL_STATES_MIN);
        model.anew = 0;
        model.noted = 0;

        do {
            model_run(scenario);

        } while (!model.anew && result->failure == NULL && model_next());

    } while (model.anew);

    result->states = model.states_n;
}


#endif /* MODEL_EXPLORE_H_INCLUDED */
