
/*
 * Copyright (C) ngx_sentry authors
 *
 * From a record to the JSON of an event.  Pure: bytes in, bytes out; no
 * clock, no I/O, no logging.  Source: develop docs,
 * sdk/foundations/envelopes/event-payloads.
 *
 * What is absent in the record is absent in the JSON.  Bytes of any kind
 * become valid UTF-8; everything is cut at Sentry's limits.
 */


#ifndef SNX_ENCODE_H_INCLUDED
#define SNX_ENCODE_H_INCLUDED


#include "snx_fields.h"
#include "snx_json.h"
#include "snx_spans.h"


/* Strings grow at most sixfold when escaped; some are written twice. */
#define SNX_ENCODE_MAX         (6 * SNX_RECORD_MAX + 131072)


/* Of one thread; may be reused for any number of records. */

typedef struct {
    char         os_name[65];
    char         os_version[65];
    snx_json_t   json;
    snx_spans_t  spans;        /* of the last transaction */
} snx_encode_t;


/* os_*: of contexts.os, as uname() tells; copied. */
void snx_encode_init(snx_encode_t *encode, const char *os_name,
    const char *os_version);

/*
 * Writes the event that fields describe to out, SNX_ENCODE_MAX bytes are
 * always enough.  now_us stands in for a missing time.
 *
 * Returns SNX_OK with *len set, SNX_INVALID (no event id) or SNX_TOO_BIG.
 * Memory: none is taken.
 */
snx_rc_t snx_encode_event(snx_encode_t *encode, const snx_fields_t *fields,
    int64_t now_us, char *out, size_t cap, size_t *len);

/*
 * The same for the transaction that fields describe; its spans are left in
 * encode->spans.
 */
snx_rc_t snx_encode_transaction(snx_encode_t *encode,
    const snx_fields_t *fields, int64_t now_us, char *out, size_t cap,
    size_t *len);

/*
 * The trace an event belongs to, 16 bytes: without one (a log line outside
 * any request) the event's id, which is random too, makes a trace of its own.
 */
snx_str_t snx_encode_trace_id(const snx_fields_t *fields);

/* The span an event belongs to, 8 bytes, made up like its trace. */
snx_str_t snx_encode_span_id(const snx_fields_t *fields);

/* Sentry's name for what an HTTP status means to a span. */
const char *snx_encode_span_status(int64_t status);


/* Parts of an event or a transaction; each adds what the fields hold. */

void snx_encode_place(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_name(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_tags(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_user(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_sdk(snx_json_t *j);
void snx_encode_request(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_contexts(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_t *encode, int attributes);
void snx_encode_reason(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_spans(snx_json_t *j, const snx_fields_t *fields,
    const snx_spans_t *spans);

/* The attributes of the request, in contexts.trace of a transaction. */
void snx_encode_attributes(snx_json_t *j, const snx_fields_t *fields);

/* "10.0.0.1:8080", "[::1]:80": *port is 0 when there is none. */
void snx_encode_host_port(snx_str_t text, snx_str_t *host, int64_t *port);
void snx_encode_crumbs(snx_json_t *j, const snx_fields_t *fields);

/* Whether a field before f has its id and key: the first one counts. */
int snx_encode_repeated(const snx_fields_t *fields, const snx_field_t *f);

const char *snx_encode_level(int64_t level);


#endif /* SNX_ENCODE_H_INCLUDED */
