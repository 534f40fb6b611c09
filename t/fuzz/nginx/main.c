
/*
 * Copyright (C) ngx_sentry authors
 *
 * nginx's main() runs inside the fuzzer's, up to where a single process would
 * begin its cycle: there libFuzzer takes over and turns the event loop input
 * by input.  Holds: no sanitizer report, no alert, no request or connection
 * that stays, no secret in a record, and at the end the books.
 *
 * DESIGN.  Linked with --wrap of four functions: main(), nginx's single
 * process cycle, its epoll_wait() (that it never waits) and its clock (that
 * its timers need not be waited for); and of snx_lane_put(), so that a secret
 * is found by the input that gave it away.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <fcntl.h>
#include <stdatomic.h>

#include "fuzz.h"
#include "ngx_sentry.h"


#define IDLE_TURNS_N           2       /* in a row: nothing moves any more */
#define TURNS_MAX_N            2000
#define WAITS_MAX_N            40      /* timers while the client waits */
#define LAST_WAITS_MAX_N       400
#define RECENT_N               64      /* inputs kept for a late finding */
#define DRAIN_MS               60000

typedef int (*fuzz_one_pt)(const uint8_t *data, size_t size);

int LLVMFuzzerRunDriver(int *argc, char ***argv, fuzz_one_pt one);

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
void __wrap_ngx_single_process_cycle(ngx_cycle_t *cycle);
int __real_epoll_wait(int ep, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int ep, struct epoll_event *events, int n, int timeout);
void __real_ngx_time_update(void);
void __wrap_ngx_time_update(void);
snx_rc_t __real_snx_lane_put(snx_lane_t *lane, snx_lane_class_t class,
    uint16_t kind, const void *p, size_t len);
snx_rc_t __wrap_snx_lane_put(snx_lane_t *lane, snx_lane_class_t class,
    uint16_t kind, const void *p, size_t len);

static int one(const uint8_t *data, size_t size);
static int parse(fuzz_input_t *input, const uint8_t *data, size_t size);
static void settle(void);
static int turn(void);
static void wait_timer(void);
static void check(void);
static void breathe(void);
static void finish(void);
static int books(void);


static int           fuzz_argc;
static char        **fuzz_argv;
static char          dir[64] = "/tmp/ngx_sentry_fuzz_XXXXXX";
static unsigned      ports[3];         /* HTTP/1, PROXY, HTTP/2 */
static ngx_msec_t    skew;             /* of nginx's clock */
static int           nevents;
static ngx_uint_t    resting;          /* connections when nothing runs */
static int           alerts = -1;      /* log of those */
static int           terminal;         /* stderr before nginx took it */
static unsigned long runs;
static snx_shm_t    *shm;

static struct {
    size_t           size;
    uint8_t          data[FUZZ_IN_MAX];
} recent[RECENT_N];


int
__wrap_main(int argc, char **argv)
{
    const char  *given;
    static char  conf[] = "nginx.conf", log[] = "start.log", nginx[] = "nginx";
    static char  flag_p[] = "-p", flag_c[] = "-c", flag_e[] = "-e";
    static char *args[] = { nginx, flag_p, dir, flag_c, conf, flag_e, log,
                            NULL };

    fuzz_argc = argc;
    fuzz_argv = argv;
    terminal = dup(STDERR_FILENO);

    /* short: there will be unix sockets in it */

    given = getenv("FUZZ_NGINX_DIR");

    if (given && strlen(given) < sizeof(dir)) {
        (void) strcpy(dir, given);

    } else if (mkdtemp(dir) == NULL) {
        fuzz_die("no directory", dir, strlen(dir));
    }

    setup_conf(dir, ports);

    return __real_main(7, args);
}


void
__wrap_ngx_single_process_cycle(ngx_cycle_t *cycle)
{
    int                      rc, i;
    char                     path[512];
    ngx_uint_t               n;
    ngx_sentry_main_conf_t  *smcf;
    static const int         signals[] = { SIGALRM, SIGINT, SIGTERM, SIGHUP,
                                           SIGUSR1, SIGUSR2, SIGQUIT };

    if (ngx_set_environment(cycle, NULL) == NULL) {
        exit(2);
    }

    for (n = 0; cycle->modules[n]; n++) {
        if (cycle->modules[n]->init_process
            && cycle->modules[n]->init_process(cycle) == NGX_ERROR)
        {
            exit(2);
        }
    }

    (void) dup2(terminal, STDERR_FILENO);

    /* libFuzzer leaves alone what has a handler */

    for (i = 0; i < (int) (sizeof(signals) / sizeof(signals[0])); i++) {
        (void) signal(signals[i], SIG_DFL);
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_sentry_module);
    shm = smcf->shm;

    (void) snprintf(path, sizeof(path), "%s/alerts.log", dir);
    alerts = open(path, O_RDONLY | O_CLOEXEC);

    settle();
    resting = cycle->connection_n - cycle->free_connection_n;

    (void) atexit(finish);

    rc = LLVMFuzzerRunDriver(&fuzz_argc, &fuzz_argv, one);

    exit(rc);
}


static int
one(const uint8_t *data, size_t size)
{
    ngx_uint_t           i;
    static fuzz_input_t  input;

    if (!parse(&input, data, size)) {
        return 0;
    }

    i = runs++ % RECENT_N;
    recent[i].size = size;
    ngx_memcpy(recent[i].data, data, size);

    peers_begin(&input, input.mode == '1' ? ports[0]
                        : input.mode == 'p' ? ports[1] : ports[2]);
    settle();

    while (peers_client_next()) {
        settle();
    }

    for (i = 0; i < WAITS_MAX_N && peers_client_waits(); i++) {
        wait_timer();
    }

    peers_client_close();
    settle();
    peers_end();
    settle();

    for (i = 0; ngx_cycle->connection_n - ngx_cycle->free_connection_n
                > resting; i++)
    {
        if (i == LAST_WAITS_MAX_N) {
            fuzz_die("a connection stays", data, size);
        }

        wait_timer();
        peers_end();
    }

    check();
    breathe();

    return 0;
}


static int
parse(fuzz_input_t *input, const uint8_t *data, size_t size)
{
    int             type;
    size_t          i;
    const uint8_t  *rs, *end;
    fuzz_section_t  section;

    if (size < 3 || size > FUZZ_IN_MAX || !strchr("1p2hr", data[0])
        || data[0] == '\0'
        || memmem(data, size, FUZZ_CANARY, sizeof(FUZZ_CANARY) - 1))
    {
        return 0;
    }

    input->mode = data[0];
    input->flags = data[1];
    input->nclient = 0;
    input->nupstream = 0;

    type = '>';
    end = data + size;
    data += 2;

    for (i = 0; i < FUZZ_SECTIONS_MAX_N && data <= end; i++) {
        rs = memchr(data, FUZZ_RS, (size_t) (end - data));
        section.type = type;
        section.data = data;
        section.len = (size_t) ((rs ? rs : end) - data);

        if (strchr("<[{+|", type)) {
            input->upstream[input->nupstream++] = section;

        } else {
            input->client[input->nclient++] = section;
        }

        if (rs == NULL || rs + 1 == end) {
            break;
        }

        type = rs[1] ? rs[1] : '>';
        data = rs + 2;
    }

    return 1;
}


/* Until nothing moves any more; the clock stands nearly still. */

static void
settle(void)
{
    int  i, idle;

    idle = 0;

    for (i = 0; i < TURNS_MAX_N && idle < IDLE_TURNS_N; i++) {
        idle = turn() ? 0 : idle + 1;
    }
}


static int
turn(void)
{
    int  moved;

    moved = peers_turn();
    nevents = 0;

    ngx_process_events_and_timers((ngx_cycle_t *) ngx_cycle);

    return moved || nevents > 0
           || !ngx_queue_empty(&ngx_posted_events)
           || !ngx_queue_empty(&ngx_posted_next_events);
}


static void
wait_timer(void)
{
    ngx_msec_t  timer;

    timer = ngx_event_find_timer();
    skew += timer == NGX_TIMER_INFINITE ? 1000 : timer;

    settle();
}


int
__wrap_epoll_wait(int ep, struct epoll_event *events, int n, int timeout)
{
    (void) timeout;

    n = __real_epoll_wait(ep, events, n, 0);
    nevents += n > 0 ? n : 0;

    return n;
}


void
__wrap_ngx_time_update(void)
{
    __real_ngx_time_update();

    ngx_current_msec += skew;
}


snx_rc_t
__wrap_snx_lane_put(snx_lane_t *lane, snx_lane_class_t class, uint16_t kind,
    const void *p, size_t len)
{
    secrets_look("secret in a record", p, len);

    return __real_snx_lane_put(lane, class, kind, p, len);
}


static void
check(void)
{
    ssize_t  n;
    char     text[1024];

    n = pread(alerts, text, sizeof(text), 0);

    if (n > 0) {
        fuzz_die("an alert", text, (size_t) n);
    }

    if (atomic_load(&shm->segments_corrupt)) {
        fuzz_die("the queue is damaged", "", 0);
    }
}


/* The sender has to keep up: what is lost was not looked at. */

static void
breathe(void)
{
    if (snx_queue_fill(snx_shm_queue(shm)) < 40) {
        return;
    }

    while (snx_queue_fill(snx_shm_queue(shm)) > 10) {
        (void) turn();
        ngx_msleep(2);
    }
}


void
fuzz_die(const char *what, const void *data, size_t len)
{
    FILE        *file;
    char         path[512];
    size_t       i;
    const char  *out;

    fprintf(stderr, "fuzz: %s, %zu bytes after %lu inputs: ", what, len, runs);
    (void) fwrite(data, 1, len, stderr);
    fprintf(stderr, "\n");

    out = getenv("FUZZ_NGINX_RECENT");

    for (i = 0; out && i < RECENT_N && i < runs; i++) {
        (void) snprintf(path, sizeof(path), "%s/recent-%02zu", out,
                        (runs - 1 - i) % RECENT_N);
        file = fopen(path, "w");

        if (file) {
            (void) fwrite(recent[(runs - 1 - i) % RECENT_N].data, 1,
                          recent[(runs - 1 - i) % RECENT_N].size, file);
            (void) fclose(file);
        }
    }

    abort();
}


/* All that was captured arrives or is counted; then nginx goes. */

static void
finish(void)
{
    ngx_uint_t         n;
    ngx_msec_t         start;
    snx_queue_usage_t  usage;
    static int         done;

    if (done++) {
        return;
    }

    start = ngx_current_msec - skew;

    do {
        (void) turn();
        ngx_msleep(5);
        snx_queue_usage(snx_shm_queue(shm), &usage);

    } while (usage.pending
             && ngx_current_msec - skew - start < DRAIN_MS);

    if (usage.pending || !books()) {
        fuzz_die("the books are wrong", "", 0);
    }

    for (n = 0; ngx_cycle->modules[n]; n++) {
        if (ngx_cycle->modules[n]->exit_process) {
            ngx_cycle->modules[n]->exit_process((ngx_cycle_t *) ngx_cycle);
        }
    }

    check();
}


static int
books(void)
{
    int                  right;
    uint64_t             lost, captured, delivered, arrived;
    ngx_uint_t           i, category;
    snx_counters_t      *counters;
    static const struct {
        const char      *name;
        unsigned long  (*arrived)(void);
        snx_category_t   category;
    } kinds[] = {
        { "events", receiver_events, SNX_CAT_ERROR },
        { "transactions", receiver_transactions, SNX_CAT_TRANSACTION }
    };

    right = 1;
    counters = &shm->projects[0].counters;

    for (i = 0; i < 2; i++) {
        category = kinds[i].category;
        captured = atomic_load(&counters->captured[category]);
        delivered = atomic_load(&counters->delivered[category]);
        arrived = kinds[i].arrived();

        lost = atomic_load(
                   &counters->lost[SNX_LOST_QUEUE_OVERFLOW][category])
               + atomic_load(
                   &counters->lost[SNX_LOST_RATELIMIT_BACKOFF][category])
               + atomic_load(&counters->lost[SNX_LOST_NETWORK_ERROR][category])
               + atomic_load(&counters->lost[SNX_LOST_SEND_ERROR][category])
               + atomic_load(&counters->lost[SNX_LOST_INTERNAL][category])
               + atomic_load(&counters->lost[SNX_LOST_RATE_LIMITED][category])
               + atomic_load(&counters->lost[SNX_LOST_SHUTDOWN][category])
               + atomic_load(&counters->lost[SNX_LOST_CORRUPT][category]);

        fprintf(stderr, "fuzz: %s: captured %lu, delivered %lu, lost %lu,"
                " arrived %lu\n", kinds[i].name, (unsigned long) captured,
                (unsigned long) delivered, (unsigned long) lost,
                (unsigned long) arrived);

        if (captured != delivered + lost || arrived != delivered) {
            right = 0;
        }
    }

    return right;
}
