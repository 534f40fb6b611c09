
/*
 * Copyright (C) ngx_sentry authors
 *
 * Where in the configuration a request failed: the server, the locations and
 * the directive that answers, each a frame of the event's stack trace with
 * the lines around it.
 *
 * DESIGN.  nginx keeps no line numbers, but creates our structures when it
 * has read the "{" of a block: where it then stands in its file is noted.
 * When the levels are merged, and there is somewhere to report to, the files
 * are read again (ngx_sentry_source.c), the block found by that offset, and
 * its frame packed.  A frame is packed once, however many locations it is a
 * part of; an event copies them.
 */


#include "ngx_sentry_place.h"
#include "snx_text.h"


#define NGX_SENTRY_FRAME_NAME_MAX  200     /* a file's name */
#define NGX_SENTRY_FRAME_MAX       2048    /* one frame, bytes */
#define NGX_SENTRY_FRAMES_MAX_N    8
#define NGX_SENTRY_FRAMES_MAX      4096    /* of one location, bytes */


/* What a frame is made of; source NULL: no more is known. */

typedef struct {
    ngx_str_t                 *file;
    ngx_uint_t                 line;
    snx_str_t                  function;
    ngx_sentry_source_t       *source;
} ngx_sentry_frame_t;


static ngx_int_t ngx_sentry_place_find(ngx_conf_t *cf,
    ngx_sentry_place_t *place);
static void ngx_sentry_place_inherit(ngx_sentry_place_t *place);
static ngx_int_t ngx_sentry_place_frames(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf);
static ngx_int_t ngx_sentry_place_block(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_place_t *place,
    ngx_str_t *packed);
static snx_str_t ngx_sentry_place_title(ngx_sentry_loc_conf_t *conf,
    const char *what, ngx_str_t *name, u_char buf[SNX_CONF_TITLE_MAX]);
static ngx_int_t ngx_sentry_place_statement(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_source_t *source, uint32_t index,
    snx_str_t *title, ngx_str_t *packed);
static ngx_int_t ngx_sentry_place_frame(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_frame_t *frame,
    ngx_str_t *packed);
static ngx_int_t ngx_sentry_place_context(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_frame_t *frame,
    snx_frame_t *key, snx_text_t *value);
static ngx_int_t ngx_sentry_place_names(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf, ngx_sentry_frame_t *frame,
    snx_text_t *value);
static size_t ngx_sentry_place_prefix(ngx_conf_t *cf, ngx_str_t *file);


ngx_int_t
ngx_sentry_place_note(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf)
{
    ngx_buf_t           *b;
    ngx_sentry_place_t  *place;

    /* http{} is no place of a request */

    if (cf->cmd_type == NGX_MAIN_CONF || cf->conf_file == NULL
        || cf->conf_file->file.fd == NGX_INVALID_FILE)
    {
        return NGX_OK;
    }

    place = ngx_pcalloc(cf->temp_pool, sizeof(ngx_sentry_place_t));
    if (place == NULL) {
        return NGX_ERROR;
    }

    b = cf->conf_file->buffer;

    place->file = cf->conf_file->file.name;
    place->offset = (size_t) (cf->conf_file->file.offset
                              - (b->last - b->pos));
    place->line = cf->conf_file->line;

    conf->place = place;

    return NGX_OK;
}


ngx_int_t
ngx_sentry_place_merge(ngx_conf_t *cf, ngx_sentry_loc_conf_t *prev,
    ngx_sentry_loc_conf_t *conf)
{
    ngx_sentry_place_t        *place;
    ngx_http_core_loc_conf_t  *clcf;

    place = conf->place;

    if (place == NULL) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    place->outer = prev->place;
    place->name = clcf->name;
    place->noname = clcf->noname;
    place->content = clcf->handler != NULL;

    if (!conf->reports || conf->dropped) {
        return NGX_OK;
    }

    if (ngx_sentry_place_find(cf, place) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_sentry_place_frames(cf, conf);
}


/* Levels above may report nothing themselves: then it is done here. */

static ngx_int_t
ngx_sentry_place_find(ngx_conf_t *cf, ngx_sentry_place_t *place)
{
    uint32_t              index;
    ngx_sentry_source_t  *source;

    if (place->found) {
        return NGX_OK;
    }

    place->found = 1;

    if (place->outer && ngx_sentry_place_find(cf, place->outer) != NGX_OK) {
        return NGX_ERROR;
    }

    source = ngx_sentry_source_get(cf, &place->file);
    if (source == NULL) {
        return NGX_ERROR;
    }

    index = snx_confscan_block(&source->conf, place->offset);

    if (index != SNX_CONF_NONE) {
        place->source = source;
        place->index = index;

        if (ngx_sentry_source_handler(cf, source, index, 0, &place->handler,
                                      &place->root)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_sentry_place_inherit(place);

    return NGX_OK;
}


/*
 * "if" goes on with what its location does; a location has the root of the
 * level above, when no directive answers that is not known here.
 */

static void
ngx_sentry_place_inherit(ngx_sentry_place_t *place)
{
    if (place->outer && place->root.source == NULL) {
        place->root = place->outer->root;
    }

    if (place->outer && place->noname && place->handler.source == NULL) {
        place->handler = place->outer->handler;
    }

    if (place->handler.source == NULL) {
        place->handler = place->root;
    }

    if (place->content && place->handler.rank < SNX_CONF_CONTENT) {
        place->handler.source = NULL;
    }
}


/* From the handler outwards, as long as there is room. */

static ngx_int_t
ngx_sentry_place_frames(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf)
{
    size_t                 len;
    ngx_str_t              frames[NGX_SENTRY_FRAMES_MAX_N];
    ngx_uint_t             n;
    ngx_sentry_place_t    *place;
    ngx_sentry_handler_t  *h;

    n = NGX_SENTRY_FRAMES_MAX_N;
    h = &conf->place->handler;
    len = 0;

    if (h->source) {
        n--;

        if (ngx_sentry_place_statement(cf, conf, h->source, h->index, NULL,
                                       &frames[n])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        len = frames[n].len;
    }

    for (place = conf->place; place && n; place = place->outer) {
        n--;

        if (ngx_sentry_place_block(cf, conf, place, &frames[n]) != NGX_OK) {
            return NGX_ERROR;
        }

        len += frames[n].len;

        if (len > NGX_SENTRY_FRAMES_MAX) {
            n++;
            break;
        }
    }

    conf->nframes = NGX_SENTRY_FRAMES_MAX_N - n;
    conf->frames = ngx_palloc(cf->pool, conf->nframes * sizeof(ngx_str_t));
    if (conf->frames == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(conf->frames, &frames[n], conf->nframes * sizeof(ngx_str_t));

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_place_block(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_place_t *place, ngx_str_t *packed)
{
    u_char                     buf[SNX_CONF_TITLE_MAX];
    snx_str_t                  title;
    ngx_sentry_frame_t         frame;
    ngx_http_core_srv_conf_t  *cscf;

    if (place->outer) {
        title = ngx_sentry_place_title(conf, "location", &place->name, buf);

    } else {
        cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
        title = ngx_sentry_place_title(conf, "server", &cscf->server_name,
                                       buf);
    }

    if (place->source) {
        return ngx_sentry_place_statement(cf, conf, place->source,
                                          place->index,
                                          place->outer ? NULL : &title,
                                          packed);
    }

    frame.file = &place->file;
    frame.line = place->line;
    frame.function = title;
    frame.source = NULL;

    return ngx_sentry_place_frame(cf, conf, &frame, packed);
}


static snx_str_t
ngx_sentry_place_title(ngx_sentry_loc_conf_t *conf, const char *what,
    ngx_str_t *name, u_char buf[SNX_CONF_TITLE_MAX])
{
    u_char  *p;

    p = ngx_cpymem(buf, what, ngx_strlen(what));

    if (name->len) {
        *p++ = ' ';
        p += snx_scrub_path(&conf->scrub, ngx_sentry_str(name), p,
                            (size_t) (buf + SNX_CONF_TITLE_MAX - p));
    }

    return snx_str(buf, (size_t) (p - buf));
}


/* title may be NULL: the words of the statement. */

static ngx_int_t
ngx_sentry_place_statement(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_source_t *source, uint32_t index, snx_str_t *title,
    ngx_str_t *packed)
{
    size_t              len;
    u_char              buf[SNX_CONF_TITLE_MAX];
    snx_conf_filter_t  *filter;
    ngx_sentry_frame_t  frame;

    filter = ngx_sentry_source_filter(cf, source, &conf->scrub);

    if (source->frames[index].data == NULL) {

        if (title) {
            frame.function = *title;

        } else {
            len = snx_confshow_title(filter, &source->conf, index, buf,
                                     sizeof(buf));
            frame.function = snx_str(buf, len);
        }

        frame.file = &source->node.str;
        frame.line = source->conf.list[index].line;
        frame.source = source;

        if (ngx_sentry_place_frame(cf, conf, &frame, &source->frames[index])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    *packed = source->frames[index];

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_place_frame(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_frame_t *frame, ngx_str_t *packed)
{
    char              text[NGX_SENTRY_FRAME_MAX];
    size_t            len;
    u_char            buf[NGX_SENTRY_FRAME_MAX + 64];
    snx_text_t        value;
    snx_frame_t       key;
    snx_rec_writer_t  w;

    ngx_memzero(&key, sizeof(snx_frame_t));
    snx_text_init(&value, text, sizeof(text));

    key.line = (uint32_t) frame->line;

    if (ngx_sentry_place_names(cf, conf, frame, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    snx_text_add(&value, frame->function);
    snx_text_add(&value, snx_str("", 1));

    if (frame->source
        && ngx_sentry_place_context(cf, conf, frame, &key, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    snx_rec_begin(&w, buf, sizeof(buf));
    snx_rec_pair(&w, SNX_F_FRAME, snx_str(&key, sizeof(snx_frame_t)),
                 snx_str(value.data, value.len));

    len = (size_t) (w.pos - w.start);

    packed->len = len;
    packed->data = ngx_pnalloc(cf->pool, len);
    if (packed->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(packed->data, buf, len);

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_place_context(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_frame_t *frame, snx_frame_t *key, snx_text_t *value)
{
    ngx_uint_t          i, at;
    ngx_sentry_lines_t  lines;

    if (ngx_sentry_source_lines(cf, frame->source, &conf->scrub, frame->line,
                                &lines)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    at = frame->line - lines.first;

    if (at >= lines.n) {
        return NGX_OK;
    }

    key->before = (uint8_t) at;
    key->lines = (uint8_t) lines.n;

    for (i = 0; i < lines.n; i++) {
        snx_text_add(value, snx_str(lines.text[i], lines.len[i]));
        snx_text_add(value, snx_str("", 1));
    }

    return NGX_OK;
}


/* Short and long, each with a NUL; made once for all frames of a file. */

static ngx_int_t
ngx_sentry_place_names(ngx_conf_t *cf, ngx_sentry_loc_conf_t *conf,
    ngx_sentry_frame_t *frame, snx_text_t *value)
{
    char        buf[2 * NGX_SENTRY_FRAME_NAME_MAX + 2], *p;
    size_t      skip;
    ngx_str_t  *file, *names;

    names = frame->source ? &frame->source->names : NULL;

    if (names && names->len) {
        snx_text_add(value, ngx_sentry_str(names));
        return NGX_OK;
    }

    file = frame->file;
    skip = ngx_sentry_place_prefix(cf, file);

    p = buf;
    p += snx_scrub_path(&conf->scrub,
                        snx_str(file->data + skip, file->len - skip), p,
                        NGX_SENTRY_FRAME_NAME_MAX);
    *p++ = '\0';

    p += snx_scrub_path(&conf->scrub, ngx_sentry_str(file), p,
                        NGX_SENTRY_FRAME_NAME_MAX);
    *p++ = '\0';

    snx_text_add(value, snx_str(buf, (size_t) (p - buf)));

    if (names) {
        names->data = ngx_pnalloc(cf->temp_pool, (size_t) (p - buf));
        if (names->data == NULL) {
            return NGX_ERROR;
        }

        names->len = (size_t) (p - buf);
        ngx_memcpy(names->data, buf, names->len);
    }

    return NGX_OK;
}


/* What is left out of a name: the directory of nginx.conf, or nginx's own. */

static size_t
ngx_sentry_place_prefix(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_str_t  *prefix;

    prefix = &cf->cycle->conf_prefix;

    if (file->len > prefix->len
        && ngx_memcmp(file->data, prefix->data, prefix->len) == 0)
    {
        return prefix->len;
    }

    prefix = &cf->cycle->prefix;

    if (file->len > prefix->len
        && ngx_memcmp(file->data, prefix->data, prefix->len) == 0)
    {
        return prefix->len;
    }

    return 0;
}


void
ngx_sentry_place_pack(ngx_sentry_loc_conf_t *conf, snx_rec_writer_t *rec)
{
    ngx_uint_t  i;

    for (i = 0; i < conf->nframes; i++) {
        snx_rec_raw(rec, ngx_sentry_str(&conf->frames[i]));
    }
}
