
/*
 * Copyright (C) ngx_sentry authors
 *
 * Paths: the client's path, routes that match it, and names of low
 * cardinality made from it.
 */


#ifndef SNX_ROUTE_H_INCLUDED
#define SNX_ROUTE_H_INCLUDED


#include "snx.h"


/* Limits of one regular expression match; beyond them it is no match. */

#define SNX_ROUTE_MATCH_LIMIT  20000
#define SNX_ROUTE_DEPTH_LIMIT  1000


typedef enum {
    SNX_ROUTE_PREFIX = 0,      /* no modifier, or "^~" */
    SNX_ROUTE_EXACT,           /* "=" */
    SNX_ROUTE_REGEX,           /* "~" */
    SNX_ROUTE_IREGEX           /* "~*" */
} snx_route_type_t;


typedef struct snx_regex_s  snx_regex_t;


typedef struct {
    snx_route_type_t   type;
    snx_str_t          pattern;
    snx_regex_t       *regex;  /* of the two regex types */
} snx_route_t;


/*
 * Compiles pattern with PCRE2, UTF off, JIT when there is one.
 * Returns NULL with the reason, terminated, in err (of cap bytes).
 * Memory: the caller frees it with snx_regex_free().
 * Threads: matching uses the regex's own scratch memory, one thread at once.
 */
SNX_COLD snx_regex_t *snx_regex_compile(snx_str_t pattern, int caseless,
    char *err, size_t cap);
SNX_COLD void snx_regex_free(snx_regex_t *regex);

/* 1 match anywhere in subject, 0 none (also when a limit was reached). */
int snx_regex_match(snx_regex_t *regex, snx_str_t subject);

/* 1 match, 0 none (also when a limit was reached). */
int snx_route_match(const snx_route_t *route, snx_str_t path);

/*
 * The built-in list (DESIGN, section 6): health, docs and metrics routes.
 * Anchored and case-sensitive.
 */
int snx_route_default(snx_str_t path);

/*
 * The path of a request target as the client sent it: without scheme, host,
 * query and fragment, percent-decoded, "//", "/./" and "/../" resolved as
 * nginx does with merge_slashes.  Returns the length written (cut at cap), 0
 * when the target has no path.
 */
size_t snx_route_path(snx_str_t target, void *out, size_t cap);

/*
 * A name of low cardinality: segments that are numbers, UUIDs, or at least
 * 8 hexadecimal digits with a digit among them become "*".  Returns the
 * length, cut at cap between segments.
 */
size_t snx_route_name(snx_str_t path, void *out, size_t cap);


#endif /* SNX_ROUTE_H_INCLUDED */
