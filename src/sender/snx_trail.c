
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_trail.h"


typedef struct {
    snx_trail_step_t    *steps;
    size_t               n;
    const snx_fields_t  *fields;
} snx_trail_t;


static void
snx_trail_add(snx_trail_t *trail, snx_trail_kind_t kind, int64_t time_us,
    uint32_t order, const snx_field_t *field)
{
    snx_trail_step_t  *step;

    if (trail->n == SNX_TRAIL_MAX_N) {
        return;
    }

    step = &trail->steps[trail->n++];

    step->time_us = time_us;
    step->order = order;
    step->kind = kind;
    step->field = field;
    step->from = NULL;
}


/* The packed structure of a field, 0 when it is none. */

static int
snx_trail_packed(const snx_field_t *f, void *packed, size_t size)
{
    if (f->key.len != size) {
        return 0;
    }

    memcpy(packed, f->key.data, size);

    return 1;
}


static void
snx_trail_ends(snx_trail_t *trail)
{
    int64_t  time_us, status;

    if (snx_fields_num(trail->fields, SNX_F_START_US, &time_us)) {
        snx_trail_add(trail, SNX_TRAIL_REQUEST, time_us, 0, NULL);
    }

    if (snx_fields_num(trail->fields, SNX_F_STATUS, &status)
        && snx_fields_num(trail->fields, SNX_F_TIMESTAMP_US, &time_us))
    {
        snx_trail_add(trail, SNX_TRAIL_RESPONSE, time_us, UINT32_MAX, NULL);
    }
}


static void
snx_trail_passes(snx_trail_t *trail)
{
    uint32_t            n;
    snx_trail_pass_t    pass;
    const snx_field_t  *f, *from;

    n = 0;
    from = NULL;

    for (f = snx_fields_first(trail->fields, SNX_F_PASS);
         f != NULL;
         f = snx_fields_next(trail->fields, f))
    {
        if (!snx_trail_packed(f, &pass, sizeof(pass))
            || trail->n == SNX_TRAIL_MAX_N)
        {
            continue;
        }

        snx_trail_add(trail, SNX_TRAIL_PASS, pass.time_us,
                      ++n + pass.tries, f);
        trail->steps[trail->n - 1].from = from;
        from = f;
    }
}


/* How many passes there were before a try. */

static uint32_t
snx_trail_passes_before(snx_trail_t *trail, uint32_t number)
{
    uint32_t            n;
    snx_trail_pass_t    pass;
    const snx_field_t  *f;

    n = 0;

    for (f = snx_fields_first(trail->fields, SNX_F_PASS);
         f != NULL;
         f = snx_fields_next(trail->fields, f))
    {
        if (snx_trail_packed(f, &pass, sizeof(pass)) && pass.tries < number) {
            n++;
        }
    }

    return n;
}


/* Those of the main request; the cache was asked before the last group. */

static void
snx_trail_upstreams(snx_trail_t *trail)
{
    uint32_t            last, order;
    snx_upstream_t      up;
    const snx_field_t  *f, *cache;

    last = 0;
    order = 1;

    for (f = snx_fields_first(trail->fields, SNX_F_UPSTREAM);
         f != NULL;
         f = snx_fields_next(trail->fields, f))
    {
        if (!snx_trail_packed(f, &up, sizeof(up)) || up.request != 0) {
            continue;
        }

        /* nginx leaves a number out between two groups of tries */

        if (last == 0 || up.number != last + 1) {
            order = up.number + snx_trail_passes_before(trail, up.number);
        }

        last = up.number;

        snx_trail_add(trail, SNX_TRAIL_UPSTREAM, up.start_us,
                      last + snx_trail_passes_before(trail, last), f);
    }

    cache = snx_fields_first(trail->fields, SNX_F_CACHE_STATUS);

    if (cache != NULL) {
        snx_trail_add(trail, SNX_TRAIL_CACHE, 0,
                      last == 0 ? UINT32_MAX - 1 : order - 1, cache);
    }
}


static void
snx_trail_crumbs(snx_trail_t *trail)
{
    snx_breadcrumb_t    crumb;
    const snx_field_t  *f;

    for (f = snx_fields_first(trail->fields, SNX_F_BREADCRUMB);
         f != NULL;
         f = snx_fields_next(trail->fields, f))
    {
        if (snx_trail_packed(f, &crumb, sizeof(crumb))) {
            snx_trail_add(trail, crumb.category == SNX_CRUMB_LIMIT
                                 ? SNX_TRAIL_LIMIT : SNX_TRAIL_LINE,
                          crumb.time_us,
                          (uint32_t) crumb.passes + crumb.tries, f);
        }
    }
}


/* Whether a comes after b. */

static int
snx_trail_after(const snx_trail_step_t *a, const snx_trail_step_t *b)
{
    if (a->order != b->order) {
        return a->order > b->order;
    }

    if (a->kind != b->kind) {
        return a->kind > b->kind;
    }

    return a->time_us > b->time_us;
}


size_t
snx_trail_make(const snx_fields_t *fields,
    snx_trail_step_t steps[SNX_TRAIL_MAX_N])
{
    size_t            i, j;
    snx_trail_t       trail;
    snx_trail_step_t  step;

    trail.steps = steps;
    trail.n = 0;
    trail.fields = fields;

    snx_trail_ends(&trail);
    snx_trail_passes(&trail);
    snx_trail_upstreams(&trail);
    snx_trail_crumbs(&trail);

    for (i = 1; i < trail.n; i++) {
        step = steps[i];

        for (j = i; j != 0 && snx_trail_after(&steps[j - 1], &step); j--) {
            steps[j] = steps[j - 1];
        }

        steps[j] = step;
    }

    for (i = 1; i < trail.n; i++) {
        if (steps[i].time_us < steps[i - 1].time_us) {
            steps[i].time_us = steps[i - 1].time_us;
        }
    }

    return trail.n;
}
