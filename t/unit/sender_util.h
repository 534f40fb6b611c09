
/*
 * Copyright (C) ngx_sentry authors
 *
 * A sender under test: shared memory, a producer, projects on loopback
 * ports, the messages it wrote, and the accounts that must always balance.
 */


#ifndef SENDER_UTIL_H_INCLUDED
#define SENDER_UTIL_H_INCLUDED


#include <sys/mman.h>

#include "event_util.h"
#include "http_util.h"
#include "snx_sender.h"


#define ROOM_PROJECTS          3
#define ROOM_MESSAGES          64
#define ROOM_WAIT_MS           60000       /* valgrind is slow */


typedef struct {
    snx_shm_t           *shm;
    size_t               size;
    snx_lane_t           lane;
    snx_project_t       *project[ROOM_PROJECTS];
    char                 dsn[ROOM_PROJECTS][128];
    snx_sender_conf_t    conf;
    snx_sender_t        *sender;
    int                  nmessages;
    snx_sender_msg_t     messages[ROOM_MESSAGES];
    uint32_t             id;           /* of the next event */
    int                  haunted;      /* a sender did not end in time */
} room_t;


static TAP_UNUSED void
room_open(room_t *room, size_t queue_bytes)
{
    memset(room, 0, sizeof(room_t));

    room->size = snx_shm_size(queue_bytes);
    room->shm = mmap(NULL, room->size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    room->shm = snx_shm_init(room->shm, room->size, 12345);

    snx_lane_open(&room->lane, snx_shm_queue(room->shm),
                  (uint32_t) getpid(), snx_process_ticks());

    room->conf.shm = room->shm;
    room->conf.pid = (uint32_t) getpid();
    room->conf.start_ticks = snx_process_ticks();
    room->conf.generation = 1;
    room->conf.flush_ms = 10;
    room->conf.timeout_ms = 5000;
    room->conf.gzip = 1;
    room->conf.verify = 1;
}


static TAP_UNUSED void
room_project(room_t *room, int i, int port)
{
    char  label[32];

    (void) snprintf(room->dsn[i], sizeof(room->dsn[i]),
                    "http://0123456789abcdef0123456789abcdef@127.0.0.1:%d/%d",
                    port, i + 1);
    (void) snprintf(label, sizeof(label), "sentry%d/%d", i + 1, i + 1);

    room->project[i] = snx_shm_project(room->shm, snx_cstr(room->dsn[i]),
                                       snx_cstr(label));
}


/* Publishes n events of a project; what does not fit is lost, as in nginx. */

static TAP_UNUSED int
room_put(room_t *room, int i, int n)
{
    int               done;
    size_t            len;
    unsigned char     buf[SNX_RECORD_MAX], id[16];
    snx_rec_writer_t  w;

    for (done = 0; done < n; done++) {
        memcpy(id, UTIL_ID, 16);
        memcpy(id + 12, &room->id, 4);
        room->id++;

        snx_rec_begin(&w, buf, sizeof(buf));
        snx_rec_str(&w, SNX_F_DSN, snx_cstr(i < 0 ? "" : room->dsn[i]));
        snx_rec_str(&w, SNX_F_EVENT_ID, snx_str(id, 16));
        snx_rec_str(&w, SNX_F_EXC_TYPE, snx_cstr("UpstreamError"));
        snx_rec_str(&w, SNX_F_EXC_VALUE, snx_cstr(
                    "connect() failed (111: Connection refused) while "
                    "connecting to upstream"));
        snx_rec_pair(&w, SNX_F_HEADER, snx_cstr("User-Agent"),
                     snx_cstr("Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"));
        snx_rec_str(&w, SNX_F_METHOD, snx_cstr("GET"));
        snx_rec_num(&w, SNX_F_STATUS, 502);
        len = snx_rec_end(&w);

        if (i >= 0) {
            room->project[i]->counters.captured[SNX_CAT_ERROR]++;
        }

        if (snx_lane_put(&room->lane, SNX_LANE_ERRORS, SNX_KIND_EVENT, buf,
                         len)
            != SNX_OK && i >= 0)
        {
            snx_project_lose(room->project[i], SNX_LOST_QUEUE_OVERFLOW,
                             SNX_CAT_ERROR, 1);
        }
    }

    return done;
}


static TAP_UNUSED uint32_t
room_pending(room_t *room)
{
    snx_queue_usage_t  usage;

    snx_queue_usage(snx_shm_queue(room->shm), &usage);

    return usage.pending;
}


static TAP_UNUSED uint64_t
room_lost(room_t *room, int i, snx_lost_t lost)
{
    return room->project[i]->counters.lost[lost][SNX_CAT_ERROR];
}


static TAP_UNUSED uint64_t
room_delivered(room_t *room, int i)
{
    return room->project[i]->counters.delivered[SNX_CAT_ERROR];
}


/* captured = delivered + lost + pending, over all projects. */

static TAP_UNUSED void
room_balance(room_t *room, const char *when)
{
    int       i, lost;
    uint64_t  captured, rest;

    captured = 0;
    rest = room_pending(room);

    for (i = 0; i < ROOM_PROJECTS; i++) {

        if (room->project[i] == NULL) {
            continue;
        }

        captured += room->project[i]->counters.captured[SNX_CAT_ERROR];
        rest += room_delivered(room, i);

        for (lost = 0; lost < SNX_LOST_N; lost++) {
            if (lost != SNX_LOST_SAMPLE_RATE && lost != SNX_LOST_IGNORED
                && lost != SNX_LOST_HELD_BACK)
            {
                rest += room_lost(room, i, (snx_lost_t) lost);
            }
        }
    }

    ok(captured == rest, "the accounts balance %s (%d, %d)", when,
       (int) captured, (int) rest);
}


static TAP_UNUSED void
room_log(const snx_sender_msg_t *msg, void *data)
{
    room_t  *room;

    room = data;
    printf("# [%u] %s\n", msg->level, msg->text);

    if (room->nmessages < ROOM_MESSAGES) {
        room->messages[room->nmessages++] = *msg;
    }
}


static TAP_UNUSED void
room_read(room_t *room)
{
    snx_sender_msg_t  msg;

    while (snx_sender_message(room->sender, &msg)) {
        room_log(&msg, room);
    }
}


/* Messages of that level that hold text. */

static TAP_UNUSED int
room_said(room_t *room, unsigned level, const char *text)
{
    int  i, n;

    n = 0;

    for (i = 0; i < room->nmessages; i++) {
        n += room->messages[i].level == level
             && strstr(room->messages[i].text, text) != NULL;
    }

    return n;
}


static TAP_UNUSED snx_rc_t
room_start(room_t *room)
{
    return snx_sender_start(&room->sender, &room->conf);
}


/* Stops and returns how long it took, in ms. */

static TAP_UNUSED int
room_stop(room_t *room, uint32_t timeout_ms, uint32_t *left)
{
    uint64_t  begun;

    begun = snx_process_now_ms();
    room->haunted |= !snx_sender_stop(room->sender, timeout_ms, room_log, room,
                                      left);
    room->sender = NULL;

    return (int) (snx_process_now_ms() - begun);
}


static TAP_UNUSED void
room_close(room_t *room)
{
    if (!room->haunted) {
        (void) munmap(room->shm, room->size);
    }
}


/* Waits until condition holds; 0 when it does not in time. */

#define room_wait(room, condition)                                            \
    room_wait_begin();                                                        \
    while (!(condition) && room_wait_more(room)) {                            \
        /* void */                                                            \
    }


static uint64_t  room_wait_end;


static TAP_UNUSED void
room_wait_begin(void)
{
    room_wait_end = snx_process_now_ms() + ROOM_WAIT_MS;
}


static TAP_UNUSED int
room_wait_more(room_t *room)
{
    if (room->sender != NULL) {
        room_read(room);
    }

    http_sleep(2);

    return snx_process_now_ms() < room_wait_end;
}


/* A room with one project, whose Sentry answers with step. */

static TAP_UNUSED room_t  room;


static TAP_UNUSED http_t *
open_with(const char *step)
{
    http_t  *http;

    http = http_start(step);
    room_open(&room, 1 << 20);
    room_project(&room, 0, http->port);

    return http;
}


static TAP_UNUSED void
close_with(http_t *http, const char *when)
{
    if (room.sender != NULL) {
        (void) room_stop(&room, 1000, NULL);
    }

    room_balance(&room, when);
    room_close(&room);

    if (http != NULL) {
        http_stop(http);
    }
}


#endif /* SENDER_UTIL_H_INCLUDED */
