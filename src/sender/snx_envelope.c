
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_baggage.h"
#include "snx_sample.h"
#include "snx_encode.h"
#include "snx_envelope.h"
#include "snx_text.h"


#define SNX_ENVELOPE_TEXT_MAX    200

/*
 * Measured on an event of 3.5 KB: level 1 makes 1614 bytes in 47 us, level 6
 * 1528 in 65, level 9 no less.  A window and a hash of a quarter take 13% of
 * the instructions away, and add 3 bytes to 1347.  Of transactions of 3.6 KB
 * Z_FIXED takes 2% fewer instructions for 19% more bytes, Z_HUFFMAN_ONLY saves
 * none for 82% more.
 */
#define SNX_GZIP_LEVEL           1
#define SNX_GZIP_WINDOW          (13 + 16)     /* + 16: gzip's wrapping */
#define SNX_GZIP_MEMORY          6


/*
 * Without tracing, and at the head of a trace, the context is what we are;
 * of a caller who sent none, none is made up.
 */

static void
snx_envelope_trace_own(snx_json_t *j, const snx_fields_t *fields,
    const snx_dsn_t *dsn)
{
    int        begun;
    char       org[24], text[SNX_SAMPLE_RATE_MAX];
    double     rate;
    int64_t    random;
    snx_str_t  id;

    begun = snx_fields_num(fields, SNX_F_SAMPLE_RAND, &random);

    if (!begun
        && (snx_fields_first(fields, SNX_F_PARENT_SPAN_ID) != NULL
            || snx_fields_first(fields, SNX_F_SAMPLED) != NULL))
    {
        return;
    }

    id = snx_encode_trace_id(fields);

    snx_json_object(j, "trace");

    snx_json_hex(j, "trace_id", id.data, id.len);
    snx_json_str(j, "public_key", dsn->key, SNX_ENVELOPE_TEXT_MAX);
    snx_json_str(j, "release", snx_fields_str(fields, SNX_F_RELEASE),
                 SNX_ENVELOPE_TEXT_MAX);
    snx_json_str(j, "environment",
                 snx_fields_str(fields, SNX_F_ENVIRONMENT),
                 SNX_ENVELOPE_TEXT_MAX);
    snx_json_str(j, "org_id",
                 snx_str(org, snx_dsn_org_id(dsn, org, sizeof(org))),
                 sizeof(org));

    if (begun) {
        if (!snx_fields_rate(fields, &rate)) {
            rate = 1;
        }

        snx_json_const(j, "sampled", "true");
        snx_json_str(j, "sample_rate",
                     snx_str(text, snx_sample_write_rate(rate, text)),
                     sizeof(text));
        snx_json_str(j, "sample_rand",
                     snx_str(org, snx_sample_write((uint32_t) random, org)),
                     sizeof(org));
    }

    snx_json_close(j);
}


static const snx_member_t *
snx_envelope_member(const snx_member_t *members, size_t n, snx_str_t key)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (members[i].key.len == key.len
            && memcmp(members[i].key.data, key.data, key.len) == 0)
        {
            return &members[i];
        }
    }

    return NULL;
}


/* Whether Sentry can use it: it is of this trace, and known whose it is. */

static int
snx_envelope_usable(const snx_member_t *members, size_t n,
    const snx_fields_t *fields)
{
    snx_str_t            trace;
    unsigned char        id[16];
    const snx_member_t  *member;

    trace = snx_encode_trace_id(fields);
    member = snx_envelope_member(members, n, snx_cstr("trace_id"));

    return trace.len == sizeof(id) && member != NULL
           && snx_text_unhex(member->value, id, sizeof(id))
           && memcmp(id, trace.data, sizeof(id)) == 0
           && snx_envelope_member(members, n, snx_cstr("public_key")) != NULL;
}


/*
 * The dynamic sampling context, all of it strings: what went upstream as
 * baggage must be the same here.
 */

static void
snx_envelope_trace(snx_json_t *j, const snx_fields_t *fields,
    const snx_dsn_t *dsn)
{
    char           buf[SNX_BAGGAGE_MAX];
    size_t         i, n, len;
    snx_str_t      baggage;
    snx_member_t   members[SNX_BAGGAGE_OURS_MAX_N];

    baggage = snx_fields_str(fields, SNX_F_BAGGAGE);

    if (baggage.len == 0) {
        snx_envelope_trace_own(j, fields, dsn);
        return;
    }

    for (n = 0; n < SNX_BAGGAGE_OURS_MAX_N; /* void */ ) {

        if (snx_baggage_next(&baggage, &members[n]) != SNX_OK) {
            break;
        }

        n += members[n].ours
             && snx_envelope_member(members, n, members[n].key) == NULL;
    }

    if (!snx_envelope_usable(members, n, fields)) {
        return;
    }

    snx_json_object(j, "trace");

    for (i = 0; i < n; i++) {
        len = snx_baggage_decode(members[i].value, buf, sizeof(buf));

        snx_json_name(j, members[i].key, SNX_BAGGAGE_MAX);
        snx_json_text(j, NULL, snx_str(buf, len), SNX_BAGGAGE_MAX);
    }

    snx_json_close(j);
}


static void
snx_envelope_header(snx_json_t *j, const snx_fields_t *fields,
    const snx_envelope_meta_t *meta)
{
    snx_str_t  id;

    if (fields != NULL) {
        id = snx_fields_str(fields, SNX_F_EVENT_ID);
        snx_json_hex(j, "event_id", id.data, id.len);
    }

    snx_json_time(j, "sent_at", meta->now_us);

    snx_json_object(j, "sdk");
    snx_json_const(j, "name", SNX_SDK_NAME);
    snx_json_const(j, "version", SNX_VERSION);
    snx_json_close(j);

    if (fields != NULL && meta->dsn != NULL) {
        snx_envelope_trace(j, fields, meta->dsn);
    }
}


snx_rc_t
snx_envelope_begin(snx_envelope_t *envelope, void *buf, size_t cap,
    const snx_fields_t *fields, const snx_envelope_meta_t *meta)
{
    snx_json_t  j;

    envelope->data = buf;
    envelope->cap = cap;
    envelope->len = 0;

    memset(&j, 0, sizeof(snx_json_t));
    snx_json_begin(&j, buf, cap);
    snx_envelope_header(&j, fields, meta);

    if (snx_json_end(&j, &envelope->len) != SNX_OK || envelope->len == cap) {
        return SNX_TOO_BIG;
    }

    envelope->data[envelope->len++] = '\n';

    return SNX_OK;
}


snx_rc_t
snx_envelope_item(snx_envelope_t *envelope, const char *type,
    const char *payload, size_t len)
{
    char        buf[96];
    snx_text_t  text;

    snx_text_init(&text, buf, sizeof(buf));
    snx_text_addz(&text, "{\"type\":\"");
    snx_text_addz(&text, type);
    snx_text_addz(&text, "\",\"length\":");
    snx_text_addn(&text, (int64_t) len);
    snx_text_addz(&text, "}\n");

    if (envelope->cap - envelope->len < text.len
        || envelope->cap - envelope->len - text.len < len + 1)
    {
        return SNX_TOO_BIG;
    }

    memcpy(envelope->data + envelope->len, text.data, text.len);
    envelope->len += text.len;
    memcpy(envelope->data + envelope->len, payload, len);
    envelope->len += len;
    envelope->data[envelope->len++] = '\n';

    return SNX_OK;
}


int
snx_report_empty(const snx_report_t *report)
{
    int  lost, category;

    for (lost = 0; lost < SNX_LOST_REPORTED_N; lost++) {
        for (category = 0; category < SNX_CATS_N; category++) {
            if (report->n[lost][category] != 0) {
                return 0;
            }
        }
    }

    return 1;
}


static void
snx_envelope_discarded(snx_json_t *j, const snx_report_t *report)
{
    int        lost, category;
    snx_str_t  name;

    for (lost = 0; lost < SNX_LOST_REPORTED_N; lost++) {
        for (category = 0; category < SNX_CATS_N; category++) {

            if (report->n[lost][category] == 0) {
                continue;
            }

            snx_json_object(j, NULL);

            name = snx_lost_reason((snx_lost_t) lost);
            snx_json_str(j, "reason", name, name.len);

            name = snx_category_name((snx_category_t) category);
            snx_json_str(j, "category", name, name.len);

            snx_json_num(j, "quantity",
                         (int64_t) report->n[lost][category]);

            snx_json_close(j);
        }
    }
}


snx_rc_t
snx_envelope_report(snx_envelope_t *envelope, const snx_report_t *report,
    int64_t now_us)
{
    char         out[SNX_ENVELOPE_REPORT_MAX];
    size_t       len;
    snx_json_t   j;

    if (snx_report_empty(report)) {
        return SNX_OK;
    }

    memset(&j, 0, sizeof(snx_json_t));
    snx_json_begin(&j, out, sizeof(out));
    snx_json_time(&j, "timestamp", now_us);

    snx_json_array(&j, "discarded_events");
    snx_envelope_discarded(&j, report);
    snx_json_close(&j);

    if (snx_json_end(&j, &len) != SNX_OK) {
        return SNX_TOO_BIG;
    }

    return snx_envelope_item(envelope, "client_report", out, len);
}


snx_rc_t
snx_gzip_init(snx_gzip_t *gzip)
{
    memset(gzip, 0, sizeof(snx_gzip_t));

    if (deflateInit2(&gzip->z, SNX_GZIP_LEVEL, Z_DEFLATED, SNX_GZIP_WINDOW,
                     SNX_GZIP_MEMORY, Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return SNX_NOMEM;
    }

    gzip->ready = 1;

    return SNX_OK;
}


void
snx_gzip_done(snx_gzip_t *gzip)
{
    if (gzip->ready) {
        (void) deflateEnd(&gzip->z);
        gzip->ready = 0;
    }
}


snx_rc_t
snx_gzip(snx_gzip_t *gzip, snx_str_t in, void *out, size_t cap, size_t *len)
{
    z_stream  *z;

    if (!gzip->ready || in.len > UINT32_MAX || cap > UINT32_MAX) {
        return SNX_TOO_BIG;
    }

    z = &gzip->z;

    if (deflateReset(z) != Z_OK) {
        return SNX_TOO_BIG;
    }

    z->next_in = (unsigned char *) (uintptr_t) in.data;
    z->avail_in = (uInt) in.len;
    z->next_out = out;
    z->avail_out = (uInt) cap;

    if (deflate(z, Z_FINISH) != Z_STREAM_END) {
        return SNX_TOO_BIG;
    }

    *len = z->total_out;

    return SNX_OK;
}
