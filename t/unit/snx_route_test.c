
/*
 * Copyright (C) ngx_sentry authors
 */


#include <time.h>

#include "snx_route.h"
#include "tap.h"


typedef struct {
    const char  *in;
    const char  *out;
} row_t;


/* request targets, and what nginx makes of them with merge_slashes */

static const row_t  paths[] = {
    { "/", "/" },
    { "/a", "/a" },
    { "/a/", "/a/" },
    { "/a?b=/c", "/a" },
    { "/a#b", "/a" },
    { "/%68ealth", "/health" },
    { "/a%2Fb", "/a/b" },
    { "/a%3Fb", "/a?b" },
    { "//a///b", "/a/b" },
    { "/a/./b", "/a/b" },
    { "/a/../b", "/b" },
    { "/a/b/../../c", "/c" },
    { "/a/..", "/" },
    { "/a/b/..", "/a/" },
    { "/a/.", "/a/" },
    { "/..", "/" },
    { "/../../x", "/x" },
    { "/...", "/..." },
    { "/.a/..b", "/.a/..b" },
    { "/a/%2e%2e/b", "/b" },
    { "/%zz%4", "/%zz%4" },
    { "/%", "/%" },
    { "http://host/a/b?c", "/a/b" },
    { "https://host:81/", "/" },
    { "http://host", "/" },
    { "*", "" },
    { "host:443", "" },
    { "", "" },
    { "?a", "" },
};

static const row_t  names[] = {
    { "/", "/" },
    { "/users/123/orders/6ba7b810-9dad-11d1-80b4-00c04fd430c8/deadbeef42",
      "/users/*/orders/*/*" },
    { "/v1/oauth2/face/decade", "/v1/oauth2/face/decade" },
    { "/2026-11-22/x", "/*/x" },
    { "/u/ann@example.com", "/u/*" },
    { "/t/abcdefghijklmnopqrstuvwx1", "/t/*" },
    { "/t/abcdefghijklmnopqrstuvwxy", "/t/abcdefghijklmnopqrstuvwxy" },
    { "/f/DEADBEEF", "/f/DEADBEEF" },
    { "/f/0123abcd/", "/f/*/" },
    { "/a.b/1.2.3", "/a.b/*" },
    { "", "" },
};

static const char  *dropped[] = {
    "/health", "/healthz", "/healthcheck", "/live", "/livez", "/ready",
    "/readyz", "/ping", "/metrics", "/docs", "/redoc", "/openapi.json",
    "/favicon.ico", "/robots.txt", "/a/health", "/a/healthz", "/a/livez",
    "/a/readyz", "/a/ping", "/docs/", "/docs/x", "/redoc/x", "/_next/x"
};

static const char  *kept[] = {
    "", "/", "/healthy-food", "/delivery", "/already", "/Health", "/health/",
    "/healthzz", "/a/live", "/a/ready", "/a/metrics", "/docsx", "/_next",
    "/x/docs/", "/xhealth", "/a/robots.txt"
};


#define N(table)  (sizeof(table) / sizeof(table[0]))


static void
test_tables(void)
{
    char    out[256];
    size_t  i, n;

    for (i = 0; i < N(paths); i++) {
        n = snx_route_path(snx_cstr(paths[i].in), out, sizeof(out));
        is_str(snx_str(out, n), paths[i].out, paths[i].in);
    }

    for (i = 0; i < N(names); i++) {
        n = snx_route_name(snx_cstr(names[i].in), out, sizeof(out));
        is_str(snx_str(out, n), names[i].out, names[i].in);
    }

    for (i = 0; i < N(dropped); i++) {
        is_int(snx_route_default(snx_cstr(dropped[i])), 1, dropped[i]);
    }

    for (i = 0; i < N(kept); i++) {
        is_int(snx_route_default(snx_cstr(kept[i])), 0, kept[i]);
    }
}


/* Every room and every cut stays within its bounds. */

static void
test_bounds(void)
{
    int          whole;
    char         out[64];
    size_t       cap, n;
    snx_str_t    target;

    whole = 1;
    target = snx_cstr("/aa/%62b/../c//d/12/./..");

    for (n = 0; n <= target.len; n++) {
        for (cap = 0; cap < 24; cap++) {
            memset(out, '#', sizeof(out));
            whole &= snx_route_path(snx_str(target.data, n), out, cap) <= cap;
            whole &= out[cap] == '#';

            memset(out, '#', sizeof(out));
            whole &= snx_route_name(snx_str(target.data, n), out, cap) <= cap;
            whole &= out[cap] == '#';
        }
    }

    ok(whole, "no output beyond its room");
}


static void
test_match(void)
{
    char           err[128], many[2001];
    clock_t        begun;
    snx_route_t    route;

    route.regex = NULL;
    route.type = SNX_ROUTE_EXACT;
    route.pattern = snx_cstr("/a");
    is_int(snx_route_match(&route, snx_cstr("/a")), 1, "exact");
    is_int(snx_route_match(&route, snx_cstr("/ab")), 0, "exact, longer");

    route.type = SNX_ROUTE_PREFIX;
    is_int(snx_route_match(&route, snx_cstr("/ab")), 1, "prefix");
    is_int(snx_route_match(&route, snx_cstr("/")), 0, "prefix, shorter");
    is_int(snx_route_match(&route, snx_str(NULL, 0)), 0, "no path");

    route.type = SNX_ROUTE_REGEX;
    route.regex = snx_regex_compile(snx_cstr("^/u/\\d+$"), 0, err,
                                    sizeof(err));
    ok(route.regex != NULL, "compiled");
    is_int(snx_route_match(&route, snx_cstr("/u/1")), 1, "regex");
    is_int(snx_route_match(&route, snx_cstr("/U/1")), 0, "regex, case");
    is_int(snx_route_match(&route, snx_str("/u/\xff", 4)), 0, "any bytes");
    is_int(snx_route_match(&route, snx_str(NULL, 0)), 0, "regex, no path");
    snx_regex_free(route.regex);

    route.regex = snx_regex_compile(snx_cstr("\\.PHP$"), 1, err,
                                    sizeof(err));
    is_int(snx_route_match(&route, snx_cstr("/a.php")), 1, "caseless");
    snx_regex_free(route.regex);

    ok(snx_regex_compile(snx_cstr("("), 0, err, sizeof(err)) == NULL
       && strlen(err) > 5, "an error has a reason");

    memset(many, 'a', sizeof(many) - 1);
    many[sizeof(many) - 1] = 'b';

    route.regex = snx_regex_compile(snx_cstr("^(a+)+$"), 0, err,
                                    sizeof(err));
    begun = clock();
    is_int(snx_route_match(&route, snx_str(many, sizeof(many))), 0,
           "catastrophic");
    ok(clock() - begun < CLOCKS_PER_SEC, "and soon given up");
    snx_regex_free(route.regex);
}


int
main(void)
{
    test_tables();
    test_bounds();
    test_match();

    return tap_done();
}
