
/*
 * Copyright (C) ngx_sentry authors
 *
 * The status page as Prometheus text, format 0.0.4.  The lines of a family
 * stand together, as the format demands.
 */


#include "ngx_sentry_status.h"


static void ngx_sentry_prometheus_family(ngx_sentry_status_t *s,
    const char *name, const char *type, const char *help);
static void ngx_sentry_prometheus_queue(ngx_sentry_status_t *s);
static void ngx_sentry_prometheus_counts(ngx_sentry_status_t *s,
    const char *name, const char *help, size_t offset);
static void ngx_sentry_prometheus_lost(ngx_sentry_status_t *s);
static void ngx_sentry_prometheus_untold(ngx_sentry_status_t *s);
static void ngx_sentry_prometheus_reachable(ngx_sentry_status_t *s);
static snx_project_t *ngx_sentry_prometheus_project(ngx_sentry_status_t *s,
    ngx_uint_t *i);


void
ngx_sentry_prometheus(ngx_sentry_status_t *s)
{
    ngx_sentry_prometheus_family(s, "enabled", "gauge",
                                 "Whether anything is reported.");
    ngx_sentry_status_add(s, "ngx_sentry_enabled %ui\n", s->enabled);

    if (s->shm == NULL) {
        return;
    }

    ngx_sentry_prometheus_queue(s);

    ngx_sentry_prometheus_counts(s, "captured_total",
                                 "Items that were to be sent.",
                                 offsetof(snx_counters_t, captured));
    ngx_sentry_prometheus_counts(s, "delivered_total",
                                 "Items that Sentry accepted.",
                                 offsetof(snx_counters_t, delivered));

    ngx_sentry_prometheus_lost(s);
    ngx_sentry_prometheus_untold(s);
    ngx_sentry_prometheus_reachable(s);
}


static void
ngx_sentry_prometheus_family(ngx_sentry_status_t *s, const char *name,
    const char *type, const char *help)
{
    ngx_sentry_status_add(s, "# HELP ngx_sentry_%s %s\n"
                          "# TYPE ngx_sentry_%s %s\n", name, help, name,
                          type);
}


static void
ngx_sentry_prometheus_queue(ngx_sentry_status_t *s)
{
    ngx_sentry_prometheus_family(s, "queue_fill_ratio", "gauge",
                                 "Used share of the queue.");
    ngx_sentry_status_add(s, "ngx_sentry_queue_fill_ratio %.4f\n",
                          (double) s->usage.segments_used
                          / (double) ngx_max(s->usage.segments, 1));

    ngx_sentry_prometheus_family(s, "queue_records", "gauge",
                                 "Records waiting to be sent.");
    ngx_sentry_status_add(s, "ngx_sentry_queue_records %uD\n",
                          s->usage.pending);

    ngx_sentry_prometheus_family(s, "groups", "gauge",
                                 "Groups of events in the table.");
    ngx_sentry_status_add(s, "ngx_sentry_groups %uz\n",
                          snx_gate_used(&s->shm->gate));

    ngx_sentry_prometheus_family(s, "groups_evicted_total", "counter",
                                 "Groups that had to make room for others.");
    ngx_sentry_status_add(s, "ngx_sentry_groups_evicted_total %uL\n",
                          atomic_load(&s->shm->gate.evicted));

    ngx_sentry_prometheus_family(s, "sender_pid", "gauge",
                                 "Process that sends, 0 when there is none.");
    ngx_sentry_status_add(s, "ngx_sentry_sender_pid %uD\n", s->lease.pid);
}


/* The next project in use from *i on, NULL behind the last. */

static snx_project_t *
ngx_sentry_prometheus_project(ngx_sentry_status_t *s, ngx_uint_t *i)
{
    while (*i < SNX_DSNS_MAX_N) {
        if (atomic_load(&s->shm->projects[(*i)++].used)) {
            return &s->shm->projects[*i - 1];
        }
    }

    return NULL;
}


/* A counter per category, which stands at offset in the counters. */

static void
ngx_sentry_prometheus_counts(ngx_sentry_status_t *s, const char *name,
    const char *help, size_t offset)
{
    uint64_t           n;
    snx_str_t          category;
    ngx_uint_t         i, j;
    snx_project_t     *project;
    _Atomic uint64_t  *counts;

    ngx_sentry_prometheus_family(s, name, "counter", help);

    i = 0;

    while ((project = ngx_sentry_prometheus_project(s, &i)) != NULL) {

        counts = (_Atomic uint64_t *) ((u_char *) &project->counters
                                       + offset);

        for (j = 0; j < SNX_CATS_N; j++) {
            n = atomic_load(&counts[j]);

            if (n == 0 && j != SNX_CAT_ERROR) {
                continue;
            }

            category = snx_category_name((snx_category_t) j);

            ngx_sentry_status_add(s, "ngx_sentry_%s{project=\"%s\",category="
                                  "\"%*s\"} %uL\n", name,
                                  snx_project_label(project),
                                  category.len, category.data, n);
        }
    }
}


static void
ngx_sentry_prometheus_lost(ngx_sentry_status_t *s)
{
    uint64_t        n;
    snx_str_t       category, reason;
    ngx_uint_t      i, j, k;
    snx_project_t  *project;

    ngx_sentry_prometheus_family(s, "lost_total", "counter",
                                 "Items that were not delivered, by reason.");

    i = 0;

    while ((project = ngx_sentry_prometheus_project(s, &i)) != NULL) {

        for (k = 0; k < SNX_LOST_N; k++) {
            reason = snx_lost_name((snx_lost_t) k);

            for (j = 0; j < SNX_CATS_N; j++) {
                n = atomic_load(&project->counters.lost[k][j]);

                if (n == 0) {
                    continue;
                }

                category = snx_category_name((snx_category_t) j);

                ngx_sentry_status_add(s, "ngx_sentry_lost_total{project="
                                      "\"%s\",reason=\"%*s\",category="
                                      "\"%*s\"} %uL\n",
                                      snx_project_label(project),
                                      reason.len, reason.data,
                                      category.len, category.data, n);
            }
        }
    }
}


static void
ngx_sentry_prometheus_untold(ngx_sentry_status_t *s)
{
    ngx_uint_t      i;
    snx_project_t  *project;

    ngx_sentry_prometheus_family(s, "held_back_untold", "gauge",
                                 "Held back, not yet told by an event.");

    i = 0;

    while ((project = ngx_sentry_prometheus_project(s, &i)) != NULL) {
        ngx_sentry_status_add(s, "ngx_sentry_held_back_untold{project=\"%s\"}"
                              " %uL\n", snx_project_label(project),
                              snx_project_untold(project));
    }
}


static void
ngx_sentry_prometheus_reachable(ngx_sentry_status_t *s)
{
    ngx_uint_t      i;
    snx_project_t  *project;

    ngx_sentry_prometheus_family(s, "reachable", "gauge",
                                 "Whether the project's Sentry answers.");

    i = 0;

    while ((project = ngx_sentry_prometheus_project(s, &i)) != NULL) {
        ngx_sentry_status_add(s, "ngx_sentry_reachable{project=\"%s\"} %d\n",
                              snx_project_label(project),
                              atomic_load(&project->unreachable_ms) == 0);
    }
}
