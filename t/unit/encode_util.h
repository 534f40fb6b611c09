
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the tests of encoding share: a record made field by field, and its
 * event as a tree.
 */


#ifndef ENCODE_UTIL_H_INCLUDED
#define ENCODE_UTIL_H_INCLUDED


#include "event_util.h"


static snx_fields_t      fields;
static snx_encode_t      encode;
static snx_rec_writer_t  writer;
static unsigned char     record[SNX_RECORD_MAX];
static char              out[SNX_ENCODE_MAX + 1];


/* A record with an event id and what the test adds. */

static TAP_UNUSED void
begin(void)
{
    snx_rec_begin(&writer, record, sizeof(record));
    snx_rec_str(&writer, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
}


static TAP_UNUSED void
add(snx_field_id_t id, const char *value)
{
    snx_rec_str(&writer, id, snx_cstr(value));
}


static TAP_UNUSED void
add_pair(snx_field_id_t id, const char *key, const char *value)
{
    snx_rec_pair(&writer, id, snx_cstr(key), snx_cstr(value));
}


/* The event of a record as a tree; NULL when it is not good JSON. */

static TAP_UNUSED cJSON *
event_of(size_t len)
{
    size_t     n;
    cJSON     *tree;
    snx_rc_t   rc;

    rc = snx_fields_read(&fields, snx_str(record, len));

    if (rc == SNX_OK) {
        rc = snx_encode_event(&encode, &fields, UTIL_TIME_US, out,
                              SNX_ENCODE_MAX, &n);
    }

    if (rc != SNX_OK) {
        printf("# code %d\n", rc);
        return NULL;
    }

    out[n] = '\0';

    if (strlen(out) != n || !snx_text_valid(snx_str(out, n))) {
        printf("# not valid UTF-8\n");
        return NULL;
    }

    tree = cJSON_Parse(out);

    if (tree == NULL) {
        printf("# not JSON: %.200s\n", cJSON_GetErrorPtr());
    }

    return tree;
}


static TAP_UNUSED cJSON *
event(void)
{
    return event_of(snx_rec_end(&writer));
}


/*
 * Of the first len bytes of record, with some changed, tries times over: how
 * many are good fields with an id and still no good JSON.  tree_of is as
 * event_of().
 */

static TAP_UNUSED int
damaged(size_t len, int tries, cJSON *(*tree_of)(size_t len))
{
    int       i, bad;
    cJSON    *tree;
    uint32_t  lcg;

    static unsigned char  whole[SNX_RECORD_MAX];

    memcpy(whole, record, len);

    bad = 0;
    lcg = 12345;

    while (tries-- > 0) {
        memcpy(record, whole, len);

        for (i = 0; i < 4; i++) {
            lcg = lcg * 1664525 + 1013904223;
            record[(lcg >> 8) % len] = (unsigned char) (lcg >> 4);
        }

        if (snx_fields_read(&fields, snx_str(record, len)) == SNX_OK
            && snx_fields_str(&fields, SNX_F_EVENT_ID).len == 16)
        {
            tree = tree_of(len);
            bad += tree == NULL;
            cJSON_Delete(tree);
        }
    }

    return bad;
}


static TAP_UNUSED void
is_at(const cJSON *tree, const char *path, const char *expected)
{
    is_str(snx_cstr(util_text_at(tree, path)), expected, path);
}


#endif /* ENCODE_UTIL_H_INCLUDED */
