
/*
 * Copyright (C) ngx_sentry authors
 *
 * The index of a record, and the facts at its front, which are met there as
 * the fields that they stand for.
 */


#include "snx_fields.h"
#include "tap.h"


static void test_index(void);
static void test_many(void);
static void test_facts(void);
static void test_no_facts(void);
static void test_broken_facts(void);

static _Alignas(8) unsigned char  buf[SNX_RECORD_MAX];
static snx_fields_t               fields;


int
main(void)
{
    test_index();
    test_many();
    test_facts();
    test_no_facts();
    test_broken_facts();

    return tap_done();
}


static snx_rc_t
read_back(snx_rec_writer_t *w)
{
    return snx_fields_read(&fields, snx_str(buf, snx_rec_end(w)));
}


static void
test_index(void)
{
    const snx_field_t  *f;
    snx_rec_writer_t    w;

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_str(&w, SNX_F_FINGERPRINT, snx_cstr("a"));
    snx_rec_str(&w, SNX_F_METHOD, snx_cstr("GET"));
    snx_rec_str(&w, SNX_F_FINGERPRINT, snx_cstr("b"));
    snx_rec_str(&w, (snx_field_id_t) 999, snx_cstr("of a later version"));

    is_int(read_back(&w), SNX_OK, "index");
    is_int(fields.n, 3, "index: what is known");
    is_str(snx_fields_str(&fields, SNX_F_METHOD), "GET", "index: one");
    is_str(snx_fields_str(&fields, SNX_F_URL), "", "index: absent");

    f = snx_fields_first(&fields, SNX_F_FINGERPRINT);
    is_str(f->value, "a", "index: first of two");
    f = snx_fields_next(&fields, f);
    is_str(f->value, "b", "index: second of two");
    ok(snx_fields_next(&fields, f) == NULL, "index: no third");
}


static void
test_many(void)
{
    int               i;
    snx_rec_writer_t  w;

    snx_rec_begin(&w, buf, sizeof(buf));

    for (i = 0; i < SNX_FIELDS_MAX_N + 7; i++) {
        snx_rec_num(&w, SNX_F_TAG, i);
    }

    is_int(read_back(&w), SNX_OK, "many");
    is_int(fields.n, SNX_FIELDS_MAX_N, "many: as many as there is room for");
    is_int(fields.skipped, 7, "many: the rest is counted");
}


static void
test_facts(void)
{
    int64_t           num, i;
    snx_facts_t      *facts;
    snx_rec_writer_t  w;

    static const snx_field_id_t  ids[SNX_FACTS_N] = {
        SNX_F_EVENT_ID, SNX_F_TRACE_ID, SNX_F_SPAN_ID, SNX_F_PARENT_SPAN_ID,
        SNX_F_UPSTREAM_SPAN_ID, SNX_F_TIMESTAMP_US, SNX_F_START_US,
        SNX_F_LEVEL, SNX_F_STATUS, SNX_F_SAMPLED, SNX_F_SAMPLE_RAND,
        SNX_F_CLIENT_SAMPLE_RATE, SNX_F_SERVER_PORT, SNX_F_BODY_SIZE,
        SNX_F_RESPONSE_BYTES,
        SNX_F_WORKER_PID, SNX_F_CONNECTION, SNX_F_CONNECTION_REQUESTS,
        SNX_F_REQUEST_TIME_MS, SNX_F_REQUEST_LENGTH, SNX_F_BYTES_SENT
    };

    snx_rec_begin(&w, buf, sizeof(buf));
    facts = snx_rec_facts(&w);
    ok(facts != NULL && facts == w.facts, "facts: at the front");

    snx_rec_str(&w, SNX_F_METHOD, snx_cstr("GET"));
    ok(snx_rec_facts(&w) == NULL, "facts: nowhere else");

    /* each number is another one, and each id */

    for (i = SNX_FACT_NUMBERS; i < SNX_FACTS_N; i++) {
        snx_fact_set(facts, (snx_fact_t) i, 1000 + i);
    }

    memcpy(facts->event_id, "eeeeeeeeeeeeeeee", 16);
    memcpy(facts->trace_id, "tttttttttttttttt", 16);
    memcpy(facts->span_id, "ssssssss", 8);
    memcpy(facts->parent_span_id, "pppppppp", 8);
    memcpy(facts->upstream_span_id, "uuuuuuuu", 8);
    facts->has |= (1u << SNX_FACT_NUMBERS) - 1;

    is_int(read_back(&w), SNX_OK, "facts: read");
    is_int(fields.n, SNX_FACTS_N + 1, "facts: all, and no other field");

    for (i = SNX_FACT_NUMBERS; i < SNX_FACTS_N; i++) {
        num = 0;
        (void) snx_fields_num(&fields, ids[i], &num);
        is_int(num, 1000 + i, "facts: a number");
    }

    is_str(snx_fields_str(&fields, SNX_F_EVENT_ID), "eeeeeeeeeeeeeeee",
           "facts: event id");
    is_str(snx_fields_str(&fields, SNX_F_TRACE_ID), "tttttttttttttttt",
           "facts: trace id");
    is_str(snx_fields_str(&fields, SNX_F_SPAN_ID), "ssssssss",
           "facts: span id");
    is_str(snx_fields_str(&fields, SNX_F_PARENT_SPAN_ID), "pppppppp",
           "facts: parent's span id");
    is_str(snx_fields_str(&fields, SNX_F_UPSTREAM_SPAN_ID), "uuuuuuuu",
           "facts: upstream's span id");
}


static void
test_no_facts(void)
{
    int               i;
    snx_facts_t      *facts;
    snx_rec_writer_t  w;

    memset(buf, 0xff, sizeof(buf));
    snx_rec_begin(&w, buf, sizeof(buf));
    facts = snx_rec_facts(&w);
    snx_fact_set(facts, SNX_FACT_STATUS, 0);

    is_int(read_back(&w), SNX_OK, "one fact");
    is_int(fields.n, 1, "one fact: no other is there");

    for (i = 0; i < 2; i++) {
        snx_rec_begin(&w, buf + i, i == 0 ? sizeof(snx_facts_t) : 1024);
        ok(snx_rec_facts(&w) == NULL, "no facts: %s",
           i == 0 ? "no room" : "not aligned");
    }
}


static void
test_broken_facts(void)
{
    size_t            len;
    uint32_t          has;
    snx_rec_writer_t  w;

    for (len = 1; len <= sizeof(snx_facts_t) + 8; len++) {
        snx_rec_begin(&w, buf, sizeof(buf));
        snx_rec_str(&w, SNX_F_FACTS, snx_str(buf + 8, len));

        if (read_back(&w) != (len == sizeof(snx_facts_t) ? SNX_OK
                                                         : SNX_INVALID))
        {
            break;
        }
    }

    is_int(len, sizeof(snx_facts_t) + 9, "broken facts: of another length");

    snx_rec_begin(&w, buf, sizeof(buf));
    (void) snx_rec_facts(&w);
    has = UINT32_MAX;
    memcpy(&w.facts->has, &has, sizeof(has));

    is_int(read_back(&w), SNX_OK, "broken facts: bits of no fact");
    is_int(fields.n, SNX_FACTS_N, "broken facts: no more than there are");
}
