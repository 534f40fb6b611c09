
/*
 * Copyright (C) ngx_sentry authors
 *
 * One check per scenario of the model checker.  In the suite within bounds
 * that take seconds; MODEL_DEPTH=N allows N more preemptions and stale loads,
 * MODEL_ONLY=text runs the scenarios that have it in their names, and
 * MODEL_WEAK=function:kind takes the memory orders of a function's accesses
 * away (kind: l load, s store, x swap, b barrier), to see what fails then.
 */


#ifndef MODEL_CHECK_H_INCLUDED
#define MODEL_CHECK_H_INCLUDED


#include <time.h>


static double
model_seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void
model_weaken(void)
{
    char         *colon;
    const char   *weak;
    static char   func[64];

    weak = getenv("MODEL_WEAK");

    if (weak == NULL) {
        return;
    }

    (void) snprintf(func, sizeof(func), "%s", weak);
    colon = strchr(func, ':');

    if (colon != NULL) {
        *colon = '\0';
        model.weak_func = func;
        model.weak_kind = colon[1];
    }
}


static void
model_check(const model_scenario_t *scenario)
{
    int                    deeper;
    double                 begun;
    const char            *env;
    model_scenario_t       s;
    static model_result_t  result;

    env = getenv("MODEL_ONLY");

    if (env != NULL && strstr(scenario->name, env) == NULL) {
        return;
    }

    env = getenv("MODEL_DEPTH");
    deeper = (env != NULL) ? atoi(env) : 0;
    s = *scenario;
    s.preemptions += deeper;
    s.stale += deeper;
    model_weaken();

    begun = model_seconds();
    model_explore(&s, &result);

    printf("# %s: %lu orders to the end, %lu cut at one of %lu states met, "
           "at most %u choices, %.1f s\n", s.name, result.runs, result.cut,
           result.states, result.longest, model_seconds() - begun);

    if (!ok(result.failure == NULL && result.runs > 0, "%s", s.name)) {
        printf("#   %s:%s\n", result.failure ? result.failure : "no run",
               result.how);
    }

    (void) fflush(stdout);
}


#endif /* MODEL_CHECK_H_INCLUDED */
