
/*
 * Copyright (C) ngx_sentry authors
 *
 * Producers and consumers for the model checker, and a ghost that knows what
 * they did: plain memory that no step of theirs cuts through.
 */


#ifndef MODEL_LANE_H_INCLUDED
#define MODEL_LANE_H_INCLUDED


#define LANE_PID               100         /* of task 0 */
#define LANE_GONE              4           /* a producer before all began */
#define LANE_WRITERS_N         (LANE_GONE + 1)
#define LANE_LAST              MODEL_TASKS_N   /* who looks in the end */
#define LANE_READERS_N         (LANE_LAST + 1)
#define LANE_RECORDS_N         8           /* of one producer */
#define LANE_BYTES             15360


static struct {
    snx_queue_t    *queue;
    snx_project_t  *project;
    snx_lane_t      lane[MODEL_TASKS_N];
    const char     *wrong;
    unsigned        tried[LANE_WRITERS_N];
    unsigned        put[LANE_WRITERS_N][LANE_RECORDS_N];
    unsigned        seen[LANE_WRITERS_N][LANE_RECORDS_N];
    unsigned        refused;
    unsigned        next[LANE_READERS_N][LANE_WRITERS_N];
    unsigned        held[LANE_READERS_N];  /* the record, 0 none */
} ghost;


static void
lane_begin(uint32_t segments)
{
    size_t    at;
    unsigned  i;

    memset(&ghost, 0, sizeof(ghost));
    memset(model_memory, 0, LANE_BYTES);

    at = (sizeof(snx_project_t) + 63) / 64 * 64;

    ghost.project = (snx_project_t *) (void *) model_memory;
    ghost.queue = snx_queue_init((char *) model_memory + at, LANE_BYTES - at,
                                 UINT32_MAX - 1);
    ghost.queue->nsegments = segments;
    ghost.queue->nsegments_check = ~segments;

    for (i = 0; i < MODEL_TASKS_N; i++) {
        snx_lane_open(&ghost.lane[i], ghost.queue, LANE_PID + i, 0);
    }
}


static int
lane_alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) start_ticks;
    (void) data;

    if (pid >= LANE_PID && pid < LANE_PID + MODEL_TASKS_N) {
        return !atomic_load_explicit(model_grave(pid - LANE_PID),
                                     memory_order_acquire);
    }

    return pid == LANE_PID + LANE_LAST;
}


/* Publishes the producer's next record. */

static void
lane_put(snx_lane_t *lane, unsigned who)
{
    snx_rc_t  rc;
    unsigned  n;
    uint64_t  words[2];

    n = ghost.tried[who]++;
    words[0] = 0x10000 | who << 8 | n;
    words[1] = ~words[0];

    rc = snx_project_put(ghost.project, SNX_CAT_ERROR, lane, SNX_LANE_ERRORS,
                         (uint16_t) n, words, sizeof(words));

    ghost.put[who][n] = rc == SNX_OK;
    ghost.refused += rc != SNX_OK;
}


static void
lane_produce(unsigned self, unsigned n)
{
    while (n-- != 0) {
        lane_put(&ghost.lane[self], self);
    }

    snx_lane_close(&ghost.lane[self]);
}


/* Reads what was claimed, a word at a time: it may be torn. */

static void
lane_read(const snx_queue_rec_t *rec, unsigned self)
{
    uint64_t           words[2];
    unsigned           i, who, n;
    _Atomic uint64_t  *p;

    p = (_Atomic uint64_t *) (uintptr_t) rec->data.data;

    for (i = 0; i < 2; i++) {
        words[i] = atomic_load_explicit(&p[i], memory_order_relaxed);
    }

    who = (unsigned) (words[0] >> 8) & 0xff;
    n = (unsigned) words[0] & 0xff;

    if (rec->data.len != sizeof(words) || words[1] != ~words[0]
        || who >= LANE_WRITERS_N || n >= ghost.tried[who] || rec->kind != n)
    {
        ghost.wrong = "a record is torn";
        return;
    }

    if (n < ghost.next[self][who]) {
        ghost.wrong = "records of a producer are out of order";
    }

    if (atomic_load_explicit(&ghost.project->counters.captured[SNX_CAT_ERROR],
                             memory_order_relaxed) <= n)
    {
        ghost.wrong = "a record was not counted before";
    }

    ghost.next[self][who] = n + 1;
    ghost.seen[who][n]++;
    ghost.held[self] = who * LANE_RECORDS_N + n + 1;
}


/* A pass as the sender makes one. */

static void
lane_pass(unsigned self)
{
    snx_rc_t            rc;
    uint32_t            lost;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    memset(&cursor, 0, sizeof(cursor));
    memset(ghost.next[self], 0, sizeof(ghost.next[self]));

    for ( ;; ) {
        rc = snx_queue_next(ghost.queue, SNX_LANE_ERRORS, &cursor,
                            LANE_PID + self, &rec, &lost);

        if (rc == SNX_INVALID) {
            ghost.wrong = "a segment is taken for damaged";
        }

        if (rc != SNX_OK || ghost.wrong != NULL) {
            return;
        }

        lane_read(&rec, self);
        snx_queue_done(&rec);
        ghost.held[self] = 0;
    }
}


static void
lane_sweep(void)
{
    (void) snx_queue_sweep(ghost.queue, lane_alive, NULL);
}


/* Once each, but what a killed consumer had read and not ended: once more. */

static const char *
lane_verdict(unsigned who, unsigned n)
{
    unsigned  i, most;

    most = 1;

    for (i = 0; i < MODEL_TASKS_N; i++) {
        most += ghost.held[i] == who * LANE_RECORDS_N + n + 1;
    }

    if (ghost.seen[who][n] > most) {
        return "a record comes twice";
    }

    if (ghost.put[who][n]) {
        return ghost.seen[who][n] == 0 ? "a record is lost" : NULL;
    }

    /* the last one of a killed producer may have gone in */

    if (ghost.seen[who][n] != 0
        && (who == LANE_GONE || !model.task[who].dead
            || n != ghost.tried[who] - 1))
    {
        return "a record that was refused comes";
    }

    return NULL;
}


static const char *
lane_all_free(void)
{
    uint32_t        i;
    uint64_t        state;
    snx_segment_t  *segment;

    for (i = 0; i < snx_queue_count(ghost.queue); i++) {
        segment = snx_queue_segment(ghost.queue, i);
        state = atomic_load(&segment->state);

        if (snx_low(state) != 0 || atomic_load(&segment->tail) != state
            || snx_queue_hint(ghost.queue, i))
        {
            return "a segment is not free in the end";
        }
    }

    return NULL;
}


/* Captured is what came and what was refused, and one for the dead. */

static const char *
lane_accounts(void)
{
    unsigned              who, n, sum, dead;
    const snx_counters_t  *counters;

    sum = 0;
    dead = 0;
    counters = &ghost.project->counters;

    for (who = 0; who < LANE_WRITERS_N; who++) {
        dead += who != LANE_GONE && model.task[who].dead
                && ghost.tried[who] != 0;

        for (n = 0; n < ghost.tried[who]; n++) {
            sum += ghost.seen[who][n] != 0;
        }
    }

    sum += (unsigned)
           atomic_load(&counters->lost[SNX_LOST_QUEUE_OVERFLOW][0]);
    n = (unsigned) atomic_load(&counters->captured[SNX_CAT_ERROR]);

    return (n < sum || n > sum + dead) ? "the accounts do not balance" : NULL;
}


/* What is left is found by somebody who comes later. */

static const char *
lane_end(void)
{
    unsigned     who, n;
    const char  *wrong;

    lane_sweep();
    lane_pass(LANE_LAST);
    lane_sweep();
    lane_sweep();

    wrong = ghost.wrong;

    for (who = 0; who < LANE_WRITERS_N; who++) {
        for (n = 0; n < ghost.tried[who] && wrong == NULL; n++) {
            wrong = lane_verdict(who, n);
        }
    }

    if (wrong == NULL) {
        wrong = lane_accounts();
    }

    return (wrong == NULL) ? lane_all_free() : wrong;
}


#endif /* MODEL_LANE_H_INCLUDED */
