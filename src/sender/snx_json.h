
/*
 * Copyright (C) ngx_sentry authors
 *
 * Writes JSON into a buffer, front to back.  Owns the repair, cutting and
 * escaping of strings: bytes of any kind become valid UTF-8.
 *
 * DESIGN.  There is no tree: a value is written when it is known and never
 * looked at again, so nothing is allocated and an event costs little more
 * than copying its bytes.  What does not fit sets full and everything after
 * it goes on without harm: the caller looks once, at the end.
 *
 *   snx_json_object(j, "user");
 *   snx_json_str(j, "id", id, 128);
 *   snx_json_close(j);
 */


#ifndef SNX_JSON_H_INCLUDED
#define SNX_JSON_H_INCLUDED


#include "snx.h"


/* Zeroed before its first use; used again, it knows the date still. */

typedef struct {
    char      *start;
    char      *pos;
    char      *end;
    uint32_t   arrays;         /* a bit per open level: 1 is an array */
    unsigned   comma:1;        /* before the next value */
    unsigned   full:1;
    int64_t    sec;            /* that stamp tells */
    char       stamp[20];      /* "2026-11-22T01:02:03.", empty: none */
} snx_json_t;


/* Begins the outermost object in cap bytes at buf. */
void snx_json_begin(snx_json_t *j, void *buf, size_t cap);

/*
 * Ends the outermost object: SNX_OK with *len set (not terminated), or
 * SNX_TOO_BIG.
 */
snx_rc_t snx_json_end(snx_json_t *j, size_t *len);

/*
 * Each adds a value: under key, a constant of plain ASCII, or without a name
 * when key is NULL (in an array, or behind snx_json_name()).  Objects and
 * arrays are open until snx_json_close(); at most 31 are open at once.
 */
void snx_json_object(snx_json_t *j, const char *key);
void snx_json_array(snx_json_t *j, const char *key);
void snx_json_close(snx_json_t *j);

/* The name of the next value, of any bytes, cut at max. */
void snx_json_name(snx_json_t *j, snx_str_t name, size_t max);

/* At most max bytes of s, repaired.  Empty strings are left out. */
void snx_json_str(snx_json_t *j, const char *key, snx_str_t s, size_t max);

/* The same, but an empty string is written. */
void snx_json_text(snx_json_t *j, const char *key, snx_str_t s, size_t max);

/* A constant of plain ASCII without quotes and backslashes. */
void snx_json_const(snx_json_t *j, const char *key, const char *z);

/* Lower-case hexadecimal of len raw bytes. */
void snx_json_hex(snx_json_t *j, const char *key, const unsigned char *data,
    size_t len);

void snx_json_num(snx_json_t *j, const char *key, int64_t n);

/* n with its last places (at most 18) behind a point; left out below 0. */
void snx_json_decimal(snx_json_t *j, const char *key, int64_t n, int places);

/* Milliseconds as seconds, or microseconds as milliseconds: 1234 -> 1.234. */
void snx_json_ms(snx_json_t *j, const char *key, int64_t ms);

/* RFC 3339 with microseconds. */
void snx_json_time(snx_json_t *j, const char *key, int64_t us);

void snx_json_bool(snx_json_t *j, const char *key, int on);

/*
 * Whether the object whose first name is at from (j->pos after it was
 * opened) has a member of that name, which is plain ASCII, by now.
 */
int snx_json_has(const snx_json_t *j, const char *from, snx_str_t name);


#endif /* SNX_JSON_H_INCLUDED */
