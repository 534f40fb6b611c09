
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sender measured without nginx, one stage at a time; t/bench/sender
 * runs it and knows what its figures mean.
 *
 *     sender drain|encode|compress RECORD N [LEVEL]
 *     sender deliver RECORD N gzip|plain DSN CA_FILE [RATE]
 *
 * RECORD is "transaction" (one upstream try, ten headers) or "event" (every
 * field there is).  One line of JSON comes out.
 */


#include <dirent.h>
#include <sched.h>

#include "sender_util.h"
#include "trace_util.h"


#define BENCH_QUEUE            (64 << 20)
#define BENCH_WARM_N           500
#define BENCH_WAIT_MS          60000
#define BENCH_FLUSH_MS         500     /* sentry_flush_interval's default */


typedef struct {
    uint16_t           kind;
    snx_lane_class_t   class;
    snx_category_t     category;
    size_t             len;
    unsigned char      data[SNX_RECORD_MAX];
} bench_record_t;


typedef struct {
    struct timespec    wall;
    double             cpu;            /* of the sender's side, in s */
} bench_clock_t;


static const char  bench_dsn[] = "http://0123456789abcdef0123456789abcdef"
                                 "@127.0.0.1:9/1";

static bench_record_t  bench_record;
static char            body[SNX_ENVELOPE_HEADER_MAX + SNX_ENCODE_MAX];
static char            packed[sizeof(body)];


/* A proxied request of a browser, as the module packs it. */

static size_t
bench_transaction(void *buf, const char *dsn)
{
    size_t  i;

    static const char  *headers[][2] = {
        { "Host", "shop.example.com" },
        { "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
                        "Gecko/20100101 Firefox/128.0" },
        { "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9" },
        { "Accept-Language", "en-US,en;q=0.5" },
        { "Accept-Encoding", "gzip, deflate, br" },
        { "Referer", "https://shop.example.com/cart" },
        { "Cookie", "[Filtered]" },
        { "Sec-Fetch-Dest", "document" },
        { "Sec-Fetch-Mode", "navigate" },
        { "Sec-Fetch-Site", "same-origin" }
    };

    snx_rec_begin(&writer, record, sizeof(record));

    add(SNX_F_DSN, dsn);
    add(SNX_F_ENVIRONMENT, "production");
    add(SNX_F_RELEASE, "shop@1.2.3");
    add(SNX_F_SERVER_NAME, "web-1");
    add(SNX_F_NGINX_VERSION, "1.22.1");
    add(SNX_F_VHOST, "shop.example.com");
    add(SNX_F_LOCATION, "/api/");
    add(SNX_F_EVENT_ID, UTIL_ID);
    add(SNX_F_TRACE_ID, UTIL_TRACE);
    add(SNX_F_SPAN_ID, UTIL_SPAN);
    snx_rec_num(&writer, SNX_F_SAMPLED, 1);
    add(SNX_F_BAGGAGE, UTIL_BAGGAGE);
    snx_rec_num(&writer, SNX_F_START_US, T0);
    snx_rec_num(&writer, SNX_F_TIMESTAMP_US, T0 + 12345);
    snx_rec_num(&writer, SNX_F_STATUS, 200);
    add(SNX_F_TRANSACTION, "GET /api/");
    add(SNX_F_TRANSACTION_SOURCE, "route");
    add(SNX_F_METHOD, "GET");
    add(SNX_F_URL, "https://shop.example.com/api/orders/1234");
    add(SNX_F_QUERY, "page=2&token=[Filtered]");
    add(SNX_F_PROTOCOL, "HTTP/1.1");
    snx_rec_num(&writer, SNX_F_SERVER_PORT, 443);
    snx_rec_num(&writer, SNX_F_REQUEST_TIME_MS, 12);
    snx_rec_num(&writer, SNX_F_REQUEST_LENGTH, 512);
    snx_rec_num(&writer, SNX_F_BYTES_SENT, 1467);
    snx_rec_num(&writer, SNX_F_RESPONSE_BYTES, 1167);
    add(SNX_F_UPSTREAM_URL, "http://backend/api/orders/1234");

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        add_pair(SNX_F_HEADER, headers[i][0], headers[i][1]);
    }

    add_try(0, 1, 200, 1, 9, 10, "10.0.0.1:8080");

    i = snx_rec_end(&writer);
    memcpy(buf, record, i);

    return i;
}


static void
bench_make(const char *name, const char *dsn)
{
    bench_record_t  *r;

    r = &bench_record;

    if (strcmp(name, "event") == 0) {
        r->kind = SNX_KIND_EVENT;
        r->class = SNX_LANE_ERRORS;
        r->category = SNX_CAT_ERROR;
        r->len = util_rich(r->data, sizeof(r->data), dsn);
        return;
    }

    r->kind = SNX_KIND_TRANSACTION;
    r->class = SNX_LANE_BULK;
    r->category = SNX_CAT_TRANSACTION;
    r->len = bench_transaction(r->data, dsn);
}


/* Of the calling thread, or of all the others. */

static void
bench_now(bench_clock_t *clock, int others)
{
    struct timespec  cpu;

    (void) clock_gettime(CLOCK_MONOTONIC, &clock->wall);
    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    clock->cpu = (double) cpu.tv_sec + (double) cpu.tv_nsec / 1e9;

    if (others) {
        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        clock->cpu = (double) cpu.tv_sec + (double) cpu.tv_nsec / 1e9
                     - clock->cpu;
    }
}


static double
bench_wall(const bench_clock_t *from, const bench_clock_t *to)
{
    return (double) (to->wall.tv_sec - from->wall.tv_sec)
           + (double) (to->wall.tv_nsec - from->wall.tv_nsec) / 1e9;
}


static void
bench_print(const bench_clock_t *from, const bench_clock_t *to, uint64_t n,
    double per_s, uint64_t bytes, uint64_t lost)
{
    printf("{\"records\":%llu,\"wall_s\":%.6f,\"cpu_us\":%.3f,"
           "\"per_s\":%.0f,\"bytes\":%.0f,\"lost\":%llu}\n",
           (unsigned long long) n, bench_wall(from, to),
           (to->cpu - from->cpu) * 1e6 / (double) n, per_s,
           (double) bytes / (double) n, (unsigned long long) lost);
}


static int
bench_put(void)
{
    return snx_lane_put(&room.lane, bench_record.class, bench_record.kind,
                        bench_record.data, bench_record.len)
           == SNX_OK;
}


/* From claimed to done, and the segments freed; filling is not counted. */

static void
bench_drain(uint64_t n)
{
    uint32_t             lost;
    uint64_t             done;
    snx_queue_t         *queue;
    bench_clock_t        from, to, sum;
    snx_queue_rec_t      rec;
    snx_queue_cursor_t   cursor;

    room_open(&room, 8 << 20);
    queue = snx_shm_queue(room.shm);
    memset(&sum, 0, sizeof(sum));
    memset(&from, 0, sizeof(from));

    for (done = 0; done < n; /* void */ ) {
        while (bench_put()) {
            /* void */
        }

        memset(&cursor, 0, sizeof(cursor));
        bench_now(&from, 0);

        while (snx_queue_next(queue, bench_record.class, &cursor,
                              room.conf.pid, &rec, &lost)
               == SNX_OK)
        {
            snx_queue_done(&rec);
            done++;
        }

        (void) snx_queue_sweep(queue, snx_process_alive, NULL);
        bench_now(&to, 0);

        sum.cpu += to.cpu - from.cpu;
        sum.wall.tv_nsec += to.wall.tv_nsec - from.wall.tv_nsec
                            + (to.wall.tv_sec - from.wall.tv_sec)
                              * 1000000000;
    }

    memset(&from, 0, sizeof(from));
    bench_print(&from, &sum, done, (double) done / bench_wall(&from, &sum),
                done * bench_record.len, 0);
}


/* A whole envelope of the record; its length. */

static size_t
bench_envelope(const snx_dsn_t *dsn)
{
    size_t                len;
    snx_rc_t              rc;
    snx_str_t             data;
    snx_envelope_t        envelope;
    snx_envelope_meta_t   meta;

    data = snx_str(bench_record.data, bench_record.len);
    meta.now_us = UTIL_TIME_US;
    meta.dsn = dsn;

    rc = snx_fields_read(&fields, data);

    if (rc == SNX_OK) {
        rc = bench_record.kind == SNX_KIND_EVENT
             ? snx_encode_event(&encode, &fields, UTIL_TIME_US, out,
                                SNX_ENCODE_MAX, &len)
             : snx_encode_transaction(&encode, &fields, UTIL_TIME_US, out,
                                      SNX_ENCODE_MAX, &len);
    }

    if (rc != SNX_OK
        || snx_envelope_begin(&envelope, body, sizeof(body), &fields, &meta)
           != SNX_OK
        || snx_envelope_item(&envelope,
                             bench_record.kind == SNX_KIND_EVENT
                             ? "event" : "transaction", out, len)
           != SNX_OK)
    {
        fprintf(stderr, "sender: the record cannot be encoded\n");
        _exit(1);
    }

    return envelope.len;
}


static void
bench_encode(uint64_t n)
{
    size_t          len;
    uint64_t        i;
    snx_dsn_t       dsn;
    const char     *why;
    bench_clock_t   from, to;

    snx_encode_init(&encode, "Linux", "6.1.0");
    (void) snx_dsn_parse(&dsn, snx_cstr(bench_dsn), &why);
    len = bench_envelope(&dsn);
    bench_now(&from, 0);

    for (i = 0; i < n; i++) {
        len = bench_envelope(&dsn);
    }

    bench_now(&to, 0);
    bench_print(&from, &to, n, (double) n / bench_wall(&from, &to), n * len,
                0);
}


static void
bench_compress(uint64_t n, int level)
{
    size_t          len, to_len;
    uint64_t        i;
    snx_dsn_t       dsn;
    snx_gzip_t      gzip;
    const char     *why;
    bench_clock_t   from, to;

    snx_encode_init(&encode, "Linux", "6.1.0");
    (void) snx_dsn_parse(&dsn, snx_cstr(bench_dsn), &why);
    len = bench_envelope(&dsn);
    (void) snx_gzip_init(&gzip);

    if (level != 0) {
        (void) deflateParams(&gzip.z, level, Z_DEFAULT_STRATEGY);
    }

    bench_now(&from, 0);

    for (i = 0; i < n; i++) {
        (void) snx_gzip(&gzip, snx_str(body, len), packed, sizeof(packed),
                        &to_len);
    }

    bench_now(&to, 0);
    bench_print(&from, &to, n, (double) n / bench_wall(&from, &to),
                n * to_len, 0);
    snx_gzip_done(&gzip);
}


/* Waits until so many were delivered; messages of the sender are errors. */

static void
bench_until(snx_project_t *project, uint64_t n)
{
    uint64_t          until;
    snx_sender_msg_t  msg;

    until = snx_process_now_ms() + BENCH_WAIT_MS;

    while (project->counters.delivered[bench_record.category] < n) {

        while (snx_sender_message(room.sender, &msg)) {
            if (msg.level <= 5) {
                fprintf(stderr, "sender: %s\n", msg.text);
                _exit(1);
            }
        }

        if (snx_process_now_ms() > until) {
            fprintf(stderr, "sender: not delivered in time\n");
            _exit(1);
        }

        http_sleep(1);
    }
}


/* Puts n; those that do not fit wait, or are lost when there is a rate. */

static uint64_t
bench_produce(uint64_t n, uint64_t rate)
{
    uint64_t  i, lost, begun, now;

    lost = 0;
    begun = snx_process_now_ms();

    for (i = 0; i < n; /* void */ ) {
        now = snx_process_now_ms();

        if (rate != 0 && i >= (now - begun) * rate / 1000) {
            http_sleep(1);
            continue;
        }

        if (bench_put()) {
            i++;

        } else if (rate != 0) {
            i++;
            lost++;

        } else {
            http_sleep(1);
        }
    }

    return lost;
}


/*
 * With two CPUs this process was put on the second one; the sender's thread,
 * which may run anywhere, gets the first one for itself.
 */

static void
bench_settle(void)
{
    pid_t           tid;
    DIR            *dir;
    cpu_set_t       cpus;
    struct dirent  *entry;

    dir = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? opendir("/proc/self/task")
                                            : NULL;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        tid = (pid_t) strtol(entry->d_name, NULL, 10);

        if (tid != 0 && tid != getpid()) {
            (void) sched_setaffinity(tid, sizeof(cpus), &cpus);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }
}


static void
bench_deliver(uint64_t n, int gzip, const char *dsn, const char *ca_file,
    uint64_t rate)
{
    double          per_s;
    uint64_t        lost, bytes, done;
    bench_clock_t   from, to;
    snx_project_t  *project;

    room_open(&room, BENCH_QUEUE);
    room.conf.gzip = gzip ? 1 : 0;
    room.conf.ca_file = ca_file;
    room.conf.flush_ms = BENCH_FLUSH_MS;
    project = snx_shm_project(room.shm, snx_cstr(dsn), snx_cstr("bench/1"));

    (void) bench_produce(BENCH_WARM_N, 0);

    if (project == NULL || room_start(&room) != SNX_OK) {
        fprintf(stderr, "sender: cannot start\n");
        _exit(1);
    }

    bench_until(project, BENCH_WARM_N);
    bench_settle();
    bytes = project->counters.bytes_sent;

    bench_now(&from, 1);
    lost = bench_produce(n, rate);

    /* of what is offered at a rate: what left while it was offered */

    bench_now(&to, 1);
    done = project->counters.delivered[bench_record.category] - BENCH_WARM_N;
    per_s = (double) done / bench_wall(&from, &to);

    bench_until(project, BENCH_WARM_N + n - lost);
    bench_now(&to, 1);

    if (rate == 0) {
        per_s = (double) n / bench_wall(&from, &to);
    }

    bench_print(&from, &to, n - lost, per_s,
                project->counters.bytes_sent - bytes, lost);
    (void) snx_sender_stop(room.sender, 1000, NULL, NULL, NULL);
    room_close(&room);
}


int
main(int argc, char **argv)
{
    uint64_t     n;
    const char  *stage;

    if (argc < 4) {
        fprintf(stderr, "see t/bench/sender --help\n");
        return 2;
    }

    stage = argv[1];
    n = strtoull(argv[3], NULL, 10);

    bench_make(argv[2], argc > 5 ? argv[5] : bench_dsn);

    if (strcmp(stage, "drain") == 0) {
        bench_drain(n);

    } else if (strcmp(stage, "encode") == 0) {
        bench_encode(n);

    } else if (strcmp(stage, "compress") == 0) {
        bench_compress(n, argc > 4 ? atoi(argv[4]) : 0);

    } else if (strcmp(stage, "deliver") == 0 && argc > 6) {
        bench_deliver(n, strcmp(argv[4], "gzip") == 0, argv[5],
                      *argv[6] != '\0' ? argv[6] : NULL,
                      argc > 7 ? strtoull(argv[7], NULL, 10) : 0);
    } else {
        fprintf(stderr, "see t/bench/sender --help\n");
        return 2;
    }

    return 0;
}
