
/*
 * Copyright (C) ngx_sentry authors
 *
 * DSNs: what is accepted, what is refused and why.
 */


#include <stdlib.h>

#include "snx_dsn.h"
#include "tap.h"


#define KEY                    "examplePublicKey"
#define AUTH                   "Sentry sentry_version=7, sentry_client="      \
                               SNX_CLIENT ", sentry_key="


static void test_good(void);
static void test_bad(void);
static void test_parts(void);
static void test_room(void);
static void test_prefixes(void);


int
main(void)
{
    test_good();
    test_bad();
    test_parts();
    test_room();
    test_prefixes();

    return tap_done();
}


static void
test_good(void)
{
    char         buf[512];
    size_t       i, n;
    snx_rc_t     rc;
    snx_dsn_t    dsn;
    const char  *why;

    static const struct {
        const char  *dsn;
        const char  *url;
        const char  *auth;
        const char  *label;
        const char  *org;
    } tests[] = {
        { "https://" KEY "@o123.ingest.us.sentry.io/456",
          "https://o123.ingest.us.sentry.io/api/456/envelope/", AUTH KEY,
          "o123.ingest.us.sentry.io/456", "123" },
        { "http://k@localhost:9000/1",
          "http://localhost:9000/api/1/envelope/", AUTH "k",
          "localhost:9000/1", "" },
        { "https://k@h/1", "https://h/api/1/envelope/", AUTH "k", "h/1", "" },
        { "https://k@h:443/1", "https://h/api/1/envelope/", AUTH "k", "h/1",
          "" },
        { "http://k@h:443/1", "http://h:443/api/1/envelope/", AUTH "k",
          "h:443/1", "" },
        { "http://k@h:65535/1", "http://h:65535/api/1/envelope/", AUTH "k",
          "h:65535/1", "" },
        { "http://k@h:1/1", "http://h:1/api/1/envelope/", AUTH "k", "h:1/1",
          "" },
        { "http://k@h:00080/1", "http://h/api/1/envelope/", AUTH "k", "h/1",
          "" },
        { "https://k:s3cret@h/1", "https://h/api/1/envelope/",
          AUTH "k, sentry_secret=s3cret", "h/1", "" },
        { "https://k:@h/1", "https://h/api/1/envelope/", AUTH "k", "h/1", "" },
        { "https://k@h/a/b/42", "https://h/a/b/api/42/envelope/", AUTH "k",
          "h/a/b/42", "" },
        { "https://k@h/a/42//", "https://h/a/api/42/envelope/", AUTH "k",
          "h/a/42", "" },
        { "https://k@h//42", "https://h/api/42/envelope/", AUTH "k", "h/42",
          "" },
        { "https://k@h/a//42", "https://h/a/api/42/envelope/", AUTH "k",
          "h/a/42", "" },
        { "http://k@[::1]:9000/1", "http://[::1]:9000/api/1/envelope/",
          AUTH "k", "[::1]:9000/1", "" },
        { "https://k@[2001:db8::1]/1", "https://[2001:db8::1]/api/1/envelope/",
          AUTH "k", "[2001:db8::1]/1", "" },
        { "https://k@10.0.0.1/1", "https://10.0.0.1/api/1/envelope/", AUTH "k",
          "10.0.0.1/1", "" },
        { "https://k@o1/1", "https://o1/api/1/envelope/", AUTH "k", "o1/1",
          "" },
        { "https://k@o1x.io/1", "https://o1x.io/api/1/envelope/", AUTH "k",
          "o1x.io/1", "" },
        { "https://k@o.io/1", "https://o.io/api/1/envelope/", AUTH "k",
          "o.io/1", "" },
        { "https://k@x1.io/1", "https://x1.io/api/1/envelope/", AUTH "k",
          "x1.io/1", "" },
        { "https://k@o12345678901234567890.io/1",
          "https://o12345678901234567890.io/api/1/envelope/", AUTH "k",
          "o12345678901234567890.io/1", "12345678901234567890" },
        { "https://k@o123456789012345678901.io/1",
          "https://o123456789012345678901.io/api/1/envelope/", AUTH "k",
          "o123456789012345678901.io/1", "" },
        { "https://k@h/18446744073709551615",
          "https://h/api/18446744073709551615/envelope/", AUTH "k",
          "h/18446744073709551615", "" },
        { "https://k@my_host-1.example./1",
          "https://my_host-1.example./api/1/envelope/", AUTH "k",
          "my_host-1.example./1", "" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        why = "?";
        rc = snx_dsn_parse(&dsn, snx_cstr(tests[i].dsn), &why);

        ok(rc == SNX_OK, "%s", tests[i].dsn);

        if (rc != SNX_OK) {
            printf("# %s\n", why);
            continue;
        }

        n = snx_dsn_envelope_url(&dsn, buf, sizeof(buf));
        is_str(snx_str(buf, n), tests[i].url, "URL");

        n = snx_dsn_auth(&dsn, buf, sizeof(buf));
        is_str(snx_str(buf, n), tests[i].auth, "authentication");

        n = snx_dsn_label(&dsn, buf, sizeof(buf));
        is_str(snx_str(buf, n), tests[i].label, "label");

        n = snx_dsn_org_id(&dsn, buf, sizeof(buf));
        is_str(snx_str(buf, n), tests[i].org, "organization");
        is_int(buf[n], 0, "terminated");
    }
}


static void
test_bad(void)
{
    char         longer[1100];
    size_t       i;
    snx_rc_t     rc;
    snx_dsn_t    dsn;
    const char  *why;

    static const char  no_key[] = "no public key before \"@\"";
    static const char  bad_key[] = "an invalid character in the public key";
    static const char  bad_host[] = "an invalid character in the host";
    static const char  bad_port[] = "an invalid port";
    static const char  bad_path[] = "an invalid character in the path";
    static const char  no_project[] = "no project number at the end";
    static const char  bad_project[] = "a project that is not a number";
    static const char  no_scheme[] =
                           "no \"http://\" or \"https://\" at the beginning";

    static const struct {
        const char  *dsn;
        const char  *why;
    } tests[] = {
        { "", no_scheme },
        { "k@h/1", no_scheme },
        { "://k@h/1", no_scheme },
        { "ftp://k@h/1", no_scheme },
        { "HTTP://k@h/1", no_scheme },
        { "http:/k@h/1", no_scheme },
        { "httpss://k@h/1", no_scheme },
        { " https://k@h/1", no_scheme },
        { "https://", no_key },
        { "https://h/1", no_key },
        { "https:///1", no_key },
        { "https://h/k@1", no_key },
        { "https://@h/1", "an empty public key" },
        { "https://:secret@h/1", "an empty public key" },
        { "https://a b@h/1", bad_key },
        { "https://a\tb@h/1", bad_key },
        { "https://a,b@h/1", bad_key },
        { "https://a\"b@h/1", bad_key },
        { "https://\xc3\xa9@h/1", bad_key },
        { "https://a\r\nX: y@h/1", bad_key },
        { "https://k:a b@h/1", "an invalid character in the secret key" },
        { "https://k:a,b@h/1", "an invalid character in the secret key" },
        { "https://k@/1", "an empty host" },
        { "https://k@:80/1", "an empty host" },
        { "https://k@[]/1", "an empty host" },
        { "https://k@[::1/1", "no \"]\" after the IPv6 address" },
        { "https://k@[", "no \"]\" after the IPv6 address" },
        { "https://k@[::g]/1", bad_host },
        { "https://k@[::1]x/1", bad_host },
        { "https://k@a b/1", bad_host },
        { "https://k@a@b/1", bad_host },
        { "https://k@a?b/1", bad_host },
        { "https://k@h\xc3\xa9/1", bad_host },
        { "https://k@h:/1", bad_port },
        { "https://k@h:0/1", bad_port },
        { "https://k@h:65536/1", bad_port },
        { "https://k@h:99999/1", bad_port },
        { "https://k@h:123456/1", bad_port },
        { "https://k@h:4294967377/1", bad_port },
        { "https://k@h:x/1", bad_port },
        { "https://k@h:-1/1", bad_port },
        { "https://k@h:80:80/1", bad_port },
        { "https://k@::1/1", "an empty host" },
        { "https://k@h", no_project },
        { "https://k@h/", no_project },
        { "https://k@h//", no_project },
        { "https://k@h/project", bad_project },
        { "https://k@h/1/api", bad_project },
        { "https://k@h/1?x=2", bad_project },
        { "https://k@h/1#x", bad_project },
        { "https://k@h/1 ", bad_project },
        { "https://k@h/-1", bad_project },
        { "https://k@h/123456789012345678901",
          "a project number of more than 20 digits" },
        { "https://k@h/a?b/1", bad_path },
        { "https://k@h/a b/1", bad_path },
        { "https://k@h/a@b/1", bad_path },
        { "https://k@h/a\nb/1", bad_path },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        why = "?";
        rc = snx_dsn_parse(&dsn, snx_cstr(tests[i].dsn), &why);

        is_int(rc, SNX_INVALID, "refused");
        is_str(snx_cstr(why == NULL ? "NULL" : why), tests[i].why,
               tests[i].why);
    }

    is_int(snx_dsn_parse(&dsn, snx_str("https://k@h\0/1", 14), &why),
           SNX_INVALID, "NUL in the host");
    is_int(snx_dsn_parse(&dsn, snx_str("https://k\0@h/1", 14), &why),
           SNX_INVALID, "NUL in the key");

    memset(longer, 'h', sizeof(longer));
    memcpy(longer, "https://k@", 10);
    memcpy(longer + 10 + 254, "/1", 2);
    (void) snx_dsn_parse(&dsn, snx_str(longer, 266), &why);
    is_str(snx_cstr(why), "a host of more than 253 bytes", "long host");

    longer[1024] = '1';
    (void) snx_dsn_parse(&dsn, snx_str(longer, 1025), &why);
    is_str(snx_cstr(why), "more than 1024 bytes", "long DSN");
}


static void
test_parts(void)
{
    snx_dsn_t    dsn;
    const char  *why;

    (void) snx_dsn_parse(&dsn, snx_cstr("https://pub:sec@[::1]:81/a/b/7"),
                         &why);

    ok(why == NULL, "no reason");
    is_str(dsn.scheme, "https", "scheme");
    is_str(dsn.key, "pub", "key");
    is_str(dsn.secret, "sec", "secret");
    is_str(dsn.host, "::1", "host");
    is_str(dsn.path, "/a/b", "path");
    is_str(dsn.project, "7", "project");
    is_int(dsn.port, 81, "port");
    ok(dsn.ipv6 == 1 && dsn.port_given == 1, "flags");

    (void) snx_dsn_parse(&dsn, snx_cstr("http://pub@h:80/7"), &why);

    is_int(dsn.port, 80, "port");
    is_int(dsn.secret.len + dsn.path.len, 0, "no secret, no path");
    ok(dsn.ipv6 == 0 && dsn.port_given == 0, "flags");
}


/* Each size of the buffer: all of it with the end, or 0. */

static void
test_room(void)
{
    size_t       i, k, cap, n, wrong;
    char        *buf;
    snx_dsn_t    dsn;
    const char  *why;

    static const struct {
        size_t     (*write)(const snx_dsn_t *dsn, char *buf, size_t cap);
        const char  *what;
        size_t       len;
    } tests[] = {
        { snx_dsn_envelope_url, "URL", 30 },
        { snx_dsn_auth, "authentication", sizeof(AUTH) },
        { snx_dsn_label, "label", 8 },
        { snx_dsn_org_id, "organization", 2 },
    };

    (void) snx_dsn_parse(&dsn, snx_cstr("https://k@o12.io/7"), &why);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        wrong = 0;

        for (cap = 0; cap < 100; cap++) {
            buf = malloc(cap + 1);
            memset(buf, '#', cap + 1);

            n = tests[i].write(&dsn, buf, cap);
            wrong += (n != (cap > tests[i].len ? tests[i].len : 0));
            wrong += buf[cap] != '#';

            for (k = 0; k < cap && buf[k] != '\0'; k++) { /* void */ }

            wrong += cap != 0 && k == cap;
            free(buf);
        }

        ok(wrong == 0, "room for %s", tests[i].what);
    }
}


static void
test_prefixes(void)
{
    size_t       n, wrong;
    char        *copy;
    snx_dsn_t    dsn;
    const char  *why, *text;

    wrong = 0;
    text = "https://key:secret@[2001:db8::1]:9000/a/b/12";

    for (n = 1; n <= strlen(text); n++) {
        copy = malloc(n);
        memcpy(copy, text, n);
        wrong += (snx_dsn_parse(&dsn, snx_str(copy, n), &why) == SNX_OK)
                 != (n > strlen(text) - 2);
        free(copy);
    }

    is_int(wrong, 0, "prefixes");
    is_int(snx_dsn_parse(&dsn, snx_str(NULL, 0), &why), SNX_INVALID,
           "no bytes");
}
