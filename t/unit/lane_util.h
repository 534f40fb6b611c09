
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the tests of the queue share: a queue in shared memory, records that
 * know who wrote them and prove that they are intact, and draining into a
 * list.
 */


#ifndef LANE_UTIL_H_INCLUDED
#define LANE_UTIL_H_INCLUDED


#include <stdlib.h>
#include <sys/mman.h>

#include "snx_segment.h"
#include "tap.h"


#define UTIL_LIST_MAX          65536
#define UTIL_BODY_MAX          24000


typedef struct {
    uint32_t   producer;
    uint32_t   n;
    uint32_t   len;            /* of the whole record */
    uint32_t   seed;
} util_head_t;


/* Records in the order they came. */

typedef struct {
    unsigned   n;
    unsigned   broken;         /* whose content is not what was written */
    unsigned   corrupt;        /* SNX_INVALID from the queue */
    unsigned   lost;
    uint32_t   producer[UTIL_LIST_MAX];
    uint32_t   id[UTIL_LIST_MAX];
} util_list_t;


static TAP_UNUSED util_list_t    util_list;
static TAP_UNUSED unsigned char  util_buf[UTIL_BODY_MAX];


static TAP_UNUSED size_t
util_queue_len(uint32_t segments)
{
    return snx_queue_size((size_t) segments * SNX_SEGMENT_SIZE);
}


/* In memory that forked children share. */

static TAP_UNUSED snx_queue_t *
util_queue(uint32_t segments, uint32_t epoch)
{
    void  *mem;

    mem = mmap(NULL, util_queue_len(segments), PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    return snx_queue_init(mem, util_queue_len(segments), epoch);
}


static TAP_UNUSED void
util_queue_free(snx_queue_t *queue, uint32_t segments)
{
    (void) munmap(queue, util_queue_len(segments));
}


static TAP_UNUSED unsigned char
util_byte(uint32_t producer, uint32_t n, size_t i)
{
    return (unsigned char) (producer * 131 + n * 31 + i * 7);
}


/* Publishes record n of a producer, len bytes long, at least 16. */

static TAP_UNUSED snx_rc_t
util_put(snx_lane_t *lane, snx_lane_class_t class, uint32_t producer,
    uint32_t n, uint32_t len)
{
    size_t       i;
    util_head_t  head;

    head.producer = producer;
    head.n = n;
    head.len = len;
    head.seed = producer ^ n ^ len;

    memcpy(util_buf, &head, sizeof(head));

    for (i = sizeof(head); i < len; i++) {
        util_buf[i] = util_byte(producer, n, i);
    }

    return snx_lane_put(lane, class, (uint16_t) (n & 0xffff), util_buf, len);
}


/* Whether the record is what util_put() wrote. */

static TAP_UNUSED int
util_intact(const snx_queue_rec_t *rec, util_head_t *head)
{
    size_t  i;

    if (rec->data.len < sizeof(util_head_t)) {
        return 0;
    }

    memcpy(head, rec->data.data, sizeof(util_head_t));

    if (head->len != rec->data.len || rec->kind != (head->n & 0xffff)
        || head->seed != (head->producer ^ head->n ^ head->len))
    {
        return 0;
    }

    for (i = sizeof(util_head_t); i < head->len; i++) {
        if (rec->data.data[i] != util_byte(head->producer, head->n, i)) {
            return 0;
        }
    }

    return 1;
}


static TAP_UNUSED void
util_note(util_list_t *list, const snx_queue_rec_t *rec)
{
    util_head_t  head;

    if (!util_intact(rec, &head)) {
        list->broken++;
        return;
    }

    if (list->n < UTIL_LIST_MAX) {
        list->producer[list->n] = head.producer;
        list->id[list->n] = head.n;
        list->n++;
    }
}


/* One pass of a class; what is found is appended to the list and done. */

static TAP_UNUSED void
util_drain_class(snx_queue_t *queue, snx_lane_class_t class, uint32_t pid,
    util_list_t *list)
{
    snx_rc_t            rc;
    uint32_t            lost;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    memset(&cursor, 0, sizeof(cursor));

    for ( ;; ) {
        rc = snx_queue_next(queue, class, &cursor, pid, &rec, &lost);

        if (rc == SNX_OK) {
            util_note(list, &rec);
            snx_queue_done(&rec);
            continue;
        }

        if (rc != SNX_INVALID) {
            return;
        }

        list->corrupt++;
        list->lost += lost;
    }
}


static TAP_UNUSED util_list_t *
util_drain(snx_queue_t *queue, uint32_t pid)
{
    util_list.n = 0;
    util_list.broken = 0;
    util_list.corrupt = 0;
    util_list.lost = 0;

    util_drain_class(queue, SNX_LANE_ERRORS, pid, &util_list);
    util_drain_class(queue, SNX_LANE_BULK, pid, &util_list);

    return &util_list;
}


/* "1.1 1.2 2.1": producer and number of each, for comparing. */

static TAP_UNUSED snx_str_t
util_text(const util_list_t *list)
{
    int           n;
    size_t        len;
    unsigned      i;
    static char   text[4096];

    len = 0;

    for (i = 0; i < list->n && len + 32 < sizeof(text); i++) {
        n = snprintf(text + len, sizeof(text) - len, "%s%u.%u",
                     i == 0 ? "" : " ", list->producer[i], list->id[i]);
        len += (size_t) n;
    }

    if (list->broken != 0 || list->corrupt != 0) {
        n = snprintf(text + len, sizeof(text) - len,
                     " broken=%u corrupt=%u lost=%u", list->broken,
                     list->corrupt, list->lost);
        len += (size_t) n;
    }

    return snx_str(text, len);
}


/* For snx_queue_sweep(): nobody, everybody, all but one pid. */

static TAP_UNUSED int
util_none_alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 0;
}


static TAP_UNUSED int
util_all_alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 1;
}


static TAP_UNUSED int
util_alive_but(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) start_ticks;

    return pid != *(uint32_t *) data;
}


static TAP_UNUSED uint32_t
util_used(const snx_queue_t *queue)
{
    snx_queue_usage_t  usage;

    snx_queue_usage(queue, &usage);

    return usage.segments_used;
}


/* Whether every segment is free, empty and known to be so. */

static TAP_UNUSED int
util_all_free(const snx_queue_t *queue)
{
    uint32_t        i;
    uint64_t        state, tail;
    snx_segment_t  *segment;

    for (i = 0; i < snx_queue_count(queue); i++) {
        segment = snx_queue_segment(queue, i);
        state = atomic_load(&segment->state);
        tail = atomic_load(&segment->tail);

        if (snx_low(state) != 0 || tail != state || snx_queue_hint(queue, i)) {
            return 0;
        }
    }

    return 1;
}


#endif /* LANE_UTIL_H_INCLUDED */
