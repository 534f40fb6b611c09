
/*
 * Copyright (C) ngx_sentry authors
 */


#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "snx_sender.h"
#include "snx_watch.h"


#define SNX_WATCH_REST_MS      5       /* when the kernel cannot poll */


/* Index of a socket, or n. */

static uint32_t
snx_watch_find(const snx_watch_t *watch, curl_socket_t fd)
{
    uint32_t  i;

    for (i = 0; i < watch->n && watch->fds[i].fd != fd; i++) {
        /* void */
    }

    return i;
}


/*
 * What finds no room is as if curl had forgotten it: -1 would end all
 * transfers, and each that curl is given from then on.
 */

static int
snx_watch_on_socket(CURL *easy, curl_socket_t fd, int what, void *user,
    void *data)
{
    uint32_t      i;
    snx_watch_t  *watch;

    (void) easy;
    (void) data;

    watch = user;
    i = snx_watch_find(watch, fd);

    if (what == CURL_POLL_REMOVE) {

        if (i < watch->n) {
            watch->fds[i] = watch->fds[--watch->n];
        }

        return 0;
    }

    if (i == SNX_WATCH_MAX_N) {
        watch->lame = 1;
        return 0;
    }

    if (i == watch->n) {
        watch->n++;
        watch->fds[i].fd = fd;
        watch->fds[i].revents = 0;
    }

    watch->fds[i].events = (short) ((what & CURL_POLL_IN ? POLLIN : 0)
                                    | (what & CURL_POLL_OUT ? POLLOUT : 0));
    return 0;
}


static int
snx_watch_on_timer(CURLM *multi, long timeout_ms, void *user)
{
    snx_watch_t  *watch;

    (void) multi;

    watch = user;
    watch->timer_ms = timeout_ms < 0 ? -1
                      : (int64_t) snx_process_now_ms() + timeout_ms;
    return 0;
}


void
snx_watch_init(snx_watch_t *watch, CURLM *multi)
{
    watch->multi = multi;
    watch->timer_ms = -1;

    /* poll() passes over -1: without it a wait ends by its time */

    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    watch->n = 1;
    watch->fds[0].fd = watch->wake;
    watch->fds[0].events = POLLIN;

    (void) curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                             snx_watch_on_socket);
    (void) curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, watch);
    (void) curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             snx_watch_on_timer);
    (void) curl_multi_setopt(multi, CURLMOPT_TIMERDATA, watch);
}


void
snx_watch_done(snx_watch_t *watch)
{
    if (watch->wake != -1) {
        (void) close(watch->wake);
    }
}


static void
snx_watch_tell(snx_watch_t *watch, curl_socket_t fd, int mask)
{
    if (curl_multi_socket_action(watch->multi, fd, mask, &watch->running)
        != CURLM_OK)
    {
        watch->lame = 1;
    }
}


static void
snx_watch_timer(snx_watch_t *watch)
{
    if (watch->timer_ms != -1
        && (int64_t) snx_process_now_ms() >= watch->timer_ms)
    {
        /* it is curl's to set it again, at once if need be */

        watch->timer_ms = -1;
        snx_watch_tell(watch, CURL_SOCKET_TIMEOUT, 0);
    }
}


static int
snx_watch_wait(const snx_watch_t *watch, uint32_t wait_ms)
{
    int64_t  left;

    if (watch->timer_ms == -1) {
        return (int) wait_ms;
    }

    left = watch->timer_ms - (int64_t) snx_process_now_ms();
    left = left < 0 ? 0 : left;

    return left < wait_ms ? (int) left : (int) wait_ms;
}


static void
snx_watch_act(snx_watch_t *watch, int fd)
{
    int       mask;
    short     revents;
    uint32_t  i;
    uint64_t  n;

    if (fd == watch->wake) {
        while (read(fd, &n, sizeof(n)) > 0) { /* void */ }
        return;
    }

    /*
     * What ran before it may have closed it, and opened another one under
     * the same number, of which nothing is known yet.
     */

    i = snx_watch_find(watch, fd);
    revents = i < watch->n ? watch->fds[i].revents : 0;

    if (revents == 0) {
        return;
    }

    mask = (revents & POLLIN ? CURL_CSELECT_IN : 0)
           | (revents & POLLOUT ? CURL_CSELECT_OUT : 0)
           | (revents & POLLHUP ? CURL_CSELECT_IN : 0)
           | (revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);

    snx_watch_tell(watch, fd, mask);
}


/* No memory for it, say: the thread must not spin meanwhile. */

static void
snx_watch_rest(void)
{
    struct timespec  ts;

    ts.tv_sec = 0;
    ts.tv_nsec = SNX_WATCH_REST_MS * 1000000;

    (void) nanosleep(&ts, NULL);
}


void
snx_watch_run(snx_watch_t *watch, uint32_t flying, uint32_t wait_ms)
{
    int       n;
    uint32_t  i, found;

    snx_watch_timer(watch);

    if (watch->lame) {
        (void) curl_multi_perform(watch->multi, &watch->running);

        watch->lame = watch->running > 0;
        wait_ms = wait_ms < SNX_WATCH_LAME_MS ? wait_ms : SNX_WATCH_LAME_MS;
    }

    /* an answer may be there already: a wait would not notice it */

    if (watch->running >= 0 && (uint32_t) watch->running < flying) {
        wait_ms = 0;
    }

    n = poll(watch->fds, watch->n, snx_watch_wait(watch, wait_ms));

    if (n == -1 && errno != EINTR) {
        snx_watch_rest();
    }

    /* curl changes the sockets while it is told of them */

    for (i = 0, found = 0; n > 0 && i < watch->n; i++) {
        if (watch->fds[i].revents != 0) {
            watch->ready[found++] = watch->fds[i].fd;
        }
    }

    for (i = 0; i < found; i++) {
        snx_watch_act(watch, watch->ready[i]);
    }

    snx_watch_timer(watch);
}


void
snx_watch_wakeup(snx_watch_t *watch)
{
    uint64_t  one;
    ssize_t   n;

    one = 1;
    n = write(watch->wake, &one, sizeof(one));
    (void) n;
}
