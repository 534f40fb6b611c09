
/*
 * Copyright (C) ngx_sentry authors
 */


#include <stdarg.h>
#include <stdio.h>

#include "snx_mailbox.h"


void
snx_mailbox_put(snx_mailbox_t *box, unsigned level, const char *fmt, ...)
{
    va_list            args;
    uint32_t           tail;
    snx_sender_msg_t  *msg;

    tail = atomic_load_explicit(&box->tail, memory_order_relaxed);

    if (tail - atomic_load_explicit(&box->head, memory_order_acquire)
        == SNX_MAILBOX_N)
    {
        return;
    }

    msg = &box->msg[tail % SNX_MAILBOX_N];
    msg->level = level;

    va_start(args, fmt);
    (void) vsnprintf(msg->text, sizeof(msg->text), fmt, args);
    va_end(args);

    atomic_store_explicit(&box->tail, tail + 1, memory_order_release);
}


int
snx_mailbox_get(snx_mailbox_t *box, snx_sender_msg_t *msg)
{
    uint32_t  head;

    head = atomic_load_explicit(&box->head, memory_order_relaxed);

    if (head == atomic_load_explicit(&box->tail, memory_order_acquire)) {
        return 0;
    }

    *msg = box->msg[head % SNX_MAILBOX_N];

    atomic_store_explicit(&box->head, head + 1, memory_order_release);

    return 1;
}


void
snx_mailbox_clean(char *out, size_t cap, const char *in)
{
    size_t  n;

    for (n = 0; n + 1 < cap && in[n] != '\0'; n++) {
        out[n] = in[n] >= ' ' && in[n] <= '~' ? in[n] : '?';
    }

    out[n] = '\0';
}
