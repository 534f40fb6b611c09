
/*
 * Copyright (C) ngx_sentry authors
 *
 * All of the shared memory at once, by threads in the place of processes, so
 * that ThreadSanitizer sees each access: producers, the real sender that is
 * started, overtaken and stopped, a former sender that comes back, gate,
 * notes, sampling, pressure, limits and the status page.  In the end the
 * books balance.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sender_util.h"
#include "snx_random.h"


#define PRODUCERS_N            3
#define GATES_N                2
#define NOTERS_N               2
#define ROUNDS_N               6           /* of the sender */
#define ROUND_MS               60
#define STOP_MS                300


/* A sender that does not end in time is left alone, as in nginx. */

const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}


static _Atomic int       stop;
static _Atomic uint64_t  held;
static _Atomic uint64_t  told;
static _Atomic uint64_t  noted;
static _Atomic uint64_t  taken;
static _Atomic uint64_t  torn;


static int
everybody_lives(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 1;
}


static void *
produce(void *data)
{
    size_t            len;
    uint64_t          bits;
    unsigned char     buf[SNX_RECORD_MAX], id[16];
    snx_lane_t        lane;
    snx_random_t      random;
    snx_rec_writer_t  w;

    memcpy(buf, &room.conf.pid, sizeof(room.conf.pid));
    memset(buf, (int) (uintptr_t) data, 32);
    snx_random_seed(&random, buf);
    snx_lane_open(&lane, snx_shm_queue(room.shm),
                  1000 + (uint32_t) (uintptr_t) data, 0);

    while (!atomic_load(&stop)) {
        snx_random_id(&random, id, sizeof(id));
        bits = snx_random_next(&random);

        snx_rec_begin(&w, buf, sizeof(buf));
        snx_rec_str(&w, SNX_F_DSN, snx_cstr(room.dsn[0]));
        snx_rec_str(&w, SNX_F_EVENT_ID, snx_str(id, 16));
        snx_rec_str(&w, SNX_F_METHOD, snx_cstr("GET"));
        snx_rec_num(&w, SNX_F_STATUS, 502);
        len = snx_rec_end(&w);

        (void) snx_project_put(room.project[0], SNX_CAT_ERROR, &lane,
                               SNX_LANE_ERRORS, SNX_KIND_EVENT, buf, len);

        if (bits % 64 == 0) {
            http_sleep(1);

        } else if (bits % 1024 == 1) {
            snx_lane_close(&lane);
        }
    }

    snx_lane_close(&lane);

    return NULL;
}


/* Claims, stalls, gives back or comes to sweep too late. */

static void *
former(void *data)
{
    int                 i, n;
    uint32_t            lost;
    snx_queue_t        *queue;
    snx_queue_rec_t     rec[4];
    snx_queue_cursor_t  cursor;

    (void) data;
    queue = snx_shm_queue(room.shm);

    while (!atomic_load(&stop)) {
        memset(&cursor, 0, sizeof(cursor));

        for (n = 0; n < 4; n++) {
            if (snx_queue_next(queue, SNX_LANE_ERRORS, &cursor, 2000, &rec[n],
                               &lost) != SNX_OK)
            {
                break;
            }
        }

        http_sleep(3);

        for (i = 0; i < n; i++) {
            snx_queue_release(&rec[i], 0);
        }

        (void) snx_queue_sweep(queue, everybody_lives, NULL);
    }

    return NULL;
}


static void *
gate(void *data)
{
    uint64_t          n, key;
    snx_gate_limit_t  limit;

    (void) data;
    limit.interval_us = 1000;
    limit.burst = 2;

    while (!atomic_load(&stop)) {
        key = snx_gate_mix(snx_gate_key(&room.shm->gate), snx_cstr("group"));

        if (snx_gate_pass(&room.shm->gate, &limit, key, snx_process_now_ms(),
                          &n))
        {
            (void) atomic_fetch_add(&told, n);

        } else {
            (void) atomic_fetch_add(&held, 1);
        }

        (void) snx_sample_take(&room.shm->traces_at, 1000,
                               snx_process_now_ms());
    }

    return NULL;
}


static void *
notes(void *data)
{
    uint32_t       i;
    char           text[32];
    snx_note_t     note;

    for (i = 0; !atomic_load(&stop); i++) {
        (void) snprintf(text, sizeof(text), "line %u of %u", i % 5,
                        (unsigned) (uintptr_t) data);

        memset(&note, 0, sizeof(note));
        note.text = snx_cstr(text);
        note.hash = snx_notes_hash(note.text);
        note.pid = 1000 + (uint32_t) (uintptr_t) data;

        if (snx_notes_repeat(&room.shm->notes, note.hash)
            || snx_notes_put(&room.shm->notes, &note) == SNX_OK)
        {
            (void) atomic_fetch_add(&noted, 1);
        }

        if (i % 7 == 0
            && snx_notes_take(&room.shm->notes, 3000, &note) == SNX_OK)
        {
            (void) atomic_fetch_add(&taken, note.repeats + 1);
            atomic_fetch_add(&torn, note.hash != snx_notes_hash(note.text));
            snx_notes_done(&note);
        }

        snx_notes_sweep(&room.shm->notes, everybody_lives, NULL);
    }

    return NULL;
}


/* As the status page, and what workers ask for each request. */

static void *
status(void *data)
{
    char               text[SNX_LAST_ERROR_MAX];
    uint32_t           code;
    uint64_t           ms;
    snx_lease_info_t   info;
    snx_queue_usage_t  usage;

    (void) data;

    while (!atomic_load(&stop)) {
        snx_queue_usage(snx_shm_queue(room.shm), &usage);
        snx_lease_info(&room.shm->lease, snx_process_now_ms(), &info);
        (void) snx_queue_fill(snx_shm_queue(room.shm));
        (void) snx_project_last_error(room.project[0], &code, &ms, text);
        (void) snx_project_untold(room.project[0]);
        (void) snx_limits_left(&room.project[0]->limits, SNX_CAT_ERROR,
                               snx_process_now_ms());
        (void) snx_pressure_halvings(&room.project[0]->pressure);
        (void) snx_gate_used(&room.shm->gate);
    }

    return NULL;
}


/* The sender is stopped, or overtaken by another generation and replaced. */

static void
rounds(void)
{
    int       i;
    uint64_t  token;

    for (i = 0; i < ROUNDS_N; i++) {
        room.conf.generation = (uint16_t) (1 + 2 * i);

        if (room_start(&room) != SNX_OK) {
            continue;
        }

        http_sleep(ROUND_MS);
        room_wait(&room, room_delivered(&room, 0) > 0);

        if (i % 2 == 0
            && snx_lease_take(&room.shm->lease, 2000, 0,
                              (uint16_t) (2 + 2 * i), snx_process_now_ms(),
                              everybody_lives, NULL, &token) == SNX_OK)
        {
            room_wait(&room, !snx_sender_running(room.sender));
            snx_lease_release(&room.shm->lease, token);
        }

        (void) room_stop(&room, STOP_MS, NULL);
    }
}


static uint64_t
notes_left(void)
{
    uint64_t    n;
    snx_note_t  note;

    for (n = 0; snx_notes_take(&room.shm->notes, 3000, &note) == SNX_OK;
         n += note.repeats + 1)
    {
        snx_notes_done(&note);
    }

    return n;
}


static uint64_t
gate_left(void)
{
    uint64_t          n, key;
    snx_gate_limit_t  limit;

    limit.interval_us = 1;
    limit.burst = 1000000;
    key = snx_gate_mix(snx_gate_key(&room.shm->gate), snx_cstr("group"));
    (void) snx_gate_pass(&room.shm->gate, &limit, key,
                         snx_process_now_ms() + 60000, &n);

    return n;
}


int
main(void)
{
    size_t     i, n;
    http_t    *http;
    pthread_t  threads[PRODUCERS_N + GATES_N + NOTERS_N + 2];

    static const char *const  steps[] = {
        HTTP_OK, HTTP_CLOSE, HTTP_OK,
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", HTTP_OK, NULL
    };

    http = open_with(HTTP_OK);
    http_script(http, steps);
    n = 0;

    for (i = 0; i < PRODUCERS_N; i++) {
        (void) pthread_create(&threads[n++], NULL, produce, (void *) i);
    }

    for (i = 0; i < GATES_N; i++) {
        (void) pthread_create(&threads[n++], NULL, gate, NULL);
    }

    for (i = 0; i < NOTERS_N; i++) {
        (void) pthread_create(&threads[n++], NULL, notes, (void *) i);
    }

    (void) pthread_create(&threads[n++], NULL, former, NULL);
    (void) pthread_create(&threads[n++], NULL, status, NULL);

    rounds();

    atomic_store(&stop, 1);

    for (i = 0; i < n; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    ok(room_delivered(&room, 0) > 0, "%d delivered meanwhile",
       (int) room_delivered(&room, 0));
    ok(atomic_load(&held) == atomic_load(&told) + gate_left(),
       "all that was held back is told");
    ok(atomic_load(&noted) == atomic_load(&taken) + notes_left(),
       "all notes are taken");
    is_int(atomic_load(&torn), 0, "none is torn");
    room_balance(&room, "in the end");

    /* the memory stays: a sender that did not end in time still uses it */

    http_stop(http);

    return tap_done();
}
