
/*
 * Copyright (C) ngx_sentry authors
 *
 * Free text: log lines, configuration lines, headers, JSON.  One pass over
 * words; at each the question is whether it announces a secret, which is
 * answered in snx_scrub_pair.c.
 *
 * DESIGN.  After a sensitive word
 *
 *   - "=" and ":" always make a secret of what follows;
 *   - in a directive, "proxy_set_header X-Key abc;", so does a blank;
 *   - elsewhere a blank does when the next word does not look like English.
 */


#include "snx_scrub_parts.h"


/* How far "PRIVATE KEY" is looked for behind "BEGIN". */

#define SNX_SCRUB_PEM_MAX      40

/* Quotes and brackets between a word and its separator. */

#define SNX_SCRUB_CLOSERS_MAX  4


static const unsigned char *snx_scrub_text_next(snx_scrub_text_t *t,
    const unsigned char *p);
static void snx_scrub_text_line(snx_scrub_text_t *t, const unsigned char *p);
static int snx_scrub_text_letter(unsigned char c);
static const unsigned char *snx_scrub_text_slash(snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_text_url(snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_text_word(snx_scrub_text_t *t,
    const unsigned char *p);
static int snx_scrub_text_measure(snx_scrub_text_t *t, snx_scrub_word_t *w);
static const unsigned char *snx_scrub_text_blanks(const snx_scrub_text_t *t,
    const unsigned char *p);
static const unsigned char *snx_scrub_text_operator(const snx_scrub_text_t *t,
    snx_scrub_word_t *w, const unsigned char *p);
static int snx_scrub_text_pem(const unsigned char *p,
    const unsigned char *end);


size_t
snx_scrub_text(const snx_scrub_t *scrub, snx_str_t in, void *buf, size_t cap)
{
    snx_scrub_out_t       out;
    snx_scrub_text_t      t;
    const unsigned char  *p;

    snx_scrub_begin(&out, buf, cap);

    if (in.len == 0) {
        return 0;
    }

    memset(&t, 0, sizeof(t));

    t.scrub = scrub;
    t.out = &out;
    t.start = in.data;
    t.end = in.data + in.len;

    snx_scrub_text_line(&t, t.start);

    for (p = t.start; p < t.end && !out.full; /* void */ ) {
        p = snx_scrub_text_next(&t, p);
    }

    return snx_scrub_len(out.start, out.pos);
}


static const unsigned char *
snx_scrub_text_next(snx_scrub_text_t *t, const unsigned char *p)
{
    if (p > t->line) {
        snx_scrub_text_line(t, p);
    }

    if (p == t->line) {
        snx_scrub_copy(t->out, p, p + 1);
        snx_scrub_text_line(t, p + 1);
        return p + 1;
    }

    if (*p == '/' || snx_scrub_starts(p, t->end, "\\/")) {
        return snx_scrub_text_slash(t, p);
    }

    if (snx_scrub_text_letter(*p)) {
        return snx_scrub_text_word(t, p);
    }

    if (snx_scrub_in(*p, ";{}")) {
        t->words = 0;

    } else if (!snx_scrub_blank(*p) && !snx_scrub_in(*p, "\"'`<>#|,")) {
        t->fresh = 0;
    }

    snx_scrub_copy(t->out, p, p + 1);

    return p + 1;
}


/* A line of directives has a ";" behind which nothing more is said. */

static void
snx_scrub_text_line(snx_scrub_text_t *t, const unsigned char *p)
{
    int  last;

    t->fresh = (p == t->start || p[-1] == '\n' || p[-1] == '\r');
    t->words = 0;
    t->statement = 0;
    last = 0;

    for ( /* void */ ; p < t->end && *p != '\n' && *p != '\r'; p++) {
        if (last == ';' && (*p == '#' || *p == '}')) {
            t->statement = 1;
        }

        if (!snx_scrub_blank(*p)) {
            last = *p;
        }
    }

    if (last == ';' || last == '{') {
        t->statement = 1;
    }

    t->line = p;
}


/* What words are made of: all but blanks and punctuation of any syntax. */

static int
snx_scrub_text_letter(unsigned char c)
{
    return c > ' ' && c != 0x7f && !snx_scrub_in(c, "&;,?#@\"'(){}<>/\\=:|`");
}


/* A path, or "//" with userinfo; else "//" may begin a comment. */

static const unsigned char *
snx_scrub_text_slash(snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *host, *end, *at;

    host = snx_scrub_host(p, t->end);

    if (host == NULL) {
        return snx_scrub_text_url(t, p);
    }

    snx_scrub_copy(t->out, p, host);

    end = snx_scrub_value_url(t, p);

    if (end <= host || snx_scrub_user(host, end, "/?#") == NULL) {
        return host;
    }

    snx_scrub_filtered(t->out);

    for (at = end; at > host; at--) {
        if (at[-1] == '@') {
            return at - 1;
        }
    }

    return end;
}


static const unsigned char *
snx_scrub_text_url(snx_scrub_text_t *t, const unsigned char *p)
{
    const unsigned char  *end;

    end = snx_scrub_value_url(t, p);

    t->fresh = 0;
    snx_scrub_write_url(t->scrub, t->out, p, end);

    return end;
}


static const unsigned char *
snx_scrub_text_word(snx_scrub_text_t *t, const unsigned char *p)
{
    snx_scrub_word_t      w;
    const unsigned char  *next;

    memset(&w, 0, sizeof(w));

    w.p = p;

    if (snx_scrub_host(p, t->end) != NULL || snx_scrub_text_measure(t, &w)) {
        return snx_scrub_text_url(t, p);
    }

    snx_scrub_text_separator(t, &w);

    next = snx_scrub_field(t, &w);

    if (next == NULL) {
        next = snx_scrub_pair_strong(t, &w);
    }

    if (next == NULL) {
        next = snx_scrub_pair_user(t, &w);
    }

    if (next == NULL) {
        next = snx_scrub_blank_directive(t, &w);
    }

    if (next == NULL) {
        next = snx_scrub_blank_scheme(t, &w);
    }

    if (next == NULL) {
        next = snx_scrub_blank_prose(t, &w);
    }

    return (next == NULL) ? snx_scrub_text_plain(t, &w) : next;
}


/*
 * Finds the end of the word, or of the path without a leading "/" that it
 * begins; returns 1 when that has parameters: then it is a URL.
 */

static int
snx_scrub_text_measure(snx_scrub_text_t *t, snx_scrub_word_t *w)
{
    int                   known, name;
    const unsigned char  *p, *end;

    known = 0;
    name = 1;

    for (p = w->p; p < t->end && snx_scrub_text_letter(*p); p++) {
        known |= snx_scrub_alnum(*p) || *p >= 0x80;
        name &= (*p >= 'a' && *p <= 'z') || *p == '_' || snx_scrub_digit(*p);
    }

    w->end = p;

    if (snx_scrub_starts(p, t->end, "/")
        || snx_scrub_starts(p, t->end, "\\/"))
    {
        end = snx_scrub_value_url(t, w->p);

        for (w->path = 1; p < end && *p != ':'; p++) {
            if (snx_scrub_in(*p, "?#=&;")) {
                return 1;
            }

            if (snx_scrub_starts(p, end, "//")
                || snx_scrub_starts(p, end, "\\/\\/"))
            {
                break;
            }
        }

        w->end = p;
    }

    w->flags = snx_scrub_flags(t->scrub, w->p, w->end);
    w->fresh = t->fresh;

    if (known) {
        t->fresh = 0;

        if (t->words++ == 0) {
            t->command = snx_str(w->p, name ? snx_scrub_len(w->p, w->end) : 0);
        }
    }

    return 0;
}


/* Quotes and brackets, blanks, the separator, blanks. */

void
snx_scrub_text_separator(const snx_scrub_text_t *t, snx_scrub_word_t *w)
{
    size_t                n;
    unsigned char         before;
    const unsigned char  *p, *op;

    before = (w->p > t->start) ? w->p[-1] : 0;
    p = w->end;

    for (n = 0; p < t->end && n < SNX_SCRUB_CLOSERS_MAX; n++) {
        if (!snx_scrub_in(*p, "\\\"'`])")) {
            break;
        }

        w->closed |= (snx_scrub_quote(*p) != 0);
        p++;
    }

    w->quote = (snx_scrub_quote(before) && !w->closed) ? before : 0;

    if (p == w->end && p < t->end && *p == '>'
        && (before == '<' || before == ':'))
    {
        w->tag = 1;
        w->strong = 1;
        w->value = p + 1;
        return;
    }

    op = snx_scrub_text_blanks(t, p);
    w->value = snx_scrub_text_operator(t, w, op);
    w->strong = (w->value != op);
    w->spaced = (op != p);

    p = w->value;
    w->value = snx_scrub_text_blanks(t, p);
    w->spaced |= (w->value != p);
}


static const unsigned char *
snx_scrub_text_blanks(const snx_scrub_text_t *t, const unsigned char *p)
{
    while (p < t->end && snx_scrub_blank(*p)) {
        p++;
    }

    return p;
}


/* Skips "=", "==", "=>", "!=", "~*", ":=" and the like; not "::". */

static const unsigned char *
snx_scrub_text_operator(const snx_scrub_text_t *t, snx_scrub_word_t *w,
    const unsigned char *p)
{
    int                   match;
    const unsigned char  *start;

    start = p;
    match = 0;

    while (p < t->end && p < start + 3 && snx_scrub_in(*p, "!~*+")) {
        match |= (*p == '~');
        p++;
    }

    if (p < t->end && *p == '=') {
        p++;
        return (p < t->end && snx_scrub_in(*p, "=>~")) ? p + 1 : p;
    }

    if (p < t->end && *p == ':' && !snx_scrub_starts(p, t->end, "::")) {
        w->colon = 1;
        p++;
        return (p < t->end && *p == '=') ? p + 1 : p;
    }

    return match ? p : start;
}


/* What is not a pair may still be a token, or hide a pair. */

const unsigned char *
snx_scrub_text_plain(snx_scrub_text_t *t, const snx_scrub_word_t *w)
{
    if (w->path) {
        snx_scrub_write_url(t->scrub, t->out, w->p, w->end);
        return w->end;
    }

    if (snx_scrub_ends(w->p, w->end, "-----BEGIN")
        && snx_scrub_text_pem(w->end, t->end))
    {
        snx_scrub_filtered(t->out);
        return t->end;
    }

    if (snx_scrub_shape(w->p, w->end) != w->end
        || (snx_scrub_seek(w->p, w->end, '%') != w->end
            && snx_scrub_found(t->scrub, w->p, w->end)))
    {
        snx_scrub_filtered(t->out);

    } else {
        snx_scrub_copy(t->out, w->p, w->end);
    }

    return w->end;
}


/* " RSA PRIVATE KEY-----": then nothing more of the text is told. */

static int
snx_scrub_text_pem(const unsigned char *p, const unsigned char *end)
{
    size_t  n;

    for (n = 0; p < end && n < SNX_SCRUB_PEM_MAX; n++, p++) {
        if (snx_scrub_starts(p, end, "PRIVATE KEY")) {
            return 1;
        }
    }

    return 0;
}
