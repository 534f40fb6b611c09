
/*
 * Copyright (C) ngx_sentry authors
 *
 * Setters of the directives: each checks its arguments and refuses a bad
 * value with a sentence that names the directive, the value and what would
 * be right.  A DSN is never printed, its key least of all.
 */


#include "ngx_sentry.h"
#include "snx_text.h"


#define ngx_sentry_refuse(cf, ...)                                            \
    (ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, __VA_ARGS__),                   \
     (char *) NGX_CONF_ERROR)


static ngx_int_t ngx_sentry_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv);
static char *ngx_sentry_list(ngx_conf_t *cf, ngx_array_t **list, size_t size);
static ngx_int_t ngx_sentry_list_off(ngx_conf_t *cf, ngx_array_t **list);
static char *ngx_sentry_pair(ngx_conf_t *cf, ngx_array_t *list,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_sentry_status_code(u_char *p, size_t len);
static void ngx_sentry_status_set(ngx_sentry_statuses_t *set, ngx_int_t from,
    ngx_int_t to);
static char *ngx_sentry_route_option(ngx_conf_t *cf,
    ngx_sentry_route_t *route, ngx_str_t *arg);
static char *ngx_sentry_route_match(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *modifier, ngx_str_t *pattern);
static void ngx_sentry_route_cleanup(void *data);
static ngx_int_t ngx_sentry_is_http_url(ngx_str_t *value);


static ngx_str_t  ngx_sentry_off = ngx_string("off");


static ngx_inline ngx_int_t
ngx_sentry_eq(ngx_str_t *a, const char *z)
{
    return a->len == ngx_strlen(z) && ngx_memcmp(a->data, z, a->len) == 0;
}


char *
ngx_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t    *value;
    const char   *why;

    if (slcf->dsn != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->dsn = NULL;
        return NGX_CONF_OK;
    }

    slcf->dsn = ngx_sentry_conf_dsn(cf, &value[1], &why);

    if (slcf->dsn == NULL) {
        return ngx_sentry_refuse(cf, "\"sentry_dsn\" must be "
                                 "http(s)://key@host/project or \"off\": %s",
                                 why);
    }

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_environment(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (slcf->environment.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_SENTRY_ENVIRONMENT_MAX
        || ngx_sentry_eq(&value[1], "None"))
    {
        goto invalid;
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] <= ' ' || value[1].data[i] == '/') {
            goto invalid;
        }
    }

    slcf->environment = value[1];

    return NGX_CONF_OK;

invalid:

    return ngx_sentry_refuse(cf, "\"sentry_environment\" must be 1 to 64 "
                             "characters without blanks and \"/\", and not "
                             "\"None\", got \"%V\"", &value[1]);
}


char *
ngx_sentry_set_release(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (slcf->release.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_SENTRY_RELEASE_MAX
        || ngx_sentry_eq(&value[1], ".") || ngx_sentry_eq(&value[1], "..")
        || ngx_sentry_eq(&value[1], " "))
    {
        goto invalid;
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < ' ' || value[1].data[i] == '/'
            || value[1].data[i] == '\\')
        {
            goto invalid;
        }
    }

    slcf->release = value[1];

    return NGX_CONF_OK;

invalid:

    return ngx_sentry_refuse(cf, "\"sentry_release\" must be 1 to 200 "
                             "characters without line breaks, tabs, \"/\" "
                             "and \"\\\", and not \".\" or \"..\", got "
                             "\"%V\"", &value[1]);
}


char *
ngx_sentry_set_server_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->server_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > SNX_TAG_VALUE_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_server_name\" must be 1 to "
                                 "200 characters, got \"%V\"", &value[1]);
    }

    smcf->server_name = value[1];

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_capture(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *dash, *last;
    ngx_int_t    from, to;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (slcf->capture_set) {
        return "is duplicate";
    }

    slcf->capture_set = 1;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_sentry_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_sentry_eq(&value[i], "4xx")) {
            ngx_sentry_status_set(&slcf->capture, 400, 499);
            continue;
        }

        if (ngx_sentry_eq(&value[i], "5xx")) {
            ngx_sentry_status_set(&slcf->capture, 500, 599);
            continue;
        }

        last = value[i].data + value[i].len;
        dash = ngx_strlchr(value[i].data, last, '-');

        if (dash == NULL) {
            from = to = ngx_sentry_status_code(value[i].data, value[i].len);

        } else {
            from = ngx_sentry_status_code(value[i].data,
                                          dash - value[i].data);
            to = ngx_sentry_status_code(dash + 1, last - dash - 1);
        }

        if (from == NGX_ERROR || to == NGX_ERROR || from > to) {
            return ngx_sentry_refuse(cf, "\"sentry_capture\" takes \"5xx\", "
                                     "\"4xx\", codes and ranges from 400 to "
                                     "599, or \"off\" alone, got \"%V\"",
                                     &value[i]);
        }

        if (from == to && from == 499) {
            return ngx_sentry_refuse(cf, "\"sentry_capture\" cannot name "
                                     "499: the client went away, nothing "
                                     "failed");
        }

        ngx_sentry_status_set(&slcf->capture, from, to);

        if (from == to) {
            ngx_sentry_status_set(&slcf->named, from, to);
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_sentry_status_code(u_char *p, size_t len)
{
    ngx_int_t  code;

    code = ngx_atoi(p, len);

    if (len != 3 || code < 400 || code > 599) {
        return NGX_ERROR;
    }

    return code;
}


static void
ngx_sentry_status_set(ngx_sentry_statuses_t *set, ngx_int_t from,
    ngx_int_t to)
{
    for ( /* void */ ; from <= to; from++) {
        set->bits[(from - 400) / 64] |= 1ull << ((from - 400) % 64);
    }
}


char *
ngx_sentry_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->rate_set) {
        return "is duplicate";
    }

    slcf->rate_set = 1;

    value = cf->args->elts;

    if (ngx_http_script_variables_count(&value[1])) {

        slcf->sample_rate.complex = ngx_palloc(cf->pool,
                                            sizeof(ngx_http_complex_value_t));
        if (slcf->sample_rate.complex == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_sentry_complex(cf, &value[1], slcf->sample_rate.complex)
               == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (!snx_text_rate(ngx_sentry_str(&value[1]), &slcf->sample_rate.value)) {
        return ngx_sentry_refuse(cf, "\"%V\" must be between 0 and 1 or a "
                                 "variable, got \"%V\"", &cmd->name,
                                 &value[1]);
    }

    return NGX_CONF_OK;
}


/* sentry_route [= | ^~ | ~ | ~*] pattern [option ...] */

char *
ngx_sentry_set_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_srv_conf_t *sscf = conf;

    char                *rv;
    ngx_str_t           *value, none = ngx_null_string;
    ngx_uint_t           i;
    ngx_sentry_route_t  *route;

    if (sscf->routes == NULL) {
        sscf->routes = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_sentry_route_t));
        if (sscf->routes == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    route = ngx_array_push(sscf->routes);
    if (route == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(route, sizeof(ngx_sentry_route_t));

    route->errors = -1;
    route->traces = -1;

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "=") || ngx_sentry_eq(&value[1], "^~")
        || ngx_sentry_eq(&value[1], "~") || ngx_sentry_eq(&value[1], "~*"))
    {
        if (cf->args->nelts == 2) {
            return ngx_sentry_refuse(cf, "\"sentry_route\" needs a pattern "
                                     "after \"%V\"", &value[1]);
        }

        rv = ngx_sentry_route_match(cf, route, &value[1], &value[2]);
        i = 3;

    } else {
        rv = ngx_sentry_route_match(cf, route, &none, &value[1]);
        i = 2;
    }

    for ( /* void */ ; rv == NGX_CONF_OK && i < cf->args->nelts; i++) {
        rv = ngx_sentry_route_option(cf, route, &value[i]);
    }

    return rv;
}


static char *
ngx_sentry_route_match(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *modifier, ngx_str_t *pattern)
{
    char                 err[128];
    ngx_pool_cleanup_t  *cln;

    route->match.pattern = ngx_sentry_str(pattern);

    if (modifier->len == 0 || modifier->data[0] != '~') {

        route->match.type = (modifier->len && modifier->data[0] == '=')
                            ? SNX_ROUTE_EXACT : SNX_ROUTE_PREFIX;

        if (pattern->len == 0 || pattern->data[0] != '/') {
            return ngx_sentry_refuse(cf, "\"sentry_route\" pattern must "
                                     "begin with \"/\", got \"%V\"", pattern);
        }

        return NGX_CONF_OK;
    }

    route->match.type = modifier->len == 2 ? SNX_ROUTE_IREGEX
                                           : SNX_ROUTE_REGEX;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    route->match.regex = snx_regex_compile(route->match.pattern,
                                       route->match.type == SNX_ROUTE_IREGEX,
                                       err, sizeof(err));

    if (route->match.regex == NULL) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" regular expression "
                                 "\"%V\" is invalid: %s", pattern, err);
    }

    cln->handler = ngx_sentry_route_cleanup;
    cln->data = route->match.regex;

    return NGX_CONF_OK;
}


static void
ngx_sentry_route_cleanup(void *data)
{
    snx_regex_free(data);
}


static char *
ngx_sentry_route_option(ngx_conf_t *cf, ngx_sentry_route_t *route,
    ngx_str_t *arg)
{
    double     *rate;
    ngx_str_t   value;

    if (ngx_sentry_eq(arg, "drop")) {
        route->drop_errors = 1;
        route->drop_traces = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(arg, "drop=errors")) {
        route->drop_errors = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(arg, "drop=traces")) {
        route->drop_traces = 1;
        return NGX_CONF_OK;
    }

    if (arg->len > 5 && ngx_strncmp(arg->data, "name=", 5) == 0) {
        route->name.data = arg->data + 5;
        route->name.len = arg->len - 5;
        return NGX_CONF_OK;
    }

    rate = NULL;
    value = *arg;

    if (arg->len > 7) {
        value.data += 7;
        value.len -= 7;

        if (ngx_strncmp(arg->data, "errors=", 7) == 0) {
            rate = &route->errors;

        } else if (ngx_strncmp(arg->data, "traces=", 7) == 0) {
            rate = &route->traces;
        }
    }

    if (rate == NULL) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" takes name=, errors=, "
                                 "traces=, drop, drop=errors and "
                                 "drop=traces, got \"%V\"", arg);
    }

    if (!snx_text_rate(ngx_sentry_str(&value), rate)) {
        return ngx_sentry_refuse(cf, "\"sentry_route\" rate must be between "
                                 "0 and 1, got \"%V\"", arg);
    }

    return NGX_CONF_OK;
}


/* Lists of values with variables: sentry_ignore, sentry_fingerprint. */

char *
ngx_sentry_set_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_array_t               **list;
    ngx_http_complex_value_t   *cv;

    list = (ngx_array_t **) (p + cmd->offset);

    if (*list != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_sentry_list_off(cf, list) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_sentry_list(cf, list, sizeof(ngx_http_complex_value_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cv = ngx_array_push(*list);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_sentry_complex(cf, &value[i], cv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_sentry_eq(&cmd->name, "sentry_fingerprint")
        && (*list)->nelts > SNX_FINGERPRINT_MAX_N)
    {
        return ngx_sentry_refuse(cf, "\"%V\" takes at most %d values",
                                 &cmd->name, SNX_FINGERPRINT_MAX_N);
    }

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_transaction(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t  *value;

    if (slcf->transaction != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        slcf->transaction = NULL;
        return NGX_CONF_OK;
    }

    slcf->transaction = ngx_palloc(cf->pool,
                                   sizeof(ngx_http_complex_value_t));
    if (slcf->transaction == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_sentry_complex(cf, &value[1], slcf->transaction) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* sentry_tag name value | off */

char *
ngx_sentry_set_tag(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    size_t      i;
    u_char      c;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (slcf->tags != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        if (ngx_sentry_list_off(cf, &slcf->tags) == NGX_OK) {
            return NGX_CONF_OK;
        }

        return ngx_sentry_refuse(cf, "\"sentry_tag\" takes a name and a "
                                 "value, or \"off\", got \"%V\"", &value[1]);
    }

    if (slcf->tags == NULL) {
        return "follows \"sentry_tag off\"";
    }

    if (value[1].len == 0 || value[1].len > SNX_TAG_KEY_MAX) {
        goto invalid;
    }

    for (i = 0; i < value[1].len; i++) {
        c = value[1].data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':'
              || c == '-'))
        {
            goto invalid;
        }
    }

    if (ngx_sentry_list(cf, &slcf->tags, sizeof(ngx_sentry_pair_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (slcf->tags->nelts == SNX_TAGS_MAX_N) {
        return ngx_sentry_refuse(cf, "\"sentry_tag\" can be given at most %d "
                                 "times in one place", SNX_TAGS_MAX_N);
    }

    return ngx_sentry_pair(cf, slcf->tags, &value[1], &value[2]);

invalid:

    return ngx_sentry_refuse(cf, "\"sentry_tag\" name must be 1 to 200 "
                             "letters, digits and \"_.:-\", got \"%V\"",
                             &value[1]);
}


/* sentry_user key=value ... | off */

char *
ngx_sentry_set_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *eq;
    ngx_str_t   *value, name, text;
    ngx_uint_t   i;

    if (slcf->user != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_sentry_list_off(cf, &slcf->user) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_sentry_list(cf, &slcf->user, sizeof(ngx_sentry_pair_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        eq = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        name.data = value[i].data;
        name.len = eq ? (size_t) (eq - value[i].data) : 0;

        if (ngx_sentry_eq(&name, "ip")) {
            ngx_str_set(&name, "ip_address");

        } else if (!ngx_sentry_eq(&name, "id")
                   && !ngx_sentry_eq(&name, "username")
                   && !ngx_sentry_eq(&name, "email"))
        {
            return ngx_sentry_refuse(cf, "\"sentry_user\" takes id=, "
                                     "username=, email= and ip=, or \"off\", "
                                     "got \"%V\"", &value[i]);
        }

        text.data = eq + 1;
        text.len = value[i].data + value[i].len - text.data;

        if (ngx_sentry_pair(cf, slcf->user, &name, &text) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* sentry_context name key=value ... | off */

char *
ngx_sentry_set_context(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *eq, *p;
    ngx_str_t   *value, name, text;
    ngx_uint_t   i;

    static const char *const taken[] = {
        "trace", "response", "runtime", "os", "nginx", NULL
    };

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (slcf->context != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        if (ngx_sentry_list_off(cf, &slcf->context) == NGX_OK) {
            return NGX_CONF_OK;
        }

        return ngx_sentry_refuse(cf, "\"sentry_context\" takes a name and "
                                 "key=value pairs, or \"off\", got \"%V\"",
                                 &value[1]);
    }

    if (slcf->context == NULL) {
        return "follows \"sentry_context off\"";
    }

    for (i = 0; taken[i]; i++) {
        if (ngx_sentry_eq(&value[1], taken[i])) {
            return ngx_sentry_refuse(cf, "\"sentry_context\" cannot be named "
                                     "\"%V\": the module fills that one",
                                     &value[1]);
        }
    }

    if (value[1].len == 0 || value[1].len > SNX_TAG_KEY_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_context\" name must be 1 to "
                                 "200 characters, got \"%V\"", &value[1]);
    }

    if (ngx_sentry_list(cf, &slcf->context, sizeof(ngx_sentry_pair_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        eq = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        if (eq == NULL || eq == value[i].data) {
            return ngx_sentry_refuse(cf, "\"sentry_context\" takes key=value "
                                     "pairs after the name, got \"%V\"",
                                     &value[i]);
        }

        if (slcf->context->nelts == SNX_CONTEXTS_MAX_N) {
            return ngx_sentry_refuse(cf, "\"sentry_context\" takes at most "
                                     "%d pairs in one place",
                                     SNX_CONTEXTS_MAX_N);
        }

        /* "context\0key" */

        name.len = value[1].len + 1 + (size_t) (eq - value[i].data);
        name.data = ngx_pnalloc(cf->pool, name.len);
        if (name.data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = ngx_cpymem(name.data, value[1].data, value[1].len);
        *p++ = '\0';
        ngx_memcpy(p, value[i].data, eq - value[i].data);

        text.data = eq + 1;
        text.len = value[i].data + value[i].len - text.data;

        if (ngx_sentry_pair(cf, slcf->context, &name, &text)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_scrub(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    u_char      *term;
    ngx_str_t   *value;
    snx_str_t   *s;
    ngx_uint_t   i;

    if (slcf->scrub_terms != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (ngx_sentry_list_off(cf, &slcf->scrub_terms) == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (ngx_sentry_list(cf, &slcf->scrub_terms, sizeof(snx_str_t))
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len < 2) {
            return ngx_sentry_refuse(cf, "\"sentry_scrub\" term must be at "
                                     "least 2 characters, got \"%V\"",
                                     &value[i]);
        }

        s = ngx_array_push(slcf->scrub_terms);
        term = ngx_pnalloc(cf->pool, value[i].len);

        if (s == NULL || term == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_strlow(term, value[i].data, value[i].len);
        *s = snx_str(term, value[i].len);
    }

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_breadcrumbs(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_loc_conf_t *slcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;

    static const char *const  levels[] = {
        "off", "emerg", "alert", "crit", "error", "warn", "notice", "info",
        NULL
    };

    if (slcf->breadcrumbs != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; levels[i]; i++) {
        if (ngx_sentry_eq(&value[1], levels[i])) {
            slcf->breadcrumbs = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_sentry_refuse(cf, "\"sentry_breadcrumbs\" must be a log level "
                             "from \"emerg\" to \"info\", or \"off\", got "
                             "\"%V\"", &value[1]);
}


char *
ngx_sentry_set_queue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (smcf->queue != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size < NGX_SENTRY_QUEUE_MIN || size > NGX_SENTRY_QUEUE_MAX) {
        return ngx_sentry_refuse(cf, "\"sentry_queue\" must be a size from "
                                 "256k to 1024m, got \"%V\"", &value[1]);
    }

    smcf->queue = (size_t) size;

    return NGX_CONF_OK;
}


/* A time within the bounds at cmd->post. */

char *
ngx_sentry_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t                  time;
    ngx_str_t                 *value;
    ngx_msec_t                *field;
    ngx_conf_num_bounds_t     *bounds;

    field = (ngx_msec_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    bounds = cmd->post;

    time = ngx_parse_time(&value[1], 0);

    if (time == NGX_ERROR || time < bounds->low || time > bounds->high) {
        return ngx_sentry_refuse(cf, "\"%V\" must be a time from %ims to "
                                 "%is, got \"%V\"", &cmd->name, bounds->low,
                                 bounds->high / 1000, &value[1]);
    }

    *field = (ngx_msec_t) time;

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_compression(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->compression != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "gzip")) {
        smcf->compression = 1;
        return NGX_CONF_OK;
    }

    if (ngx_sentry_eq(&value[1], "off")) {
        smcf->compression = 0;
        return NGX_CONF_OK;
    }

    return ngx_sentry_refuse(cf, "\"sentry_compression\" must be \"gzip\" or "
                             "\"off\", got \"%V\"", &value[1]);
}


static ngx_int_t
ngx_sentry_is_http_url(ngx_str_t *value)
{
    return (value->len > 7
            && ngx_strncasecmp(value->data, (u_char *) "http://", 7) == 0)
           || (value->len > 8
               && ngx_strncasecmp(value->data, (u_char *) "https://", 8)
                  == 0);
}


char *
ngx_sentry_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->proxy_set) {
        return "is duplicate";
    }

    smcf->proxy_set = 1;

    value = cf->args->elts;

    if (ngx_sentry_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    if (!ngx_sentry_is_http_url(&value[1])
        && !(value[1].len > 10
             && ngx_strncmp(value[1].data, "socks5h://", 10) == 0)
        && !(value[1].len > 9
             && ngx_strncmp(value[1].data, "socks5://", 9) == 0))
    {
        /* may hold a password: not printed */

        return ngx_sentry_refuse(cf, "\"sentry_proxy\" must be an http, "
                                 "https, socks5 or socks5h URL, or \"off\"");
    }

    smcf->proxy = value[1];

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_fd_t    fd;
    ngx_str_t  *value;

    if (smcf->trusted_certificate.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    smcf->trusted_certificate = value[1];

    if (ngx_conf_full_name(cf->cycle, &smcf->trusted_certificate, 1)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(smcf->trusted_certificate.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"sentry_ssl_trusted_certificate\" must be a "
                           "readable file, got \"%V\"",
                           &smcf->trusted_certificate);
        return NGX_CONF_ERROR;
    }

    (void) ngx_close_file(fd);

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_spotlight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t *smcf = conf;

    ngx_str_t  *value;

    if (smcf->spotlight_set) {
        return "is duplicate";
    }

    smcf->spotlight_set = 1;

    value = cf->args->elts;

    if (ngx_sentry_spotlight_url(&value[1], &smcf->spotlight) != NGX_OK) {
        return ngx_sentry_refuse(cf, "\"sentry_spotlight\" must be \"on\", "
                                 "\"off\" or an http URL, got \"%V\"",
                                 &value[1]);
    }

    /* "on" takes the address from the environment when that has one */

    if (ngx_sentry_eq(&value[1], "on")
        && ngx_sentry_is_http_url(&smcf->env.spotlight))
    {
        smcf->spotlight = smcf->env.spotlight;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_sentry_spotlight_url(ngx_str_t *value, ngx_str_t *url)
{
    ngx_uint_t                i;

    static const char *const  on[] = { "true", "t", "y", "yes", "on", "1" };
    static const char *const  off[] = { "false", "f", "n", "no", "off", "0",
                                        "" };

    for (i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (snx_text_ieq(ngx_sentry_str(value), snx_cstr(on[i]))) {
            ngx_str_set(url, "http://localhost:8969/stream");
            return NGX_OK;
        }
    }

    for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (snx_text_ieq(ngx_sentry_str(value), snx_cstr(off[i]))) {
            ngx_str_null(url);
            return NGX_OK;
        }
    }

    if (!ngx_sentry_is_http_url(value)) {
        return NGX_DECLINED;
    }

    *url = *value;

    return NGX_OK;
}


char *
ngx_sentry_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_sentry_main_conf_t    *smcf;
    ngx_http_core_loc_conf_t  *clcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_sentry_module);
    smcf->handlers = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_sentry_status_handler;

    return NGX_CONF_OK;
}


char *
ngx_sentry_set_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_sentry_test_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_sentry_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    return ngx_http_compile_complex_value(&ccv);
}


static char *
ngx_sentry_list(ngx_conf_t *cf, ngx_array_t **list, size_t size)
{
    if (*list == NGX_CONF_UNSET_PTR) {

        *list = ngx_array_create(cf->pool, 4, size);
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "off" as the only argument: the list is empty here, NULL. */

static ngx_int_t
ngx_sentry_list_off(ngx_conf_t *cf, ngx_array_t **list)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts != 2 || value[1].len != ngx_sentry_off.len
        || ngx_strncmp(value[1].data, ngx_sentry_off.data, 3) != 0)
    {
        return NGX_DECLINED;
    }

    *list = NULL;

    return NGX_OK;
}


static char *
ngx_sentry_pair(ngx_conf_t *cf, ngx_array_t *list, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_sentry_pair_t  *pair;

    pair = ngx_array_push(list);
    if (pair == NULL) {
        return NGX_CONF_ERROR;
    }

    pair->name = *name;

    return ngx_sentry_complex(cf, value, &pair->value) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
