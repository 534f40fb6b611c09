
/*
 * Copyright (C) ngx_sentry authors
 *
 * The queue under load: producers and consumers that are killed at any
 * moment, and many threads at once.  A second or less each.
 */


#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lane_util.h"


#define SEGMENTS               24
#define PRODUCERS_N            4           /* at a time */
#define LIVES_N                400         /* producers in all */
#define NUMBERS_N              60000       /* records of one producer */
#define BATCH_N                8           /* claims held by a consumer */
#define RUN_MS                 700


/* Shared with the children. */

typedef struct {
    _Atomic int       stop;
    _Atomic unsigned  broken;
    _Atomic unsigned  corrupt;
    _Atomic unsigned  disorder;
    _Atomic uint32_t  published[LIVES_N];
    _Atomic uint32_t  last[LIVES_N];           /* seen by the consumer */
    _Atomic uint8_t   seen[LIVES_N][NUMBERS_N];
} board_t;


const char *__tsan_default_suppressions(void);

static void test_producers_killed(void);
static void test_consumers_killed(void);
static void test_threads(void);

static void reset(void);
static uint64_t dice(void);
static uint64_t now_ms(void);
static int alive(uint32_t pid, uint64_t start_ticks, void *data);
static pid_t start(void (*work)(uint32_t), uint32_t arg);
static void stop(pid_t pid);
static void produce(uint32_t who);
static void consume(uint32_t who);
static void take(const snx_queue_rec_t *rec, int ordered);
static void take_all(snx_queue_t *q, uint32_t pid, int ordered);
static void verdict(const char *what, unsigned lives, unsigned duplicates);


static board_t      *board;
static snx_queue_t  *queue;
static uint64_t      dice_state = 88172645463325252u;


/*
 * A consumer that was held up may try to claim a record whose segment was
 * drained and used again meanwhile.  The swap fails, which is a load; but
 * ThreadSanitizer takes each swap for a write, beside another's read of what
 * stands there now.  That a claim holds what it should is for the model.
 */

const char *
__tsan_default_suppressions(void)
{
    return "race:snx_queue_claim\n";
}


int
main(void)
{
    board = mmap(NULL, sizeof(board_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED) {
        perror("mmap");
        return 1;
    }

    queue = util_queue(SEGMENTS, 1);

    test_producers_killed();
    test_consumers_killed();
    test_threads();

    return tap_done();
}


static void
reset(void)
{
    memset((void *) board, 0, sizeof(board_t));
    memset((void *) queue, 0, util_queue_len(SEGMENTS));
    queue = snx_queue_init(queue, util_queue_len(SEGMENTS), UINT32_MAX - 5);
}


static uint64_t
dice(void)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;

    return dice_state;
}


static uint64_t
now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


/* The dead are waited for at once, so they are not found here. */

static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) start_ticks;
    (void) data;

    return kill((pid_t) pid, 0) == 0 || errno != ESRCH;
}


static pid_t
start(void (*work)(uint32_t), uint32_t arg)
{
    pid_t  pid;

    (void) fflush(stdout);
    pid = fork();

    if (pid == 0) {
        work(arg);
        _exit(0);
    }

    return pid;
}


static void
stop(pid_t pid)
{
    int  status;

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
}


static void
produce(uint32_t who)
{
    uint32_t          n, len;
    snx_lane_t        lane;
    snx_lane_class_t  class;

    dice_state += who * 7919;
    snx_lane_open(&lane, queue, (uint32_t) getpid(), 0);
    class = (who % 2 == 0) ? SNX_LANE_ERRORS : SNX_LANE_BULK;

    for (n = 1; n < NUMBERS_N && !atomic_load(&board->stop); n++) {
        len = 16 + (uint32_t) (dice() % 1200);

        while (util_put(&lane, class, who, n, len) != SNX_OK) {
            (void) sched_yield();
        }

        atomic_store(&board->published[who], n);
    }

    snx_lane_close(&lane);
}


static void
take(const snx_queue_rec_t *rec, int ordered)
{
    util_head_t  head;

    if (!util_intact(rec, &head) || head.producer >= LIVES_N
        || head.n >= NUMBERS_N)
    {
        (void) atomic_fetch_add(&board->broken, 1);
        return;
    }

    if (ordered && atomic_load(&board->last[head.producer]) != head.n - 1) {
        (void) atomic_fetch_add(&board->disorder, 1);
    }

    atomic_store(&board->last[head.producer], head.n);
    (void) atomic_fetch_add(&board->seen[head.producer][head.n], 1);
}


/* One pass over both classes, as a consumer does it: in batches. */

static void
take_all(snx_queue_t *q, uint32_t pid, int ordered)
{
    unsigned            i, n, class;
    snx_rc_t            rc;
    uint32_t            lost;
    snx_queue_rec_t     batch[BATCH_N];
    snx_queue_cursor_t  cursor;

    for (class = 0; class < SNX_LANES_N; class++) {
        memset(&cursor, 0, sizeof(cursor));

        do {
            rc = SNX_OK;

            for (n = 0; n < BATCH_N && rc == SNX_OK; n += (rc == SNX_OK)) {
                rc = snx_queue_next(q, class, &cursor, pid, &batch[n], &lost);
            }

            for (i = 0; i < n; i++) {
                take(&batch[i], ordered);
            }

            /* a good moment to be killed */

            (void) sched_yield();

            for (i = 0; i < n; i++) {
                snx_queue_done(&batch[i]);
            }

            if (rc == SNX_INVALID) {
                (void) atomic_fetch_add(&board->corrupt, 1);
            }

        } while (rc != SNX_DONE);
    }
}


static void
consume(uint32_t who)
{
    (void) who;

    while (!atomic_load(&board->stop)) {
        take_all(queue, (uint32_t) getpid(), 0);
        (void) snx_queue_sweep(queue, alive, NULL);
    }
}


/* Each record that was published, once; the one in the making at most once. */

static void
verdict(const char *what, unsigned lives, unsigned duplicates)
{
    uint32_t  n, last;
    unsigned  i, missing, twice, records;

    missing = 0;
    twice = 0;
    records = 0;

    for (i = 0; i < lives; i++) {
        last = atomic_load(&board->published[i]);
        records += last;

        for (n = 1; n < NUMBERS_N; n++) {
            missing += n <= last && board->seen[i][n] == 0;
            twice += (board->seen[i][n] > 1) ? board->seen[i][n] - 1u : 0;
            missing += n > last + 1 && board->seen[i][n] != 0;
        }
    }

    printf("# %s: %u producers, %u records\n", what, lives, records);

    ok(records > 1000, "%s: records were made", what);
    is_int(missing, 0, "none is lost");
    ok(twice <= duplicates, "%u came again, at most %u", twice, duplicates);
    is_int(atomic_load(&board->broken), 0, "none is broken");
    is_int(atomic_load(&board->corrupt), 0, "no segment is corrupt");
    is_int(atomic_load(&board->disorder), 0, "none is out of order");

    (void) snx_queue_sweep(queue, util_none_alive, NULL);
    (void) snx_queue_sweep(queue, util_none_alive, NULL);
    ok(util_all_free(queue), "everything is free in the end");
}


static void
test_producers_killed(void)
{
    pid_t     pids[PRODUCERS_N];
    unsigned  i, lives;
    uint64_t  end, next;

    reset();

    for (lives = 0; lives < PRODUCERS_N; lives++) {
        pids[lives] = start(produce, lives);
    }

    end = now_ms() + RUN_MS;
    next = 0;

    while (now_ms() < end && lives < LIVES_N) {
        take_all(queue, (uint32_t) getpid(), 1);
        (void) snx_queue_sweep(queue, alive, NULL);

        if (now_ms() >= next) {
            i = dice() % PRODUCERS_N;
            stop(pids[i]);
            pids[i] = start(produce, lives++);
            next = now_ms() + dice() % 8;
        }
    }

    for (i = 0; i < PRODUCERS_N; i++) {
        stop(pids[i]);
    }

    (void) snx_queue_sweep(queue, alive, NULL);
    take_all(queue, (uint32_t) getpid(), 1);

    verdict("producers killed", lives, 0);
}


static void
test_consumers_killed(void)
{
    pid_t     pids[PRODUCERS_N], consumer;
    unsigned  i, kills;
    uint64_t  end;

    reset();

    for (i = 0; i < PRODUCERS_N; i++) {
        pids[i] = start(produce, i);
    }

    end = now_ms() + RUN_MS;

    for (kills = 0; now_ms() < end; kills++) {
        consumer = start(consume, 0);
        (void) usleep((useconds_t) (dice() % 12000));
        stop(consumer);
    }

    for (i = 0; i < PRODUCERS_N; i++) {
        stop(pids[i]);
    }

    (void) snx_queue_sweep(queue, alive, NULL);
    take_all(queue, (uint32_t) getpid(), 0);

    printf("# %u consumers killed\n", kills);
    verdict("consumers killed", PRODUCERS_N, kills * BATCH_N);
}


static void *
produce_thread(void *data)
{
    uint32_t          n, who;
    snx_lane_t        lane;
    util_head_t       head;
    unsigned char     buf[1600];
    snx_lane_class_t  class;

    who = (uint32_t) (uintptr_t) data;
    snx_lane_open(&lane, queue, 100 + who, 0);
    class = (who % 2 == 0) ? SNX_LANE_ERRORS : SNX_LANE_BULK;

    for (n = 1; n < NUMBERS_N && !atomic_load(&board->stop); n++) {
        head.producer = who;
        head.n = n;
        head.len = 16 + n * 37 % 1500;
        head.seed = who ^ n ^ head.len;

        memset(buf, 0, sizeof(buf));
        memcpy(buf, &head, sizeof(head));

        while (snx_lane_put(&lane, class, (uint16_t) (n & 0xffff), buf,
                            head.len)
               != SNX_OK)
        {
            (void) sched_yield();
        }

        atomic_store(&board->published[who], n);
    }

    snx_lane_close(&lane);

    return NULL;
}


static void *
consume_thread(void *data)
{
    int                 last;
    snx_rc_t            rc;
    uint32_t            lost, who, class;
    util_head_t         head;
    snx_queue_rec_t     rec;
    snx_queue_cursor_t  cursor;

    who = (uint32_t) (uintptr_t) data;

    do {
        last = atomic_load(&board->stop) == 2;

        for (class = 0; class < SNX_LANES_N; class++) {
            memset(&cursor, 0, sizeof(cursor));

            while ((rc = snx_queue_next(queue, class, &cursor, 200 + who, &rec,
                                        &lost))
                   != SNX_DONE)
            {
                if (rc == SNX_INVALID) {
                    (void) atomic_fetch_add(&board->corrupt, 1);
                    continue;
                }

                memcpy(&head, rec.data.data, sizeof(head));

                if (head.len != rec.data.len || head.producer >= LIVES_N
                    || head.n >= NUMBERS_N)
                {
                    (void) atomic_fetch_add(&board->broken, 1);

                } else {
                    (void) atomic_fetch_add(
                               &board->seen[head.producer][head.n], 1);
                }

                snx_queue_done(&rec);
            }
        }

        (void) snx_queue_sweep(queue, util_all_alive, NULL);

    } while (!last);

    return NULL;
}


/* Producers, and consumers that all hold themselves for the only one. */

static void
test_threads(void)
{
    unsigned         i;
    uint64_t         end;
    pthread_t        threads[PRODUCERS_N + 3];
    struct timespec  tick = { 0, 1000000 };

    reset();

    for (i = 0; i < PRODUCERS_N + 3; i++) {
        (void) pthread_create(&threads[i], NULL,
                              i < PRODUCERS_N ? produce_thread
                                              : consume_thread,
                              (void *) (uintptr_t) i);
    }

    end = now_ms() + RUN_MS;

    while (now_ms() < end) {
        (void) nanosleep(&tick, NULL);
    }

    atomic_store(&board->stop, 1);

    for (i = 0; i < PRODUCERS_N; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    atomic_store(&board->stop, 2);

    for (/* void */; i < PRODUCERS_N + 3; i++) {
        (void) pthread_join(threads[i], NULL);
    }

    verdict("threads", PRODUCERS_N, 0);
}
