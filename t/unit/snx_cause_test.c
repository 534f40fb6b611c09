
/*
 * Copyright (C) ngx_sentry authors
 *
 * Lines as nginx writes them, and what is read out of them.
 */


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
    { PREFIX "connect() failed (113: No route to host) while connecting to "
      "upstream" TAIL,
      "connect() failed (113: No route to host) while connecting to upstream",
      "UpstreamUnreachable", 113 },
    { PREFIX "connect() to unix:/x.sock failed (2: No such file or directory) "
      "while connecting to upstream" TAIL,
      "connect() to unix:/x.sock failed (2: No such file or directory) while "
      "connecting to upstream", "UpstreamUnreachable", 2 },
    { PREFIX "upstream timed out (110: Connection timed out) while reading "
      "response header from upstream" TAIL,
      "upstream timed out (110: Connection timed out) while reading response "
      "header from upstream", "UpstreamTimeout", 110 },
    { PREFIX "upstream prematurely closed connection while reading response "
      "header from upstream" TAIL,
      "upstream prematurely closed connection while reading response header "
      "from upstream", "UpstreamClosed", 0 },
    { PREFIX "recv() failed (104: Connection reset by peer) while reading "
      "response header from upstream" TAIL,
      "recv() failed (104: Connection reset by peer) while reading response "
      "header from upstream", "UpstreamClosed", 104 },
    { PREFIX "upstream sent too big header while reading response header from "
      "upstream" TAIL,
      "upstream sent too big header while reading response header from "
      "upstream", "UpstreamTooBig", 0 },
    { PREFIX "upstream sent no valid HTTP/1.0 header while reading response "
      "header from upstream" TAIL,
      "upstream sent no valid HTTP/1.0 header while reading response header "
      "from upstream", "UpstreamInvalidHeader", 0 },
    { PREFIX "no live upstreams while connecting to upstream" TAIL,
      "no live upstreams while connecting to upstream", "NoLiveUpstreams",
      0 },
    { PREFIX "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::"
      "wrong version number) while SSL handshaking to upstream" TAIL,
      "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong "
      "version number) while SSL handshaking to upstream",
      "UpstreamTLSError", 0 },
    { PREFIX "app.example could not be resolved (3: Host not found)" TAIL,
      "app.example could not be resolved (3: Host not found)",
      "UpstreamUnresolved", 3 },
    { PREFIX "client intended to send too large body: 5000 bytes" TAIL,
      "client intended to send too large body: 5000 bytes",
      "RequestTooLarge", 0 },
    { PREFIX "limiting requests, excess: 0.9 by zone \"z\"" TAIL,
      "limiting requests, excess: 0.9 by zone \"z\"", "LimitExceeded", 0 },
    { "2026/11/22 01:02:03 [crit] 7#8: *9 pwrite() \"/t/1\" failed (28: No "
      "space left on device)" TAIL,
      "pwrite() \"/t/1\" failed (28: No space left on device)", "DiskFull",
      28 },
    { PREFIX "rewrite or internal redirection cycle while processing \"/a\""
      TAIL, "rewrite or internal redirection cycle while processing \"/a\"",
      "RedirectLoop", 0 },

    /* the tail is found by the client's address */
    { PREFIX "open() \"/x, client: 1.1.1.1\" failed (2: No such file)" TAIL,
      "open() \"/x, client: 1.1.1.1\" failed (2: No such file)", "", 2 },
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


int
main(void)
{
    size_t        i, n;
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
