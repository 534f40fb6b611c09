
/*
 * Copyright (C) ngx_sentry authors
 *
 * Memory for what is kept of a request.
 *
 * DESIGN.  nginx's own need fills most of the 4 KB blocks of a request's
 * pool.  With ours it would take another block from malloc(), which costs
 * more than all else that is done for a proxied request.  So the context, its
 * trace and what the upstream is told are in a room of ours, which the worker
 * uses again.  A pool of the request tells when it is over, by a cleanup that
 * is part of the room.
 *
 * Proxied headers are copied into the pool by nginx.  So the pool of a proxied
 * request gets what is left of the room as one more block: nginx then takes
 * fewer of its own.  The cleanup takes it out before nginx frees its blocks.
 *
 * nginx reads the cleanup's next after its handler: a room that is given back
 * may be taken again by then, but never freed; another free one may.
 */


#include "ngx_sentry.h"


/* beside the context: 1 KB for us, the rest for nginx */

#define NGX_SENTRY_ROOM_SIZE     3072

/* of a worker, at most; few where a checker is to see what is used too late */

#if (NGX_DEBUG_PALLOC)
#define NGX_SENTRY_ROOMS_FREE_N  1
#else
#define NGX_SENTRY_ROOMS_FREE_N  64
#endif


struct ngx_sentry_room_s {
    ngx_pool_cleanup_t         cleanup;
    ngx_sentry_room_t         *next;       /* free */
    ngx_pool_t                *pool;       /* that block is lent to, or NULL */
    ngx_pool_t                *before;     /* its block in front of ours */
    ngx_sentry_ctx_t           ctx;
    ngx_pool_t                 block;      /* of data; only its d is used */
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

    room->pool = NULL;

    room->block.d.last = room->data;
    room->block.d.end = room->data + NGX_SENTRY_ROOM_SIZE;
    room->block.d.next = NULL;
    room->block.d.failed = 0;

    ngx_memzero(&room->ctx, offsetof(ngx_sentry_ctx_t, draw));
    room->ctx.room = room;

    return &room->ctx;
}


static void
ngx_sentry_room_free(void *data)
{
    ngx_sentry_room_t *room = data;

    ngx_sentry_room_t  *other;

    /* new blocks come last: the one before is still that */

    if (room->pool) {
        room->before->d.next = room->block.d.next;
        room->pool->current = room->pool;
    }

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


void *
ngx_sentry_room_alloc(ngx_sentry_room_t *room, ngx_pool_t *pool, size_t size)
{
    u_char           *p;
    ngx_pool_data_t  *d;

    if (room) {
        d = &room->block.d;
        p = ngx_align_ptr(d->last, 8);

        if (p <= d->end && size <= (size_t) (d->end - p)) {
            d->last = p + size;
            return p;
        }
    }

    return ngx_palloc(pool, size);
}


void
ngx_sentry_room_lend(ngx_sentry_room_t *room, ngx_pool_t *pool)
{
    ngx_pool_t  *last;

    if (room->pool) {
        return;
    }

    for (last = pool; last->d.next; last = last->d.next) { /* void */ }

    last->d.next = &room->block;

    room->pool = pool;
    room->before = last;
}
