
/*
 * Copyright (C) ngx_sentry authors
 *
 * Envelopes: framing, client reports, gzip.  Pure but for the reused deflate
 * state.  Source: develop docs, sdk/foundations/envelopes,
 * sdk/telemetry/client-reports.
 *
 *   Envelope = header LF { item header LF payload LF }
 */


#ifndef SNX_ENVELOPE_H_INCLUDED
#define SNX_ENVELOPE_H_INCLUDED


#include <zlib.h>

#include "snx_dsn.h"
#include "snx_fields.h"
#include "snx_json.h"
#include "snx_shm.h"


/* Of the header, mostly baggage, and of one client report. */
#define SNX_ENVELOPE_HEADER_MAX  32768
#define SNX_ENVELOPE_REPORT_MAX  8192


/* Grows by items in memory of the caller. */

typedef struct {
    char       *data;
    size_t      len;
    size_t      cap;
} snx_envelope_t;


/* What the header tells besides the event's own. */

typedef struct {
    int64_t            now_us;     /* sent_at */
    const snx_dsn_t   *dsn;        /* of the trace; NULL: no trace */
} snx_envelope_meta_t;


/*
 * Begins the envelope of the event in fields, or, with fields NULL, of items
 * that belong to no event.
 * Returns SNX_OK or SNX_TOO_BIG.
 */
snx_rc_t snx_envelope_begin(snx_envelope_t *envelope, void *buf, size_t cap,
    const snx_fields_t *fields, const snx_envelope_meta_t *meta);

/* Adds one item; a failure leaves the envelope as it was. */
snx_rc_t snx_envelope_item(snx_envelope_t *envelope, const char *type,
    const char *payload, size_t len);


/* Quantities of discarded things, as in snx_counters_t. */

typedef struct {
    uint64_t   n[SNX_LOST_REPORTED_N][SNX_CATS_N];
} snx_report_t;


/* Adds a client_report item, SNX_OK or SNX_TOO_BIG; an empty one adds none. */
SNX_COLD snx_rc_t snx_envelope_report(snx_envelope_t *envelope,
    const snx_report_t *report, int64_t now_us);

int snx_report_empty(const snx_report_t *report);


/* One deflate state, reused. */

typedef struct {
    z_stream   z;
    unsigned   ready:1;
} snx_gzip_t;


/* SNX_OK or SNX_NOMEM. */
SNX_COLD snx_rc_t snx_gzip_init(snx_gzip_t *gzip);
SNX_COLD void snx_gzip_done(snx_gzip_t *gzip);

/*
 * Compresses in to out.  SNX_OK with *len set, or SNX_TOO_BIG: it does not
 * fit in cap bytes.
 */
snx_rc_t snx_gzip(snx_gzip_t *gzip, snx_str_t in, void *out, size_t cap,
    size_t *len);


#endif /* SNX_ENVELOPE_H_INCLUDED */
