
/*
 * Copyright (C) ngx_sentry authors
 *
 * A small direct-mapped cache of strings.
 */


#include "snx_memo.h"


static uint64_t snx_memo_hash(uint64_t key, snx_str_t in);


snx_rc_t
snx_memo_get(const snx_memo_t *memo, uint64_t key, snx_str_t in,
    snx_str_t *out, uint64_t *hash)
{
    const snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX) {
        *hash = 0;
        return SNX_DONE;
    }

    *hash = snx_memo_hash(key, in);
    slot = &memo->slots[*hash % SNX_MEMO_SLOTS_N];

    if (slot->hash != *hash || slot->in_len != in.len || slot->key != key
        || memcmp(slot->text, in.data, in.len) != 0)
    {
        return SNX_DONE;
    }

    *out = snx_str(slot->text + in.len, slot->out_len);

    return SNX_OK;
}


void
snx_memo_put(snx_memo_t *memo, uint64_t key, snx_str_t in, snx_str_t out,
    uint64_t hash)
{
    snx_memo_slot_t  *slot;

    if (in.len == 0 || in.len > SNX_MEMO_TEXT_MAX
        || out.len > SNX_MEMO_TEXT_MAX - in.len)
    {
        return;
    }

    slot = &memo->slots[hash % SNX_MEMO_SLOTS_N];

    slot->key = key;
    slot->hash = hash;
    slot->in_len = (uint32_t) in.len;
    slot->out_len = (uint32_t) out.len;

    memcpy(slot->text, in.data, in.len);

    if (out.len != 0) {
        memcpy(slot->text + in.len, out.data, out.len);
    }
}


/*
 * Words at a time, the last one overlapping.  A client who makes two
 * strings meet gains nothing.
 */

static uint64_t
snx_memo_hash(uint64_t key, snx_str_t in)
{
    size_t                left;
    uint64_t              h, word;
    const unsigned char  *p;

    h = key ^ (uint64_t) in.len << 48;
    p = in.data;
    word = 0;

    for (left = in.len; left > sizeof(word); left -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
        p += sizeof(word);
    }

    if (in.len >= sizeof(word)) {
        memcpy(&word, p + left - sizeof(word), sizeof(word));

    } else {
        for (/* void */; left != 0; left--) {
            word = word << 8 | p[left - 1];
        }
    }

    h = (h ^ word) * 0x9e3779b97f4a7c15u;

    return h ^ h >> 32;
}
