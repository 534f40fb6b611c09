
/*
 * Copyright (C) ngx_sentry authors
 *
 * What nginx appends to its messages: client: 1.2.3.4, request: "GET / ...",
 * upstream: "http://...", host: "...", referrer: "...".  These fields are
 * known, and so is where their quotes close, whatever the client has put
 * between them.
 */


#include "snx_scrub_parts.h"


static const unsigned char *snx_scrub_field_client(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static void snx_scrub_field_request(snx_scrub_text_t *t,
    const unsigned char *p, const unsigned char *end);


const unsigned char *
snx_scrub_field(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    snx_str_t             name;
    unsigned char         c;
    const unsigned char  *p, *end;

    name = snx_str(w->p, snx_scrub_len(w->p, w->end));

    if (snx_scrub_is(name, "client") && !t->scrub->pii) {
        return snx_scrub_field_client(t, w);
    }

    p = w->end;

    if (!snx_scrub_starts(p, t->end, ": \"")
        || !(snx_scrub_is(name, "request") || snx_scrub_is(name, "subrequest")
             || snx_scrub_is(name, "upstream") || snx_scrub_is(name, "host")
             || snx_scrub_is(name, "referrer")))
    {
        return NULL;
    }

    p += 3;
    end = snx_scrub_value_field(p, t->end);

    snx_scrub_copy(t->out, w->p, p);

    c = snx_scrub_lower(w->p[2]);

    if (c == 's') {                             /* host */
        p = snx_scrub_write_host(t->scrub, t->out, p, end, "/?#");
        snx_scrub_write_url(t->scrub, t->out, p, end);

    } else if (c == 'f') {                      /* referrer */
        snx_scrub_write_url(t->scrub, t->out, p, end);

    } else {
        snx_scrub_field_request(t, p, end);
    }

    return end;
}


/* "client: 1.2.3.4" anywhere, "client 1.2.3.4 closed ..." */

static const unsigned char *
snx_scrub_field_client(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int                   address;
    const unsigned char  *p;

    address = snx_scrub_starts(w->value, t->end, "unix:");
    p = w->value + (address ? 5 : 0);

    while (p < t->line && snx_scrub_in(*p, "0123456789abcdefABCDEF.:")) {
        address |= (*p == '.' || *p == ':');
        p++;
    }

    if (w->closed || !w->spaced || !address
        || (p < t->line && *p != ',' && !snx_scrub_blank(*p)))
    {
        return NULL;
    }

    snx_scrub_copy(t->out, w->p, w->value);
    snx_scrub_filtered(t->out);

    return p;
}


/* GET /path HTTP/1.1, or only a URL. */

static void
snx_scrub_field_request(snx_scrub_text_t *t, const unsigned char *p,
    const unsigned char *end)
{
    const unsigned char  *url, *tail;

    for (url = p; url < end && (snx_scrub_upper(*url) || *url == '_'); url++) {
        /* void */
    }

    url = (url < end && *url == ' ') ? url + 1 : p;

    tail = (end - url > 9) ? end - 9 : end;
    tail = snx_scrub_starts(tail, end, " HTTP/") ? tail : end;

    snx_scrub_copy(t->out, p, url);
    snx_scrub_write_url(t->scrub, t->out, url, tail);
    snx_scrub_copy(t->out, tail, end);
}
