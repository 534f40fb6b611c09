
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reads nginx's error log lines: takes the message out of a line, finds the
 * errno in it, and names the cause with a small fixed vocabulary.  The
 * messages are those of nginx's sources, 1.18 to 1.29; a message that is not
 * known keeps its text and gets no type.
 */


#ifndef SNX_CAUSE_H_INCLUDED
#define SNX_CAUSE_H_INCLUDED


#include "snx.h"


typedef struct {
    snx_str_t   message;       /* without time, level, pid and request tail */
    snx_str_t   type;          /* "UpstreamTimeout", empty: unknown */
    int         error;         /* errno, 0 none in it */
} snx_cause_t;


/*
 * line is what nginx hands to a log writer: "2026/11/22 01:02:03 [error]
 * 7#7: *1 message, client: ADDR, server: ...".  client is the text after
 * ", client: " (the tail is cut at ", client: " and that text; without it at
 * the first ", client: ").  Memory: points into line or to constants.
 */
void snx_cause_parse(snx_cause_t *cause, snx_str_t line, snx_str_t client);

/* Whether the type says what an upstream did, or did not. */
int snx_cause_upstream(const snx_cause_t *cause);


#endif /* SNX_CAUSE_H_INCLUDED */
