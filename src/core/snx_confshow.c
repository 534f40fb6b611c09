
/*
 * Copyright (C) ngx_sentry authors
 *
 * What of a configuration may be shown.  Where the deny list matches the name
 * or an argument of a directive, its arguments are filtered; all that a map
 * or the like holds, when it matches the head of that block; comments as a
 * whole.  Else each word is filtered as text: URLs, tokens of known shape.
 */


#include "snx_confscan.h"


#define SNX_CONFSHOW_WORD_MAX  (2 * SNX_CONF_LINE_MAX)

/* What is known of a word. */

#define SNX_CONFSHOW_SECRET    0x01    /* the deny list matches it */
#define SNX_CONFSHOW_PLAIN     0x02    /* text that stays as it is */

#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


/* Secret whatever stands behind them. */

static const char *const  snx_confshow_secrets[] = {
    "env", "secure_link*"
};


/* The second word is a name, and never secret. */

static const char *const  snx_confshow_keyed[] = {
    "add_header", "add_trailer", "fastcgi_param", "grpc_set_header",
    "proxy_set_header", "scgi_param", "sentry_context", "sentry_tag", "set",
    "uwsgi_param"
};


/*
 * Arguments are paths, hosts and URLs, which are filtered as such: a word of
 * the deny list in them announces no secret behind it.
 */

static const char *const  snx_confshow_places[] = {
    "access_log", "alias", "error_log", "error_page", "include", "index",
    "listen", "location", "*_pass", "proxy_redirect", "rewrite", "root",
    "server", "server_name", "try_files", "upstream"
};


/* Blocks of directives; all others are blocks of data. */

static const char *const  snx_confshow_blocks[] = {
    "events", "http", "if", "limit_except", "location", "mail", "server",
    "stream", "upstream"
};


typedef struct {
    snx_conf_filter_t    *filter;
    unsigned char        *pos;
    unsigned char        *end;
    size_t                column;
    size_t                width;       /* of a line */
    size_t                words;       /* so far */
    size_t                keep;        /* words before what is secret */
    unsigned              secret:1;
    unsigned              comments:1;  /* are secret */
    unsigned              flat:1;      /* one line */
} snx_confshow_t;


static int snx_confshow_among(snx_str_t name, const char *const *list,
    size_t n);
static int snx_confshow_has(snx_str_t s, const char *set);
static snx_str_t snx_confshow_range(const snx_conf_t *conf, size_t begin,
    size_t end);
static snx_conf_word_t *snx_confshow_known(const snx_confshow_t *show,
    snx_str_t word);
static int snx_confshow_secret(const snx_confshow_t *show, snx_str_t word);
static int snx_confshow_matches(const snx_confshow_t *show,
    const snx_conf_t *conf, uint32_t i);
static void snx_confshow_judge(snx_confshow_t *show, const snx_conf_t *conf,
    uint32_t i);
static size_t snx_confshow_keep(const snx_conf_t *conf, uint32_t i);
static void snx_confshow_copy(snx_confshow_t *show, snx_str_t s);
static void snx_confshow_filtered(snx_confshow_t *show, snx_str_t s);
static void snx_confshow_text(snx_confshow_t *show, snx_str_t s);
static void snx_confshow_line(snx_confshow_t *show, snx_str_t s);
static void snx_confshow_word(snx_confshow_t *show, snx_str_t word);
static int snx_confshow_harmless(snx_str_t word);
static void snx_confshow_comment(snx_confshow_t *show, snx_str_t comment);
static void snx_confshow_token(snx_confshow_t *show, snx_conf_kind_t kind,
    snx_str_t token);


static int
snx_confshow_among(snx_str_t name, const char *const *list, size_t n)
{
    size_t       i, len;
    const char  *s;

    for (i = 0; i < n; i++) {
        s = list[i];
        len = strlen(s);

        if (s[0] == '*') {
            if (name.len >= len
                && memcmp(name.data + name.len - (len - 1), s + 1, len - 1)
                   == 0)
            {
                return 1;
            }

        } else if (s[len - 1] == '*') {
            if (name.len >= len - 1 && memcmp(name.data, s, len - 1) == 0) {
                return 1;
            }

        } else if (name.len == len && memcmp(name.data, s, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
snx_confshow_has(snx_str_t s, const char *set)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] != '\0' && strchr(set, s.data[i]) != NULL) {
            return 1;
        }
    }

    return 0;
}


static snx_str_t
snx_confshow_range(const snx_conf_t *conf, size_t begin, size_t end)
{
    return snx_str(conf->text.data + begin, end - begin);
}


/* The entry of a word, which takes the place of another word's. */

static snx_conf_word_t *
snx_confshow_known(const snx_confshow_t *show, snx_str_t word)
{
    size_t            i;
    uint32_t          hash;
    snx_conf_word_t  *known;

    for (i = 0, hash = 0; i < word.len; i++) {
        hash = hash * 31 + word.data[i];
    }

    known = &show->filter->words[(hash ^ hash >> 10) % SNX_CONF_WORDS_N];

    if (known->data == NULL || known->len != word.len
        || memcmp(known->data, word.data, word.len) != 0)
    {
        known->data = word.data;
        known->len = (uint32_t) word.len;
        known->verdict = snx_scrub_key(show->filter->scrub, word)
                         ? SNX_CONFSHOW_SECRET : 0;
    }

    return known;
}


static int
snx_confshow_secret(const snx_confshow_t *show, snx_str_t word)
{
    return (snx_confshow_known(show, word)->verdict & SNX_CONFSHOW_SECRET)
           != 0;
}


/*
 * Whether the deny list matches a word of the statement.  Where arguments are
 * places, the name counts nothing, nor does a path, a host or the last word;
 * a blank, escaped or quoted, is in neither a path nor a host.
 */

static int
snx_confshow_matches(const snx_confshow_t *show, const snx_conf_t *conf,
    uint32_t i)
{
    int              place, match;
    size_t           words;
    snx_str_t        in, name, token;
    snx_conf_kind_t  kind;

    name = snx_confscan_name(conf, i);

    if (snx_confshow_among(name, snx_confshow_secrets,
                           snx_nelts(snx_confshow_secrets)))
    {
        return 1;
    }

    place = snx_confshow_among(name, snx_confshow_places,
                               snx_nelts(snx_confshow_places));
    in = snx_confshow_range(conf, conf->list[i].start, conf->list[i].end);
    match = 0;
    words = 0;

    for ( ;; ) {
        kind = snx_confscan_token(&in, &token);

        if (kind == SNX_CONF_BLANK || kind == SNX_CONF_COMMENT) {
            continue;
        }

        if (kind != SNX_CONF_WORD) {
            return 0;
        }

        if (words++ == 0 && place) {
            continue;
        }

        if (match || (!place && snx_confshow_secret(show, token))) {
            return 1;
        }

        match = place && snx_confshow_secret(show, token)
                && (!snx_confshow_has(token, "/.")
                    || snx_confshow_has(token, " \t\r\n"));
    }
}


static void
snx_confshow_judge(snx_confshow_t *show, const snx_conf_t *conf, uint32_t i)
{
    snx_str_t                    in, token;
    snx_conf_kind_t              kind;
    const snx_conf_statement_t  *st;

    st = &conf->list[i];
    in = snx_confshow_range(conf, st->begin, st->end);

    do {
        kind = snx_confscan_token(&in, &token);

        if (kind == SNX_CONF_COMMENT && snx_confshow_secret(show, token)) {
            show->comments = 1;
            break;
        }

    } while (kind == SNX_CONF_COMMENT || kind == SNX_CONF_BLANK
             || kind == SNX_CONF_WORD);

    if (st->kind == SNX_CONF_CLOSE || st->kind == SNX_CONF_END) {
        return;
    }

    if (st->parent != SNX_CONF_NONE
        && !snx_confshow_among(snx_confscan_name(conf, st->parent),
                               snx_confshow_blocks,
                               snx_nelts(snx_confshow_blocks))
        && snx_confshow_matches(show, conf, st->parent))
    {
        show->secret = 1;

    } else if (snx_confshow_matches(show, conf, i)) {
        show->secret = 1;
        show->keep = snx_confshow_keep(conf, i);
    }
}


/* A name, perhaps a key, perhaps the variable that is compared. */

static size_t
snx_confshow_keep(const snx_conf_t *conf, uint32_t i)
{
    snx_str_t  name, key;

    name = snx_confscan_name(conf, i);
    key = snx_confscan_argument(conf, i, 1);

    if (snx_confshow_has(key, "\r\n")) {
        return 1;
    }

    if (snx_confshow_among(name, snx_confshow_keyed,
                           snx_nelts(snx_confshow_keyed)))
    {
        return 2;
    }

    return (name.len == 2 && memcmp(name.data, "if", 2) == 0
            && key.len > 2 && key.data[0] == '(' && key.data[1] == '$')
           ? 2 : 1;
}


static void
snx_confshow_copy(snx_confshow_t *show, snx_str_t s)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < s.len && show->pos < show->end; i++) {
        c = s.data[i];

        if (c == '\n' && !show->flat) {
            show->column = 0;

        } else if (show->column++ >= show->width) {
            continue;
        }

        *show->pos++ = (c == '\0' || (c == '\n' && show->flat)) ? ' ' : c;
    }
}


/* In place of s, with its lines; whole or not at all. */

static void
snx_confshow_filtered(snx_confshow_t *show, snx_str_t s)
{
    size_t  i;

    if (show->column + sizeof(SNX_FILTERED) - 1 <= show->width) {
        snx_confshow_copy(show, snx_cstr(SNX_FILTERED));

    } else {
        show->column = show->width;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '\n') {
            snx_confshow_copy(show, snx_cstr("\n"));
        }
    }
}


/* A line at a time: they must stay as many. */

static void
snx_confshow_text(snx_confshow_t *show, snx_str_t s)
{
    snx_str_t             line;
    const unsigned char  *p;

    p = (s.len == 0) ? NULL : memchr(s.data, '\n', s.len);

    if (p != NULL && snx_confshow_secret(show, s)) {
        snx_confshow_filtered(show, s);
        return;
    }

    while (s.len != 0) {
        p = memchr(s.data, '\n', s.len);
        line = snx_str(s.data, (p == NULL) ? s.len : (size_t) (p - s.data));

        snx_confshow_line(show, line);

        if (p == NULL) {
            break;
        }

        snx_confshow_copy(show, snx_str(p, 1));
        s = snx_str(p + 1, s.len - line.len - 1);
    }
}


static void
snx_confshow_line(snx_confshow_t *show, snx_str_t s)
{
    size_t            n;
    unsigned char     buf[SNX_CONFSHOW_WORD_MAX];
    snx_conf_word_t  *known;

    known = snx_confshow_known(show, s);

    if (known->verdict & SNX_CONFSHOW_PLAIN) {
        snx_confshow_copy(show, s);
        return;
    }

    n = snx_scrub_text(show->filter->scrub, s, buf, sizeof(buf));
    snx_confshow_copy(show, snx_str(buf, n));

    if (n == s.len && memcmp(buf, s.data, n) == 0) {
        known->verdict |= SNX_CONFSHOW_PLAIN;
    }
}


static void
snx_confshow_word(snx_confshow_t *show, snx_str_t word)
{
    snx_str_t  quote;

    if (show->secret && show->words >= show->keep
        && !snx_confshow_harmless(word))
    {
        snx_confshow_filtered(show, word);
        return;
    }

    if (word.data[0] != '"' && word.data[0] != '\'') {
        snx_confshow_text(show, word);
        return;
    }

    quote = snx_str(word.data, 1);

    snx_confshow_copy(show, quote);
    snx_confshow_text(show, snx_str(word.data + 1, word.len - 2));
    snx_confshow_copy(show, quote);
}


/* A status code, or an operator. */

static int
snx_confshow_harmless(snx_str_t word)
{
    size_t  i, digits, marks;

    digits = 0;
    marks = 0;

    for (i = 0; i < word.len && i <= 3; i++) {
        digits += (word.data[i] >= '0' && word.data[i] <= '9');
        marks += (snx_confshow_has(snx_str(&word.data[i], 1), "!=~*()") != 0);
    }

    return (word.len == 3 && digits == 3)
           || (word.len <= 3 && marks == word.len);
}


static void
snx_confshow_comment(snx_confshow_t *show, snx_str_t comment)
{
    if (!show->comments) {
        snx_confshow_text(show, comment);
        return;
    }

    snx_confshow_copy(show, snx_cstr("# "));
    snx_confshow_filtered(show, snx_str(NULL, 0));
}


static void
snx_confshow_token(snx_confshow_t *show, snx_conf_kind_t kind,
    snx_str_t token)
{
    switch (kind) {

    case SNX_CONF_WORD:
        snx_confshow_word(show, token);
        show->words++;
        break;

    case SNX_CONF_COMMENT:
        snx_confshow_comment(show, token);
        break;

    case SNX_CONF_BROKEN:
        snx_confshow_filtered(show, token);
        break;

    default:
        snx_confshow_copy(show, token);
    }
}


size_t
snx_confshow_statement(snx_conf_filter_t *filter, const snx_conf_t *conf,
    uint32_t i, void *out, size_t cap)
{
    snx_str_t                    in, token;
    snx_confshow_t               show;
    snx_conf_kind_t              kind;
    const snx_conf_statement_t  *st;

    memset(&show, 0, sizeof(show));

    show.filter = filter;
    show.pos = out;
    show.end = show.pos + cap;
    show.width = SNX_CONF_LINE_MAX;

    st = &conf->list[i];
    in = snx_confshow_range(conf, st->begin, st->end);

    if (st->kind == SNX_CONF_BROKEN) {
        snx_confshow_filtered(&show, in);
        return (size_t) (show.pos - (unsigned char *) out);
    }

    snx_confshow_judge(&show, conf, i);

    do {
        kind = snx_confscan_token(&in, &token);
        snx_confshow_token(&show, kind, token);

        if (kind == SNX_CONF_OPEN && st->kind == SNX_CONF_RAW) {
            snx_confshow_filtered(&show, snx_str(in.data, in.len - 1));
            snx_confshow_copy(&show, snx_cstr("}"));
            break;
        }

    } while (in.len != 0);

    return (size_t) (show.pos - (unsigned char *) out);
}


size_t
snx_confshow_title(snx_conf_filter_t *filter, const snx_conf_t *conf,
    uint32_t i, void *out, size_t cap)
{
    int              gap;
    snx_str_t        in, token;
    snx_confshow_t   show;
    snx_conf_kind_t  kind;

    memset(&show, 0, sizeof(show));

    show.filter = filter;
    show.pos = out;
    show.end = show.pos + cap;
    show.width = cap;
    show.flat = 1;

    snx_confshow_judge(&show, conf, i);

    in = snx_confshow_range(conf, conf->list[i].start, conf->list[i].end);
    gap = 0;

    do {
        kind = snx_confscan_token(&in, &token);

        if (kind == SNX_CONF_WORD) {
            if (gap) {
                snx_confshow_copy(&show, snx_cstr(" "));
            }

            snx_confshow_token(&show, kind, token);
        }

        gap = (kind != SNX_CONF_WORD);

    } while (kind == SNX_CONF_WORD || kind == SNX_CONF_BLANK
             || kind == SNX_CONF_COMMENT);

    return (size_t) (show.pos - (unsigned char *) out);
}
