
/*
 * Copyright (C) ngx_sentry authors
 *
 * The glue between nginx and the core: configuration structures, the request
 * context and the functions the glue's files offer each other.  Includes no
 * curl and no cJSON; configuration is read-only once it is parsed.
 */


#ifndef NGX_SENTRY_H_INCLUDED
#define NGX_SENTRY_H_INCLUDED


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "snx.h"
#include "snx_gate.h"
#include "snx_memo.h"
#include "snx_record.h"
#include "snx_route.h"
#include "snx_sample.h"
#include "snx_scrub.h"
#include "snx_shm.h"


/* Bounds of the directives. */

#define NGX_SENTRY_QUEUE_MIN         (256 * 1024)
#define NGX_SENTRY_QUEUE_MAX         (1024 * 1024 * 1024)
#define NGX_SENTRY_ENVIRONMENT_MAX   64
#define NGX_SENTRY_RELEASE_MAX       200
#define NGX_SENTRY_CONSTANTS_MAX     4096
#define NGX_SENTRY_EVENT_INTERVAL    2000000   /* us: 30r/m */
#define NGX_SENTRY_EVENT_BURST       10

#define NGX_SENTRY_BODY_MAX          8192

#define NGX_SENTRY_TICK_MS           500
#define NGX_SENTRY_LAST_MS           200   /* less is no use to a sender */

#define ngx_sentry_str(s)            snx_str((s)->data, (s)->len)
#define ngx_sentry_none              snx_str(NULL, 0)


static ngx_inline ngx_uint_t
ngx_sentry_is(snx_str_t s, const char *z)
{
    return s.len == ngx_strlen(z) && ngx_memcmp(s.data, z, s.len) == 0;
}


static ngx_inline ngx_uint_t
ngx_sentry_is_header(ngx_table_elt_t *h, const char *lowcase)
{
    return h->hash != 0 && h->key.len == ngx_strlen(lowcase)
           && ngx_strncasecmp(h->key.data, (u_char *) lowcase, h->key.len)
              == 0;
}


/* As ngx_inet_get_port(), which costs more to call than to do. */

static ngx_inline in_port_t
ngx_sentry_port(struct sockaddr *sa)
{
    return sa->sa_family == AF_INET
           ? ntohs(((struct sockaddr_in *) (void *) sa)->sin_port)
           : ngx_inet_get_port(sa);
}


/* A DSN as configured; one object for equal strings. */

typedef struct {
    ngx_str_t               dsn;
    ngx_str_t               label;         /* "host/project", for people */
    ngx_str_t               key;
    ngx_str_t               host;
    ngx_str_t               project_id;
    ngx_str_t               org_id;        /* of "o123.", else empty */
    snx_project_t          *project;       /* set when the zone is there */
    unsigned                announced:1;
} ngx_sentry_dsn_t;


/* A number in 0..1, or a variable that gives one per request. */

typedef struct {
    double                     value;
    ngx_http_complex_value_t  *complex;
} ngx_sentry_rate_t;


typedef struct {
    ngx_str_t                  name;       /* tag; "context\0key"; "id" */
    ngx_http_complex_value_t   value;
} ngx_sentry_pair_t;


typedef struct {
    snx_route_t                match;
    ngx_str_t                  name;       /* name=, may be empty */
    double                     errors;     /* errors=, -1 not given */
    double                     traces;     /* traces=, -1 not given */
    unsigned                   drop_errors:1;
    unsigned                   drop_traces:1;
} ngx_sentry_route_t;


/* A block of the configuration, and its files; only while that is read. */

typedef struct ngx_sentry_place_s    ngx_sentry_place_t;
typedef struct ngx_sentry_sources_s  ngx_sentry_sources_t;


/* What the environment says; read once per configuration in the master. */

typedef struct {
    ngx_str_t                  dsn;
    ngx_str_t                  environment;
    ngx_str_t                  release;
    ngx_str_t                  spotlight;
    double                     sample_rate;        /* -1 not given */
    double                     traces_sample_rate; /* -1 not given */
    ngx_int_t                  debug;              /* -1 not given */
    unsigned                   disabled:1;         /* SENTRY_ENABLED=false */
    unsigned                   tracing_disabled:1;
} ngx_sentry_env_t;


typedef struct {
    ngx_sentry_env_t           env;
    ngx_array_t                dsns;       /* of ngx_sentry_dsn_t * */
    ngx_array_t                logs;       /* of ngx_sentry_log_t */

    ngx_str_t                  server_name;
    size_t                     queue;
    ngx_msec_t                 flush_interval;
    ngx_msec_t                 timeout;
    ngx_msec_t                 shutdown_timeout;
    ngx_uint_t                 compression;
    ngx_str_t                  proxy;
    ngx_flag_t                 ssl_verify;
    ngx_str_t                  trusted_certificate;
    ngx_str_t                  spotlight;  /* URL, empty: off */
    ngx_flag_t                 debug;
    ngx_uint_t                 traces_limit;       /* a second, 0 off */
    snx_gate_limit_t           event_limit;

    ngx_uint_t                 log_events; /* log level, 0 off */
    ngx_sentry_dsn_t          *events_dsn; /* of the http level */
    ngx_str_t                  events_constants;
    snx_scrub_t                events_scrub;

    ngx_sentry_sources_t      *sources;    /* NULL: no text was needed */
    ngx_http_handler_pt        stub_status;
    ngx_cycle_t               *cycle;      /* while it is initialized */
    ngx_shm_zone_t            *zone;
    snx_shm_t                 *shm;
    uint16_t                   generation;

    ngx_int_t                  slot;       /* of each request's variables; */
                                           /* below 0: nothing is reported */

    unsigned                   handlers:1; /* sentry_status is used */
    unsigned                   slow:1;     /* some location asks for them */
    unsigned                   event_limit_set:1;
    unsigned                   traces:1;   /* some location has them */
    unsigned                   spotlight_set:1;
    unsigned                   proxy_set:1;
    unsigned                   server_timing:1;    /* on somewhere */
} ngx_sentry_main_conf_t;


typedef struct {
    ngx_array_t               *routes;     /* of ngx_sentry_route_t */
    ngx_flag_t                 default_routes;
} ngx_sentry_srv_conf_t;


/* What sentry_trace_context allows, bits. */

#define NGX_SENTRY_EXTRACT           1
#define NGX_SENTRY_INJECT            2


/* Statuses 400..599, a bit each. */

typedef struct {
    uint64_t                   bits[4];
} ngx_sentry_statuses_t;


typedef struct {
    ngx_sentry_dsn_t          *dsn;        /* NULL: off */
    ngx_str_t                  environment;
    ngx_str_t                  release;
    ngx_sentry_statuses_t      capture;
    ngx_sentry_statuses_t      named;      /* by a single code */
    ngx_sentry_rate_t          sample_rate;
    ngx_array_t               *ignore;     /* of ngx_http_complex_value_t */
    ngx_http_complex_value_t  *transaction;
    ngx_array_t               *tags;       /* of ngx_sentry_pair_t */
    ngx_array_t               *user;       /* of ngx_sentry_pair_t */
    ngx_array_t               *context;    /* of ngx_sentry_pair_t */
    ngx_array_t               *fingerprint;/* of ngx_http_complex_value_t */
    ngx_array_t               *scrub_terms;/* of snx_str_t */
    ngx_flag_t                 pii;
    ngx_uint_t                 breadcrumbs;/* log level, 0 off */
    ngx_sentry_rate_t          traces_sample_rate;     /* -1 off */
    ngx_flag_t                 inherit_sampling;
    ngx_http_complex_value_t  *inherit;    /* by variable, else NULL */
    ngx_uint_t                 trace_context;
    ngx_flag_t                 traceparent;
    ngx_flag_t                 server_timing;
    ngx_msec_t                 slow_request;   /* 0 off */
    size_t                     request_body;   /* bytes, 0 off */

    /* derived when merged */
    snx_scrub_t                scrub;
    ngx_str_t                  constants;  /* packed fields of each record */
    ngx_str_t                  location;   /* name, empty at server level */
    ngx_str_t                  baggage;    /* constant members of a trace */
    ngx_str_t                  heads[3];   /* all, by sampled + 1 */
    ngx_sentry_place_t        *place;      /* NULL: at http level */
    ngx_str_t                 *frames;     /* packed, server first */
    ngx_uint_t                 nframes;
    unsigned                   named_route:1;  /* location names the route */
    unsigned                   reports:1;      /* there is somewhere to send */
    unsigned                   remember:1;     /* passes are of use */
    unsigned                   dropped:1;      /* status or test location */
    unsigned                   traces:1;       /* requests may be sampled */
    unsigned                   untraced:1;     /* reports, but never those */
    unsigned                   may_miss:1;     /* a constant rate below 1 */
    unsigned                   hide_agent:1;   /* by sentry_scrub */
    unsigned                   capture_set:1;
    unsigned                   rate_set:1;
    unsigned                   traces_set:1;
    unsigned                   inject:1;       /* headers for upstreams */
} ngx_sentry_loc_conf_t;


/* A line of the error log as nginx wrote it, kept until the log phase. */

#define NGX_SENTRY_LINES_MAX_N       8
#define NGX_SENTRY_LINE_MAX          1024

typedef struct {
    ngx_uint_t                 level;
    int64_t                    time_us;
    ngx_http_request_t        *request;    /* the main one, or a part */
    ngx_uint_t                 number;     /* of its upstream try, 0 none */
    ngx_uint_t                 npasses;    /* of the main request, as of */
    ngx_uint_t                 ntries;     /* then; the last try's number */
    unsigned                   aside:1;    /* cannot be why it failed */
    size_t                     len;
    u_char                     text[NGX_SENTRY_LINE_MAX];
} ngx_sentry_line_t;


/* A log that requests write to, and the level wanted of it. */

typedef struct {
    ngx_log_t                 *log;
    ngx_uint_t                 level;
} ngx_sentry_log_t;


/* A subrequest that got headers of its own for its upstream. */

#define NGX_SENTRY_SUBS_MAX_N        64

typedef struct ngx_sentry_sub_s  ngx_sentry_sub_t;

struct ngx_sentry_sub_s {
    ngx_http_request_t        *request;
    unsigned char              upstream_span_id[8];
    ngx_sentry_sub_t          *next;
    unsigned                   injected:1;
};


/*
 * The trace a main request belongs to.  Decided once: when the upstream or a
 * variable needs it, else in the log phase.
 */

typedef struct ngx_sentry_room_s  ngx_sentry_room_t;

typedef struct {
    unsigned char              parent_span_id[8];   /* the caller's */
    ngx_sentry_route_t        *route;      /* NULL none matched */
    const snx_memo_slot_t     *line;       /* while there is no put */
    unsigned                   continued:1;   /* parent_span_id is set */
    unsigned                   frozen:1;   /* the caller's baggage is kept */
    unsigned                   trusted:1;  /* the caller's flag is obeyed */
    unsigned                   propagated:1;  /* headers went upstream */
    unsigned                   routed:1;   /* route was looked for */

    /* for ngx_sentry_baggage.c and ngx_sentry_propagate.c */
    unsigned                   built:1;    /* baggage and header are set */
    unsigned                   replaced:1; /* client is set */
    unsigned                   injected:1; /* the main request's headers */
    unsigned                   nsubs;
    ngx_str_t                  baggage;    /* ours, as propagated */
    ngx_str_t                  header;     /* others' and ours */
    u_char                    *digits;     /* of trace_id, in baggage; NULL */
    ngx_sentry_sub_t          *subs;

    /* from here on not zeroed at first: what is always set, or by a bit */
    unsigned char              trace_id[16];
    unsigned char              span_id[8];          /* our transaction's */
    unsigned char              upstream_span_id[8]; /* the app's parent */
    uint64_t                   bits;       /* as random, for random */
    double                     rate;       /* that decided, -1 none did */
    uint32_t                   random;     /* sample_rand, millionths */
    snx_sample_why_t           why;        /* what decided */
    signed char                sampled;    /* 1, 0, -1 no decision */
    signed char                flag;       /* as told the upstream */
    uint64_t                   line_puts;  /* as of when line was set */
    ngx_sentry_loc_conf_t     *conf;       /* that decided */
    ngx_sentry_room_t         *room;       /* it is in, or is a copy from */
    ngx_list_part_t            client;     /* the headers as they came */
} ngx_sentry_trace_t;


/* One way through the phases: internal redirects start another. */

#define NGX_SENTRY_PASSES_MAX_N  12        /* nginx allows 10 redirects */

typedef struct {
    int64_t                    time_us;
    void                     **loc_conf;   /* as of the rewrite phase */
    ngx_uint_t                 nstates;    /* upstream states before it */
    unsigned                   error:1;    /* on its way to an error page */
    unsigned                   internal:1; /* redirected to */
} ngx_sentry_pass_t;


/*
 * Whether a request is reported: decided once, when $sentry_event_id is asked
 * for, else in the log phase.
 */

typedef struct {
    ngx_uint_t                 status;     /* that it was decided for */
    uint64_t                   group;      /* of the gate */
    uint64_t                   held;       /* told with this event */
    unsigned char              event_id[16];
    unsigned                   passed:1;
} ngx_sentry_verdict_t;


/*
 * A subrequest of a sampled request, noted when nginx comes to it; post is
 * the module's own that asked for it, called by ours.
 */

typedef struct ngx_sentry_subrequest_s  ngx_sentry_subrequest_t;

struct ngx_sentry_subrequest_s {
    ngx_sentry_subrequest_t     *next;
    ngx_http_request_t          *request;
    void                       **loc_conf;
    ngx_http_post_subrequest_t  *post;     /* NULL: nobody waits for it */
    ngx_http_post_subrequest_t   wrapped;
    ngx_uint_t                   number;   /* from 1, as in the record */
    ngx_uint_t                   parent;   /* 0 the main request */
    int64_t                      end_us;   /* 0: not over */
    unsigned char                span_id[8];
};


/*
 * What a sampled request keeps while it runs.  Times in us since the epoch,
 * 0: not come to.  The module's context of the main request, where nothing
 * cleared it since; found again by ngx_sentry_ctx_t.
 */

#define NGX_SENTRY_SUBREQUESTS_MAX_N  16

typedef struct {
    int64_t                    marks[SNX_AT_UPGRADE];
    int64_t                    answered_us;    /* last bytes so far */
    ngx_sentry_subrequest_t   *first;
    ngx_sentry_subrequest_t   *last;
    ngx_uint_t                 nsubrequests;   /* all of them */
} ngx_sentry_spans_t;


/*
 * The random number of a request before its trace is made, and where it was
 * drawn.  With missed set the request is not sampled, and most of these never
 * need a trace.
 */

/* All bits of a draw set, which is more than millionths come to: a miss. */
#define NGX_SENTRY_NOT_DRAWN  0xfffff

typedef struct {
    ngx_sentry_loc_conf_t     *conf;       /* NULL: not asked for */
    uint32_t                   random;
    unsigned                   missed:1;
} ngx_sentry_draw_t;


/*
 * Kept as long as the request's pool, found again after internal redirects:
 * the locations the request came through, and what nginx logged.
 */

typedef struct {
    ngx_uint_t                 npasses;
    ngx_sentry_pass_t         *passes;     /* of PASSES_MAX_N */
    void                     **line_conf;  /* as of the last line */
    ngx_sentry_trace_t        *trace;      /* NULL: not needed so far */
    ngx_sentry_spans_t        *spans;      /* NULL: nothing noted */
    ngx_uint_t                 nlines;
    unsigned                   decided:1;  /* verdict is set */

    /* from here on not zeroed at first */
    ngx_sentry_draw_t          draw;
    ngx_sentry_room_t         *room;       /* what it is part of */
    ngx_sentry_trace_t         own;        /* what trace will be */
    ngx_sentry_verdict_t       verdict;
    ngx_sentry_line_t         *lines[NGX_SENTRY_LINES_MAX_N];
} ngx_sentry_ctx_t;


/* A failed, slow or sampled request on its way to a record. */

typedef struct {
    ngx_http_request_t        *request;
    ngx_sentry_loc_conf_t     *conf;       /* where the request failed */
    ngx_sentry_ctx_t          *ctx;        /* NULL nothing was kept */
    ngx_sentry_route_t        *route;      /* NULL none matched */
    ngx_str_t                  path;       /* the client's, decoded */
    ngx_uint_t                 status;
    unsigned char              event_id[16];
    snx_str_t                  type;       /* given, else from the status */
    snx_str_t                  value;
    snx_str_t                  aspect;     /* of a slow one: what was slow */
    uint64_t                   group;      /* of the gate */
    uint64_t                   held;       /* back since the last one */
    unsigned                   slow:1;
} ngx_sentry_event_t;


/* What one worker has: lanes, random bits, the buffer records are made in. */

typedef struct ngx_sentry_worker_s  ngx_sentry_worker_t;


extern ngx_module_t  ngx_sentry_module;


/* ngx_sentry_conf.c: life of the configuration */

/* The environment's names where the configuration gives none. */
void ngx_sentry_conf_names(ngx_sentry_main_conf_t *smcf,
    ngx_str_t *environment, ngx_str_t *release);

void *ngx_sentry_conf_create_main(ngx_conf_t *cf);
SNX_COLD char *ngx_sentry_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_sentry_conf_create_srv(ngx_conf_t *cf);
SNX_COLD char *ngx_sentry_conf_merge_srv(ngx_conf_t *cf, void *parent,
    void *child);
void *ngx_sentry_conf_create_loc(ngx_conf_t *cf);
SNX_COLD char *ngx_sentry_conf_merge_loc(ngx_conf_t *cf, void *parent,
    void *child);

/* The object of a DSN; NULL with *why set, or NULL: no memory, as was told. */
ngx_sentry_dsn_t *ngx_sentry_conf_dsn(ngx_conf_t *cf, ngx_str_t *dsn,
    const char **why);


/* ngx_sentry_env.c: SENTRY_* variables; NGX_ERROR after a logged [emerg] */

SNX_COLD ngx_int_t ngx_sentry_env_read(ngx_conf_t *cf, ngx_sentry_env_t *env);
ngx_int_t ngx_sentry_env_keep(ngx_conf_t *cf);


/* ngx_sentry_directives.c: setters, what is reported and as what */

SNX_COLD char *ngx_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_environment(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_release(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_capture(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_values(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_transaction(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_scrub(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_level(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_request_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_sentry_details.c: setters, details of an event */

SNX_COLD char *ngx_sentry_set_tag(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_user(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_context(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_sentry_delivery.c: setters, how it is delivered */

SNX_COLD char *ngx_sentry_set_server_name(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_queue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_msec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_compression(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_spotlight(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* "http://localhost:8969/stream" for a true value, the URL, or empty */
ngx_int_t ngx_sentry_spotlight_url(ngx_str_t *value, ngx_str_t *url);


/* ngx_sentry_route.c: sentry_route and what it matches */

SNX_COLD char *ngx_sentry_set_route(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Finds event->route, or takes what was found for the trace; NGX_DECLINED
 * when the route is not reported.
 */
ngx_int_t ngx_sentry_route_find(ngx_http_request_t *r,
    ngx_sentry_event_t *event);

/*
 * Finds trace->route; NGX_DECLINED when traces are dropped there.  Without
 * rules the path is not looked at.
 */
ngx_int_t ngx_sentry_route_traces(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);

/* NGX_DECLINED for a request that no rule matches but a built-in one. */
ngx_int_t ngx_sentry_route_builtin(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);

/* NGX_DECLINED for a request that a built-in route matches. */
ngx_int_t ngx_sentry_route_default(ngx_http_request_t *r);

/* Whether some rule of the server has a rate for traces. */
ngx_uint_t ngx_sentry_route_rates(ngx_conf_t *cf);


/* ngx_sentry_setup.c: what a configuration that reports anything installs */

SNX_COLD ngx_int_t ngx_sentry_setup(ngx_conf_t *cf);
SNX_COLD ngx_int_t ngx_sentry_setup_announce(ngx_cycle_t *cycle);


/* ngx_sentry_process.c: worker start and end, the sender's life */

SNX_COLD ngx_int_t ngx_sentry_process_init(ngx_cycle_t *cycle);
SNX_COLD void ngx_sentry_process_exit(ngx_cycle_t *cycle);
SNX_COLD void ngx_sentry_process_master_exit(ngx_cycle_t *cycle);
SNX_COLD void ngx_sentry_process_renew(ngx_cycle_t *cycle);

/* This worker's state; NULL where nothing is recorded (helpers, unused). */
extern ngx_sentry_worker_t  *ngx_sentry_worker SNX_HIDDEN;

static ngx_inline ngx_sentry_worker_t *
ngx_sentry_process_worker(void)
{
    return ngx_sentry_worker;
}


/*
 * Puts a record in the worker's lane and keeps the accounts of project (may
 * be NULL).  Returns NGX_OK, or NGX_DECLINED when it was counted as lost.
 */
ngx_int_t ngx_sentry_process_put(ngx_sentry_worker_t *worker,
    snx_project_t *project, snx_kind_t kind, snx_rec_writer_t *rec);

/* A record in the worker's one buffer, empty but for its facts. */
void ngx_sentry_process_record(ngx_sentry_worker_t *worker,
    snx_rec_writer_t *rec);

/* 1 while Sentry limits the category, and then counts one lost by it. */
ngx_int_t ngx_sentry_process_limits(snx_project_t *project,
    snx_category_t category);

static ngx_inline ngx_int_t
ngx_sentry_process_limited(snx_project_t *project, snx_category_t category)
{
    return project && snx_limits_any(&project->limits, category)
           && ngx_sentry_process_limits(project, category);
}


void ngx_sentry_process_id(ngx_sentry_worker_t *worker, void *out,
    size_t len);
double ngx_sentry_process_unit(ngx_sentry_worker_t *worker);


/* ngx_sentry_place.c: where in the configuration a location stands */

/* Where the block that is being opened begins. */
SNX_COLD ngx_int_t ngx_sentry_place_note(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf);

/* Prepares the frames of a location whose settings are merged. */
SNX_COLD ngx_int_t ngx_sentry_place_merge(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *prev, ngx_sentry_loc_conf_t *conf);

void ngx_sentry_place_pack(ngx_sentry_loc_conf_t *conf,
    snx_rec_writer_t *rec);


/* ngx_sentry_pressure.c: fewer traces when they cannot be sent */

/* By the process that sends, each tick. */
void ngx_sentry_pressure_check(snx_shm_t *shm);


/* ngx_sentry_room.c: memory for what is kept of a request */

/* An empty context and room beside it, for as long as pool; or NULL. */
ngx_sentry_ctx_t *ngx_sentry_room_take(ngx_pool_t *pool);

/*
 * size bytes, aligned to 8, for as long as pool, that of the request: of room,
 * which may be NULL, while there is some, else of the pool.  NULL: no memory.
 */
void *ngx_sentry_room_alloc(ngx_sentry_room_t *room, ngx_pool_t *pool,
    size_t size);

/* Lets pool, that of its request, have what is left of the room; once. */
void ngx_sentry_room_lend(ngx_sentry_room_t *room, ngx_pool_t *pool);


/* ngx_sentry_trail.c: the way of a request through nginx */

/* Rewrite phase: notes the pass, where that may be wanted later. */
ngx_int_t ngx_sentry_trail_handler(ngx_http_request_t *r);

/* Reserves the slot that requests keep it in; postconfiguration. */
SNX_COLD ngx_int_t ngx_sentry_trail_init(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf);

/* NULL where nothing is reported. */
static ngx_inline ngx_http_variable_value_t *
ngx_sentry_trail_slot(ngx_http_request_t *r)
{
    ngx_sentry_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_sentry_module);

    return smcf->slot < 0 ? NULL : &r->variables[smcf->slot];
}


/*
 * What is kept of a main request; made when make is set; NULL if not.  With
 * escape set the slot has a draw instead, which needs no memory.
 */

ngx_sentry_ctx_t *ngx_sentry_trail_make(ngx_http_request_t *r);

static ngx_inline ngx_sentry_ctx_t *
ngx_sentry_trail_ctx(ngx_http_request_t *r, ngx_uint_t make)
{
    ngx_http_variable_value_t  *slot;

    slot = ngx_sentry_trail_slot(r);

    if (slot == NULL) {
        return NULL;
    }

    if (slot->data && !slot->escape) {
        return (ngx_sentry_ctx_t *) slot->data;
    }

    return make ? ngx_sentry_trail_make(r) : NULL;
}


/* Keeps the draw of a request, and finds it; conf NULL: there is none. */

static ngx_inline void
ngx_sentry_trail_keep(ngx_http_variable_value_t *slot,
    ngx_sentry_draw_t *draw)
{
    if (slot->data && !slot->escape) {
        ((ngx_sentry_ctx_t *) slot->data)->draw = *draw;
        return;
    }

    slot->escape = 1;
    slot->not_found = draw->missed;
    slot->len = draw->random & NGX_SENTRY_NOT_DRAWN;
    slot->data = (u_char *) draw->conf;
}


static ngx_inline void
ngx_sentry_trail_drawn(ngx_http_variable_value_t *slot,
    ngx_sentry_draw_t *draw)
{
    if (slot == NULL || slot->data == NULL) {
        draw->conf = NULL;

    } else if (slot->escape) {
        draw->conf = (ngx_sentry_loc_conf_t *) slot->data;
        draw->random = slot->len;
        draw->missed = slot->not_found;

    } else {
        *draw = ((ngx_sentry_ctx_t *) slot->data)->draw;
    }
}


static ngx_inline void
ngx_sentry_trail_draw(ngx_http_request_t *r, ngx_sentry_draw_t *draw)
{
    ngx_http_variable_value_t  *slot;

    slot = ngx_sentry_trail_slot(r);

    if (slot) {
        ngx_sentry_trail_keep(slot, draw);
    }
}


/* The place that counts: not the error page that the request was led to. */
ngx_sentry_loc_conf_t *ngx_sentry_trail_failed(ngx_http_request_t *r,
    ngx_sentry_ctx_t *ctx);

static ngx_inline ngx_sentry_loc_conf_t *
ngx_sentry_trail_place(ngx_http_request_t *r, ngx_sentry_ctx_t *ctx)
{
    return (ctx && (r->err_status || r->error_page))
           ? ngx_sentry_trail_failed(r, ctx)
           : ngx_http_get_module_loc_conf(r, ngx_sentry_module);
}


/* The event loop's time in us: that of all other numbers nginx keeps. */

static ngx_inline int64_t
ngx_sentry_trail_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return ((int64_t) tp->sec * 1000 + (int64_t) tp->msec) * 1000;
}


void ngx_sentry_trail_passes(ngx_sentry_ctx_t *ctx, snx_rec_writer_t *rec);

/*
 * The upstream tries of r, which is number (0 the main request) in the
 * record.  passes may be NULL (a subrequest).
 */
void ngx_sentry_trail_upstreams(ngx_http_request_t *r,
    ngx_sentry_ctx_t *passes, ngx_uint_t number, snx_rec_writer_t *rec);


/* ngx_sentry_trace.c: which trace, and whether it is recorded */

/* Makes the trace of a main request, decides and keeps it; ctx may be NULL. */
ngx_sentry_trace_t *ngx_sentry_trace_begin(ngx_http_request_t *r,
    ngx_sentry_ctx_t *ctx);

/*
 * The trace of a main request (also of its subrequests), made and decided
 * when it is not yet, and kept with it.  NULL: out of memory, or nothing is
 * recorded in this process.
 */

static ngx_inline ngx_sentry_trace_t *
ngx_sentry_trace_keep(ngx_http_request_t *r)
{
    ngx_sentry_ctx_t  *ctx;

    ctx = ngx_sentry_trail_ctx(r->main, 0);

    return (ctx && ctx->trace) ? ctx->trace
                               : ngx_sentry_trace_begin(r->main, ctx);
}


/*
 * Whether it is known without a trace that r, a main request, is not sampled:
 * its own rate decides and the draw missed it.  Cheap: this is most requests.
 */

ngx_uint_t ngx_sentry_trace_draw(ngx_http_request_t *r,
    ngx_http_variable_value_t *slot);

static ngx_inline ngx_uint_t
ngx_sentry_trace_missed(ngx_http_request_t *r)
{
    ngx_sentry_draw_t           draw;
    ngx_http_variable_value_t  *slot;

    slot = ngx_sentry_trail_slot(r);

    if (slot == NULL) {
        return 0;
    }

    ngx_sentry_trail_drawn(slot, &draw);

    return draw.conf ? draw.missed : ngx_sentry_trace_draw(r, slot);
}


/* A copy of it, of random ids where it could not be kept. */
void ngx_sentry_trace_of(ngx_http_request_t *r, ngx_sentry_trace_t *trace);

/* Ids, flag, rate and baggage of a record. */
void ngx_sentry_trace_pack(ngx_http_request_t *r, snx_rec_writer_t *rec);


/* ngx_sentry_baggage.c: the trace's baggage */

/* The constant members of a location's traces. */
SNX_COLD ngx_int_t ngx_sentry_baggage_constants(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *conf);

/*
 * Sets trace->baggage and header, once; out of memory they stay empty.  came:
 * the client may have sent some; 0: it is known that it sent none.
 */
void ngx_sentry_baggage_build(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace, ngx_uint_t came);


/* ngx_sentry_propagate.c: what goes to the upstream */

ngx_int_t ngx_sentry_propagate_handler(ngx_http_request_t *r);
void ngx_sentry_propagate_init(void);

/* The id that r's upstream is told as its parent: 8 bytes. */
unsigned char *ngx_sentry_propagate_span_id(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);

/* What was kept of a subrequest, NULL when it got no headers. */
ngx_sentry_sub_t *ngx_sentry_propagate_sub(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);

/* Headers of ours; in masks the bits of these numbers. */

#define NGX_SENTRY_TRACE             0
#define NGX_SENTRY_BAGGAGE           1
#define NGX_SENTRY_TRACEPARENT       2

ngx_uint_t ngx_sentry_propagate_scan(ngx_list_part_t *part);

/* Those in a list.  Most requests have none as long that begins alike. */

static ngx_inline ngx_uint_t
ngx_sentry_propagate_came(ngx_list_part_t *part)
{
    ngx_list_part_t  *first;
    ngx_table_elt_t  *h, *last;

    static const ngx_uint_t  lengths = 1 << (sizeof("baggage") - 1)
                                       | 1 << (sizeof("traceparent") - 1)
                                       | 1 << (sizeof("sentry-trace") - 1);
    static const char        letters[] = "       b   ts";     /* by length */

    for (first = part; part; part = part->next) {
        h = part->elts;
        last = h + part->nelts;

        for ( /* void */ ; h != last; h++) {
            if (h->key.len < sizeof("sentry-trace")
                && (lengths >> h->key.len & 1)
                && (h->key.data[0] | 0x20) == letters[h->key.len])
            {
                return ngx_sentry_propagate_scan(first);
            }
        }
    }

    return 0;
}


/* The client's headers, without what was put in their place. */

ngx_list_part_t *ngx_sentry_propagate_client(ngx_http_request_t *r);

static ngx_inline ngx_list_part_t *
ngx_sentry_trace_client(ngx_http_request_t *r, ngx_sentry_trace_t *trace)
{
    return trace->replaced ? &trace->client
                           : &r->main->headers_in.headers.part;
}


/* ngx_sentry_tracing.c: the directives of traces */

SNX_COLD void ngx_sentry_tracing_merge(ngx_conf_t *cf,
    ngx_sentry_loc_conf_t *prev, ngx_sentry_loc_conf_t *conf);

SNX_COLD char *ngx_sentry_set_traces_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_inherit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_traces_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_trace_context(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
SNX_COLD char *ngx_sentry_set_server_timing(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_sentry_variable.c: $sentry_... */

SNX_COLD ngx_int_t ngx_sentry_variable_add(ngx_conf_t *cf);


/* ngx_sentry_timing.c: the trace for the browser */

SNX_COLD void ngx_sentry_timing_install(void);


/* ngx_sentry_moment.c: when a sampled request comes by */

/* Phase handlers: before limit_req, and after it. */
ngx_int_t ngx_sentry_moment_preaccess(ngx_http_request_t *r);
ngx_int_t ngx_sentry_moment_access(ngx_http_request_t *r);

/* Before the content, in the precontent phase. */

static ngx_inline void
ngx_sentry_moment_content(ngx_http_request_t *r)
{
    ngx_sentry_spans_t  *spans;

    spans = ngx_http_get_module_ctx(r, ngx_sentry_module);

    if (spans && r == r->main && spans->marks[SNX_AT_CONTENT] == 0) {
        spans->marks[SNX_AT_CONTENT] = ngx_sentry_trail_now();
    }
}


/* Header and body filter; while nginx reads its configuration. */
SNX_COLD void ngx_sentry_moment_filters(void);

/* What a main request keeps if it is sampled, which is decided here; NULL. */
ngx_sentry_spans_t *ngx_sentry_moment_spans(ngx_http_request_t *r);


/* ngx_sentry_subrequest.c: subrequests of a sampled request */

/* Notes a subrequest, once. */
void ngx_sentry_subrequest_note(ngx_http_request_t *r);

void ngx_sentry_subrequest_pack(ngx_sentry_ctx_t *ctx,
    snx_rec_writer_t *rec);


/* ngx_sentry_memo.c: what strings that come again and again become */

/* Begins, in pool; without one (NULL) nothing is remembered. */
void ngx_sentry_memo_init(ngx_pool_t *pool);

/* As ngx_sentry_route_default(); notes trace->line. */
ngx_int_t ngx_sentry_memo_builtin(ngx_http_request_t *r,
    ngx_sentry_trace_t *trace);

/* Name and request line; the user agent; where the request was passed to. */
void ngx_sentry_memo_line(ngx_sentry_event_t *event, snx_rec_writer_t *rec);
void ngx_sentry_memo_agent(ngx_sentry_event_t *event, snx_rec_writer_t *rec);
void ngx_sentry_memo_upstream(ngx_sentry_event_t *event, snx_str_t url,
    snx_rec_writer_t *rec);


/* ngx_sentry_transaction.c: the record of a sampled request */

/* Log phase. */
ngx_int_t ngx_sentry_transaction_log(ngx_http_request_t *r);


/* ngx_sentry_capture.c: which requests become events */

ngx_int_t ngx_sentry_capture_log(ngx_http_request_t *r);

/*
 * The 16 bytes of the id under which a main request will be reported, as far
 * as is known by now; NULL when it will not be.  The decision is kept.
 */
unsigned char *ngx_sentry_capture_id(ngx_http_request_t *r);

/* Whether sentry_ignore says so. */
ngx_int_t ngx_sentry_capture_ignored(ngx_http_request_t *r,
    ngx_sentry_loc_conf_t *conf);

/*
 * The value of a rate for this request; a variable that is no rate counts as
 * 1: a mistake loses nothing.
 */
double ngx_sentry_capture_rate(ngx_http_request_t *r,
    ngx_sentry_rate_t *rate);


/* ngx_sentry_slow.c: slow requests */

SNX_COLD char *ngx_sentry_set_slow_request(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Whether the request was slow where it ended: sets type and aspect then, else
 * NGX_DECLINED.  For the log phase.
 */
ngx_int_t ngx_sentry_slow_find(ngx_sentry_event_t *event);

/* The text of its event; returns the length. */
size_t ngx_sentry_slow_value(ngx_sentry_event_t *event, u_char *buf,
    size_t cap);


/* ngx_sentry_group.c: which events are alike, and how many of them pass */

SNX_COLD char *ngx_sentry_set_event_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * NGX_OK: may be sent, and tells of event->held others.  NGX_DECLINED: the
 * gate counted it, the caller keeps the project's accounts.
 */
ngx_int_t ngx_sentry_group_pass(ngx_sentry_event_t *event);

/* Whether an event that passed was recorded. */
void ngx_sentry_group_told(ngx_sentry_event_t *event, ngx_uint_t recorded);

/* The fingerprint; event->type is set. */
void ngx_sentry_group_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec);


/* ngx_sentry_cause.c: the error log lines of a request */

SNX_COLD ngx_int_t ngx_sentry_cause_collect(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf, ngx_log_t *log, ngx_uint_t level);
SNX_COLD void ngx_sentry_cause_install(ngx_cycle_t *cycle,
    ngx_sentry_main_conf_t *smcf);
SNX_COLD void ngx_sentry_cause_learn(ngx_cycle_t *cycle);


/* ngx_sentry_notes.c: lines of the error log that belong to no request */

/* Settles what events of lines look like, and which logs have them. */
SNX_COLD ngx_int_t ngx_sentry_notes_setup(ngx_conf_t *cf,
    ngx_sentry_main_conf_t *smcf);

/* Leaves a note of a line; in any process, also in signal handlers. */
SNX_COLD void ngx_sentry_notes_line(ngx_sentry_main_conf_t *smcf,
    ngx_uint_t level, u_char *buf, size_t len);

/* In the process that sends: events of the notes that were left. */
SNX_COLD void ngx_sentry_notes_drain(ngx_sentry_worker_t *worker,
    ngx_sentry_main_conf_t *smcf);


/* ngx_sentry_body.c: the request's body, filtered */

void ngx_sentry_body_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec);


/* ngx_sentry_pack.c: an event's record from a request */

void ngx_sentry_pack_event(ngx_sentry_worker_t *worker,
    ngx_sentry_event_t *event, snx_rec_writer_t *rec);

/* Its parts that a transaction has as well. */
void ngx_sentry_pack_transaction(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
void ngx_sentry_pack_upstreams(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
void ngx_sentry_pack_directives(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
void ngx_sentry_pack_numbers(ngx_http_request_t *r, snx_rec_writer_t *rec);


/* ngx_sentry_request.c: what the client sent, scrubbed */

void ngx_sentry_request_line(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);
void ngx_sentry_request_headers(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);

/* Of the connection. */
void ngx_sentry_request_client(ngx_sentry_event_t *event,
    snx_rec_writer_t *rec);

/* NGX_OK and the first header of that lower-case name, or NGX_DECLINED. */
ngx_int_t ngx_sentry_request_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* The method the client sent, empty when that is not known. */
snx_str_t ngx_sentry_request_method(ngx_http_request_t *r);

/* The request target's bytes, also of requests nginx could not parse. */
snx_str_t ngx_sentry_request_target(ngx_http_request_t *r);


/* ngx_sentry_error.c: what went wrong */

/*
 * The exception, and what led to it: from the lines of the error log, the
 * upstream tries and the status.  Sets event->type.
 */
void ngx_sentry_error_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec);

/* The type that a status alone gives: upstream answered it, or nginx did. */
snx_str_t ngx_sentry_error_type(ngx_uint_t status, ngx_uint_t upstream);

/* The type it will set, before anything is packed. */
snx_str_t ngx_sentry_error_class(ngx_sentry_event_t *event);

/* The last upstream try that answered or failed, NULL without any. */
ngx_http_upstream_state_t *ngx_sentry_error_last_try(ngx_http_request_t *r);


/* ngx_sentry_crumb.c: breadcrumbs */

/* Every line kept, oldest first, and the verdicts of the limits. */
void ngx_sentry_crumb_pack(ngx_sentry_event_t *event, snx_rec_writer_t *rec);


/* ngx_sentry_reason.c: what went wrong, one after the other */

#define NGX_SENTRY_REASONS_MAX_N     4
#define NGX_SENTRY_REASON_MAX        1024

typedef struct {
    snx_str_t                  type;
    snx_str_t                  text;       /* of a line; empty: by status */
    ngx_str_t                 *peer;       /* upstream, NULL none */
    ngx_uint_t                 number;     /* of the try, 0: of none */
    ngx_uint_t                 status;     /* answered by it, 0: none */
    int                        error;      /* errno, 0 none */
} ngx_sentry_reason_t;

typedef struct {
    ngx_uint_t                 n;
    ngx_sentry_reason_t        reason[NGX_SENTRY_REASONS_MAX_N];
} ngx_sentry_reasons_t;

/* Oldest first; the last one, if any, is why the request failed. */
void ngx_sentry_reason_find(ngx_sentry_event_t *event,
    ngx_sentry_reasons_t *reasons);

/* 1 when limit_req or limit_conn refused the request. */
ngx_uint_t ngx_sentry_reason_limited(ngx_http_request_t *r);


/* ngx_sentry_status.c, ngx_sentry_test.c: content handlers */

SNX_COLD ngx_int_t ngx_sentry_status_handler(ngx_http_request_t *r);
SNX_COLD ngx_int_t ngx_sentry_test_handler(ngx_http_request_t *r);


#endif /* NGX_SENTRY_H_INCLUDED */
