
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


#endif /* SNX_TRACE_H_INCLUDED */
