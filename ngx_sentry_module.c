
/*
 * Copyright (C) ngx_sentry authors
 *
 * The table of contents: every directive with its place and its setter, the
 * module's definition and its process hooks.  No parsing and no request code
 * here.  What happens when: src/nginx/ngx_sentry_conf.c (configuration),
 * _setup.c (hooks and shared memory), _process.c (workers), _capture.c and
 * _pack.c (requests), _status.c and _test.c (content handlers); the sender
 * thread is in src/sender/.
 */


#include "ngx_sentry.h"


#define NGX_SENTRY_S                                                          \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_conf_num_bounds_t  ngx_sentry_flush_bounds = {
    ngx_conf_check_num_bounds, 10, 60000
};

static ngx_conf_num_bounds_t  ngx_sentry_timeout_bounds = {
    ngx_conf_check_num_bounds, 100, 300000
};

static ngx_conf_num_bounds_t  ngx_sentry_shutdown_bounds = {
    ngx_conf_check_num_bounds, 0, 60000
};


static ngx_command_t  ngx_sentry_commands[] = {

    { ngx_string("sentry_dsn"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_dsn,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_environment"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_environment,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_release"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_release,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_server_name"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_server_name,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_capture"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_capture,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_sample_rate"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_traces_sample_rate"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_traces_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_inherit_sampling"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_inherit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_traces_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_traces_limit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_trace_context"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_trace_context,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_propagate_traceparent"),
      NGX_SENTRY_S|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, traceparent),
      NULL },

    { ngx_string("sentry_server_timing"),
      NGX_SENTRY_S|NGX_CONF_FLAG,
      ngx_sentry_set_server_timing,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, server_timing),
      NULL },

    { ngx_string("sentry_route"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_sentry_set_route,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_default_routes"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_sentry_srv_conf_t, default_routes),
      NULL },

    { ngx_string("sentry_ignore"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_values,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, ignore),
      NULL },

    { ngx_string("sentry_transaction"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_transaction,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_tag"),
      NGX_SENTRY_S|NGX_CONF_TAKE12,
      ngx_sentry_set_tag,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_user"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_user,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_context"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_context,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_fingerprint"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_values,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, fingerprint),
      NULL },

    { ngx_string("sentry_send_default_pii"),
      NGX_SENTRY_S|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, pii),
      NULL },

    { ngx_string("sentry_scrub"),
      NGX_SENTRY_S|NGX_CONF_1MORE,
      ngx_sentry_set_scrub,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_breadcrumbs"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_level,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_sentry_loc_conf_t, breadcrumbs),
      NULL },

    { ngx_string("sentry_log_events"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_level,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, log_events),
      NULL },

    { ngx_string("sentry_request_body"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_request_body,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_slow_request"),
      NGX_SENTRY_S|NGX_CONF_TAKE1,
      ngx_sentry_set_slow_request,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_event_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_sentry_set_event_limit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_queue"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_queue,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_flush_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, flush_interval),
      &ngx_sentry_flush_bounds },

    { ngx_string("sentry_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, timeout),
      &ngx_sentry_timeout_bounds },

    { ngx_string("sentry_shutdown_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, shutdown_timeout),
      &ngx_sentry_shutdown_bounds },

    { ngx_string("sentry_compression"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_compression,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_proxy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_proxy,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_ssl_verify"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, ssl_verify),
      NULL },

    { ngx_string("sentry_ssl_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_certificate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_spotlight"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_sentry_set_spotlight,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_debug"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_sentry_main_conf_t, debug),
      NULL },

    { ngx_string("sentry_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_sentry_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sentry_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_sentry_set_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_sentry_module_ctx = {
    ngx_sentry_variable_add,               /* preconfiguration */
    ngx_sentry_setup,                      /* postconfiguration */

    ngx_sentry_conf_create_main,           /* create main configuration */
    ngx_sentry_conf_init_main,             /* init main configuration */

    ngx_sentry_conf_create_srv,            /* create server configuration */
    ngx_sentry_conf_merge_srv,             /* merge server configuration */

    ngx_sentry_conf_create_loc,            /* create location configuration */
    ngx_sentry_conf_merge_loc              /* merge location configuration */
};


ngx_module_t  ngx_sentry_module = {
    NGX_MODULE_V1,
    &ngx_sentry_module_ctx,                /* module context */
    ngx_sentry_commands,                   /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_sentry_setup_announce,             /* init module */
    ngx_sentry_process_init,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_sentry_process_exit,               /* exit process */
    ngx_sentry_process_master_exit,        /* exit master */
    NGX_MODULE_V1_PADDING
};
