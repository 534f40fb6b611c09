
/*
 * Copyright (C) ngx_sentry authors
 *
 * Slots of notes in shared memory.  DESIGN is in snx_notes.h.
 */


#include "snx_notes.h"


#define SNX_NOTE_PID_BITS      22
#define SNX_NOTE_PID_MASK      0x3fffffu


typedef enum {
    SNX_NOTE_FREE = 0,
    SNX_NOTE_BUSY,
    SNX_NOTE_READY,
    SNX_NOTE_TAKEN
} snx_note_phase_t;


static inline snx_note_phase_t
snx_note_phase(uint64_t word)
{
    return (snx_note_phase_t) (word & 3);
}


static inline uint32_t
snx_note_pid(uint64_t word)
{
    return (uint32_t) (word >> 2) & SNX_NOTE_PID_MASK;
}


static inline uint32_t
snx_note_repeats(uint64_t word)
{
    return (uint32_t) (word >> (2 + SNX_NOTE_PID_BITS))
           & SNX_NOTE_REPEATS_MAX;
}


/* The same epoch and repeats, another owner and phase. */

static inline uint64_t
snx_note_word(uint64_t word, uint32_t pid, snx_note_phase_t phase)
{
    word &= ~(((uint64_t) SNX_NOTE_PID_MASK << 2) | 3);

    return word | (uint64_t) (pid & SNX_NOTE_PID_MASK) << 2 | phase;
}


/* Free, of the next epoch. */

static inline uint64_t
snx_note_next(uint64_t word)
{
    unsigned  shift;

    shift = 2 + SNX_NOTE_PID_BITS + 16;

    return ((word >> shift) + 1) << shift;
}


static inline int
snx_note_swap(snx_note_slot_t *slot, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong(&slot->word, &from, to);
}


uint64_t
snx_notes_hash(snx_str_t text)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325u;

    for (i = 0; i < text.len; i++) {
        hash = (hash ^ text.data[i]) * 0x100000001b3u;
    }

    return hash;
}


int
snx_notes_repeat(snx_notes_t *notes, uint64_t hash)
{
    size_t            i;
    uint64_t          word;
    snx_note_slot_t  *slot;

    for (i = 0; i < SNX_NOTES_N; i++) {
        slot = &notes->slots[i];
        word = atomic_load(&slot->word);

        /* the swap fails if the slot was taken after its hash was read */

        while (snx_note_phase(word) == SNX_NOTE_READY
               && atomic_load(&slot->hash) == hash)
        {
            if (snx_note_repeats(word) == SNX_NOTE_REPEATS_MAX
                || snx_note_swap(slot, word,
                                 word + ((uint64_t) 1
                                         << (2 + SNX_NOTE_PID_BITS))))
            {
                return 1;
            }

            word = atomic_load(&slot->word);
        }
    }

    return 0;
}


snx_rc_t
snx_notes_put(snx_notes_t *notes, const snx_note_t *note)
{
    size_t            i;
    uint64_t          word, busy;
    snx_note_slot_t  *slot;

    for (i = 0; i < SNX_NOTES_N; i++) {
        slot = &notes->slots[i];
        word = atomic_load(&slot->word);
        busy = snx_note_word(word, note->pid, SNX_NOTE_BUSY);

        if (snx_note_phase(word) != SNX_NOTE_FREE
            || !snx_note_swap(slot, word, busy))
        {
            continue;
        }

        slot->time_us = note->time_us;
        slot->pid = note->pid;
        slot->level = note->level;
        slot->process = note->process;
        slot->len = (uint16_t) (note->text.len < SNX_NOTE_TEXT_MAX
                                ? note->text.len : SNX_NOTE_TEXT_MAX);

        if (slot->len) {
            memcpy(slot->text, note->text.data, slot->len);
        }

        atomic_store(&slot->hash, note->hash);
        atomic_store(&slot->seq, atomic_fetch_add(&notes->seq, 1));

        (void) snx_note_swap(slot, busy, snx_note_word(busy, note->pid,
                                                       SNX_NOTE_READY));
        return SNX_OK;
    }

    return SNX_FULL;
}


static snx_note_slot_t *
snx_notes_oldest(snx_notes_t *notes, uint64_t *word)
{
    size_t            i;
    uint64_t          w, seq, least;
    snx_note_slot_t  *slot, *oldest;

    least = 0;
    oldest = NULL;

    for (i = 0; i < SNX_NOTES_N; i++) {
        slot = &notes->slots[i];
        w = atomic_load(&slot->word);

        if (snx_note_phase(w) != SNX_NOTE_READY) {
            continue;
        }

        seq = atomic_load(&slot->seq);

        if (oldest == NULL || seq < least) {
            oldest = slot;
            least = seq;
            *word = w;
        }
    }

    return oldest;
}


snx_rc_t
snx_notes_take(snx_notes_t *notes, uint32_t pid, snx_note_t *note)
{
    uint64_t          word, taken;
    snx_note_slot_t  *slot;

    for ( ;; ) {
        slot = snx_notes_oldest(notes, &word);

        if (slot == NULL) {
            return SNX_DONE;
        }

        taken = snx_note_word(word, pid, SNX_NOTE_TAKEN);

        if (snx_note_swap(slot, word, taken)) {
            break;
        }
    }

    note->slot = slot;
    note->word = taken;
    note->time_us = slot->time_us;
    note->hash = atomic_load(&slot->hash);
    note->pid = slot->pid;
    note->repeats = snx_note_repeats(taken);
    note->level = slot->level;
    note->process = slot->process;
    note->text = snx_str(slot->text, slot->len < SNX_NOTE_TEXT_MAX
                                     ? slot->len : SNX_NOTE_TEXT_MAX);

    return SNX_OK;
}


void
snx_notes_done(const snx_note_t *note)
{
    (void) snx_note_swap(note->slot, note->word, snx_note_next(note->word));
}


void
snx_notes_sweep(snx_notes_t *notes, snx_alive_pt alive, void *data)
{
    size_t             i;
    uint64_t           word;
    snx_note_slot_t   *slot;
    snx_note_phase_t   phase;

    for (i = 0; i < SNX_NOTES_N; i++) {
        slot = &notes->slots[i];
        word = atomic_load(&slot->word);
        phase = snx_note_phase(word);

        if ((phase != SNX_NOTE_BUSY && phase != SNX_NOTE_TAKEN)
            || alive(snx_note_pid(word), 0, data))
        {
            continue;
        }

        (void) snx_note_swap(slot, word, phase == SNX_NOTE_BUSY
                                         ? snx_note_next(word)
                                         : snx_note_word(word, 0,
                                                         SNX_NOTE_READY));
    }
}
