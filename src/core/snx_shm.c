
/*
 * Copyright (C) ngx_sentry authors
 *
 * The shared area: [ snx_shm_t | queue ], and the accounts kept per project.
 */


#include "snx_shm.h"
#include "snx_text.h"


#define SNX_SHM_ALIGN          64
#define SNX_SHM_HEADER_SIZE                                                   \
    ((sizeof(snx_shm_t) + SNX_SHM_ALIGN - 1) / SNX_SHM_ALIGN * SNX_SHM_ALIGN)

/* how often a reader meets a writer of four words before it gives up */
#define SNX_SHM_READ_TRIES     64


/* bytes: " #64" */
#define SNX_SHM_TWIN_MAX       4


static snx_project_t *snx_shm_find(snx_shm_t *shm, snx_str_t dsn);
static void snx_shm_label(snx_shm_t *shm, snx_project_t *project,
    snx_str_t label);


size_t
snx_shm_size(size_t queue_bytes)
{
    return SNX_SHM_HEADER_SIZE + snx_queue_size(queue_bytes);
}


snx_shm_t *
snx_shm_init(void *mem, size_t size, uint32_t entropy)
{
    snx_shm_t      *shm;
    unsigned char  *queue;

    if (size < SNX_SHM_HEADER_SIZE) {
        return NULL;
    }

    queue = (unsigned char *) mem + SNX_SHM_HEADER_SIZE;

    if (snx_queue_init(queue, size - SNX_SHM_HEADER_SIZE, entropy) == NULL) {
        return NULL;
    }

    shm = mem;
    shm->magic = SNX_SHM_MAGIC;
    shm->header_size = SNX_SHM_HEADER_SIZE;
    shm->size = size;
    snx_gate_init(&shm->gate, entropy);

    return shm;
}


int
snx_shm_valid(const void *mem, size_t size)
{
    const snx_shm_t      *shm;
    const unsigned char  *queue;

    if (size < SNX_SHM_HEADER_SIZE) {
        return 0;
    }

    shm = mem;

    if (shm->magic != SNX_SHM_MAGIC || shm->header_size != SNX_SHM_HEADER_SIZE
        || shm->size != size)
    {
        return 0;
    }

    queue = (const unsigned char *) mem + SNX_SHM_HEADER_SIZE;

    return snx_queue_valid(queue, size - SNX_SHM_HEADER_SIZE);
}


snx_queue_t *
snx_shm_queue(snx_shm_t *shm)
{
    return (snx_queue_t *) ((unsigned char *) shm + SNX_SHM_HEADER_SIZE);
}


static snx_project_t *
snx_shm_find(snx_shm_t *shm, snx_str_t dsn)
{
    size_t          i;
    snx_project_t  *project;

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        project = &shm->projects[i];

        /* acquire: dsn was written before used */

        if (!atomic_load_explicit(&project->used, memory_order_acquire)) {
            break;
        }

        if (project->dsn_len == dsn.len
            && memcmp(project->dsn, dsn.data, dsn.len) == 0)
        {
            return project;
        }
    }

    return NULL;
}


snx_project_t *
snx_shm_project(snx_shm_t *shm, snx_str_t dsn, snx_str_t label)
{
    size_t          i;
    snx_project_t  *project;

    if (dsn.len == 0 || dsn.len > SNX_DSN_MAX) {
        return NULL;
    }

    project = snx_shm_find(shm, dsn);

    if (project != NULL || label.len == 0) {
        return project;
    }

    for (i = 0; i < SNX_DSNS_MAX_N; i++) {
        project = &shm->projects[i];

        if (atomic_load_explicit(&project->used, memory_order_relaxed)) {
            continue;
        }

        memcpy(project->dsn, dsn.data, dsn.len);
        project->dsn_len = (uint32_t) dsn.len;

        snx_shm_label(shm, project, label);

        atomic_store_explicit(&project->used, 1, memory_order_release);

        return project;
    }

    return NULL;
}


/* Two keys of one project must not bear one name: the second is "... #2". */

static void
snx_shm_label(snx_shm_t *shm, snx_project_t *project, snx_str_t label)
{
    char           *end;
    size_t          n, twins;
    snx_text_t      text;
    snx_project_t  *other;

    n = snx_text_utf8(label, project->label, sizeof(project->label) - 1, NULL);
    project->label[n] = '\0';
    twins = 0;

    for (other = shm->projects; other != project; other++) {
        end = &other->label[n];

        twins += memcmp(other->label, project->label, n) == 0
                 && (*end == '\0' || memcmp(end, " #", 2) == 0);
    }

    if (twins == 0) {
        return;
    }

    n = snx_text_utf8(label, project->label,
                      sizeof(project->label) - 1 - SNX_SHM_TWIN_MAX, NULL);

    snx_text_init(&text, &project->label[n], SNX_SHM_TWIN_MAX);
    snx_text_addz(&text, " #");
    snx_text_addn(&text, (int64_t) twins + 1);
    project->label[n + text.len] = '\0';
}


const char *
snx_project_label(snx_project_t *project)
{
    char  *last;

    last = &project->label[sizeof(project->label) - 1];

    if (*last != '\0') {
        *last = '\0';
    }

    return project->label;
}


snx_str_t
snx_lost_name(snx_lost_t lost)
{
    static const snx_str_t  names[SNX_LOST_N] = {
        snx_string("queue_overflow"),
        snx_string("ratelimit_backoff"),
        snx_string("network_error"),
        snx_string("send_error"),
        snx_string("internal_sdk_error"),
        snx_string("sample_rate"),
        snx_string("event_processor"),
        snx_string("backpressure"),
        snx_string("held_back"),
        snx_string("rate_limited"),
        snx_string("shutdown"),
        snx_string("corrupt"),
    };

    if ((unsigned) lost >= SNX_LOST_N) {
        return snx_cstr("unknown");
    }

    return names[lost];
}


snx_str_t
snx_lost_reason(snx_lost_t lost)
{
    return snx_lost_name(lost == SNX_LOST_HELD_BACK ? SNX_LOST_IGNORED : lost);
}


uint64_t
snx_project_untold(const snx_project_t *project)
{
    uint64_t               told, held;
    const snx_counters_t  *counters;

    counters = &project->counters;

    /* told first: what is told was counted before */

    told = atomic_load_explicit(&counters->told, memory_order_acquire);
    held = atomic_load_explicit(
                       &counters->lost[SNX_LOST_HELD_BACK][SNX_CAT_ERROR],
                       memory_order_relaxed);

    return (held > told) ? held - told : 0;
}


/*
 * A sender killed inside leaves seq odd: the next one to write starts from
 * that odd number, until then there is nothing to read.
 */

void
snx_project_error(snx_project_t *project, uint32_t status, uint64_t epoch_ms,
    snx_str_t text)
{
    size_t             i;
    uint32_t           seq;
    uint64_t           words[SNX_LAST_ERROR_MAX / 8];
    snx_last_error_t  *last;

    memset(words, 0, SNX_LAST_ERROR_MAX);
    (void) snx_text_utf8(text, words, SNX_LAST_ERROR_MAX - 1, NULL);

    last = &project->last_error;
    seq = atomic_load_explicit(&last->seq, memory_order_relaxed) | 1;

    atomic_store_explicit(&last->seq, seq, memory_order_relaxed);

    /* the odd number is seen before any of what follows */

    atomic_thread_fence(memory_order_release);

    atomic_store_explicit(&last->status, status, memory_order_relaxed);
    atomic_store_explicit(&last->epoch_ms, epoch_ms, memory_order_relaxed);

    for (i = 0; i < SNX_LAST_ERROR_MAX / 8; i++) {
        atomic_store_explicit(&last->text[i], words[i], memory_order_relaxed);
    }

    atomic_store_explicit(&last->seq, seq + 1, memory_order_release);
}


int
snx_project_last_error(const snx_project_t *project, uint32_t *status,
    uint64_t *epoch_ms, char text[SNX_LAST_ERROR_MAX])
{
    int                      tries;
    size_t                   i;
    uint32_t                 seq;
    uint64_t                 word;
    const snx_last_error_t  *last;

    last = &project->last_error;

    for (tries = 0; tries < SNX_SHM_READ_TRIES; tries++) {
        seq = atomic_load_explicit(&last->seq, memory_order_acquire);

        if (seq == 0) {
            return 0;
        }

        *status = atomic_load_explicit(&last->status, memory_order_relaxed);
        *epoch_ms = atomic_load_explicit(&last->epoch_ms,
                                         memory_order_relaxed);

        for (i = 0; i < SNX_LAST_ERROR_MAX / 8; i++) {
            word = atomic_load_explicit(&last->text[i], memory_order_relaxed);
            memcpy(&text[8 * i], &word, 8);
        }

        text[SNX_LAST_ERROR_MAX - 1] = '\0';

        /* all of the above is read before seq is compared */

        atomic_thread_fence(memory_order_acquire);

        if (seq % 2 == 0
            && seq == atomic_load_explicit(&last->seq, memory_order_relaxed))
        {
            return 1;
        }
    }

    return 0;
}
