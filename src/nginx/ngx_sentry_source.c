
/*
 * Copyright (C) ngx_sentry authors
 *
 * Files of the configuration, read again: each once while the configuration
 * is read, and only where errors are reported.  A file that cannot be read,
 * is too big or is not what nginx saw shows no lines.
 */


#include "ngx_sentry_place.h"


#define NGX_SENTRY_TEXT_MAX       (64 * 1024 * 1024)   /* of all files */
#define NGX_SENTRY_INCLUDES_MAX   8                    /* in each other */


static ngx_sentry_sources_t *ngx_sentry_source_all(ngx_conf_t *cf);
static ngx_int_t ngx_sentry_source_read(ngx_conf_t *cf,
    ngx_sentry_sources_t *sources, ngx_sentry_source_t *source);
static ngx_int_t ngx_sentry_source_text(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, snx_str_t *text);
static ngx_int_t ngx_sentry_source_shown(ngx_conf_t *cf,
    ngx_sentry_source_t *source, snx_conf_filter_t *filter, uint32_t index);
static void ngx_sentry_source_add(ngx_sentry_lines_t *lines,
    ngx_uint_t line, ngx_str_t *shown);
static ngx_int_t ngx_sentry_source_include(ngx_conf_t *cf, snx_str_t argument,
    ngx_uint_t depth, ngx_sentry_handler_t *handler,
    ngx_sentry_handler_t *root);
static ngx_int_t ngx_sentry_source_included(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t depth, ngx_sentry_handler_t *handler,
    ngx_sentry_handler_t *root);


ngx_sentry_source_t *
ngx_sentry_source_get(ngx_conf_t *cf, ngx_str_t *name)
{
    uint32_t               hash;
    ngx_str_node_t        *node;
    ngx_sentry_source_t   *source;
    ngx_sentry_sources_t  *sources;

    sources = ngx_sentry_source_all(cf);
    if (sources == NULL) {
        return NULL;
    }

    hash = ngx_crc32_long(name->data, name->len);

    node = ngx_str_rbtree_lookup(&sources->tree, name, hash);
    if (node) {
        return (ngx_sentry_source_t *) node;
    }

    source = ngx_pcalloc(cf->temp_pool, sizeof(ngx_sentry_source_t));
    if (source == NULL) {
        return NULL;
    }

    source->node.str.len = name->len;
    source->node.str.data = ngx_pnalloc(cf->temp_pool, name->len + 1);
    if (source->node.str.data == NULL) {
        return NULL;
    }

    ngx_cpystrn(source->node.str.data, name->data, name->len + 1);

    source->node.node.key = hash;
    ngx_rbtree_insert(&sources->tree, &source->node.node);

    if (ngx_sentry_source_read(cf, sources, source) != NGX_OK) {
        return NULL;
    }

    return source;
}


/* nginx frees its temporary pool when the configuration is read. */

static ngx_sentry_sources_t *
ngx_sentry_source_all(ngx_conf_t *cf)
{
    ngx_sentry_sources_t    *sources;
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);

    if (smcf->sources == NULL) {
        sources = ngx_pcalloc(cf->temp_pool, sizeof(ngx_sentry_sources_t));
        if (sources == NULL) {
            return NULL;
        }

        ngx_rbtree_init(&sources->tree, &sources->sentinel,
                        ngx_str_rbtree_insert_value);

        sources->filter.words.scrub = &sources->filter.scrub;
        smcf->sources = sources;
    }

    return smcf->sources;
}


static ngx_int_t
ngx_sentry_source_read(ngx_conf_t *cf, ngx_sentry_sources_t *sources,
    ngx_sentry_source_t *source)
{
    size_t     n;
    ngx_int_t  rc;

    rc = ngx_sentry_source_text(cf, &source->node.str,
                                ngx_min(NGX_SENTRY_TEXT_MAX
                                        - sources->bytes,
                                        SNX_CONF_FILE_MAX),
                                &source->conf.text);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    sources->bytes += source->conf.text.len;

    n = snx_confscan_bound(source->conf.text);

    source->conf.list = ngx_palloc(cf->temp_pool,
                                   n * sizeof(snx_conf_statement_t));
    source->shown = ngx_pcalloc(cf->temp_pool, n * sizeof(ngx_str_t));
    source->frames = ngx_pcalloc(cf->temp_pool, n * sizeof(ngx_str_t));

    if (source->conf.list == NULL || source->shown == NULL
        || source->frames == NULL)
    {
        return NGX_ERROR;
    }

    snx_confscan_read(&source->conf);

    return NGX_OK;
}


/* NGX_DECLINED: cannot be read; nginx could, so it is nobody's mistake. */

static ngx_int_t
ngx_sentry_source_text(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    snx_str_t *text)
{
    u_char           *p;
    size_t            len;
    ssize_t           n;
    ngx_file_t        file;
    ngx_file_info_t   fi;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        return NGX_DECLINED;
    }

    n = NGX_DECLINED;

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) == 0 || ngx_file_size(&fi) > (off_t) max)
    {
        goto done;
    }

    len = (size_t) ngx_file_size(&fi);

    p = ngx_palloc(cf->temp_pool, len);
    if (p == NULL) {
        n = NGX_ERROR;
        goto done;
    }

    n = ngx_read_file(&file, p, len, 0);

    if (n == (ssize_t) len) {
        *text = snx_str(p, len);
        n = NGX_OK;

    } else {
        n = NGX_DECLINED;
    }

done:

    (void) ngx_close_file(file.fd);

    return n;
}


snx_conf_filter_t *
ngx_sentry_source_filter(ngx_conf_t *cf, ngx_sentry_source_t *source,
    const snx_scrub_t *scrub)
{
    ngx_sentry_filter_t     *filter;
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);
    filter = &smcf->sources->filter;

    if (filter->number == 0 || filter->scrub.terms != scrub->terms
        || filter->scrub.pii != scrub->pii)
    {
        filter->scrub = *scrub;
        filter->number++;
        ngx_memzero(filter->words.words, sizeof(filter->words.words));
    }

    if (source->number != filter->number) {
        source->number = filter->number;
        source->names.len = 0;
        ngx_memzero(source->shown, source->conf.n * sizeof(ngx_str_t));
        ngx_memzero(source->frames, source->conf.n * sizeof(ngx_str_t));
    }

    return &filter->words;
}


ngx_int_t
ngx_sentry_source_lines(ngx_conf_t *cf, ngx_sentry_source_t *source,
    const snx_scrub_t *scrub, ngx_uint_t line, ngx_sentry_lines_t *lines)
{
    uint32_t            i;
    snx_conf_filter_t  *filter;

    filter = ngx_sentry_source_filter(cf, source, scrub);

    ngx_memzero(lines, offsetof(ngx_sentry_lines_t, text));

    lines->first = (line > NGX_SENTRY_AROUND_N) ? line - NGX_SENTRY_AROUND_N
                                                : 1;

    for (i = snx_confscan_at(&source->conf, (uint32_t) lines->first);
         i < source->conf.n
         && source->conf.list[i].first <= line + NGX_SENTRY_AROUND_N;
         i++)
    {
        if (ngx_sentry_source_shown(cf, source, filter, i) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_sentry_source_add(lines, source->conf.list[i].first,
                              &source->shown[i]);
    }

    lines->n = ngx_min(lines->n, line + NGX_SENTRY_AROUND_N + 1
                                 - lines->first);

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_source_shown(ngx_conf_t *cf, ngx_sentry_source_t *source,
    snx_conf_filter_t *filter, uint32_t index)
{
    u_char                 buf[4 * SNX_CONF_LINE_MAX], *p;
    size_t                 cap, len;
    uint32_t               i;
    ngx_str_t             *shown;
    snx_conf_statement_t  *st;

    shown = &source->shown[index];

    if (shown->data) {
        return NGX_OK;
    }

    st = &source->conf.list[index];
    cap = SNX_CONF_LINE_MAX;

    for (i = st->begin; i < st->end; i++) {
        cap += (source->conf.text.data[i] == LF) ? SNX_CONF_LINE_MAX + 1 : 0;
    }

    p = (cap > sizeof(buf)) ? ngx_pnalloc(cf->temp_pool, cap) : buf;
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = snx_confshow_statement(filter, &source->conf, index, p, cap);

    if (p == buf) {
        p = ngx_pnalloc(cf->temp_pool, ngx_max(len, 1));
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, buf, len);
    }

    shown->data = p;
    shown->len = len;

    return NGX_OK;
}


/* Puts what begins in that line behind what is there of it. */

static void
ngx_sentry_source_add(ngx_sentry_lines_t *lines, ngx_uint_t line,
    ngx_str_t *shown)
{
    u_char      *p, *end, *last;
    size_t       n;
    ngx_uint_t   i;

    p = shown->data;
    last = p + shown->len;

    for ( /* void */ ; p < last; p = end + 1, line++) {

        end = ngx_strlchr(p, last, LF);
        end = (end == NULL) ? last : end;

        if (line < lines->first) {
            continue;
        }

        i = line - lines->first;

        if (i > 2 * NGX_SENTRY_AROUND_N) {
            break;
        }

        n = ngx_min((size_t) (end - p), SNX_CONF_LINE_MAX - lines->len[i]);

        if (n && p[n - 1] == CR) {
            n--;
        }

        ngx_memcpy(lines->text[i] + lines->len[i], p, n);

        lines->len[i] += n;
        lines->n = i + 1;
    }
}


ngx_int_t
ngx_sentry_source_handler(ngx_conf_t *cf, ngx_sentry_source_t *source,
    uint32_t block, ngx_uint_t depth, ngx_sentry_handler_t *handler,
    ngx_sentry_handler_t *root)
{
    uint32_t         i;
    snx_str_t        name;
    snx_conf_rank_t  rank;

    for (i = SNX_CONF_NONE;
         snx_confscan_child(&source->conf, block, &i) == SNX_OK;
         /* void */ )
    {
        name = snx_confscan_name(&source->conf, i);

        if (name.len == 7 && ngx_memcmp(name.data, "include", 7) == 0) {
            if (ngx_sentry_source_include(cf,
                    snx_confscan_argument(&source->conf, i, 1), depth,
                    handler, root)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        rank = snx_confscan_rank(name);

        /* the first "return" answers, the last content handler is in force */

        if (rank > handler->rank
            || (rank == handler->rank && rank == SNX_CONF_CONTENT))
        {
            handler->source = source;
            handler->index = i;
            handler->rank = rank;
        }

        if (rank == SNX_CONF_STATIC) {
            root->source = source;
            root->index = i;
            root->rank = rank;
        }
    }

    return NGX_OK;
}


/* As nginx finds them; what it finds was there a moment ago. */

static ngx_int_t
ngx_sentry_source_include(ngx_conf_t *cf, snx_str_t argument,
    ngx_uint_t depth, ngx_sentry_handler_t *handler,
    ngx_sentry_handler_t *root)
{
    ngx_int_t   rc;
    ngx_str_t   file, name;
    ngx_glob_t  gl;

    if (depth == NGX_SENTRY_INCLUDES_MAX || argument.len == 0) {
        return NGX_OK;
    }

    file.len = argument.len;
    file.data = ngx_pnalloc(cf->temp_pool, argument.len + 1);
    if (file.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(file.data, argument.data, argument.len) = '\0';

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (strpbrk((char *) file.data, "*?[") == NULL) {
        return ngx_sentry_source_included(cf, &file, depth, handler, root);
    }

    ngx_memzero(&gl, sizeof(ngx_glob_t));

    gl.pattern = file.data;
    gl.log = cf->log;
    gl.test = 1;

    if (ngx_open_glob(&gl) != NGX_OK) {
        return NGX_OK;
    }

    rc = NGX_OK;

    while (rc == NGX_OK && ngx_read_glob(&gl, &name) == NGX_OK) {
        rc = ngx_sentry_source_included(cf, &name, depth, handler, root);
    }

    ngx_close_glob(&gl);

    return rc;
}


static ngx_int_t
ngx_sentry_source_included(ngx_conf_t *cf, ngx_str_t *name, ngx_uint_t depth,
    ngx_sentry_handler_t *handler, ngx_sentry_handler_t *root)
{
    ngx_sentry_source_t  *source;

    source = ngx_sentry_source_get(cf, name);

    if (source == NULL) {
        return NGX_ERROR;
    }

    return ngx_sentry_source_handler(cf, source, SNX_CONF_NONE, depth + 1,
                                     handler, root);
}
