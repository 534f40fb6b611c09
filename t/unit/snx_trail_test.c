
/*
 * Copyright (C) ngx_sentry authors
 *
 * The order of a request's steps, from fields in any order and with clocks
 * that disagree.
 */


#include <stdio.h>

#include "snx_trail.h"
#include "tap.h"


/*
 * R start, S response, pLT pass to L after T tries, uN try of that number,
 * c cache, lPT line after P passes and T tries, vP verdict of a limit after P
 * passes, each with its time in ms behind "@".  The result without times.
 */

typedef struct {
    const char  *name;
    const char  *fields;
    const char  *steps;
} row_t;


static const row_t  rows[] = {
    { "nothing", "", "" },
    { "no steps of its own", "R@1 S@2", "R S" },
    { "only a line", "l00@7", "l00" },
    { "record order does not count",
      "S@9 l11@5 u1@4 pa0@2 R@1", "R pa u1 l11 S" },
    { "two tries in one millisecond",
      "R@1 u1@5 u2@5 l01@5 l02@5 S@5", "R u1 l01 u2 l02 S" },
    { "a try that seems to begin after its line",
      "R@1 u1@6 l01@5 S@7", "R u1 l01 S" },
    { "lines of one moment by time", "R@1 l00@3 l00@2 S@4", "R l00 l00 S" },
    { "redirects", "R@1 pa0@2 l10@2 pb0@2 l20@2 S@3",
      "R pa l10 pb l20 S" },
    { "an error page after the tries",
      "R@1 pa0@2 pe2@5 u1@3 u2@4 l11@4 l12@5 S@6",
      "R pa u1 l11 u2 l12 pe S" },
    { "a try behind an error page",
      "R@1 pa0@1 pe1@2 u1@1 u3@2 l11@2 l23@3 c S@3",
      "R pa u1 l11 pe c u3 l23 S" },
    { "cache before the tries", "R@1 pa0@1 c u1@1 u2@2 l11@2 S@3",
      "R pa c u1 l11 u2 S" },
    { "cache without a try", "R@1 pa0@1 l10@2 c S@3", "R pa l10 c S" },
    { "limits before lines", "R@1 pa0@1 l10@1 v1@1 S@2", "R pa v1 l10 S" },
    { "limits without passes", "R@1 v0 u1@1 S@2", "R v0 u1 S" },
    { "the first tries were left out", "R@1 u7@2 l06@1 l07@3 S@4",
      "R l06 u7 l07 S" },
};


static void
add(snx_rec_writer_t *w, const char *p, int64_t us)
{
    snx_upstream_t    up;
    snx_breadcrumb_t  crumb;
    snx_trail_pass_t  pass;

    memset(&up, 0, sizeof(up));
    memset(&crumb, 0, sizeof(crumb));
    memset(&pass, 0, sizeof(pass));

    switch (*p) {

    case 'R':
        snx_rec_num(w, SNX_F_START_US, us);
        break;

    case 'S':
        snx_rec_num(w, SNX_F_STATUS, 502);
        snx_rec_num(w, SNX_F_TIMESTAMP_US, us);
        break;

    case 'c':
        snx_rec_str(w, SNX_F_CACHE_STATUS, snx_cstr("MISS"));
        break;

    case 'p':
        pass.time_us = us;
        pass.tries = (uint16_t) (p[2] - '0');
        snx_rec_pair(w, SNX_F_PASS, snx_str(&pass, sizeof(pass)),
                     snx_str(p, 2));
        break;

    case 'u':
        up.start_us = us;
        up.number = (uint16_t) (p[1] - '0');
        snx_rec_pair(w, SNX_F_UPSTREAM, snx_str(&up, sizeof(up)),
                     snx_str(p, 2));
        break;

    case 'l':
        crumb.time_us = us;
        crumb.passes = (uint16_t) (p[1] - '0');
        crumb.tries = (uint16_t) (p[2] - '0');
        snx_rec_pair(w, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)),
                     snx_str(p, 3));
        break;

    default:
        crumb.time_us = us;
        crumb.passes = (uint16_t) (p[1] - '0');
        crumb.category = SNX_CRUMB_LIMIT;
        snx_rec_pair(w, SNX_F_BREADCRUMB, snx_str(&crumb, sizeof(crumb)),
                     snx_str(p, 2));
    }
}


static size_t
record(unsigned char *buf, size_t cap, const char *fields)
{
    int64_t            us;
    const char        *p, *at;
    snx_rec_writer_t   w;

    snx_rec_begin(&w, buf, cap);

    for (p = fields; *p != '\0'; p += strcspn(p, " "), p += (*p == ' ')) {
        at = p + strcspn(p, "@ ");
        us = (*at == '@') ? (at[1] - '0') * 1000 : 0;
        add(&w, p, us);
    }

    return snx_rec_end(&w);
}


static void
row(const row_t *t)
{
    int                early;
    char               got[256], name[4];
    size_t             i, n, len;
    snx_str_t          s;
    snx_fields_t       fields;
    unsigned char      buf[4096];
    snx_trail_step_t   steps[SNX_TRAIL_MAX_N];

    len = record(buf, sizeof(buf), t->fields);
    (void) snx_fields_read(&fields, snx_str(buf, len));

    n = snx_trail_make(&fields, steps);
    got[0] = '\0';
    early = 0;

    for (i = 0; i < n; i++) {
        s = steps[i].field == NULL
            ? snx_cstr(steps[i].kind == SNX_TRAIL_REQUEST ? "R" : "S")
            : steps[i].kind == SNX_TRAIL_CACHE ? snx_cstr("c")
                                               : steps[i].field->value;

        (void) snprintf(name, sizeof(name), "%.*s", (int) s.len, s.data);
        strcat(got, i == 0 ? "" : " ");
        strcat(got, name);

        early |= (i != 0 && steps[i].time_us < steps[i - 1].time_us);
    }

    is_str(snx_cstr(got), t->steps, t->name);
    ok(!early, "times do not go back");
}


int
main(void)
{
    char               *fields;
    size_t              i, n, len;
    snx_fields_t        read;
    unsigned char       buf[16384];
    snx_trail_step_t    steps[SNX_TRAIL_MAX_N];

    static char         many[150 * 6];

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row(&rows[i]);
    }

    /* more than are wanted */

    for (i = 0, fields = many; i < 149; i++) {
        fields += sprintf(fields, "l00@1 ");
    }

    len = record(buf, sizeof(buf), many);
    (void) snx_fields_read(&read, snx_str(buf, len));

    is_int((int64_t) snx_trail_make(&read, steps), SNX_TRAIL_MAX_N,
           "bounded");

    /* structures of another size */

    {
        snx_rec_writer_t  w;

        snx_rec_begin(&w, buf, sizeof(buf));
        snx_rec_pair(&w, SNX_F_PASS, snx_cstr("x"), snx_cstr("y"));
        snx_rec_pair(&w, SNX_F_UPSTREAM, snx_cstr("x"), snx_cstr("y"));
        snx_rec_pair(&w, SNX_F_BREADCRUMB, snx_cstr("x"), snx_cstr("y"));
        len = snx_rec_end(&w);
    }

    (void) snx_fields_read(&read, snx_str(buf, len));
    n = snx_trail_make(&read, steps);
    is_int((int64_t) n, 0, "fields that cannot be read are none");

    return tap_done();
}
