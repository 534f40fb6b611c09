
/*
 * Copyright (C) ngx_sentry authors
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE    /* memmem() */
#endif

#include "snx_cause.h"


/*
 * First match wins.  A row matches when the message begins with start (if
 * any), contains has (if any), and its errno is error (if not 0).  An empty
 * type is that of lines that are no cause.
 */

typedef struct {
    const char     *text;      /* start, has and type in one: one relocation */
    unsigned char   start;     /* lengths */
    unsigned char   has;
    unsigned char   type;
    unsigned char   error;
} snx_cause_row_t;


#define snx_cause_row(start, has, error, type)                                \
    { start has type, sizeof(start) - 1, sizeof(has) - 1, sizeof(type) - 1,   \
      error }


/*
 * Linux errno numbers: 1 not permitted, 2 no entry, 12 memory, 13 access,
 * 20 no directory, 23, 24 open files, 28 no space, 32 pipe, 104 reset,
 * 110 timed out, 111 refused, 122 quota
 */

static const snx_cause_row_t  snx_cause_rows[] = {

    /* scripts; their messages may contain any of the words below */

    snx_cause_row("FastCGI sent in stderr", "", 0, "UpstreamError"),
    snx_cause_row("lua ", "aborted", 0, "ScriptError"),
    snx_cause_row("failed to ", "_by_lua", 0, "ScriptError"),
    snx_cause_row("failed to ", " Lua ", 0, "ScriptError"),
    snx_cause_row("js ", "exception", 0, "ScriptError"),
    snx_cause_row("call_sv(", "", 0, "ScriptError"),
    snx_cause_row("eval_pv(", "", 0, "ScriptError"),

    /* what the machine ran out of, whoever asked for it */

    snx_cause_row("", "", 28, "DiskFull"),
    snx_cause_row("", "", 122, "DiskFull"),
    snx_cause_row("", "", 23, "TooManyOpenFiles"),
    snx_cause_row("", "", 24, "TooManyOpenFiles"),
    snx_cause_row("", "", 12, "OutOfMemory"),
    snx_cause_row("", " worker_connections are not enough", 0,
                  "TooManyConnections"),
    snx_cause_row("could not allocate n", "", 0, "SharedMemoryFull"),
    snx_cause_row("cannot add new server to upstream", "", 0,
                  "SharedMemoryFull"),

    /* limits */

    snx_cause_row("limiting ", ", dry run", 0, ""),
    snx_cause_row("limiting requests", "", 0, "LimitExceeded"),
    snx_cause_row("limiting connections", "", 0, "LimitExceeded"),
    snx_cause_row("delaying request", "", 0, ""),

    /* the client */

    snx_cause_row("client intended to send too large", "", 0,
                  "RequestTooLarge"),
    snx_cause_row("client sent ", "too l", 0, "RequestTooLarge"),
    snx_cause_row("client sent too many header lines", "", 0,
                  "RequestTooLarge"),
    snx_cause_row("client timed out", "", 0, "RequestTimeout"),
    snx_cause_row("quic client timed out", "", 0, "RequestTimeout"),
    snx_cause_row("client prematurely closed", "", 0, "ClientClosed"),
    snx_cause_row("client closed ", "", 0, "ClientClosed"),
    snx_cause_row("client canceled stream", "", 0, "ClientClosed"),
    snx_cause_row("client refused stream", "", 0, "ClientClosed"),
    snx_cause_row("client terminated stream", "", 0, "ClientClosed"),
    snx_cause_row("", "reported that client", 0, "ClientClosed"),
    snx_cause_row("client sent ", "", 0, "BadRequest"),
    snx_cause_row("client intended ", "", 0, "BadRequest"),
    snx_cause_row("client violated ", "", 0, "BadRequest"),
    snx_cause_row("client exceeded ", "", 0, "BadRequest"),
    snx_cause_row("client attempted ", "", 0, "BadRequest"),
    snx_cause_row("client SSL certificate", "", 0, "BadRequest"),
    snx_cause_row("http2 flood", "", 0, "BadRequest"),
    snx_cause_row("http3 flood", "", 0, "BadRequest"),
    snx_cause_row("invalid connection preface", "", 0, "BadRequest"),
    snx_cause_row("unsafe URI ", "", 0, "BadRequest"),
    snx_cause_row("too long http2 ", "", 0, "RequestTooLarge"),

    /* the upstream: reaching it */

    snx_cause_row("upstream timed out", "", 0, "UpstreamTimeout"),
    snx_cause_row("no live upstreams", "", 0, "NoLiveUpstreams"),
    snx_cause_row("upstream server temporarily disabled", "", 0, ""),
    snx_cause_row("upstream SSL certificate", "", 0, "UpstreamTLSError"),
    snx_cause_row("", "while SSL handshaking to upstream", 0,
                  "UpstreamTLSError"),
    snx_cause_row("SSL_set_", "", 0, "UpstreamTLSError"),
    snx_cause_row("SSL_", " upstream", 0, "UpstreamTLSError"),
    snx_cause_row("cannot load certificate", " upstream", 0,
                  "UpstreamTLSError"),
    snx_cause_row("connect() failed", "", 111, "UpstreamRefused"),
    snx_cause_row("connect() failed", "", 110, "UpstreamTimeout"),
    snx_cause_row("connect() failed", "", 104, "UpstreamReset"),
    snx_cause_row("connect() failed", "", 0, "UpstreamUnreachable"),
    snx_cause_row("connect() to ", "", 111, "UpstreamRefused"),
    snx_cause_row("connect() to ", "", 0, "UpstreamUnreachable"),
    snx_cause_row("bind(", " upstream", 0, "UpstreamUnreachable"),
    snx_cause_row("socket() failed", " upstream", 0, "UpstreamUnreachable"),
    snx_cause_row("no resolver defined", "", 0, "UpstreamUnresolved"),
    snx_cause_row("host not found in upstream", "", 0, "UpstreamUnresolved"),

    /* the upstream: what it answered */

    snx_cause_row("upstream prematurely sent", "", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream prematurely closed", "", 0, "UpstreamClosed"),
    snx_cause_row("upstream closed prematurely", "", 0, "UpstreamClosed"),
    snx_cause_row("", "reported that upstream closed", 0, "UpstreamClosed"),
    snx_cause_row("upstream rejected request", "", 0, "UpstreamReset"),
    snx_cause_row("upstream sent goaway with error", "", 0, "UpstreamReset"),
    snx_cause_row("upstream sent too big", "", 0, "UpstreamTooBig"),
    snx_cause_row("upstream sent too large http2 header", "", 0,
                  "UpstreamTooBig"),
    snx_cause_row("too big subrequest response", "", 0, "UpstreamTooBig"),
    snx_cause_row("upstream sent more data", "", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent data", "", 0, "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent response body", "", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", " chunked ", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", " frame", 0, "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", " window update", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", " trailer", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", " FastCGI ", 0,
                  "UpstreamInvalidResponse"),
    snx_cause_row("upstream sent ", "", 0, "UpstreamInvalidHeader"),
    snx_cause_row("invalid header after joining", "", 0,
                  "UpstreamInvalidHeader"),
    snx_cause_row("upstream violated ", "", 0, "UpstreamInvalidResponse"),
    snx_cause_row("memcached sent ", "", 0, "UpstreamInvalidResponse"),
    snx_cause_row("", " slice response", 0, "UpstreamInvalidResponse"),
    snx_cause_row("", " upstream", 104, "UpstreamReset"),
    snx_cause_row("", " upstream", 32, "UpstreamClosed"),
    snx_cause_row("", " upstream", 110, "UpstreamTimeout"),

    /* what the configuration asks for and cannot be done */

    snx_cause_row("rewrite or internal redirection cycle", "", 0,
                  "RedirectLoop"),
    snx_cause_row("subrequests cycle", "", 0, "RedirectLoop"),
    snx_cause_row("request reference counter overflow", "", 0,
                  "RedirectLoop"),
    snx_cause_row("auth request unexpected status", "", 0,
                  "AuthRequestError"),
    snx_cause_row("cycle while evaluating variable", "", 0,
                  "ConfigurationError"),
    snx_cause_row("could not find named location", "", 0,
                  "ConfigurationError"),
    snx_cause_row("empty URI in redirect", "", 0, "ConfigurationError"),
    snx_cause_row("the rewritten URI has a zero length", "", 0,
                  "ConfigurationError"),
    snx_cause_row("zero length URI to proxy", "", 0, "ConfigurationError"),
    snx_cause_row("invalid URL prefix", "", 0, "ConfigurationError"),
    snx_cause_row("", " in upstream \"", 0, "ConfigurationError"),
    snx_cause_row("invalid local address", "", 0, "ConfigurationError"),
    snx_cause_row("no upstream configuration", "", 0, "ConfigurationError"),
    snx_cause_row("no handler found", "", 0, "ConfigurationError"),
    snx_cause_row("\"alias\" cannot be used", "", 0, "ConfigurationError"),
    snx_cause_row("the \"$memcached_key\" variable", "", 0,
                  "ConfigurationError"),
    snx_cause_row("", " is not enough for cache key", 0,
                  "ConfigurationError"),
    snx_cause_row("cache \"", "\" not found", 0, "ConfigurationError"),
    snx_cause_row("thread pool \"", "", 0, "ConfigurationError"),
    snx_cause_row("", " protocol requires SSL support", 0,
                  "ConfigurationError"),

    /* access and files */

    snx_cause_row("access forbidden by rule", "", 0, "AccessDenied"),
    snx_cause_row("", "\" is forbidden", 0, "AccessDenied"),
    snx_cause_row("no user/password was provided", "", 0, "AccessDenied"),
    snx_cause_row("user \"", "", 0, "AccessDenied"),
    snx_cause_row("cache file \"", "", 0, "CacheError"),
    snx_cause_row("", "() \"", 2, "FileNotFound"),
    snx_cause_row("", "() \"", 20, "FileNotFound"),
    snx_cause_row("", "\" is not found", 0, "FileNotFound"),
    snx_cause_row("", "() \"", 13, "FileDenied"),
    snx_cause_row("", "() \"", 1, "FileDenied"),
    snx_cause_row("", " mp4 ", 0, "FileError"),
    snx_cause_row("", "() \"", 0, "FileError"),
    snx_cause_row("", "\" is not a ", 0, "FileError"),
    snx_cause_row("", "() read only ", 0, "FileError"),
    snx_cause_row("sendfile() reported that", "", 0, "FileError"),

    /* filters */

    snx_cause_row("image filter: ", "", 0, "FilterError"),
    snx_cause_row("gdImage", "", 0, "FilterError"),
    snx_cause_row("xml", "() failed", 0, "FilterError"),
    snx_cause_row("xslt", "() ", 0, "FilterError"),
    snx_cause_row("libxml2 error", "", 0, "FilterError"),
    snx_cause_row("not well formed XML document", "", 0, "FilterError"),
    snx_cause_row("inflate", "() ", 0, "FilterError"),
    snx_cause_row("deflate", "() ", 0, "FilterError"),
    snx_cause_row("too long response ", "", 0, "FilterError")
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


/*
 * "(111: Connection refused)" at the end or before " while ": what a message
 * quotes may look the same, and resolvers have numbers of their own.
 */

static int
snx_cause_errno(snx_str_t s)
{
    int        n, found;
    size_t     i, j;
    snx_str_t  rest;

    found = 0;

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

        if (j == i + 1 || j + 1 >= s.len || s.data[j] != ':'
            || s.data[j + 1] != ' ')
        {
            continue;
        }

        while (j < s.len && s.data[j] != ')') {
            j++;
        }

        rest = snx_str(s.data + j, s.len - j);

        if (rest.len == 1
            || (rest.len > 7 && memcmp(rest.data, ") while ", 8) == 0))
        {
            found = n;
        }
    }

    return found;
}


static int
snx_cause_match(const snx_cause_row_t *row, const snx_cause_t *cause)
{
    if (row->start > cause->message.len
        || memcmp(row->text, cause->message.data, row->start) != 0)
    {
        return 0;
    }

    if (row->error && row->error != cause->error) {
        return 0;
    }

    return row->has == 0
           || snx_cause_has(cause->message,
                            snx_str(row->text + row->start, row->has), NULL);
}


void
snx_cause_parse(snx_cause_t *cause, snx_str_t line, snx_str_t client)
{
    size_t                  i;
    snx_str_t               s, unresolved;
    const snx_cause_row_t  *row;

    unresolved = snx_cstr(" could not be resolved (");

    s = snx_cause_tail(snx_cause_head(line), client);

    while (s.len && (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r'
                     || s.data[s.len - 1] == ' '))
    {
        s.len--;
    }

    cause->message = s;
    cause->error = 0;
    cause->type = snx_str(NULL, 0);

    if (s.len == 0) {
        return;
    }

    /* with a number of the DNS that looks like an errno */

    if (snx_cause_has(s, unresolved, NULL)) {
        cause->type = snx_cstr("UpstreamUnresolved");
        return;
    }

    cause->error = snx_cause_errno(s);

    for (i = 0; i < sizeof(snx_cause_rows) / sizeof(snx_cause_rows[0]); i++) {
        row = &snx_cause_rows[i];

        if (snx_cause_match(row, cause)) {
            cause->type = snx_str(row->text + row->start + row->has,
                                  row->type);
            break;
        }
    }
}


int
snx_cause_upstream(const snx_cause_t *cause)
{
    snx_str_t  s, start = snx_string("Upstream"),
               none = snx_string("NoLiveUpstreams");

    s = cause->type;

    return (s.len > start.len && memcmp(s.data, start.data, start.len) == 0)
           || (s.len == none.len && memcmp(s.data, none.data, none.len) == 0);
}
