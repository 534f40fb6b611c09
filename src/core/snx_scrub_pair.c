
/*
 * Copyright (C) ngx_sentry authors
 *
 * Keys of free text with a separator behind them, and how their values are
 * written.
 */


#include "snx_scrub_parts.h"


#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


static const char *const  snx_scrub_schemes[] = {
    "apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "hmac", "jwt",
    "key", "negotiate", "ntlm", "token"
};


static int snx_scrub_pair_header(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static int snx_scrub_pair_weak(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
static int snx_scrub_pair_quotes(const snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
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


int
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


void
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

    if (w->flags == 0 && !snx_scrub_pair_quotes(t, w)
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

const unsigned char *
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


/*
 * Whether ":" is none of a key: of a port or a line number, in an OpenSSL
 * message, behind the name of an exception.
 */

static int
snx_scrub_pair_weak(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    return w->colon && !w->closed
           && (snx_scrub_pair_port(t, w) || snx_scrub_pair_error(w)
               || snx_scrub_source(w->p, w->end, w->value, t->end)
               || snx_scrub_pair_behind(t, w->p, " routines:")
               || snx_scrub_pair_behind(t, w->p, " library:"));
}


int
snx_scrub_pair_error(const snx_scrub_word_t *w)
{
    const unsigned char  *p;

    for (p = w->p; p < w->end && (snx_scrub_alnum(*p) || *p == '.'); p++) {
        /* void */
    }

    return w->colon && p == w->end && snx_scrub_shape(w->p, p) == p
           && (snx_scrub_ends(w->p, p, "Error")
               || snx_scrub_ends(w->p, p, "Exception")
               || snx_scrub_ends(w->p, p, "Warning"));
}


/* ModSecurity's "(Value: `abc' )": what a parameter had, any parameter. */

static int
snx_scrub_pair_quotes(const snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    return w->value < t->end && *w->value == '`' && w->colon
           && snx_scrub_pair_behind(t, w->end, "(Value");
}


int
snx_scrub_pair_behind(const snx_scrub_text_t *t, const unsigned char *p,
    const char *text)
{
    size_t  n;

    n = strlen(text);

    return snx_scrub_len(t->start, p) >= n && memcmp(p - n, text, n) == 0;
}


int
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
    size_t  i, n;

    static const char *const  names[] = {
        "authorization", "cookie", "cookie2", "cookies"
    };

    if (w->closed || !(w->colon || w->fresh)) {
        return 0;
    }

    for (i = 0; i < snx_nelts(names); i++) {
        n = strlen(names[i]);

        if (snx_scrub_len(w->p, w->end) >= n
            && snx_scrub_is(snx_str(w->end - n, n), names[i]))
        {
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


/* A run, and one more behind the name of an authentication scheme. */

static const unsigned char *
snx_scrub_pair_run(const unsigned char *p, const unsigned char *end)
{
    snx_str_t             run;
    const unsigned char  *last, *next;

    for ( ;; ) {
        last = snx_scrub_value_run(p, end);
        run = snx_str(p, snx_scrub_len(p, last));

        for (p = last; p < end && snx_scrub_blank(*p); p++) { /* void */ }

        if (p == last || p == end
            || !snx_scrub_pair_among(run, snx_scrub_schemes,
                                     snx_nelts(snx_scrub_schemes)))
        {
            return last;
        }

        next = snx_scrub_value_run(p, end);

        if (next == p) {
            return last;
        }
    }
}


int
snx_scrub_pair_quoted(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p == '\\') {
        p++;
    }

    return p < end && snx_scrub_quote(*p);
}


/* Writes the quotes of p, filtered inside. */

const unsigned char *
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
