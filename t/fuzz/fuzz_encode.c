
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: any bytes as a record.  Fields are read as they are, and once
 * more with the first bytes of each turned into a small id, so that most of
 * them are known ones.  Holds: an event or a refusal; an event is JSON in
 * UTF-8 without NUL, and its envelope is lines of JSON with exact lengths.
 * So is the transaction of the same record, and its spans lie in each other.
 */


#include <cjson/cJSON.h>

#include "fuzz.h"
#include "snx_encode.h"
#include "snx_envelope.h"
#include "snx_text.h"
#include "snx_trail.h"


static void encode(snx_str_t record);
static void transaction(void);
static void check_event(const cJSON *event);
static void check_length(const cJSON *event, const char *name, size_t max);
static void fail(const char *what, const char *text, size_t len);
static size_t fields(const uint8_t *data, size_t size, unsigned char *out);


static snx_fields_t  index_of;
static snx_encode_t  state;
static char          json[SNX_ENCODE_MAX];
static char          body[SNX_ENCODE_MAX + 32768];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snx_str_t             record;

    static unsigned char  buf[SNX_RECORD_MAX];

    if (size > FUZZ_IN_MAX) {
        return 0;
    }

    snx_encode_init(&state, "Linux", "6.1.0");

    encode(snx_str(data, size));

    record = fuzz_copy(snx_str(buf, fields(data, size, buf)));
    encode(record);
    fuzz_free(record);

    return 0;
}


/* Input: id, key length, length, bytes; and again. */

static size_t
fields(const uint8_t *data, size_t size, unsigned char *out)
{
    size_t            key, len;
    unsigned          id;
    snx_rec_writer_t  w;

    snx_rec_begin(&w, out, SNX_RECORD_MAX);
    snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr("0123456789abcdef"));

    while (size > 3) {
        id = data[0];
        key = data[1];
        len = data[2];
        data += 3;
        size -= 3;
        len = len < size ? len : size;
        key = key < len ? key : 0;

        if (key != 0) {
            snx_rec_pair(&w, (snx_field_id_t) id, snx_str(data, key),
                         snx_str(data + key, len - key));

        } else {
            snx_rec_str(&w, (snx_field_id_t) id, snx_str(data, len));
        }

        data += len;
        size -= len;
    }

    return snx_rec_end(&w);
}


static void
encode(snx_str_t record)
{
    cJSON                *tree;
    size_t                len, head;
    snx_rc_t              rc;
    snx_dsn_t             dsn;
    const char           *why, *line;
    snx_envelope_t        envelope;
    snx_envelope_meta_t   meta;

    if (snx_fields_read(&index_of, record) != SNX_OK) {
        return;
    }

    rc = snx_encode_event(&state, &index_of, 0, json, sizeof(json), &len);

    if (rc == SNX_INVALID && snx_fields_str(&index_of, SNX_F_EVENT_ID).len
                             != 16)
    {
        return;
    }

    if (rc != SNX_OK || !snx_text_valid(snx_str(json, len))
        || !fuzz_escaped(snx_str(json, len)))
    {
        fail("event", json, rc == SNX_OK ? len : 0);
    }

    tree = cJSON_ParseWithLength(json, len);

    if (tree == NULL) {
        fail("JSON", json, len);
    }

    check_event(tree);
    cJSON_Delete(tree);

    meta.now_us = 0;
    meta.dsn = &dsn;
    (void) snx_dsn_parse(&dsn, snx_cstr("https://key@o1.host/2"), &why);

    if (snx_envelope_begin(&envelope, body, sizeof(body), &index_of, &meta)
        != SNX_OK
        || snx_envelope_item(&envelope, "event", json, len) != SNX_OK)
    {
        fail("envelope", "", 0);
    }

    line = memchr(envelope.data, '\n', envelope.len);
    head = (size_t) (line - envelope.data);
    tree = cJSON_ParseWithLength(envelope.data, head);

    if (tree == NULL || !snx_text_valid(snx_str(envelope.data, head))) {
        fail("header", envelope.data, head);
    }

    cJSON_Delete(tree);

    line = memchr(line + 1, '\n', envelope.len - head - 1);

    if (line == NULL
        || line + 1 + len + 1 != envelope.data + envelope.len
        || memcmp(line + 1, json, len) != 0)
    {
        fail("framing", envelope.data, envelope.len);
    }

    transaction();
}


/* Sentry's limits, in what every record may have. */

static void
check_event(const cJSON *event)
{
    int           n;
    const cJSON  *tag, *list;

    check_length(event, "event_id", 32);
    check_length(event, "transaction", SNX_NAME_MAX);
    check_length(event, "platform", 5);

    require(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(event,
                                                            "event_id")))
            == 32, "an id");

    n = 0;

    cJSON_ArrayForEach(tag, cJSON_GetObjectItem(event, "tags")) {
        require(strlen(tag->string) <= SNX_TAG_KEY_MAX
                && cJSON_IsString(tag)
                && strlen(tag->valuestring) <= SNX_TAG_VALUE_MAX, "a tag");
        n++;
    }

    require(n <= SNX_TAGS_MAX_N, "few tags");

    list = cJSON_GetObjectItem(event, "fingerprint");
    require(cJSON_GetArraySize(list) <= SNX_FINGERPRINT_MAX_N,
            "a short fingerprint");

    list = cJSON_GetObjectItem(cJSON_GetObjectItem(event, "breadcrumbs"),
                               "values");
    require(cJSON_GetArraySize(list) <= SNX_TRAIL_MAX_N, "few breadcrumbs");
}


static void
check_length(const cJSON *event, const char *name, size_t max)
{
    const cJSON  *item;

    item = cJSON_GetObjectItem(event, name);

    require(item == NULL
            || (cJSON_IsString(item) && strlen(item->valuestring) <= max),
            name);
}


/* The same record as a transaction: its spans lie in each other. */

static void
transaction(void)
{
    size_t              i, len;
    cJSON              *tree;
    int64_t             from, to;
    const snx_span_t   *span;
    const snx_spans_t  *spans;

    if (snx_encode_transaction(&state, &index_of, 0, json, sizeof(json), &len)
        != SNX_OK || !snx_text_valid(snx_str(json, len))
        || !fuzz_escaped(snx_str(json, len)))
    {
        fail("transaction", "", 0);
    }

    tree = cJSON_ParseWithLength(json, len);

    if (tree == NULL) {
        fail("JSON", json, len);
    }

    check_event(tree);
    cJSON_Delete(tree);

    spans = &state.spans;

    for (i = 0; i < spans->n; i++) {
        span = &spans->span[i];
        from = span->parent ? spans->span[span->parent - 1].start_us
                            : spans->start_us;
        to = span->parent ? spans->span[span->parent - 1].end_us
                          : spans->end_us;

        if (span->parent > i || span->start_us < from || span->end_us > to
            || span->start_us > span->end_us)
        {
            fail("span", json, len);
        }
    }
}


static void
fail(const char *what, const char *text, size_t len)
{
    fprintf(stderr, "bad %s: %.*s\n", what, (int) len, text);
    abort();
}
