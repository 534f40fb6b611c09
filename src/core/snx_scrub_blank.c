
/*
 * Copyright (C) ngx_sentry authors
 *
 * Secrets behind a blank: arguments of directives, credentials behind the
 * name of their scheme, and English that says "token abc123".
 */


#include "snx_scrub_parts.h"


#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


/*
 * Directives that name no secret though a term is in their name, and those
 * whose arguments are no key and value; "*" stands for anything.
 */

static const char *const  snx_scrub_harmless[] = {
    "access_log", "auth_basic*", "auth_delay", "auth_http", "auth_jwt*",
    "auth_request*", "*_cache_key", "*_certificate_key", "*_cookie_domain",
    "*_cookie_flags", "*_cookie_path", "*_key_file", "log_format", "*_pass",
    "*_password_file", "rewrite", "server_name", "*_session_reuse",
    "ssl_session_cache", "ssl_session_ticket_key", "ssl_session_tickets",
    "ssl_session_timeout"
};


/* Directives of a key and a value, known even where the line is cut. */

static const char *const  snx_scrub_directives[] = {
    "add_header", "auth_http_header", "fastcgi_param", "grpc_set_header",
    "more_set_headers", "more_set_input_headers", "proxy_set_header",
    "scgi_param", "secure_link_md5", "secure_link_secret", "sentry_context",
    "sentry_tag", "set", "uwsgi_param"
};


/* What "bearer" and a blank are followed by in English. */

static const char *const  snx_scrub_bearers[] = {
    "and", "auth", "authentication", "authorization", "challenge",
    "credentials", "error", "format", "header", "in", "invalid", "is",
    "missing", "not", "of", "or", "realm", "required", "scheme", "token",
    "tokens", "was"
};


/* What may stand between "token" and the token. */

static const char *const  snx_scrub_fillers[] = {
    "id", "is", "set", "to", "value", "was"
};


static int snx_scrub_blank_like(snx_str_t s, const char *pattern);
static int snx_scrub_blank_harmless(snx_str_t command);
static int snx_scrub_blank_parameter(const snx_scrub_text_t *t,
    const unsigned char *p);
static int snx_scrub_blank_done(const snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_blank_arguments(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static int snx_scrub_blank_soft(const snx_scrub_word_t *w);
static int snx_scrub_blank_quoted(const snx_scrub_text_t *t,
    const unsigned char *p);


/* "name", "name*" or "*name". */

static int
snx_scrub_blank_like(snx_str_t s, const char *pattern)
{
    size_t  n;

    n = strlen(pattern);

    if (pattern[n - 1] == '*') {
        return s.len >= n - 1 && memcmp(s.data, pattern, n - 1) == 0;
    }

    if (pattern[0] == '*') {
        n--;
        return s.len >= n
               && memcmp(s.data + s.len - n, pattern + 1, n) == 0;
    }

    return s.len == n && memcmp(s.data, pattern, n) == 0;
}


static int
snx_scrub_blank_harmless(snx_str_t command)
{
    size_t  i;

    for (i = 0; i < snx_nelts(snx_scrub_harmless); i++) {
        if (snx_scrub_blank_like(command, snx_scrub_harmless[i])) {
            return 1;
        }
    }

    return 0;
}


/* name=value, as in "Bearer realm=x"; padded base64 is none. */

static int
snx_scrub_blank_parameter(const snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *name;

    name = p;

    while (p < t->line && (*p == '_' || (*p >= 'a' && *p <= 'z'))) {
        p++;
    }

    return p > name && t->line - p > 1 && p[0] == '=' && p[1] != '='
           && !snx_scrub_blank(p[1]);
}


/* Whether the value was filtered before. */

static int
snx_scrub_blank_done(const snx_scrub_text_t *t, const unsigned char *p)
{
    return snx_scrub_starts(p, t->end, SNX_FILTERED)
           && !snx_scrub_value_adheres(p + sizeof(SNX_FILTERED) - 1, t->end);
}


const unsigned char *
snx_scrub_blank_scheme(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    snx_str_t             name, next;
    const unsigned char  *end;

    name = snx_str(w->p, snx_scrub_len(w->p, w->end));

    if (w->strong || !w->spaced || snx_scrub_blank_parameter(t, w->value)
        || snx_scrub_blank_done(t, w->value))
    {
        return NULL;
    }

    end = snx_scrub_value_run(w->value, t->line);
    next = snx_str(w->value, snx_scrub_len(w->value, end));

    if (snx_scrub_is(name, "bearer")) {
        if (next.len == 0
            || snx_scrub_pair_among(next, snx_scrub_bearers,
                                    snx_nelts(snx_scrub_bearers)))
        {
            return NULL;
        }

    } else if (!(snx_scrub_is(name, "basic")
                 || snx_scrub_is(name, "negotiate")
                 || snx_scrub_is(name, "ntlm"))
               || !snx_scrub_value_like(w->value, end, 1))
    {
        return NULL;
    }

    snx_scrub_pair_key(t, w, w->value);

    return snx_scrub_pair_value(t, w->value);
}


/*
 * A statement's first word may be a key ("api_key abc;"), or its second
 * ("proxy_set_header X-Key abc;"; a variable only where it is set).
 */

const unsigned char *
snx_scrub_blank_directive(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int        known;
    snx_str_t  command;

    command = t->command;

    if (!w->spaced || w->strong || w->value >= t->line || t->words > 2
        || !(w->flags || snx_scrub_is(command, "secure_link_md5"))
        || snx_scrub_blank_harmless(command))
    {
        return NULL;
    }

    if (*w->p == '$' && t->words != 1 && !snx_scrub_blank_like(command, "set")
        && !snx_scrub_blank_like(command, "*_set"))
    {
        return NULL;
    }

    known = snx_scrub_pair_among(command, snx_scrub_directives,
                                 snx_nelts(snx_scrub_directives));

    return (t->statement || (known && !w->closed))
           ? snx_scrub_blank_arguments(t, w) : NULL;
}


/* All arguments up to ";", each in its quotes. */

static const unsigned char *
snx_scrub_blank_arguments(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    const unsigned char  *p;

    p = w->value;
    snx_scrub_pair_key(t, w, p);

    while (p < t->line && !snx_scrub_in(*p, ";{}")) {
        if (snx_scrub_blank(*p)) {
            snx_scrub_copy(t->out, p, p + 1);
            p++;

        } else if (snx_scrub_pair_quoted(p, t->line)) {
            p = snx_scrub_pair_quote(t, p);

        } else {
            snx_scrub_filtered(t->out);

            while (p < t->line && !snx_scrub_blank(*p) && *p != ';') {
                p += (*p == '\\' && p + 1 < t->line) ? 2 : 1;
            }
        }
    }

    return p;
}


const unsigned char *
snx_scrub_blank_prose(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int                   i, hard;
    snx_str_t             next;
    const unsigned char  *p, *end;

    p = w->value;
    hard = (w->flags & SNX_SCRUB_HARD) != 0;

    if (!w->spaced || w->value >= t->line || !(w->flags & SNX_SCRUB_WORD)
        || snx_scrub_blank_harmless(t->command) || snx_scrub_pair_error(w))
    {
        return NULL;
    }

    if (w->end[-1] == '.' || w->end[-1] == '!' || snx_scrub_in(*p, ";{}")) {
        return NULL;
    }

    if (snx_scrub_pair_quoted(p, t->end)) {
        if (!hard && snx_scrub_blank_soft(w)
            && !snx_scrub_blank_quoted(t, p))
        {
            return NULL;
        }

        snx_scrub_pair_key(t, w, p);
        return snx_scrub_pair_value(t, p);
    }

    for (i = 0; i < 3; i++) {
        end = snx_scrub_value_run(p, t->line);
        next = snx_str(p, snx_scrub_len(p, end));

        if ((snx_scrub_value_like(p, end, hard)
             && !snx_scrub_blank_parameter(t, p))
            || (*w->p == '-' && next.len != 0 && *p != '-'))
        {
            snx_scrub_pair_key(t, w, p);
            return snx_scrub_pair_value(t, p);
        }

        if (!snx_scrub_pair_among(next, snx_scrub_fillers,
                                  snx_nelts(snx_scrub_fillers)))
        {
            break;
        }

        for (p = end; p < t->line && snx_scrub_blank(*p); p++) { /* void */ }
    }

    return NULL;
}


/* "key" or "session", not "X-Api-Key": words that name much else. */

static int
snx_scrub_blank_soft(const snx_scrub_word_t *w)
{
    const unsigned char  *p;

    for (p = w->p; p < w->end && *p >= 'a' && *p <= 'z'; p++) {
        /* void */
    }

    return p == w->end;
}


static int
snx_scrub_blank_quoted(const snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *close;

    (void) snx_scrub_value_quoted(p, t->end, &close);

    while (*p == '\\') {
        p++;
    }

    return close == t->end || snx_scrub_value_like(p + 1, close, 0);
}
