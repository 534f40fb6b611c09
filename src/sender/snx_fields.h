
/*
 * Copyright (C) ngx_sentry authors
 *
 * A record with an index: each field found in one step, repeated ones in
 * order.  Pure; points into the record.
 */


#ifndef SNX_FIELDS_H_INCLUDED
#define SNX_FIELDS_H_INCLUDED


#include "snx_record.h"


#define SNX_FIELDS_MAX_N       512     /* of one record; the rest is skipped */
#define SNX_FIELDS_IDS_N       256     /* ids above are unknown: skipped */


typedef struct {
    uint32_t      n;
    uint32_t      skipped;
    uint16_t      first[SNX_FIELDS_IDS_N];     /* index + 1, 0: absent */
    uint16_t      last[SNX_FIELDS_IDS_N];
    uint16_t      next[SNX_FIELDS_MAX_N];      /* index + 1, 0: no more */
    snx_field_t   field[SNX_FIELDS_MAX_N];
} snx_fields_t;


/* SNX_OK, or SNX_INVALID: a length leaves the record. */
snx_rc_t snx_fields_read(snx_fields_t *fields, snx_str_t record);


static inline const snx_field_t *
snx_fields_first(const snx_fields_t *fields, snx_field_id_t id)
{
    uint16_t  i;

    i = fields->first[id];

    return i == 0 ? NULL : &fields->field[i - 1];
}


/* The field of the same id behind f, or NULL. */

static inline const snx_field_t *
snx_fields_next(const snx_fields_t *fields, const snx_field_t *f)
{
    uint16_t  i;

    i = fields->next[f - fields->field];

    return i == 0 ? NULL : &fields->field[i - 1];
}


/* Empty when absent. */

static inline snx_str_t
snx_fields_str(const snx_fields_t *fields, snx_field_id_t id)
{
    const snx_field_t  *f;

    f = snx_fields_first(fields, id);

    return f == NULL ? snx_str(NULL, 0) : f->value;
}


/* Whether there is a number; *num is untouched when there is none. */

static inline int
snx_fields_num(const snx_fields_t *fields, snx_field_id_t id, int64_t *num)
{
    const snx_field_t  *f;

    f = snx_fields_first(fields, id);

    if (f == NULL || f->value.len != sizeof(int64_t)) {
        return 0;
    }

    *num = f->num;

    return 1;
}


/* The same of the rate that decided, 0..1. */
int snx_fields_rate(const snx_fields_t *fields, double *rate);


#endif /* SNX_FIELDS_H_INCLUDED */
