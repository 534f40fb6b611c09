
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: any bytes as a line of the error log; the first ones as the
 * client's address.  Holds: the message is a part of the line.
 */


#include <stdlib.h>

#include "snx_cause.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       len;
    snx_str_t    line;
    snx_cause_t  cause;

    len = size == 0 ? 0 : data[0] % 32;
    len = len < size ? len : size;

    line = snx_str(data + len, size - len);

    snx_cause_parse(&cause, line, snx_str(data, len));

    if (cause.message.len > line.len
        || (cause.message.len != 0
            && (cause.message.data < line.data
                || cause.message.data + cause.message.len
                   > line.data + line.len)))
    {
        abort();
    }

    (void) snx_cause_upstream(&cause);

    return 0;
}
