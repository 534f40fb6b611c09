
/*
 * Copyright (C) ngx_sentry authors
 *
 * What was made of strings that come again and again: request lines, user
 * agents.  One slot per hash, the newest string wins it; so a flood of
 * different strings costs what it would without a memo and a little more.
 *
 * The caller's process only: strings in here are not scrubbed yet.
 */


#ifndef SNX_MEMO_H_INCLUDED
#define SNX_MEMO_H_INCLUDED


#include "snx.h"


#define SNX_MEMO_SLOTS_N       128     /* a power of two */
#define SNX_MEMO_TEXT_MAX      1000    /* a string and what came of it */


typedef struct {
    uint64_t         key;
    uint64_t         hash;
    uint32_t         in_len;           /* 0: empty */
    uint32_t         more_len;
    uint32_t         out_len;
    unsigned char    text[SNX_MEMO_TEXT_MAX];
} snx_memo_slot_t;


typedef struct {                       /* zeroed: empty */
    snx_memo_slot_t  slots[SNX_MEMO_SLOTS_N];
} snx_memo_t;


/*
 * What came before of in and more (a second string, or none) under key (how
 * it was made): SNX_OK and *out, or SNX_DONE.  *hash is for snx_memo_put(),
 * which forgets what does not fit.
 * Memory: *out is in the memo, until the next put.  Cost: O(len).
 */
snx_rc_t snx_memo_get(const snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more, snx_str_t *out, uint64_t *hash);
void snx_memo_put(snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more, snx_str_t out, uint64_t hash);


#endif /* SNX_MEMO_H_INCLUDED */
