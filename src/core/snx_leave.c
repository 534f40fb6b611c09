
/*
 * Copyright (C) ngx_sentry authors
 *
 * Leaving the queue: whether anybody stays who could send what is left.
 */


#include "snx_segment.h"


int
snx_queue_leave(snx_queue_t *queue, uint32_t pid, snx_alive_pt alive,
    void *data)
{
    uint32_t  i;
    uint64_t  word;

    pid &= SNX_PID_MASK;
    word = atomic_load(&queue->process[pid % SNX_PROCESSES_N]);

    /* in one order for all: of two that leave together one sees both gone */

    if ((word & SNX_PID_MASK) == pid) {
        (void) atomic_compare_exchange_strong(
                   &queue->process[pid % SNX_PROCESSES_N], &word, 0);
    }

    for (i = 0; i < SNX_PROCESSES_N; i++) {
        word = atomic_load(&queue->process[i]);

        if (word != 0 && (word & SNX_PID_MASK) != pid
            && alive((uint32_t) (word & SNX_PID_MASK), word >> SNX_PID_BITS,
                     data))
        {
            return 0;
        }
    }

    return 1;
}
