
/*
 * Copyright (C) ngx_sentry authors
 *
 * Sentry, as a thread with sockets: takes what the module's sender delivers,
 * and looks at every envelope: gzip, lines of JSON in UTF-8, lengths, and no
 * secret.  Answers 200 to all of them.
 */


#define _GNU_SOURCE

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cjson/cJSON.h>
#include <zlib.h>

#include "fuzz.h"
#include "snx_text.h"


#define CONNS_MAX_N            16
#define REQUEST_MAX            (4 * 1024 * 1024)


typedef struct {
    int      fd;
    size_t   len;
    char    *data;             /* REQUEST_MAX */
} conn_t;


static void *receiver(void *data);
static void conn_input(conn_t *c);
static int conn_request(conn_t *c);
static void envelope(const char *data, size_t len);
static cJSON *json(const char *data, size_t len);
static void inflated(const char *data, size_t len);
static void look(const char *data, size_t len);


static int            listener;
static atomic_ulong   events;
static atomic_ulong   transactions;


unsigned
receiver_start(void)
{
    unsigned   port;
    pthread_t  thread;

    listener = fuzz_listen(&port);

    if (pthread_create(&thread, NULL, receiver, NULL) != 0) {
        fuzz_die("no thread", "", 0);
    }

    return port;
}


unsigned long
receiver_events(void)
{
    return atomic_load(&events);
}


unsigned long
receiver_transactions(void)
{
    return atomic_load(&transactions);
}


static void *
receiver(void *data)
{
    int                   i, n;
    struct pollfd         fds[CONNS_MAX_N + 1];
    static conn_t         conns[CONNS_MAX_N];

    (void) data;

    for (i = 0; i < CONNS_MAX_N; i++) {
        conns[i].fd = -1;
    }

    for ( ;; ) {
        fds[CONNS_MAX_N].fd = listener;
        fds[CONNS_MAX_N].events = POLLIN;

        for (i = 0; i < CONNS_MAX_N; i++) {
            fds[i].fd = conns[i].fd;       /* -1 is passed over */
            fds[i].events = POLLIN;
        }

        n = poll(fds, CONNS_MAX_N + 1, -1);

        for (i = 0; n > 0 && i < CONNS_MAX_N; i++) {

            if (fds[i].fd != -1 && fds[i].revents) {
                conn_input(&conns[i]);

            } else if (conns[i].fd == -1 && fds[CONNS_MAX_N].revents) {
                fds[CONNS_MAX_N].revents = 0;
                conns[i].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                conns[i].len = 0;

                if (conns[i].data == NULL) {
                    conns[i].data = malloc(REQUEST_MAX);
                }
            }
        }
    }

    return NULL;
}


static void
conn_input(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->data + c->len, REQUEST_MAX - c->len, MSG_DONTWAIT);

    if (n <= 0) {
        (void) close(c->fd);
        c->fd = -1;
        return;
    }

    c->len += (size_t) n;

    while (conn_request(c)) { /* void */ }
}


static int
conn_request(conn_t *c)
{
    char               *end, *line;
    size_t              head, len;
    static const char   proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const char   fine[] = "HTTP/1.1 200 OK\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 2\r\n\r\n{}";

    end = memmem(c->data, c->len, "\r\n\r\n", 4);

    if (end == NULL) {
        return 0;
    }

    *end = '\0';
    head = (size_t) (end + 4 - c->data);

    secrets_look("secret in a header of a delivery", c->data, head);

    line = strcasestr(c->data, "\r\ncontent-length:");

    if (line == NULL || strncmp(c->data, "POST /api/1/envelope/ ", 22) != 0) {
        fuzz_die("bad delivery", c->data, head);
    }

    len = strtoul(line + 17, NULL, 10);

    if (c->len < head + len) {

        if (strcasestr(c->data, "\r\nexpect: 100-continue") != NULL
            && c->len == head)
        {
            (void) send(c->fd, proceed, sizeof(proceed) - 1, MSG_NOSIGNAL);
        }

        *end = '\r';
        return 0;
    }

    if (strcasestr(c->data, "\r\ncontent-encoding: gzip")) {
        inflated(c->data + head, len);

    } else {
        look(c->data + head, len);
    }

    c->len -= head + len;
    memmove(c->data, c->data + head + len, c->len);

    (void) send(c->fd, fine, sizeof(fine) - 1, MSG_NOSIGNAL);

    return 1;
}


static void
inflated(const char *data, size_t len)
{
    z_stream     z;
    static char  text[REQUEST_MAX];

    memset(&z, 0, sizeof(z));

    z.next_in = (Bytef *) data;
    z.avail_in = (uInt) len;
    z.next_out = (Bytef *) text;
    z.avail_out = sizeof(text);

    if (inflateInit2(&z, 15 + 16) != Z_OK
        || inflate(&z, Z_FINISH) != Z_STREAM_END || z.avail_in != 0)
    {
        fuzz_die("bad gzip", data, len);
    }

    len = sizeof(text) - z.avail_out;
    (void) inflateEnd(&z);

    look(text, len);
}


static void
look(const char *data, size_t len)
{
    secrets_look("secret in an envelope", data, len);
    envelope(data, len);
}


/* A line, then pairs of a line that tells the length, and a payload. */

static void
envelope(const char *data, size_t len)
{
    cJSON       *head, *type, *length, *payload;
    size_t       i, n;
    const char  *lf;

    lf = memchr(data, '\n', len);
    cJSON_Delete(json(data, lf ? (size_t) (lf - data) : len));
    i = lf ? (size_t) (lf + 1 - data) : len;

    while (i < len) {
        lf = memchr(data + i, '\n', len - i);

        if (lf == NULL) {
            fuzz_die("item without a payload", data, len);
        }

        head = json(data + i, (size_t) (lf - data) - i);
        i = (size_t) (lf + 1 - data);

        type = cJSON_GetObjectItemCaseSensitive(head, "type");
        length = cJSON_GetObjectItemCaseSensitive(head, "length");

        if (!cJSON_IsString(type) || !cJSON_IsNumber(length)
            || length->valuedouble < 0
            || length->valuedouble > (double) (len - i))
        {
            fuzz_die("bad item", data, len);
        }

        n = (size_t) length->valuedouble;
        payload = json(data + i, n);
        i += n;

        if (i < len && data[i++] != '\n') {
            fuzz_die("bad length of an item", data, len);
        }

        if (strcmp(type->valuestring, "event") == 0) {
            atomic_fetch_add(&events, 1);

        } else if (strcmp(type->valuestring, "transaction") == 0) {
            atomic_fetch_add(&transactions, 1);
        }

        cJSON_Delete(payload);
        cJSON_Delete(head);
    }
}


static cJSON *
json(const char *data, size_t len)
{
    size_t       i;
    cJSON       *tree;
    const char  *end;

    for (i = 0; i < len; i++) {
        if ((unsigned char) data[i] < ' ') {
            fuzz_die("control character in JSON", data, len);
        }
    }

    if (!snx_text_valid(snx_str(data, len))) {
        fuzz_die("no UTF-8", data, len);
    }

    tree = cJSON_ParseWithLengthOpts(data, len, &end, 0);

    if (tree == NULL || !cJSON_IsObject(tree) || end != data + len) {
        fuzz_die("no JSON", data, len);
    }

    return tree;
}
