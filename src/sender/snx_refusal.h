
/*
 * Copyright (C) ngx_sentry authors
 *
 * Why Sentry refused an envelope, in its own words, made fit for a log and
 * the status page.  Runs only for refused envelopes.
 */


#ifndef SNX_REFUSAL_H_INCLUDED
#define SNX_REFUSAL_H_INCLUDED


#include "snx_transport.h"


#define SNX_REFUSAL_MAX        200
#define SNX_REFUSAL_CAUSES_N   4       /* told of */


/*
 * Writes detail and causes of a JSON body {"detail": "...", "causes":
 * ["..."]}, else what the header X-Sentry-Error says, else "".  Terminated
 * printable ASCII, filtered as log lines are, without key (of the DSN).
 */
SNX_COLD void snx_refusal_text(const snx_answer_t *answer, snx_str_t key,
    char out[SNX_REFUSAL_MAX + 1]);


#endif /* SNX_REFUSAL_H_INCLUDED */
