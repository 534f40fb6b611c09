
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: what Sentry says, and what its DSN is.  The first byte chooses:
 * any bytes as a DSN, as one of the headers that limit, or as an answer, its
 * headers as curl hands them out and its body.  Holds: no limit beyond the
 * longest one, none shortened, none of what cannot be read; a DSN is put
 * together from its parts again; what is told of an answer is short,
 * printable, and has neither the key nor a secret in it.
 */


#include <stdatomic.h>

/* for its callbacks, which curl alone calls */
#include "../../src/sender/snx_slot.c"

#include "fuzz.h"
#include "snx_dest.h"
#include "snx_refusal.h"
#include "snx_text.h"


#define FUZZ_NOW_MS            5000000
#define FUZZ_NOW_EPOCH         1790000000


static void check_dsn(snx_str_t s);
static void check_dsn_texts(const snx_dsn_t *dsn);
static void check_limits(snx_str_t value, int retry_after);
static void check_answer(fuzz_in_t *in);
static void hear(snx_slot_t *slot, fuzz_in_t *in);
static void check_slot(const snx_slot_t *slot);
static void check_told(const snx_answer_t *answer, snx_str_t dsn);
static void check_text(const char *text, size_t max, snx_str_t key);


static const char *const  plants[] = {
    "",
    " password=" FUZZ_MARK " ",
    " Authorization: Bearer " FUZZ_MARK "0123 ",
    " https://user:" FUZZ_MARK "@host/ "
};


static snx_project_t  project;
static snx_mailbox_t  box;
static unsigned char  queue_mem[SNX_SEGMENT_SIZE * 9 + 16384]
    __attribute__((aligned(64)));


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t   what;
    fuzz_in_t  in;
    snx_str_t  s;

    in.p = data;
    in.left = size < FUZZ_IN_MAX ? size : FUZZ_IN_MAX;

    if (fuzz_has(snx_str(data, size), FUZZ_MARK_PART)) {
        return 0;
    }

    what = fuzz_byte(&in);

    if (what % 4 == 3) {
        check_answer(&in);
        return 0;
    }

    s = fuzz_copy(fuzz_take(&in, in.left));

    if (what % 4 == 0) {
        check_dsn(s);

    } else {
        check_limits(s, what % 4 == 1);
    }

    fuzz_free(s);

    return 0;
}


static void
check_dsn(snx_str_t s)
{
    char         buf[SNX_DSN_MAX + 64];
    snx_dsn_t    dsn, again;
    const char  *why;
    snx_text_t   t;

    why = NULL;

    if (snx_dsn_parse(&dsn, s, &why) != SNX_OK) {
        require(why != NULL && why[0] != '\0', "a reason");
        return;
    }

    require(dsn.key.len != 0 && dsn.host.len != 0 && dsn.project.len != 0
            && dsn.port != 0, "all parts");
    require(fuzz_inside(dsn.key, s) && fuzz_inside(dsn.secret, s)
            && fuzz_inside(dsn.host, s) && fuzz_inside(dsn.path, s)
            && fuzz_inside(dsn.project, s), "of it");

    snx_text_init(&t, buf, sizeof(buf));
    snx_text_add(&t, dsn.scheme);
    snx_text_addz(&t, "://");
    snx_text_add(&t, dsn.key);
    snx_text_addz(&t, dsn.secret.len ? ":" : "");
    snx_text_add(&t, dsn.secret);
    snx_text_addz(&t, dsn.ipv6 ? "@[" : "@");
    snx_text_add(&t, dsn.host);
    snx_text_addz(&t, dsn.ipv6 ? "]:" : ":");
    snx_text_addn(&t, dsn.port);
    snx_text_add(&t, dsn.path);
    snx_text_addz(&t, "/");
    snx_text_add(&t, dsn.project);

    /* a port that went without saying may make it too long */

    if (t.len <= SNX_DSN_MAX) {
        require(snx_dsn_parse(&again, snx_str(t.data, t.len), &why) == SNX_OK
                && fuzz_same(again.key, dsn.key)
                && fuzz_same(again.secret, dsn.secret)
                && fuzz_same(again.host, dsn.host)
                && fuzz_same(again.path, dsn.path)
                && fuzz_same(again.project, dsn.project)
                && again.port == dsn.port && again.ipv6 == dsn.ipv6
                && again.port_given == dsn.port_given, "put together again");
    }

    check_dsn_texts(&dsn);
}


/* Each whole or not at all, and nothing in it that ends a header or a URL. */

static void
check_dsn_texts(const snx_dsn_t *dsn)
{
    char         *buf;
    size_t        i, k, n, cap;

    static const struct {
        size_t  (*write)(const snx_dsn_t *dsn, char *buf, size_t cap);
        size_t    max;
        unsigned  blanks:1;
        unsigned  always:1;
    } texts[] = {
        { snx_dsn_envelope_url, sizeof(((snx_dest_t *) 0)->url), 0, 1 },
        { snx_dsn_auth, sizeof(((snx_dest_t *) 0)->auth), 1, 1 },
        { snx_dsn_label, SNX_DSN_MAX + 64, 0, 1 },
        { snx_dsn_org_id, 64, 0, 0 }
    };

    for (k = 0; k < nelts(texts); k++) {
        buf = (char *) fuzz_memory(texts[k].max);
        n = texts[k].write(dsn, buf, texts[k].max);

        require(n < texts[k].max && (n != 0 || !texts[k].always), "it fits");
        require(n == 0 || buf[n] == '\0', "terminated");

        for (i = 0; i < n; i++) {
            require(buf[i] > ' ' - (int) texts[k].blanks && buf[i] < 0x7f,
                    "printable");
        }

        free(buf);

        for (cap = n < 2 ? 0 : n - 1; cap < n + 2 && n != 0; cap++) {
            buf = (char *) fuzz_memory(cap);
            i = texts[k].write(dsn, buf, cap);
            require(i == (cap > n ? n : 0), "whole or not at all");
            free(buf);
        }
    }
}


/* By Sentry's own header, or by the one of HTTP. */

static void
check_limits(snx_str_t value, int retry_after)
{
    int             i, applied;
    uint64_t        left[SNX_CATS_N];
    snx_limits_t    limits, twice;
    snx_category_t  c;

    memset(&limits, 0, sizeof(limits));
    memset(&twice, 0, sizeof(twice));

    snx_limits_all(&twice, 7000, FUZZ_NOW_MS);

    applied = 0;

    for (i = 0; i < 2; i++) {
        applied = retry_after
                  ? snx_limits_retry_after(&limits, value, FUZZ_NOW_MS,
                                           FUZZ_NOW_EPOCH)
                  : snx_limits_header(&limits, value, FUZZ_NOW_MS);

        for (c = 0; c < SNX_CATS_N; c++) {
            require(i == 0 || left[c] == snx_limits_left(&limits, c,
                                                         FUZZ_NOW_MS),
                    "twice is once");
            left[c] = snx_limits_left(&limits, c, FUZZ_NOW_MS);

            require(left[c] <= SNX_LIMIT_MAX_MS, "the longest");
            require(left[c] == 0 || applied != 0, "bad input does nothing");
            require(!retry_after || left[c] == left[0], "all or none");
        }
    }

    require(applied >= 0 && (size_t) applied <= value.len, "few limits");

    if (retry_after) {
        (void) snx_limits_retry_after(&twice, value, FUZZ_NOW_MS,
                                      FUZZ_NOW_EPOCH);

    } else {
        (void) snx_limits_header(&twice, value, FUZZ_NOW_MS);
    }

    for (c = 0; c < SNX_CATS_N; c++) {
        require(snx_limits_left(&twice, c, FUZZ_NOW_MS)
                == (left[c] > 7000 ? left[c] : 7000), "the longer one stays");
    }
}


/*
 * Input: length of a key and the key, a plant and its place, the size of
 * pieces, headers up to an empty line, the body.
 */

static void
check_answer(fuzz_in_t *in)
{
    char          dsn[SNX_DSN_MAX];
    int           n;
    uint32_t      plant, at;
    snx_str_t     key, all;
    snx_slot_t    slot;
    fuzz_in_t     said;
    snx_answer_t  answer;

    memset(&slot, 0, sizeof(slot));
    memset(&answer, 0, sizeof(answer));

    key = fuzz_take(in, fuzz_byte(in) % 40);
    plant = fuzz_byte(in);
    at = fuzz_byte(in);

    n = snprintf(dsn, sizeof(dsn), "https://%.*s@o1.host/2", (int) key.len,
                 (const char *) key.data);

    all = fuzz_plant(snx_str(in->p, in->left),
                     plants[plant % nelts(plants)], at);
    said.p = all.data;
    said.left = all.len;

    hear(&slot, &said);
    check_slot(&slot);

    answer.status = (uint32_t) slot.status;
    answer.limits = slot.limits;
    answer.retry_after = slot.retry_after;
    answer.reason = slot.reason;
    answer.body = snx_slot_said(&slot);
    answer.error = "connection \033 refused";

    check_told(&answer, snx_str(dsn, (size_t) n));

    free(slot.answer);
    fuzz_free(all);
}


/* As libcurl does: header lines whole, the body in pieces. */

static void
hear(snx_slot_t *slot, fuzz_in_t *in)
{
    size_t      piece;
    snx_str_t   s;
    const void *lf;

    piece = fuzz_byte(in) * 16 + 1;

    snx_slot_reset(slot);

    while (in->left != 0) {
        lf = memchr(in->p, '\n', in->left);

        s = fuzz_take(in, lf ? (size_t) ((const uint8_t *) lf - in->p) + 1
                             : in->left);
        s = fuzz_copy(s);
        (void) snx_slot_on_header((char *) (uintptr_t) s.data, 1, s.len,
                                  slot);
        lf = s.len > 2 ? lf : NULL;
        fuzz_free(s);

        if (lf == NULL) {
            break;
        }
    }

    while (in->left != 0) {
        s = fuzz_copy(fuzz_take(in, piece));
        (void) snx_slot_on_body((char *) (uintptr_t) s.data, 1, s.len, slot);
        fuzz_free(s);
    }
}


static void
check_slot(const snx_slot_t *slot)
{
    require(memchr(slot->limits, '\0', sizeof(slot->limits)) != NULL
            && memchr(slot->retry_after, '\0', sizeof(slot->retry_after))
               != NULL
            && memchr(slot->reason, '\0', sizeof(slot->reason)) != NULL,
            "terminated");
    require(slot->status >= 0 && slot->status < 1000, "a status");
    require(snx_slot_said(slot).len <= SNX_TRANSPORT_ERROR_MAX,
            "a short body");
}


/* The refusal alone, then all that people hear of the answer. */

static void
check_told(const snx_answer_t *answer, snx_str_t text)
{
    char               out[SNX_REFUSAL_MAX + 1], last[SNX_LAST_ERROR_MAX];
    uint32_t           status;
    uint64_t           epoch_ms;
    snx_dest_t        *dest;
    snx_random_t       random;
    snx_sender_msg_t   msg;

    memset(&project, 0, sizeof(project));
    memset(&box, 0, sizeof(box));
    memset(&random, 1, sizeof(random));

    memcpy(project.dsn, text.data, text.len);
    project.dsn_len = (uint32_t) text.len;
    memcpy(project.label, "o1.host/2", 10);
    atomic_store(&project.unreachable_ms, FUZZ_NOW_MS - 1);

    dest = snx_dest_create(&project, &box, FUZZ_NOW_MS);

    if (dest == NULL) {
        abort();
    }

    if (dest->usable) {
        snx_refusal_text(answer, dest->dsn.key, out);
        check_text(out, SNX_REFUSAL_MAX, dest->dsn.key);

        (void) snx_dest_sent(dest);
        snx_dest_returned(dest, 1);
        snx_dest_answered(dest, answer, (snx_queue_t *) (void *) queue_mem,
                          FUZZ_NOW_MS, (int64_t) FUZZ_NOW_EPOCH * 1000000);

        require(snx_dest_ready(dest, FUZZ_NOW_MS) == SNX_OK, "reachable");

        snx_dest_failed(dest, answer, 0, &random, FUZZ_NOW_MS,
                        (int64_t) FUZZ_NOW_EPOCH * 1000000);

        require(snx_dest_ready(dest, FUZZ_NOW_MS) == SNX_AGAIN
                && dest->next_try_ms > FUZZ_NOW_MS
                && dest->next_try_ms
                   <= FUZZ_NOW_MS + SNX_DEST_BACKOFF_MAX_MS, "backs off");

        while (snx_mailbox_get(&box, &msg)) {
            check_text(msg.text, sizeof(msg.text) - 1, snx_str(NULL, 0));
        }

        if (snx_project_last_error(&project, &status, &epoch_ms, last)) {
            check_text(last, sizeof(last) - 1, snx_str(NULL, 0));
        }
    }

    free(dest);
}


static void
check_text(const char *text, size_t max, snx_str_t key)
{
    size_t     i;
    snx_str_t  s;

    require(memchr(text, '\0', max + 1) != NULL, "terminated");

    s = snx_cstr(text);

    for (i = 0; i < s.len; i++) {
        require(text[i] >= ' ' && text[i] < 0x7f, "printable");
    }

    /* what stands for other bytes is not told apart from a key of it */

    if (key.len != 0 && memchr(key.data, '?', key.len) == NULL
        && memchr(key.data, '*', key.len) == NULL)
    {
        require(memmem(text, s.len, key.data, key.len) == NULL, "no key");
    }

    require(!fuzz_has(s, FUZZ_MARK_PART), "no secret");
}
