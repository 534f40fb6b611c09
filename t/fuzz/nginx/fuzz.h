
/*
 * Copyright (C) ngx_sentry authors
 *
 * nginx as a whole under libFuzzer: what the harness's files offer each
 * other.  nginx runs inside the fuzzer's process and thread, its event loop
 * turned by the harness; clients and upstreams are sockets of the same
 * thread, Sentry is a thread with a socket of its own.
 *
 * DESIGN.  An input is
 *
 *     MODE FLAGS first section { RS TYPE section }        RS: byte 0x1e
 *
 *   MODE   1 HTTP/1, p behind a PROXY protocol header, 2 HTTP/2 of sections
 *          that are requests as text or single frames, h HTTP/2 of any bytes
 *          after the preface, r any bytes at the HTTP/2 port
 *   FLAGS  lower four bits: which secrets are planted, see secrets.c
 *   TYPE   > the client goes on         . it closes      ! it resets
 *          j it posts JSON (path, newline, what follows a secret member)
 *          f it posts a form (likewise)
 *          < an upstream answers        [ and closes     { and resets
 *          + it goes on                 | it says nothing
 *
 * The client says the next thing when all is idle; upstreams answer request
 * by request, of FastCGI and gRPC in frames made of the text.  When nothing
 * moves any more, nginx's clock is set to its next timer.
 */


#ifndef FUZZ_H_INCLUDED
#define FUZZ_H_INCLUDED


#include <stddef.h>
#include <stdint.h>


#define FUZZ_RS                0x1e
#define FUZZ_SECTIONS_MAX_N    32
#define FUZZ_IN_MAX            8192
#define FUZZ_OUT_MAX           65536

#define FUZZ_CANARY            "CaNaRy"    /* every secret begins like this */


typedef struct {
    const uint8_t  *data;
    size_t          len;
    int             type;
} fuzz_section_t;


typedef struct {
    int             mode;
    int             flags;
    size_t          nclient;
    size_t          nupstream;
    fuzz_section_t  client[FUZZ_SECTIONS_MAX_N];
    fuzz_section_t  upstream[FUZZ_SECTIONS_MAX_N];
} fuzz_input_t;


/* Bytes on their way out; what does not fit is left away. */

typedef struct {
    size_t          len;
    uint8_t         data[FUZZ_OUT_MAX];
} fuzz_out_t;


typedef enum {
    FUZZ_APP = 0,              /* HTTP, SCGI, uwsgi, memcached: as it is */
    FUZZ_SOCKET,               /* the same at a unix socket */
    FUZZ_FASTCGI,
    FUZZ_GRPC,
    FUZZ_LISTENERS_N
} fuzz_listener_t;


/* main.c */

/* Prints, keeps what was sent lately, and aborts. */
void fuzz_die(const char *what, const void *data, size_t len);


/* setup.c */

/* nginx.conf in dir, its ports chosen: HTTP/1, PROXY protocol, HTTP/2. */
void setup_conf(const char *dir, unsigned ports[3]);

/* A socket that listens at a port of 127.0.0.1 (*port set). */
int fuzz_listen(unsigned *port);


/* peers.c: all without waiting */

/* Opens upstreams; unix sockets in dir. */
void peers_init(const char *dir, unsigned *app);
void peers_begin(const fuzz_input_t *input, unsigned port);

/* Upstreams take, read, answer; 1 when something moved. */
int peers_turn(void);

/* The client's next section; 0 when there is none, or no client. */
int peers_client_next(void);

/* Whether the client waits for something. */
int peers_client_waits(void);
void peers_client_close(void);
void peers_end(void);


/* frames.c */

void out_add(fuzz_out_t *out, const void *data, size_t len);
void frames_begin(fuzz_out_t *out, int client);
void frames_request(fuzz_out_t *out, const uint8_t *data, size_t len,
    unsigned stream, int flags);
void frames_response(fuzz_out_t *out, const uint8_t *data, size_t len);
void frames_fastcgi(fuzz_out_t *out, const uint8_t *data, size_t len);


/* secrets.c */

/* Where secrets are for certain, whatever the bytes around them. */
void secrets_request(fuzz_out_t *out, const uint8_t *data, size_t len,
    int flags);
void secrets_response(fuzz_out_t *out, const uint8_t *data, size_t len);

/* The target of a request with a secret in its query. */
void secrets_target(fuzz_out_t *out, const uint8_t *data, size_t len);

/* i-th header that is a secret, by the flags; 0 when there is none. */
int secrets_header(int flags, size_t i, const char **name,
    const char **value);

void secrets_look(const char *where, const void *data, size_t len);


/* receiver.c */

/* Sentry in a thread of its own; returns its port. */
unsigned receiver_start(void);

/* Items of the type that have come so far: "event", "transaction". */
unsigned long receiver_events(void);
unsigned long receiver_transactions(void);


#endif /* FUZZ_H_INCLUDED */
