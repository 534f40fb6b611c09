
/*
 * Copyright (C) ngx_sentry authors
 *
 * Base vocabulary of the core: strings with a length, return codes and the
 * bounds that every other file obeys.  Pure C, libc only; no clock, no
 * randomness, no globals, no logging.
 */


#ifndef SNX_H_INCLUDED
#define SNX_H_INCLUDED


#include <stddef.h>
#include <stdint.h>
#include <string.h>


#define SNX_VERSION            "0.1.0"

/* "<entity>.<ecosystem>": the entity "sentry" is for official SDKs */
#define SNX_SDK_NAME           "ngx_sentry.nginx"
#define SNX_CLIENT             SNX_SDK_NAME "/" SNX_VERSION

#define SNX_FILTERED           "[Filtered]"

/* Seldom run, and never for a request: small rather than fast. */
#define SNX_COLD               __attribute__((cold))

/* The module's own: found without the detour over what others may name. */
#define SNX_HIDDEN             __attribute__((visibility("hidden")))

/* Kept out of its caller, which then needs no such stack. */
#define SNX_NOINLINE           __attribute__((noinline))


/* Bounds.  Bytes unless the name says otherwise. */

#define SNX_RECORD_MAX         24576   /* one record, with its header */
#define SNX_URL_MAX            2048    /* request URL without its query */
#define SNX_QUERY_MAX          2048
#define SNX_HEADER_VALUE_MAX   1024    /* one header value, after filtering */
#define SNX_HEADERS_MAX_N      64      /* headers kept of one request */
#define SNX_UPSTREAMS_MAX_N    16      /* upstream tries kept of one request */
#define SNX_TAGS_MAX_N         32
#define SNX_TAG_KEY_MAX        200     /* Sentry's limit */
#define SNX_TAG_VALUE_MAX      200     /* Sentry's limit */
#define SNX_CONTEXTS_MAX_N     32      /* key=value pairs of sentry_context */
#define SNX_CONTEXT_VALUE_MAX  1024
#define SNX_FINGERPRINT_MAX_N  8
#define SNX_NAME_MAX           200     /* transaction name, Sentry's culprit */
#define SNX_TEXT_MAX           2048    /* exception value, log line */
#define SNX_DSN_MAX            1024
#define SNX_DSNS_MAX_N         64      /* different DSNs in one nginx */


typedef enum {
    SNX_OK = 0,
    SNX_DONE = 1,          /* nothing more */
    SNX_AGAIN = 2,         /* not now */
    SNX_FULL = -1,         /* does not fit now */
    SNX_TOO_BIG = -2,      /* never fits */
    SNX_INVALID = -3,      /* malformed input */
    SNX_NOMEM = -4
} snx_rc_t;


/* Bytes with a length: not terminated, any values, never owned. */

typedef struct {
    size_t                len;
    const unsigned char  *data;
} snx_str_t;


#define snx_string(lit)                                                       \
    { sizeof(lit) - 1, (const unsigned char *) (lit) }
#define snx_null_string        { 0, NULL }


static inline snx_str_t
snx_str(const void *data, size_t len)
{
    snx_str_t  s;

    s.len = len;
    s.data = data;

    return s;
}


static inline snx_str_t
snx_cstr(const char *z)
{
    return snx_str(z, z == NULL ? 0 : strlen(z));
}


#endif /* SNX_H_INCLUDED */
