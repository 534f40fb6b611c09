
/*
 * Copyright (C) ngx_sentry authors
 *
 * What Sentry says when it refuses, whatever it says.
 */


#include "snx_refusal.h"
#include "tap.h"


#define KEY  "0123456789abcdef"


static void test_words(void);
static void test_key(void);
static void test_bounds(void);


int
main(void)
{
    test_words();
    test_key();
    test_bounds();

    return tap_done();
}


static void
refusal(const char *body, size_t len, const char *header,
    char out[SNX_REFUSAL_MAX + 1])
{
    snx_answer_t  answer;

    memset(&answer, 0, sizeof(answer));
    answer.reason = header;
    answer.body = snx_str(body, len);

    snx_refusal_text(&answer, snx_cstr(KEY), out);
}


static void
test_words(void)
{
    char    out[SNX_REFUSAL_MAX + 1];
    size_t  i;

    static const struct {
        const char  *body;
        const char  *header;
        const char  *expected;
    } tests[] = {
        { "", "", "" },
        { "", "bad sentry key", "bad sentry key" },
        { "{\"detail\":\"a\"}", "header", "a" },
        { "{\"detail\":\"a\",\"causes\":[\"b\",\"c\"]}", "", "a; b; c" },
        { "{\"causes\":[\"b\"]}", "header", "b" },
        { "{\"detail\":\"\",\"causes\":[]}", "header", "header" },
        { "{\"detail\":7,\"causes\":\"x\"}", "header", "header" },
        { "{\"detail\":null,\"causes\":[1,null,{},[\"x\"],\"y\"]}", "", "" },
        { "{\"causes\":[null,\"y\"]}", "", "y" },
        { "{\"causes\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}", "",
          "1; 2; 3; 4" },
        { "[{\"detail\":\"a\"}]", "", "" },
        { "\"detail\"", "", "" },
        { "{\"detail\":\"a\"", "header", "header" },
        { "<html>", "header", "header" },
        { "{\"DETAIL\":\"a\"}", "", "" },
        { "{\"detail\":\"\\u001b[31m\\n\\u00e4\"}", "", "?[31m???" },
        { "{\"detail\":\"a\\u0000b\"}", "header", "a" },
        { "{\"detail\":\"unknown " KEY ", " KEY "\"}", "",
          "unknown ****************, ****************" },
        { "{\"detail\":\"Authorization: Bearer abc.def\"}", "",
          "Authorization: [Filtered]" },
        { "", "key " KEY, "key [Filtered]" }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        refusal(tests[i].body, strlen(tests[i].body), tests[i].header, out);
        is_str(snx_cstr(out), tests[i].expected, tests[i].body);
    }
}


/* Whatever it is made of. */

static void
test_key(void)
{
    char          out[SNX_REFUSAL_MAX + 1];
    snx_answer_t  answer;

    memset(&answer, 0, sizeof(answer));
    answer.reason = "a*b**c aaa";

    snx_refusal_text(&answer, snx_cstr("*"), out);
    is_str(snx_cstr(out), "a*b**c aaa", "a key that looks like what hides it");

    snx_refusal_text(&answer, snx_cstr("aa"), out);
    is_str(snx_cstr(out), "a*b**c **a", "a key that follows itself");
}


static void
test_bounds(void)
{
    char    out[SNX_REFUSAL_MAX + 1], body[SNX_TRANSPORT_ERROR_MAX];
    size_t  n;

    static const char  head[] = "{\"detail\":\"";

    memset(body, '[', sizeof(body));
    refusal(body, sizeof(body), "header", out);
    is_str(snx_cstr(out), "header", "very deep");

    memset(body, 'a', sizeof(body));
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + sizeof(body) - 2, "\"}", 2);
    refusal(body, sizeof(body), "header", out);
    is_int(strlen(out), SNX_REFUSAL_MAX, "very long");

    for (n = 0; n < sizeof(body); n++) {
        refusal(body, n, "header", out);

        if (strcmp(out, "header") != 0) {
            break;
        }
    }

    is_int(n, sizeof(body), "cut anywhere");

    /* hidden words make room for what follows: it is whole */

    for (n = 0; n < sizeof(body) - 128; n++) {
        snprintf(body, sizeof(body), "%spassword=", head);
        memset(body + strlen(body), 'x', n + 1);
        body[sizeof(head) - 1 + 9 + n] = '\0';
        snprintf(body + strlen(body), sizeof(body) - strlen(body),
                 " https://hunter2hunter2@host/\"}");

        refusal(body, strlen(body), "header", out);

        if (strstr(out, "hunter") != NULL || strcmp(out, "header") == 0) {
            break;
        }
    }

    is_int(n, sizeof(body) - 128, "no secret is cut before it is hidden");
}
