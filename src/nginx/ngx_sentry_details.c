
/*
 * Copyright (C) ngx_sentry authors
 *
 * Setters of the directives that add details to an event: tags, user,
 * contexts.
 */


#include "ngx_sentry.h"
#include "ngx_sentry_directives.h"
#include "snx_text.h"


static char *ngx_sentry_pair(ngx_conf_t *cf, ngx_array_t *list,
    ngx_str_t *name, ngx_str_t *value);


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
        text.len = value[i].len - (size_t) (text.data - value[i].data);

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
        ngx_memcpy(p, value[i].data, (size_t) (eq - value[i].data));

        text.data = eq + 1;
        text.len = value[i].len - (size_t) (text.data - value[i].data);

        if (ngx_sentry_pair(cf, slcf->context, &name, &text)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
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
