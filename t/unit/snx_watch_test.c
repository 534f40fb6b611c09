
/*
 * Copyright (C) ngx_sentry authors
 *
 * What curl waits for, in trouble: no descriptor for the word from another
 * thread, a kernel that does not poll, more sockets than there is room for.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <sys/resource.h>

#include "http_util.h"
#include "snx_sender.h"
#include "snx_watch.h"


#define TOO_MANY               (SNX_WATCH_MAX_N + 12)
#define TIMEOUT_MS             300


static void test_trouble(void);
static void test_full(void);


static CURLM        *multi;
static snx_watch_t   watch;


int
main(void)
{
    (void) signal(SIGPIPE, SIG_IGN);
    (void) curl_global_init(CURL_GLOBAL_DEFAULT);

    test_trouble();
    test_full();

    return tap_done();
}


static CURL *
get(int port, long timeout_ms)
{
    char   url[64];
    CURL  *easy;

    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);

    easy = curl_easy_init();
    (void) curl_easy_setopt(easy, CURLOPT_URL, url);
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    (void) curl_multi_add_handle(multi, easy);

    return easy;
}


/* Runs until n transfers have ended; how many did so with that code. */

static int
ended(int n, CURLcode code)
{
    int        left, done, same;
    CURLMsg   *msg;
    uint64_t   end_ms;

    done = 0;
    same = 0;
    end_ms = snx_process_now_ms() + 10000;

    while (done < n && snx_process_now_ms() < end_ms) {
        snx_watch_run(&watch, (uint32_t) (n - done), 50);

        while ((msg = curl_multi_info_read(multi, &left)) != NULL) {
            done++;
            same += msg->data.result == code;

            if (msg->data.result != code) {
                printf("# %s\n", curl_easy_strerror(msg->data.result));
            }
        }
    }

    return same;
}


static void
remove_one(CURL *easy)
{
    (void) curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
}


/* How long a run of 20 ms takes. */

static int
run_ms(void)
{
    uint64_t  start_ms;

    start_ms = snx_process_now_ms();
    snx_watch_run(&watch, 0, 20);

    return (int) (snx_process_now_ms() - start_ms);
}


/* Not a descriptor is left; and poll() refuses to look at even one. */

static void
test_trouble(void)
{
    CURL           *easy;
    http_t         *http;
    struct rlimit   limit, none;

    (void) getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;

    multi = curl_multi_init();
    (void) setrlimit(RLIMIT_NOFILE, &none);
    snx_watch_init(&watch, multi);
    is_int(watch.wake, -1, "trouble: no descriptor");
    ok(run_ms() >= 3, "trouble: a poll that fails does not make it spin");
    (void) setrlimit(RLIMIT_NOFILE, &limit);

    snx_watch_wakeup(&watch);
    ok(run_ms() >= 18, "trouble: a wait ends by its time");

    http = http_start(HTTP_OK);
    easy = get(http->port, 5000);
    is_int(ended(1, CURLE_OK), 1, "trouble: a transfer is carried out");
    remove_one(easy);
    http_stop(http);

    (void) curl_multi_cleanup(multi);
    snx_watch_done(&watch);
}


/* All end at their timeout, watched or not; later ones are well. */

static void
test_full(void)
{
    int      i, fd, port;
    CURL    *easy, *many[TOO_MANY];
    http_t  *http;

    multi = curl_multi_init();
    snx_watch_init(&watch, multi);

    fd = http_bind(&port);
    (void) listen(fd, TOO_MANY * 2);

    for (i = 0; i < TOO_MANY; i++) {
        many[i] = get(port, TIMEOUT_MS);
    }

    is_int(ended(TOO_MANY, CURLE_OPERATION_TIMEDOUT), TOO_MANY,
           "full: all end at their timeout");

    for (i = 0; i < TOO_MANY; i++) {
        remove_one(many[i]);
    }

    is_int(watch.n, 1, "full: no socket is left over");

    http = http_start(HTTP_OK);
    easy = get(http->port, 5000);
    is_int(ended(1, CURLE_OK), 1, "full: the next one is carried out");
    remove_one(easy);
    http_stop(http);

    (void) curl_multi_cleanup(multi);
    snx_watch_done(&watch);
    (void) close(fd);
}
