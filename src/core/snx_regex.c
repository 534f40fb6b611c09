
/*
 * Copyright (C) ngx_sentry authors
 *
 * Regular expressions of routes, by PCRE2: compiled once, matched within
 * limits of steps and memory, so that no path can stall a worker.
 */


#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "snx_route.h"


#define SNX_REGEX_HEAP_KIB     512     /* of one match without JIT */


struct snx_regex_s {
    pcre2_code           *code;
    pcre2_match_data     *data;
    pcre2_match_context  *context;
};


static void snx_regex_error(int rc, size_t at, char *err, size_t cap);


/* UTF stays off whatever the pattern begins with: paths are any bytes. */

snx_regex_t *
snx_regex_compile(snx_str_t pattern, int caseless, char *err, size_t cap)
{
    int           rc;
    size_t        at;
    uint32_t      options;
    snx_regex_t  *regex;

    rc = PCRE2_ERROR_NOMEMORY;
    at = 0;
    options = PCRE2_NEVER_UTF | (caseless ? PCRE2_CASELESS : 0);

    regex = calloc(1, sizeof(snx_regex_t));

    if (regex == NULL) {
        goto failed;
    }

    regex->code = pcre2_compile(pattern.len == 0
                                ? (PCRE2_SPTR) "" : pattern.data,
                                pattern.len, options, &rc, &at, NULL);

    if (regex->code == NULL) {
        goto failed;
    }

    rc = PCRE2_ERROR_NOMEMORY;
    regex->data = pcre2_match_data_create(1, NULL);
    regex->context = pcre2_match_context_create(NULL);

    if (regex->data == NULL || regex->context == NULL) {
        goto failed;
    }

    (void) pcre2_set_match_limit(regex->context, SNX_ROUTE_MATCH_LIMIT);
    (void) pcre2_set_depth_limit(regex->context, SNX_ROUTE_DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(regex->context, SNX_REGEX_HEAP_KIB);

    /* without JIT the interpreter matches, within the same limits */

    (void) pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);

    return regex;

failed:

    snx_regex_error(rc, at, err, cap);
    snx_regex_free(regex);

    return NULL;
}


static void
snx_regex_error(int rc, size_t at, char *err, size_t cap)
{
    PCRE2_UCHAR  text[256];

    if (rc == PCRE2_ERROR_NOMEMORY) {
        (void) snprintf(err, cap, "out of memory");
        return;
    }

    /* cut to the buffer, but always terminated */

    (void) pcre2_get_error_message(rc, text, sizeof(text));
    (void) snprintf(err, cap, "%s at offset %zu", (char *) text, at);
}


void
snx_regex_free(snx_regex_t *regex)
{
    if (regex == NULL) {
        return;
    }

    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);

    free(regex);
}


/*
 * JIT has 32 KiB of the machine's stack.  Where that is too little the
 * interpreter, which takes memory up to its own limit, tries again.
 */

int
snx_regex_match(snx_regex_t *regex, snx_str_t subject)
{
    int         rc;
    PCRE2_SPTR  data;

    data = (subject.len == 0) ? (PCRE2_SPTR) "" : subject.data;

    rc = pcre2_match(regex->code, data, subject.len, 0, 0, regex->data,
                     regex->context);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(regex->code, data, subject.len, 0, PCRE2_NO_JIT,
                         regex->data, regex->context);
    }

    return rc >= 0;
}
