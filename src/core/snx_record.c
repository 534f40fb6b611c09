
/*
 * Copyright (C) ngx_sentry authors
 *
 * Packing and reading of records.  Fields are not aligned, so every number
 * goes through memcpy.  The reader trusts no length.
 */


#include "snx_record.h"


static unsigned char *snx_rec_room(snx_rec_writer_t *w, snx_field_id_t id,
    snx_str_t key, size_t want);


/* Writes head and key for a value of want bytes; returns where it begins. */

static unsigned char *
snx_rec_room(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key,
    size_t want)
{
    size_t  left;

    left = (w->start == NULL) ? 0 : (size_t) (w->end - w->pos);

    if (left < SNX_REC_HEAD || key.len > UINT16_MAX
        || key.len > left - SNX_REC_HEAD
        || want > left - SNX_REC_HEAD - key.len
        || key.len + want > UINT32_MAX)
    {
        w->left_out++;
        return NULL;
    }

    snx_rec_head(w->pos, id, key.len, key.len + want);

    if (key.len != 0) {
        memcpy(w->pos + SNX_REC_HEAD, key.data, key.len);
    }

    return w->pos + SNX_REC_HEAD + key.len;
}


void
snx_rec_str(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t value)
{
    unsigned char  *p;

    if (value.len == 0) {
        return;
    }

    p = w->pos;

    if (p == NULL || (size_t) (w->end - p) < SNX_REC_HEAD
        || value.len > (size_t) (w->end - p) - SNX_REC_HEAD)
    {
        w->left_out++;
        return;
    }

    snx_rec_head(p, id, 0, value.len);
    memcpy(p + SNX_REC_HEAD, value.data, value.len);

    w->pos = p + SNX_REC_HEAD + value.len;
}


/* There are many of them in a record: no detour for them. */

void
snx_rec_num(snx_rec_writer_t *w, snx_field_id_t id, int64_t value)
{
    unsigned char  *p;

    p = w->pos;

    if (p == NULL || (size_t) (w->end - p) < SNX_REC_NUM) {
        w->left_out++;
        return;
    }

    snx_rec_head(p, id, 0, sizeof(int64_t));
    memcpy(p + SNX_REC_HEAD, &value, sizeof(int64_t));

    w->pos = p + SNX_REC_NUM;
}


void
snx_rec_pair(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key,
    snx_str_t value)
{
    unsigned char  *p;

    if (key.len == 0 || value.len == 0) {
        return;
    }

    p = snx_rec_room(w, id, key, value.len);

    if (p != NULL) {
        memcpy(p, value.data, value.len);
        w->pos = p + value.len;
    }
}


void
snx_rec_key(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key)
{
    unsigned char  *p;

    p = snx_rec_room(w, id, key, 0);

    if (p != NULL) {
        w->pos = p;
    }
}


/* The head stands at pos already; pos moves only when the field is closed. */

unsigned char *
snx_rec_open(snx_rec_writer_t *w, snx_field_id_t id, snx_str_t key,
    size_t want, size_t *cap)
{
    unsigned char  *p;

    p = snx_rec_room(w, id, key, want);

    if (p != NULL) {
        *cap = (size_t) (w->end - p);
    }

    return p;
}


void
snx_rec_close(snx_rec_writer_t *w, size_t used)
{
    size_t    cap;
    uint16_t  key_len;
    uint32_t  len;

    if (used == 0) {
        return;
    }

    memcpy(&key_len, w->pos + 2, 2);
    cap = (size_t) (w->end - w->pos) - SNX_REC_HEAD - key_len;

    if (used > cap) {
        used = cap;
    }

    len = (uint32_t) (key_len + used);
    memcpy(w->pos + 4, &len, 4);
    w->pos += SNX_REC_HEAD + len;
}


void
snx_rec_truncated(snx_rec_writer_t *w)
{
    if (w->start != NULL) {
        w->end += SNX_REC_NUM;
        snx_rec_num(w, SNX_F_TRUNCATED, (int64_t) w->left_out);
        w->end -= SNX_REC_NUM;
    }
}


void
snx_rec_read(snx_rec_reader_t *r, snx_str_t record)
{
    r->pos = record.data;
    r->end = (record.len == 0) ? record.data : record.data + record.len;
}


snx_rc_t
snx_rec_next(snx_rec_reader_t *r, snx_field_t *f)
{
    size_t                left;
    uint16_t              id, key_len;
    uint32_t              len;
    const unsigned char  *p;

    if (r->pos == r->end) {
        return SNX_DONE;
    }

    left = (size_t) (r->end - r->pos);

    if (left < SNX_REC_HEAD) {
        return SNX_INVALID;
    }

    memcpy(&id, r->pos, 2);
    memcpy(&key_len, r->pos + 2, 2);
    memcpy(&len, r->pos + 4, 4);

    if (len > left - SNX_REC_HEAD || key_len > len) {
        return SNX_INVALID;
    }

    p = r->pos + SNX_REC_HEAD;
    r->pos = p + len;

    f->id = (snx_field_id_t) id;
    f->key = snx_str(p, key_len);
    f->value = snx_str(p + key_len, len - key_len);
    f->num = 0;

    if (f->value.len == sizeof(int64_t)) {
        memcpy(&f->num, f->value.data, sizeof(int64_t));
    }

    return SNX_OK;
}


snx_rc_t
snx_rec_find(snx_str_t record, snx_field_id_t id, snx_field_t *f)
{
    snx_rc_t          rc;
    snx_rec_reader_t  r;

    snx_rec_read(&r, record);

    do {
        rc = snx_rec_next(&r, f);
    } while (rc == SNX_OK && f->id != id);

    return rc;
}
