
/*
 * Copyright (C) ngx_sentry authors
 *
 * Where a value in free text ends, and whether a word looks like one.  In
 * doubt a value is longer: what follows a secret is lost before a part of it
 * is told.
 */


#include "snx_scrub_parts.h"


/* Backslashes before a quote: JSON four times inside of JSON. */

#define SNX_SCRUB_NESTED       15

/* How far back the partner of a closing bracket is looked for. */

#define SNX_SCRUB_TRIM         256


static int snx_scrub_value_ends(const unsigned char *p,
    const unsigned char *end, int url);
static const unsigned char *snx_scrub_value_trim(const unsigned char *p,
    const unsigned char *end);
static int snx_scrub_value_tail(const unsigned char *p,
    const unsigned char *end);


int
snx_scrub_value_adheres(const unsigned char *p, const unsigned char *end)
{
    return p < end
           && (*p >= 0x80 || snx_scrub_alnum(*p)
               || snx_scrub_in(*p, "_-+%$@!*~^/"));
}


/*
 * The closing quote has as many backslashes before it as the opening one:
 * JSON inside of JSON.  Those of an unescaped quote may be escaped themselves.
 * No quote closes where the value goes on behind it ('it's', SQL's 'it''s').
 */

const unsigned char *
snx_scrub_value_quoted(const unsigned char *p, const unsigned char *end,
    const unsigned char **close)
{
    size_t                level, n;
    unsigned char         quote;
    const unsigned char  *start;

    for (level = 0; *p == '\\'; level++) {
        p++;
    }

    quote = *p++;
    *close = end;
    start = p;

    for (n = 0; p < end; p++) {
        if (*p == '\\') {
            n++;
            continue;
        }

        if ((*p == quote || (quote == '`' && *p == '\''))
            && (n <= level || (level == 0 && n % 2 == 0)))
        {
            if (p != start && p + 1 < end && p[1] == quote) {
                p++;

            } else if (!snx_scrub_value_adheres(p + 1, end)) {
                *close = (level == 0) ? p : p - n;
                return p + 1;
            }
        }

        n = 0;
    }

    return end;
}


const unsigned char *
snx_scrub_value_run(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *start;

    for (start = p; p < end; p++) {
        if (snx_scrub_quote(*p) && p > start && snx_scrub_in(p[-1], "=:")) {

            /* a pair in the value */

            p = snx_scrub_value_open(p + 1, end, *p);

            if (p == end || !snx_scrub_quote(*p)) {
                return p;
            }

        } else if (snx_scrub_value_ends(p, end, 0)) {
            break;
        }
    }

    return snx_scrub_value_trim(start, p);
}


const unsigned char *
snx_scrub_value_url(snx_scrub_text_t *t, const unsigned char *p)
{
    if (t->run <= p) {
        for (t->run = p; t->run < t->end; t->run++) {
            if (snx_scrub_value_ends(t->run, t->end, 1)) {
                break;
            }
        }
    }

    return snx_scrub_value_trim(p, t->run);
}


/* A quote ends a run only where the text goes on behind a delimiter. */

static int
snx_scrub_value_ends(const unsigned char *p, const unsigned char *end,
    int url)
{
    size_t  n;

    if (snx_scrub_space(*p)) {
        return 1;
    }

    if (snx_scrub_quote(*p)) {
        return !snx_scrub_value_adheres(p + 1, end);
    }

    if (*p == '\\' || *p == ',') {
        for (n = 0, p++; n < SNX_SCRUB_NESTED && p < end && *p == '\\'; n++) {
            p++;
        }

        return p < end && snx_scrub_quote(*p);
    }

    if (url) {
        return *p == '<' || *p == '>';
    }

    return *p == '&' || snx_scrub_starts(p, end, "</");
}


/*
 * Leaves out punctuation at the end, but no bracket that has its partner,
 * the one of SNX_FILTERED above all.
 */

static const unsigned char *
snx_scrub_value_trim(const unsigned char *p, const unsigned char *end)
{
    size_t                i, open[4], close[4];
    const unsigned char  *last;

    static const unsigned char  opening[] = "([{<";
    static const unsigned char  closing[] = ")]}>";

    memset(open, 0, sizeof(open));
    memset(close, 0, sizeof(close));

    if (end - p > SNX_SCRUB_TRIM) {
        p = end - SNX_SCRUB_TRIM;
    }

    for (last = p; last < end; last++) {
        for (i = 0; i < 4; i++) {
            open[i] += (*last == opening[i]);
            close[i] += (*last == closing[i]);
        }
    }

    while (last > p && !snx_scrub_ends(p, last, SNX_FILTERED)) {
        for (i = 0; i < 4 && last[-1] != closing[i]; i++) { /* void */ }

        if (i == 4 ? !snx_scrub_in(last[-1], ",;:.")
                   : close[i]-- <= open[i])
        {
            break;
        }

        last--;
    }

    return last;
}


const unsigned char *
snx_scrub_value_nested(const unsigned char *p, const unsigned char *end)
{
    int     string, known;
    size_t  depth, n, level;

    string = 0;
    known = 0;
    level = 0;
    depth = 0;

    for (n = 0; p < end; p++) {
        if (*p == '\\') {
            n++;
            continue;
        }

        if (*p == '"') {
            level = known ? level : n;
            known = 1;

            if (n <= level) {
                string = !string;
            }

        } else if (!string && (*p == '{' || *p == '[')) {
            depth++;

        } else if (!string && (*p == '}' || *p == ']') && --depth == 0) {
            p++;
            break;
        }

        n = 0;
    }

    return snx_scrub_value_adheres(p, end) ? snx_scrub_value_run(p, end) : p;
}


const unsigned char *
snx_scrub_value_line(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p != '\n' && *p != '\r'
           && !snx_scrub_starts(p, end, ", client: "))
    {
        p++;
    }

    return p;
}


const unsigned char *
snx_scrub_value_open(const unsigned char *p, const unsigned char *end,
    unsigned char quote)
{
    while (p < end && *p != '\n' && *p != '\r'
           && (*p != quote || snx_scrub_value_adheres(p + 1, end)))
    {
        p++;
    }

    return p;
}


/*
 * nginx escapes nothing in these fields, so that the quote is looked for
 * which the next field or the end of the line follows; the last one will do.
 */

const unsigned char *
snx_scrub_value_field(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *last;

    for (last = NULL; p < end && *p != '\n' && *p != '\r'; p++) {
        if (*p != '"') {
            continue;
        }

        last = p;

        if (snx_scrub_value_tail(p + 1, end)) {
            break;
        }
    }

    return (last == NULL) ? p : last;
}


/* The end of the line, ` while doing`, or `, name: `. */

static int
snx_scrub_value_tail(const unsigned char *p, const unsigned char *end)
{
    size_t  n;

    if (p == end || *p == '\n' || *p == '\r'
        || snx_scrub_starts(p, end, " while "))
    {
        return 1;
    }

    if (!snx_scrub_starts(p, end, ", ")) {
        return 0;
    }

    for (p += 2, n = 0; p < end && n < 16 && *p >= 'a' && *p <= 'z'; n++) {
        p++;
    }

    return n != 0 && snx_scrub_starts(p, end, ": ");
}


/*
 * A word behind a sensitive one, as in "token abc123": a digit, letters of
 * mixed case, unusual characters or an unusual length make it a secret; so do
 * capitals, but not as in "AUTH EXTERNAL", behind a softer word.  Words of
 * text, with "-", "'" or "/" in them, variables, paths and URLs do not.
 */

int
snx_scrub_value_like(const unsigned char *p, const unsigned char *end,
    int hard)
{
    size_t                n, lower, upper, joint;
    const unsigned char  *start;

    n = snx_scrub_len(p, end);
    start = p;

    if (n == 0 || snx_scrub_in(*p, "/({") || snx_scrub_done(p, end)) {
        return 0;
    }

    if (*p == '$') {
        for (p++; p < end && (*p == '_' || (*p >= 'a' && *p <= 'z')); p++) {
            /* void */
        }

        if (p == end) {
            return 0;
        }
    }

    lower = 0;
    upper = 0;
    joint = 0;

    for (p = start; p < end; p++) {
        if (snx_scrub_digit(*p) || *p >= 0x80
            || snx_scrub_in(*p, "!@#^*+=~["))
        {
            return 1;
        }

        if (snx_scrub_starts(p, end, "://")) {
            return 0;
        }

        lower += (*p >= 'a' && *p <= 'z');
        upper += (*p >= 'A' && *p <= 'Z');
        joint += (*p == '-' || *p == '\'' || *p == '/');
    }

    if (lower + upper + joint != n) {
        return n >= 8;
    }

    if (lower != 0 && upper > (unsigned) snx_scrub_upper(*start)) {
        return 1;
    }

    return n > 20 || (hard && upper >= 8);
}
