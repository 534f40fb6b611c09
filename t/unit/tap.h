
/*
 * Copyright (C) ngx_sentry authors
 *
 * TAP for the unit tests: one line per check, the plan at the end, exit
 * status 1 on any failure.  Checks inside forked children do not count: a
 * child tells its parent by its exit status.
 */


#ifndef TAP_H_INCLUDED
#define TAP_H_INCLUDED


#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "snx.h"


#define TAP_UNUSED             __attribute__((unused))


static unsigned  tap_n;
static unsigned  tap_failed;


static int tap_ok(int pass, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


static int
tap_ok(int pass, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    tap_n++;

    printf("%sok %u - ", pass ? "" : "not ", tap_n);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!pass) {
        tap_failed++;
        printf("#   failed at %s line %d\n", file, line);
    }

    return pass;
}


static TAP_UNUSED int
tap_is_int(intmax_t got, intmax_t expected, const char *file, int line,
    const char *name)
{
    int  pass;

    pass = tap_ok(got == expected, file, line, "%s", name);

    if (!pass) {
        printf("#   got %" PRIdMAX ", expected %" PRIdMAX "\n", got, expected);
    }

    return pass;
}


static TAP_UNUSED void
tap_bytes(const char *what, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    printf("#   %s (%zu) \"", what, len);

    for (i = 0; i < len && i < 512; i++) {
        if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\' && p[i] != '"') {
            printf("%c", p[i]);

        } else {
            printf("\\x%02x", p[i]);
        }
    }

    printf("\"\n");
}


static TAP_UNUSED int
tap_is_mem(const void *got, size_t len, const void *expected, size_t elen,
    const char *file, int line, const char *name)
{
    int  pass;

    pass = len == elen && (len == 0 || memcmp(got, expected, len) == 0);
    (void) tap_ok(pass, file, line, "%s", name);

    if (!pass) {
        tap_bytes("got     ", got, len);
        tap_bytes("expected", expected, elen);
    }

    return pass;
}


static TAP_UNUSED int
tap_is_str(snx_str_t got, const char *expected, const char *file, int line,
    const char *name)
{
    return tap_is_mem(got.data, got.len, expected, strlen(expected), file,
                      line, name);
}


/* Prints the plan; main() returns it. */

static TAP_UNUSED int
tap_done(void)
{
    printf("1..%u\n", tap_n);

    return tap_failed != 0;
}


/* The name is printf's format and its arguments, or a text. */

#define ok(pass, ...)                                                         \
    tap_ok((pass) != 0, __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, expected, name)                                           \
    tap_is_int((intmax_t) (got), (intmax_t) (expected), __FILE__, __LINE__,   \
               name)

/* got is a snx_str_t, expected a terminated text */

#define is_str(got, expected, name)                                           \
    tap_is_str(got, expected, __FILE__, __LINE__, name)

/* expected is a literal that may hold NUL */

#define is_mem(got, len, expected, name)                                      \
    tap_is_mem(got, len, expected, sizeof(expected) - 1, __FILE__, __LINE__,  \
               name)


#endif /* TAP_H_INCLUDED */
