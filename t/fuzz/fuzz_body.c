
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: the filters of bodies on any bytes.  The first byte chooses a
 * planted secret, the second divides the rest into what stands before and
 * behind it.  Holds: nothing of the secret comes out, filtering twice is
 * filtering once, a smaller buffer gets nothing of a JSON document and the
 * beginning of a form.
 */


#include <stdio.h>
#include <stdlib.h>

#include "snx_scrub.h"


#define FUZZ_IN_MAX            8192
#define FUZZ_OUT_MAX           (FUZZ_IN_MAX * 12)

#define MARK                   "S3CR3T_x"
#define MARK_PART              "S3CR"

#define nelts(a)               (sizeof(a) / sizeof((a)[0]))


typedef size_t (*filter_pt)(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


typedef struct {
    filter_pt    filter;
    const char  *plant;
} plant_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const plant_t  plants[] = {
    { snx_scrub_json, "" },
    { snx_scrub_form, "" },

    { snx_scrub_json, "\"password\":\"" MARK "\"" },
    { snx_scrub_json, "\"pass\\u0077ord\" : \"" MARK "\"" },
    { snx_scrub_json, "\"Api-Key\":{\"a\":[1,\"" MARK "\"]}" },
    { snx_scrub_json, "\"token\":[{\"" MARK "\":null},\"" MARK "\"]" },
    { snx_scrub_json, "\"a\":\"Bearer " MARK "0123\"" },
    { snx_scrub_json, "\"a\":\"https:\\/\\/u:" MARK "@h\\/\"" },
    { snx_scrub_json, "\"a\":\"{\\\"secret\\\":\\\"" MARK "\\\"}\"" },
    { snx_scrub_json, "\"a\":\"x\\u0026token=" MARK "\"" },

    { snx_scrub_form, "&password=" MARK "&" },
    { snx_scrub_form, "&p%61ssword=a;" MARK "&" },
    { snx_scrub_form, "&user%5Btoken%5D=" MARK "&" },
    { snx_scrub_form, "&" MARK "&" },
    { snx_scrub_form, "&a=https%3A%2F%2Fu%3A" MARK "%40h%2F&" },
};


static int
has(const unsigned char *p, size_t len, const char *text)
{
    return memmem(p, len, text, strlen(text)) != NULL;
}


static void
fail(const char *what, snx_str_t in, const unsigned char *out, size_t len)
{
    fprintf(stderr, "%s\nin:  %.*s\nout: %.*s\n", what, (int) in.len,
            in.data, (int) len, out);
    abort();
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n, before, whole, part, again, cap;
    snx_str_t       in;
    snx_scrub_t     conf;
    const plant_t  *plant;

    static unsigned char  buf[FUZZ_IN_MAX], a[FUZZ_OUT_MAX], b[FUZZ_OUT_MAX];

    if (size < 4 || size > FUZZ_IN_MAX - 128 || has(data, size, MARK_PART)) {
        return 0;
    }

    memset(&conf, 0, sizeof(conf));

    plant = &plants[data[0] % nelts(plants)];
    cap = data[2] * 4u;
    before = (size - 4) * data[3] / 255;
    n = strlen(plant->plant);

    memcpy(buf, data + 4, before);
    memcpy(buf + before, plant->plant, n);
    memcpy(buf + before + n, data + 4 + before, size - 4 - before);

    in = snx_str(buf, size - 4 + n);
    whole = plant->filter(&conf, in, a, sizeof(a));

    if (whole > sizeof(a) || has(a, whole, MARK_PART)) {
        fail("leak", in, a, whole);
    }

    again = plant->filter(&conf, snx_str(a, whole), b, sizeof(b));

    /* "[Filtered]" is no JSON */

    if ((again != whole || memcmp(a, b, whole) != 0)
        && (plant->filter == snx_scrub_json || a[0] != '['))
    {
        fail("changed when filtered again", snx_str(a, whole), b, again);
    }

    part = plant->filter(&conf, in, b, cap);

    if (part > cap || part > whole || memcmp(a, b, part) != 0
        || (plant->filter == snx_scrub_json && part != 0 && part != whole))
    {
        fail("not the beginning", in, b, part);
    }

    return 0;
}
