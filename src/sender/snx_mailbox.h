
/*
 * Copyright (C) ngx_sentry authors
 *
 * Messages from the sender's thread to nginx's log: a bounded ring with one
 * writer (the thread) and one reader (nginx's main thread).  A full ring
 * drops what is new.
 */


#ifndef SNX_MAILBOX_H_INCLUDED
#define SNX_MAILBOX_H_INCLUDED


#include <stdatomic.h>

#include "snx_sender.h"


#define SNX_MAILBOX_N          32      /* power of two */
#define SNX_MAILBOX_REMOTE_MAX 100     /* text that came from outside */

#define SNX_MSG_CRIT           3
#define SNX_MSG_ERROR          4
#define SNX_MSG_WARN           5
#define SNX_MSG_NOTICE         6
#define SNX_MSG_INFO           7


typedef struct {
    _Atomic uint32_t   head;           /* next to read */
    _Atomic uint32_t   tail;           /* next to write */
    snx_sender_msg_t   msg[SNX_MAILBOX_N];
} snx_mailbox_t;


/* The writer.  Never blocks; text is cut. */
void snx_mailbox_put(snx_mailbox_t *box, unsigned level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The reader: 1 with *msg set, or 0. */
int snx_mailbox_get(snx_mailbox_t *box, snx_sender_msg_t *msg);

/*
 * A terminated copy of remote text that is fit for a log: printable ASCII,
 * other bytes as "?", cut to cap with its end.
 */
void snx_mailbox_clean(char *out, size_t cap, const char *in);


#endif /* SNX_MAILBOX_H_INCLUDED */
