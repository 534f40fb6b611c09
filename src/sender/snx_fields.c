
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_fields.h"


snx_rc_t
snx_fields_read(snx_fields_t *fields, snx_str_t record)
{
    uint16_t          i;
    snx_rc_t          rc;
    snx_field_t       f;
    snx_rec_reader_t  r;

    fields->n = 0;
    fields->skipped = 0;
    memset(fields->first, 0, sizeof(fields->first));

    snx_rec_read(&r, record);

    while ((rc = snx_rec_next(&r, &f)) == SNX_OK) {

        if ((unsigned) f.id >= SNX_FIELDS_IDS_N) {
            continue;
        }

        if (fields->n == SNX_FIELDS_MAX_N) {
            fields->skipped++;
            continue;
        }

        i = (uint16_t) fields->n++;
        fields->field[i] = f;
        fields->next[i] = 0;

        if (fields->first[f.id] == 0) {
            fields->first[f.id] = (uint16_t) (i + 1);

        } else {
            fields->next[fields->last[f.id] - 1] = (uint16_t) (i + 1);
        }

        fields->last[f.id] = (uint16_t) (i + 1);
    }

    return rc == SNX_DONE ? SNX_OK : rc;
}
