
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: the filter on any bytes.  The first byte chooses a place for a
 * planted secret, the second divides the rest into what stands before and
 * behind it.  Holds: nothing of the secret comes out, filtering twice is
 * filtering once, and a smaller buffer gets the beginning of the same text.
 */


#include <stdio.h>
#include <stdlib.h>

#include "snx_scrub.h"


#define FUZZ_IN_MAX            8192
#define FUZZ_OUT_MAX           (FUZZ_IN_MAX * 12)

#define MARK                   "S3CR3T_x"
#define MARK_PART              "S3CR"

#define nelts(a)               (sizeof(a) / sizeof((a)[0]))


typedef size_t (*scrub_pt)(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


typedef struct {
    scrub_pt     scrub;
    const char  *plant;
} plant_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static size_t join(unsigned char *buf, const char *plant, const uint8_t *data,
    size_t size);
static int has(const unsigned char *p, size_t len, const char *text);
static void check(scrub_pt scrub, const snx_scrub_t *conf, snx_str_t in,
    size_t cap, int planted);
static void check_keys(const snx_scrub_t *conf, snx_str_t in);
static void fail(const char *what, snx_str_t in, const unsigned char *out,
    size_t len);

static void show(const char *what, const unsigned char *p, size_t len);


static const plant_t  plants[] = {
    { snx_scrub_query, "" },
    { snx_scrub_url,   "" },
    { snx_scrub_path,  "" },
    { snx_scrub_text,  "" },

    { snx_scrub_query, "&token=" MARK },
    { snx_scrub_query, "&user%5Bpassw%6Frd%5D=" MARK },
    { snx_scrub_query, ";%2574oken=" MARK },
    { snx_scrub_query, "&next=https%3A%2F%2Fu%3A" MARK "%40h%2F&" },
    { snx_scrub_query, "&next=%2F%3Ftoken%3D" MARK "&" },
    { snx_scrub_query, "&next=https://u:" MARK "@h/&" },

    { snx_scrub_url,   "/token=" MARK },
    { snx_scrub_url,   "/;session=" MARK },
    { snx_scrub_url,   "&x_key=" MARK },

    { snx_scrub_path,  "/x/token/abcdefgh1" MARK "/" },
    { snx_scrub_path,  "/http://u:" MARK "@h/" },
    { snx_scrub_path,  "/http:/u:" MARK "@h/" },
    { snx_scrub_path,  "/token%3D" MARK "/" },

    { snx_scrub_text,  " password=" MARK },
    { snx_scrub_text,  " Api-Key: " MARK },
    { snx_scrub_text,  "\nAuthorization: Basic " MARK "\n" },
    { snx_scrub_text,  " \"secret\" : \"" MARK "\"" },
    { snx_scrub_text,  " secret='a " MARK "'" },
    { snx_scrub_text,  " \\\"secret\\\":\\\"" MARK "\\\"" },
    { snx_scrub_text,  "\nproxy_set_header X-Key " MARK ";\n" },
    { snx_scrub_text,  "\nset $token \"" MARK "\";\n" },
    { snx_scrub_text,  " Bearer " MARK },
    { snx_scrub_text,  " http://u:" MARK "@h/" },
    { snx_scrub_text,  " //u:" MARK "@h/" },
    { snx_scrub_text,  " /a?b=c&token=" MARK },
    { snx_scrub_text,  " eyJhbGciOiJIUzI1NiJ9.e30." MARK },
    { snx_scrub_text,  " request: \"GET /?password=" MARK }
};


static const snx_str_t  terms[] = {
    snx_string("zz"),
    snx_string("q_q")
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                len;
    snx_str_t             in;
    snx_scrub_t           conf;
    const plant_t        *plant;

    static unsigned char  buf[FUZZ_IN_MAX];

    if (size < 4 || size > FUZZ_IN_MAX - 128 || has(data, size, MARK_PART)) {
        return 0;
    }

    plant = &plants[data[0] % nelts(plants)];
    len = join(buf, plant->plant, data, size);
    in = snx_str(buf, len);

    conf.terms = terms;
    conf.nterms = (data[1] & 1) ? nelts(terms) : 0;
    conf.pii = (data[1] & 2) != 0;

    check(plant->scrub, &conf, in, data[2] * 4u, plant->plant[0] != '\0');
    check_keys(&conf, in);

    return 0;
}


static size_t
join(unsigned char *buf, const char *plant, const uint8_t *data, size_t size)
{
    size_t  n, before;

    before = (size - 4) * data[3] / 255;
    n = strlen(plant);

    memcpy(buf, data + 4, before);
    memcpy(buf + before, plant, n);
    memcpy(buf + before + n, data + 4 + before, size - 4 - before);

    return size - 4 + n;
}


static int
has(const unsigned char *p, size_t len, const char *text)
{
    return memmem(p, len, text, strlen(text)) != NULL;
}


static void
check(scrub_pt scrub, const snx_scrub_t *conf, snx_str_t in, size_t cap,
    int planted)
{
    size_t                whole, part, again;

    static unsigned char  a[FUZZ_OUT_MAX], b[FUZZ_OUT_MAX];

    whole = scrub(conf, in, a, sizeof(a));

    if (whole > sizeof(a)) {
        fail("longer than its buffer", in, a, sizeof(a));
    }

    if (planted && has(a, whole, MARK_PART)) {
        fail("leak", in, a, whole);
    }

    again = scrub(conf, snx_str(a, whole), b, sizeof(b));

    if (again != whole || memcmp(a, b, whole) != 0) {
        show("once: ", a, whole);
        fail("changed when filtered again", in, b, again);
    }

    part = scrub(conf, in, b, cap);

    if (part > cap || part > whole || memcmp(a, b, part) != 0) {
        fail("not the beginning", in, b, part);
    }
}


/* Any bytes as key, header and cookies. */

static void
check_keys(const snx_scrub_t *conf, snx_str_t in)
{
    snx_str_t  name, value, cookies;

    (void) snx_scrub_key(conf, in);
    (void) snx_scrub_header(conf, in);

    cookies = in;

    while (snx_scrub_cookie(conf, &cookies, &name, &value) == SNX_OK) {
        if (has(name.data, name.len, "password=" MARK_PART)
            || has(value.data, value.len, "password=" MARK_PART))
        {
            fail("leak in a cookie", in, value.data, value.len);
        }
    }
}


static void
fail(const char *what, snx_str_t in, const unsigned char *out, size_t len)
{
    fprintf(stderr, "%s\n", what);
    show("in:  ", in.data, in.len);
    show("out: ", out, len);
    abort();
}


static void
show(const char *what, const unsigned char *p, size_t len)
{
    size_t  i;

    fprintf(stderr, "%s", what);

    for (i = 0; i < len; i++) {
        if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\') {
            fputc(p[i], stderr);

        } else {
            fprintf(stderr, "\\x%02x", p[i]);
        }
    }

    fprintf(stderr, "\n");
}
