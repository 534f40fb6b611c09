
/*
 * Copyright (C) ngx_sentry authors
 *
 * Building JSON with cJSON from bytes of any kind.  Owns the repair and the
 * cutting of strings.
 *
 * DESIGN.  Strings are repaired into an arena of the caller and referenced
 * by the tree; numbers are written by us and referenced as raw JSON, because
 * cJSON would print and scan each double.  So a node costs one allocation,
 * and only nodes are allocated.  The tree must die before the arena is used
 * again.  A failed allocation sets nomem and everything after it goes on
 * without harm: the caller looks once, at the end.
 */


#ifndef SNX_JSON_H_INCLUDED
#define SNX_JSON_H_INCLUDED


#include <cjson/cJSON.h>

#include "snx.h"


typedef struct {
    char      *arena;
    size_t     used;
    size_t     cap;
    unsigned   nomem:1;
} snx_json_t;


void snx_json_init(snx_json_t *j, void *arena, size_t cap);

/*
 * Each adds a value to parent: under key in an object, or at the end of an
 * array when key is NULL.  key must outlive the tree (a constant, or from
 * the arena).  parent may be NULL after a failure.
 */
cJSON *snx_json_object(snx_json_t *j, cJSON *parent, const char *key);
cJSON *snx_json_array(snx_json_t *j, cJSON *parent, const char *key);

/* At most max bytes of s, repaired.  Empty strings are left out. */
void snx_json_str(snx_json_t *j, cJSON *parent, const char *key, snx_str_t s,
    size_t max);

/* A constant, or a terminated string from the arena: not copied. */
void snx_json_ref(snx_json_t *j, cJSON *parent, const char *key,
    const char *z);

/* Lower-case hexadecimal of len raw bytes. */
void snx_json_hex(snx_json_t *j, cJSON *parent, const char *key,
    const unsigned char *data, size_t len);

void snx_json_num(snx_json_t *j, cJSON *parent, const char *key, int64_t n);

/* Milliseconds as seconds: 1234 -> 1.234. */
void snx_json_ms(snx_json_t *j, cJSON *parent, const char *key, int64_t ms);

/* RFC 3339; left out when the time cannot be written. */
void snx_json_time(snx_json_t *j, cJSON *parent, const char *key, int64_t us);

void snx_json_bool(snx_json_t *j, cJSON *parent, const char *key, int on);

/*
 * A terminated, repaired copy of at most max bytes in the arena, for keys
 * and for snx_json_ref(); "" when the arena is full.
 */
char *snx_json_copy(snx_json_t *j, snx_str_t s, size_t max);

/*
 * Prints tree to at most cap bytes.  Returns SNX_OK with *len set, SNX_NOMEM
 * when building it failed, or SNX_TOO_BIG.
 */
snx_rc_t snx_json_print(snx_json_t *j, cJSON *tree, char *out, size_t cap,
    size_t *len);


#endif /* SNX_JSON_H_INCLUDED */
