
/*
 * Copyright (C) ngx_sentry authors
 *
 * The baggage header (W3C): a list "key=value;properties, ...", of which the
 * members whose key begins with "sentry-" are Sentry's dynamic sampling
 * context and all others somebody else's.  Bytes from anybody.
 * Source: W3C Baggage; develop docs, sdk/foundations/trace-propagation.
 */


#ifndef SNX_BAGGAGE_H_INCLUDED
#define SNX_BAGGAGE_H_INCLUDED


#include "snx.h"


#define SNX_BAGGAGE_MAX        8192    /* bytes, W3C's limit */
#define SNX_BAGGAGE_OURS_MAX_N 32      /* a caller's sentry- members kept */


typedef struct {
    snx_str_t  text;           /* the member as it came, trimmed */
    snx_str_t  key;            /* of ours without "sentry-" */
    snx_str_t  value;          /* not decoded */
    unsigned   ours:1;
} snx_member_t;


/*
 * The next member of a header's value; *rest is what follows it.  Members
 * that are malformed are passed over: of ours what is not key=value in
 * baggage's characters, of others what has no key, no "=" or a control
 * character.  Returns SNX_OK or SNX_DONE.
 * Memory: the parts point into *rest.
 */
snx_rc_t snx_baggage_next(snx_str_t *rest, snx_member_t *member);

/* A member of ours in a value: SNX_OK with its value, or SNX_DONE. */
snx_rc_t snx_baggage_find(snx_str_t baggage, const char *key,
    snx_str_t *value);

/* Percent-decodes, cut at cap; a "%" without two digits stays. */
size_t snx_baggage_decode(snx_str_t value, void *out, size_t cap);


/* Writing.  A member goes in whole or not at all. */

typedef struct {
    unsigned char  *data;
    size_t          len;
    size_t          cap;
} snx_baggage_t;


void snx_baggage_init(snx_baggage_t *b, void *buf, size_t cap);

/* Appends a member, or several: 1, or 0 when there is no room. */
int snx_baggage_add(snx_baggage_t *b, snx_str_t text);

/*
 * Appends "sentry-key=value", the value percent-encoded; 1 or 0.  The other
 * one is for values that need none: digits, letters, "-", "_", ".", "~".
 */
int snx_baggage_put(snx_baggage_t *b, const char *key, snx_str_t value);
int snx_baggage_put_plain(snx_baggage_t *b, snx_str_t key, snx_str_t value);

/* As put, instead of an earlier member of that key. */
int snx_baggage_set(snx_baggage_t *b, const char *key, snx_str_t value);

void snx_baggage_drop(snx_baggage_t *b, const char *key);

/*
 * Adds the members of one header: ours (the last of a key counts, at most
 * SNX_BAGGAGE_OURS_MAX_N), or the others.  What does not fit is left out.
 */
void snx_baggage_ours(snx_baggage_t *b, snx_str_t header);
void snx_baggage_others(snx_baggage_t *b, snx_str_t header);


#endif /* SNX_BAGGAGE_H_INCLUDED */
