
/*
 * Copyright (C) ngx_sentry authors
 */


#include <limits.h>
#include <stdio.h>

#include "snx_json.h"
#include "snx_text.h"


/* cJSON wants some bytes more than it writes (its manual names 5) */
#define SNX_JSON_PRINT_SLACK   64


void
snx_json_init(snx_json_t *j, void *arena, size_t cap)
{
    j->arena = arena;
    j->used = 0;
    j->cap = cap;
    j->nomem = 0;
}


/* Takes item in any case: what cannot be attached is freed. */

static cJSON *
snx_json_attach(snx_json_t *j, cJSON *parent, const char *key, cJSON *item)
{
    cJSON_bool  done;

    if (item == NULL) {
        j->nomem = 1;
        return NULL;
    }

    if (key != NULL) {
        done = cJSON_AddItemToObjectCS(parent, key, item);

    } else {
        done = cJSON_AddItemToArray(parent, item);
    }

    if (!done) {
        j->nomem = 1;
        cJSON_Delete(item);
        return NULL;
    }

    return item;
}


cJSON *
snx_json_object(snx_json_t *j, cJSON *parent, const char *key)
{
    return snx_json_attach(j, parent, key, cJSON_CreateObject());
}


cJSON *
snx_json_array(snx_json_t *j, cJSON *parent, const char *key)
{
    return snx_json_attach(j, parent, key, cJSON_CreateArray());
}


/*
 * Whether all of s is ASCII without NUL, which needs no repair: nearly all
 * strings.  Eight bytes at a time; w - 01.. has the top bit set where a byte
 * is 0, w where it is above 0x7f.
 */

static int
snx_json_plain(snx_str_t s)
{
    size_t    i;
    uint64_t  w;

    for (i = 0; s.len - i >= sizeof(w); i += sizeof(w)) {
        memcpy(&w, s.data + i, sizeof(w));

        if ((w | (w - 0x0101010101010101u)) & 0x8080808080808080u) {
            return 0;
        }
    }

    for ( /* void */ ; i < s.len; i++) {
        if (s.data[i] == 0 || s.data[i] > 0x7f) {
            return 0;
        }
    }

    return 1;
}


char *
snx_json_copy(snx_json_t *j, snx_str_t s, size_t max)
{
    char         *p;
    size_t        room;
    static char   empty[1];

    if (j->used + 1 >= j->cap) {
        return empty;
    }

    p = j->arena + j->used;
    room = j->cap - j->used - 1;
    room = max < room ? max : room;

    if (s.len <= room && snx_json_plain(s)) {

        if (s.len != 0) {
            memcpy(p, s.data, s.len);
        }

        room = s.len;

    } else {
        room = snx_text_utf8(s, p, room, NULL);
    }

    p[room] = '\0';
    j->used += room + 1;

    return p;
}


void
snx_json_ref(snx_json_t *j, cJSON *parent, const char *key, const char *z)
{
    (void) snx_json_attach(j, parent, key, cJSON_CreateStringReference(z));
}


void
snx_json_str(snx_json_t *j, cJSON *parent, const char *key, snx_str_t s,
    size_t max)
{
    if (s.len != 0) {
        snx_json_ref(j, parent, key, snx_json_copy(j, s, max));
    }
}


void
snx_json_hex(snx_json_t *j, cJSON *parent, const char *key,
    const unsigned char *data, size_t len)
{
    char  *p;

    if (j->cap - j->used < 2 * len + 1) {
        return;
    }

    p = j->arena + j->used;
    snx_text_hex(data, len, p);
    p[2 * len] = '\0';
    j->used += 2 * len + 1;

    snx_json_ref(j, parent, key, p);
}


/* text is JSON already: a reference to it that is printed as it is. */

static void
snx_json_raw(snx_json_t *j, cJSON *parent, const char *key, const char *text)
{
    size_t   len;
    cJSON   *item;

    len = strlen(text);

    if (j->cap - j->used < len + 1) {
        return;
    }

    item = cJSON_CreateStringReference(memcpy(j->arena + j->used, text,
                                              len + 1));
    j->used += len + 1;

    if (item != NULL) {
        item->type = cJSON_Raw | cJSON_IsReference;
    }

    (void) snx_json_attach(j, parent, key, item);
}


void
snx_json_num(snx_json_t *j, cJSON *parent, const char *key, int64_t n)
{
    char        buf[24];
    snx_text_t  t;

    snx_text_init(&t, buf, sizeof(buf) - 1);
    snx_text_addn(&t, n);
    buf[t.len] = '\0';

    snx_json_raw(j, parent, key, buf);
}


void
snx_json_ms(snx_json_t *j, cJSON *parent, const char *key, int64_t ms)
{
    char        buf[32];
    snx_text_t  t;

    if (ms < 0) {
        return;
    }

    snx_text_init(&t, buf, sizeof(buf) - 1);
    snx_text_addn(&t, ms / 1000);

    buf[t.len++] = '.';
    buf[t.len++] = (char) ('0' + ms % 1000 / 100);
    buf[t.len++] = (char) ('0' + ms % 100 / 10);
    buf[t.len++] = (char) ('0' + ms % 10);
    buf[t.len] = '\0';

    snx_json_raw(j, parent, key, buf);
}


void
snx_json_time(snx_json_t *j, cJSON *parent, const char *key, int64_t us)
{
    char    buf[SNX_TEXT_TIME_MAX];
    size_t  n;

    n = snx_text_time(us, buf);

    snx_json_str(j, parent, key, snx_str(buf, n), n);
}


void
snx_json_bool(snx_json_t *j, cJSON *parent, const char *key, int on)
{
    (void) snx_json_attach(j, parent, key, cJSON_CreateBool(on));
}


snx_rc_t
snx_json_print(snx_json_t *j, cJSON *tree, char *out, size_t cap, size_t *len)
{
    if (j->nomem) {
        return SNX_NOMEM;
    }

    if (cap <= SNX_JSON_PRINT_SLACK || cap > INT_MAX) {
        return SNX_TOO_BIG;
    }

    if (!cJSON_PrintPreallocated(tree, out, (int) cap, 0)) {
        return SNX_TOO_BIG;
    }

    *len = strlen(out);

    return SNX_OK;
}
