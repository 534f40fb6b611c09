
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the two forms of the status page share: the facts, read once, and the
 * buffer they are written into.
 */


#ifndef NGX_SENTRY_STATUS_H_INCLUDED
#define NGX_SENTRY_STATUS_H_INCLUDED


#include "ngx_sentry.h"


typedef struct {
    snx_shm_t           *shm;
    ngx_uint_t           enabled;
    uint64_t             now_ms;
    snx_queue_usage_t    usage;
    snx_lease_info_t     lease;
    u_char              *p;
    u_char              *end;
} ngx_sentry_status_t;


/* Appends; what does not fit is left out. */

#define ngx_sentry_status_add(s, ...)                                         \
    (s)->p = ngx_slprintf((s)->p, (s)->end, __VA_ARGS__)


/* The page as Prometheus text, one metric family after the other. */
SNX_COLD void ngx_sentry_prometheus(ngx_sentry_status_t *s);


#endif /* NGX_SENTRY_STATUS_H_INCLUDED */
