
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reads the text of a configuration as nginx does: tokens, statements, and
 * which block each stands in.  Trusts no byte; decides nothing about secrets.
 */


#include "snx_confscan.h"


#define snx_nelts(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char       *name;
    snx_conf_rank_t   rank;
} snx_conf_handler_t;


/* A trailing "*" stands for anything. */

static const snx_conf_handler_t  snx_confscan_handlers[] = {
    { "return",           SNX_CONF_RETURN },
    { "proxy_pass",       SNX_CONF_CONTENT },
    { "fastcgi_pass",     SNX_CONF_CONTENT },
    { "uwsgi_pass",       SNX_CONF_CONTENT },
    { "scgi_pass",        SNX_CONF_CONTENT },
    { "grpc_pass",        SNX_CONF_CONTENT },
    { "memcached_pass",   SNX_CONF_CONTENT },
    { "content_by_lua*",  SNX_CONF_CONTENT },
    { "js_content",       SNX_CONF_CONTENT },
    { "perl",             SNX_CONF_CONTENT },
    { "empty_gif",        SNX_CONF_CONTENT },
    { "flv",              SNX_CONF_CONTENT },
    { "mp4",              SNX_CONF_CONTENT },
    { "stub_status",      SNX_CONF_CONTENT },
    { "sentry_test",      SNX_CONF_CONTENT },
    { "try_files",        SNX_CONF_TRIED },
    { "root",             SNX_CONF_STATIC },
    { "alias",            SNX_CONF_STATIC }
};


static int snx_confscan_space(unsigned char c);
static const unsigned char *snx_confscan_word(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *snx_confscan_quoted(const unsigned char *p,
    const unsigned char *end);
static uint32_t snx_confscan_lines(const unsigned char *p, size_t len);
static snx_conf_kind_t snx_confscan_statement(snx_str_t *in,
    snx_str_t *name);
static int snx_confscan_foreign(snx_str_t name);
static const unsigned char *snx_confscan_lua(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *snx_confscan_lua_quoted(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *snx_confscan_lua_long(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *snx_confscan_lua_comment(const unsigned char *p,
    const unsigned char *end);
static snx_str_t snx_confscan_unquote(snx_str_t word);


static int
snx_confscan_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


snx_conf_kind_t
snx_confscan_token(snx_str_t *in, snx_str_t *token)
{
    snx_conf_kind_t       kind;
    const unsigned char  *p, *end;

    if (in->len == 0) {
        *token = snx_str(in->data, 0);
        return SNX_CONF_END;
    }

    p = in->data;
    end = p + in->len;

    if (snx_confscan_space(*p)) {
        while (p < end && snx_confscan_space(*p)) {
            p++;
        }

        kind = SNX_CONF_BLANK;

    } else if (*p == '#') {
        p = memchr(p, '\n', in->len);
        p = (p == NULL) ? end : p;
        kind = SNX_CONF_COMMENT;

    } else if (*p == ';' || *p == '{' || *p == '}') {
        kind = (*p == ';') ? SNX_CONF_SIMPLE
                           : (*p == '{') ? SNX_CONF_OPEN : SNX_CONF_CLOSE;
        p++;

    } else {
        p = snx_confscan_word(p, end);
        kind = (p == NULL) ? SNX_CONF_BROKEN : SNX_CONF_WORD;
        p = (p == NULL) ? end : p;
    }

    *token = snx_str(in->data, (size_t) (p - in->data));
    *in = snx_str(p, (size_t) (end - p));

    return kind;
}


/* Where the word ends; NULL when nginx would not accept it. */

static const unsigned char *
snx_confscan_word(const unsigned char *p, const unsigned char *end)
{
    int  variable;

    if (*p == '"' || *p == '\'') {
        return snx_confscan_quoted(p, end);
    }

    for (variable = 0; p < end; p++) {

        if (*p == '{' && variable) {
            continue;
        }

        variable = 0;

        if (*p == '\\') {
            p += (p + 1 < end);

        } else if (*p == '$') {
            variable = 1;

        } else if (snx_confscan_space(*p) || *p == ';' || *p == '{') {
            return p;
        }
    }

    return NULL;
}


static const unsigned char *
snx_confscan_quoted(const unsigned char *p, const unsigned char *end)
{
    unsigned char  quote;

    for (quote = *p++; p < end && *p != quote; p++) {
        if (*p == '\\') {
            p += (p + 1 < end);
        }
    }

    if (p == end) {
        return NULL;
    }

    p++;

    if (p == end
        || !(snx_confscan_space(*p) || *p == ';' || *p == '{' || *p == ')'))
    {
        return NULL;
    }

    return p;
}


size_t
snx_confscan_bound(snx_str_t text)
{
    size_t  i, n;

    /* what is left at the end, broken or not */

    n = 1;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == ';' || text.data[i] == '{' || text.data[i] == '}')
        {
            n++;
        }
    }

    return n;
}


static uint32_t
snx_confscan_lines(const unsigned char *p, size_t len)
{
    uint32_t              n;
    const unsigned char  *end;

    end = p + len;

    for (n = 0; p < end; n++) {
        p = memchr(p, '\n', (size_t) (end - p));

        if (p == NULL) {
            break;
        }

        p++;
    }

    return n;
}


void
snx_confscan_read(snx_conf_t *conf)
{
    uint32_t               block, line;
    snx_str_t              in, name;
    snx_conf_statement_t  *st;

    in = conf->text;
    block = SNX_CONF_NONE;
    line = 1;

    for (conf->n = 0; in.len != 0; conf->n++) {
        st = &conf->list[conf->n];

        st->begin = (uint32_t) (conf->text.len - in.len);
        st->first = line;
        st->kind = snx_confscan_statement(&in, &name);
        st->start = (uint32_t) (name.data - conf->text.data);
        st->name = (uint32_t) name.len;
        st->end = (uint32_t) (conf->text.len - in.len);
        st->line = line + snx_confscan_lines(conf->text.data + st->begin,
                                             st->start - st->begin);
        line = st->line + snx_confscan_lines(name.data, st->end - st->start);

        if (st->kind == SNX_CONF_CLOSE && block != SNX_CONF_NONE) {
            block = conf->list[block].parent;
        }

        st->parent = block;

        if (st->kind == SNX_CONF_OPEN) {
            block = (uint32_t) conf->n;
        }
    }
}


/* Cuts one off; name is its first word, or the place where one is not. */

static snx_conf_kind_t
snx_confscan_statement(snx_str_t *in, snx_str_t *name)
{
    unsigned              words;
    snx_str_t             token;
    snx_conf_kind_t       kind;
    const unsigned char  *p;

    words = 0;

    do {
        kind = snx_confscan_token(in, &token);

        if (words == 0) {
            *name = token;
        }

        words += (kind == SNX_CONF_WORD);

    } while (kind == SNX_CONF_BLANK || kind == SNX_CONF_COMMENT
             || kind == SNX_CONF_WORD);

    if (kind == SNX_CONF_OPEN
        && snx_confscan_foreign(snx_confscan_unquote(*name)))
    {
        p = snx_confscan_lua(in->data, in->data + in->len);
        kind = (p == NULL) ? SNX_CONF_BROKEN : SNX_CONF_RAW;

        if (p != NULL) {
            *in = snx_str(p, in->len - (size_t) (p - in->data));
        }
    }

    /* "}" and the end stand alone, all else does not */

    if (kind == SNX_CONF_BROKEN
        || (kind == SNX_CONF_CLOSE || kind == SNX_CONF_END) != (words == 0))
    {
        *in = snx_str(in->data + in->len, 0);
        kind = SNX_CONF_BROKEN;
    }

    if (words == 0 || kind == SNX_CONF_BROKEN) {
        name->len = 0;
    }

    return kind;
}


static int
snx_confscan_foreign(snx_str_t name)
{
    static const snx_str_t  tail = snx_string("_by_lua_block");

    return name.len > tail.len
           && memcmp(name.data + name.len - tail.len, tail.data, tail.len)
              == 0;
}


/* Behind the "}" of a block of Lua whose "{" stands before p, or NULL. */

static const unsigned char *
snx_confscan_lua(const unsigned char *p, const unsigned char *end)
{
    size_t  depth;

    for (depth = 1; p != NULL && p < end; /* void */ ) {

        if (*p == '"' || *p == '\'') {
            p = snx_confscan_lua_quoted(p, end);

        } else if (*p == '[') {
            p = snx_confscan_lua_long(p, end);

        } else if (*p == '-') {
            p = snx_confscan_lua_comment(p, end);

        } else {
            depth += (*p == '{');
            depth -= (*p == '}');
            p++;

            if (depth == 0) {
                return p;
            }
        }
    }

    return NULL;
}


static const unsigned char *
snx_confscan_lua_quoted(const unsigned char *p, const unsigned char *end)
{
    unsigned char  quote;

    for (quote = *p++; p < end && *p != quote; p++) {
        if (*p == '\\') {
            p += (p + 1 < end);
        }
    }

    return (p < end) ? p + 1 : NULL;
}


/* Behind [[...]] or [=[...]=]; behind "[" when that is all; or NULL. */

static const unsigned char *
snx_confscan_lua_long(const unsigned char *p, const unsigned char *end)
{
    size_t                level, n;
    const unsigned char  *start;

    start = ++p;

    while (p < end && *p == '=') {
        p++;
    }

    if (p == end || *p != '[') {
        return start;
    }

    level = (size_t) (p - start);

    while ((p = memchr(p, ']', (size_t) (end - p))) != NULL) {
        p++;

        for (n = 0; p < end && *p == '='; n++) {
            p++;
        }

        if (n == level && p < end && *p == ']') {
            return p + 1;
        }
    }

    return NULL;
}


static const unsigned char *
snx_confscan_lua_comment(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *close;

    p++;

    if (p == end || *p != '-') {
        return p;
    }

    p++;

    if (p < end && *p == '[') {
        close = snx_confscan_lua_long(p, end);

        if (close != p + 1) {
            return close;
        }
    }

    return memchr(p, '\n', (size_t) (end - p));
}


static snx_str_t
snx_confscan_unquote(snx_str_t word)
{
    if (word.len >= 2 && (word.data[0] == '"' || word.data[0] == '\'')) {
        return snx_str(word.data + 1, word.len - 2);
    }

    return word;
}


uint32_t
snx_confscan_block(const snx_conf_t *conf, size_t offset)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = conf->n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (conf->list[mid].end < offset) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return (lo < conf->n && conf->list[lo].end == offset
            && conf->list[lo].kind == SNX_CONF_OPEN)
           ? (uint32_t) lo : SNX_CONF_NONE;
}


/* Statements end within a line: the last one that begins in one before. */

uint32_t
snx_confscan_at(const snx_conf_t *conf, uint32_t line)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = conf->n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (conf->list[mid].first < line) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return (lo == 0) ? 0 : (uint32_t) lo - 1;
}


snx_rc_t
snx_confscan_child(const snx_conf_t *conf, uint32_t parent, uint32_t *i)
{
    size_t                       next;
    const snx_conf_statement_t  *st;

    if (*i != SNX_CONF_NONE) {
        next = (size_t) *i + 1;

    } else {
        next = (parent == SNX_CONF_NONE) ? 0 : (size_t) parent + 1;
    }

    for ( /* void */ ; next < conf->n; next++) {
        st = &conf->list[next];

        if (st->kind == SNX_CONF_CLOSE) {
            if (parent != SNX_CONF_NONE
                && st->parent == conf->list[parent].parent)
            {
                break;
            }

        } else if (st->parent == parent && st->name != 0) {
            *i = (uint32_t) next;
            return SNX_OK;
        }
    }

    return SNX_DONE;
}


snx_str_t
snx_confscan_name(const snx_conf_t *conf, uint32_t i)
{
    return snx_confscan_unquote(snx_str(conf->text.data + conf->list[i].start,
                                        conf->list[i].name));
}


snx_str_t
snx_confscan_argument(const snx_conf_t *conf, uint32_t i, unsigned n)
{
    snx_str_t        in, token;
    snx_conf_kind_t  kind;

    in = snx_str(conf->text.data + conf->list[i].start,
                 conf->list[i].end - conf->list[i].start);

    do {
        kind = snx_confscan_token(&in, &token);

        if (kind == SNX_CONF_WORD && n-- == 0) {
            return snx_confscan_unquote(token);
        }

    } while (kind != SNX_CONF_END && kind != SNX_CONF_BROKEN);

    return snx_str(NULL, 0);
}


snx_conf_rank_t
snx_confscan_rank(snx_str_t name)
{
    size_t                     i, n;
    const snx_conf_handler_t  *h;

    for (i = 0; i < snx_nelts(snx_confscan_handlers); i++) {
        h = &snx_confscan_handlers[i];
        n = strlen(h->name);

        if (h->name[n - 1] == '*') {
            if (name.len >= n - 1 && memcmp(name.data, h->name, n - 1) == 0) {
                return h->rank;
            }

        } else if (name.len == n && memcmp(name.data, h->name, n) == 0) {
            return h->rank;
        }
    }

    return SNX_CONF_NO_HANDLER;
}
