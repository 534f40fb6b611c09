
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reads error log lines that belong to no request: names what happened with
 * a small fixed vocabulary, and reduces the text to what all lines of its
 * kind have in common.  Pure, also safe in signal handlers.
 */


#ifndef SNX_INCIDENT_H_INCLUDED
#define SNX_INCIDENT_H_INCLUDED


#include "snx_cause.h"
#include "snx_scrub.h"


/* nginx's log levels: 1 emerg ... 4 error, 5 warn ... 7 info */
#define SNX_INCIDENT_ERROR     4
#define SNX_INCIDENT_WARN      5


typedef struct {
    snx_str_t   type;          /* "WorkerCrashed", never empty */
    int         error;         /* errno, 0 none */
    int         fatal;         /* a process died */
} snx_incident_t;


/*
 * The message of a line, without time, level, process and what nginx appends
 * about the client.  Empty for lines of this module ("sentry: ...").
 * Memory: points into line.
 */
SNX_COLD snx_str_t snx_incident_message(snx_str_t line);

/* Copies the message scrubbed; without PII no client's address. */
SNX_COLD size_t snx_incident_text(const snx_scrub_t *scrub, snx_str_t message,
    void *out, size_t cap);

/* What a message says; level is nginx's, cache: a cache process wrote it. */
SNX_COLD void snx_incident_read(snx_incident_t *incident, snx_str_t message,
    unsigned level, int cache);

/*
 * The message's kind: words with digits, dots or slashes in them and quoted
 * texts become "*" (but for signals and exit codes).  Returns the length, at
 * most cap.
 */
SNX_COLD size_t snx_incident_class(snx_str_t message, char *out, size_t cap);


#endif /* SNX_INCIDENT_H_INCLUDED */
