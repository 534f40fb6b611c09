
/*
 * Copyright (C) ngx_sentry authors
 *
 * Bytes as text: repair to UTF-8, hexadecimal, times, small parsers, bounded
 * appending.
 */


#ifndef SNX_TEXT_H_INCLUDED
#define SNX_TEXT_H_INCLUDED


#include "snx.h"


/*
 * Copies in to out as valid UTF-8: bytes that belong to no valid sequence
 * (overlong, surrogate, above U+10FFFF, cut off) become U+FFFD, NUL becomes
 * U+FFFD too; other control characters stay (JSON escapes them).  Writes at
 * most cap bytes, cutting between characters, and returns how many; *cut is
 * set to 1 when input was left over, else left alone (cut may be NULL).
 */
size_t snx_text_utf8(snx_str_t in, void *out, size_t cap, int *cut);

/*
 * Length of the valid UTF-8 character at the first of len (at least 1) bytes
 * at p; 0 when there is none (also of NUL).
 */
size_t snx_text_char(const unsigned char *p, size_t len);

/* Whether in is valid UTF-8 without NUL. */
int snx_text_valid(snx_str_t in);

/* Writes 2 * len lower-case digits, not terminated. */
void snx_text_hex(const unsigned char *in, size_t len, char *out);

/* Reads exactly 2 * len digits of either case; 0 when one is not. */
int snx_text_unhex(snx_str_t in, unsigned char *out, size_t len);

/* -9223372036854775808 and all shorter ones, not terminated; the length. */
#define SNX_TEXT_NUM_MAX       20
size_t snx_text_num(int64_t n, char out[SNX_TEXT_NUM_MAX]);

/* "2026-11-22T01:02:03.000456Z": us since the epoch; returns the length. */
#define SNX_TEXT_TIME_MAX      32
size_t snx_text_time(int64_t us, char out[SNX_TEXT_TIME_MAX]);

/* s without blanks and tabs around it, as HTTP means white space. */
snx_str_t snx_text_trim(snx_str_t s);

/* Case-insensitive (ASCII) comparison and search; "" is found nowhere. */
int snx_text_ieq(snx_str_t a, snx_str_t b);
int snx_text_ihas(snx_str_t text, snx_str_t term);

/* A decimal 0..1 ("0.25", "1", ".5", "1e-3" refused): 1 and *rate, or 0. */
int snx_text_rate(snx_str_t in, double *rate);


/* Appends that never overflow; len counts what was written. */

typedef struct {
    char     *data;
    size_t    len;
    size_t    cap;
    unsigned  cut:1;
} snx_text_t;


void snx_text_init(snx_text_t *t, void *buf, size_t cap);
void snx_text_add(snx_text_t *t, snx_str_t s);
void snx_text_addz(snx_text_t *t, const char *z);
void snx_text_addn(snx_text_t *t, int64_t n);


#endif /* SNX_TEXT_H_INCLUDED */
