
/*
 * Copyright (C) ngx_sentry authors
 *
 * Lines of the error log that belong to no request.  The messages are those
 * of nginx's sources.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE    /* memmem() */
#endif

#include "snx_incident.h"
#include "snx_text.h"


/*
 * First match wins.  A row matches when the message contains has (if any) and
 * its errno is error (if not 0).
 */

typedef struct {
    snx_str_t   has;
    int         error;
    int         fatal;
    snx_str_t   type;
} snx_incident_row_t;


#define snx_incident_row(has, error, fatal, type)                             \
    { snx_string(has), error, fatal, snx_string(type) }


/*
 * Linux errno numbers: 12 out of memory, 13 permission, 23 and 24 files, 28
 * and 122 no space
 */

static const snx_incident_row_t  snx_incident_rows[] = {
    snx_incident_row("exited on signal", 0, 1, "WorkerCrashed"),
    snx_incident_row("exited with code 0", 0, 0, "WorkerExited"),
    snx_incident_row("exited with ", 0, 1, "WorkerExited"),
    snx_incident_row("worker_connections are not enough", 0, 0,
                     "WorkerConnectionsExhausted"),
    snx_incident_row("", 24, 0, "TooManyOpenFiles"),
    snx_incident_row("", 23, 0, "TooManyOpenFiles"),
    snx_incident_row("", 28, 0, "NoSpaceLeft"),
    snx_incident_row("", 122, 0, "NoSpaceLeft"),
    snx_incident_row("SSL handshaking to upstream", 0, 0,
                     "UpstreamTLSError"),
    snx_incident_row("SSL handshak", 0, 0, "TLSHandshakeError"),
    snx_incident_row("in SSL handshake", 0, 0, "TLSHandshakeError"),
    snx_incident_row("SSL_do_handshake()", 0, 0, "TLSHandshakeError"),
    snx_incident_row("cannot load certificate", 0, 0, "CertificateError"),
    snx_incident_row("OCSP", 0, 0, "OCSPError"),
    snx_incident_row("certificate status", 0, 0, "OCSPError"),
    snx_incident_row("could not be resolved", 0, 0, "HostNotFound"),
    snx_incident_row("host not found", 0, 0, "HostNotFound"),
    snx_incident_row("while resolving", 0, 0, "ResolverError"),
    snx_incident_row("bind() ", 0, 0, "BindFailed"),
    snx_incident_row("could not bind()", 0, 0, "BindFailed"),
    snx_incident_row("listen() to ", 0, 0, "BindFailed"),
    snx_incident_row("ngx_slab_alloc() failed", 0, 0, "SharedMemoryError"),
    snx_incident_row("shared memory zone", 0, 0, "SharedMemoryError"),
    snx_incident_row("fork() failed", 0, 0, "SpawnFailed"),
    snx_incident_row("while spawning", 0, 0, "SpawnFailed"),
    snx_incident_row("", 12, 0, "OutOfMemory"),
    snx_incident_row("accept4() failed", 0, 0, "AcceptFailed"),
    snx_incident_row("accept() failed", 0, 0, "AcceptFailed"),
    snx_incident_row("", 13, 0, "PermissionDenied")
};


static int
snx_incident_has(snx_str_t s, snx_str_t needle)
{
    return needle.len == 0
           || (s.len != 0
               && memmem(s.data, s.len, needle.data, needle.len) != NULL);
}


snx_str_t
snx_incident_message(snx_str_t line)
{
    snx_cause_t  cause;

    static const snx_str_t  own = snx_string("sentry: ");

    snx_cause_parse(&cause, line, snx_str(NULL, 0));

    if (cause.message.len >= own.len
        && memcmp(cause.message.data, own.data, own.len) == 0)
    {
        return snx_str(NULL, 0);
    }

    return cause.message;
}


/* "client 10.0.0.7 closed keepalive connection": behind the address. */

static size_t
snx_incident_client(snx_str_t message)
{
    size_t  i;

    static const snx_str_t  client = snx_string("client ");

    if (message.len <= client.len
        || memcmp(message.data, client.data, client.len) != 0)
    {
        return 0;
    }

    for (i = client.len; i < message.len && message.data[i] != ' '; i++) {

        if (message.data[i] == '.' || message.data[i] == ':') {
            while (i < message.len && message.data[i] != ' ') {
                i++;
            }

            return i;
        }
    }

    return 0;
}


size_t
snx_incident_text(const snx_scrub_t *scrub, snx_str_t message, void *out,
    size_t cap)
{
    size_t          n;
    unsigned char  *p;

    static const snx_str_t  client = snx_string("client " SNX_FILTERED);

    n = scrub->pii ? 0 : snx_incident_client(message);

    if (n == 0) {
        return snx_scrub_text(scrub, message, out, cap);
    }

    if (cap < client.len) {
        return 0;
    }

    p = out;
    memcpy(p, client.data, client.len);

    return client.len + snx_scrub_text(scrub,
                                       snx_str(message.data + n,
                                               message.len - n),
                                       p + client.len, cap - client.len);
}


/* "... in /etc/nginx/nginx.conf:42" */

static int
snx_incident_place(snx_str_t message)
{
    size_t           i;
    const snx_str_t  in = snx_string(" in /");

    for (i = message.len; i != 0; i--) {
        if (message.data[i - 1] < '0' || message.data[i - 1] > '9') {
            break;
        }
    }

    return i != 0 && i != message.len && message.data[i - 1] == ':'
           && snx_incident_has(message, in);
}


void
snx_incident_read(snx_incident_t *incident, snx_str_t message,
    unsigned level, int cache)
{
    size_t                     i;
    snx_cause_t                cause;
    const snx_incident_row_t  *row;

    /* the message alone has no head to be cut off, the errno is there */

    snx_cause_parse(&cause, message, snx_str(NULL, 0));

    incident->error = cause.error;
    incident->fatal = 0;

    for (i = 0;
         i < sizeof(snx_incident_rows) / sizeof(snx_incident_rows[0]);
         i++)
    {
        row = &snx_incident_rows[i];

        if ((row->error == 0 || row->error == cause.error)
            && snx_incident_has(message, row->has))
        {
            incident->type = row->type;
            incident->fatal = row->fatal;

            /* the number of a resolver's answer is no errno */

            if (snx_text_ieq(row->type, snx_cstr("HostNotFound"))) {
                incident->error = 0;
            }

            return;
        }
    }

    if (snx_incident_place(message)) {
        incident->type = snx_cstr("ConfigurationError");

    } else if (cache) {
        incident->type = snx_cstr("CacheError");

    } else if (cause.type.len) {
        incident->type = cause.type;

    } else {
        incident->type = snx_cstr(level <= SNX_INCIDENT_ERROR
                                  ? "ServerError" : "ServerMessage");
    }
}


static int
snx_incident_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


/* What a word ends at. */

static int
snx_incident_break(unsigned char c)
{
    return c <= ' ' || c == '"' || c == '(' || c == ')' || c == ','
           || c == ';' || c == '#';
}


/* Whether the word is of this line alone; its last mark is none of it. */

static int
snx_incident_varies(snx_str_t word, snx_str_t before)
{
    size_t           i;
    const snx_str_t  signal = snx_string("signal"), code = snx_string("code");

    if (snx_text_ieq(before, signal) || snx_text_ieq(before, code)) {
        return 0;
    }

    for (i = 0; i < word.len; i++) {
        if (snx_incident_digit(word.data[i]) || word.data[i] == '/'
            || (word.data[i] == '.' && i + 1 < word.len))
        {
            return 1;
        }
    }

    return 0;
}


/* After the quote that closes the one at p. */

static const unsigned char *
snx_incident_quoted(snx_text_t *out, const unsigned char *p,
    const unsigned char *end)
{
    p = memchr(p + 1, '"', (size_t) (end - p) - 1);

    snx_text_addz(out, "\"*\"");

    return p == NULL ? end : p + 1;
}


size_t
snx_incident_class(snx_str_t message, char *buf, size_t cap)
{
    snx_str_t             word, before;
    snx_text_t            out;
    const unsigned char  *p, *end, *last;

    const snx_str_t       unresolved = snx_string(" could not be resolved");

    snx_text_init(&out, buf, cap);

    p = message.data;
    end = p + message.len;
    before = snx_str(NULL, 0);

    /* what a host is called, its name does not tell */

    last = message.len ? memmem(p, message.len, unresolved.data,
                                unresolved.len) : NULL;
    if (last != NULL) {
        snx_text_addz(&out, "*");
        p = last;
    }

    while (p < end && !out.cut) {

        if (*p == '"') {
            p = snx_incident_quoted(&out, p, end);
            continue;
        }

        if (snx_incident_break(*p)) {
            snx_text_add(&out, snx_str(p++, 1));
            continue;
        }

        for (last = p; last < end && !snx_incident_break(*last); last++) {
            /* void */
        }

        word = snx_str(p, (size_t) (last - p));
        p = last;

        /* accept4() is a name */

        if ((p == end || *p != '(') && snx_incident_varies(word, before)) {
            snx_text_addz(&out, "*");
            snx_text_addz(&out, word.data[word.len - 1] == ':' ? ":" : "");

        } else {
            snx_text_add(&out, word);
        }

        before = word;
    }

    return out.len;
}
