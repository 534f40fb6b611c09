
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the operating system knows of a process: whether it lives, since
 * when, and the clock that all processes share.  Runs on both sides: in
 * nginx's main thread for the lease, in the sender for the sweep.
 */


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "snx_sender.h"


#define SNX_PROCESS_STAT_MAX   1024
#define SNX_PROCESS_STARTTIME  22      /* field of /proc/PID/stat, from 1 */


static size_t
snx_process_read(const char *path, char *buf, size_t cap)
{
    int      fd;
    ssize_t  n;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    do {
        n = read(fd, buf, cap - 1);
    } while (n == -1 && errno == EINTR);

    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';

    return (size_t) n;
}


/*
 * Takes state and start time out of a stat line; 0 when it is none.  The
 * second field is the command in parentheses and may hold anything, also
 * parentheses and spaces: fields are counted from the last ")".
 */

static int
snx_process_parse(const char *line, char *state, uint64_t *start_ticks)
{
    int          field;
    const char  *p;

    p = strrchr(line, ')');

    if (p == NULL || p[1] != ' ' || p[2] == '\0') {
        return 0;
    }

    *state = p[2];

    for (field = 2; field < SNX_PROCESS_STARTTIME; field++) {
        p = strchr(p + 1, ' ');

        if (p == NULL) {
            return 0;
        }
    }

    *start_ticks = strtoull(p + 1, NULL, 10);

    return 1;
}


int
snx_process_alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    char      path[32], line[SNX_PROCESS_STAT_MAX], state;
    uint64_t  ticks;

    (void) data;

    if (pid == 0 || pid > INT32_MAX) {
        return 0;
    }

    (void) snprintf(path, sizeof(path), "/proc/%u/stat", (unsigned) pid);

    if (snx_process_read(path, line, sizeof(line)) == 0
        || !snx_process_parse(line, &state, &ticks))
    {
        /* no /proc, or one that hides others: only existence is known */

        return kill((pid_t) pid, 0) == 0 || errno == EPERM;
    }

    if (state == 'Z' || state == 'X' || state == 'x') {
        return 0;
    }

    return start_ticks == 0 || ticks == start_ticks;
}


uint64_t
snx_process_ticks(void)
{
    char      line[SNX_PROCESS_STAT_MAX], state;
    uint64_t  ticks;

    if (snx_process_read("/proc/self/stat", line, sizeof(line)) == 0
        || !snx_process_parse(line, &state, &ticks))
    {
        return 0;
    }

    return ticks;
}


uint64_t
snx_process_now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
