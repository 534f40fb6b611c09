
/*
 * Copyright (C) ngx_sentry authors
 *
 * No memory, at the first call that asks for some, the second... until there
 * is enough: for all of core and sender that allocates, and what libcurl,
 * zlib, PCRE2 and cJSON allocate for it.  What leaks then a sanitizer tells.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>

#include "sender_util.h"
#include "snx_deliver.h"
#include "snx_refusal.h"
#include "snx_route.h"
#include "snx_scrub.h"


#if defined(__SANITIZE_THREAD__)
#define NOMEM_TSAN             1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NOMEM_TSAN             1
#endif
#endif

#define NOMEM_TRIES            1000
#define NOMEM_WAIT_MS          10


static void test_regex(void);
static void test_gzip(void);
static void test_refusal(void);
static void test_dest(void);
static void test_deliver(void);
static void test_transport(const char *ca_file);
static void test_sender(void);
static void test_none(void);

static void loop(const char *name, int (*step)(int fails));
static int step_regex(int fails);
static int step_gzip(int fails);
static int step_refusal(int fails);
static int step_dest(int fails);
static int step_deliver(int fails);
static int step_transport(int fails);
static int step_sender(int fails);


/* Calls of this thread alone; 0: they are not counted. */

static __thread int   nomem_nth;
static __thread int   nomem_calls;
static __thread int   nomem_given;

static http_t        *nomem_http;
static snx_mailbox_t  nomem_box;

static snx_transport_conf_t  nomem_conf = {
    .timeout_ms = 5000, .user_agent = "nomem", .verify = 1
};


static int
nomem(void)
{
    if (nomem_nth == 0 || ++nomem_calls != nomem_nth) {
        return 0;
    }

    nomem_given = 1;
    errno = ENOMEM;

    return 1;
}


#ifndef NOMEM_TSAN

/* In the program itself they come before those of all libraries. */

#define nomem_wrap(type, name, params, args)                                  \
    type                                                                      \
    name params                                                               \
    {                                                                         \
        static type (*next) params;                                           \
                                                                              \
        if (next == NULL) {                                                   \
            *(void **) &next = dlsym(RTLD_NEXT, #name);                       \
        }                                                                     \
                                                                              \
        return nomem() ? NULL : next args;                                    \
    }


nomem_wrap(void *, malloc, (size_t size), (size))
nomem_wrap(void *, calloc, (size_t n, size_t size), (n, size))
nomem_wrap(void *, realloc, (void *p, size_t size), (p, size))
nomem_wrap(char *, strdup, (const char *s), (s))

#endif


int
main(void)
{
#ifdef NOMEM_TSAN
    printf("1..0 # SKIP ThreadSanitizer starts before its malloc is found\n");
    return 0;
#else
    nomem_http = http_start(HTTP_OK);
    room_open(&room, 1 << 20);
    room_project(&room, 0, nomem_http->port);

    test_regex();
    test_gzip();
    test_refusal();
    test_dest();
    test_deliver();
    test_transport(NULL);
    test_transport("/nonexistent.pem");
    test_sender();
    test_none();

    room_balance(&room, "at the end");
    room_close(&room);
    http_stop(nomem_http);

    return tap_done();
#endif
}


/*
 * Calls step with the first call failing, the second... until none has
 * failed.  The step returns whether all was well; with fails 0 it must do
 * what it is there for.
 */

static void
loop(const char *name, int (*step)(int fails))
{
    int  n, wrong, well;

    wrong = 0;

    /* what libraries make once and keep is there already */

    (void) step(0);

    for (n = 1; n < NOMEM_TRIES; n++) {
        nomem_calls = 0;
        nomem_given = 0;
        nomem_nth = n;

        well = step(n);
        nomem_nth = 0;

        if (!well) {
            wrong++;
            printf("# %s: wrong when call %d fails\n", name, n);
        }

        if (!nomem_given) {
            break;
        }
    }

    ok(n > 1 && n < NOMEM_TRIES, "%s: each of %d failed once", name, n - 1);
    is_int(wrong, 0, "and nothing else was wrong");
    ok(step(0), "it works with memory");
}


static void
test_regex(void)
{
    loop("regex", step_regex);
}


static int
step_regex(int fails)
{
    int           well;
    char          err[128];
    snx_regex_t  *regex;

    err[0] = '\0';
    regex = snx_regex_compile(snx_cstr("^/(a|b)+/([0-9]+)$"), 1, err,
                              sizeof(err));

    if (regex == NULL) {
        return fails != 0 && err[0] != '\0';
    }

    well = snx_regex_match(regex, snx_cstr("/aBa/12"))
           && !snx_regex_match(regex, snx_cstr("/aBa/x"));

    snx_regex_free(regex);

    return well;
}


static void
test_gzip(void)
{
    loop("gzip", step_gzip);
}


static int
step_gzip(int fails)
{
    char        out[256];
    size_t      len;
    snx_rc_t    rc;
    snx_gzip_t  gzip;

    memset(&gzip, 0, sizeof(gzip));

    rc = snx_gzip_init(&gzip);

    if (rc == SNX_OK) {
        rc = snx_gzip(&gzip, snx_cstr("aaaaaaaaaaaaaaaaaaaaaaaa"), out,
                      sizeof(out), &len);
    }

    snx_gzip_done(&gzip);

    return rc == SNX_OK || (fails && rc == SNX_NOMEM);
}


static void
test_refusal(void)
{
    loop("refusal", step_refusal);
}


static int
step_refusal(int fails)
{
    char          out[SNX_REFUSAL_MAX + 1];
    snx_answer_t  answer;

    memset(&answer, 0, sizeof(answer));
    answer.reason = "header";
    answer.body = snx_cstr("{\"detail\":\"a\",\"causes\":[\"b\",\"c\"]}");

    snx_refusal_text(&answer, snx_cstr("key"), out);

    return strcmp(out, "a; b; c") == 0 || (fails && strlen(out) > 0);
}


static void
test_dest(void)
{
    loop("destination", step_dest);
}


static int
step_dest(int fails)
{
    int          usable;
    snx_dest_t  *dest;

    dest = snx_dest_create(room.project[0], &nomem_box, 1);

    if (dest == NULL) {
        return fails != 0;
    }

    usable = dest->usable;
    free(dest);

    return usable;
}


static void
test_deliver(void)
{
    loop("deliveries", step_deliver);
}


static int
step_deliver(int fails)
{
    snx_deliver_t  *deliver;

    deliver = snx_deliver_create(&room.conf, &nomem_box, NULL);

    if (deliver == NULL) {
        return fails != 0;
    }

    snx_deliver_destroy(deliver);

    return 1;
}


static void
test_transport(const char *ca_file)
{
    nomem_conf.ca_file = ca_file;

    loop(ca_file ? "transport with certificates" : "transport",
         step_transport);
}


/* An answer always comes, if only that there is none. */

static int
step_transport(int fails)
{
    int               i, well, before;
    char              url[64];
    const char       *why;
    snx_rc_t          rc;
    snx_post_t        post;
    snx_answer_t      answer;
    snx_transport_t  *transport;

    why = NULL;
    transport = snx_transport_create(&nomem_conf, &why);

    if (transport == NULL) {
        return fails && why != NULL;
    }

    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/1/envelope/",
                    nomem_http->port);

    memset(&post, 0, sizeof(post));
    post.url = url;
    post.auth = "Sentry sentry_key=key";
    post.body = snx_cstr("{}\n");
    post.data = url;

    before = http_requests(nomem_http);
    rc = snx_transport_post(transport, SNX_POOL_SENTRY, &post);
    well = fails && rc == SNX_NOMEM
           && snx_transport_inflight(transport, SNX_POOL_SENTRY) == 0;

    for (i = 0; rc == SNX_OK && i < 500; i++) {
        snx_transport_run(transport, NOMEM_WAIT_MS);

        if (snx_transport_next(transport, &answer)) {
            well = answer.data == url
                   && (answer.status == 200
                       || (fails && answer.status == 0
                           && answer.error[0] != '\0'));
            break;
        }
    }

    /* what came says who sent it, whatever was missing */

    if (http_requests(nomem_http) > before) {
        (void) pthread_mutex_lock(&nomem_http->lock);

        well = well && strstr(nomem_http->requests[nomem_http->nrequests
                                                   - 1].head,
                              "User-Agent: nomem\r\n") != NULL;

        (void) pthread_mutex_unlock(&nomem_http->lock);
    }

    snx_transport_destroy(transport);

    return well;
}


static void
test_sender(void)
{
    room.conf.proxy = "";
    room.conf.ca_file = "/nonexistent.pem";
    room.conf.spotlight = NULL;
    room.conf.user_agent = "nomem";

    loop("sender", step_sender);
}


/* Without memory the lease is free for the next one. */

static int
step_sender(int fails)
{
    snx_rc_t           rc;
    snx_sender_t      *sender;
    snx_lease_info_t   lease;

    sender = NULL;
    rc = snx_sender_start(&sender, &room.conf);

    if (rc == SNX_OK) {
        return snx_sender_stop(sender, 1000, NULL, NULL, NULL);
    }

    snx_lease_info(&room.shm->lease, snx_process_now_ms(), &lease);

    return fails && rc == SNX_NOMEM && sender == NULL && lease.pid == 0;
}


/* What runs for each request and each record takes no memory. */

static void
test_none(void)
{
    char                  out[512], record[2048];
    size_t                len;
    snx_scrub_t           scrub;
    snx_rec_writer_t      w;

    static char           json[SNX_ENCODE_MAX];
    static snx_encode_t   encode;
    static snx_fields_t   fields;

    memset(&scrub, 0, sizeof(scrub));
    snx_encode_init(&encode, "Linux", "6.1");

    nomem_calls = 0;
    nomem_nth = -1;

    len = snx_scrub_url(&scrub, snx_cstr("/a?token=1&b=%7B2"), out,
                        sizeof(out));
    len += snx_scrub_json(&scrub, snx_cstr("{\"password\":[1,{\"a\":2}]}"),
                          out, sizeof(out));
    len += snx_route_name(snx_cstr("/a/12/b"), out, sizeof(out));

    snx_rec_begin(&w, (unsigned char *) record, sizeof(record));
    snx_rec_str(&w, SNX_F_EVENT_ID, snx_cstr(UTIL_ID));
    snx_rec_str(&w, SNX_F_EXC_TYPE, snx_cstr("UpstreamError"));
    snx_rec_str(&w, SNX_F_EXC_VALUE, snx_cstr("connect() failed"));

    if (snx_fields_read(&fields, snx_str(record, snx_rec_end(&w))) == SNX_OK) {
        (void) snx_encode_event(&encode, &fields, UTIL_TIME_US, json,
                                sizeof(json), &len);
    }

    nomem_nth = 0;

    ok(len > 0 && json[0] == '{', "filters and encoders do their work");
    is_int(nomem_calls, 0, "without memory");
}
