
/*
 * Copyright (C) ngx_sentry authors
 *
 * Memory for what is kept of a request.
 *
 * DESIGN.  nginx's own need fills most of the 4 KB of a request's pool.  With
 * ours it would take another block from malloc(), which costs more than all
 * else that is done for a proxied request.  So the context, its trace and
 * what the upstream is told are in a room of ours, which the worker uses
 * again.  A pool of the request tells when it is over, by a cleanup that is
 * part of the room.
 *
 * nginx reads the cleanup's next after its handler: a room that is given back
 * may be taken again by then, but never freed; another free one may.
 */


#include "ngx_sentry.h"


#define NGX_SENTRY_ROOM_SIZE     1024      /* beside context and trace */

/* of a worker, at most; few where a checker is to see what is used too late */

#if (NGX_DEBUG_PALLOC)
#define NGX_SENTRY_ROOMS_FREE_N  1
#else
#define NGX_SENTRY_ROOMS_FREE_N  64
#endif


struct ngx_sentry_room_s {
    ngx_pool_cleanup_t         cleanup;
    ngx_sentry_room_t         *next;       /* free */
    u_char                    *pos;
    ngx_sentry_ctx_t           ctx;
    ngx_sentry_trace_t         trace;
    _Alignas(8) u_char         data[NGX_SENTRY_ROOM_SIZE];
};


static void ngx_sentry_room_free(void *data);


static ngx_sentry_room_t  *ngx_sentry_rooms;
static ngx_uint_t          ngx_sentry_rooms_n;


ngx_sentry_ctx_t *
ngx_sentry_room_take(ngx_pool_t *pool)
{
    ngx_sentry_room_t  *room;

    room = ngx_sentry_rooms;

    if (room) {
        ngx_sentry_rooms = room->next;
        ngx_sentry_rooms_n--;

    } else {
        room = ngx_alloc(sizeof(ngx_sentry_room_t), pool->log);

        if (room == NULL) {
            return NULL;
        }

        room->cleanup.handler = ngx_sentry_room_free;
        room->cleanup.data = room;
        room->ctx.room = room;
    }

    room->cleanup.next = pool->cleanup;
    pool->cleanup = &room->cleanup;

    room->pos = room->data;

    ngx_memzero(&room->ctx, offsetof(ngx_sentry_ctx_t, room));

    return &room->ctx;
}


static void
ngx_sentry_room_free(void *data)
{
    ngx_sentry_room_t *room = data;

    ngx_sentry_room_t  *other;

    other = ngx_sentry_rooms;

    if (ngx_sentry_rooms_n == NGX_SENTRY_ROOMS_FREE_N) {
        room->next = other->next;
        ngx_free(other);

    } else {
        room->next = other;
        ngx_sentry_rooms_n++;
    }

    ngx_sentry_rooms = room;
}


ngx_sentry_trace_t *
ngx_sentry_room_trace(ngx_sentry_ctx_t *ctx)
{
    ngx_sentry_trace_t  *trace;

    trace = &ctx->room->trace;

    ngx_memzero(trace, offsetof(ngx_sentry_trace_t, rate));
    ngx_memzero(trace->parent_span_id, sizeof(trace->parent_span_id));

    return trace;
}


void *
ngx_sentry_room_alloc(ngx_http_request_t *r, size_t size)
{
    u_char             *p;
    ngx_sentry_ctx_t   *ctx;
    ngx_sentry_room_t  *room;

    ctx = ngx_sentry_trail_ctx(r->main, 0);

    if (ctx) {
        room = ctx->room;
        p = room->pos;

        if (size <= (size_t) (room->data + NGX_SENTRY_ROOM_SIZE - p)) {
            room->pos = ngx_align_ptr(p + size, 8);
            return p;
        }
    }

    return ngx_palloc(r->pool, size);
}
