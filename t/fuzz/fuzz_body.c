
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: the filters of bodies on any bytes.  The first byte chooses a
 * planted secret, the fourth divides the rest into what stands before and
 * behind it.  Holds: nothing of the secret comes out, filtering twice is
 * filtering once, what was JSON for another parser is JSON afterwards, a
 * smaller buffer gets nothing of a document and the beginning of a form.
 */


#include <cjson/cJSON.h>

#include "fuzz.h"
#include "snx_scrub.h"


#define FUZZ_OUT_MAX           (FUZZ_IN_MAX * 12)


typedef size_t (*filter_pt)(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


typedef struct {
    filter_pt    filter;
    const char  *plant;
} plant_t;


static void check(const plant_t *plant, snx_str_t in, size_t cap);
static void check_json(snx_str_t in, snx_str_t out);


static const plant_t  plants[] = {
    { snx_scrub_json, "" },
    { snx_scrub_form, "" },

    { snx_scrub_json, "\"password\":\"" FUZZ_MARK "\"" },
    { snx_scrub_json, "\"pass\\u0077ord\" : \"" FUZZ_MARK "\"" },
    { snx_scrub_json, "\"Api-Key\":{\"a\":[1,\"" FUZZ_MARK "\"]}" },
    { snx_scrub_json, "\"token\":[{\"" FUZZ_MARK "\":null},\"S3CR\"]" },
    { snx_scrub_json, "\"a\":\"Bearer " FUZZ_MARK "0123\"" },
    { snx_scrub_json, "\"a\":\"https:\\/\\/u:" FUZZ_MARK "@h\\/\"" },
    { snx_scrub_json, "\"a\":\"{\\\"secret\\\":\\\"" FUZZ_MARK "\\\"}\"" },
    { snx_scrub_json, "\"a\":\"x\\u0026token=" FUZZ_MARK "\"" },

    { snx_scrub_form, "&password=" FUZZ_MARK "&" },
    { snx_scrub_form, "&p%61ssword=a;" FUZZ_MARK "&" },
    { snx_scrub_form, "&user%5Btoken%5D=" FUZZ_MARK "&" },
    { snx_scrub_form, "&" FUZZ_MARK "&" },
    { snx_scrub_form, "&a=https%3A%2F%2Fu%3A" FUZZ_MARK "%40h%2F&" },
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snx_str_t       in;
    const plant_t  *plant;

    if (size < 4 || size > FUZZ_IN_MAX - 128
        || fuzz_has(snx_str(data, size), FUZZ_MARK_PART))
    {
        return 0;
    }

    plant = &plants[data[0] % nelts(plants)];
    in = fuzz_plant(snx_str(data + 4, size - 4), plant->plant, data[3]);

    check(plant, in, data[2] * 4u);
    fuzz_free(in);

    return 0;
}


static void
check(const plant_t *plant, snx_str_t in, size_t cap)
{
    int                   json, looks;
    size_t                at, whole, part, again;
    snx_str_t             out;
    snx_scrub_t           conf;
    unsigned char        *small;

    static unsigned char  a[FUZZ_OUT_MAX], b[FUZZ_OUT_MAX];

    memset(&conf, 0, sizeof(conf));

    /* JSON that is sent as a form has other secrets */

    for (at = 0; at < in.len && in.data[at] <= ' '; at++) { /* void */ }

    looks = at < in.len && (in.data[at] == '{' || in.data[at] == '[');
    json = (plant->filter == snx_scrub_json);
    whole = plant->filter(&conf, in, a, sizeof(a));
    out = snx_str(a, whole);

    if (whole > sizeof(a)
        || ((json || !looks) && fuzz_has(out, FUZZ_MARK_PART)))
    {
        fuzz_fail("no secret", in, a, whole);
    }

    again = plant->filter(&conf, out, b, sizeof(b));

    /* a form that is "[Filtered]" alone is no pair */

    if (!fuzz_same(out, snx_str(b, again)) && (json || a[0] != '[')) {
        fuzz_fail("the same when filtered again", out, b, again);
    }

    small = fuzz_memory(cap);
    part = plant->filter(&conf, in, small, cap);

    if (part > cap || !fuzz_begins(out, snx_str(small, part))
        || (json && part != 0 && part != whole))
    {
        fuzz_fail("the beginning", in, small, part);
    }

    if (json && whole != 0) {
        check_json(in, out);
    }

    free(small);
}


/* cJSON has its own idea of what is valid: only what was so must stay. */

static void
check_json(snx_str_t in, snx_str_t out)
{
    cJSON  *before, *after;

    before = cJSON_ParseWithLength((const char *) in.data, in.len);

    if (before == NULL) {
        return;
    }

    after = cJSON_ParseWithLength((const char *) out.data, out.len);

    if (after == NULL
        || (cJSON_IsArray(before) != 0) != (cJSON_IsArray(after) != 0)
        || cJSON_GetArraySize(before) != cJSON_GetArraySize(after))
    {
        fuzz_fail("the same document", in, out.data, out.len);
    }

    cJSON_Delete(before);
    cJSON_Delete(after);
}
