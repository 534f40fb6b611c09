
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
    snx_str_t               out;
    const snx_memo_slot_t  *slot;

    slot = snx_memo_get(memo, key, snx_cstr(in), snx_str(NULL, 0));

    if (slot == NULL) {
        return want == NULL;
    }

    out = snx_memo_out(slot);

    return want != NULL && out.len == strlen(want)
           && memcmp(out.data, want, out.len) == 0;
}


static void
put(snx_memo_t *memo, uint64_t key, const char *in, const char *out)
{
    snx_memo_put(memo, key, snx_cstr(in), snx_str(NULL, 0), snx_cstr(out));
}


/* Of strings of len bytes that differ in the one at alone. */

static int
slots_met(snx_memo_t *memo, int len, int at)
{
    int               i, n;
    char              met[SNX_MEMO_SLOTS_N];
    unsigned char     in[64];
    snx_memo_slot_t  *slot;

    n = 0;
    memset(in, 'x', sizeof(in));
    memset(met, 0, sizeof(met));

    for (i = 0; i < 256; i++) {
        in[at] = (unsigned char) i;
        slot = snx_memo_put(memo, 1, snx_str(in, (size_t) len),
                            snx_str(NULL, 0), snx_str(NULL, 0));

        n += !met[slot - memo->slots];
        met[slot - memo->slots] = 1;
    }

    return n;
}


int
main(void)
{
    int          i, at, wrong;
    char         in[SNX_MEMO_TEXT_MAX + 2], out[16];
    snx_memo_t  *memo;

    const snx_memo_slot_t  *slot;

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

    snx_memo_put(memo, 9, snx_cstr("one"), snx_cstr("two"),
                 snx_cstr("1+2"))->mark = 3;
    slot = snx_memo_get(memo, 9, snx_cstr("one"), snx_cstr("two"));
    ok(slot != NULL && slot->out_len == 3
       && memcmp(snx_memo_out(slot).data, "1+2", 3) == 0, "of two strings");
    is_int(slot->mark, 3, "marked");
    ok(snx_memo_get(memo, 9, snx_cstr("onet"), snx_cstr("wo")) == NULL,
       "of two strings, parted elsewhere");
    ok(found(memo, 9, "onetwo", NULL), "of two strings as one");

    wrong = 0;

    for (i = 1; i <= 40; i++) {
        for (at = 0; at < i; at++) {
            wrong += slots_met(memo, i, at) < SNX_MEMO_SLOTS_N / 8;
        }
    }

    is_int(wrong, 0, "a byte anywhere decides on the slot");

    free(memo);

    return tap_done();
}
