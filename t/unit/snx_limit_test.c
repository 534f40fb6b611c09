
/*
 * Copyright (C) ngx_sentry authors
 *
 * Rate limits: headers and the deadlines they set.
 */


#include "snx_limit.h"
#include "tap.h"


#define NOW                    5000000u
#define DAY                    SNX_LIMIT_MAX_MS


/* Milliseconds left: error, transaction, span, session, log, internal. */

typedef uint64_t  left_t[SNX_CATS_N];


static void test_header(void);
static void test_retry_after(void);
static void test_longer(void);
static void test_names(void);

static void is_left(const snx_limits_t *limits, const left_t expected,
    const char *name);


int
main(void)
{
    test_header();
    test_retry_after();
    test_longer();
    test_names();

    return tap_done();
}


static void
is_left(const snx_limits_t *limits, const left_t expected, const char *name)
{
    unsigned  i;
    uint64_t  left;

    for (i = 0; i < SNX_CATS_N; i++) {
        left = snx_limits_left(limits, (snx_category_t) i, NOW);

        if (left != expected[i]) {
            printf("# category %u: %" PRIu64 " ms, expected %" PRIu64 "\n", i,
                   left, expected[i]);
            break;
        }
    }

    ok(i == SNX_CATS_N, "%s", name);
}


static void
test_header(void)
{
    int           applied;
    size_t        i;
    snx_limits_t  limits;

    static const struct {
        const char  *value;
        int          applied;
        left_t       left;
    } tests[] = {
        { "60:error:organization", 1, { 60000, 0, 0, 0, 0, 0 } },
        { "60:default:organization", 1, { 60000, 0, 0, 0, 0, 0 } },
        { "60:transaction:key", 1, { 0, 60000, 0, 0, 0, 0 } },
        { "60:span:key", 1, { 0, 0, 60000, 0, 0, 0 } },
        { "60:session:key", 1, { 0, 0, 0, 60000, 0, 0 } },
        { "60:log_item:key", 1, { 0, 0, 0, 0, 60000, 0 } },
        { "60:log_byte:key", 1, { 0, 0, 0, 0, 60000, 0 } },
        { "60::organization", 1,
          { 60000, 60000, 60000, 60000, 60000, 60000 } },
        { "60:", 1, { 60000, 60000, 60000, 60000, 60000, 60000 } },
        { "60", 1, { 60000, 60000, 60000, 60000, 60000, 60000 } },
        { "60:error;transaction;span:key:quota_exceeded", 1,
          { 60000, 60000, 60000, 0, 0, 0 } },
        { "60:transaction:key, 2700:default;error;security:organization", 2,
          { 2700000, 60000, 0, 0, 0, 0 } },
        { " 60 : error ; span : key , 5:session:key", 2,
          { 60000, 0, 60000, 5000, 0, 0 } },
        { "1.5:error:key", 1, { 1500, 0, 0, 0, 0, 0 } },
        { "0.001:error:key", 1, { 1, 0, 0, 0, 0, 0 } },
        { "0.0001:error:key", 1, { 1, 0, 0, 0, 0, 0 } },
        { "2.0000:error:key", 1, { 2000, 0, 0, 0, 0, 0 } },
        { "2.00009:error:key", 1, { 2001, 0, 0, 0, 0, 0 } },
        { "0:error:key", 1, { 0, 0, 0, 0, 0, 0 } },
        { "86400:error:key", 1, { DAY, 0, 0, 0, 0, 0 } },
        { "86401:error:key", 1, { DAY, 0, 0, 0, 0, 0 } },
        { "99999999999999999999999999999:error:key", 1,
          { DAY, 0, 0, 0, 0, 0 } },
        { "60:metric_bucket:organization:quota:custom;other", 0,
          { 0, 0, 0, 0, 0, 0 } },
        { "60:nothing;known:organization", 0, { 0, 0, 0, 0, 0, 0 } },
        { "60:internal:organization", 0, { 0, 0, 0, 0, 0, 0 } },
        { "60:;:organization", 0, { 0, 0, 0, 0, 0, 0 } },
        { "60:unknown;error:organization", 1, { 60000, 0, 0, 0, 0, 0 } },
        { "60:error:organization:reason:ns:a:b:c", 1,
          { 60000, 0, 0, 0, 0, 0 } },
        { "60:Error:organization", 0, { 0, 0, 0, 0, 0, 0 } },
        { "-1:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "NaN:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "inf:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "0x10:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "+5:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "1e3:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "1.:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { ".5:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "1.2.3:error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { "x:error:key, 5:span:key", 1, { 0, 0, 5000, 0, 0, 0 } },
        { ":error:key", 0, { 0, 0, 0, 0, 0, 0 } },
        { ",,,", 0, { 0, 0, 0, 0, 0, 0 } },
        { ":::;;;,,,", 0, { 0, 0, 0, 0, 0, 0 } },
        { "", 0, { 0, 0, 0, 0, 0, 0 } },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset((void *) &limits, 0, sizeof(limits));

        applied = snx_limits_header(&limits, snx_cstr(tests[i].value), NOW);

        ok(applied == tests[i].applied, "\"%s\": %d applied, expected %d",
           tests[i].value, applied, tests[i].applied);
        is_left(&limits, tests[i].left, tests[i].value);
    }

    memset((void *) &limits, 0, sizeof(limits));
    is_int(snx_limits_header(&limits, snx_str("60:error:key", 2), NOW), 1,
           "nothing behind the length is read");
    is_int(snx_limits_header(&limits, snx_str(NULL, 0), NOW), 0, "no bytes");
}


static void
test_retry_after(void)
{
    int           applied;
    size_t        i;
    uint64_t      left;
    snx_limits_t  limits;

    /* now is Sun, 06 Nov 1994 08:49:37 GMT */

    static const struct {
        const char  *value;
        int          applied;
        uint64_t     left;
    } tests[] = {
        { "120", 1, 120000 },
        { " 120\t", 1, 120000 },
        { "0", 1, 0 },
        { "1.5", 1, 1500 },
        { "100000", 1, DAY },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 1, 0 },
        { "Sun, 06 Nov 1994 08:49:38 GMT", 1, 1000 },
        { "Sun, 06 Nov 1994 09:00:00 GMT", 1, 623000 },
        { "Mon, 07 Nov 1994 08:49:36 GMT", 1, 86399000 },
        { "Fri, 29 Feb 2036 00:00:00 GMT", 1, DAY },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 1, DAY },
        { "Sun, 06 Nov 1994 08:49:36 GMT", 1, 0 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 1, 0 },
        { "Sun, 06 Nov 1994 08:49:38 CET", 0, 0 },
        { "Sun, 06 Now 1994 08:49:38 GMT", 0, 0 },
        { "Sun, 00 Nov 1994 08:49:38 GMT", 0, 0 },
        { "Sun, 06 Nov 1994 24:49:38 GMT", 0, 0 },
        { "Sunday, 06-Nov-94 08:49:38 GMT", 0, 0 },
        { "-5", 0, 0 },
        { "soon", 0, 0 },
        { "", 0, 0 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset((void *) &limits, 0, sizeof(limits));

        applied = snx_limits_retry_after(&limits, snx_cstr(tests[i].value),
                                         NOW, 784111777);
        left = snx_limits_left(&limits, SNX_CAT_INTERNAL, NOW);

        ok(applied == tests[i].applied && left == tests[i].left,
           "\"%s\": %d, %" PRIu64 " ms", tests[i].value, applied, left);
        ok(left == snx_limits_left(&limits, SNX_CAT_ERROR, NOW),
           "for all categories");
    }

    memset((void *) &limits, 0, sizeof(limits));
    (void) snx_limits_retry_after(&limits,
                                  snx_cstr("Wed, 01 Mar 2000 00:00:01 GMT"),
                                  NOW, 951868800);
    is_int(snx_limits_left(&limits, SNX_CAT_ERROR, NOW), 1000,
           "a leap day lies between");
}


static void
test_longer(void)
{
    snx_limits_t         limits;
    static const left_t  all = { 7000, 7000, 7000, 7000, 7000, 7000 };
    static const left_t  more = { 9000, 7000, 7000, 7000, 7000, 7000 };
    static const left_t  none = { 0, 0, 0, 0, 0, 0 };

    memset((void *) &limits, 0, sizeof(limits));

    snx_limits_all(&limits, 7000, NOW);
    is_left(&limits, all, "a bare 429");

    (void) snx_limits_header(&limits, snx_cstr("3:error:key"), NOW);
    is_left(&limits, all, "the longer one stays");

    (void) snx_limits_header(&limits, snx_cstr("9:error:key"), NOW);
    is_left(&limits, more, "a longer one replaces");

    (void) snx_limits_header(&limits, snx_cstr("0::key"), NOW);
    is_left(&limits, more, "0 does not lift it");

    is_int(snx_limits_left(&limits, SNX_CAT_ERROR, NOW + 8999), 1,
           "limited until the end");
    is_int(snx_limits_left(&limits, SNX_CAT_ERROR, NOW + 9000), 0, "then not");
    is_int(snx_limits_left(&limits, SNX_CAT_SPAN, NOW + 100000), 0,
           "nor later");

    memset((void *) &limits, 0, sizeof(limits));
    snx_limits_all(&limits, UINT64_MAX, NOW);
    is_int(snx_limits_left(&limits, SNX_CAT_LOG, NOW), DAY, "a day at most");

    memset((void *) &limits, 0xff, sizeof(limits));
    is_int(snx_limits_left(&limits, SNX_CAT_LOG, NOW), DAY,
           "whatever memory says");

    memset((void *) &limits, 0, sizeof(limits));
    is_left(&limits, none, "none in the beginning");
}


static void
test_names(void)
{
    unsigned            i;
    static const char  *names[] = {
        "error", "transaction", "span", "session", "log_item", "internal",
        "unknown"
    };

    for (i = 0; i <= SNX_CATS_N; i++) {
        is_str(snx_category_name((snx_category_t) i), names[i], names[i]);
    }
}
