
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: what else processes leave each other in shared memory.  The
 * first byte chooses: calls of a record's writer, any bytes as a record,
 * notes that are left and taken, any bytes as the rest of the shared memory.
 * Holds: what was written is read, and nothing else; fields lie in their
 * record and none is longer than its room; each note is taken once with its
 * repeats; what was written over is read within its bounds.
 */


#include "fuzz.h"
#include "snx_dest.h"
#include "snx_fields.h"
#include "snx_shm.h"
#include "snx_text.h"


#define FIELDS_N               1024


static void check_writer(fuzz_in_t *in);
static void write_one(snx_rec_writer_t *w, fuzz_in_t *in);
static void expect(snx_rec_writer_t *w, unsigned char *pos, uint16_t id,
    snx_str_t key, snx_str_t value);
static void check_read(snx_str_t record);
static void check_index(snx_str_t record);
static void check_notes(fuzz_in_t *in);
static void take(snx_notes_t *notes, int all);
static void check_shm(fuzz_in_t *in);
static void check_project(snx_shm_t *shm, uint32_t i);
static int alive(uint32_t pid, uint64_t start_ticks, void *data);


static snx_field_t    expected[FIELDS_N];
static size_t         nexpected;
static uint32_t       left_out;
static snx_fields_t   fields;

static uint64_t       notes_left, notes_taken;
static int            notes_wild;

static snx_mailbox_t  box;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t   what;
    fuzz_in_t  in;
    snx_str_t  record;

    in.p = data;
    in.left = size;
    what = fuzz_byte(&in) % 4;

    if (what == 0) {
        check_writer(&in);

    } else if (what == 1) {
        record = fuzz_copy(fuzz_take(&in, SNX_RECORD_MAX));
        check_read(record);
        check_index(record);
        fuzz_free(record);

    } else if (what == 2) {
        check_notes(&in);

    } else {
        check_shm(&in);
    }

    return 0;
}


static void
check_writer(fuzz_in_t *in)
{
    size_t             i, len, cap;
    snx_field_t        f;
    unsigned char     *buf;
    snx_rec_reader_t   r;
    snx_rec_writer_t   w;

    cap = (size_t) fuzz_word(in, 2) % (SNX_RECORD_MAX + 1);
    buf = fuzz_memory(cap);

    nexpected = 0;
    left_out = 0;

    snx_rec_begin(&w, buf, cap);

    while (in->left != 0 && nexpected < FIELDS_N - 1) {
        write_one(&w, in);
        require(w.left_out == left_out, "what was left out");
    }

    len = snx_rec_end(&w);
    require(len <= cap, "within its bound");

    snx_rec_read(&r, snx_str(buf, len));

    for (i = 0; i < nexpected; i++) {
        require(snx_rec_next(&r, &f) == SNX_OK && f.id == expected[i].id
                && fuzz_same(f.key, expected[i].key)
                && fuzz_same(f.value, expected[i].value), "what was written");
    }

    if (left_out != 0 && w.start != NULL) {
        require(snx_rec_next(&r, &f) == SNX_OK && f.id == SNX_F_TRUNCATED
                && f.num == left_out, "that something is missing");
    }

    require(snx_rec_next(&r, &f) == SNX_DONE, "and nothing else");

    check_read(snx_str(buf, len));
    check_index(snx_str(buf, len));
    free(buf);
}


/* One call; the values are bytes of the input. */

static void
write_one(snx_rec_writer_t *w, fuzz_in_t *in)
{
    size_t          cap, want, used;
    int64_t         num;
    uint16_t        id;
    uint32_t        op;
    snx_str_t       key, value, packed;
    unsigned char  *p, *pos, head[8];

    op = fuzz_byte(in);
    id = (uint16_t) fuzz_byte(in);
    key = fuzz_take(in, fuzz_byte(in) & 31);
    value = fuzz_take(in, fuzz_byte(in) * (op & 8 ? 64 : 1));
    pos = w->pos;

    switch (op & 7) {

    case 0: case 1:
        snx_rec_str(w, id, value);

        if (value.len != 0) {
            expect(w, pos, id, snx_str(NULL, 0), value);
        }

        break;

    case 2:
        num = (int64_t) value.len - 7;
        snx_rec_num(w, id, num);

        if (w->pos != pos) {
            expect(w, pos, id, snx_str(NULL, 0), snx_str(pos + 8, 8));
            require(memcmp(pos + 8, &num, 8) == 0, "the number");

        } else {
            left_out++;
        }

        break;

    case 3: case 4:
        snx_rec_pair(w, id, key, value);

        if (key.len != 0 && value.len != 0) {
            expect(w, pos, id, key, value);
        }

        break;

    case 5:
        snx_rec_key(w, id, key);
        expect(w, pos, id, key, snx_str(NULL, 0));
        break;

    case 6:
        want = value.len / 2;
        used = op & 16 ? value.len + 1000 : value.len;
        p = snx_rec_open(w, id, key, want, &cap);

        if (p == NULL) {
            left_out++;
            break;
        }

        require(cap >= want, "room that was asked for");
        used = used < cap ? used : cap;
        memset(p, (int) op, used);
        snx_rec_close(w, used + (op >> 7));

        if (w->pos != pos) {
            expect(w, pos, id, key, snx_str(p, (size_t) (w->pos - p)));
        }

        break;

    default:
        memset(head, 0, sizeof(head));
        head[0] = (unsigned char) id;
        packed = snx_str(head, sizeof(head));
        snx_rec_raw(w, packed);
        expect(w, pos, id, snx_str(NULL, 0), snx_str(NULL, 0));
        break;
    }
}


/* A field that moved the writer on, or was left out. */

static void
expect(snx_rec_writer_t *w, unsigned char *pos, uint16_t id, snx_str_t key,
    snx_str_t value)
{
    if (w->pos == pos) {
        left_out++;
        return;
    }

    require((size_t) (w->pos - pos) == 8 + key.len + value.len, "its length");

    expected[nexpected].id = (snx_field_id_t) id;
    expected[nexpected].key = key;
    expected[nexpected].value = value;
    nexpected++;
}


static void
check_read(snx_str_t record)
{
    size_t            sum;
    snx_rc_t          rc;
    snx_field_t       f, found;
    snx_rec_reader_t  r;

    snx_rec_read(&r, record);
    sum = 0;

    while ((rc = snx_rec_next(&r, &f)) == SNX_OK) {
        require(fuzz_inside(f.key, record) && fuzz_inside(f.value, record),
                "inside the record");

        sum += 8 + f.key.len + f.value.len;
        require(sum <= record.len, "one behind the other");

        if (sum < 256) {
            require(snx_rec_find(record, f.id, &found) == SNX_OK
                    && found.id == f.id, "found by its id");
        }
    }

    require(rc == SNX_INVALID || sum == record.len, "all of it");
}


/* The index has the same fields, in order. */

static void
check_index(snx_str_t record)
{
    uint32_t            n, skipped;
    snx_field_t         f;
    snx_rec_reader_t    r;
    const snx_field_t  *p;

    if (snx_fields_read(&fields, record) != SNX_OK) {
        return;
    }

    require(fields.n <= SNX_FIELDS_MAX_N, "not more than there is room for");

    snx_rec_read(&r, record);
    n = 0;
    skipped = 0;

    while (snx_rec_next(&r, &f) == SNX_OK) {
        if ((uint32_t) f.id >= SNX_FIELDS_IDS_N) {
            continue;
        }

        if (n == SNX_FIELDS_MAX_N) {
            skipped++;
            continue;
        }

        p = &fields.field[n++];
        require(p->id == f.id && fuzz_same(p->key, f.key)
                && fuzz_same(p->value, f.value), "the same");

        for (p = snx_fields_first(&fields, f.id); p != NULL;
             p = snx_fields_next(&fields, p))
        {
            if (p == &fields.field[n - 1]) {
                break;
            }
        }

        require(p != NULL, "in the chain of its id");
    }

    require(n == fields.n && skipped == fields.skipped, "all of them");
}


static void
check_notes(fuzz_in_t *in)
{
    size_t        at;
    uint32_t      op;
    uint64_t      word;
    snx_note_t    note;
    snx_str_t     text;
    snx_notes_t  *notes;

    notes = (snx_notes_t *) (void *) fuzz_memory(sizeof(snx_notes_t));
    memset(notes, 0, sizeof(snx_notes_t));

    notes_left = 0;
    notes_taken = 0;
    notes_wild = 0;

    while (in->left != 0) {
        op = fuzz_byte(in);

        switch (op % 8) {

        case 0: case 1: case 2:
            text = fuzz_take(in, fuzz_byte(in) * (op & 8 ? 5 : 1));

            memset(&note, 0, sizeof(note));
            note.text = text;
            note.hash = snx_notes_hash(text);
            note.pid = op >> 4;

            notes_left += snx_notes_repeat(notes, note.hash)
                          || snx_notes_put(notes, &note) == SNX_OK;
            break;

        case 3: case 4:
            take(notes, 0);
            break;

        case 5:
            snx_notes_sweep(notes, alive, NULL);
            break;

        case 6:
            if (op >> 4 != 5) {
                break;
            }

            notes_wild = 1;
            at = (size_t) fuzz_word(in, 2) % (sizeof(snx_notes_t) / 8);
            word = fuzz_word(in, 8);
            memcpy((char *) notes + at * 8, &word, 8);
            break;

        default:
            break;
        }
    }

    snx_notes_sweep(notes, alive, NULL);
    take(notes, 1);

    require(notes_wild || notes_left == notes_taken, "each one once");
    free(notes);
}


static void
take(snx_notes_t *notes, int all)
{
    uint32_t    n;
    snx_note_t  note;

    for (n = 0; snx_notes_take(notes, 7, &note) == SNX_OK; n++) {

        require(note.text.len <= SNX_NOTE_TEXT_MAX
                && note.text.data == note.slot->text, "in its slot");
        require(notes_wild || note.text.len == SNX_NOTE_TEXT_MAX
                || note.hash == snx_notes_hash(note.text), "whole");
        require(n < SNX_NOTES_N, "an end");

        notes_taken += 1 + note.repeats;
        snx_notes_done(&note);

        if (!all) {
            break;
        }
    }
}


/* All before the queue, written over in pieces. */

static void
check_shm(fuzz_in_t *in)
{
    size_t                at, n;
    uint64_t              token, held;
    uint32_t              i;
    snx_str_t             piece;
    snx_shm_t            *shm;
    snx_lease_info_t      info;
    snx_gate_limit_t      limit;

    static void          *mem;
    static const size_t   size = sizeof(snx_shm_t);

    if (mem == NULL && posix_memalign(&mem, 64, size) != 0) {
        abort();
    }

    memset(mem, 0, size);
    shm = mem;

    (void) snx_shm_project(shm, snx_cstr("https://k@h/1"), snx_cstr("h/1"));
    (void) snx_shm_project(shm, snx_cstr("https://j@h/1"), snx_cstr("h/1"));

    while (in->left != 0) {
        at = (size_t) fuzz_word(in, 3);
        n = fuzz_byte(in) + 1u;
        piece = fuzz_take(in, fuzz_byte(in) % 16 + 1);

        /* mostly into the first projects */

        at = at % 4 ? offsetof(snx_shm_t, projects)
                      + at / 4 % (3 * sizeof(snx_project_t))
                    : at / 4 % size;

        for ( /* void */ ; n != 0 && piece.len <= size - at; n--) {
            memcpy((char *) mem + at, piece.data, piece.len);
            at += piece.len;
        }
    }

    for (i = 0; i < SNX_DSNS_MAX_N; i += i < 3 ? 1 : 30) {
        check_project(shm, i);
    }

    (void) snx_shm_project(shm, snx_cstr("https://k@h/2"), snx_cstr("h/2"));
    (void) snx_lease_take(&shm->lease, 5, 0, 1, 1000, alive, NULL, &token);
    snx_lease_info(&shm->lease, 1000, &info);

    limit.interval_us = 1000;
    limit.burst = 10;
    (void) snx_gate_pass(&shm->gate, &limit, snx_gate_key(&shm->gate), 1000,
                         &held);
    require(snx_gate_used(&shm->gate) <= SNX_GATE_GROUPS_N, "groups");

    notes_wild = 1;
    take(&shm->notes, 1);
}


static void
check_project(snx_shm_t *shm, uint32_t i)
{
    char            text[SNX_LAST_ERROR_MAX];
    uint32_t        status;
    uint64_t        epoch_ms;
    snx_dest_t     *dest;
    snx_report_t    report;
    snx_category_t  c;
    snx_project_t  *p;

    p = &shm->projects[i];

    require(strlen(snx_project_label(p)) < sizeof(p->label), "a label's end");

    if (snx_project_last_error(p, &status, &epoch_ms, text)) {
        require(memchr(text, '\0', sizeof(text)) != NULL, "an error's end");
    }

    for (c = 0; c < SNX_CATS_N; c++) {
        require(snx_limits_left(&p->limits, c, 1000) <= SNX_LIMIT_MAX_MS,
                "no limit beyond the longest");
    }

    (void) snx_project_untold(p);
    (void) snx_pressure_halvings(&p->pressure);
    snx_project_error(p, 1, 2, snx_cstr("x"));

    dest = snx_dest_create(p, &box, 1000);

    if (dest == NULL) {
        abort();
    }

    require(!dest->usable || (strlen(dest->url) < sizeof(dest->url)
                              && strlen(dest->auth) < sizeof(dest->auth)),
            "a destination");

    if (snx_dest_unreported(dest, &report)) {
        snx_dest_reported(dest, &report);
    }

    require(!snx_dest_unreported(dest, &report), "told once");
    free(dest);
}


static int
alive(uint32_t pid, uint64_t start_ticks, void *data)
{
    (void) pid;
    (void) start_ticks;
    (void) data;

    return 0;
}
