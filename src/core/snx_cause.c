
/*
 * Copyright (C) ngx_sentry authors
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE    /* memmem() */
#endif

#include "snx_cause.h"


/*
 * First match wins.  A row matches when the message begins with start (if
 * any), contains has (if any), and its errno is error (if not 0).
 */

typedef struct {
    snx_str_t   start;
    snx_str_t   has;
    int         error;
    snx_str_t   type;
} snx_cause_row_t;


#define snx_cause_row(start, has, error, type)                                \
    { snx_string(start), snx_string(has), error, snx_string(type) }


/* Linux errno numbers: 28 no space, 32 pipe, 104 reset, 111 refused */

static const snx_cause_row_t  snx_cause_rows[] = {
    snx_cause_row("upstream timed out", "", 0, "UpstreamTimeout"),
    snx_cause_row("no live upstreams", "", 0, "NoLiveUpstreams"),
    snx_cause_row("", "SSL handshaking to upstream", 0, "UpstreamTLSError"),
    snx_cause_row("upstream SSL certificate", "", 0, "UpstreamTLSError"),
    snx_cause_row("connect() failed", "", 111, "UpstreamRefused"),
    snx_cause_row("connect() failed", "", 110, "UpstreamTimeout"),
    snx_cause_row("connect() failed", "", 0, "UpstreamUnreachable"),
    snx_cause_row("connect() to ", "", 111, "UpstreamRefused"),
    snx_cause_row("connect() to ", "", 0, "UpstreamUnreachable"),
    snx_cause_row("upstream prematurely closed", "", 0, "UpstreamClosed"),
    snx_cause_row("upstream closed prematurely", "", 0, "UpstreamClosed"),
    snx_cause_row("upstream sent too big header", "", 0, "UpstreamTooBig"),
    snx_cause_row("upstream sent more data", "", 0, "UpstreamInvalidHeader"),
    snx_cause_row("upstream sent ", "", 0, "UpstreamInvalidHeader"),
    snx_cause_row("upstream rejected request", "", 0, "UpstreamClosed"),
    snx_cause_row("", "could not be resolved", 0, "UpstreamUnresolved"),
    snx_cause_row("no resolver defined", "", 0, "UpstreamUnresolved"),
    snx_cause_row("host not found in upstream", "", 0, "UpstreamUnresolved"),
    snx_cause_row("invalid URL prefix", "", 0, "UpstreamUnresolved"),
    snx_cause_row("", " upstream", 104, "UpstreamClosed"),
    snx_cause_row("", " upstream", 32, "UpstreamClosed"),
    snx_cause_row("client intended to send too large", "", 0,
                  "RequestTooLarge"),
    snx_cause_row("client sent too long", "", 0, "RequestTooLarge"),
    snx_cause_row("client sent too large", "", 0, "RequestTooLarge"),
    snx_cause_row("client timed out", "", 0, "RequestTimeout"),
    snx_cause_row("client sent ", "", 0, "BadRequest"),
    snx_cause_row("limiting requests", "", 0, "LimitExceeded"),
    snx_cause_row("limiting connections", "", 0, "LimitExceeded"),
    snx_cause_row("delaying request", "", 0, ""),
    snx_cause_row("", "No space left", 0, "DiskFull"),
    snx_cause_row("", "", 28, "DiskFull"),
    snx_cause_row("rewrite or internal redirection cycle", "", 0,
                  "RedirectLoop"),
    snx_cause_row("auth request unexpected status", "", 0, "AuthRequestError"),
    snx_cause_row("", "Too many open files", 0, "TooManyOpenFiles")
};


static int
snx_cause_has(snx_str_t s, snx_str_t needle, size_t *at)
{
    const unsigned char  *p;

    p = memmem(s.data, s.len, needle.data, needle.len);

    if (p == NULL) {
        return 0;
    }

    if (at) {
        *at = (size_t) (p - s.data);
    }

    return 1;
}


/* Behind "[level] pid#tid: " and, if there, "*connection ". */

static snx_str_t
snx_cause_head(snx_str_t line)
{
    size_t     at, i;
    snx_str_t  hash = snx_string("#"), colon = snx_string(": ");

    if (!snx_cause_has(line, hash, &at)) {
        return line;
    }

    line = snx_str(line.data + at, line.len - at);

    if (!snx_cause_has(line, colon, &at)) {
        return line;
    }

    line = snx_str(line.data + at + 2, line.len - at - 2);

    if (line.len == 0 || line.data[0] != '*') {
        return line;
    }

    for (i = 1; i < line.len; i++) {

        if (line.data[i] == ' ') {
            return snx_str(line.data + i + 1, line.len - i - 1);
        }

        if (line.data[i] < '0' || line.data[i] > '9') {
            break;
        }
    }

    return line;
}


static snx_str_t
snx_cause_tail(snx_str_t line, snx_str_t client)
{
    size_t         at;
    snx_str_t      mark = snx_string(", client: ");
    unsigned char  buf[128];

    if (client.len && client.len <= sizeof(buf) - mark.len) {
        memcpy(buf, mark.data, mark.len);
        memcpy(buf + mark.len, client.data, client.len);

        if (snx_cause_has(line, snx_str(buf, mark.len + client.len), &at)) {
            return snx_str(line.data, at);
        }
    }

    if (snx_cause_has(line, mark, &at)) {
        return snx_str(line.data, at);
    }

    return line;
}


/* "(111: Connection refused)" */

static int
snx_cause_errno(snx_str_t s)
{
    int     n;
    size_t  i, j;

    for (i = 0; i + 2 < s.len; i++) {

        if (s.data[i] != '(') {
            continue;
        }

        n = 0;

        for (j = i + 1; j < s.len && j < i + 6; j++) {
            if (s.data[j] < '0' || s.data[j] > '9') {
                break;
            }

            n = n * 10 + (s.data[j] - '0');
        }

        if (j != i + 1 && j + 1 < s.len && s.data[j] == ':'
            && s.data[j + 1] == ' ')
        {
            return n;
        }
    }

    return 0;
}


static int
snx_cause_match(const snx_cause_row_t *row, const snx_cause_t *cause)
{
    if (row->start.len > cause->message.len
        || memcmp(row->start.data, cause->message.data, row->start.len) != 0)
    {
        return 0;
    }

    if (row->error && row->error != cause->error) {
        return 0;
    }

    return row->has.len == 0 || snx_cause_has(cause->message, row->has, NULL);
}


void
snx_cause_parse(snx_cause_t *cause, snx_str_t line, snx_str_t client)
{
    size_t     i;
    snx_str_t  s;

    s = snx_cause_tail(snx_cause_head(line), client);

    while (s.len && (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r'
                     || s.data[s.len - 1] == ' '))
    {
        s.len--;
    }

    cause->message = s;
    cause->error = snx_cause_errno(s);
    cause->type = snx_str(NULL, 0);

    if (s.len == 0) {
        return;
    }

    for (i = 0; i < sizeof(snx_cause_rows) / sizeof(snx_cause_rows[0]); i++) {
        if (snx_cause_match(&snx_cause_rows[i], cause)) {
            cause->type = snx_cause_rows[i].type;
            return;
        }
    }
}
