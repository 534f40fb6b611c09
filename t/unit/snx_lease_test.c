
/*
 * Copyright (C) ngx_sentry authors
 *
 * The lease: who may take it, and that only one holds it.
 */


#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "snx_lease.h"
#include "tap.h"


#define CONTENDERS_N           4
#define RUN_MS                 600


static void test_take(void);
static void test_renew(void);
static void test_info(void);
static void test_ticks(void);
static void test_contention(void);

static int alive(uint32_t pid, uint64_t start_ticks, void *data);
static void contend(uint32_t pid);


/* Shared with the children. */

typedef struct {
    snx_lease_t        lease;
    _Atomic uint64_t   now_ms;     /* a clock that a test can hold */
    _Atomic int        stop;
    _Atomic int        inside;     /* pid of who holds it and works */
    _Atomic unsigned   collisions;
    _Atomic unsigned   held;
} board_t;


static board_t  *board;


int
main(void)
{
    board = mmap(NULL, sizeof(board_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED) {
        perror("mmap");
        return 1;
    }

    test_take();
    test_renew();
    test_info();
    test_ticks();
    test_contention();

    return tap_done();
}


/* Lives: any process but those begun at tick 13, and data is asked times. */

static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;

    if (data != NULL) {
        (*(unsigned *) data)++;
    }

    return start_ticks != 13;
}


/* The holder is pid 10, generation 100, since 1000000 ms. */

static void
test_take(void)
{
    size_t       i;
    snx_rc_t     rc;
    uint64_t     token;
    unsigned     asked;
    snx_lease_t  lease;

    static const struct {
        const char  *what;
        uint64_t     holder_ticks;
        uint32_t     pid;
        uint16_t     holder_generation;
        uint16_t     generation;
        uint64_t     at_ms;            /* after the holder took it */
        snx_rc_t     rc;
    } tests[] = {
        { "it is held", 1, 11, 100, 100, 0, SNX_AGAIN },
        { "it is held for a while", 1, 11, 100, 100, 1400, SNX_AGAIN },
        { "it has expired", 1, 11, 100, 100, 1500, SNX_OK },
        { "expired long ago", 1, 11, 100, 100, 3000000, SNX_OK },
        { "expired half a cycle ago", 1, 11, 100, 100, 3400000000u, SNX_OK },
        { "expired most of a cycle ago", 1, 11, 100, 100, 6700000000u,
          SNX_OK },
        { "the holder is dead", 13, 11, 100, 100, 0, SNX_OK },
        { "older generation, dead holder", 13, 11, 100, 99, 0, SNX_OK },
        { "newer generation", 1, 11, 100, 101, 0, SNX_OK },
        { "older generation", 1, 11, 100, 99, 0, SNX_AGAIN },
        { "older generation, expired", 1, 11, 100, 99, 1500, SNX_OK },
        { "newer across zero", 1, 11, 65535, 0, 0, SNX_OK },
        { "older across zero", 1, 11, 0, 65535, 0, SNX_AGAIN },
        { "much newer", 1, 11, 100, 32867, 0, SNX_OK },
        { "so much newer that it is older", 1, 11, 100, 32869, 0,
          SNX_AGAIN },
        { "a namesake", 1, 10, 100, 100, 0, SNX_OK },
        { "an older namesake", 1, 10, 100, 99, 0, SNX_OK },
        { "the caller's clock lags", 1, 11, 100, 100, (uint64_t) -60000,
          SNX_AGAIN },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset((void *) &lease, 0, sizeof(lease));
        asked = 0;

        rc = snx_lease_take(&lease, 10, tests[i].holder_ticks,
                            tests[i].holder_generation, 1000000, alive, NULL,
                            &token);

        if (rc != SNX_OK) {
            ok(0, "a free lease is taken");
            continue;
        }

        rc = snx_lease_take(&lease, tests[i].pid, 2, tests[i].generation,
                            1000000 + tests[i].at_ms, alive, &asked, &token);

        is_int(rc, tests[i].rc, tests[i].what);
        ok(asked <= 1, "asked at most once");
        is_int(atomic_load(&lease.taken), 1 + (rc == SNX_OK),
               "changes of hands are counted");
    }
}


static void
test_renew(void)
{
    uint64_t          a, b;
    snx_lease_t       lease;
    snx_lease_info_t  info;

    memset((void *) &lease, 0, sizeof(lease));

    (void) snx_lease_take(&lease, 10, 1, 5, 1000, alive, NULL, &a);

    is_int(snx_lease_renew(&lease, 2000, &a), SNX_OK, "renewed");
    is_int(snx_lease_take(&lease, 11, 1, 5, 3400, alive, NULL, &b),
           SNX_AGAIN, "the deadline has moved");
    is_int(snx_lease_renew(&lease, 9000, &a), SNX_OK,
           "a late holder renews what nobody took");

    (void) snx_lease_take(&lease, 11, 1, 6, 9000, alive, NULL, &b);

    is_int(snx_lease_renew(&lease, 9100, &a), SNX_AGAIN,
           "whoever was overtaken notices");
    is_int(snx_lease_renew(&lease, 9200, &a), SNX_AGAIN, "each time");

    snx_lease_release(&lease, a);
    snx_lease_info(&lease, 9300, &info);
    is_int(info.pid, 11, "and gives nothing back");

    is_int(snx_lease_renew(&lease, 9400, &b), SNX_OK, "the new one renews");

    snx_lease_release(&lease, b);
    snx_lease_info(&lease, 9500, &info);
    is_int(info.pid, 0, "and gives it back");

    is_int(snx_lease_renew(&lease, 9500, &b), SNX_AGAIN, "then it is gone");
    is_int(snx_lease_take(&lease, 12, 1, 1, 9500, alive, NULL, &a), SNX_OK,
           "and free for any generation");
}


static void
test_info(void)
{
    size_t            i;
    uint64_t          token;
    snx_lease_t       lease;
    snx_lease_info_t  info;

    static const struct {
        uint64_t  taken_ms;
        uint64_t  now_ms;
        int32_t   left_ms;
    } tests[] = {
        { 0, 0, 1500 },
        { 1000, 1000, 1500 },
        { 1000, 1050, 1450 },
        { 1099, 1099, 1401 },
        { 1000, 2600, -100 },
        { 6710886300, 6710886300, 1500 },      /* the cycle ends */
        { 6710886300, 6710887000, 800 },
        { 1000, 10001000, -3600000 },          /* some hours: enough */
        { 1000, 4000000000, -3600000 },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset((void *) &lease, 0, sizeof(lease));

        (void) snx_lease_take(&lease, 0x3fffff, 1, 0xabcd, tests[i].taken_ms,
                              alive, NULL, &token);
        snx_lease_info(&lease, tests[i].now_ms, &info);

        is_int(info.left_ms, tests[i].left_ms, "time left");
        ok(info.pid == 0x3fffff && info.generation == 0xabcd,
           "pid and generation");
    }
}


/* The start time belongs to a pid, also while hands change. */

static void
test_ticks(void)
{
    uint64_t     a, b;
    snx_lease_t  lease;

    memset((void *) &lease, 0, sizeof(lease));

    (void) snx_lease_take(&lease, 10, 13, 5, 1000, alive, NULL, &a);
    snx_lease_release(&lease, a);
    (void) snx_lease_take(&lease, 11, 1, 5, 1000, alive, NULL, &a);

    /* pid 11 was stopped between the swap and its note */

    atomic_store(&lease.start_ticks, 13ull << 22 | 10);
    is_int(snx_lease_take(&lease, 12, 1, 5, 1000, alive, NULL, &b), SNX_AGAIN,
           "another one's start time does not make it dead");

    /* a namesake's note is overwritten before the swap */

    atomic_store(&lease.word, 0);
    atomic_store(&lease.start_ticks, 13ull << 22 | 11);
    (void) snx_lease_take(&lease, 11, 7, 5, 1000, alive, NULL, &a);
    is_int(atomic_load(&lease.start_ticks) >> 22, 7, "nor a namesake's");
}


static void
contend(uint32_t pid)
{
    int        expected;
    uint64_t   token, now;
    unsigned   i;
    uint16_t   generation;

    generation = 1;

    while (!atomic_load(&board->stop)) {
        now = atomic_load(&board->now_ms);

        if (snx_lease_take(&board->lease, pid, 1, generation, now, alive, NULL,
                           &token)
            != SNX_OK)
        {
            continue;
        }

        /* whoever holds it and renewed it in time is alone */

        for (i = 0; i < 20; i++) {
            expected = 0;

            if (!atomic_compare_exchange_strong(&board->inside, &expected,
                                                (int) pid))
            {
                (void) atomic_fetch_add(&board->collisions, 1);
            }

            (void) atomic_fetch_add(&board->held, 1);
            atomic_store(&board->inside, 0);

            if (snx_lease_renew(&board->lease, now, &token) != SNX_OK) {
                (void) atomic_fetch_add(&board->collisions, 1);
                break;
            }
        }

        snx_lease_release(&board->lease, token);
    }
}


/* The clock stands still: the lease changes hands by release alone. */

static void
test_contention(void)
{
    int              status;
    pid_t            pids[CONTENDERS_N];
    uint32_t         i;
    struct timespec  tick = { 0, RUN_MS * 1000000L };

    memset((void *) board, 0, sizeof(board_t));
    atomic_store(&board->now_ms, 123456789);

    (void) fflush(stdout);

    for (i = 0; i < CONTENDERS_N; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            contend(i + 1);
            _exit(0);
        }
    }

    (void) nanosleep(&tick, NULL);
    atomic_store(&board->stop, 1);

    for (i = 0; i < CONTENDERS_N; i++) {
        (void) waitpid(pids[i], &status, 0);
    }

    printf("# taken %u times\n", (unsigned) atomic_load(&board->lease.taken));

    is_int(atomic_load(&board->collisions), 0, "only one holds it at once");
    ok(atomic_load(&board->lease.taken) > 100, "it changed hands");
}
