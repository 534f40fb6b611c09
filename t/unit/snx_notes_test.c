
/*
 * Copyright (C) ngx_sentry authors
 *
 * Notes: order, repeats, full; puts out of signal handlers that interrupt
 * puts and takes; processes killed in the middle; several at once.
 */


#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snx_notes.h"
#include "tap.h"


#define ROUNDS                 20000
#define CHILDREN               3


static snx_notes_t           *notes;
static _Atomic uint32_t      *put_n;       /* shared: published or counted */
static volatile unsigned      in_handler;


static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) start_ticks;
    (void) data;

    return kill((pid_t) pid, 0) == 0;
}


static int
dead(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 0;
}


static void
note_of(snx_note_t *note, const char *text)
{
    memset(note, 0, sizeof(*note));
    note->pid = (uint32_t) getpid();
    note->level = 2;
    note->time_us = 7;
    note->text = snx_cstr(text);
    note->hash = snx_notes_hash(note->text);
}


static void
test_order(void)
{
    int          i;
    char         text[8];
    snx_note_t   note, got;

    memset(notes, 0, sizeof(*notes));

    is_int(snx_notes_take(notes, 1, &got), SNX_DONE, "empty");

    for (i = 0; i < SNX_NOTES_N; i++) {
        snprintf(text, sizeof(text), "n%d", i);
        note_of(&note, text);

        if (snx_notes_put(notes, &note) != SNX_OK) {
            break;
        }
    }

    is_int(i, SNX_NOTES_N, "as many as there is room for");
    is_int(snx_notes_put(notes, &note), SNX_FULL, "no more");
    is_int(snx_notes_repeat(notes, note.hash), 1, "but an equal one");
    is_int(snx_notes_repeat(notes, note.hash + 1), 0, "no other");

    for (i = 0; i < SNX_NOTES_N; i++) {
        snprintf(text, sizeof(text), "n%d", i);

        if (snx_notes_take(notes, 1, &got) != SNX_OK
            || got.text.len != strlen(text)
            || memcmp(got.text.data, text, got.text.len) != 0
            || got.repeats != (i == SNX_NOTES_N - 1))
        {
            break;
        }

        snx_notes_done(&got);
    }

    is_int(i, SNX_NOTES_N, "oldest first, repeats counted");
    is_int(got.time_us, 7, "time");
    is_int(got.level, 2, "level");
    is_int(got.pid, getpid(), "pid");
    is_int(snx_notes_take(notes, 1, &got), SNX_DONE, "empty again");
    is_int(snx_notes_repeat(notes, note.hash), 0, "what is gone is not met");
}


static void
test_long(void)
{
    snx_note_t   note, got;

    static char  text[2 * SNX_NOTE_TEXT_MAX];

    memset(notes, 0, sizeof(*notes));
    memset(text, 'x', sizeof(text) - 1);
    note_of(&note, text);

    (void) snx_notes_put(notes, &note);
    (void) snx_notes_take(notes, 1, &got);

    is_int(got.text.len, SNX_NOTE_TEXT_MAX, "a long text is cut");

    snx_notes_done(&got);
    snx_notes_done(&got);

    is_int(snx_notes_take(notes, 1, &got), SNX_DONE, "done twice is done");
}


static void
test_sweep(void)
{
    snx_note_t  note, got, again;

    memset(notes, 0, sizeof(*notes));
    note_of(&note, "a");

    (void) snx_notes_put(notes, &note);
    (void) snx_notes_take(notes, 77, &got);

    is_int(snx_notes_take(notes, 78, &again), SNX_DONE, "taken");

    snx_notes_sweep(notes, dead, NULL);

    is_int(snx_notes_take(notes, 78, &again), SNX_OK,
           "its taker died: it is there again");

    snx_notes_done(&got);

    is_int(snx_notes_repeat(notes, note.hash), 0, "a late done...");

    snx_notes_sweep(notes, dead, NULL);

    is_int(snx_notes_take(notes, 79, &again), SNX_OK, "...frees nothing");
}


/* Each text says by itself whether it is whole: "kkkk...", k times a. */

static void
put_any(unsigned k)
{
    char        text[200];
    unsigned    len;
    snx_note_t  note;

    len = 1 + k % 190;
    memset(text, 'a' + (int) (k % 26), len);
    text[len] = '\0';
    note_of(&note, text);
    note.time_us = len;
    note.hash = (uint64_t) getpid() << 32 | k;

    if (snx_notes_repeat(notes, note.hash)
        || snx_notes_put(notes, &note) == SNX_OK)
    {
        atomic_fetch_add(put_n, 1);
    }
}


static int
whole(const snx_note_t *note)
{
    size_t  i;

    for (i = 0; i < note->text.len; i++) {
        if (note->text.data[i] != note->text.data[0]) {
            return 0;
        }
    }

    return note->text.len != 0 && (size_t) note->time_us == note->text.len
           && note->pid != 0;
}


static void
on_signal(int signo)
{
    (void) signo;

    in_handler++;
    put_any(in_handler % 50);
}


static void
take_all(uint32_t *n, uint32_t *bad)
{
    snx_note_t  got;

    while (snx_notes_take(notes, (uint32_t) getpid(), &got) == SNX_OK) {
        *bad += !whole(&got);
        *n += 1 + got.repeats;
        snx_notes_done(&got);
    }
}


/* A timer puts while puts and takes are under way in the same process. */

static void
test_signals(void)
{
    unsigned          i;
    uint32_t          n, bad;
    struct itimerval  timer;

    memset(notes, 0, sizeof(*notes));
    atomic_store(put_n, 0);
    n = bad = 0;

    signal(SIGALRM, on_signal);
    timer.it_interval.tv_sec = 0;
    timer.it_interval.tv_usec = 20;
    timer.it_value = timer.it_interval;
    setitimer(ITIMER_REAL, &timer, NULL);

    for (i = 0; in_handler < 2000 || i < ROUNDS; i++) {
        put_any(100 + i % 50);

        if (i % 16 == 0) {
            take_all(&n, &bad);
        }
    }

    memset(&timer, 0, sizeof(timer));
    setitimer(ITIMER_REAL, &timer, NULL);

    take_all(&n, &bad);

    printf("# %u signals, %u puts\n", in_handler, atomic_load(put_n));

    is_int(bad, 0, "signals: all are whole");
    is_int(n, atomic_load(put_n), "signals: none is lost or made up");
}


/* Children put and are killed; what they left BUSY is freed. */

static void
test_killed(void)
{
    int         k, round;
    pid_t       pid[CHILDREN];
    unsigned    i;
    uint32_t    n, bad;
    snx_note_t  note;

    memset(notes, 0, sizeof(*notes));
    atomic_store(put_n, 0);
    n = bad = 0;

    for (round = 0; round < 20; round++) {

        for (k = 0; k < CHILDREN; k++) {
            pid[k] = fork();

            if (pid[k] == 0) {
                for (i = 0; /* void */ ; i++) {
                    put_any(i);
                }
            }
        }

        for (i = 0; i < 2000; i++) {
            take_all(&n, &bad);
        }

        for (k = 0; k < CHILDREN; k++) {
            (void) kill(pid[k], SIGKILL);
            (void) waitpid(pid[k], NULL, 0);
        }

        take_all(&n, &bad);
        snx_notes_sweep(notes, alive, NULL);
    }

    take_all(&n, &bad);

    is_int(bad, 0, "killed: all are whole");
    ok(n >= atomic_load(put_n)
       && n <= atomic_load(put_n) + CHILDREN * 20,
       "killed: none is lost: %u of %u", n, atomic_load(put_n));

    for (i = 0; i < SNX_NOTES_N; i++) {
        note_of(&note, "x");

        if (snx_notes_put(notes, &note) != SNX_OK) {
            break;
        }
    }

    is_int(i, SNX_NOTES_N, "killed: all slots are free again");
}


int
main(void)
{
    notes = mmap(NULL, sizeof(*notes) + 64, PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (notes == MAP_FAILED) {
        return 2;
    }

    put_n = (_Atomic uint32_t *) (void *) (notes + 1);

    test_order();
    test_long();
    test_sweep();
    test_signals();
    test_killed();

    return tap_done();
}
