
/*
 * Copyright (C) ngx_sentry authors
 *
 * Sentry's Data Source Name: {http|https}://{key}[:{secret}]@{host}[:{port}]
 * {path}/{project}.  Source: develop docs, sdk/foundations/transport/
 * authentication.
 */


#ifndef SNX_DSN_H_INCLUDED
#define SNX_DSN_H_INCLUDED


#include "snx.h"


typedef struct {
    snx_str_t   scheme;        /* "http", "https" */
    snx_str_t   key;
    snx_str_t   secret;        /* empty: none */
    snx_str_t   host;          /* without brackets */
    snx_str_t   path;          /* "" or "/a/b" */
    snx_str_t   project;       /* digits */
    uint16_t    port;          /* always set */
    unsigned    ipv6:1;        /* host stood in brackets */
    unsigned    port_given:1;  /* and is not the scheme's default */
} snx_dsn_t;


/*
 * Parses s.  Memory: the parts point into s.
 * Returns SNX_OK, or SNX_INVALID with *why set to what is wrong, a constant
 * for "... in sentry_dsn", such as "no public key before \"@\"".
 */
SNX_COLD snx_rc_t snx_dsn_parse(snx_dsn_t *dsn, snx_str_t s,
    const char **why);

/*
 * Each writes a terminated text into buf and returns its length, 0 when cap
 * is too small.
 *   envelope_url  https://host[:port]{path}/api/{project}/envelope/
 *   auth          Sentry sentry_version=7, sentry_client=..., sentry_key=...
 *   label         host[:port]{path}/project, for people: no key
 *   org_id        digits of "o123." in front of host; 0 when there is none
 */
size_t snx_dsn_envelope_url(const snx_dsn_t *dsn, char *buf, size_t cap);
size_t snx_dsn_auth(const snx_dsn_t *dsn, char *buf, size_t cap);
size_t snx_dsn_label(const snx_dsn_t *dsn, char *buf, size_t cap);
size_t snx_dsn_org_id(const snx_dsn_t *dsn, char *buf, size_t cap);


#endif /* SNX_DSN_H_INCLUDED */
