
/*
 * Copyright (C) ngx_sentry authors
 *
 * A record: what one request (or one fact) leaves in a lane for the sender.
 * A flat list of length-prefixed fields in host byte order, no JSON, no
 * pointers, complete in itself: the sender of another generation, with
 * another configuration, can send it.
 *
 * DESIGN.  Field: u16 id, u16 key_len, u32 len, then len bytes, of which the
 * first key_len are the key (a header name, a tag name, or one of the packed
 * structures below) and the rest the value.  Numbers are 8 bytes.  Because a
 * record has no internal offsets, constants of a location are packed once at
 * configuration time and copied in front of every record with one memcpy.
 */


#ifndef SNX_RECORD_H_INCLUDED
#define SNX_RECORD_H_INCLUDED


#include "snx.h"


typedef enum {
    SNX_KIND_EVENT = 1,        /* error event */
    SNX_KIND_TRANSACTION = 2
} snx_kind_t;


/*
 * S string, N number (int64), P pair (key, value), X packed key (structure)
 * and value.  "*" may repeat.  Unknown ids are skipped by readers.
 */

typedef enum {
    /* identity, constant per location */
    SNX_F_DSN = 1,             /* S  as configured, with the key */
    SNX_F_ENVIRONMENT,         /* S */
    SNX_F_RELEASE,             /* S */
    SNX_F_SERVER_NAME,         /* S  host, event's server_name */
    SNX_F_NGINX_VERSION,       /* S  "1.22.1" */
    SNX_F_LOCATION,            /* S  location's name, "/api/" */
    SNX_F_VHOST,               /* S  first server_name of the server block */
    SNX_F_FACTS = 15,          /* X  snx_facts_t, read as what it holds */

    /* event */
    SNX_F_EVENT_ID = 20,       /* S  16 raw bytes */
    SNX_F_TIMESTAMP_US,        /* N  end of the request, us since the epoch */
    SNX_F_START_US,            /* N  start of the request */
    SNX_F_LEVEL,               /* N  snx_level_t */
    SNX_F_TRACE_ID,            /* S  16 raw bytes */
    SNX_F_SPAN_ID,             /* S  8 raw bytes */
    SNX_F_PARENT_SPAN_ID,      /* S  8 raw bytes */
    SNX_F_SAMPLED,             /* N  0, 1; absent: no decision */
    SNX_F_TRANSACTION,         /* S */
    SNX_F_TRANSACTION_SOURCE,  /* S  "route", "url", "custom" */
    SNX_F_FINGERPRINT,         /* S* */
    SNX_F_EXC_TYPE,            /* S  "UpstreamError" */
    SNX_F_EXC_VALUE,           /* S */
    SNX_F_EXC_ERRNO,           /* N */
    SNX_F_TAG,                 /* P* */
    SNX_F_CONTEXT,             /* P* key "context\0name" */
    SNX_F_USER,                /* P* key id, username, email, ip_address */
    SNX_F_MESSAGE,             /* S  logentry of events without exception */

    /* request and response */
    SNX_F_METHOD = 60,         /* S */
    SNX_F_URL,                 /* S  absolute, no query, scrubbed */
    SNX_F_QUERY,               /* S  without "?", scrubbed */
    SNX_F_HEADER,              /* P* scrubbed */
    SNX_F_COOKIE,              /* P* scrubbed, only with PII */
    SNX_F_REMOTE_ADDR,         /* S  only with PII */
    SNX_F_REMOTE_PORT,         /* N  only with PII */
    SNX_F_SERVER_ADDR,         /* S */
    SNX_F_SERVER_PORT,         /* N */
    SNX_F_PROTOCOL,            /* S  "HTTP/1.1" */
    SNX_F_STATUS,              /* N  final status */
    SNX_F_BODY_DATA,           /* S  request body, filtered */
    SNX_F_BODY_SIZE,           /* N  request body bytes */
    SNX_F_RESPONSE_BYTES,      /* N  response body bytes */

    /* contexts.nginx */
    SNX_F_WORKER_PID = 100,    /* N */
    SNX_F_CONNECTION,          /* N  $connection */
    SNX_F_CONNECTION_REQUESTS, /* N  $connection_requests */
    SNX_F_REQUEST_TIME_MS,     /* N */
    SNX_F_REQUEST_LENGTH,      /* N  bytes, $request_length */
    SNX_F_BYTES_SENT,          /* N  bytes, $bytes_sent */
    SNX_F_TLS_PROTOCOL,        /* S */
    SNX_F_TLS_CIPHER,          /* S */
    SNX_F_CACHE_STATUS,        /* S  "MISS" */
    SNX_F_UPSTREAM,            /* X* snx_upstream_t, value = address */
    SNX_F_UPSTREAM_URL,        /* S  scrubbed */
    SNX_F_HELD_BACK,           /* N  events of this group not sent */
    SNX_F_PROCESS,             /* S  who logged it: "master", "worker" */
    SNX_F_PID,                 /* N  its pid */

    /* explanations */
    SNX_F_BREADCRUMB = 140,    /* X* snx_breadcrumb_t, value = message */
    SNX_F_FRAME,               /* X* snx_frame_t, value = see below */
    SNX_F_PASS,                /* X* snx_trail_pass_t, value = location */
    SNX_F_CAUSE,               /* X* snx_cause_field_t, value = see below */

    /* trace */
    SNX_F_BAGGAGE = 160,       /* S  our members as propagated; absent: none */
    SNX_F_UPSTREAM_SPAN_ID,    /* S  8 raw bytes, parent of the app's spans */
    SNX_F_SUBREQUEST,          /* X* snx_subrequest_t, value = its location */
    SNX_F_MARK,                /* X* snx_mark_t, no value */
    SNX_F_CLIENT_SAMPLE_RATE,  /* N  the rate that decided, SNX_SAMPLE_SCALE */
    SNX_F_SUBREQUESTS,         /* N  all, when not all are in the record */
    SNX_F_SAMPLE_RAND,         /* N  millionths; for BAGGAGE: made of this */

    SNX_F_TRUNCATED = 200      /* N  fields left out for lack of room */
} snx_field_id_t;


typedef enum {
    SNX_LEVEL_DEBUG = 0,
    SNX_LEVEL_INFO,
    SNX_LEVEL_WARNING,
    SNX_LEVEL_ERROR,
    SNX_LEVEL_FATAL
} snx_level_t;


/*
 * What nearly every request has, in one field at the front of its record; a
 * reader meets the single fields that they stand for (snx_fields_read()).
 */

typedef enum {
    SNX_FACT_EVENT_ID = 0,
    SNX_FACT_TRACE_ID,
    SNX_FACT_SPAN_ID,
    SNX_FACT_PARENT_SPAN_ID,
    SNX_FACT_UPSTREAM_SPAN_ID,

    /* numbers from here on */
    SNX_FACT_TIMESTAMP_US,
    SNX_FACT_START_US,
    SNX_FACT_LEVEL,
    SNX_FACT_STATUS,
    SNX_FACT_SAMPLED,
    SNX_FACT_SAMPLE_RAND,
    SNX_FACT_CLIENT_SAMPLE_RATE,
    SNX_FACT_SERVER_PORT,
    SNX_FACT_BODY_SIZE,
    SNX_FACT_RESPONSE_BYTES,
    SNX_FACT_WORKER_PID,
    SNX_FACT_CONNECTION,
    SNX_FACT_CONNECTION_REQUESTS,
    SNX_FACT_REQUEST_TIME_MS,
    SNX_FACT_REQUEST_LENGTH,
    SNX_FACT_BYTES_SENT,

    SNX_FACTS_N
} snx_fact_t;


#define SNX_FACT_NUMBERS       SNX_FACT_TIMESTAMP_US


typedef struct {
    uint32_t       has;        /* 1 << snx_fact_t */
    uint32_t       reserved;
    unsigned char  event_id[16];
    unsigned char  trace_id[16];
    unsigned char  span_id[8];
    unsigned char  parent_span_id[8];
    unsigned char  upstream_span_id[8];
    int64_t        num[SNX_FACTS_N - SNX_FACT_NUMBERS];
} snx_facts_t;


/*
 * One upstream try.  Times in ms, -1 when unknown; sizes in bytes; status 0
 * when none came; start_us 0 when it is not known.  request: 0 for the main
 * request, n for the n-th SNX_F_SUBREQUEST of the record, from 1.
 */

typedef struct {
    int64_t    start_us;       /* since the epoch */
    int64_t    bytes_sent;
    int64_t    bytes_received;
    int32_t    status;
    int32_t    connect_ms;
    int32_t    header_ms;
    int32_t    response_ms;
    uint16_t   request;
    uint16_t   number;         /* among the tries of its request, from 1 */
    uint16_t   reserved[2];
} snx_upstream_t;


/* A location the request came through. */

typedef struct {
    int64_t    time_us;
    uint16_t   tries;          /* number of the last upstream try before */
    uint8_t    error;          /* on its way to an error page */
    uint8_t    internal;       /* redirected to, not the client's target */
    uint8_t    reserved[4];
} snx_trail_pass_t;


/* A subrequest; parent: 0 the main request, n the n-th subrequest. */

typedef struct {
    int64_t        start_us;
    int64_t        end_us;     /* 0: not finished */
    unsigned char  span_id[8];
    unsigned char  upstream_span_id[8];    /* zeros: none was propagated */
    uint16_t       status;
    uint16_t       parent;
    uint8_t        reserved[4];
} snx_subrequest_t;


/* A moment in the life of the main request. */

typedef struct {
    int64_t    time_us;
    uint8_t    moment;         /* snx_moment_t */
    uint8_t    reserved[7];
} snx_mark_t;


typedef enum {
    SNX_AT_ACCEPT = 0,         /* first request of a TLS connection */
    SNX_AT_PHASES,             /* location settled, before limit_req */
    SNX_AT_LIMITED,            /* limit_req's delay is over */
    SNX_AT_CONTENT,            /* before the content handler */
    SNX_AT_UPGRADE             /* 101 was answered */
} snx_moment_t;


/*
 * What the other fields do not tell of the request's way; passes and tries
 * as of then say where it belongs, whatever the resolution of the clock.
 */

typedef struct {
    int64_t    time_us;
    uint16_t   passes;         /* SNX_F_PASS before it */
    uint16_t   tries;          /* number of the last upstream try before */
    uint8_t    level;          /* snx_level_t */
    uint8_t    category;       /* snx_crumb_t */
    uint8_t    reserved[2];
} snx_breadcrumb_t;


typedef enum {
    SNX_CRUMB_LOG = 0,         /* error_log line */
    SNX_CRUMB_LIMIT            /* verdict of limit_req or limit_conn */
} snx_crumb_t;


/*
 * What went wrong before the exception, oldest first: a failed try, or what
 * the exception was made of.  Value: "type\0text".
 */

typedef struct {
    int32_t    error;          /* errno, 0 none */
    uint32_t   reserved;
} snx_cause_field_t;


/*
 * Value: "file\0full name\0function\0", then the lines around the one that
 * is meant, each with a NUL; what is missing at the end is not known.
 */

typedef struct {
    uint32_t   line;           /* from 1, 0: not known */
    uint8_t    lines;
    uint8_t    before;         /* of them stand before the one */
    uint8_t    reserved[2];
} snx_frame_t;


#define SNX_REC_HEAD           8       /* u16 id, u16 key_len, u32 len */
#define SNX_REC_NUM            (SNX_REC_HEAD + sizeof(int64_t))


/* Writing.  The writer owns nothing; buf must outlive it. */

typedef struct {
    unsigned char  *start;
    unsigned char  *pos;
    unsigned char  *end;
    snx_facts_t    *facts;     /* of snx_rec_facts(), else NULL */
    uint32_t        left_out;  /* fields that did not fit */
} snx_rec_writer_t;


static inline void
snx_rec_head(unsigned char *p, snx_field_id_t id, size_t key_len, size_t len)
{
    struct {
        uint16_t  id, key_len;
        uint32_t  len;
    } head;

    head.id = (uint16_t) id;
    head.key_len = (uint16_t) key_len;
    head.len = (uint32_t) len;

    memcpy(p, &head, SNX_REC_HEAD);
}


/*
 * Starts a record of at most cap bytes in buf.  Cost: constant.
 * Fields are added in order of importance: one that does not fit is left out
 * whole and counted in left_out, the rest of the record stays valid.
 */
static inline void
snx_rec_begin(snx_rec_writer_t *w, void *buf, size_t cap)
{
    /* SNX_F_TRUNCATED has its room: a full record can tell that it is one */

    w->start = (cap < SNX_REC_NUM) ? NULL : buf;
    w->pos = w->start;
    w->end = (w->start == NULL) ? NULL : w->start + cap - SNX_REC_NUM;
    w->facts = NULL;
    w->left_out = 0;
}


/*
 * The facts of a record, empty, for the caller to set in place until the
 * record ends: the first field, in a buffer aligned to 8 bytes, or NULL.
 */
static inline snx_facts_t *
snx_rec_facts(snx_rec_writer_t *w)
{
    unsigned char  *p;

    _Static_assert(SNX_REC_HEAD % sizeof(int64_t) == 0,
                   "facts are aligned if the record is");

    p = w->pos;

    if (p != w->start || (uintptr_t) p % sizeof(int64_t) != 0) {
        return NULL;
    }

    if (p == NULL || (size_t) (w->end - p) < SNX_REC_HEAD + sizeof(snx_facts_t))
    {
        w->left_out++;
        return NULL;
    }

    snx_rec_head(p, SNX_F_FACTS, 0, sizeof(snx_facts_t));
    p += SNX_REC_HEAD;

    w->pos = p + sizeof(snx_facts_t);
    w->facts = (snx_facts_t *) (void *) p;

    /* what is not set stays what it was: nobody reads it */

    w->facts->has = 0;
    w->facts->reserved = 0;

    return w->facts;
}


static inline void
snx_fact_set(snx_facts_t *facts, snx_fact_t fact, int64_t value)
{
    facts->has |= 1u << fact;
    facts->num[fact - SNX_FACT_NUMBERS] = value;
}


/* Empty values are left out: absence is the only spelling of "none". */
void snx_rec_str(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t value);
void snx_rec_num(snx_rec_writer_t *w, snx_field_id_t id, int64_t value);

/* As snx_rec_str with a key; a pair with an empty key is left out. */
void snx_rec_pair(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key,
    snx_str_t value);

/* A structure that is all there is to say: a key without a value. */
void snx_rec_key(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key);


/* Copies fields that an earlier writer packed (constants of a location). */

static inline void
snx_rec_raw(snx_rec_writer_t *w, snx_str_t packed)
{
    if (packed.len == 0) {
        return;
    }

    if (w->start == NULL || packed.len > (size_t) (w->end - w->pos)) {
        w->left_out++;
        return;
    }

    memcpy(w->pos, packed.data, packed.len);
    w->pos += packed.len;
}


/*
 * Room for a value of at most *cap bytes that the caller writes in place;
 * NULL when less than want bytes are left.  snx_rec_close() with the length
 * used (0 takes the field back).  Nothing else may be added in between.
 */
unsigned char *snx_rec_open(snx_rec_writer_t *w, snx_field_id_t id,
    snx_str_t key, size_t want, size_t *cap);
void snx_rec_close(snx_rec_writer_t *w, size_t used);

/* Adds SNX_F_TRUNCATED, for which there always is room. */
void snx_rec_truncated(snx_rec_writer_t *w);

/* Ends the record: returns its length. */

static inline size_t
snx_rec_end(snx_rec_writer_t *w)
{
    if (w->left_out != 0) {
        snx_rec_truncated(w);
    }

    return (w->start == NULL) ? 0 : (size_t) (w->pos - w->start);
}


/* Reading. */

typedef struct {
    const unsigned char  *pos;
    const unsigned char  *end;
} snx_rec_reader_t;


typedef struct {
    snx_field_id_t   id;
    snx_str_t        key;
    snx_str_t        value;
    int64_t          num;      /* when value is 8 bytes long, else 0 */
} snx_field_t;


void snx_rec_read(snx_rec_reader_t *r, snx_str_t record);

/*
 * Next field.  Returns SNX_OK, SNX_DONE at the end, SNX_INVALID when a
 * length leaves the record (nothing outside it is ever read).
 * Memory: f points into the record.
 */
snx_rc_t snx_rec_next(snx_rec_reader_t *r, snx_field_t *f);

/* First field with that id: SNX_OK, SNX_DONE when absent, SNX_INVALID. */
snx_rc_t snx_rec_find(snx_str_t record, snx_field_id_t id, snx_field_t *f);


#endif /* SNX_RECORD_H_INCLUDED */
