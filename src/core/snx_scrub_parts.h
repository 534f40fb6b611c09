
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the files of the filter share; for snx_scrub*.c alone.  Who uses whom:
 *
 *   snx_scrub_text.c   free text, word by word
 *        |
 *   snx_scrub_field.c, snx_scrub_pair.c, snx_scrub_blank.c
 *        |             what a word makes secret
 *        |                  (snx_scrub_value.c: where that ends)
 *   snx_scrub_url.c    URLs, queries       (snx_scrub_path.c: paths)
 *        |
 *   snx_scrub_find.c   does this piece hide a secret?
 *        |
 *   snx_scrub.c        the deny list
 *
 * Bytes are looked at as characters behind up to SNX_SCRUB_LEVELS layers of
 * percent-encoding, whatever the mixture: "%2574oken" reads "token".
 */


#ifndef SNX_SCRUB_PARTS_H_INCLUDED
#define SNX_SCRUB_PARTS_H_INCLUDED


#include "snx_scrub.h"


#define SNX_SCRUB_LEVELS       3

/* What snx_scrub_flags() says of a key. */

#define SNX_SCRUB_ANY          0x01    /* its value is secret */
#define SNX_SCRUB_WORD         0x02    /* a term is a word: "X-Auth", "keys" */
#define SNX_SCRUB_HARD         0x04    /* and one that is rarely harmless */


/*
 * Output that stops for good at the first thing that does not fit: plain
 * bytes may be cut anywhere, SNX_FILTERED is written whole or not at all.
 */

typedef struct {
    unsigned char  *start;
    unsigned char  *pos;
    unsigned char  *end;
    unsigned        full:1;
} snx_scrub_out_t;


static inline int
snx_scrub_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


static inline int
snx_scrub_upper(unsigned char c)
{
    return c >= 'A' && c <= 'Z';
}


static inline int
snx_scrub_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || snx_scrub_upper(c);
}


static inline int
snx_scrub_alnum(unsigned char c)
{
    return snx_scrub_alpha(c) || snx_scrub_digit(c);
}


static inline unsigned char
snx_scrub_lower(unsigned char c)
{
    return snx_scrub_upper(c) ? (unsigned char) (c | 0x20) : c;
}


static inline int
snx_scrub_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}


static inline int
snx_scrub_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}


static inline int
snx_scrub_quote(unsigned char c)
{
    return c == '"' || c == '\'' || c == '`';
}


/* Characters of an opaque token: base64url. */

static inline int
snx_scrub_b64(unsigned char c)
{
    return snx_scrub_alnum(c) || c == '-' || c == '_';
}


static inline size_t
snx_scrub_len(const unsigned char *p, const unsigned char *end)
{
    return (size_t) (end - p);
}


/* Whether c, not NUL, is in the set. */

static inline int
snx_scrub_in(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}


/* Whether s is the lower-case text; ASCII letters of either case match. */

static inline int
snx_scrub_is(snx_str_t s, const char *text)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (snx_scrub_lower(s.data[i]) != (unsigned char) text[i]
            || text[i] == '\0')
        {
            return 0;
        }
    }

    return text[i] == '\0';
}


/* First c in p..end, or end. */

static inline const unsigned char *
snx_scrub_seek(const unsigned char *p, const unsigned char *end, int c)
{
    const unsigned char  *found;

    found = (p < end) ? memchr(p, c, snx_scrub_len(p, end)) : NULL;

    return (found == NULL) ? end : found;
}


/* Whether p..end begins with the literal, in that very case. */

#define snx_scrub_starts(p, end, lit)                                         \
    (snx_scrub_len(p, end) >= sizeof(lit) - 1                                 \
     && memcmp(p, lit, sizeof(lit) - 1) == 0)

/* Whether p..end ends with the literal. */

#define snx_scrub_ends(p, end, lit)                                           \
    (snx_scrub_len(p, end) >= sizeof(lit) - 1                                 \
     && memcmp((end) - (sizeof(lit) - 1), lit, sizeof(lit) - 1) == 0)

/*
 * Whether some of p..end was filtered before.  Guesses from the length or
 * the looks of the rest would differ from those of the first time.
 */

static inline int
snx_scrub_done(const unsigned char *p, const unsigned char *end)
{
    for ( /* void */ ; p < end; p++) {
        if (*p == '[' && snx_scrub_starts(p, end, SNX_FILTERED)) {
            return 1;
        }
    }

    return 0;
}


/*
 * The deny list (snx_scrub.c).
 */

/*
 * Reads the character at p (p < end) behind its percent-encoding; returns
 * how many bytes it takes.
 */
size_t snx_scrub_unquote(const unsigned char *p, const unsigned char *end,
    unsigned char *c);


static inline size_t
snx_scrub_char(const unsigned char *p, const unsigned char *end,
    unsigned char *c)
{
    if (*p != '%') {
        *c = *p;
        return 1;
    }

    return snx_scrub_unquote(p, end, c);
}


/*
 * How many bytes the lower-case term takes at p, 0 when it is not there.
 * "+" reads as a blank, "_" also as "-".  *last is set to the last character.
 */
size_t snx_scrub_at(const unsigned char *p, const unsigned char *end,
    snx_str_t term, unsigned char *last);

/* Flags of the terms that begin at p; prev stands before it, 0 nothing. */
unsigned snx_scrub_term(const snx_scrub_t *scrub, unsigned char prev,
    const unsigned char *p, const unsigned char *end);

/* Flags of all terms in a key. */
unsigned snx_scrub_flags(const snx_scrub_t *scrub, const unsigned char *p,
    const unsigned char *end);

/* Whether a header of that name tells who the user is. */
int snx_scrub_identifies(const unsigned char *p, const unsigned char *end);


/*
 * Hidden secrets (snx_scrub_find.c).
 */

/* Where a token of a well-known shape (JWT, ghp_...) begins, or end. */
const unsigned char *snx_scrub_shape(const unsigned char *p,
    const unsigned char *end);

/*
 * Whether p..end, the value of a harmless key, hides a secret behind any
 * encoding: a token of known shape, a sensitive key with a value, userinfo,
 * credentials of an authentication scheme.
 */
int snx_scrub_found(const snx_scrub_t *scrub, const unsigned char *p,
    const unsigned char *end);

/* Whether name ends with a source file's extension and a number is at line. */
int snx_scrub_source(const unsigned char *p, const unsigned char *name,
    const unsigned char *line, const unsigned char *end);

/* The last "@", percent-encoded or not, or NULL. */
const unsigned char *snx_scrub_last_at(const unsigned char *p,
    const unsigned char *end);


/*
 * Writing, URLs and queries (snx_scrub_url.c), paths (snx_scrub_path.c).
 */

void snx_scrub_begin(snx_scrub_out_t *out, void *buf, size_t cap);
void snx_scrub_copy(snx_scrub_out_t *out, const unsigned char *p,
    const unsigned char *end);
void snx_scrub_filtered(snx_scrub_out_t *out);

void snx_scrub_write_url(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end);

void snx_scrub_write_path(const snx_scrub_t *scrub, snx_scrub_out_t *out,
    const unsigned char *p, const unsigned char *end);

/* Where the host of the URL at p begins; NULL when it is none with a host. */
const unsigned char *snx_scrub_host(const unsigned char *p,
    const unsigned char *end);

/*
 * The "@" that ends the userinfo at p; the host's end when that was cut off
 * before its "@"; NULL when there is none.  A host ends at one of stop.
 */
const unsigned char *snx_scrub_user(const unsigned char *p,
    const unsigned char *end, const char *stop);

/* host[:port] with what stands before "@"; returns where it ended. */
const unsigned char *snx_scrub_write_host(const snx_scrub_t *scrub,
    snx_scrub_out_t *out, const unsigned char *p, const unsigned char *end,
    const char *stop);

/* Where the value of a query parameter ends; secret: of a sensitive key. */
const unsigned char *snx_scrub_query_value(const unsigned char *p,
    const unsigned char *end, int secret);

/* Whether p..end is a URL's scheme with its colon. */
int snx_scrub_scheme(const unsigned char *p, const unsigned char *end);

/* First of a set of characters in p..end, or end. */
const unsigned char *snx_scrub_any(const unsigned char *p,
    const unsigned char *end, const char *set);


/*
 * Free text and a word of it, perhaps with path segments before it
 * (snx_scrub_text.c).
 */

typedef struct {
    const snx_scrub_t    *scrub;
    snx_scrub_out_t      *out;
    const unsigned char  *start;
    const unsigned char  *end;
    const unsigned char  *line;        /* end of the current line */
    const unsigned char  *at;          /* next "@" or end of a user name */
    const unsigned char  *run;         /* end of the URL that was looked at */
    snx_str_t             command;     /* first word of the statement */
    size_t                words;       /* of the statement so far */
    unsigned              statement:1; /* the line looks like directives */
    unsigned              fresh:1;     /* nothing but marks in it yet */
} snx_scrub_text_t;

typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    const unsigned char  *value;       /* behind separator and blanks */
    unsigned              flags;
    unsigned char         quote;       /* stands before it, not after it */
    unsigned              path:1;
    unsigned              fresh:1;     /* first in its line */
    unsigned              closed:1;    /* a quote stands after it */
    unsigned              spaced:1;    /* blanks separate it from value */
    unsigned              strong:1;    /* "=" or ":" does */
    unsigned              colon:1;     /* ":" does */
    unsigned              tag:1;       /* <word>value< */
} snx_scrub_word_t;


/*
 * Values in free text (snx_scrub_value.c): where one ends.
 */

/* Whether the character at p continues the value that a quote closed. */
int snx_scrub_value_adheres(const unsigned char *p, const unsigned char *end);

/* After the quote that closes the one at p, or end; *close is its place. */
const unsigned char *snx_scrub_value_quoted(const unsigned char *p,
    const unsigned char *end, const unsigned char **close);

/* A run without blanks, trailing punctuation left out. */
const unsigned char *snx_scrub_value_run(const unsigned char *p,
    const unsigned char *end);

/* As above, for URLs: "&" and "," are part of them. */
const unsigned char *snx_scrub_value_url(snx_scrub_text_t *t,
    const unsigned char *p);

/* Up to a quote that closes what the text has opened, or the line's end. */
const unsigned char *snx_scrub_value_open(const unsigned char *p,
    const unsigned char *end, unsigned char quote);

/* {...} or [...], then what adheres to it. */
const unsigned char *snx_scrub_value_nested(const unsigned char *p,
    const unsigned char *end);

/* The rest of the line, without the ", client: ..." that nginx appends. */
const unsigned char *snx_scrub_value_line(const unsigned char *p,
    const unsigned char *end);

/* The quote that ends a field such as request: "..." of an nginx line. */
const unsigned char *snx_scrub_value_field(const unsigned char *p,
    const unsigned char *end);

/* Whether p..end looks like no English, behind a hard word or another. */
int snx_scrub_value_like(const unsigned char *p, const unsigned char *end,
    int hard);


/* Writes the word, filtered when it is a secret; returns where it ended. */
const unsigned char *snx_scrub_text_plain(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);

/* Sets what is known of the characters around w->p..w->end. */
void snx_scrub_text_separator(const snx_scrub_text_t *t,
    snx_scrub_word_t *w);


/*
 * Each writes the word and the secret that it announces and returns where
 * that ended, or writes nothing and returns NULL when there is none.
 *
 *   field      what nginx appends: client: 1.2.3.4, request: "..."
 *   strong     a sensitive word with "=" or ":"
 *   user       user:password@host
 *   directive  a sensitive word in a directive
 *   scheme     "Bearer abc" and the like
 *   prose      a sensitive word in English
 */
const unsigned char *snx_scrub_field(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
const unsigned char *snx_scrub_pair_strong(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
const unsigned char *snx_scrub_pair_user(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
const unsigned char *snx_scrub_blank_directive(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
const unsigned char *snx_scrub_blank_scheme(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);
const unsigned char *snx_scrub_blank_prose(snx_scrub_text_t *t,
    const snx_scrub_word_t *w);


/*
 * Of pairs (snx_scrub_pair.c).
 */

/* Whether s is one of n texts in lower case. */
int snx_scrub_pair_among(snx_str_t s, const char *const *texts, size_t n);

/* Whether the text stands before p. */
int snx_scrub_pair_behind(const snx_scrub_text_t *t, const unsigned char *p,
    const char *text);

/* Whether the word is a host and its value a port; an exception's name. */
int snx_scrub_pair_port(const snx_scrub_text_t *t, const snx_scrub_word_t *w);
int snx_scrub_pair_error(const snx_scrub_word_t *w);

/* Whether a quoted value begins at p, its quote perhaps escaped. */
int snx_scrub_pair_quoted(const unsigned char *p, const unsigned char *end);

/* Writes the word and what separates it from its value. */
void snx_scrub_pair_key(snx_scrub_text_t *t, const snx_scrub_word_t *w,
    const unsigned char *value);

/* Each writes the secret at p and returns where it ended. */
const unsigned char *snx_scrub_pair_value(snx_scrub_text_t *t,
    const unsigned char *p);
const unsigned char *snx_scrub_pair_quote(snx_scrub_text_t *t,
    const unsigned char *p);


/*
 * JSON (snx_scrub_json_scan.c).
 */

/* Whether s is a number, true, false or null. */
int snx_scrub_json_number(snx_str_t s);

/*
 * Reads the string whose quote is at *pos, and moves *pos behind it: raw is
 * what stands between its quotes, text and len what it means.  SNX_INVALID
 * when it is none, or longer than cap.
 */
snx_rc_t snx_scrub_json_string(const unsigned char **pos,
    const unsigned char *end, unsigned char *text, size_t cap, snx_str_t *raw,
    size_t *len);


#endif /* SNX_SCRUB_PARTS_H_INCLUDED */
