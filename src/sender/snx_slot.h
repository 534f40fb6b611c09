
/*
 * Copyright (C) ngx_sentry authors
 *
 * One place in the transport: a curl handle that is made once and reused,
 * and what it keeps of an answer.  For snx_transport.c alone.
 */


#ifndef SNX_SLOT_H_INCLUDED
#define SNX_SLOT_H_INCLUDED


#include <curl/curl.h>

#include "snx_transport.h"


#define SNX_TRANSPORT_VALUE_MAX   1024     /* of a header kept */


typedef enum {
    SNX_SLOT_FREE = 0,
    SNX_SLOT_FLYING,
    SNX_SLOT_ENDED             /* its answer is being looked at */
} snx_slot_state_t;


typedef struct {
    CURL               *easy;          /* made once, then reused */
    struct curl_slist  *headers;       /* of url, auth and gzip below */
    CURLU              *address;       /* url taken apart; NULL: not */
    const char         *url;           /* last one posted to; NULL: none */
    const char         *auth;
    unsigned            gzip:1;
    char               *body;
    size_t              body_cap;
    size_t              body_len;
    size_t              header_bytes;  /* received */
    size_t              answer_bytes;
    char               *answer;        /* body of an error; NULL until one */
    int                 status;        /* of the answer that is coming */
    void               *data;
    snx_pool_t          pool;
    snx_slot_state_t    state;
    char                limits[SNX_TRANSPORT_VALUE_MAX];
    char                retry_after[64];
    char                reason[256];
    char                error[CURL_ERROR_SIZE];
} snx_slot_t;


/*
 * A handle with all settings that stay the same for its life; NULL: no
 * memory.  What it receives goes to slot.
 */
SNX_COLD CURL *snx_slot_easy(snx_slot_t *slot,
    const snx_transport_conf_t *conf);

/* The headers for a POST, in place of the last ones; SNX_OK or SNX_NOMEM. */
SNX_COLD snx_rc_t snx_slot_headers(snx_slot_t *slot,
    const snx_transport_conf_t *conf, const snx_post_t *post);

/*
 * Has curl take url, which is the handle's CURLOPT_URL, apart once, not for
 * each POST; where it does not do that, it goes by CURLOPT_URL still.
 */
void snx_slot_address(snx_slot_t *slot, const char *url);

/* The body of an error that was answered; empty when it is long or none. */
snx_str_t snx_slot_said(const snx_slot_t *slot);

/* Forgets the last answer. */
void snx_slot_reset(snx_slot_t *slot);


#endif /* SNX_SLOT_H_INCLUDED */
