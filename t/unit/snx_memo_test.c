
/*
 * Copyright (C) ngx_sentry authors
 *
 * What was put is found, under its own key and string alone.
 */


#include <stdlib.h>

#include "snx_memo.h"
#include "tap.h"


static int
found(const snx_memo_t *memo, uint64_t key, const char *in, const char *want)
{
    uint64_t   hash;
    snx_str_t  out;

    if (snx_memo_get(memo, key, snx_cstr(in), snx_str(NULL, 0), &out, &hash)
        != SNX_OK)
    {
        return want == NULL;
    }

    return want != NULL && out.len == strlen(want)
           && memcmp(out.data, want, out.len) == 0;
}


static void
put(snx_memo_t *memo, uint64_t key, const char *in, const char *out)
{
    uint64_t   hash;
    snx_str_t  was;

    (void) snx_memo_get(memo, key, snx_cstr(in), snx_str(NULL, 0), &was,
                        &hash);
    snx_memo_put(memo, key, snx_cstr(in), snx_str(NULL, 0), snx_cstr(out),
                 hash);
}


int
main(void)
{
    int          i, wrong;
    char         in[SNX_MEMO_TEXT_MAX + 2], out[16];
    uint64_t     hash;
    snx_str_t    was;
    snx_memo_t  *memo;

    memo = calloc(1, sizeof(snx_memo_t));
    if (memo == NULL) {
        return 1;
    }

    ok(found(memo, 1, "a", NULL), "empty");
    ok(found(memo, 1, "", NULL), "nothing is made of nothing");

    put(memo, 1, "GET /users HTTP/1.1", "users");
    ok(found(memo, 1, "GET /users HTTP/1.1", "users"), "found");
    ok(found(memo, 2, "GET /users HTTP/1.1", NULL), "another key");
    ok(found(memo, 1, "GET /users HTTP/1.0", NULL), "another string");
    ok(found(memo, 1, "GET /users HTTP/1.", NULL), "a shorter string");

    put(memo, 1, "GET /users HTTP/1.1", "");
    ok(found(memo, 1, "GET /users HTTP/1.1", ""), "replaced, by nothing");

    memset(in, 'x', sizeof(in));
    in[SNX_MEMO_TEXT_MAX - 1] = '\0';
    put(memo, 1, in, "y");
    ok(found(memo, 1, in, "y"), "as long as can be");
    put(memo, 2, in, "yz");
    ok(found(memo, 2, in, NULL), "a result that does not fit is forgotten");

    in[SNX_MEMO_TEXT_MAX - 1] = 'x';
    in[SNX_MEMO_TEXT_MAX + 1] = '\0';
    put(memo, 1, in, "");
    ok(found(memo, 1, in, NULL), "a string that does not fit");

    wrong = 0;

    for (i = 0; i < 100000; i++) {
        (void) snprintf(in, sizeof(in), "/path/%d", i % 777);
        (void) snprintf(out, sizeof(out), "%d", i % 777);

        if (!found(memo, 7, in, out) && !found(memo, 7, in, NULL)) {
            wrong++;
        }

        put(memo, 7, in, out);
        wrong += !found(memo, 7, in, out);
    }

    is_int(wrong, 0, "of many strings each has its own result or none");

    (void) snx_memo_get(memo, 9, snx_cstr("one"), snx_cstr("two"), &was, &hash);
    snx_memo_put(memo, 9, snx_cstr("one"), snx_cstr("two"), snx_cstr("1+2"),
                 hash);
    ok(snx_memo_get(memo, 9, snx_cstr("one"), snx_cstr("two"), &was, &hash)
       == SNX_OK && was.len == 3 && memcmp(was.data, "1+2", 3) == 0,
       "of two strings");
    ok(snx_memo_get(memo, 9, snx_cstr("onet"), snx_cstr("wo"), &was, &hash)
       == SNX_DONE, "of two strings, parted elsewhere");
    ok(found(memo, 9, "onetwo", NULL), "of two strings as one");

    free(memo);

    return tap_done();
}
