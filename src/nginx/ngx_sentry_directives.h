
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the files of setters share.
 */


#ifndef NGX_SENTRY_DIRECTIVES_H_INCLUDED
#define NGX_SENTRY_DIRECTIVES_H_INCLUDED


#include "ngx_sentry.h"


/* Logs the sentence at [emerg]; the value a setter then returns. */

#define ngx_sentry_refuse(cf, ...)                                            \
    (ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, __VA_ARGS__),                   \
     (char *) NGX_CONF_ERROR)


/* What a value must be, the same for a directive and its variable. */

#define NGX_SENTRY_ENVIRONMENT_RULE                                           \
    "1 to 64 characters without blanks and \"/\", and not \"None\""

#define NGX_SENTRY_RELEASE_RULE                                               \
    "1 to 200 characters without line breaks, tabs, \"/\" and \"\\\", and "    \
    "not \".\" or \"..\""


static ngx_inline ngx_int_t
ngx_sentry_eq(ngx_str_t *a, const char *z)
{
    return a->len == ngx_strlen(z) && ngx_memcmp(a->data, z, a->len) == 0;
}


ngx_int_t ngx_sentry_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv);

ngx_int_t ngx_sentry_is_environment(ngx_str_t *value);
ngx_int_t ngx_sentry_is_release(ngx_str_t *value);

/* Makes the list unless it is there already. */
char *ngx_sentry_list(ngx_conf_t *cf, ngx_array_t **list, size_t size);

/* "off" as the only argument: NGX_OK, the list is empty here (NULL). */
ngx_int_t ngx_sentry_list_off(ngx_conf_t *cf, ngx_array_t **list);


#endif /* NGX_SENTRY_DIRECTIVES_H_INCLUDED */
