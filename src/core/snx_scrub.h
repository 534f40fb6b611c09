
/*
 * Copyright (C) ngx_sentry authors
 *
 * What must not leave the server, and how it is replaced.  Owns the deny
 * list.  Runs in the event loop on hostile bytes: one pass, no allocation,
 * no regular expression, output bounded by the caller's buffer, and cut only
 * at places where no secret can be cut in two.
 * Source: develop docs, sdk/foundations/client/data-collection.
 */


#ifndef SNX_SCRUB_H_INCLUDED
#define SNX_SCRUB_H_INCLUDED


#include "snx.h"


typedef struct {
    const snx_str_t  *terms;       /* added to the built-in list, lower case */
    size_t            nterms;
    unsigned          pii:1;       /* sentry_send_default_pii */
} snx_scrub_t;


/* Whether a value under this key (query, cookie, form, JSON) is secret. */
int snx_scrub_key(const snx_scrub_t *scrub, snx_str_t key);

/*
 * Whether a header's value is secret: Authorization, Proxy-Authorization,
 * Cookie, Set-Cookie always; keys as above; without PII those that identify
 * the user (forwarded, -ip, remote-, via, -user).
 */
int snx_scrub_header(const snx_scrub_t *scrub, snx_str_t name);

/*
 * Each copies in to out, filtered, at most cap bytes, and returns the length
 * written.  in may hold any bytes.
 *
 *   query    a=b&token=c -> a=b&token=[Filtered]; keys are compared after
 *            percent-decoding ("%74oken", "user%5Bpassword%5D") and "+",
 *            separators "&" and ";"; a value that is itself a URL with
 *            userinfo or a query of its own is filtered as a URL
 *   url      absolute or not: userinfo, path, query and fragment
 *   path     key=value matrix parameters and segments, userinfo inside
 *            embedded URLs, JWTs, and the token-like segment after a segment
 *            that is a sensitive word (/reset-token/8f3a..., not /auth/login)
 *   text     free text (log lines, configuration lines, header values that
 *            are not secret by name): URLs in it, "key=value", "key: value",
 *            "key value" of the deny list, Bearer/Basic credentials, JWTs
 */
size_t snx_scrub_query(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);
size_t snx_scrub_url(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);
size_t snx_scrub_path(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);
size_t snx_scrub_text(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);

/*
 * JSON bodies.  Values of sensitive keys, whatever they are, become
 * "[Filtered]", also those beside a text that names a secret ({"name":
 * "token", "value": ...}, ["x-api-key", ...]); keys and texts are filtered as
 * text.  Blanks between tokens go.  Returns the length written; 0: nothing is
 * to be kept, since it is no valid JSON object or array, is deeper than
 * SNX_SCRUB_JSON_DEPTH_MAX, or does not fit whole.
 */
#define SNX_SCRUB_JSON_DEPTH_MAX  30

size_t snx_scrub_json(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);

/*
 * Form bodies (a=b&c=d): as snx_scrub_query(), but of a sensitive key a ";"
 * is part of the value, and what is no pair is filtered.
 */
size_t snx_scrub_form(const snx_scrub_t *scrub, snx_str_t in, void *out,
    size_t cap);

/*
 * Next cookie of a Cookie header value: name and value trimmed, value
 * replaced by "[Filtered]" when secret (also when there is no "=": then name
 * is empty and all of it is filtered).  Returns SNX_OK or SNX_DONE; *in is
 * advanced.  Memory: points into in or to a constant.
 */
snx_rc_t snx_scrub_cookie(const snx_scrub_t *scrub, snx_str_t *in,
    snx_str_t *name, snx_str_t *value);


#endif /* SNX_SCRUB_H_INCLUDED */
