
/*
 * Copyright (C) ngx_sentry authors
 *
 * JSON and form bodies: what is kept of them.
 */


#include <stdlib.h>

#include "snx_scrub.h"
#include "tap.h"


#define F  "\"[Filtered]\""


/* out NULL: the same as in; "" nothing is kept */

typedef struct {
    const char  *in;
    const char  *out;
} row_t;


static const row_t  json[] = {
    { "{}", NULL },
    { " [ ] ", "[]" },
    { "{\"a\":1,\"b\":[true,false,null,-1.5e+10,\"x\"],\"c\":{\"d\":{}}}",
      NULL },
    { "{ \"a\" : \"b\" , \"c\" : [ 1 , 2 ] }", "{\"a\":\"b\",\"c\":[1,2]}" },
    { "{\"n\":123456789012345678901234567890.5e99999}", NULL },
    { "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\\"\"}", NULL },
    { "{\"a\":\"\xc3\xa9\"}", NULL },

    /* by key */
    { "{\"password\":\"x\"}", "{\"password\":" F "}" },
    { "{\"PassWord\":123}", "{\"PassWord\":" F "}" },
    { "{\"token\":null,\"b\":1}", "{\"token\":" F ",\"b\":1}" },
    { "{\"pass\\u0077ord\":\"x\"}", "{\"pass\\u0077ord\":" F "}" },
    { "{\"pass\\u0057\\u006fRD\":\"x\"}", "{\"pass\\u0057\\u006fRD\":" F "}" },
    { "{\"api\\/key\":\"x\"}", "{\"api\\/key\":" F "}" },
    { "{\"secret\":{\"a\":[1,{\"b\":2}],\"c\":\"}\"},\"d\":1}",
      "{\"secret\":" F ",\"d\":1}" },
    { "{\"secret\":[[[]]],\"d\":[1]}", "{\"secret\":" F ",\"d\":[1]}" },
    { "{\"a\":{\"b\":[{\"user_password\":\"x\",\"c\":\"d\"}]}}",
      "{\"a\":{\"b\":[{\"user_password\":" F ",\"c\":\"d\"}]}}" },
    { "{\"password\":\"x\",\"password\":\"y\",\"a\":1,\"a\":2}",
      "{\"password\":" F ",\"password\":" F ",\"a\":1,\"a\":2}" },
    { "{\"acme_ref\":\"x\"}", "{\"acme_ref\":" F "}" },

    /* by the text beside it */
    { "[{\"name\":\"password\",\"value\":\"x\"},{\"name\":\"a\",\"value\":1}]",
      "[{\"name\":\"password\",\"value\":" F "},{\"name\":\"a\",\"value\":1}]"
    },
    { "[[\"x-api-key\",\"x\"],[\"accept\",\"y\"]]",
      "[[\"x-api-key\"," F "],[\"accept\",\"y\"]]" },
    { "[\"token\",{\"a\":1}]", "[\"token\"," F "]" },

    /* by what it is */
    { "{\"a\":\"Bearer abcdef123456\"}", "{\"a\":\"Bearer [Filtered]\"}" },
    { "{\"u\":\"https://u:pw@h/x\"}", "{\"u\":\"https://[Filtered]@h/x\"}" },
    { "{\"u\":\"https:\\/\\/u:pw@h\\/x\"}",
      "{\"u\":\"https://[Filtered]@h/x\"}" },
    { "{\"j\":\"{\\\"password\\\": \\\"x\\\"}\"}",
      "{\"j\":\"{\\\"password\\\": \\\"[Filtered]\\\"}\"}" },
    { "{\"a\":\"x\\ttoken=abc\"}", "{\"a\":\"x\\u0009token=[Filtered]\"}" },
    { "{\"token=abc\":1}", "{\"token=[Filtered]\":" F "}" },

    /* no JSON */
    { "", "" },
    { "  ", "" },
    { "\"password\"", "" },
    { "12", "" },
    { "null", "" },
    { "{", "" },
    { "{\"password\":\"x\"", "" },
    { "{\"password\":\"x", "" },
    { "{\"password\":", "" },
    { "{\"password\"", "" },
    { "{\"a\":1}}", "" },
    { "{\"a\":1} {\"b\":2}", "" },
    { "{\"a\":1]", "" },
    { "[1}", "" },
    { "[1,]", "" },
    { "[,1]", "" },
    { "{\"a\":1,}", "" },
    { "{,}", "" },
    { "{a:1}", "" },
    { "{'a':1}", "" },
    { "{\"a\" 1}", "" },
    { "{1:2}", "" },
    { "[1 2]", "" },
    { "[01]", "" },
    { "[1.]", "" },
    { "[.5]", "" },
    { "[1e]", "" },
    { "[-]", "" },
    { "[+1]", "" },
    { "[NaN]", "" },
    { "[True]", "" },
    { "[nul]", "" },
    { "[\"\\x\"]", "" },
    { "[\"\\u12g4\"]", "" },
    { "[\"\\u12\"]", "" },
    { "[\"\\\"]", "" },
    { "[\"a\nb\"]", "" },
    { "[\"\xff\"]", "" },
    { "{\"pass\xc3word\":\"x\"}", "" },
    { "{\"a\":1}\xff", "" },
    { "// c\n{}", "" },
};


static const row_t  form[] = {
    { "", NULL },
    { "a=b&c=d", NULL },
    { "a=&b=c", NULL },
    { "password=x&a=b", "password=[Filtered]&a=b" },
    { "password=x;y=z&a=b", "password=[Filtered]&a=b" },
    { "pass%77ord=x", "pass%77ord=[Filtered]" },
    { "user%5Bpassword%5D=x&user[name]=y",
      "user%5Bpassword%5D=[Filtered]&user[name]=y" },
    { "password=", NULL },
    { "password=x&more&a=b", "password=[Filtered]&[Filtered]&a=b" },
    { "hunter2", "[Filtered]" },
    { "&&a=b&", NULL },
    { "next=https://u:pw@h/", "next=https://[Filtered]@h/" },
    { "note=a;token=b", "note=a;token=[Filtered]" },
    { "{\"password\":\"a=b\"}", "{\"password\":" F "}" },
    { " [\"a=b\"", "" },
    { "data={\"password\":\"a=b\"}", "data=[Filtered]" },
    { "data=%7B%22password%22%3A%22a%22%7D", "data=[Filtered]" },
};


typedef size_t (*filter_pt)(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);


static const snx_str_t    terms[] = { snx_string("acme") };
static const snx_scrub_t  conf = { terms, 1, 0 };


static void
rows(filter_pt filter, const row_t *row, size_t n)
{
    size_t       i, len;
    const char  *expected;

    static char  out[4096];

    for (i = 0; i < n; i++) {
        len = filter(&conf, snx_cstr(row[i].in), out, sizeof(out));
        expected = row[i].out ? row[i].out : row[i].in;

        is_str(snx_str(out, len), expected, "what is kept");
    }
}


/* Every cut of a document, and every buffer too small: nothing is kept. */

static void
cuts(void)
{
    size_t      n, len, bad;
    char       *out;
    snx_str_t   in;

    in = snx_cstr("{\"a\":[1,{\"password\":\"S3CRET\"}],\"b\":\"c\\u0041\"}");
    bad = 0;

    for (n = 0; n < in.len; n++) {
        out = malloc(in.len + 16);
        len = snx_scrub_json(&conf, snx_str(in.data, n), out, in.len + 16);
        bad += len != 0;
        free(out);

        out = malloc(n + 1);
        len = snx_scrub_json(&conf, in, out, n);
        bad += len > n;
        free(out);
    }

    is_int(bad, 0, "of what is cut nothing is kept");
}


static void
depths(void)
{
    size_t  i, n, len;

    static char  in[200], out[400];

    for (n = SNX_SCRUB_JSON_DEPTH_MAX; n < SNX_SCRUB_JSON_DEPTH_MAX + 3; n++) {
        for (i = 0; i < n; i++) {
            in[i] = '[';
            in[2 * n - 1 - i] = ']';
        }

        len = snx_scrub_json(&conf, snx_str(in, 2 * n), out, sizeof(out));

        is_int(len, n == SNX_SCRUB_JSON_DEPTH_MAX ? 2 * n : 0, "depth");
    }
}


static void
lengths(void)
{
    size_t  n, len;
    char   *in, *out;

    n = 20000;
    in = malloc(n);
    out = malloc(2 * n);

    memset(in, 'a', n);
    memcpy(in, "[\"", 2);
    memcpy(in + n - 2, "\"]", 2);

    len = snx_scrub_json(&conf, snx_str(in, n), out, 2 * n);
    is_int(len, 0, "a text too long to be looked at");

    memcpy(in, "[1", 2);
    memset(in + 2, '0', n - 3);
    in[n - 1] = ']';

    len = snx_scrub_json(&conf, snx_str(in, n), out, 2 * n);
    is_int(len, n, "a long number");

    free(in);
    free(out);
}


int
main(void)
{
    rows(snx_scrub_json, json, sizeof(json) / sizeof(json[0]));
    rows(snx_scrub_form, form, sizeof(form) / sizeof(form[0]));
    cuts();
    depths();
    lengths();

    return tap_done();
}
