
/*
 * Copyright (C) ngx_sentry authors
 *
 * What is known of processes, and the mailbox to nginx's log.
 */


#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snx_mailbox.h"
#include "tap.h"


static void test_alive(void);
static void test_children(void);
static void test_mailbox(void);
static void test_clean(void);


int
main(void)
{
    test_alive();
    test_children();
    test_mailbox();
    test_clean();

    return tap_done();
}


static void
test_alive(void)
{
    uint32_t  pid;
    uint64_t  ticks, before;

    pid = (uint32_t) getpid();
    ticks = snx_process_ticks();

    ok(ticks != 0, "since when this process lives");
    is_int(snx_process_alive(pid, ticks, NULL), 1, "it lives");
    is_int(snx_process_alive(pid, 0, NULL), 1, "since whenever");
    is_int(snx_process_alive(pid, ticks + 1, NULL), 0, "not its namesake");
    is_int(snx_process_alive(1, 0, NULL), 1, "another user's process");
    is_int(snx_process_alive(0, 0, NULL), 0, "no process");
    is_int(snx_process_alive(0xffffffff, 0, NULL), 0, "nor this one");
    is_int(snx_process_alive(0x7ffffff0, 0, NULL), 0, "one that is not");

    (void) prctl(PR_SET_NAME, ") Z 1 2 (", 0, 0, 0);
    is_int(snx_process_ticks(), ticks, "whatever its name is");
    is_int(snx_process_alive(pid, ticks, NULL), 1, "it lives");

    before = snx_process_now_ms();
    (void) usleep(5000);
    ok(snx_process_now_ms() >= before + 4
       && snx_process_now_ms() < before + 5000, "time goes on");
}


static void
test_children(void)
{
    int        fds[2];
    char       c;
    pid_t      pid;
    siginfo_t  info;

    (void) pipe(fds);
    pid = fork();

    if (pid == 0) {
        (void) close(fds[1]);
        (void) read(fds[0], &c, 1);
        _exit(0);
    }

    is_int(snx_process_alive((uint32_t) pid, 0, NULL), 1, "a child lives");
    (void) kill(pid, SIGSTOP);
    (void) waitid(P_PID, (id_t) pid, &info, WSTOPPED);
    is_int(snx_process_alive((uint32_t) pid, 0, NULL), 1, "also stopped");
    (void) kill(pid, SIGKILL);
    (void) waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT);
    is_int(snx_process_alive((uint32_t) pid, 0, NULL), 0, "not as a zombie");
    (void) waitpid(pid, NULL, 0);
    is_int(snx_process_alive((uint32_t) pid, 0, NULL), 0, "nor after that");

    (void) close(fds[0]);
    (void) close(fds[1]);
}


static void
test_mailbox(void)
{
    int                i, n;
    char               text[32], large[1000];
    snx_sender_msg_t   msg;

    static snx_mailbox_t  box;

    is_int(snx_mailbox_get(&box, &msg), 0, "an empty box");

    for (n = 0; n < 3; n++) {

        for (i = 0; i < SNX_MAILBOX_N + 10; i++) {
            snx_mailbox_put(&box, SNX_MSG_NOTICE, "message %d", i);
        }

        for (i = 0; snx_mailbox_get(&box, &msg); i++) {
            (void) snprintf(text, sizeof(text), "message %d", i);

            if (strcmp(msg.text, text) != 0 || msg.level != 6) {
                break;
            }
        }

        is_int(i, SNX_MAILBOX_N, "what fits, in order");
    }

    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    snx_mailbox_put(&box, SNX_MSG_WARN, "%s", large);
    (void) snx_mailbox_get(&box, &msg);
    is_int(strlen(msg.text), sizeof(msg.text) - 1, "a long one is cut");
}


static void
test_clean(void)
{
    char  out[SNX_MAILBOX_REMOTE_MAX + 1], in[300];

    snx_mailbox_clean(out, sizeof(out), "plain text, 100 %");
    is_str(snx_cstr(out), "plain text, 100 %", "plain text");

    snx_mailbox_clean(out, sizeof(out), "\x1b[31m\r\n\t\x7f\xc3\xa4");
    is_str(snx_cstr(out), "?[31m??????", "nothing for a terminal");

    memset(in, 'a', sizeof(in) - 1);
    in[sizeof(in) - 1] = '\0';
    snx_mailbox_clean(out, sizeof(out), in);
    is_int(strlen(out), SNX_MAILBOX_REMOTE_MAX, "cut");
}
