
/*
 * Copyright (C) ngx_sentry authors
 *
 * The shared area: layout, projects, counters, the last error.
 */


#include <stdlib.h>
#include <pthread.h>

#include "snx_shm.h"
#include "tap.h"


#define QUEUE                  (8 * 32768)
#define ERRORS_N               200000


static void test_layout(void);
static void test_projects(void);
static void test_counters(void);
static void test_names(void);
static void test_last_error(void);
static void test_reading(void);

static snx_shm_t *area(size_t size);
static void *read_errors(void *data);


static unsigned      torn, seen;
static _Atomic int   stop;


int
main(void)
{
    test_layout();
    test_projects();
    test_counters();
    test_names();
    test_last_error();
    test_reading();

    return tap_done();
}


static snx_shm_t *
area(size_t size)
{
    void  *mem;

    mem = aligned_alloc(64, (size + 63) / 64 * 64);
    memset(mem, 0, size);

    return snx_shm_init(mem, size, 12345) == NULL ? (free(mem), NULL) : mem;
}


static void
test_layout(void)
{
    size_t              size;
    snx_shm_t          *shm;
    snx_queue_usage_t   usage;

    size = snx_shm_size(QUEUE);
    shm = area(size);

    ok(shm != NULL, "as many bytes as are needed");
    ok(snx_shm_valid(shm, size), "make a valid area");
    ok(!snx_shm_valid(shm, size - 1), "of this size");
    ok(!snx_shm_valid(shm, size + 1), "exactly");
    ok(!snx_shm_valid(shm, 10), "not of nearly none");

    snx_queue_usage(snx_shm_queue(shm), &usage);
    is_int(usage.segments, 8, "with a queue");

    is_int((uintptr_t) snx_shm_queue(shm) % 64, 0, "on a cache line");
    is_int(atomic_load(&shm->lease.word), 0, "and a free lease");

    shm->magic++;
    ok(!snx_shm_valid(shm, size), "another magic");
    shm->magic--;
    shm->header_size++;
    ok(!snx_shm_valid(shm, size), "another header");
    shm->header_size--;
    memset(snx_shm_queue(shm), 0, 8);
    ok(!snx_shm_valid(shm, size), "another queue");
    free(shm);

    ok(area(size - 64) == NULL, "too small");
    ok(area(64) == NULL, "much too small");
}


static void
test_projects(void)
{
    char            dsn[SNX_DSN_MAX + 1], label[400];
    unsigned        i;
    snx_shm_t      *shm;
    snx_project_t  *a, *b;

    shm = area(snx_shm_size(QUEUE));

    ok(snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_str(NULL, 0))
       == NULL, "not there");

    a = snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("h/1"));
    b = snx_shm_project(shm, snx_cstr("https://k@h/12"), snx_cstr("h/12"));

    ok(a != NULL && b != NULL && a != b, "made");
    is_str(snx_cstr(a->label), "h/1", "its label");
    is_str(snx_str(b->dsn, b->dsn_len), "https://k@h/12", "its DSN");

    ok(snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_str(NULL, 0)) == a,
       "found");
    ok(snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("other")) == a,
       "found again");
    is_str(snx_cstr(a->label), "h/1", "with the label it had");

    a = snx_shm_project(shm, snx_cstr("https://k2@h/1"), snx_cstr("h/1"));
    is_str(snx_cstr(a->label), "h/1 #2", "another key of it");
    a = snx_shm_project(shm, snx_cstr("https://k3@h/1"), snx_cstr("h/1"));
    is_str(snx_cstr(a->label), "h/1 #3", "and another");

    ok(snx_shm_project(shm, snx_str(NULL, 0), snx_cstr("x")) == NULL,
       "no DSN");

    memset(dsn, 'x', sizeof(dsn));
    memset(label, 'y', sizeof(label));
    ok(snx_shm_project(shm, snx_str(dsn, sizeof(dsn)), snx_cstr("x")) == NULL,
       "too long a DSN");

    a = snx_shm_project(shm, snx_str(dsn, SNX_DSN_MAX),
                        snx_str(label, sizeof(label)));
    ok(a != NULL && strlen(a->label) == sizeof(a->label) - 1,
       "the longest one, its label cut");

    for (i = 5; i < SNX_DSNS_MAX_N; i++) {
        (void) snprintf(dsn, sizeof(dsn), "https://k@h/%u", i + 100);

        if (snx_shm_project(shm, snx_cstr(dsn), snx_cstr("x")) == NULL) {
            break;
        }
    }

    is_int(i, SNX_DSNS_MAX_N, "so many fit in");
    ok(snx_shm_project(shm, snx_cstr("https://k@h/99"), snx_cstr("x")) == NULL,
       "no more");
    ok(snx_shm_project(shm, snx_cstr("https://k@h/12"), snx_cstr("x")) == b,
       "those there are found");

    free(shm);
}


static void
test_counters(void)
{
    snx_shm_t      *shm;
    snx_project_t  *p;

    shm = area(snx_shm_size(QUEUE));
    p = snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("h/1"));

    snx_project_lose(p, SNX_LOST_CORRUPT, SNX_CAT_INTERNAL, 3);
    snx_project_lose(p, SNX_LOST_CORRUPT, SNX_CAT_INTERNAL, 4);
    snx_project_lose(p, SNX_LOST_QUEUE_OVERFLOW, SNX_CAT_ERROR, 1);
    snx_project_lose(p, SNX_LOST_N, SNX_CAT_ERROR, 1);
    snx_project_lose(p, SNX_LOST_CORRUPT, SNX_CATS_N, 1);

    is_int(atomic_load(&p->counters.lost[SNX_LOST_CORRUPT][SNX_CAT_INTERNAL]),
           7, "added");
    is_int(atomic_load(&p->counters.lost[0][0]), 1, "each to its own");
    is_int(atomic_load(&p->counters.reported[0][0]), 0, "and to no other");

    is_int(snx_project_untold(p), 0, "nothing held back");
    snx_project_lose(p, SNX_LOST_HELD_BACK, SNX_CAT_ERROR, 7);
    is_int(snx_project_untold(p), 7, "seven, none of them told");
    atomic_store(&p->counters.told, 5);
    is_int(snx_project_untold(p), 2, "five were told");

    free(shm);
}


static void
test_names(void)
{
    unsigned            i;
    static const char  *names[] = {
        "queue_overflow", "ratelimit_backoff", "network_error", "send_error",
        "internal_sdk_error", "sample_rate", "event_processor",
        "backpressure", "held_back", "rate_limited", "shutdown", "corrupt",
        "unknown"
    };

    is_int(sizeof(names) / sizeof(names[0]), SNX_LOST_N + 1, "all named");

    for (i = 0; i <= SNX_LOST_N; i++) {
        is_str(snx_lost_name((snx_lost_t) i), names[i], names[i]);

        /* Sentry knows a fixed set of reasons, and ours is not among them */

        is_str(snx_lost_reason((snx_lost_t) i),
               i == SNX_LOST_HELD_BACK ? "event_processor" : names[i],
               names[i]);
    }
}


static void
test_last_error(void)
{
    char            text[SNX_LAST_ERROR_MAX], longer[400];
    uint32_t        status;
    uint64_t        when;
    snx_shm_t      *shm;
    snx_project_t  *p;

    shm = area(snx_shm_size(QUEUE));
    p = snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("h/1"));

    is_int(snx_project_last_error(p, &status, &when, text), 0, "none");

    snx_project_error(p, 403, 1000, snx_cstr("forbidden \xff"));
    is_int(snx_project_last_error(p, &status, &when, text), 1, "one");
    ok(status == 403 && when == 1000, "status and time");
    is_str(snx_cstr(text), "forbidden \xef\xbf\xbd", "text, made UTF-8");

    memset(longer, 'x', sizeof(longer));
    snx_project_error(p, 0, 2000, snx_str(longer, sizeof(longer)));
    (void) snx_project_last_error(p, &status, &when, text);
    is_int(strlen(text), SNX_LAST_ERROR_MAX - 1, "a long one is cut");

    /* a sender killed while it wrote */

    (void) atomic_fetch_add(&p->last_error.seq, 1);
    is_int(snx_project_last_error(p, &status, &when, text), 0,
           "half-written: none");

    snx_project_error(p, 500, 3000, snx_cstr("next"));
    is_int(snx_project_last_error(p, &status, &when, text), 1, "the next one");
    is_str(snx_cstr(text), "next", "is whole");

    free(shm);
}


static void *
read_errors(void *data)
{
    char             text[SNX_LAST_ERROR_MAX], expected[32];
    uint32_t         status;
    uint64_t         when;

    while (!atomic_load(&stop)) {
        if (snx_project_last_error(data, &status, &when, text)) {
            (void) snprintf(expected, sizeof(expected), "error %u", status);
            torn += strcmp(text, expected) != 0 || when != status;
            seen++;
        }
    }

    return NULL;
}


static void
test_reading(void)
{
    char            text[32];
    uint32_t        i;
    pthread_t       thread;
    snx_shm_t      *shm;
    snx_project_t  *p;

    shm = area(snx_shm_size(QUEUE));
    p = snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("h/1"));

    snx_project_error(p, 0, 0, snx_cstr("error 0"));
    (void) pthread_create(&thread, NULL, read_errors, p);

    for (i = 1; i < ERRORS_N; i++) {
        (void) snprintf(text, sizeof(text), "error %u", i);
        snx_project_error(p, i, i, snx_cstr(text));
    }

    atomic_store(&stop, 1);
    (void) pthread_join(thread, NULL);

    printf("# read %u times\n", seen);
    is_int(torn, 0, "never half of one and half of another");

    free(shm);
}
