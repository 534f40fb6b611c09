
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reading a DSN, strictly: what is accepted here goes into a URL and into a
 * request header without further escaping.
 */


#include "snx_dsn.h"
#include "snx_text.h"


#define SNX_DSN_HOST_MAX       253     /* a name in DNS */
#define SNX_DSN_PROJECT_MAX    20      /* digits of a u64 */


static snx_str_t snx_dsn_until(snx_str_t *rest, unsigned char c);
static int snx_dsn_clean(snx_str_t s, const char *refused);
static const char *snx_dsn_scheme(snx_dsn_t *dsn, snx_str_t *rest);
static const char *snx_dsn_user(snx_dsn_t *dsn, snx_str_t user);
static const char *snx_dsn_authority(snx_dsn_t *dsn, snx_str_t s);
static const char *snx_dsn_host(snx_dsn_t *dsn, snx_str_t *s);
static const char *snx_dsn_port(snx_dsn_t *dsn, snx_str_t s);
static const char *snx_dsn_path(snx_dsn_t *dsn, snx_str_t s);
static void snx_dsn_base(const snx_dsn_t *dsn, snx_text_t *t);
static size_t snx_dsn_finish(snx_text_t *t);


/* Takes what stands before the first c, and that c; all if there is none. */

static snx_str_t
snx_dsn_until(snx_str_t *rest, unsigned char c)
{
    size_t                n;
    snx_str_t             s;
    const unsigned char  *p;

    p = (rest->len == 0) ? NULL : memchr(rest->data, c, rest->len);
    n = (p == NULL) ? rest->len : (size_t) (p - rest->data);

    s = snx_str(rest->data, n);
    n += (p != NULL);
    *rest = snx_str((n == 0) ? rest->data : rest->data + n, rest->len - n);

    return s;
}


/* Whether s is printable ASCII without blanks and without refused bytes. */

static int
snx_dsn_clean(snx_str_t s, const char *refused)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f
            || strchr(refused, s.data[i]) != NULL)
        {
            return 0;
        }
    }

    return 1;
}


static const char *
snx_dsn_scheme(snx_dsn_t *dsn, snx_str_t *rest)
{
    size_t  n;

    if (rest->len >= 8 && memcmp(rest->data, "https://", 8) == 0) {
        n = 5;
        dsn->port = 443;

    } else if (rest->len >= 7 && memcmp(rest->data, "http://", 7) == 0) {
        n = 4;
        dsn->port = 80;

    } else {
        return "no \"http://\" or \"https://\" at the beginning";
    }

    dsn->scheme = snx_str(rest->data, n);
    *rest = snx_str(rest->data + n + 3, rest->len - n - 3);

    return NULL;
}


/* A comma or a quote in a key would end it in the X-Sentry-Auth header. */

static const char *
snx_dsn_user(snx_dsn_t *dsn, snx_str_t user)
{
    dsn->key = snx_dsn_until(&user, ':');
    dsn->secret = user;

    if (dsn->key.len == 0) {
        return "an empty public key";
    }

    if (!snx_dsn_clean(dsn->key, ",\"\\")) {
        return "an invalid character in the public key";
    }

    if (!snx_dsn_clean(dsn->secret, ",\"\\")) {
        return "an invalid character in the secret key";
    }

    return NULL;
}


static const char *
snx_dsn_authority(snx_dsn_t *dsn, snx_str_t s)
{
    snx_str_t    user;
    const char  *why;

    if (s.len == 0 || memchr(s.data, '@', s.len) == NULL) {
        return "no public key before \"@\"";
    }

    user = snx_dsn_until(&s, '@');

    why = snx_dsn_user(dsn, user);
    if (why != NULL) {
        return why;
    }

    why = snx_dsn_host(dsn, &s);
    if (why != NULL) {
        return why;
    }

    return snx_dsn_port(dsn, s);
}


/* Leaves "" or ":port" in s. */

static const char *
snx_dsn_host(snx_dsn_t *dsn, snx_str_t *s)
{
    size_t       i, n;
    const char  *allowed;
    static const char  name[] = "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-_."
                                "0123456789abcdefABCDEF";

    dsn->ipv6 = (s->len != 0 && s->data[0] == '[');

    if (dsn->ipv6) {
        *s = snx_str(s->data + 1, s->len - 1);

        if (s->len == 0 || memchr(s->data, ']', s->len) == NULL) {
            return "no \"]\" after the IPv6 address";
        }

        dsn->host = snx_dsn_until(s, ']');
        allowed = ":.0123456789abcdefABCDEF";

    } else {
        for (n = 0; n < s->len && s->data[n] != ':'; n++) { /* void */ }

        dsn->host = snx_str(s->data, n);
        *s = snx_str(s->data + n, s->len - n);
        allowed = name;
    }

    if (dsn->host.len == 0) {
        return "an empty host";
    }

    if (dsn->host.len > SNX_DSN_HOST_MAX) {
        return "a host of more than 253 bytes";
    }

    for (i = 0; i < dsn->host.len; i++) {
        if (dsn->host.data[i] == '\0'
            || strchr(allowed, dsn->host.data[i]) == NULL)
        {
            return "an invalid character in the host";
        }
    }

    return NULL;
}


static const char *
snx_dsn_port(snx_dsn_t *dsn, snx_str_t s)
{
    size_t    i;
    uint32_t  port;

    if (s.len == 0) {
        return NULL;
    }

    if (s.data[0] != ':') {
        return "an invalid character in the host";
    }

    port = 0;

    for (i = 1; i < s.len && i <= 6; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return "an invalid port";
        }

        port = port * 10 + (uint32_t) (s.data[i] - '0');
    }

    if (port < 1 || port > 65535 || s.len > 6) {
        return "an invalid port";
    }

    dsn->port_given = (port != dsn->port);
    dsn->port = (uint16_t) port;

    return NULL;
}


/* s is what follows the authority's slash: "[path/]project[/]". */

static const char *
snx_dsn_path(snx_dsn_t *dsn, snx_str_t s)
{
    size_t  i, n;

    while (s.len != 0 && s.data[s.len - 1] == '/') {
        s.len--;
    }

    for (n = s.len; n != 0 && s.data[n - 1] != '/'; n--) { /* void */ }

    dsn->project = snx_str(n == 0 ? s.data : s.data + n, s.len - n);

    if (dsn->project.len == 0) {
        return "no project number at the end";
    }

    for (i = 0; i < dsn->project.len; i++) {
        if (dsn->project.data[i] < '0' || dsn->project.data[i] > '9') {
            return "a project that is not a number";
        }
    }

    if (dsn->project.len > SNX_DSN_PROJECT_MAX) {
        return "a project number of more than 20 digits";
    }

    while (n != 0 && s.data[n - 1] == '/') {
        n--;
    }

    /* with the slash before it */

    dsn->path = (n == 0) ? snx_str(s.data, 0) : snx_str(s.data - 1, n + 1);

    if (!snx_dsn_clean(dsn->path, "?#\"\\<>@")) {
        return "an invalid character in the path";
    }

    return NULL;
}


snx_rc_t
snx_dsn_parse(snx_dsn_t *dsn, snx_str_t s, const char **why)
{
    snx_str_t  authority;

    memset(dsn, 0, sizeof(snx_dsn_t));

    if (s.len > SNX_DSN_MAX) {
        *why = "more than 1024 bytes";
        return SNX_INVALID;
    }

    *why = snx_dsn_scheme(dsn, &s);
    if (*why != NULL) {
        return SNX_INVALID;
    }

    authority = snx_dsn_until(&s, '/');

    *why = snx_dsn_authority(dsn, authority);
    if (*why != NULL) {
        return SNX_INVALID;
    }

    *why = snx_dsn_path(dsn, s);
    if (*why != NULL) {
        return SNX_INVALID;
    }

    return SNX_OK;
}


/* host[:port]{path} */

static void
snx_dsn_base(const snx_dsn_t *dsn, snx_text_t *t)
{
    snx_text_addz(t, dsn->ipv6 ? "[" : "");
    snx_text_add(t, dsn->host);
    snx_text_addz(t, dsn->ipv6 ? "]" : "");

    if (dsn->port_given) {
        snx_text_addz(t, ":");
        snx_text_addn(t, dsn->port);
    }

    snx_text_add(t, dsn->path);
}


static size_t
snx_dsn_finish(snx_text_t *t)
{
    if (t->cut || t->len == t->cap) {
        if (t->cap != 0) {
            t->data[0] = '\0';
        }

        return 0;
    }

    t->data[t->len] = '\0';

    return t->len;
}


size_t
snx_dsn_envelope_url(const snx_dsn_t *dsn, char *buf, size_t cap)
{
    snx_text_t  t;

    snx_text_init(&t, buf, cap);
    snx_text_add(&t, dsn->scheme);
    snx_text_addz(&t, "://");
    snx_dsn_base(dsn, &t);
    snx_text_addz(&t, "/api/");
    snx_text_add(&t, dsn->project);
    snx_text_addz(&t, "/envelope/");

    return snx_dsn_finish(&t);
}


size_t
snx_dsn_auth(const snx_dsn_t *dsn, char *buf, size_t cap)
{
    snx_text_t  t;

    snx_text_init(&t, buf, cap);
    snx_text_addz(&t, "Sentry sentry_version=7, sentry_client=" SNX_CLIENT
                      ", sentry_key=");
    snx_text_add(&t, dsn->key);

    if (dsn->secret.len != 0) {
        snx_text_addz(&t, ", sentry_secret=");
        snx_text_add(&t, dsn->secret);
    }

    return snx_dsn_finish(&t);
}


size_t
snx_dsn_label(const snx_dsn_t *dsn, char *buf, size_t cap)
{
    snx_text_t  t;

    snx_text_init(&t, buf, cap);
    snx_dsn_base(dsn, &t);
    snx_text_addz(&t, "/");
    snx_text_add(&t, dsn->project);

    return snx_dsn_finish(&t);
}


size_t
snx_dsn_org_id(const snx_dsn_t *dsn, char *buf, size_t cap)
{
    size_t      n;
    snx_str_t   host, first;
    snx_text_t  t;

    host = dsn->host;
    first = snx_dsn_until(&host, '.');

    for (n = 1; n < first.len; n++) {
        if (first.data[n] < '0' || first.data[n] > '9') {
            break;
        }
    }

    snx_text_init(&t, buf, cap);

    /* a dot must follow: "o1" alone is a host like any other */

    if (n > 1 && n == first.len && n <= 1 + SNX_DSN_PROJECT_MAX
        && first.data[0] == 'o' && first.len < dsn->host.len)
    {
        snx_text_add(&t, snx_str(first.data + 1, n - 1));
    }

    return snx_dsn_finish(&t);
}
