
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
    uint32_t         mark;             /* the caller's, 0 after a put */
    unsigned char    text[SNX_MEMO_TEXT_MAX];
} snx_memo_slot_t;


typedef struct {                       /* zeroed: empty */
    uint64_t         puts;             /* so many, a slot stays what it is */
    snx_memo_slot_t  slots[SNX_MEMO_SLOTS_N];
} snx_memo_t;


/*
 * Keeps what came of in and more (a second string, or none) under key (how it
 * was made); what does not fit is forgotten: NULL.  Copies.  Cost: O(len).
 */
snx_memo_slot_t *snx_memo_put(snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more, snx_str_t out);

/* For snx_memo_get(): of one string, and of two that are not empty. */
const snx_memo_slot_t *snx_memo_get_one(const snx_memo_t *memo, uint64_t key,
    snx_str_t in);
const snx_memo_slot_t *snx_memo_get_two(const snx_memo_t *memo, uint64_t key,
    snx_str_t in, snx_str_t more);


/*
 * Where it is kept what came of them before, or NULL.
 * Memory: in the memo, until the next put.  Cost: O(len).
 */
static inline const snx_memo_slot_t *
snx_memo_get(const snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more)
{
    return more.len == 0 ? snx_memo_get_one(memo, key, in)
                         : snx_memo_get_two(memo, key, in, more);
}


static inline snx_str_t
snx_memo_out(const snx_memo_slot_t *slot)
{
    return snx_str(slot->text + slot->in_len + slot->more_len, slot->out_len);
}


#endif /* SNX_MEMO_H_INCLUDED */
