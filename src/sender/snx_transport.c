
/*
 * Copyright (C) ngx_sentry authors
 */


#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "snx_slot.h"
#include "snx_sockets.h"
#include "snx_watch.h"


#define SNX_TRANSPORT_KEEP_MAX    65536    /* body memory kept by a slot */
#define SNX_TRANSPORT_SLOTS_N                                                 \
    (SNX_TRANSPORT_SENTRY_N + SNX_TRANSPORT_SPOTLIGHT_N)


struct snx_transport_s {
    CURLM                 *multi;
    snx_transport_conf_t   conf;
    uint32_t               inflight[SNX_POOLS_N];
    snx_sockets_t          sockets;
    snx_watch_t            watch;
    snx_slot_t             slots[SNX_TRANSPORT_SLOTS_N];
};


static const uint32_t  snx_transport_max[SNX_POOLS_N] = {
    SNX_TRANSPORT_SENTRY_N, SNX_TRANSPORT_SPOTLIGHT_N
};

static pthread_mutex_t  snx_transport_lock = PTHREAD_MUTEX_INITIALIZER;
static int              snx_transport_begun;


/*
 * Once per process, unless it failed, and never undone: another module may
 * use curl as well.  Takes tens of ms for TLS, therefore not before it is
 * needed.
 */

static CURLcode
snx_transport_global_init(void)
{
    CURLcode  code;

    code = CURLE_OK;

    (void) pthread_mutex_lock(&snx_transport_lock);

    if (!snx_transport_begun) {
        code = curl_global_init(CURL_GLOBAL_DEFAULT);
        snx_transport_begun = (code == CURLE_OK);
    }

    (void) pthread_mutex_unlock(&snx_transport_lock);

    return code;
}


snx_transport_t *
snx_transport_create(const snx_transport_conf_t *conf, const char **why)
{
    CURLcode          code;
    snx_transport_t  *transport;

    code = snx_transport_global_init();

    if (code != CURLE_OK) {
        *why = curl_easy_strerror(code);
        return NULL;
    }

    transport = calloc(1, sizeof(snx_transport_t));

    if (transport == NULL) {
        *why = "no memory";
        return NULL;
    }

    transport->conf = *conf;
    transport->multi = curl_multi_init();

    if (transport->multi == NULL) {
        free(transport);
        *why = "no memory";
        return NULL;
    }

    snx_watch_init(&transport->watch, transport->multi);
    snx_sockets_init(&transport->sockets);

    (void) curl_multi_setopt(transport->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                             (long) SNX_TRANSPORT_HOST_N);
    (void) curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS,
                             (long) SNX_TRANSPORT_SLOTS_N);
    (void) curl_multi_setopt(transport->multi, CURLMOPT_PIPELINING,
                             (long) CURLPIPE_MULTIPLEX);

    return transport;
}


void
snx_transport_destroy(snx_transport_t *transport)
{
    uint32_t     i;
    snx_slot_t  *slot;

    for (i = 0; i < SNX_TRANSPORT_SLOTS_N; i++) {
        slot = &transport->slots[i];

        if (slot->easy != NULL) {

            if (slot->state == SNX_SLOT_FLYING) {
                (void) curl_multi_remove_handle(transport->multi, slot->easy);
            }

            curl_easy_cleanup(slot->easy);
        }

        curl_slist_free_all(slot->headers);
        curl_url_cleanup(slot->address);
        free(slot->body);
        free(slot->answer);
    }

    (void) curl_multi_cleanup(transport->multi);
    snx_watch_done(&transport->watch);

    snx_sockets_done(&transport->sockets);
    free(transport);
}


uint32_t
snx_transport_inflight(const snx_transport_t *transport, snx_pool_t pool)
{
    return transport->inflight[pool];
}


uint32_t
snx_transport_room(const snx_transport_t *transport, snx_pool_t pool)
{
    return snx_transport_max[pool] - transport->inflight[pool];
}


static snx_rc_t
snx_transport_body(snx_slot_t *slot, snx_str_t body)
{
    char  *p;

    if (body.len > slot->body_cap) {
        p = realloc(slot->body, body.len);

        if (p == NULL) {
            return SNX_NOMEM;
        }

        slot->body = p;
        slot->body_cap = body.len;
    }

    if (body.len != 0) {
        memcpy(slot->body, body.data, body.len);
    }

    slot->body_len = body.len;

    return SNX_OK;
}


/*
 * Headers and address are those of the slot's last POST, most of the time:
 * then nothing is made anew.
 */

static snx_rc_t
snx_transport_target(const snx_transport_t *transport, snx_slot_t *slot,
    const snx_post_t *post)
{
    long  wait;

    if (slot->url == post->url && slot->auth == post->auth
        && slot->gzip == post->gzip)
    {
        return SNX_OK;
    }

    slot->url = NULL;

    if (snx_slot_headers(slot, &transport->conf, post) != SNX_OK) {
        return SNX_NOMEM;
    }

    /* wait for one connection to tell whether it can carry them all */

    wait = strncasecmp(post->url, "https:", 6) == 0;

    if (curl_easy_setopt(slot->easy, CURLOPT_URL, post->url) != CURLE_OK
        || curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, wait) != CURLE_OK
        || curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers)
           != CURLE_OK)
    {
        return SNX_NOMEM;
    }

    snx_slot_address(slot, post->url);

    slot->url = post->url;
    slot->auth = post->auth;
    slot->gzip = post->gzip;

    return SNX_OK;
}


static void
snx_transport_free(snx_transport_t *transport, snx_slot_t *slot)
{
    if (slot->body_cap > SNX_TRANSPORT_KEEP_MAX) {
        free(slot->body);
        slot->body = NULL;
        slot->body_cap = 0;
    }

    if (slot->state != SNX_SLOT_FREE) {
        transport->inflight[slot->pool]--;
        slot->state = SNX_SLOT_FREE;
    }
}


static snx_slot_t *
snx_transport_slot(snx_transport_t *transport)
{
    uint32_t     i;
    snx_slot_t  *slot;

    for (i = 0; i < SNX_TRANSPORT_SLOTS_N; i++) {
        slot = &transport->slots[i];

        if (slot->state == SNX_SLOT_FREE) {
            return slot;
        }
    }

    return NULL;
}


static int
snx_transport_launch(snx_transport_t *transport, const snx_slot_t *slot)
{
    return curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->body)
              == CURLE_OK
           && curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t) slot->body_len)
              == CURLE_OK
           && curl_multi_add_handle(transport->multi, slot->easy)
              == CURLM_OK;
}


snx_rc_t
snx_transport_post(snx_transport_t *transport, snx_pool_t pool,
    const snx_post_t *post)
{
    snx_slot_t  *slot;

    if (snx_transport_room(transport, pool) == 0) {
        return SNX_FULL;
    }

    slot = snx_transport_slot(transport);

    if (slot == NULL) {
        return SNX_FULL;
    }

    if (slot->easy == NULL) {
        slot->easy = snx_slot_easy(slot, &transport->conf);

        if (slot->easy != NULL) {
            snx_sockets_use(&transport->sockets, slot->easy);
        }
    }

    snx_slot_reset(slot);

    if (slot->easy == NULL
        || snx_transport_body(slot, post->body) != SNX_OK
        || snx_transport_target(transport, slot, post) != SNX_OK
        || !snx_transport_launch(transport, slot))
    {
        snx_transport_free(transport, slot);
        return SNX_NOMEM;
    }

    slot->pool = pool;
    slot->data = post->data;
    slot->state = SNX_SLOT_FLYING;
    transport->inflight[pool]++;

    return SNX_OK;
}


void
snx_transport_run(snx_transport_t *transport, uint32_t wait_ms)
{
    uint32_t  flying;

    flying = transport->inflight[SNX_POOL_SENTRY]
             + transport->inflight[SNX_POOL_SPOTLIGHT];

    snx_watch_run(&transport->watch, flying, wait_ms);
}


/*
 * Any final status is an answer, even when the rest of it was cut off: the
 * server has taken the envelope or refused it.
 */

static void
snx_transport_answer(const snx_transport_t *transport, snx_slot_t *slot,
    CURLcode code, snx_answer_t *answer)
{
    long         status, version;
    curl_off_t   total_us;

    status = 0;
    version = 0;
    total_us = 0;

    (void) curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    (void) curl_easy_getinfo(slot->easy, CURLINFO_HTTP_VERSION, &version);
    (void) curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME_T, &total_us);

    answer->data = slot->data;
    answer->pool = slot->pool;
    answer->status = status < 200 ? 0 : (uint32_t) status;
    answer->ms = (uint32_t) (total_us / 1000);
    answer->bytes = slot->body_len;
    answer->http2 = version == CURL_HTTP_VERSION_2_0;
    answer->error = slot->error[0] != '\0' ? slot->error
                                           : curl_easy_strerror(code);
    answer->limits = slot->limits;
    answer->retry_after = slot->retry_after;
    answer->reason = slot->reason;
    answer->body = snx_slot_said(slot);

    if (status == 407 && transport->conf.proxy != NULL) {

        /* a proxy's word: Sentry has not seen the envelope */

        answer->status = 0;
        answer->error = "the proxy demands a password (HTTP 407)";
    }
}


int
snx_transport_next(snx_transport_t *transport, snx_answer_t *answer)
{
    int           left;
    char         *private;
    uint32_t      i;
    CURLMsg      *msg;
    CURLcode      code;
    snx_slot_t   *slot;

    for (i = 0; i < SNX_TRANSPORT_SLOTS_N; i++) {
        if (transport->slots[i].state == SNX_SLOT_ENDED) {
            snx_transport_free(transport, &transport->slots[i]);
        }
    }

    do {
        msg = curl_multi_info_read(transport->multi, &left);

        if (msg == NULL) {
            return 0;
        }

    } while (msg->msg != CURLMSG_DONE);

    /* msg dies with the removal */

    code = msg->data.result;
    private = NULL;

    (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
    slot = (snx_slot_t *) (void *) private;

    (void) curl_multi_remove_handle(transport->multi, slot->easy);
    slot->state = SNX_SLOT_ENDED;

    snx_transport_answer(transport, slot, code, answer);

    return 1;
}


int
snx_transport_cancel(snx_transport_t *transport, snx_pool_t pool,
    void **data)
{
    uint32_t     i;
    snx_slot_t  *slot;

    for (i = 0; i < SNX_TRANSPORT_SLOTS_N; i++) {
        slot = &transport->slots[i];

        if (slot->state == SNX_SLOT_FLYING && slot->pool == pool) {
            (void) curl_multi_remove_handle(transport->multi, slot->easy);
            *data = slot->data;
            snx_transport_free(transport, slot);

            return 1;
        }
    }

    return 0;
}


snx_rc_t
snx_transport_cut(snx_transport_t *transport)
{
    return snx_sockets_cut(&transport->sockets);
}


void
snx_transport_wakeup(snx_transport_t *transport)
{
    snx_watch_wakeup(&transport->watch);
}
