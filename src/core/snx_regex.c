
/*
 * Copyright (C) ngx_sentry authors
 *
 * Regular expressions of routes, by PCRE2: compiled once, matched within
 * limits of steps and memory, so that no path can stall a worker.
 */


#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>
#include <stdlib.h>

#include "snx_route.h"


struct snx_regex_s {
    pcre2_code           *code;
    pcre2_match_data     *data;
    pcre2_match_context  *context;
};


snx_regex_t *
snx_regex_compile(snx_str_t pattern, int caseless, char *err, size_t cap)
{
    int           rc;
    size_t        at;
    snx_regex_t  *regex;

    regex = calloc(1, sizeof(snx_regex_t));

    if (regex == NULL) {
        goto nomem;
    }

    regex->code = pcre2_compile(pattern.data, pattern.len,
                                caseless ? PCRE2_CASELESS : 0, &rc, &at,
                                NULL);

    if (regex->code == NULL) {
        if (pcre2_get_error_message(rc, (PCRE2_UCHAR8 *) err, cap) < 0
            && cap != 0)
        {
            err[cap - 1] = '\0';
        }

        snx_regex_free(regex);
        return NULL;
    }

    regex->data = pcre2_match_data_create(1, NULL);
    regex->context = pcre2_match_context_create(NULL);

    if (regex->data == NULL || regex->context == NULL) {
        goto nomem;
    }

    (void) pcre2_set_match_limit(regex->context, SNX_ROUTE_MATCH_LIMIT);
    (void) pcre2_set_depth_limit(regex->context, SNX_ROUTE_DEPTH_LIMIT);

    /* without JIT the interpreter matches, within the same limits */

    (void) pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);

    return regex;

nomem:

    snx_regex_free(regex);

    if (cap > sizeof("out of memory")) {
        memcpy(err, "out of memory", sizeof("out of memory"));
    }

    return NULL;
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


int
snx_regex_match(snx_regex_t *regex, snx_str_t subject)
{
    return pcre2_match(regex->code, subject.data, subject.len, 0, 0,
                       regex->data, regex->context)
           >= 0;
}
