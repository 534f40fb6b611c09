
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_fields.h"
#include "snx_sample.h"


/* Which field a fact is, and where it stands. */

typedef struct {
    snx_field_id_t   id;
    uint32_t         offset;
    uint32_t         len;
} snx_fields_fact_t;


#define snx_fact_id(fact, name)                                              \
    [SNX_FACT_##fact] = { SNX_F_##fact, offsetof(snx_facts_t, name),         \
                          sizeof(((snx_facts_t *) 0)->name) }
#define snx_fact_num(fact)                                                   \
    [SNX_FACT_##fact] = { SNX_F_##fact,                                      \
                          offsetof(snx_facts_t, num)                         \
                          + (SNX_FACT_##fact - SNX_FACT_NUMBERS)             \
                            * sizeof(int64_t), sizeof(int64_t) }


static const snx_fields_fact_t  snx_fields_facts[SNX_FACTS_N] = {
    snx_fact_id(EVENT_ID, event_id),
    snx_fact_id(TRACE_ID, trace_id),
    snx_fact_id(SPAN_ID, span_id),
    snx_fact_id(PARENT_SPAN_ID, parent_span_id),
    snx_fact_id(UPSTREAM_SPAN_ID, upstream_span_id),
    snx_fact_num(TIMESTAMP_US),
    snx_fact_num(START_US),
    snx_fact_num(LEVEL),
    snx_fact_num(STATUS),
    snx_fact_num(SAMPLED),
    snx_fact_num(SAMPLE_RAND),
    snx_fact_num(CLIENT_SAMPLE_RATE),
    snx_fact_num(SERVER_PORT),
    snx_fact_num(BODY_SIZE),
    snx_fact_num(RESPONSE_BYTES),
    snx_fact_num(WORKER_PID),
    snx_fact_num(CONNECTION),
    snx_fact_num(CONNECTION_REQUESTS),
    snx_fact_num(REQUEST_TIME_MS),
    snx_fact_num(REQUEST_LENGTH),
    snx_fact_num(BYTES_SENT)
};


static void snx_fields_add(snx_fields_t *fields, const snx_field_t *f);
static snx_rc_t snx_fields_add_facts(snx_fields_t *fields, snx_str_t facts);


snx_rc_t
snx_fields_read(snx_fields_t *fields, snx_str_t record)
{
    snx_rc_t          rc;
    snx_field_t       f;
    snx_rec_reader_t  r;

    fields->n = 0;
    fields->skipped = 0;
    memset(fields->first, 0, sizeof(fields->first));

    snx_rec_read(&r, record);

    while ((rc = snx_rec_next(&r, &f)) == SNX_OK) {

        if (f.id != SNX_F_FACTS) {
            snx_fields_add(fields, &f);
            continue;
        }

        rc = snx_fields_add_facts(fields, f.value);

        if (rc != SNX_OK) {
            return rc;
        }
    }

    return rc == SNX_DONE ? SNX_OK : rc;
}


static void
snx_fields_add(snx_fields_t *fields, const snx_field_t *f)
{
    uint16_t  i;

    if ((unsigned) f->id >= SNX_FIELDS_IDS_N) {
        return;
    }

    if (fields->n == SNX_FIELDS_MAX_N) {
        fields->skipped++;
        return;
    }

    i = (uint16_t) fields->n++;
    fields->field[i] = *f;
    fields->next[i] = 0;

    if (fields->first[f->id] == 0) {
        fields->first[f->id] = (uint16_t) (i + 1);

    } else {
        fields->next[fields->last[f->id] - 1] = (uint16_t) (i + 1);
    }

    fields->last[f->id] = (uint16_t) (i + 1);
}


static snx_rc_t
snx_fields_add_facts(snx_fields_t *fields, snx_str_t facts)
{
    uint32_t                  has;
    snx_field_t               f;
    const snx_fields_fact_t  *fact;

    if (facts.len != sizeof(snx_facts_t)) {
        return SNX_INVALID;
    }

    memcpy(&has, facts.data + offsetof(snx_facts_t, has), sizeof(has));

    memset(&f, 0, sizeof(f));

    for (fact = snx_fields_facts; fact < snx_fields_facts + SNX_FACTS_N;
         fact++, has >>= 1)
    {
        if ((has & 1) == 0) {
            continue;
        }

        f.id = fact->id;
        f.value = snx_str(facts.data + fact->offset, fact->len);
        f.num = 0;

        if (fact->len == sizeof(int64_t)) {
            memcpy(&f.num, f.value.data, sizeof(int64_t));
        }

        snx_fields_add(fields, &f);
    }

    return SNX_OK;
}


int
snx_fields_rate(const snx_fields_t *fields, double *rate)
{
    int64_t  num;

    if (!snx_fields_num(fields, SNX_F_CLIENT_SAMPLE_RATE, &num) || num < 0
        || num > (int64_t) SNX_SAMPLE_SCALE)
    {
        return 0;
    }

    *rate = (double) num / (double) SNX_SAMPLE_SCALE;

    return 1;
}
