
/*
 * Copyright (C) ngx_sentry authors
 *
 * A small direct-mapped cache of strings.
 */


#include "snx_memo.h"


/*
 * Words at a time, the last one overlapping.  All of a word reaches the upper
 * bits, which choose the slot.  A client who makes two strings meet gains
 * nothing.
 */

static inline uint64_t
snx_memo_mix(uint64_t h, uint64_t word)
{
    return ((h << 29 | h >> 35) ^ word) * 0x9e3779b97f4a7c15u;
}


static inline uint64_t
snx_memo_hash(uint64_t h, snx_str_t in)
{
    uint32_t              half;
    uint64_t              word;
    const unsigned char  *p, *last;

    h ^= in.len;
    p = in.data;

    if (in.len >= sizeof(word)) {

        for (last = p + in.len - sizeof(word); p < last; p += sizeof(word)) {
            memcpy(&word, p, sizeof(word));
            h = snx_memo_mix(h, word);
        }

        memcpy(&word, last, sizeof(word));

    } else if (in.len >= sizeof(half)) {
        memcpy(&half, p, sizeof(half));
        word = half;
        memcpy(&half, p + in.len - sizeof(half), sizeof(half));
        word = word << 32 | half;

    } else {
        word = (uint64_t) p[0] << 16 | (uint64_t) p[in.len / 2] << 8
               | p[in.len - 1];
    }

    return snx_memo_mix(h, word);
}


/* The upper bits choose the slot. */

static inline size_t
snx_memo_index(uint64_t hash)
{
    _Static_assert(SNX_MEMO_SLOTS_N == 1 << 7, "seven bits");

    return (size_t) (hash >> 57);
}


static inline const snx_memo_slot_t *
snx_memo_slot(const snx_memo_t *memo, uint64_t hash, uint64_t key,
    size_t in_len, size_t more_len)
{
    const snx_memo_slot_t  *slot;

    slot = &memo->slots[snx_memo_index(hash)];

    return slot->hash == hash && slot->key == key && slot->in_len == in_len
           && slot->more_len == more_len ? slot : NULL;
}


/* What is never kept need not be hashed. */

const snx_memo_slot_t *
snx_memo_get_one(const snx_memo_t *memo, uint64_t key, snx_str_t in)
{
    const snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX) {
        return NULL;
    }

    slot = snx_memo_slot(memo, snx_memo_hash(key, in), key, in.len, 0);

    return slot != NULL && memcmp(slot->text, in.data, in.len) == 0 ? slot
                                                                    : NULL;
}


const snx_memo_slot_t *
snx_memo_get_two(const snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more)
{
    uint64_t                h;
    const snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len + more.len > SNX_MEMO_TEXT_MAX) {
        return NULL;
    }

    h = snx_memo_hash(snx_memo_hash(key, in), more);
    slot = snx_memo_slot(memo, h, key, in.len, more.len);

    return slot != NULL
           && memcmp(slot->text + in.len, more.data, more.len) == 0
           && memcmp(slot->text, in.data, slot->in_len) == 0 ? slot : NULL;
}


snx_memo_slot_t *
snx_memo_put(snx_memo_t *memo, uint64_t key, snx_str_t in, snx_str_t more,
    snx_str_t out)
{
    uint64_t          hash;
    unsigned char    *p;
    snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX
        || more.len > SNX_MEMO_TEXT_MAX - in.len
        || out.len > SNX_MEMO_TEXT_MAX - in.len - more.len)
    {
        return NULL;
    }

    memo->puts++;

    hash = snx_memo_hash(key, in);

    if (more.len != 0) {
        hash = snx_memo_hash(hash, more);
    }

    slot = &memo->slots[snx_memo_index(hash)];

    slot->key = key;
    slot->hash = hash;
    slot->in_len = (uint32_t) in.len;
    slot->more_len = (uint32_t) more.len;
    slot->out_len = (uint32_t) out.len;
    slot->mark = 0;

    p = slot->text;
    memcpy(p, in.data, in.len);
    p += in.len;

    if (more.len != 0) {
        memcpy(p, more.data, more.len);
        p += more.len;
    }

    if (out.len != 0) {
        memcpy(p, out.data, out.len);
    }

    return slot;
}
