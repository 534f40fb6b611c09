
/*
 * Copyright (C) ngx_sentry authors
 *
 * Words of free text that make a secret of what follows them: keys with a
 * separator, directives, authentication schemes, and English that says
 * "token abc123".
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


static const char *const  snx_scrub_schemes[] = {
    "apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "hmac", "jwt",
    "key", "negotiate", "ntlm", "token"
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


static int snx_scrub_pair_among(snx_str_t s, const char *const *texts,
    size_t n);
static int snx_scrub_pair_like(snx_str_t s, const char *pattern);
static int snx_scrub_pair_harmless(snx_str_t command);
static void snx_scrub_pair_key(snx_scrub_text_t *t,
    const snx_scrub_word_t *w, const unsigned char *value);
static int snx_scrub_pair_header(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static int snx_scrub_pair_weak(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static int snx_scrub_pair_behind(const snx_scrub_text_t *t,
    const unsigned char *p, const char *text);
static int snx_scrub_pair_port(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static const unsigned char *snx_scrub_pair_value(snx_scrub_text_t *t,
    const unsigned char *p);
static void snx_scrub_pair_filtered(snx_scrub_text_t *t,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *snx_scrub_pair_write(snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_pair_chain(snx_scrub_text_t *t,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *snx_scrub_pair_extent(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static const unsigned char *snx_scrub_pair_run(const unsigned char *p,
    const unsigned char *end);
static int snx_scrub_pair_quoted(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *snx_scrub_pair_quote(snx_scrub_text_t *t,
    const unsigned char *p);
static int snx_scrub_pair_parameter(const snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_pair_arguments(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static const unsigned char *snx_scrub_pair_prose(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);


static int
snx_scrub_pair_among(snx_str_t s, const char *const *texts, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (snx_scrub_is(s, texts[i])) {
            return 1;
        }
    }

    return 0;
}


/* "name", "name*" or "*name". */

static int
snx_scrub_pair_like(snx_str_t s, const char *pattern)
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
snx_scrub_pair_harmless(snx_str_t command)
{
    size_t  i;

    for (i = 0; i < snx_nelts(snx_scrub_harmless); i++) {
        if (snx_scrub_pair_like(command, snx_scrub_harmless[i])) {
            return 1;
        }
    }

    return 0;
}


/* Writes the word and what separates it from its value. */

static void
snx_scrub_pair_key(snx_scrub_text_t *t, const snx_scrub_word_t *w,
    const unsigned char *value)
{
    (void) snx_scrub_text_plain(t, w);
    snx_scrub_copy(t->out, w->end, value);
}


const unsigned char *
snx_scrub_pair_strong(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    const unsigned char  *end;

    if (!w->strong || w->value == t->end || snx_scrub_pair_weak(t, w)) {
        return NULL;
    }

    if (w->flags == 0
        && (t->scrub->pii || !snx_scrub_identifies(w->p, w->end)))
    {
        return NULL;
    }

    snx_scrub_pair_key(t, w, w->value);

    end = snx_scrub_pair_extent(t, w);

    if (end == NULL) {
        return snx_scrub_pair_value(t, w->value);
    }

    snx_scrub_pair_filtered(t, w->value, end);

    return snx_scrub_pair_chain(t, w->value, end);
}


/*
 * In place of p..end; lines stay apart, for a line is read differently when
 * it ends differently.
 */

static void
snx_scrub_pair_filtered(snx_scrub_text_t *t, const unsigned char *p,
    const unsigned char *end)
{
    const unsigned char  *line;

    if (p == end) {
        return;
    }

    snx_scrub_filtered(t->out);

    line = snx_scrub_any(p, end, "\r\n");

    if (line != end) {
        snx_scrub_copy(t->out, line, line + 1);
    }
}


/* Writes a quoted value or a run. */

static const unsigned char *
snx_scrub_pair_value(snx_scrub_text_t *t, const unsigned char *p)
{
    return snx_scrub_pair_chain(t, p, snx_scrub_pair_write(t, p));
}


static const unsigned char *
snx_scrub_pair_write(snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *end;

    if (snx_scrub_pair_quoted(p, t->end)) {
        return snx_scrub_pair_quote(t, p);
    }

    end = snx_scrub_pair_run(p, t->end);
    snx_scrub_pair_filtered(t, p, end);

    return end;
}


/*
 * A value p..end that has a sensitive word and is followed by a separator,
 * "token Api-Key: abc", has a value of its own.
 */

static const unsigned char *
snx_scrub_pair_chain(snx_scrub_text_t *t, const unsigned char *p,
    const unsigned char *end)
{
    snx_scrub_word_t  w;

    while (end < t->end && snx_scrub_flags(t->scrub, p, end)) {
        memset(&w, 0, sizeof(w));

        w.p = p;
        w.end = end;

        snx_scrub_text_separator(t, &w);

        if (!w.strong || w.value <= end) {
            break;
        }

        snx_scrub_copy(t->out, end, w.value);

        p = w.value;
        end = snx_scrub_pair_write(t, p);
    }

    return end;
}


/* Whether ":" is none of a key: of a port, or in an OpenSSL message. */

static int
snx_scrub_pair_weak(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    return w->colon && !w->closed
           && (snx_scrub_pair_port(t, w)
               || snx_scrub_pair_behind(t, w->p, " routines:")
               || snx_scrub_pair_behind(t, w->p, " library:"));
}


static int
snx_scrub_pair_behind(const snx_scrub_text_t *t, const unsigned char *p,
    const char *text)
{
    size_t  n;

    n = strlen(text);

    return snx_scrub_len(t->start, p) >= n && memcmp(p - n, text, n) == 0;
}


static int
snx_scrub_pair_port(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    size_t                i, n;
    const unsigned char  *p;

    static const char *const  before[] = {
        "//", " to ", "host: ", "server ", "upstream ", "upstream: "
    };

    for (p = w->value, n = 0; p < t->end && snx_scrub_digit(*p); p++) {
        n++;
    }

    if (w->spaced || n == 0 || n > 5
        || (p < t->end && (snx_scrub_alnum(*p) || snx_scrub_in(*p, "-_.+@"))))
    {
        return 0;
    }

    p = w->quote ? w->p - 1 : w->p;

    for (i = 0; i < snx_nelts(before); i++) {
        if (snx_scrub_pair_behind(t, p, before[i])) {
            return 1;
        }
    }

    return 0;
}


/* A header that is one secret up to the end of its line. */

static int
snx_scrub_pair_header(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    size_t     i, n;
    snx_str_t  name;

    static const char *const  names[] = {
        "authorization", "cookie", "cookie2", "cookies"
    };

    if (w->closed || !(w->colon || w->fresh)) {
        return 0;
    }

    for (i = 0; i < snx_nelts(names); i++) {
        n = strlen(names[i]);
        name = snx_str(w->end - n, n);

        if (snx_scrub_len(w->p, w->end) >= n && snx_scrub_is(name, names[i])) {
            return 1;
        }
    }

    return w->flags == 0 && snx_scrub_identifies(w->p, w->end)
           && !t->scrub->pii;
}


/* Where the value ends; NULL when that is up to the value itself. */

static const unsigned char *
snx_scrub_pair_extent(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int                   line;
    const unsigned char  *p;

    p = w->value;
    line = w->fresh && !w->closed && !w->quote && (w->colon || w->spaced);

    if (w->tag) {
        return snx_scrub_seek(p, t->end, '<');
    }

    if (snx_scrub_pair_header(t, w)) {
        return (w->quote == '"') ? snx_scrub_value_field(p, t->end)
                                 : snx_scrub_value_line(p, t->end);
    }

    if (snx_scrub_pair_quoted(p, t->end)) {
        return NULL;
    }

    if (w->quote) {
        return snx_scrub_value_open(p, t->end, w->quote);
    }

    if (*p == '{' || *p == '[') {
        p = snx_scrub_value_nested(p, t->end);

        return line ? snx_scrub_value_line(p, t->end) : p;
    }

    return line ? snx_scrub_value_line(p, t->end) : NULL;
}


/* A run, two when the first names an authentication scheme. */

static const unsigned char *
snx_scrub_pair_run(const unsigned char *p, const unsigned char *end)
{
    snx_str_t             scheme;
    const unsigned char  *last;

    last = snx_scrub_value_run(p, end);
    scheme = snx_str(p, snx_scrub_len(p, last));

    if (last == end || !snx_scrub_blank(*last)
        || !snx_scrub_pair_among(scheme, snx_scrub_schemes,
                                 snx_nelts(snx_scrub_schemes)))
    {
        return last;
    }

    for (p = last; p < end && snx_scrub_blank(*p); p++) { /* void */ }

    end = snx_scrub_value_run(p, end);

    return (end == p) ? last : end;
}


/* Whether a quoted value begins at p, its quote perhaps escaped. */

static int
snx_scrub_pair_quoted(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p == '\\') {
        p++;
    }

    return p < end && snx_scrub_quote(*p);
}


/* Writes the quotes of p, filtered inside. */

static const unsigned char *
snx_scrub_pair_quote(snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *open, *close, *end;

    end = snx_scrub_value_quoted(p, t->end, &close);

    for (open = p; *open == '\\'; open++) { /* void */ }

    open++;
    snx_scrub_copy(t->out, p, open);

    snx_scrub_pair_filtered(t, open, close);
    snx_scrub_copy(t->out, close, end);

    return end;
}


/* Many words may stand before the same "@", which is looked for once. */

const unsigned char *
snx_scrub_pair_user(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    const unsigned char  *p;

    if (w->path || !w->colon || w->spaced || w->value != w->end + 1
        || snx_scrub_done(w->p, w->end))
    {
        return NULL;
    }

    if (t->at <= w->value) {
        for (p = w->value; p < t->end && *p != '@'; p++) {
            if (snx_scrub_space(*p) || snx_scrub_quote(*p)
                || snx_scrub_in(*p, "/<>"))
            {
                break;
            }
        }

        t->at = p;
    }

    if (t->at == t->end || *t->at != '@' || t->at == w->value) {
        return NULL;
    }

    snx_scrub_filtered(t->out);

    return t->at;
}


/* name=value, as in "Bearer realm=x"; padded base64 is none. */

static int
snx_scrub_pair_parameter(const snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *name;

    name = p;

    while (p < t->line && (*p == '_' || (*p >= 'a' && *p <= 'z'))) {
        p++;
    }

    return p > name && t->line - p > 1 && p[0] == '=' && p[1] != '='
           && !snx_scrub_blank(p[1]);
}


const unsigned char *
snx_scrub_pair_scheme(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    snx_str_t             name, next;
    const unsigned char  *end;

    name = snx_str(w->p, snx_scrub_len(w->p, w->end));

    if (w->strong || !w->spaced || snx_scrub_pair_parameter(t, w->value)) {
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
snx_scrub_pair_blank(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int        statement;
    snx_str_t  command;

    command = t->command;

    if (!w->spaced || w->value >= t->line || snx_scrub_pair_harmless(command)
        || snx_scrub_pair_port(t, w))
    {
        return NULL;
    }

    statement = t->statement
                || (!w->closed
                    && snx_scrub_pair_among(command, snx_scrub_directives,
                                            snx_nelts(snx_scrub_directives)));

    if (statement && t->words <= 2 && !w->strong
        && (w->flags || snx_scrub_is(command, "secure_link_md5"))
        && (*w->p != '$' || t->words == 1 || snx_scrub_pair_like(command, "set")
            || snx_scrub_pair_like(command, "*_set")))
    {
        return snx_scrub_pair_arguments(t, w);
    }

    return (w->flags & SNX_SCRUB_WORD) ? snx_scrub_pair_prose(t, w) : NULL;
}


/* All arguments up to ";", each in its quotes. */

static const unsigned char *
snx_scrub_pair_arguments(snx_scrub_text_t *t, const snx_scrub_word_t *w)
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


static const unsigned char *
snx_scrub_pair_prose(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    int                   i, hard;
    snx_str_t             next;
    const unsigned char  *p, *end;

    p = w->value;
    hard = (w->flags & SNX_SCRUB_HARD) != 0;

    if (w->end[-1] == '.' || w->end[-1] == '!' || snx_scrub_in(*p, ";{}")) {
        return NULL;
    }

    if (snx_scrub_pair_quoted(p, t->end)) {
        if (snx_scrub_pair_behind(t, w->end, "certificate key")) {
            return NULL;
        }

        snx_scrub_pair_key(t, w, p);
        return snx_scrub_pair_value(t, p);
    }

    for (i = 0; i < 3; i++) {
        end = snx_scrub_value_run(p, t->line);
        next = snx_str(p, snx_scrub_len(p, end));

        if ((snx_scrub_value_like(p, end, hard)
             && !snx_scrub_pair_parameter(t, p))
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
