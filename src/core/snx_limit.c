
/*
 * Copyright (C) ngx_sentry authors
 *
 * Reading Sentry's rate limits.  The headers come from the network: nothing
 * in them can set a deadline further away than SNX_LIMIT_MAX_MS.
 */


#include "snx_limit.h"
#include "snx_text.h"


#define SNX_LIMIT_ALL          ((1u << SNX_CATS_N) - 1)


static snx_str_t snx_limit_token(snx_str_t *rest, unsigned char end);
static int snx_limit_ms(snx_str_t s, uint64_t *ms);
static unsigned snx_limit_category(snx_str_t name);
static unsigned snx_limit_categories(snx_str_t list);
static void snx_limit_apply(snx_limits_t *limits, unsigned categories,
    uint64_t ms, uint64_t now_ms);
static int snx_limit_number(snx_str_t s, size_t at, size_t n, int64_t *value);
static int snx_limit_date(snx_str_t s, int64_t *epoch);


snx_str_t
snx_category_name(snx_category_t category)
{
    static const snx_str_t  names[SNX_CATS_N] = {
        snx_string("error"),
        snx_string("transaction"),
        snx_string("span"),
        snx_string("session"),
        snx_string("log_item"),
        snx_string("internal"),
    };

    if ((unsigned) category >= SNX_CATS_N) {
        return snx_cstr("unknown");
    }

    return names[category];
}


/* Takes what stands before end, trimmed, and that end. */

static snx_str_t
snx_limit_token(snx_str_t *rest, unsigned char end)
{
    size_t     i;
    snx_str_t  s;

    for (i = 0; i < rest->len && rest->data[i] != end; i++) { /* void */ }

    s = snx_str(rest->data, i);
    i += (i < rest->len);
    *rest = snx_str(i == 0 ? rest->data : rest->data + i, rest->len - i);

    return snx_text_trim(s);
}


/* "1", "2.5": milliseconds, rounded up, at most SNX_LIMIT_MAX_MS. */

static int
snx_limit_ms(snx_str_t s, uint64_t *ms)
{
    int       point, more;
    size_t    i;
    uint64_t  value, unit, digit;

    value = 0;
    unit = 1000;
    point = 0;
    more = 0;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '.' && !point && i != 0 && i + 1 < s.len) {
            point = 1;
            continue;
        }

        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        digit = (uint64_t) (s.data[i] - '0');

        if (point) {
            unit /= 10;
            value += digit * unit;
            more |= (unit == 0 && digit != 0);

        } else {
            value = value * 10 + digit * unit;
        }

        if (value > SNX_LIMIT_MAX_MS) {
            value = SNX_LIMIT_MAX_MS;
        }
    }

    *ms = value + (uint64_t) more;

    return s.len != 0;
}


static unsigned
snx_limit_category(snx_str_t name)
{
    size_t  i;

    static const struct {
        snx_str_t       name;
        snx_category_t  category;
    } known[] = {
        { snx_string("default"), SNX_CAT_ERROR },
        { snx_string("error"), SNX_CAT_ERROR },
        { snx_string("transaction"), SNX_CAT_TRANSACTION },
        { snx_string("span"), SNX_CAT_SPAN },
        { snx_string("session"), SNX_CAT_SESSION },
        { snx_string("log_item"), SNX_CAT_LOG },
        { snx_string("log_byte"), SNX_CAT_LOG },
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].name.len == name.len
            && memcmp(known[i].name.data, name.data, name.len) == 0)
        {
            return 1u << known[i].category;
        }
    }

    return 0;
}


/* A list that names only what we do not know limits nothing. */

static unsigned
snx_limit_categories(snx_str_t list)
{
    unsigned   categories;
    snx_str_t  name;

    if (list.len == 0) {
        return SNX_LIMIT_ALL;
    }

    categories = 0;

    while (list.len != 0) {
        name = snx_limit_token(&list, ';');
        categories |= snx_limit_category(name);
    }

    return categories;
}


static void
snx_limit_apply(snx_limits_t *limits, unsigned categories, uint64_t ms,
    uint64_t now_ms)
{
    unsigned   i;
    uint64_t   until, old;

    if (ms > SNX_LIMIT_MAX_MS) {
        ms = SNX_LIMIT_MAX_MS;
    }

    until = now_ms + ms;

    for (i = 0; i < SNX_CATS_N; i++) {
        if ((categories & 1u << i) == 0 || ms == 0) {
            continue;
        }

        /* relaxed: a deadline orders nothing; the latest one wins */

        old = atomic_load_explicit(&limits->until_ms[i],
                                   memory_order_relaxed);

        while (old < until
               && !atomic_compare_exchange_weak_explicit(
                                   &limits->until_ms[i], &old, until,
                                   memory_order_relaxed,
                                   memory_order_relaxed))
        {
            /* void */
        }
    }
}


int
snx_limits_header(snx_limits_t *limits, snx_str_t value, uint64_t now_ms)
{
    int        applied;
    unsigned   categories;
    uint64_t   ms;
    snx_str_t  limit, seconds;

    applied = 0;

    while (value.len != 0) {
        limit = snx_limit_token(&value, ',');
        seconds = snx_limit_token(&limit, ':');
        categories = snx_limit_categories(snx_limit_token(&limit, ':'));

        if (categories != 0 && snx_limit_ms(seconds, &ms)) {
            snx_limit_apply(limits, categories, ms, now_ms);
            applied++;
        }
    }

    return applied;
}


static int
snx_limit_number(snx_str_t s, size_t at, size_t n, int64_t *value)
{
    size_t  i;

    *value = 0;

    for (i = at; i < at + n; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        *value = *value * 10 + (s.data[i] - '0');
    }

    return 1;
}


/* The only form that may be sent: "Sun, 06 Nov 1994 08:49:37 GMT" */

static int
snx_limit_date(snx_str_t s, int64_t *epoch)
{
    size_t             month;
    int64_t            day, year, hour, min, sec, days;
    static const char  names[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";

    if (s.len != 29 || memcmp(s.data + 3, ", ", 2) != 0
        || memcmp(s.data + 25, " GMT", 4) != 0
        || s.data[7] != ' ' || s.data[11] != ' ' || s.data[16] != ' '
        || s.data[19] != ':' || s.data[22] != ':')
    {
        return 0;
    }

    for (month = 0; month < 12; month++) {
        if (memcmp(s.data + 8, &names[3 * month], 3) == 0) {
            break;
        }
    }

    if (month == 12
        || !snx_limit_number(s, 5, 2, &day) || day < 1 || day > 31
        || !snx_limit_number(s, 12, 4, &year) || year < 1970
        || !snx_limit_number(s, 17, 2, &hour) || hour > 23
        || !snx_limit_number(s, 20, 2, &min) || min > 59
        || !snx_limit_number(s, 23, 2, &sec) || sec > 60)
    {
        return 0;
    }

    /* years begin on 1 March: leap days are at their end */

    year -= (month >= 10);
    days = year * 365 + year / 4 - year / 100 + year / 400
           + (153 * (int64_t) month + 2) / 5 + day - 1 - 719468;

    *epoch = days * 86400 + hour * 3600 + min * 60 + sec;

    return 1;
}


int
snx_limits_retry_after(snx_limits_t *limits, snx_str_t value,
    uint64_t now_ms, int64_t now_epoch)
{
    int64_t   epoch, left;
    uint64_t  ms;

    value = snx_text_trim(value);

    if (!snx_limit_ms(value, &ms)) {

        if (!snx_limit_date(value, &epoch)) {
            return 0;
        }

        left = (epoch > now_epoch) ? epoch - now_epoch : 0;
        ms = (left < SNX_LIMIT_MAX_MS / 1000) ? (uint64_t) left * 1000
                                              : SNX_LIMIT_MAX_MS;
    }

    snx_limit_apply(limits, SNX_LIMIT_ALL, ms, now_ms);

    return 1;
}


void
snx_limits_all(snx_limits_t *limits, uint64_t ms, uint64_t now_ms)
{
    snx_limit_apply(limits, SNX_LIMIT_ALL, ms, now_ms);
}


uint64_t
snx_limits_left(const snx_limits_t *limits, snx_category_t category,
    uint64_t now_ms)
{
    uint64_t  until, left;

    if ((unsigned) category >= SNX_CATS_N) {
        return 0;
    }

    until = atomic_load_explicit(&limits->until_ms[category],
                                 memory_order_relaxed);

    left = (until > now_ms) ? until - now_ms : 0;

    return (left > SNX_LIMIT_MAX_MS) ? SNX_LIMIT_MAX_MS : left;
}
