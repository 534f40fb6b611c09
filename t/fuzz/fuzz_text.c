
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: bytes that become text.  The first byte chooses: UTF-8 and
 * strings of JSON, request targets and routes, lines of the error log.
 * Holds: what is repaired is UTF-8, what was so already is the same, a
 * smaller buffer gets the beginning; JSON reads back as what was written; a
 * path is resolved, names do not change when named again; a message is a part
 * of its line and nothing of a secret in it comes out.
 */


#include <cjson/cJSON.h>

#include "fuzz.h"
#include "snx_cause.h"
#include "snx_incident.h"
#include "snx_json.h"
#include "snx_route.h"
#include "snx_text.h"


static void check_utf8(snx_str_t in, size_t cap);
static void check_json(snx_str_t in, snx_str_t all, size_t max);
static void check_small(snx_str_t in);
static void check_path(snx_str_t target, size_t cap);
static void check_resolved(snx_str_t path);
static void check_routes(snx_str_t path);
static void check_name(snx_str_t path, size_t cap);
static void check_line(snx_str_t line, snx_str_t client);
static void check_incident(snx_str_t line, unsigned at, size_t cap);


static const struct {
    const char  *pattern;
    int          caseless;
} patterns[] = {
    { "^/api/v[0-9]+/", 0 },
    { "(a+)+$", 1 },
    { "(?:x|xx)*y", 0 },
    { "\\.(gif|JPG|png)$", 1 },
    { "^/(?>[^/]+/)*[^/]*\\d{3}\\b", 0 }
};


static const char *const  plants[] = {
    "",
    " password=" FUZZ_MARK " ",
    " \"Authorization: Bearer " FUZZ_MARK "0123\" ",
    " https://user:" FUZZ_MARK "@host/ ",
    ", request: \"GET /?token=" FUZZ_MARK " HTTP/1.1\" "
};


static snx_json_t  json;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     cap;
    unsigned   what, at;
    fuzz_in_t  in;
    snx_str_t  s, client;

    if (size > FUZZ_IN_MAX
        || fuzz_has(snx_str(data, size), FUZZ_MARK_PART))
    {
        return 0;
    }

    in.p = data;
    in.left = size;

    what = fuzz_byte(&in);
    at = fuzz_byte(&in);
    cap = fuzz_byte(&in) * (what & 128 ? 16 : 1);
    client = fuzz_take(&in, what % 3 == 2 ? at % 32 : 0);
    s = fuzz_copy(fuzz_take(&in, in.left));

    switch (what % 3) {

    case 0:
        check_utf8(s, cap);
        check_small(s);
        break;

    case 1:
        check_path(s, cap);
        check_routes(s);
        check_name(s, cap);
        break;

    default:
        check_line(s, client);
        check_incident(s, at, cap);
        break;
    }

    fuzz_free(s);

    return 0;
}


static void
check_utf8(snx_str_t in, size_t cap)
{
    int             cut;
    size_t          n, part;
    snx_str_t       all;
    unsigned char  *out, *small;

    cut = 0;
    out = fuzz_memory(in.len * 3);
    n = snx_text_utf8(in, out, in.len * 3, &cut);
    all = snx_str(out, n);

    require(n <= in.len * 3 && !cut, "at most three for one");
    require(snx_text_valid(all), "valid");
    require(!snx_text_valid(in) || fuzz_same(all, in), "what is valid stays");

    small = fuzz_memory(cap);
    part = snx_text_utf8(in, small, cap, &cut);

    require(part <= cap && fuzz_begins(all, snx_str(small, part))
            && snx_text_valid(snx_str(small, part)), "the beginning");
    require(cut == (part < n) && (!cut || part + 4 > cap), "as much as fits");

    check_json(in, all, cap);

    free(small);
    free(out);
}


/* all is in, repaired. */

static void
check_json(snx_str_t in, snx_str_t all, size_t max)
{
    char         *out;
    size_t        len, cap;
    cJSON        *tree;
    snx_rc_t      rc;
    snx_str_t     got;
    const cJSON  *item;

    cap = 7 * (in.len + max) + 1024;
    out = (char *) fuzz_memory(cap);

    snx_json_begin(&json, out, cap);
    snx_json_array(&json, "a");
    snx_json_text(&json, NULL, in, max);
    snx_json_text(&json, NULL, in, 8 * in.len);
    snx_json_close(&json);
    snx_json_name(&json, in, 64);
    snx_json_num(&json, NULL, (int64_t) max);

    require(snx_json_end(&json, &len) == SNX_OK && len <= cap, "JSON");
    require(snx_text_valid(snx_str(out, len)), "in UTF-8");
    require(fuzz_escaped(snx_str(out, len)), "escaped");

    tree = cJSON_ParseWithLength(out, len);
    require(tree != NULL, "that can be read");

    item = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "a"), 1);
    got = snx_cstr(cJSON_GetStringValue(item));
    require(fuzz_same(got, all), "as it was written");

    item = cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "a"), 0);
    got = snx_cstr(cJSON_GetStringValue(item));
    require(got.len <= max, "cut");

    cJSON_Delete(tree);

    /* without room for all of it: nothing is written behind the end */

    cap = max < len ? max : len - 1;
    out = realloc(out, cap + (cap == 0));

    if (out == NULL) {
        abort();
    }

    snx_json_begin(&json, out, cap);
    snx_json_text(&json, "a", in, SIZE_MAX);
    snx_json_name(&json, in, SIZE_MAX);
    snx_json_hex(&json, NULL, in.data, in.len);
    rc = snx_json_end(&json, &len);
    require(rc == SNX_TOO_BIG || (rc == SNX_OK && len <= cap), "or no room");

    free(out);
}


/* Numbers, hexadecimal, blanks. */

static void
check_small(snx_str_t in)
{
    char           time[SNX_TEXT_TIME_MAX];
    double         rate;
    int64_t        us;
    snx_str_t      s;
    unsigned char  raw[32];
    char           hex[64];

    s = snx_text_trim(in);
    require(fuzz_inside(s, in) && snx_text_trim(s).len == s.len, "trimmed");

    if (snx_text_rate(in, &rate)) {
        require(rate >= 0 && rate <= 1, "a rate");
    }

    if (in.len <= 64 && snx_text_unhex(in, raw, in.len / 2)) {
        snx_text_hex(raw, in.len / 2, hex);
        require(snx_text_ieq(in, snx_str(hex, in.len)), "hexadecimal");
    }

    if (in.len >= 8) {
        memcpy(&us, in.data, 8);
        require(snx_text_time(us, time) == 27 && time[27] == '\0', "a time");
    }

    require(!snx_text_ihas(in, snx_cstr("mark"))
            || in.len >= 4, "found in what is as long");
}


static void
check_path(snx_str_t target, size_t cap)
{
    size_t          n, part;
    snx_str_t       whole;
    unsigned char  *out, *small;

    out = fuzz_memory(target.len + 1);
    n = snx_route_path(target, out, target.len + 1);
    whole = snx_str(out, n);

    require(n <= target.len + 1, "not longer");

    if (n != 0) {
        check_resolved(whole);
        check_routes(whole);
        check_name(whole, cap);
    }

    small = fuzz_memory(cap);
    part = snx_route_path(target, small, cap);

    require(part <= cap && fuzz_begins(whole, snx_str(small, part)),
            "the beginning of the path");

    free(small);
    free(out);
}


/* No segment of it is empty (but the last), "." or "..". */

static void
check_resolved(snx_str_t path)
{
    size_t  i, from;

    require(path.data[0] == '/', "from the top");

    for (i = 1, from = 1; i <= path.len; i++) {

        if (i < path.len && path.data[i] != '/') {
            continue;
        }

        require(i != from || i == path.len, "no empty segment");
        require(i - from != 1 || path.data[from] != '.', "no \".\"");
        require(i - from != 2 || memcmp(path.data + from, "..", 2) != 0,
                "no \"..\"");

        from = i + 1;
    }
}


static void
check_routes(snx_str_t path)
{
    char         err[64];
    size_t       i;
    snx_route_t  route;

    static snx_regex_t  *regexes[nelts(patterns)];

    (void) snx_route_default(path);

    route.type = SNX_ROUTE_PREFIX;
    route.pattern = path;
    require(snx_route_match(&route, path), "its own prefix");
    route.type = SNX_ROUTE_EXACT;
    require(snx_route_match(&route, path), "itself");

    route.type = SNX_ROUTE_REGEX;

    for (i = 0; i < nelts(patterns); i++) {
        if (regexes[i] == NULL) {
            regexes[i] = snx_regex_compile(snx_cstr(patterns[i].pattern),
                                           patterns[i].caseless, err,
                                           sizeof(err));
            require(regexes[i] != NULL, "an expression");
        }

        route.regex = regexes[i];
        (void) snx_route_match(&route, path);
    }
}


static void
check_name(snx_str_t path, size_t cap)
{
    size_t          n, again;
    snx_str_t       whole;
    unsigned char  *out, *small;

    out = fuzz_memory(path.len + 1);
    small = fuzz_memory(path.len + 1);

    n = snx_route_name(path, out, path.len + 1);
    whole = snx_str(out, n);
    require(n <= path.len + 1, "a name that is not longer");

    again = snx_route_name(whole, small, path.len + 1);
    require(fuzz_same(whole, snx_str(small, again)), "named again the same");
    free(small);

    small = fuzz_memory(cap);
    n = snx_route_name(path, small, cap);
    require(n <= cap && (fuzz_begins(whole, snx_str(small, n))
                         || (n == 1 && small[0] == '/')),
            "the beginning of the name");

    free(small);
    free(out);
}


static void
check_line(snx_str_t line, snx_str_t client)
{
    snx_cause_t  cause, again;

    snx_cause_parse(&cause, line, client);

    require(fuzz_inside(cause.message, line), "a part of the line");
    require(cause.error >= 0 && cause.error < 100000, "an errno");
    require(cause.message.len != 0 || cause.type.len == 0, "of no text");
    (void) snx_cause_upstream(&cause);

    if (client.len == 0) {
        require(!fuzz_has(cause.message, ", client: "), "cut at the client");
    }

    /* the tail is what the client cannot choose */

    snx_cause_parse(&again, cause.message, client);
    require(again.message.len <= cause.message.len, "not more than there is");
}


static void
check_incident(snx_str_t line, unsigned at, size_t cap)
{
    char            class[256];
    size_t          n;
    snx_str_t       text, message;
    snx_scrub_t     scrub;
    unsigned char  *out;
    snx_incident_t  incident;

    memset(&scrub, 0, sizeof(scrub));
    scrub.pii = at & 1;

    text = fuzz_plant(line, plants[at % nelts(plants)], at);
    message = snx_incident_message(text);
    require(fuzz_inside(message, text), "a part of it");

    if (message.len != 0) {
        snx_incident_read(&incident, message, at % 8, (at & 8) != 0);
        require(incident.type.len != 0 && incident.error >= 0, "a type");

        require(snx_incident_class(message, class, sizeof(class))
                <= sizeof(class), "a class within its bound");
    }

    out = fuzz_memory(cap);
    n = snx_incident_text(&scrub, message, out, cap);

    if (n > cap || fuzz_has(snx_str(out, n), FUZZ_MARK_PART)) {
        fuzz_fail("no secret", text, out, n);
    }

    free(out);
    fuzz_free(text);
}
