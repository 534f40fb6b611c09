
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: traceparent.  What is read can be written and read again to the
 * same; what is refused touches nothing.
 */


#include <stdlib.h>

#include "snx_trace.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         out[SNX_TRACE_W3C_LEN];
    size_t       len;
    snx_trace_t  trace, again, untouched;

    memset(&untouched, 0x5a, sizeof(untouched));
    trace = untouched;

    if (snx_trace_w3c(&trace, snx_str(data, size)) != SNX_OK) {
        if (memcmp(&trace, &untouched, sizeof(trace)) != 0) {
            abort();
        }

        return 0;
    }

    len = snx_trace_write_w3c(trace.trace_id, trace.span_id, trace.sampled,
                              out);

    if (snx_trace_w3c(&again, snx_str(out, len)) != SNX_OK
        || memcmp(again.trace_id, trace.trace_id, 16) != 0
        || memcmp(again.span_id, trace.span_id, 8) != 0
        || again.sampled != trace.sampled)
    {
        abort();
    }

    return 0;
}
