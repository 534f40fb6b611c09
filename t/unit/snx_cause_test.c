
/*
 * Copyright (C) ngx_sentry authors
 *
 * Lines as nginx writes them, and what is read out of them.
 */


#include <stdio.h>

#include "cause_messages.h"
#include "snx_cause.h"
#include "tap.h"


#define PREFIX  "2026/11/22 01:02:03 [error] 7#8: *9 "
#define TAIL    ", client: 10.0.0.1, server: a, request: \"GET / HTTP/1.1\"\n"


typedef struct {
    const char  *line;
    const char  *message;
    const char  *type;
    int          error;
} row_t;


static const row_t  rows[] = {
    { PREFIX "connect() failed (111: Connection refused) while connecting to "
      "upstream" TAIL,
      "connect() failed (111: Connection refused) while connecting to "
      "upstream", "UpstreamRefused", 111 },
    { "2026/11/22 01:02:03 [crit] 7#8: *9 pwrite() \"/t/1\" failed (28: No "
      "space left on device)" TAIL,
      "pwrite() \"/t/1\" failed (28: No space left on device)", "DiskFull",
      28 },

    /* not every number in parentheses is an errno */
    { PREFIX "app.example could not be resolved (3: Host not found)" TAIL,
      "app.example could not be resolved (3: Host not found)",
      "UpstreamUnresolved", 0 },
    { PREFIX "upstream SSL certificate verify error: (20:unable to get "
      "issuer) while SSL handshaking to upstream" TAIL,
      "upstream SSL certificate verify error: (20:unable to get issuer) while "
      "SSL handshaking to upstream", "UpstreamTLSError", 0 },
    { PREFIX "open() \"/a (28: b)\" failed (2: No such file)" TAIL,
      "open() \"/a (28: b)\" failed (2: No such file)", "FileNotFound", 2 },
    { PREFIX "open() \"/a (28: b) while c\" failed (2: No such file)" TAIL,
      "open() \"/a (28: b) while c\" failed (2: No such file)",
      "FileNotFound", 2 },

    /* the tail is found by the client's address */
    { PREFIX "open() \"/x, client: 1.1.1.1\" failed (2: No such file)" TAIL,
      "open() \"/x, client: 1.1.1.1\" failed (2: No such file)",
      "FileNotFound", 2 },
    { PREFIX "something, client: 10.0.0.2, server: a\n", "something", "", 0 },

    /* odd lines */
    { "", "", "", 0 },
    { "#", "#", "", 0 },
    { "no prefix at all", "no prefix at all", "", 0 },
    { "2026/11/22 01:02:03 [notice] 7#7: signal 15", "signal 15", "", 0 },
    { "2026/11/22 01:02:03 [notice] 7#7: *", "*", "", 0 },
    { PREFIX "(12345678: too long a number)\n",
      "(12345678: too long a number)", "", 0 },
    { PREFIX "(: no number)\n", "(: no number)", "", 0 },
    { PREFIX "(1", "(1", "", 0 },
    { PREFIX TAIL, "", "", 0 },
};


/* With its errno, which is the last number that looks like one. */

static void
message(const char *type, const char *text)
{
    char         line[1024];
    size_t       len;
    snx_cause_t  cause;

    len = (size_t) snprintf(line, sizeof(line), PREFIX "%s" TAIL, text);

    snx_cause_parse(&cause, snx_str(line, len), snx_cstr("10.0.0.1"));

    is_str(cause.message, text, text);
    is_str(cause.type, type, text);
    is_int(snx_cause_upstream(&cause),
           strncmp(type, "Upstream", 8) == 0
           || strcmp(type, "NoLiveUpstreams") == 0, text);
}


int
main(void)
{
    size_t        i, k, n;
    snx_str_t     line;
    snx_cause_t   cause;
    const row_t  *row;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];

        snx_cause_parse(&cause, snx_cstr(row->line), snx_cstr("10.0.0.1"));

        is_str(cause.message, row->message, "message");
        is_str(cause.type, row->type, row->message);
        is_int(cause.error, row->error, "errno");
    }

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (k = 0; groups[i].messages[k] != NULL; k++) {
            message(groups[i].type, groups[i].messages[k]);
        }
    }

    /* every cut of a line stays within it */

    line = snx_cstr(rows[0].line);

    for (n = 0; n <= line.len; n++) {
        snx_cause_parse(&cause, snx_str(line.data, n), snx_str(NULL, 0));

        if (cause.message.len > n) {
            break;
        }
    }

    ok(n == line.len + 1, "no cut line is read beyond its end");

    return tap_done();
}
