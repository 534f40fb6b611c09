
/*
 * Copyright (C) ngx_sentry authors
 *
 * Notes: lines of the error log that belong to no request, on their way from
 * any process to the one that makes events of them.
 *
 * DESIGN.  The master learns of a crashed worker inside a signal handler, and
 * cache processes have no lane.  So a note is left with nothing but atomics
 * and memcpy in a fixed slot of shared memory, which is safe in a signal
 * handler, in any number of processes at once, and also when the handler has
 * interrupted a put of its own process.  Equal notes that still wait are
 * counted in the one that is there, so a flood takes one slot.
 *
 *   slot:  FREE -> BUSY (being written) -> READY -> TAKEN -> FREE
 *   word:  epoch:20 | repeats:16 | pid:22 | phase:2
 *
 * Each step is one compare-and-swap of the word, the epoch changes when the
 * slot is freed.  What a dead process left BUSY is freed, what it had TAKEN
 * is READY again.
 */


#ifndef SNX_NOTES_H_INCLUDED
#define SNX_NOTES_H_INCLUDED


#include <stdatomic.h>

#include "snx.h"
#include "snx_lane.h"


#define SNX_NOTES_N            32
#define SNX_NOTE_TEXT_MAX      976     /* of one line, its head cut off */
#define SNX_NOTE_REPEATS_MAX   65535


typedef enum {
    SNX_PROCESS_MASTER = 0,
    SNX_PROCESS_WORKER,
    SNX_PROCESS_CACHE_MANAGER,
    SNX_PROCESS_CACHE_LOADER,
    SNX_PROCESS_SINGLE         /* master_process off */
} snx_note_process_t;


typedef struct {
    _Atomic uint64_t   word;
    _Atomic uint64_t   seq;                /* order of publication */
    _Atomic uint64_t   hash;
    int64_t            time_us;
    uint32_t           pid;
    uint16_t           len;
    uint8_t            level;
    uint8_t            process;
    unsigned char      text[SNX_NOTE_TEXT_MAX];
} snx_note_slot_t;


/* Zeroed memory is an empty one. */

typedef struct {
    _Atomic uint64_t   seq;
    snx_note_slot_t    slots[SNX_NOTES_N];
} snx_notes_t;


typedef struct {
    int64_t            time_us;            /* since the epoch */
    uint64_t           hash;               /* equal notes have equal ones */
    uint32_t           pid;                /* who logged it */
    uint32_t           repeats;            /* more like it, not kept */
    uint8_t            level;              /* nginx's log level */
    uint8_t            process;            /* snx_note_process_t */
    snx_str_t          text;

    /* of a taken one */
    snx_note_slot_t   *slot;
    uint64_t           word;
} snx_note_t;


/* Of a line: FNV-1a. */
uint64_t snx_notes_hash(snx_str_t text);

/*
 * Counts one more in an equal note that nobody has taken yet: 1, or 0 when
 * there is none.  Cost: one look at each slot.  Safe in signal handlers.
 */
int snx_notes_repeat(snx_notes_t *notes, uint64_t hash);

/*
 * Leaves a note; text beyond SNX_NOTE_TEXT_MAX is cut.  SNX_OK or SNX_FULL.
 * Memory: copies text.  Cost: one look at each slot at worst; no lock, no
 * allocation.  Safe in signal handlers and beside all other calls.
 */
snx_rc_t snx_notes_put(snx_notes_t *notes, const snx_note_t *note);

/*
 * Takes the oldest note for process pid: SNX_OK, or SNX_DONE without any.
 * Memory: note->text stays until snx_notes_done().
 */
SNX_COLD snx_rc_t snx_notes_take(snx_notes_t *notes, uint32_t pid,
    snx_note_t *note);

/* The note became an event, or was counted as lost. */
void snx_notes_done(const snx_note_t *note);

/* Housekeeping: slots of dead processes; asks alive() only of used ones. */
SNX_COLD void snx_notes_sweep(snx_notes_t *notes, snx_alive_pt alive,
    void *data);


#endif /* SNX_NOTES_H_INCLUDED */
