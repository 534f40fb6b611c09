
/*
 * Copyright (C) ngx_sentry authors
 */


#include "snx_spotlight.h"


#define SNX_SPOTLIGHT_BACKOFF_MIN_MS   1000
#define SNX_SPOTLIGHT_BACKOFF_MAX_MS   60000
#define SNX_SPOTLIGHT_PATIENCE_MS      200


void
snx_spotlight_init(snx_spotlight_t *spotlight, const char *url,
    snx_mailbox_t *box)
{
    spotlight->url = url;
    spotlight->box = box;
    spotlight->next_try_ms = 0;
    spotlight->answered_ms = 0;
    spotlight->backoff_ms = 0;
    spotlight->starved = 0;
}


int
snx_spotlight_busy(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport)
{
    return spotlight->backoff_ms == 0
           && snx_transport_room(transport, SNX_POOL_SPOTLIGHT) == 0;
}


int
snx_spotlight_soon(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport, uint64_t now_ms)
{
    return snx_spotlight_busy(spotlight, transport)
           && now_ms - spotlight->answered_ms < SNX_SPOTLIGHT_PATIENCE_MS;
}


int
snx_spotlight_takes(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport, uint64_t now_ms)
{
    if (spotlight->backoff_ms != 0) {
        return now_ms >= spotlight->next_try_ms
               && snx_transport_inflight(transport, SNX_POOL_SPOTLIGHT) == 0;
    }

    return snx_transport_room(transport, SNX_POOL_SPOTLIGHT) != 0;
}


void
snx_spotlight_send(snx_spotlight_t *spotlight, snx_transport_t *transport,
    snx_str_t body, int gzip, uint64_t now_ms)
{
    snx_post_t  post;

    if (!snx_spotlight_takes(spotlight, transport, now_ms)) {
        return;
    }

    if (snx_transport_inflight(transport, SNX_POOL_SPOTLIGHT) == 0) {
        spotlight->answered_ms = now_ms;
    }

    memset(&post, 0, sizeof(post));

    post.url = spotlight->url;
    post.body = body;
    post.gzip = gzip ? 1 : 0;

    (void) snx_transport_post(transport, SNX_POOL_SPOTLIGHT, &post);
}


void
snx_spotlight_answer(snx_spotlight_t *spotlight, const snx_answer_t *answer,
    uint64_t now_ms)
{
    char  error[SNX_MAILBOX_REMOTE_MAX + 1];

    spotlight->answered_ms = now_ms;

    if (answer->status != 0) {
        spotlight->backoff_ms = 0;
        return;
    }

    if (spotlight->backoff_ms == 0) {
        snx_mailbox_clean(error, sizeof(error), answer->error);
        snx_mailbox_put(spotlight->box, SNX_MSG_WARN,
                        "spotlight is unreachable: %s, retrying", error);

        spotlight->backoff_ms = SNX_SPOTLIGHT_BACKOFF_MIN_MS;

    } else if (now_ms >= spotlight->next_try_ms) {
        spotlight->backoff_ms *= 2;

        if (spotlight->backoff_ms > SNX_SPOTLIGHT_BACKOFF_MAX_MS) {
            spotlight->backoff_ms = SNX_SPOTLIGHT_BACKOFF_MAX_MS;
        }
    }

    spotlight->next_try_ms = now_ms + spotlight->backoff_ms;
}
