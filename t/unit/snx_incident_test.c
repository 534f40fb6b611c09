
/*
 * Copyright (C) ngx_sentry authors
 *
 * Lines of no request as nginx writes them: type, errno, kind.
 */


#include "snx_incident.h"
#include "tap.h"


#define HEAD  "2026/11/22 01:02:03 [crit] 7#7: "


typedef struct {
    const char  *line;         /* behind the head */
    const char  *type;
    int          error;
    int          fatal;
    const char  *class;        /* NULL: the line itself */
} row_t;


static const row_t  rows[] = {
    { "worker process 4711 exited on signal 11", "WorkerCrashed", 0, 1,
      "worker process * exited on signal 11" },
    { "worker process 4711 exited on signal 6 (core dumped)",
      "WorkerCrashed", 0, 1,
      "worker process * exited on signal 6 (core dumped)" },
    { "cache manager process 12 exited on signal 9", "WorkerCrashed", 0, 1,
      "cache manager process * exited on signal 9" },
    { "worker process 12 exited with code 0", "WorkerExited", 0, 0,
      "worker process * exited with code 0" },
    { "worker process 12 exited with code 1", "WorkerExited", 0, 1,
      "worker process * exited with code 1" },
    { "worker process 12 exited with fatal code 2 and cannot be respawned",
      "WorkerExited", 0, 1,
      "worker process * exited with fatal code 2 and cannot be respawned" },
    { "*9 1024 worker_connections are not enough, client: 10.0.0.1, server: a",
      "WorkerConnectionsExhausted", 0, 0,
      "* worker_connections are not enough" },
    { "accept4() failed (24: Too many open files)", "TooManyOpenFiles", 24, 0,
      "accept4() failed (*: Too many open files)" },
    { "accept4() failed (23: Too many open files in system)",
      "TooManyOpenFiles", 23, 0,
      "accept4() failed (*: Too many open files in system)" },
    { "*3 SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::"
      "unsupported protocol) while SSL handshaking, client: 1.1.1.1, "
      "server: 0.0.0.0:443", "TLSHandshakeError", 0, 0,
      "SSL_do_handshake() failed (SSL: * routines::unsupported protocol) "
      "while SSL handshaking" },
    { "*3 peer closed connection in SSL handshake while SSL handshaking, "
      "client: 1.1.1.1, server: 0.0.0.0:443", "TLSHandshakeError", 0, 0,
      "peer closed connection in SSL handshake while SSL handshaking" },
    { "app.example could not be resolved (3: Host not found)",
      "HostNotFound", 0, 0, "* could not be resolved (*: Host not found)" },
    { "app could not be resolved (110: Operation timed out)",
      "HostNotFound", 0, 0,
      "* could not be resolved (*: Operation timed out)" },
    { "host not found in upstream \"app.example\" in /etc/nginx.conf:4",
      "HostNotFound", 0, 0, "host not found in upstream \"*\" in *" },
    { "recv() failed (111: Connection refused) while resolving, resolver: "
      "10.0.0.53:53", "ResolverError", 111, 0,
      "recv() failed (*: Connection refused) while resolving, resolver: *" },
    { "write() to \"/var/log/a.log\" failed (28: No space left on device)",
      "NoSpaceLeft", 28, 0,
      "write() to \"*\" failed (*: No space left on device)" },
    { "bind() to 0.0.0.0:80 failed (98: Address already in use)",
      "BindFailed", 98, 0, "bind() to * failed (*: Address already in use)" },
    { "still could not bind()", "BindFailed", 0, 0, NULL },
    { "ngx_slab_alloc() failed: no memory in limit_req zone \"one\"",
      "SharedMemoryError", 0, 0,
      "ngx_slab_alloc() failed: no memory in limit_req zone \"*\"" },
    { "malloc(4096) failed (12: Cannot allocate memory)", "OutOfMemory", 12,
      0, "malloc(*) failed (*: Cannot allocate memory)" },
    { "fork() failed while spawning \"worker process\" (11: Resource "
      "temporarily unavailable)", "SpawnFailed", 11, 0,
      "fork() failed while spawning \"*\" (*: Resource temporarily "
      "unavailable)" },
    { "unknown directive \"proxy_pas\" in /etc/nginx/nginx.conf:42",
      "ConfigurationError", 0, 0, "unknown directive \"*\" in *" },
    { "cannot load certificate \"/etc/a.pem\": BIO_new_file() failed",
      "CertificateError", 0, 0,
      "cannot load certificate \"*\": BIO_new_file() failed" },
    { "open() \"/x\" failed (13: Permission denied)", "PermissionDenied", 13,
      0, "open() \"*\" failed (*: Permission denied)" },
    { "open socket #12 left in connection 3", "ServerError", 0, 0,
      "open socket #* left in connection *" },
    { "upstream timed out (110: Connection timed out)", "UpstreamTimeout",
      110, 0, "upstream timed out (*: Connection timed out)" },
    { "\"unterminated", "ServerError", 0, 0, "\"*\"" },
};


static const struct {
    const char  *message;
    int          pii;
    const char  *text;
} texts[] = {
    { "client 10.0.0.7 closed keepalive connection", 0,
      "client [Filtered] closed keepalive connection" },
    { "client fe80::1 closed keepalive connection", 0,
      "client [Filtered] closed keepalive connection" },
    { "client 10.0.0.7 closed keepalive connection", 1, NULL },
    { "client sent nothing", 0, NULL },
    { "connect() to http://u:pw@h/ failed", 0,
      "connect() to http://[Filtered]@h/ failed" },
    { "token=abc", 1, "token=[Filtered]" },
};


static void
test_row(const row_t *row)
{
    char            line[512], class[512];
    size_t          n;
    snx_str_t       message;
    snx_incident_t  incident;

    snprintf(line, sizeof(line), HEAD "%s\n", row->line);

    message = snx_incident_message(snx_cstr(line));
    snx_incident_read(&incident, message, 3, 0);
    n = snx_incident_class(message, class, sizeof(class));

    is_str(incident.type, row->type, row->line);
    is_int(incident.error, row->error, "errno");
    is_int(incident.fatal, row->fatal, "fatal");
    is_str(snx_str(class, n), row->class ? row->class : row->line, "kind");
}


int
main(void)
{
    char            buf[256];
    size_t          i, n;
    snx_str_t       s;
    snx_scrub_t     scrub;
    snx_incident_t  incident;

    memset(&scrub, 0, sizeof(scrub));

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_row(&rows[i]);
    }

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        scrub.pii = texts[i].pii != 0;
        n = snx_incident_text(&scrub, snx_cstr(texts[i].message), buf,
                              sizeof(buf));

        is_str(snx_str(buf, n), texts[i].text ? texts[i].text
                                              : texts[i].message, "text");
    }

    s = snx_incident_message(snx_cstr(HEAD "sentry: the queue is full\n"));
    is_int(s.len, 0, "lines of our own are none");

    s = snx_incident_message(snx_cstr(HEAD "*5 sentry: x\n"));
    is_int(s.len, 0, "nor on a connection");

    snx_incident_read(&incident, snx_cstr("opendir() failed"), 3, 1);
    is_str(incident.type, "CacheError", "of a cache process");

    snx_incident_read(&incident, snx_cstr("reconfiguring"), 6, 0);
    is_str(incident.type, "ServerMessage", "a notice is no error");

    for (i = 0; i < 20; i++) {
        n = snx_incident_class(snx_cstr("a 1 b 2 \"c\" /d e.f g"), buf, i);

        if (n > i) {
            break;
        }
    }

    is_int(i, 20, "never more than there is room for");
    is_int(snx_incident_class(snx_str(NULL, 0), buf, sizeof(buf)), 0,
           "nothing of nothing");

    return tap_done();
}
