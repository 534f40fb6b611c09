
/*
 * Copyright (C) ngx_sentry authors
 *
 * The way of a request through nginx, in order: from the fields of a record
 * that tell of a moment each.  Pure; points into the record.
 */


#ifndef SNX_TRAIL_H_INCLUDED
#define SNX_TRAIL_H_INCLUDED


#include "snx_fields.h"


#define SNX_TRAIL_MAX_N        100     /* steps; Sentry's usual number */


/* In the order of steps that nothing else tells apart. */

typedef enum {
    SNX_TRAIL_REQUEST = 0,     /* received */
    SNX_TRAIL_PASS,            /* came to a location */
    SNX_TRAIL_UPSTREAM,        /* a try began */
    SNX_TRAIL_LIMIT,           /* verdict of limit_req, limit_conn */
    SNX_TRAIL_CACHE,           /* was looked for in a cache */
    SNX_TRAIL_LINE,            /* line of the error log */
    SNX_TRAIL_RESPONSE         /* sent */
} snx_trail_kind_t;


typedef struct {
    int64_t             time_us;
    uint32_t            order;     /* passes and tries so far */
    snx_trail_kind_t    kind;
    const snx_field_t  *field;     /* NULL: request, response */
    const snx_field_t  *from;      /* the pass before this one, or NULL */
} snx_trail_step_t;


/*
 * Writes the steps that fields tell of, oldest first, and returns how many.
 * Passes and tries count up, and each line knows how many there were: that
 * gives the order, times only where it leaves a choice.  No step is earlier
 * than the one before it.
 */
size_t snx_trail_make(const snx_fields_t *fields,
    snx_trail_step_t steps[SNX_TRAIL_MAX_N]);


#endif /* SNX_TRAIL_H_INCLUDED */
