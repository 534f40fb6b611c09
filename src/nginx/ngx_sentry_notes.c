
/*
 * Copyright (C) ngx_sentry authors
 *
 * Lines of the error log that belong to no request: crashed workers, no more
 * files or connections, TLS handshakes, name lookups, full disks, a reload
 * that was refused.
 *
 * DESIGN.  Whoever logs, a worker, a cache process, the master in the signal
 * handler that hears of a worker's death, scrubs the line and leaves it as a
 * note in shared memory: no allocation, no lock, no lane (snx_notes.h).  The
 * worker that sends makes events of the notes, twice a second.  So it also
 * works when all workers died: the next ones find the notes.  Lines of this
 * module itself make no note, thus Sentry's outage makes none.
 */


#include "ngx_sentry.h"
#include "snx_incident.h"
#include "snx_sender.h"

#include <time.h>


#define NGX_SENTRY_CLASS_MAX   256     /* bytes of a fingerprint */


static ngx_int_t ngx_sentry_notes_constants(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf, ngx_sentry_loc_conf_t *slcf);
static snx_note_process_t ngx_sentry_notes_process(void);
static void ngx_sentry_notes_event(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf, snx_note_t *note);
static void ngx_sentry_notes_pack(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf, snx_note_t *note, snx_incident_t *incident,
    snx_str_t class, snx_rec_writer_t *rec);
static ngx_int_t ngx_sentry_notes_pass(ngx_sentry_main_conf_t *smcf,
    snx_note_t *note, uint64_t key, uint64_t *held);
static snx_level_t ngx_sentry_notes_level(ngx_uint_t level, int fatal);


/* not in the middle of a put of this process: a note about it would loop */
static volatile sig_atomic_t  ngx_sentry_notes_busy;


ngx_int_t
ngx_sentry_notes_setup(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf)
{
    ngx_uint_t                   i;
    ngx_sentry_loc_conf_t       *slcf;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    slcf = ngx_http_conf_get_module_loc_conf(cf, ngx_sentry_module);

    /* without a server block nothing was merged */

    smcf->events_dsn = slcf->dsn == NGX_CONF_UNSET_PTR ? NULL : slcf->dsn;

    if (smcf->events_dsn == NULL && smcf->spotlight.len == 0) {
        smcf->log_events = 0;
    }

    if (smcf->log_events == 0) {
        return NGX_OK;
    }

    if (ngx_sentry_notes_constants(cf, smcf, slcf) != NGX_OK
        || ngx_sentry_cause_collect(cf, smcf, &cf->cycle->new_log,
                                    smcf->log_events)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what sockets and connections log before there is a request */

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        clcf = cscfp[i]->ctx->loc_conf[ngx_http_core_module.ctx_index];

        if (ngx_sentry_cause_collect(cf, smcf, clcf->error_log,
                                     smcf->log_events)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_sentry_notes_constants(ngx_conf_t *cf, ngx_sentry_main_conf_t *smcf,
    ngx_sentry_loc_conf_t *slcf)
{
    u_char             buf[NGX_SENTRY_CONSTANTS_MAX];
    ngx_str_t          environment, release;
    snx_rec_writer_t   w;

    environment = slcf->environment;
    release = slcf->release;

    ngx_sentry_conf_names(smcf, &environment, &release);

    if (slcf->scrub_terms != NGX_CONF_UNSET_PTR && slcf->scrub_terms) {
        smcf->events_scrub.terms = slcf->scrub_terms->elts;
        smcf->events_scrub.nterms = slcf->scrub_terms->nelts;
    }

    smcf->events_scrub.pii = slcf->pii == 1;

    snx_rec_begin(&w, buf, sizeof(buf));

    if (smcf->events_dsn) {
        snx_rec_str(&w, SNX_F_DSN, ngx_sentry_str(&smcf->events_dsn->dsn));
    }

    snx_rec_str(&w, SNX_F_ENVIRONMENT, ngx_sentry_str(&environment));
    snx_rec_str(&w, SNX_F_RELEASE, ngx_sentry_str(&release));
    snx_rec_str(&w, SNX_F_SERVER_NAME, ngx_sentry_str(&smcf->server_name));
    snx_rec_str(&w, SNX_F_NGINX_VERSION, snx_cstr(NGINX_VERSION));

    smcf->events_constants.len = (size_t) (w.pos - w.start);
    smcf->events_constants.data = ngx_pnalloc(cf->pool,
                                              smcf->events_constants.len);
    if (smcf->events_constants.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(smcf->events_constants.data, buf, smcf->events_constants.len);

    return NGX_OK;
}


/*
 * The master calls this in a signal handler.  The time is asked for, since
 * nginx's own stands still there.
 */

void
ngx_sentry_notes_line(ngx_sentry_main_conf_t *smcf, ngx_uint_t level,
    u_char *buf, size_t len)
{
    u_char           text[SNX_NOTE_TEXT_MAX];
    snx_str_t        message;
    snx_note_t       note;
    snx_notes_t     *notes;
    struct timespec  ts;

    if (level > smcf->log_events || smcf->shm == NULL
        || ngx_sentry_notes_busy)
    {
        return;
    }

    message = snx_incident_message(snx_str(buf, len));
    if (message.len == 0) {
        return;
    }

    ngx_sentry_notes_busy = 1;

    notes = &smcf->shm->notes;
    note.hash = snx_notes_hash(message);

    if (!snx_notes_repeat(notes, note.hash)) {

        (void) clock_gettime(CLOCK_REALTIME, &ts);

        note.time_us = (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
        note.pid = (uint32_t) ngx_pid;
        note.level = (uint8_t) level;
        note.process = (uint8_t) ngx_sentry_notes_process();
        note.text = snx_str(text, snx_incident_text(&smcf->events_scrub,
                                                    message, text,
                                                    sizeof(text)));

        if (snx_notes_put(notes, &note) != SNX_OK && smcf->events_dsn
            && smcf->events_dsn->project)
        {
            atomic_fetch_add(&smcf->events_dsn->project->counters
                             .captured[SNX_CAT_ERROR], 1);
            snx_project_lose(smcf->events_dsn->project,
                             SNX_LOST_QUEUE_OVERFLOW, SNX_CAT_ERROR, 1);
        }
    }

    ngx_sentry_notes_busy = 0;
}


static snx_note_process_t
ngx_sentry_notes_process(void)
{
    switch (ngx_process) {

    case NGX_PROCESS_WORKER:
        return SNX_PROCESS_WORKER;

    case NGX_PROCESS_HELPER:

        /* the two differ in nothing but their title */

        return ngx_strstr(ngx_os_argv[0], "cache loader")
               ? SNX_PROCESS_CACHE_LOADER : SNX_PROCESS_CACHE_MANAGER;

    case NGX_PROCESS_SINGLE:
        return SNX_PROCESS_SINGLE;

    default:
        return SNX_PROCESS_MASTER;
    }
}


void
ngx_sentry_notes_drain(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf)
{
    snx_note_t    note;
    ngx_uint_t    n;
    snx_notes_t  *notes;

    if (smcf->log_events == 0) {
        return;
    }

    notes = &smcf->shm->notes;

    snx_notes_sweep(notes, snx_process_alive, NULL);

    for (n = 0; n < SNX_NOTES_N; n++) {

        if (snx_notes_take(notes, (uint32_t) ngx_pid, &note) != SNX_OK) {
            break;
        }

        ngx_sentry_notes_event(worker, smcf, &note);

        snx_notes_done(&note);
    }
}


static void
ngx_sentry_notes_event(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf, snx_note_t *note)
{
    char               buf[NGX_SENTRY_CLASS_MAX];
    uint64_t           key, held;
    snx_str_t          class;
    snx_project_t     *project;
    snx_incident_t     incident;
    snx_rec_writer_t   rec;

    project = smcf->events_dsn ? smcf->events_dsn->project : NULL;

    if (ngx_sentry_process_limited(project, SNX_CAT_ERROR)) {
        return;
    }

    snx_incident_read(&incident, note->text, note->level,
                      note->process == SNX_PROCESS_CACHE_MANAGER
                      || note->process == SNX_PROCESS_CACHE_LOADER);

    class = snx_str(buf, snx_incident_class(note->text, buf, sizeof(buf)));

    key = snx_gate_mix(snx_gate_key(&smcf->shm->gate), incident.type);
    key = snx_gate_mix(key, class);

    if (project) {
        key = snx_gate_mix(key, ngx_sentry_str(&smcf->events_dsn->dsn));
    }

    if (ngx_sentry_notes_pass(smcf, note, key, &held) != NGX_OK) {
        return;
    }

    ngx_sentry_notes_pack(worker, smcf, note, &incident, class, &rec);

    if (held) {
        snx_rec_num(&rec, SNX_F_HELD_BACK, (int64_t) held);
    }

    if (ngx_sentry_process_put(worker, project, SNX_KIND_EVENT, &rec)
        != NGX_OK)
    {
        snx_gate_give_back(&smcf->shm->gate, key, held);

    } else if (project) {
        atomic_fetch_add(&project->counters.told, held);
    }
}


/*
 * As for requests, a group lets some through and the next one tells of the
 * others; equal notes that were never kept are among those.
 */

static ngx_int_t
ngx_sentry_notes_pass(ngx_sentry_main_conf_t *smcf, snx_note_t *note,
    uint64_t key, uint64_t *held)
{
    ngx_int_t       rc;
    snx_project_t  *project;

    project = smcf->events_dsn ? smcf->events_dsn->project : NULL;
    rc = NGX_OK;
    *held = 0;

    if (smcf->event_limit.interval_us
        && !snx_gate_pass(&smcf->shm->gate, &smcf->event_limit, key,
                          ngx_current_msec, held))
    {
        snx_gate_give_back(&smcf->shm->gate, key, note->repeats);
        rc = NGX_DECLINED;
    }

    *held += note->repeats;

    if (project) {
        snx_project_lose(project, SNX_LOST_HELD_BACK, SNX_CAT_ERROR,
                         note->repeats + (rc != NGX_OK));
    }

    return rc;
}


static void
ngx_sentry_notes_pack(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf, snx_note_t *note, snx_incident_t *incident,
    snx_str_t class, snx_rec_writer_t *rec)
{
    snx_facts_t  *facts;

    static const char *const  processes[] = {
        "master", "worker", "cache manager", "cache loader", "single"
    };

    ngx_sentry_process_record(worker, rec);

    facts = rec->facts;
    facts->has |= 1u << SNX_FACT_EVENT_ID;
    ngx_sentry_process_id(worker, facts->event_id, sizeof(facts->event_id));

    snx_fact_set(facts, SNX_FACT_TIMESTAMP_US, note->time_us);
    snx_fact_set(facts, SNX_FACT_LEVEL,
                 ngx_sentry_notes_level(note->level, incident->fatal));

    snx_rec_raw(rec, ngx_sentry_str(&smcf->events_constants));

    snx_rec_str(rec, SNX_F_EXC_TYPE, incident->type);
    snx_rec_str(rec, SNX_F_EXC_VALUE, note->text);

    if (incident->error) {
        snx_rec_num(rec, SNX_F_EXC_ERRNO, incident->error);
    }

    snx_rec_str(rec, SNX_F_FINGERPRINT, incident->type);
    snx_rec_str(rec, SNX_F_FINGERPRINT, class);

    /* from shared memory, where others may have written */

    if (note->process < sizeof(processes) / sizeof(processes[0])) {
        snx_rec_str(rec, SNX_F_PROCESS, snx_cstr(processes[note->process]));
    }

    snx_rec_num(rec, SNX_F_PID, note->pid);
}


static snx_level_t
ngx_sentry_notes_level(ngx_uint_t level, int fatal)
{
    if (fatal) {
        return SNX_LEVEL_FATAL;
    }

    if (level <= NGX_LOG_ERR) {
        return SNX_LEVEL_ERROR;
    }

    return level == NGX_LOG_WARN ? SNX_LEVEL_WARNING : SNX_LEVEL_INFO;
}
