
/*
 * Copyright (C) ngx_sentry authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "snx_slot.h"


void
snx_slot_reset(snx_slot_t *slot)
{
    slot->header_bytes = 0;
    slot->answer_bytes = 0;
    slot->status = 0;
    slot->limits[0] = '\0';
    slot->retry_after[0] = '\0';
    slot->reason[0] = '\0';
    slot->error[0] = '\0';
}


/* What an error says is kept for snx_slot_said(). */

static void
snx_slot_hear(snx_slot_t *slot, const char *data, size_t len)
{
    if (slot->answer == NULL) {
        slot->answer = malloc(SNX_TRANSPORT_ERROR_MAX);
    }

    if (slot->answer != NULL
        && len <= SNX_TRANSPORT_ERROR_MAX
        && slot->answer_bytes <= SNX_TRANSPORT_ERROR_MAX - len)
    {
        memcpy(slot->answer + slot->answer_bytes, data, len);
    }
}


snx_str_t
snx_slot_said(const snx_slot_t *slot)
{
    if (slot->status < 400 || slot->answer == NULL
        || slot->answer_bytes > SNX_TRANSPORT_ERROR_MAX)
    {
        return snx_str(NULL, 0);
    }

    return snx_str(slot->answer, slot->answer_bytes);
}


/* The body is of no interest but for errors; one without end is not read. */

static size_t
snx_slot_on_body(char *data, size_t size, size_t n, void *user)
{
    snx_slot_t  *slot;

    slot = user;

    if (slot->status >= 400) {
        snx_slot_hear(slot, data, size * n);
    }

    slot->answer_bytes += size * n;

    return slot->answer_bytes > SNX_TRANSPORT_BODY_MAX ? 0 : size * n;
}


/*
 * Keeps the value of line when it has that name; a repeated header is
 * joined, one that is too long is cut between the elements of its list.
 */

static void
snx_slot_keep(const char *name, snx_str_t line, char *value, size_t cap)
{
    char    *comma;
    size_t   len, used;

    len = strlen(name);

    if (line.len < len || strncasecmp((const char *) line.data, name, len)) {
        return;
    }

    line.data += len;
    line.len -= len;

    while (line.len != 0 && line.data[0] <= ' ') {
        line.data++;
        line.len--;
    }

    while (line.len != 0 && line.data[line.len - 1] <= ' ') {
        line.len--;
    }

    used = strlen(value);

    (void) snprintf(value + used, cap - used, "%s%.*s", used ? "," : "",
                    (int) line.len, (const char *) line.data);

    if (used + line.len + 1 >= cap) {
        comma = strrchr(value, ',');

        if (comma != NULL) {
            *comma = '\0';
        }
    }
}


/* "HTTP/1.1 200 OK", 0 when it says none. */

static int
snx_slot_status(snx_str_t line)
{
    int     status;
    size_t  i;

    for (i = 0; i < line.len && line.data[i] != ' '; i++) {
        /* void */
    }

    status = 0;

    while (++i < line.len && status < 100
           && line.data[i] >= '0' && line.data[i] <= '9')
    {
        status = status * 10 + (line.data[i] - '0');
    }

    return status;
}


static size_t
snx_slot_on_header(char *data, size_t size, size_t n, void *user)
{
    snx_str_t    line;
    snx_slot_t  *slot;

    slot = user;
    line = snx_str(data, size * n);

    slot->header_bytes += line.len;

    if (slot->header_bytes > SNX_TRANSPORT_HEADERS_MAX) {
        return 0;
    }

    if (line.len > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        slot->status = snx_slot_status(line);

        /* what came before belongs to an interim answer */

        slot->limits[0] = '\0';
        slot->retry_after[0] = '\0';
        slot->reason[0] = '\0';

        return line.len;
    }

    snx_slot_keep("X-Sentry-Rate-Limits:", line, slot->limits,
                       sizeof(slot->limits));
    snx_slot_keep("Retry-After:", line, slot->retry_after,
                       sizeof(slot->retry_after));
    snx_slot_keep("X-Sentry-Error:", line, slot->reason,
                       sizeof(slot->reason));

    return line.len;
}


/*
 * Text is copied, which takes memory: without it the default would be in
 * force, an environment's proxy or other certificates than those asked for.
 * What this libcurl was built without needs no value.
 */

static int
snx_slot_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) != CURLE_OUT_OF_MEMORY;
}


static int
snx_slot_tls(const snx_transport_conf_t *conf, CURL *easy)
{
    long  verify;

    verify = conf->verify ? 1 : 0;

    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
    (void) curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, verify);
    (void) curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, verify * 2);

    return conf->ca_file == NULL
           || (snx_slot_text(easy, CURLOPT_CAINFO, conf->ca_file)
               && snx_slot_text(easy, CURLOPT_PROXY_CAINFO, conf->ca_file));
}


static int
snx_slot_network(const snx_transport_conf_t *conf, CURL *easy)
{
    uint32_t  connect_ms;

    connect_ms = conf->timeout_ms < SNX_TRANSPORT_CONNECT_MS
                 ? conf->timeout_ms : SNX_TRANSPORT_CONNECT_MS;

    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) connect_ms);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                            (long) conf->timeout_ms);

    (void) curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_2TLS);
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);

#if (LIBCURL_VERSION_NUM >= 0x075700)
    (void) curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif

    /* "" is not "unset": it keeps the environment's proxies out */

    return snx_slot_text(easy, CURLOPT_PROXY,
                         conf->proxy == NULL ? "" : conf->proxy)
           && snx_slot_text(easy, CURLOPT_NOPROXY, "")
#if (LIBCURL_VERSION_NUM >= 0x075500)
           && snx_slot_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
           && curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                               (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS))
              == CURLE_OK;
#endif
}


/* As an option it is for a proxy's CONNECT alone, see snx_slot_headers(). */

static int
snx_slot_agent(const snx_transport_conf_t *conf, CURL *easy)
{
    return conf->proxy == NULL || conf->user_agent == NULL
           || snx_slot_text(easy, CURLOPT_USERAGENT, conf->user_agent);
}


/* What is the same for each POST of a handle's life. */

CURL *
snx_slot_easy(snx_slot_t *slot, const snx_transport_conf_t *conf)
{
    CURL  *easy;

    easy = curl_easy_init();

    if (easy == NULL) {
        return NULL;
    }

    if (!snx_slot_network(conf, easy) || !snx_slot_tls(conf, easy)
        || !snx_slot_agent(conf, easy))
    {
        curl_easy_cleanup(easy);
        return NULL;
    }

    (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                            snx_slot_on_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            snx_slot_on_header);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);

    return easy;
}


/*
 * What curl would add by itself is left out, or given as a line of ours: it
 * prints each byte of a request's head on its own, those of its own options
 * twice.
 */

snx_rc_t
snx_slot_headers(snx_slot_t *slot, const snx_transport_conf_t *conf,
    const snx_post_t *post)
{
    int                 i;
    char                agent[SNX_TRANSPORT_VALUE_MAX];
    char                auth[SNX_DSN_MAX + 256];
    const char         *lines[6];
    struct curl_slist  *list;

    curl_slist_free_all(slot->headers);
    slot->headers = NULL;

    i = 0;
    lines[i++] = "Content-Type: application/x-sentry-envelope";
    lines[i++] = "Expect:";
    lines[i++] = "Accept:";

    (void) snprintf(agent, sizeof(agent), "User-Agent: %s",
                    conf->user_agent == NULL ? SNX_CLIENT : conf->user_agent);
    lines[i++] = agent;

    if (post->gzip) {
        lines[i++] = "Content-Encoding: gzip";
    }

    if (post->auth != NULL) {
        (void) snprintf(auth, sizeof(auth), "X-Sentry-Auth: %s", post->auth);
        lines[i++] = auth;
    }

    while (i-- > 0) {
        list = curl_slist_append(slot->headers, lines[i]);

        if (list == NULL) {
            return SNX_NOMEM;
        }

        slot->headers = list;
    }

    return SNX_OK;
}


void
snx_slot_address(snx_slot_t *slot, const char *url)
{
#if (LIBCURL_VERSION_NUM >= 0x073f00)
    int  parsed;

    if (slot->address == NULL) {
        slot->address = curl_url();
    }

    parsed = slot->address != NULL
             && curl_url_set(slot->address, CURLUPART_URL, url, 0)
                == CURLUE_OK;

    (void) curl_easy_setopt(slot->easy, CURLOPT_CURLU,
                            parsed ? slot->address : NULL);
#else
    (void) slot;
    (void) url;
#endif
}
