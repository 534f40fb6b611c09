
/*
 * Copyright (C) ngx_sentry authors
 *
 * A small direct-mapped cache of strings.
 */


#include "snx_memo.h"


/*
 * Words at a time, the last one overlapping.  A client who makes two strings
 * meet gains nothing.
 */

static inline uint64_t
snx_memo_hash(uint64_t h, snx_str_t in)
{
    size_t                left;
    uint64_t              word;
    const unsigned char  *p;

    h ^= (uint64_t) in.len << 48;
    p = in.data;
    word = 0;

    for (left = in.len; left > sizeof(word); left -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        h = ((h << 5 | h >> 59) ^ word) * 0x9e3779b97f4a7c15u;
        p += sizeof(word);
    }

    if (in.len >= sizeof(word)) {
        memcpy(&word, p + left - sizeof(word), sizeof(word));

    } else {
        for (/* void */; left != 0; left--) {
            word = word << 8 | p[left - 1];
        }
    }

    h = ((h << 5 | h >> 59) ^ word) * 0x9e3779b97f4a7c15u;

    return h ^ h >> 32;
}


snx_rc_t
snx_memo_get(const snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t more, snx_str_t *out, uint64_t *hash)
{
    uint64_t                h;
    const snx_memo_slot_t  *slot;

    /* what is never kept need not be hashed */

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX
        || more.len > SNX_MEMO_TEXT_MAX - in.len)
    {
        *hash = 0;
        return SNX_DONE;
    }

    h = snx_memo_hash(key, in);

    if (more.len != 0) {
        h = snx_memo_hash(h, more);
    }

    *hash = h;
    slot = &memo->slots[h % SNX_MEMO_SLOTS_N];

    if (slot->hash != h || slot->in_len != in.len
        || slot->more_len != more.len || slot->key != key
        || memcmp(slot->text, in.data, in.len) != 0
        || (more.len != 0
            && memcmp(slot->text + in.len, more.data, more.len) != 0))
    {
        return SNX_DONE;
    }

    *out = snx_str(slot->text + in.len + more.len, slot->out_len);

    return SNX_OK;
}


void
snx_memo_put(snx_memo_t *memo, uint64_t key, snx_str_t in, snx_str_t more,
    snx_str_t out, uint64_t hash)
{
    unsigned char    *p;
    snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX
        || more.len > SNX_MEMO_TEXT_MAX - in.len
        || out.len > SNX_MEMO_TEXT_MAX - in.len - more.len)
    {
        return;
    }

    slot = &memo->slots[hash % SNX_MEMO_SLOTS_N];

    slot->key = key;
    slot->hash = hash;
    slot->in_len = (uint32_t) in.len;
    slot->more_len = (uint32_t) more.len;
    slot->out_len = (uint32_t) out.len;

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
}
