
/*
 * Copyright (C) ngx_sentry authors
 *
 * Blocks of the configuration and the files they stand in.  All of it is in
 * the temporary pool: gone when the configuration is read.
 */


#ifndef NGX_SENTRY_PLACE_H_INCLUDED
#define NGX_SENTRY_PLACE_H_INCLUDED


#include "ngx_sentry.h"
#include "snx_confscan.h"


/*
 * What was filtered is kept for one filter at a time: locations with terms of
 * their own are rare.
 */

typedef struct {
    snx_conf_filter_t          words;
    snx_scrub_t                scrub;
    ngx_uint_t                 number;     /* of changes so far */
} ngx_sentry_filter_t;


struct ngx_sentry_sources_s {
    ngx_rbtree_t               tree;
    ngx_rbtree_node_t          sentinel;
    size_t                     bytes;
    ngx_sentry_filter_t        filter;
};


/* A file as statements. */

typedef struct {
    ngx_str_node_t             node;       /* full name */
    snx_conf_t                 conf;       /* n is 0: not readable */
    ngx_str_t                 *shown;      /* filtered, of each statement */
    ngx_str_t                 *frames;     /* packed, of each statement */
    ngx_str_t                  names;      /* filtered, see snx_frame_t */
    ngx_uint_t                 number;     /* of the filter they are from */
} ngx_sentry_source_t;


/* A directive that answers requests. */

typedef struct {
    ngx_sentry_source_t       *source;     /* NULL: none was found */
    uint32_t                   index;
    snx_conf_rank_t            rank;
} ngx_sentry_handler_t;


struct ngx_sentry_place_s {
    ngx_sentry_place_t        *outer;      /* NULL: a server */
    ngx_str_t                  file;
    size_t                     offset;     /* behind "{" */
    ngx_uint_t                 line;       /* of "{" */
    ngx_str_t                  name;       /* of the location */
    unsigned                   noname:1;   /* if, limit_except */
    unsigned                   content:1;  /* some directive answers */

    /* once it is looked up */
    unsigned                   found:1;
    ngx_sentry_source_t       *source;     /* NULL: its text is not known */
    uint32_t                   index;
    ngx_sentry_handler_t       handler;
    ngx_sentry_handler_t       root;       /* for locations in it */
};


/* The lines around one, filtered. */

#define NGX_SENTRY_AROUND_N    5

typedef struct {
    ngx_uint_t                 first;      /* number of the first line */
    ngx_uint_t                 n;
    size_t                     len[2 * NGX_SENTRY_AROUND_N + 1];
    u_char                     text[2 * NGX_SENTRY_AROUND_N + 1]
                                   [SNX_CONF_LINE_MAX];
} ngx_sentry_lines_t;


/* ngx_sentry_source.c; NULL or NGX_ERROR: out of memory */

ngx_sentry_source_t *ngx_sentry_source_get(ngx_conf_t *cf, ngx_str_t *name);

/* The filter for scrub; forgets what of source was filtered with another. */
snx_conf_filter_t *ngx_sentry_source_filter(ngx_conf_t *cf,
    ngx_sentry_source_t *source, const snx_scrub_t *scrub);

ngx_int_t ngx_sentry_source_lines(ngx_conf_t *cf, ngx_sentry_source_t *source,
    const snx_scrub_t *scrub, ngx_uint_t line, ngx_sentry_lines_t *lines);

/* The best ones in a block itself, or outside of blocks (SNX_CONF_NONE). */
ngx_int_t ngx_sentry_source_handler(ngx_conf_t *cf,
    ngx_sentry_source_t *source, uint32_t block, ngx_uint_t depth,
    ngx_sentry_handler_t *handler, ngx_sentry_handler_t *root);


#endif /* NGX_SENTRY_PLACE_H_INCLUDED */
