
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: the filter on any bytes.  The first byte chooses a place for a
 * planted secret, the fourth divides the rest into what stands before and
 * behind it.  Holds: nothing of the secret comes out, filtering twice is
 * filtering once (for text and URLs thrice is twice), and a smaller buffer
 * gets the beginning of the same text.
 */


#include "fuzz.h"
#include "snx_scrub.h"
#include "snx_text.h"


#define FUZZ_OUT_MAX           (FUZZ_IN_MAX * 12)


typedef size_t (*scrub_pt)(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


typedef struct {
    scrub_pt     scrub;
    const char  *plant;
} plant_t;


static void check(const plant_t *plant, const snx_scrub_t *conf,
    snx_str_t in, size_t cap);
static void check_keys(const snx_scrub_t *conf, snx_str_t in);
static size_t cookies(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);
static size_t headers(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


static const plant_t  plants[] = {
    { snx_scrub_query, "" },
    { snx_scrub_url,   "" },
    { snx_scrub_path,  "" },
    { snx_scrub_text,  "" },

    { snx_scrub_query, "&token=" FUZZ_MARK },
    { snx_scrub_query, "&user%5Bpassw%6Frd%5D=" FUZZ_MARK },
    { snx_scrub_query, ";%2574oken=" FUZZ_MARK },
    { snx_scrub_query, "&next=https%3A%2F%2Fu%3A" FUZZ_MARK "%40h%2F&" },
    { snx_scrub_query, "&next=%2F%3Ftoken%3D" FUZZ_MARK "&" },
    { snx_scrub_query, "&next=https://u:" FUZZ_MARK "@h/&" },

    { snx_scrub_url,   "/token=" FUZZ_MARK },
    { snx_scrub_url,   "/;session=" FUZZ_MARK },
    { snx_scrub_url,   "&x_key=" FUZZ_MARK },

    { snx_scrub_path,  "/x/token/abcdefgh1" FUZZ_MARK "/" },
    { snx_scrub_path,  "/http://u:" FUZZ_MARK "@h/" },
    { snx_scrub_path,  "/http:/u:" FUZZ_MARK "@h/" },
    { snx_scrub_path,  "/token%3D" FUZZ_MARK "/" },

    { snx_scrub_text,  " password=" FUZZ_MARK },
    { snx_scrub_text,  " Api-Key: " FUZZ_MARK },
    { snx_scrub_text,  "\nAuthorization: Basic " FUZZ_MARK "\n" },
    { snx_scrub_text,  " \"secret\" : \"" FUZZ_MARK "\"" },
    { snx_scrub_text,  " secret='a " FUZZ_MARK "'" },
    { snx_scrub_text,  " \\\"secret\\\":\\\"" FUZZ_MARK "\\\"" },
    { snx_scrub_text,  "\nproxy_set_header X-Key " FUZZ_MARK ";\n" },
    { snx_scrub_text,  "\nset $token \"" FUZZ_MARK "\";\n" },
    { snx_scrub_text,  " Bearer " FUZZ_MARK },
    { snx_scrub_text,  " http://u:" FUZZ_MARK "@h/" },
    { snx_scrub_text,  " //u:" FUZZ_MARK "@h/" },
    { snx_scrub_text,  " /a?b=c&token=" FUZZ_MARK },
    { snx_scrub_text,  " eyJhbGciOiJIUzI1NiJ9.e30." FUZZ_MARK },
    { snx_scrub_text,  " request: \"GET /?password=" FUZZ_MARK },
    { snx_scrub_text,  " zz=" FUZZ_MARK },
    { snx_scrub_query, "&aq_qa=" FUZZ_MARK "&" },

    { cookies,         "; session=" FUZZ_MARK },
    { cookies,         ";x-Token = " FUZZ_MARK " ;" },
    { cookies,         "; " FUZZ_MARK "; " },

    { headers,         "\nAuthorization: " FUZZ_MARK "\n" },
    { headers,         "\nX-API-Key: " FUZZ_MARK "\n" }
};


static const snx_str_t  terms[] = {
    snx_string("zz"),
    snx_string("q_q")
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snx_str_t       in;
    snx_scrub_t     conf;
    const plant_t  *plant;

    if (size < 4 || size > FUZZ_IN_MAX - 128
        || fuzz_has(snx_str(data, size), FUZZ_MARK_PART))
    {
        return 0;
    }

    plant = &plants[data[0] % nelts(plants)];
    in = fuzz_plant(snx_str(data + 4, size - 4), plant->plant, data[3]);

    conf.terms = terms;
    conf.nterms = (data[1] & 1) || strstr(plant->plant, "zz=")
                  || strstr(plant->plant, "q_q") ? nelts(terms) : 0;
    conf.pii = (data[1] & 2) != 0;

    check(plant, &conf, in, data[2] * 4u);
    check_keys(&conf, in);

    fuzz_free(in);

    return 0;
}


static void
check(const plant_t *plant, const snx_scrub_t *conf, snx_str_t in, size_t cap)
{
    size_t                whole, part, again;
    unsigned char        *small;

    static unsigned char  a[FUZZ_OUT_MAX], b[FUZZ_OUT_MAX];

    whole = plant->scrub(conf, in, a, sizeof(a));

    if (whole > sizeof(a)) {
        fuzz_fail("not longer than its buffer", in, a, sizeof(a));
    }

    if (plant->plant[0] != '\0'
        && fuzz_has(snx_str(a, whole), FUZZ_MARK_PART))
    {
        fuzz_fail("no secret", in, a, whole);
    }

    again = plant->scrub(conf, snx_str(a, whole), b, sizeof(b));

    /*
     * Free text and URLs may be filtered some more: what was filtered may
     * have been why something else was not, a scheme or a word of OpenSSL's.
     * But nothing comes back, and pairs stay what they are.
     */

    if ((plant->scrub == cookies || plant->scrub == headers)
        && !fuzz_same(snx_str(a, whole), snx_str(b, again)))
    {
        fuzz_fail("the same when filtered again", snx_str(a, whole), b,
                  again);
    }

    if (plant->plant[0] != '\0'
        && fuzz_has(snx_str(b, again), FUZZ_MARK_PART))
    {
        fuzz_fail("no secret when filtered again", in, b, again);
    }

    small = fuzz_memory(cap);
    part = plant->scrub(conf, in, small, cap);

    if (part > cap || !fuzz_begins(snx_str(a, whole), snx_str(small, part))) {
        fuzz_fail("the beginning", in, small, part);
    }

    free(small);
}


/* Any bytes as key and header. */

static void
check_keys(const snx_scrub_t *conf, snx_str_t in)
{
    require(!snx_text_ihas(in, snx_cstr("password"))
            || snx_scrub_key(conf, in), "a key that has a term");

    (void) snx_scrub_header(conf, in);
}


/* "a=b; c=[Filtered]", what they are again. */

static size_t
cookies(const snx_scrub_t *scrub, snx_str_t in, void *out, size_t cap)
{
    snx_str_t   name, value, rest;
    snx_text_t  text;

    snx_text_init(&text, out, cap);
    rest = in;

    while (snx_scrub_cookie(scrub, &rest, &name, &value) == SNX_OK) {
        require(fuzz_inside(name, in), "a name in the header");
        require(fuzz_inside(rest, in), "what is left of it");

        snx_text_addz(&text, text.len == 0 ? "" : "; ");
        snx_text_add(&text, name);
        snx_text_addz(&text, name.len == 0 ? "" : "=");
        snx_text_add(&text, value);
    }

    return text.len;
}


/* Lines of "name: value", as a request's headers are kept. */

static size_t
headers(const snx_scrub_t *scrub, snx_str_t in, void *out, size_t cap)
{
    char                  value[FUZZ_OUT_MAX];
    size_t                n;
    fuzz_in_t             rest;
    snx_str_t             line, name;
    snx_text_t            text;
    const unsigned char  *lf, *colon;

    rest.p = in.data;
    rest.left = in.len;
    snx_text_init(&text, out, cap);

    while (rest.left != 0) {
        lf = memchr(rest.p, '\n', rest.left);
        line = fuzz_take(&rest, lf ? (size_t) (lf - rest.p) + 1 : rest.left);
        line.len -= lf != NULL;

        colon = line.len ? memchr(line.data, ':', line.len) : NULL;
        name = snx_str(line.data, colon ? (size_t) (colon - line.data) : 0);

        if (colon == NULL || snx_scrub_header(scrub, name)) {
            continue;
        }

        n = snx_scrub_text(scrub, snx_str(colon + 1,
                                          line.len - name.len - 1),
                           value, sizeof(value));
        snx_text_add(&text, name);
        snx_text_addz(&text, ":");
        snx_text_add(&text, snx_str(value, n));
        snx_text_addz(&text, "\n");
    }

    return text.len;
}
