
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the threads of a process took on CPUs.  The kernel brings a thread's
 * account up to date when it leaves its CPU, so the process must have been
 * left alone for a moment.
 */


#ifndef LOAD_CPU_H_INCLUDED
#define LOAD_CPU_H_INCLUDED


#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define LOAD_IDLE_NS           3000000     /* for the worker to fall asleep */


typedef struct {
    uint64_t    loop_ns;
    uint64_t    others_ns;
} load_cpu_t;


static void
load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}


/* On a CPU so far: the event loop's thread, and all the others. */

static void
load_cpu(int pid, load_cpu_t *cpu)
{
    int                 tid;
    char                path[64];
    DIR                *dir;
    FILE               *file;
    struct dirent      *entry;
    struct timespec     pause;
    unsigned long long  ns;

    memset(cpu, 0, sizeof(load_cpu_t));

    if (pid == 0) {
        return;
    }

    pause.tv_sec = 0;
    pause.tv_nsec = LOAD_IDLE_NS;
    (void) nanosleep(&pause, NULL);

    (void) snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);

    if (dir == NULL) {
        load_die(path);
    }

    while ((entry = readdir(dir)) != NULL) {
        tid = atoi(entry->d_name);

        if (tid == 0) {
            continue;
        }

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat",
                        pid, tid);
        file = fopen(path, "r");

        if (file == NULL) {
            continue;
        }

        if (fscanf(file, "%llu", &ns) == 1) {
            *(tid == pid ? &cpu->loop_ns : &cpu->others_ns) += ns;
        }

        (void) fclose(file);
    }

    (void) closedir(dir);
}


#endif /* LOAD_CPU_H_INCLUDED */
