
/*
 * Copyright (C) ngx_sentry authors
 *
 * Trace identity: the sentry-trace and W3C traceparent headers.
 * Source: develop docs, sdk/foundations/trace-propagation; W3C Trace Context.
 */


#ifndef SNX_TRACE_H_INCLUDED
#define SNX_TRACE_H_INCLUDED


#include "snx.h"


typedef struct {
    unsigned char  trace_id[16];
    unsigned char  span_id[8];     /* the caller's */
    int8_t         sampled;        /* 1, 0, -1 no decision */
} snx_trace_t;


/* Both: SNX_OK, or SNX_INVALID and *trace untouched. Zero ids are invalid. */
snx_rc_t snx_trace_sentry(snx_trace_t *trace, snx_str_t value);
snx_rc_t snx_trace_w3c(snx_trace_t *trace, snx_str_t value);

/*
 * Write the header's value for a span of the trace; the flag is left out of
 * sentry-trace when sampled is -1.  Each returns the length.
 */
#define SNX_TRACE_SENTRY_MAX   51
#define SNX_TRACE_SPAN_MAX     19
#define SNX_TRACE_W3C_LEN      55

size_t snx_trace_write_sentry(const unsigned char trace_id[16],
    const unsigned char span_id[8], int sampled,
    char out[SNX_TRACE_SENTRY_MAX]);
size_t snx_trace_write_w3c(const unsigned char trace_id[16],
    const unsigned char span_id[8], int sampled, char out[SNX_TRACE_W3C_LEN]);

/* What sentry-trace has behind the 32 digits of the trace's id. */
size_t snx_trace_write_span(const unsigned char span_id[8], int sampled,
    char out[SNX_TRACE_SPAN_MAX]);


#endif /* SNX_TRACE_H_INCLUDED */
