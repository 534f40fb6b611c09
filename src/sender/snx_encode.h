
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


/* Strings grow at most sixfold when escaped; some are written twice. */
#define SNX_ENCODE_MAX         (6 * SNX_RECORD_MAX + 65536)


/* Of one thread; may be reused for any number of records. */

typedef struct {
    char         os_name[65];
    char         os_version[65];
    snx_json_t   json;
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
 * The trace an event belongs to, 16 bytes: without one (a log line outside
 * any request) the event's id, which is random too, makes a trace of its own.
 */
snx_str_t snx_encode_trace_id(const snx_fields_t *fields);

/* Sentry's name for what an HTTP status means to a span. */
const char *snx_encode_span_status(int64_t status);


/* Parts of an event; each adds what the fields hold. */

void snx_encode_request(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_contexts(snx_json_t *j, const snx_fields_t *fields,
    const snx_encode_t *encode);
void snx_encode_reason(snx_json_t *j, const snx_fields_t *fields);
void snx_encode_crumbs(snx_json_t *j, const snx_fields_t *fields);

/* Whether a field before f has its id and key: the first one counts. */
int snx_encode_repeated(const snx_fields_t *fields, const snx_field_t *f);

const char *snx_encode_level(int64_t level);


#endif /* SNX_ENCODE_H_INCLUDED */
