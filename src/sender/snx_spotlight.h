
/*
 * Copyright (C) ngx_sentry authors
 *
 * Spotlight: a copy of every envelope to a developer's machine.  Fire and
 * forget: what cannot be taken now is dropped, nothing here touches the
 * accounts of Sentry.
 */


#ifndef SNX_SPOTLIGHT_H_INCLUDED
#define SNX_SPOTLIGHT_H_INCLUDED


#include "snx_mailbox.h"
#include "snx_transport.h"


typedef struct {
    const char      *url;          /* NULL: off */
    snx_mailbox_t   *box;
    uint64_t         next_try_ms;
    uint64_t         answered_ms;  /* the last time, or since when it is due */
    uint32_t         backoff_ms;   /* 0: reachable */
    unsigned         starved:1;    /* a record waits for room */
} snx_spotlight_t;


void snx_spotlight_init(snx_spotlight_t *spotlight, const char *url,
    snx_mailbox_t *box);

/* Reachable, but it takes no more now. */
int snx_spotlight_busy(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport);

/*
 * Busy, and it will be free soon: a burst is worth waiting for, one that
 * answers slowly is not.
 */
int snx_spotlight_soon(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport, uint64_t now_ms);

/* Whether it would take a copy now. */
int snx_spotlight_takes(const snx_spotlight_t *spotlight,
    const snx_transport_t *transport, uint64_t now_ms);

void snx_spotlight_send(snx_spotlight_t *spotlight,
    snx_transport_t *transport, snx_str_t body, int gzip, uint64_t now_ms);

void snx_spotlight_answer(snx_spotlight_t *spotlight,
    const snx_answer_t *answer, uint64_t now_ms);


#endif /* SNX_SPOTLIGHT_H_INCLUDED */
