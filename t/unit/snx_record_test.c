
/*
 * Copyright (C) ngx_sentry authors
 *
 * Packing and reading records.
 */


#include <stdlib.h>

#include "snx_record.h"
#include "tap.h"


static void test_round(void);
static void test_empty(void);
static void test_full(void);
static void test_place(void);
static void test_hostile(void);
static void test_random(void);

static snx_str_t dump(snx_str_t record);


int
main(void)
{
    test_round();
    test_empty();
    test_full();
    test_place();
    test_hostile();
    test_random();

    return tap_done();
}


/* "id:key=value ...", numbers as "#n"; "!" at the end when it is invalid. */

static snx_str_t
dump(snx_str_t record)
{
    int               n;
    size_t            len;
    snx_rc_t          rc;
    snx_field_t       f;
    static char       text[4096];
    snx_rec_reader_t  r;

    len = 0;
    snx_rec_read(&r, record);

    while ((rc = snx_rec_next(&r, &f)) == SNX_OK) {
        n = snprintf(text + len, sizeof(text) - len, "%s%u:%.*s=",
                     len == 0 ? "" : " ", (unsigned) f.id, (int) f.key.len,
                     f.key.data);
        len += (size_t) n;

        n = (f.value.len == 8 && f.value.data[7] == 0)
            ? snprintf(text + len, sizeof(text) - len, "#%d", (int) f.num)
            : snprintf(text + len, sizeof(text) - len, "%.*s",
                       (int) f.value.len, f.value.data);
        len += (size_t) n;
    }

    if (rc != SNX_DONE) {
        text[len++] = '!';
    }

    return snx_str(text, len);
}


static void
test_round(void)
{
    size_t            len;
    snx_field_t       f;
    unsigned char     buf[512];
    snx_rec_writer_t  w;

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_str(&w, SNX_F_DSN, snx_cstr("https://k@h/1"));
    snx_rec_num(&w, SNX_F_STATUS, 502);
    snx_rec_pair(&w, SNX_F_HEADER, snx_cstr("Host"), snx_cstr("example.org"));
    snx_rec_pair(&w, SNX_F_HEADER, snx_cstr("Accept"), snx_cstr("*/*"));
    len = snx_rec_end(&w);

    is_str(dump(snx_str(buf, len)),
           "1:=https://k@h/1 70:=#502 63:Host=example.org 63:Accept=*/*",
           "written and read");

    is_int(snx_rec_find(snx_str(buf, len), SNX_F_HEADER, &f), SNX_OK, "found");
    is_str(f.key, "Host", "the first one");
    is_int(f.num, 0, "which is no number");

    is_int(snx_rec_find(snx_str(buf, len), SNX_F_STATUS, &f), SNX_OK,
           "another");
    is_int(f.num, 502, "is one");

    is_int(snx_rec_find(snx_str(buf, len), SNX_F_URL, &f), SNX_DONE,
           "not there");
    is_int(snx_rec_find(snx_str(buf, len - 1), SNX_F_URL, &f), SNX_INVALID,
           "cut off");

    /* constants packed by another writer */

    snx_rec_begin(&w, buf + len, sizeof(buf) - len);
    snx_rec_raw(&w, snx_str(buf, len));
    snx_rec_num(&w, SNX_F_WORKER_PID, 7);
    is_str(dump(snx_str(buf + len, snx_rec_end(&w))),
           "1:=https://k@h/1 70:=#502 63:Host=example.org 63:Accept=*/* "
           "100:=#7",
           "copied in front");

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_num(&w, SNX_F_STATUS, INT64_MIN);
    (void) snx_rec_find(snx_str(buf, snx_rec_end(&w)), SNX_F_STATUS, &f);
    is_int(f.num, INT64_MIN, "any number");

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_key(&w, SNX_F_MARK, snx_cstr("mark"));
    snx_rec_num(&w, SNX_F_STATUS, 1);
    (void) snx_rec_find(snx_str(buf, snx_rec_end(&w)), SNX_F_MARK, &f);
    ok(f.key.len == 4 && memcmp(f.key.data, "mark", 4) == 0
       && f.value.len == 0, "a key without a value");
}


static void
test_empty(void)
{
    unsigned char     buf[64];
    snx_rec_writer_t  w;

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_str(&w, SNX_F_DSN, snx_str(NULL, 0));
    snx_rec_pair(&w, SNX_F_TAG, snx_cstr("key"), snx_cstr(""));
    snx_rec_pair(&w, SNX_F_TAG, snx_cstr(""), snx_cstr("value"));
    snx_rec_raw(&w, snx_str(NULL, 0));
    is_int(w.left_out, 0, "what is empty is not left out for want of room");
    is_int(snx_rec_end(&w), 0, "nothing written");

    is_str(dump(snx_str(NULL, 0)), "", "nothing read");
}


static void
test_full(void)
{
    char              name[64];
    size_t            i, cap, len, wrong;
    snx_field_t       f;
    unsigned char     buf[160];
    snx_rec_writer_t  w;

    /* whole fields or none, for every size of the buffer */

    static const struct {
        size_t       cap;
        const char  *expected;
    } tests[] = {
        { 0, "" },
        { 15, "" },
        { 16, "200:=#3" },
        { 25, "200:=#3" },
        { 26, "46:k=v 200:=#2" },
        { 27, "46:k=v 200:=#2" },
        { 28, "1:=abcd 200:=#2" },
        { 37, "1:=abcd 200:=#2" },
        { 38, "1:=abcd 46:k=v 200:=#1" },
        { 43, "1:=abcd 46:k=v 200:=#1" },
        { 44, "1:=abcd 70:=#5 200:=#1" },
        { 53, "1:=abcd 70:=#5 200:=#1" },
        { 54, "1:=abcd 70:=#5 46:k=v" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset(buf, '#', sizeof(buf));
        cap = tests[i].cap;

        snx_rec_begin(&w, buf, cap);
        snx_rec_str(&w, SNX_F_DSN, snx_cstr("abcd"));
        snx_rec_num(&w, SNX_F_STATUS, 5);
        snx_rec_pair(&w, (snx_field_id_t) 46, snx_cstr("k"), snx_cstr("v"));
        len = snx_rec_end(&w);

        (void) snprintf(name, sizeof(name), "%zu bytes of room", cap);
        is_str(dump(snx_str(buf, len)), tests[i].expected, name);
        ok(len <= cap && buf[cap] == '#', "not exceeded");
    }

    /* a small field still fits when a big one did not */

    snx_rec_begin(&w, buf, 64);
    snx_rec_str(&w, SNX_F_URL, snx_str(buf, 100));
    snx_rec_raw(&w, snx_str(buf, 100));
    snx_rec_str(&w, SNX_F_METHOD, snx_cstr("GET"));
    is_str(dump(snx_str(buf, snx_rec_end(&w))), "60:=GET 200:=#2",
           "the rest stays valid");

    wrong = 0;

    for (cap = 0; cap < sizeof(buf); cap++) {
        snx_rec_begin(&w, buf, cap);

        for (i = 0; i < 12; i++) {
            snx_rec_str(&w, SNX_F_TAG, snx_str("abcdefghijkl", i));
        }

        len = snx_rec_end(&w);
        wrong += len > cap
                 || snx_rec_find(snx_str(buf, len), SNX_F_TRUNCATED, &f)
                    != (w.left_out != 0 && cap >= 16 ? SNX_OK : SNX_DONE);
    }

    is_int(wrong, 0, "any size");
}


static void
test_place(void)
{
    size_t            cap;
    unsigned char     buf[256], *p;
    snx_rec_writer_t  w;

    snx_rec_begin(&w, buf, sizeof(buf));

    p = snx_rec_open(&w, SNX_F_URL, snx_str(NULL, 0), 10, &cap);
    ok(p != NULL && cap == 256 - 16 - 8, "all the room there is");
    memcpy(p, "http://h/", 9);
    snx_rec_close(&w, 9);

    p = snx_rec_open(&w, SNX_F_HEADER, snx_cstr("Referer"), 1, &cap);
    memcpy(p, "xyz", 3);
    snx_rec_close(&w, 3);

    p = snx_rec_open(&w, SNX_F_HEADER, snx_cstr("Gone"), 1, &cap);
    ok(p != NULL, "opened");
    snx_rec_close(&w, 0);

    p = snx_rec_open(&w, SNX_F_HEADER, snx_cstr("Big"), 300, &cap);
    ok(p == NULL && w.left_out == 1, "too little room");

    p = snx_rec_open(&w, SNX_F_BODY_DATA, snx_str(NULL, 0), 1, &cap);
    ok(p != NULL, "opened");
    memset(p, 'b', cap);
    snx_rec_close(&w, cap + 1000);
    is_int(w.end - w.pos, 0, "no more than all of it");

    p = snx_rec_open(&w, SNX_F_BODY_DATA, snx_str(NULL, 0), 0, &cap);
    ok(p == NULL, "full");

    is_int(snx_rec_end(&w), 256, "with the note of what is missing");
    ok(memcmp(dump(snx_str(buf, 256)).data,
              "61:=http://h/ 63:Referer=xyz 71:=bbb", 36) == 0, "read");
}


/* Lengths that lead out of the record. */

static void
test_hostile(void)
{
    size_t         i;
    unsigned char *copy;

    static const struct {
        const char  *bytes;
        size_t       len;
        const char  *expected;
    } tests[] = {
        { "\1", 1, "!" },
        { "\1\0\0\0\0\0\0", 7, "!" },
        { "\1\0\0\0\0\0\0\0", 8, "1:=" },
        { "\1\0\0\0\1\0\0\0", 8, "!" },
        { "\1\0\0\0\1\0\0\0x", 9, "1:=x" },
        { "\1\0\0\0\2\0\0\0x", 9, "!" },
        { "\1\0\2\0\1\0\0\0x", 9, "!" },
        { "\1\0\1\0\1\0\0\0x", 9, "1:x=" },
        { "\1\0\0\0\xff\xff\xff\xffx", 9, "!" },
        { "\1\0\0\0\xf8\xff\xff\xffx", 9, "!" },
        { "\1\0\xff\xff\1\0\0\0x", 9, "!" },
        { "\1\0\0\0\1\0\0\0x\2\0\0\0\0\0\0\x80", 17, "1:=x!" },
        { "\1\0\0\0\1\0\0\0x\2\0\0", 12, "1:=x!" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        copy = malloc(tests[i].len);
        memcpy(copy, tests[i].bytes, tests[i].len);
        is_str(dump(snx_str(copy, tests[i].len)), tests[i].expected, "hostile");
        free(copy);
    }
}


static void
test_random(void)
{
    size_t            i, k, sum;
    uint64_t          dice;
    snx_field_t       f;
    unsigned char    *copy;
    snx_rec_reader_t  r;

    sum = 0;
    dice = 88172645463325252u;

    for (i = 0; i < 20000; i++) {
        copy = malloc(64);

        for (k = 0; k < 64; k++) {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;

            /* mostly small numbers, or nothing is ever found */

            copy[k] = (unsigned char) ((dice & 0x300) ? dice % 6 : dice);
        }

        snx_rec_read(&r, snx_str(copy, 64));

        while (snx_rec_next(&r, &f) == SNX_OK) {
            for (k = 0; k < f.value.len; k++) {
                sum += f.value.data[k];
            }

            for (k = 0; k < f.key.len; k++) {
                sum += f.key.data[k];
            }
        }

        free(copy);
    }

    ok(sum > 0, "random bytes");
}
