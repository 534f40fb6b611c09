
/*
 * Copyright (C) ngx_sentry authors
 *
 * What the tests of the sender share: a record with every field, one with
 * the least, and JSON looked at by path.
 */


#ifndef EVENT_UTIL_H_INCLUDED
#define EVENT_UTIL_H_INCLUDED


#include <stdlib.h>

#include <cjson/cJSON.h>

#include "snx_encode.h"
#include "snx_envelope.h"
#include "snx_text.h"
#include "tap.h"


#define UTIL_DSN                                                              \
    "https://0123456789abcdef0123456789abcdef@o7.sentry.example:8443/42"
#define UTIL_ID        "\xfc\x6d\x8c\x0c\x43\xfc\x46\x30"                     \
                       "\xad\x85\x0e\xe5\x18\xf1\xb9\xd0"
#define UTIL_ID_HEX    "fc6d8c0c43fc4630ad850ee518f1b9d0"
#define UTIL_TRACE     "\x11\x22\x33\x44\x55\x66\x77\x88"                     \
                       "\x99\xaa\xbb\xcc\xdd\xee\xff\x01"
#define UTIL_TRACE_HEX "112233445566778899aabbccddeeff01"
#define UTIL_SPAN      "\x12\x34\x56\x78\x90\xab\xcd\xef"
#define UTIL_PARENT    "\x22\x34\x56\x78\x90\xab\xcd\xef"
#define UTIL_BAGGAGE                                                          \
    "sentry-trace_id=" UTIL_TRACE_HEX ",sentry-public_key=abc,"              \
    "sentry-release=shop%401.2.3,sentry-sample_rate=0.25,"                   \
    "sentry-sample_rand=0.000001,sentry-sampled=true,"                       \
    "sentry-transaction=GET%20%2Fapi%2F"
#define UTIL_TIME_US   1790000000123456


typedef struct {
    snx_field_id_t   id;
    const char      *value;
} util_text_t;


typedef struct {
    snx_field_id_t   id;
    int64_t          value;
} util_num_t;


typedef struct {
    snx_field_id_t   id;
    const char      *key;
    const char      *value;
} util_pair_t;


static const util_text_t  util_texts[] = {
    { SNX_F_ENVIRONMENT, "production" },
    { SNX_F_RELEASE, "shop@1.2.3" },
    { SNX_F_SERVER_NAME, "web-1" },
    { SNX_F_NGINX_VERSION, "1.22.1" },
    { SNX_F_LOCATION, "/api/" },
    { SNX_F_VHOST, "shop.example.com" },
    { SNX_F_EVENT_ID, UTIL_ID },
    { SNX_F_TRACE_ID, UTIL_TRACE },
    { SNX_F_SPAN_ID, UTIL_SPAN },
    { SNX_F_PARENT_SPAN_ID, UTIL_PARENT },
    { SNX_F_BAGGAGE, UTIL_BAGGAGE },
    { SNX_F_TRANSACTION, "GET /api/" },
    { SNX_F_TRANSACTION_SOURCE, "route" },
    { SNX_F_FINGERPRINT, "upstream-timeout" },
    { SNX_F_FINGERPRINT, "GET /api/" },
    { SNX_F_EXC_TYPE, "UpstreamTimeout" },
    { SNX_F_EXC_VALUE, "upstream timed out (110: Connection timed out) while "
                       "reading response header from upstream" },
    { SNX_F_METHOD, "POST" },
    { SNX_F_URL, "https://shop.example.com/api/orders/1234" },
    { SNX_F_QUERY, "page=2&token=[Filtered]" },
    { SNX_F_REMOTE_ADDR, "192.0.2.7" },
    { SNX_F_SERVER_ADDR, "10.0.0.5" },
    { SNX_F_PROTOCOL, "HTTP/1.1" },
    { SNX_F_BODY_DATA, "{\"a\":1}" },
    { SNX_F_TLS_PROTOCOL, "TLSv1.3" },
    { SNX_F_TLS_CIPHER, "TLS_AES_256_GCM_SHA384" },
    { SNX_F_CACHE_STATUS, "MISS" },
    { SNX_F_UPSTREAM_URL, "http://backend/api/orders/1234" }
};

static const util_num_t  util_nums[] = {
    { SNX_F_TIMESTAMP_US, UTIL_TIME_US },
    { SNX_F_START_US, UTIL_TIME_US - 60012000 },
    { SNX_F_LEVEL, SNX_LEVEL_WARNING },
    { SNX_F_SAMPLED, 1 },
    { SNX_F_EXC_ERRNO, 110 },
    { SNX_F_REMOTE_PORT, 51234 },
    { SNX_F_SERVER_PORT, 443 },
    { SNX_F_STATUS, 504 },
    { SNX_F_BODY_SIZE, 7 },
    { SNX_F_RESPONSE_BYTES, 167 },
    { SNX_F_WORKER_PID, 1234 },
    { SNX_F_CONNECTION, 98765 },
    { SNX_F_CONNECTION_REQUESTS, 3 },
    { SNX_F_REQUEST_TIME_MS, 60012 },
    { SNX_F_REQUEST_LENGTH, 512 },
    { SNX_F_BYTES_SENT, 494 },
    { SNX_F_HELD_BACK, 17 }
};

static const util_pair_t  util_pairs[] = {
    { SNX_F_TAG, "status", "504" },
    { SNX_F_TAG, "upstream", "10.0.0.1:8080" },
    { SNX_F_USER, "id", "42" },
    { SNX_F_USER, "ip_address", "2001:db8::7" },
    { SNX_F_HEADER, "Host", "shop.example.com" },
    { SNX_F_HEADER, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
                                  "Gecko/20100101 Firefox/128.0" },
    { SNX_F_HEADER, "Accept", "text/html,application/xhtml+xml;q=0.9" },
    { SNX_F_HEADER, "Accept-Encoding", "gzip, deflate, br" },
    { SNX_F_HEADER, "Authorization", "[Filtered]" },
    { SNX_F_HEADER, "Cookie", "[Filtered]" },
    { SNX_F_HEADER, "Via", "1.1 a" },
    { SNX_F_HEADER, "via", "1.1 b" },
    { SNX_F_COOKIE, "theme", "dark" },
    { SNX_F_COOKIE, "sid", "[Filtered]" }
};


static TAP_UNUSED void
util_structures(snx_rec_writer_t *w)
{
    snx_frame_t        frame;
    snx_upstream_t     up;
    snx_breadcrumb_t   crumb;
    snx_trail_pass_t   pass;
    snx_cause_field_t  cause;

    static const char  refused[] = "UpstreamRefused\0connect() failed";
    static const char  first[] = "nginx.conf\0/etc/nginx/nginx.conf\0"
                                 "server shop\0http {\0\0    server {\0"
                                 "        listen 80;\0";
    static const char  second[] = "a.conf\0/etc/nginx/a.conf\0"
                                  "location /api/\0"
                                  "        proxy_pass http://backend;\0";

    memset(&up, 0, sizeof(up));
    up.start_us = UTIL_TIME_US - 2000000;
    up.number = 1;
    up.status = 502;
    up.connect_ms = 1;
    up.header_ms = -1;
    up.response_ms = 5;
    up.bytes_sent = 600;
    snx_rec_pair(w, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                 snx_cstr("10.0.0.1:8080"));
    up.number = 2;
    up.status = 0;
    up.response_ms = 60000;
    snx_rec_pair(w, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                 snx_cstr("10.0.0.2:8080"));

    memset(&pass, 0, sizeof(pass));
    pass.time_us = UTIL_TIME_US - 3000000;
    snx_rec_pair(w, SNX_F_PASS, snx_str(&pass, sizeof(pass)),
                 snx_cstr("/api/"));

    memset(&cause, 0, sizeof(cause));
    cause.error = 111;
    snx_rec_pair(w, SNX_F_CAUSE, snx_str(&cause, sizeof(cause)),
                 snx_str(refused, sizeof(refused) - 1));

    memset(&crumb, 0, sizeof(crumb));
    crumb.time_us = UTIL_TIME_US - 1000000;
    crumb.passes = 1;
    crumb.tries = 1;
    crumb.level = SNX_LEVEL_ERROR;
    snx_rec_pair(w, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)),
                 snx_cstr("connect() failed (111: Connection refused)"));
    crumb.level = SNX_LEVEL_INFO;
    crumb.category = SNX_CRUMB_LIMIT;
    snx_rec_pair(w, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)),
                 snx_cstr("limit_req: delayed"));

    memset(&frame, 0, sizeof(frame));
    frame.line = 12;
    frame.lines = 4;
    frame.before = 2;
    snx_rec_pair(w, SNX_F_FRAME, snx_str(&frame, sizeof(frame)),
                 snx_str(first, sizeof(first) - 1));
    frame.line = 30;
    frame.lines = 1;
    frame.before = 0;
    snx_rec_pair(w, SNX_F_FRAME, snx_str(&frame, sizeof(frame)),
                 snx_str(second, sizeof(second) - 1));
}


/* A record with every field; returns its length. */

static TAP_UNUSED size_t
util_rich(void *buf, size_t cap, const char *dsn)
{
    size_t            i;
    snx_rec_writer_t  w;

    snx_rec_begin(&w, buf, cap);
    snx_rec_str(&w, SNX_F_DSN, snx_cstr(dsn));

    for (i = 0; i < sizeof(util_texts) / sizeof(util_texts[0]); i++) {
        snx_rec_str(&w, util_texts[i].id, snx_cstr(util_texts[i].value));
    }

    for (i = 0; i < sizeof(util_nums) / sizeof(util_nums[0]); i++) {
        snx_rec_num(&w, util_nums[i].id, util_nums[i].value);
    }

    for (i = 0; i < sizeof(util_pairs) / sizeof(util_pairs[0]); i++) {
        snx_rec_pair(&w, util_pairs[i].id, snx_cstr(util_pairs[i].key),
                     snx_cstr(util_pairs[i].value));
    }

    snx_rec_pair(&w, SNX_F_CONTEXT, snx_str("billing\0plan", 12),
                 snx_cstr("gold"));
    util_structures(&w);

    return snx_rec_end(&w);
}


/*
 * "request.headers.Host", "exception.values.0.type"; a "/" in the path stands
 * for a dot in a name.  NULL when it is not there.
 */

static TAP_UNUSED const cJSON *
util_at(const cJSON *at, const char *path)
{
    char         key[64], *p;
    size_t       n;

    while (at != NULL && *path != '\0') {
        n = strcspn(path, ".");
        n = n < sizeof(key) ? n : sizeof(key) - 1;
        memcpy(key, path, n);
        key[n] = '\0';
        path += n + (path[n] == '.');

        for (p = key; *p != '\0'; p++) {
            *p = *p == '/' ? '.' : *p;
        }

        at = cJSON_IsArray(at)
             ? cJSON_GetArrayItem(at, atoi(key))
             : cJSON_GetObjectItemCaseSensitive(at, key);
    }

    return at;
}


/* The text of a string or the value of a number; "" when it is not there. */

static TAP_UNUSED const char *
util_text_at(const cJSON *root, const char *path)
{
    const cJSON  *at;

    static char  buf[8][32];
    static int   turn;

    at = util_at(root, path);

    if (cJSON_IsString(at)) {
        return at->valuestring;
    }

    if (cJSON_IsBool(at)) {
        return cJSON_IsTrue(at) ? "true" : "false";
    }

    if (!cJSON_IsNumber(at)) {
        return "";
    }

    turn = (turn + 1) % 8;
    (void) snprintf(buf[turn], sizeof(buf[turn]), "%.15g", at->valuedouble);

    return buf[turn];
}


#endif /* EVENT_UTIL_H_INCLUDED */
