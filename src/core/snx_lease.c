
/*
 * Copyright (C) ngx_sentry authors
 *
 * The sender lease.  No loop here waits: whoever loses a swap a few times in
 * a row has somebody else hold the lease.
 */


#include "snx_lease.h"


/* word: pid:22 | generation:16 | deadline:26 */

#define SNX_LEASE_PID_MASK     0x3fffffu
#define SNX_LEASE_TICK_MASK    0x3ffffffu
#define SNX_LEASE_TICK_MS      100
#define SNX_LEASE_TRIES        4

/*
 * No deadline is that far away: it is half a cycle old.  Far more than
 * SNX_LEASE_MS, because the caller's now may lag behind the holder's.
 */
#define SNX_LEASE_ABSURD_MS    3600000


static uint64_t snx_lease_word(uint32_t pid, uint16_t generation,
    uint64_t now_ms);
static uint32_t snx_lease_pid(uint64_t word);
static uint16_t snx_lease_generation(uint64_t word);
static int64_t snx_lease_left_ms(uint64_t word, uint64_t now_ms);
static int snx_lease_lives(const snx_lease_t *lease, uint32_t pid,
    snx_alive_pt alive, void *data);
static void snx_lease_note(snx_lease_t *lease, uint32_t pid,
    uint64_t start_ticks, int own_only);


static uint64_t
snx_lease_word(uint32_t pid, uint16_t generation, uint64_t now_ms)
{
    uint64_t  deadline;

    deadline = (now_ms + SNX_LEASE_MS) / SNX_LEASE_TICK_MS;

    return (uint64_t) (pid & SNX_LEASE_PID_MASK) << 42
           | (uint64_t) generation << 26
           | (deadline & SNX_LEASE_TICK_MASK);
}


static uint32_t
snx_lease_pid(uint64_t word)
{
    return (uint32_t) (word >> 42);
}


static uint16_t
snx_lease_generation(uint64_t word)
{
    return (uint16_t) (word >> 26);
}


/* Sign-extends the 26-bit difference of deadline and now. */

static int64_t
snx_lease_left_ms(uint64_t word, uint64_t now_ms)
{
    int64_t   left;
    uint64_t  ticks;

    ticks = (word - now_ms / SNX_LEASE_TICK_MS) & SNX_LEASE_TICK_MASK;
    left = (int64_t) ticks;

    if (ticks > SNX_LEASE_TICK_MASK / 2) {
        left -= (int64_t) SNX_LEASE_TICK_MASK + 1;
    }

    return left * SNX_LEASE_TICK_MS - (int64_t) (now_ms % SNX_LEASE_TICK_MS);
}


static int
snx_lease_lives(const snx_lease_t *lease, uint32_t pid, snx_alive_pt alive,
    void *data)
{
    uint64_t  noted;

    noted = atomic_load_explicit(&lease->start_ticks, memory_order_relaxed);

    return alive(pid, (noted & SNX_LEASE_PID_MASK) == pid ? noted >> 22 : 0,
                 data);
}


/*
 * Notes the start time.  Before the swap only over a namesake's, which would
 * make the caller look dead once it holds the lease.
 */

static void
snx_lease_note(snx_lease_t *lease, uint32_t pid, uint64_t start_ticks,
    int own_only)
{
    uint64_t  noted;

    noted = atomic_load_explicit(&lease->start_ticks, memory_order_relaxed);

    if (!own_only || (noted & SNX_LEASE_PID_MASK) == pid) {
        atomic_store_explicit(&lease->start_ticks, start_ticks << 22 | pid,
                              memory_order_relaxed);
    }
}


snx_rc_t
snx_lease_take(snx_lease_t *lease, uint32_t pid, uint64_t start_ticks,
    uint16_t generation, uint64_t now_ms, snx_alive_pt alive, void *data,
    uint64_t *token)
{
    int       i;
    int64_t   left;
    int16_t   newer;
    uint64_t  word, mine;

    pid &= SNX_LEASE_PID_MASK;
    mine = snx_lease_word(pid, generation, now_ms);

    snx_lease_note(lease, pid, start_ticks, 1);

    word = atomic_load_explicit(&lease->word, memory_order_relaxed);

    for (i = 0; i < SNX_LEASE_TRIES; i++) {
        left = snx_lease_left_ms(word, now_ms);
        newer = (int16_t) (uint16_t) (generation - snx_lease_generation(word));

        if (word != 0 && snx_lease_pid(word) != pid
            && left > 0 && left < SNX_LEASE_ABSURD_MS && newer <= 0
            && snx_lease_lives(lease, snx_lease_pid(word), alive, data))
        {
            return SNX_AGAIN;
        }

        /* acquire: what the last holder did before it gave it back */

        if (atomic_compare_exchange_weak_explicit(&lease->word, &word, mine,
                            memory_order_acquire, memory_order_relaxed))
        {
            snx_lease_note(lease, pid, start_ticks, 0);
            (void) atomic_fetch_add_explicit(&lease->taken, 1,
                                             memory_order_relaxed);
            *token = mine;

            return SNX_OK;
        }
    }

    return SNX_AGAIN;
}


snx_rc_t
snx_lease_renew(snx_lease_t *lease, uint64_t now_ms, uint64_t *token)
{
    uint64_t  word, mine;

    word = *token;
    mine = snx_lease_word(snx_lease_pid(word), snx_lease_generation(word),
                          now_ms);

    /*
     * Release: who takes it over after the deadline sees what was done until
     * now; failing needs nothing.
     */

    if (!atomic_compare_exchange_strong_explicit(&lease->word, &word, mine,
                            memory_order_release, memory_order_relaxed))
    {
        return SNX_AGAIN;
    }

    *token = mine;

    return SNX_OK;
}


void
snx_lease_release(snx_lease_t *lease, uint64_t token)
{
    (void) atomic_compare_exchange_strong_explicit(&lease->word, &token, 0,
                            memory_order_release, memory_order_relaxed);
}


void
snx_lease_info(const snx_lease_t *lease, uint64_t now_ms,
    snx_lease_info_t *info)
{
    int64_t   left;
    uint64_t  word;

    word = atomic_load_explicit(&lease->word, memory_order_relaxed);

    memset(info, 0, sizeof(snx_lease_info_t));

    if (word == 0) {
        return;
    }

    left = snx_lease_left_ms(word, now_ms);

    if (left >= SNX_LEASE_ABSURD_MS || left < -SNX_LEASE_ABSURD_MS) {
        left = -SNX_LEASE_ABSURD_MS;
    }

    info->pid = snx_lease_pid(word);
    info->generation = snx_lease_generation(word);
    info->left_ms = (int32_t) left;
}
