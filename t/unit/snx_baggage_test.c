
/*
 * Copyright (C) ngx_sentry authors
 *
 * Baggage: what is a member, whose it is, and what is written.
 */


#include <stdlib.h>

#include "snx_baggage.h"
#include "tap.h"


typedef struct {
    const char  *in;
    const char  *ours;
    const char  *others;
} case_t;


static void is(const snx_baggage_t *b, const char *expected,
    const char *name);
static void test_split(void);
static void test_find(void);
static void test_write(void);
static void test_bounds(void);
static void test_many(void);


int
main(void)
{
    test_split();
    test_find();
    test_write();
    test_bounds();
    test_many();

    return tap_done();
}


static void
is(const snx_baggage_t *b, const char *expected, const char *name)
{
    ok(b->len == strlen(expected) && memcmp(b->data, expected, b->len) == 0,
       "%s: \"%.*s\"", name, (int) b->len, (const char *) b->data);
}


static void
test_split(void)
{
    size_t         i;
    char           buf[256];
    snx_baggage_t  b;

    static const case_t  tests[] = {
        { "", "", "" },
        { "a=b", "", "a=b" },
        { "a=b,c=d", "", "a=b,c=d" },
        { " a=b ,\tc=d;p=1;q ", "", "a=b,c=d;p=1;q" },
        { "a=b,,c=d,", "", "a=b,c=d" },
        { "sentry-a=1", "sentry-a=1", "" },
        { "x=1,sentry-a=1,y=2,sentry-b=2", "sentry-a=1,sentry-b=2",
          "x=1,y=2" },
        { "sentry-a=1;p=2", "sentry-a=1", "" },
        { "sentry-a=1,sentry-b=2,sentry-a=3", "sentry-b=2,sentry-a=3", "" },
        { "sentry-a=", "sentry-a=", "" },
        { "sentry-a=b=c", "sentry-a=b=c", "" },
        { "sentry-=1", "", "sentry-=1" },
        { "sentryx=1", "", "sentryx=1" },
        { "Sentry-a=1", "", "Sentry-a=1" },
        { "sentry-a", "", "" },
        { "sentry-a b=1", "", "" },
        { "sentry-a=1 2", "", "" },
        { "sentry-a=\"1\"", "", "" },
        { "sentry-a=1\\", "", "" },
        { "sentry-a=\xc3\xa4", "", "" },
        { "novalue", "", "" },
        { "=x", "", "" },
        { " = ", "", "" },
        { "a=\"q\"", "", "a=\"q\"" },
        { "a=x\x01y", "", "" },
        { "a=\xc3\xa4", "", "a=\xc3\xa4" },
        { ",,,", "", "" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        snx_baggage_init(&b, buf, sizeof(buf));
        snx_baggage_ours(&b, snx_cstr(tests[i].in));
        is(&b, tests[i].ours, tests[i].in);

        snx_baggage_init(&b, buf, sizeof(buf));
        snx_baggage_others(&b, snx_cstr(tests[i].in));
        is(&b, tests[i].others, tests[i].in);
    }

    /* several headers */

    snx_baggage_init(&b, buf, sizeof(buf));
    snx_baggage_ours(&b, snx_cstr("sentry-a=1,x=1"));
    snx_baggage_ours(&b, snx_cstr("sentry-b=2,sentry-a=3"));
    is_mem(b.data, b.len, "sentry-b=2,sentry-a=3", "the last header counts");
}


static void
test_find(void)
{
    size_t     i, n;
    char       buf[16];
    snx_str_t  value;

    static const struct {
        const char  *in;
        const char  *out;
    } decoded[] = {
        { "", "" },
        { "abc", "abc" },
        { "a%20b%2Cc%2c", "a b,c," },
        { "%", "%" },
        { "%2", "%2" },
        { "%zz%41", "%zzA" },
        { "%00", "\0" },
        { "0123456789abcdefghij", "0123456789abcdef" },
    };

    ok(snx_baggage_find(snx_cstr("sentry-a=1,sentry-ab=2"), "a", &value)
       == SNX_OK, "found");
    is_mem(value.data, value.len, "1", "its value");
    ok(snx_baggage_find(snx_cstr("a=1,sentry-ab=2"), "a", &value) == SNX_DONE,
       "not found");
    ok(snx_baggage_find(snx_str(NULL, 0), "a", &value) == SNX_DONE,
       "nothing to be found in");

    for (i = 0; i < sizeof(decoded) / sizeof(decoded[0]); i++) {
        n = snx_baggage_decode(snx_cstr(decoded[i].in), buf, sizeof(buf));
        ok(n == (i == 6 ? 1 : strlen(decoded[i].out))
           && memcmp(buf, decoded[i].out, n) == 0, "decoded \"%s\"",
           decoded[i].in);
    }
}


static void
test_write(void)
{
    char           buf[256];
    snx_baggage_t  b;

    snx_baggage_init(&b, buf, sizeof(buf));

    ok(snx_baggage_put(&b, "release", snx_cstr("a b,c=\"d\"\\;%\xc3\xa4~-_.")),
       "put");
    is_mem(b.data, b.len,
           "sentry-release=a%20b%2Cc%3D%22d%22%5C%3B%25%C3%A4~-_.",
           "encoded");

    b.len = 0;
    ok(snx_baggage_add(&b, snx_cstr("x=1")), "add");
    ok(snx_baggage_put(&b, "a", snx_cstr("1")), "put behind");
    ok(snx_baggage_put(&b, "b", snx_cstr("2")), "put behind");
    ok(snx_baggage_set(&b, "a", snx_cstr("3")), "set");
    is_mem(b.data, b.len, "x=1,sentry-b=2,sentry-a=3", "in the place of one");

    snx_baggage_drop(&b, "a");
    is_mem(b.data, b.len, "x=1,sentry-b=2", "the last dropped");

    snx_baggage_drop(&b, "nothing");
    snx_baggage_drop(&b, "b");
    is_mem(b.data, b.len, "x=1", "and another");

    b.len = 0;
    ok(snx_baggage_put(&b, "a", snx_cstr("1")), "put");
    ok(snx_baggage_put(&b, "b", snx_cstr("2")), "put");
    snx_baggage_drop(&b, "a");
    is_mem(b.data, b.len, "sentry-b=2", "the first dropped");
    snx_baggage_drop(&b, "b");
    is_int((intmax_t) b.len, 0, "the only one dropped");
}


/* Every capacity: whole members, never a byte behind it. */

static void
test_bounds(void)
{
    char           *mem;
    size_t          cap, wrong;
    snx_baggage_t   b;

    wrong = 0;

    for (cap = 1; cap < 40; cap++) {
        mem = malloc(cap);
        snx_baggage_init(&b, mem, cap);
        snx_baggage_others(&b, snx_cstr("aaaaa=1,b=22222222,c=3"));

        wrong += b.len != (cap >= 22 ? 22 : cap >= 18 ? 18
                           : cap >= 11 ? 11 : cap >= 7 ? 7 : cap >= 3 ? 3 : 0);

        /* 7: the first; 11: and "c=3"; 18: and the second instead */

        snx_baggage_init(&b, mem, cap);
        wrong += snx_baggage_put(&b, "a", snx_cstr(",")) != (cap >= 12);
        wrong += snx_baggage_put(&b, "b", snx_cstr("1")) != (cap >= 23
                                            || (cap >= 10 && cap < 12));
        free(mem);
    }

    is_int((intmax_t) wrong, 0, "every capacity");
}


static void
test_many(void)
{
    int            i, n;
    char           in[4096], buf[4096];
    snx_baggage_t  b;
    snx_str_t      rest;
    snx_member_t   member;

    in[0] = '\0';

    for (i = 0; i < 100; i++) {
        sprintf(in + strlen(in), "sentry-k%d=%d,", i, i);
    }

    snx_baggage_init(&b, buf, sizeof(buf));
    snx_baggage_ours(&b, snx_cstr(in));

    rest = snx_str(b.data, b.len);

    for (n = 0; snx_baggage_next(&rest, &member) == SNX_OK; n++) {
        /* void */
    }

    is_int(n, SNX_BAGGAGE_OURS_MAX_N, "no more than that of ours");
}
