
/*
 * Copyright (C) ngx_sentry authors
 *
 * The text of an nginx configuration file: which statement stands where
 * (snx_confscan.c), and what of it may be shown (snx_confshow.c).
 *
 * DESIGN.  nginx forgets the text once it has parsed it.  The same grammar is
 * read here again: quotes, escapes, comments, blocks, and blocks of Lua.  The
 * text is cut into statements that cover it without a gap: each has the blanks
 * and comments before it, then its words, then its ";", "{" or "}".  What is
 * secret is decided for a whole statement, so an argument on a line of its own
 * is filtered like the rest.  Where the text cannot be read as nginx would,
 * nothing of the rest is shown.
 */


#ifndef SNX_CONFSCAN_H_INCLUDED
#define SNX_CONFSCAN_H_INCLUDED


#include "snx_scrub.h"


#define SNX_CONF_LINE_MAX      128     /* of a context line */
#define SNX_CONF_TITLE_MAX     160     /* of a statement on one line */
#define SNX_CONF_FILE_MAX      (16 * 1024 * 1024)
#define SNX_CONF_NONE          UINT32_MAX


typedef enum {
    SNX_CONF_END = 0,          /* nothing but blanks and comments */
    SNX_CONF_BLANK,
    SNX_CONF_COMMENT,
    SNX_CONF_WORD,
    SNX_CONF_SIMPLE,           /* ";", a directive that it ends */
    SNX_CONF_OPEN,             /* "{", a block's head */
    SNX_CONF_CLOSE,            /* "}" */
    SNX_CONF_RAW,              /* a whole block of another language */
    SNX_CONF_BROKEN            /* all that follows what is not understood */
} snx_conf_kind_t;


/* Offsets into the text and lines, counted from 1. */

typedef struct {
    uint32_t   begin;          /* where the statement before ended */
    uint32_t   start;          /* the first word, or "}" */
    uint32_t   name;           /* length of the first word */
    uint32_t   end;            /* behind the last byte */
    uint32_t   first;          /* line of begin */
    uint32_t   line;           /* line of start */
    uint32_t   parent;         /* index of the block, SNX_CONF_NONE outside */
    uint32_t   kind;           /* snx_conf_kind_t */
} snx_conf_statement_t;


typedef struct {
    snx_str_t              text;
    snx_conf_statement_t  *list;
    size_t                 n;
} snx_conf_t;


/*
 * What one filter said of words: few words make up most of a configuration.
 * Zeroed before its first use; words point into texts.
 */

#define SNX_CONF_WORDS_N       1024

typedef struct {
    const unsigned char   *data;
    uint32_t               len;
    uint32_t               verdict;
} snx_conf_word_t;

typedef struct {
    const snx_scrub_t     *scrub;
    snx_conf_word_t        words[SNX_CONF_WORDS_N];
} snx_conf_filter_t;


/* What a directive does with a request, the higher the earlier. */

typedef enum {
    SNX_CONF_NO_HANDLER = 0,
    SNX_CONF_STATIC,           /* root, alias */
    SNX_CONF_TRIED,            /* try_files */
    SNX_CONF_CONTENT,          /* proxy_pass and the like */
    SNX_CONF_RETURN
} snx_conf_rank_t;


/*
 * Cuts the next token off *in.  Words come with their quotes; a word behind
 * which nginx would not go on is SNX_CONF_BROKEN, as is a quote left open.
 */
SNX_COLD snx_conf_kind_t snx_confscan_token(snx_str_t *in, snx_str_t *token);

/* How many statements text has at most. */
SNX_COLD size_t snx_confscan_bound(snx_str_t text);

/*
 * Fills conf->list, which has room for snx_confscan_bound(conf->text), from
 * conf->text of at most SNX_CONF_FILE_MAX bytes.  Cost: one pass.
 */
SNX_COLD void snx_confscan_read(snx_conf_t *conf);

/* Index of the block whose "{" ends at the offset, or SNX_CONF_NONE. */
SNX_COLD uint32_t snx_confscan_block(const snx_conf_t *conf, size_t offset);

/* Index of the statement that the line's first byte belongs to. */
SNX_COLD uint32_t snx_confscan_at(const snx_conf_t *conf, uint32_t line);

/*
 * The statement behind *i that stands in the block parent itself; *i is
 * SNX_CONF_NONE to begin with.  Returns SNX_OK or SNX_DONE.
 */
SNX_COLD snx_rc_t snx_confscan_child(const snx_conf_t *conf, uint32_t parent,
    uint32_t *i);

/* The name of a statement, without quotes. */
SNX_COLD snx_str_t snx_confscan_name(const snx_conf_t *conf, uint32_t i);

/* The n-th argument, from 1, as it stands but without quotes, or empty. */
SNX_COLD snx_str_t snx_confscan_argument(const snx_conf_t *conf, uint32_t i,
    unsigned n);

SNX_COLD snx_conf_rank_t snx_confscan_rank(snx_str_t name);


/*
 * What the statement covers, filtered, with as many lines as before and at
 * most SNX_CONF_LINE_MAX bytes of each.  Returns the length; when out is too
 * small, the end is left out.
 */
SNX_COLD size_t snx_confshow_statement(snx_conf_filter_t *filter,
    const snx_conf_t *conf, uint32_t i, void *out, size_t cap);

/* The statement's words, filtered, on one line: "location = /a". */
SNX_COLD size_t snx_confshow_title(snx_conf_filter_t *filter,
    const snx_conf_t *conf, uint32_t i, void *out, size_t cap);


#endif /* SNX_CONFSCAN_H_INCLUDED */
