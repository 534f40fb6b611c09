
/*
 * Copyright (C) ngx_sentry authors
 *
 * Secrets in requests and responses: planted after the fuzzer has done its
 * work, and only where they are secrets whatever it did, so that none of them
 * may be found in what is recorded or sent.
 */


#define _GNU_SOURCE

#include <string.h>

#include "fuzz.h"


#define FLAG_AUTH              1
#define FLAG_QUERY             2
#define FLAG_COOKIE            4
#define FLAG_REFERER           8

#define QUERY                  "token=" FUZZ_CANARY "QUERY8k2&"


static const uint8_t *first_line(const uint8_t *data, size_t len);


static const struct {
    int          flag;
    const char  *name;
    const char  *value;
} headers[] = {
    { FLAG_AUTH, "authorization", "Bearer " FUZZ_CANARY "BEARER3x" },
    { FLAG_AUTH, "proxy-authorization", "Basic " FUZZ_CANARY "BASIC5f==" },
    { FLAG_COOKIE, "cookie", "session=" FUZZ_CANARY "COOKIE1; csrftoken="
                             FUZZ_CANARY "COOKIE2" },
    { FLAG_COOKIE, "x-api-key", FUZZ_CANARY "APIKEY7" },
    { FLAG_REFERER, "referer", "https://user:" FUZZ_CANARY "USERINFO@a.example"
                               "/b?access_token=" FUZZ_CANARY "REFERER&c=d" },
};


int
secrets_header(int flags, size_t i, const char **name, const char **value)
{
    size_t  j;

    for (j = 0; j < sizeof(headers) / sizeof(headers[0]); j++) {

        if ((headers[j].flag & flags) == 0 || i-- != 0) {
            continue;
        }

        *name = headers[j].name;
        *value = headers[j].value;

        return 1;
    }

    return 0;
}


void
secrets_target(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    size_t          n;
    const uint8_t  *args;

    args = memchr(data, '?', len);
    n = args ? (size_t) (args + 1 - data) : len;

    out_add(out, data, n);

    if (args == NULL) {
        out_add(out, "?", 1);
    }

    out_add(out, QUERY, sizeof(QUERY) - 1);
    out_add(out, data + n, len - n);
}


/* METHOD target HTTP/1.x: what follows is a header. */

void
secrets_request(fuzz_out_t *out, const uint8_t *data, size_t len, int flags)
{
    size_t          i;
    const char     *name, *value;
    const uint8_t  *line, *target, *end;

    line = first_line(data, len);

    if (line == NULL) {
        out_add(out, data, len);
        return;
    }

    target = memchr(data, ' ', (size_t) (line - data));
    end = target ? memchr(target + 1, ' ', (size_t) (line - target - 1))
                 : NULL;

    if (end == NULL || line - end < 10 || memcmp(end, " HTTP/1.", 8) != 0
        || (end[8] != '0' && end[8] != '1')
        || (end[9] != '\r' && end[9] != '\n'))
    {
        out_add(out, data, len);
        return;
    }

    target++;

    for (i = 0; data[i] != ' '; i++) {
        if ((data[i] < 'A' || data[i] > 'Z') && data[i] != '_') {
            out_add(out, data, len);
            return;
        }
    }

    out_add(out, data, (size_t) (target - data));

    if (flags & FLAG_QUERY) {
        secrets_target(out, target, (size_t) (end - target));

    } else {
        out_add(out, target, (size_t) (end - target));
    }

    out_add(out, end, (size_t) (line - end));

    for (i = 0; secrets_header(flags, i, &name, &value); i++) {
        out_add(out, name, strlen(name));
        out_add(out, ": ", 2);
        out_add(out, value, strlen(value));
        out_add(out, "\r\n", 2);
    }

    out_add(out, line, len - (size_t) (line - data));
}


/* HTTP/1.x NNN: what follows is a header. */

void
secrets_response(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    const uint8_t  *line;
    static char     cookie[] = "Set-Cookie: sid=" FUZZ_CANARY "SETCOOKIE\r\n";

    line = first_line(data, len);

    if (line == NULL || line - data < 13 || memcmp(data, "HTTP/1.", 7) != 0
        || (data[7] != '0' && data[7] != '1') || data[8] != ' '
        || strspn((const char *) data + 9, "0123456789") != 3)
    {
        out_add(out, data, len);
        return;
    }

    out_add(out, data, (size_t) (line - data));
    out_add(out, cookie, sizeof(cookie) - 1);
    out_add(out, line, len - (size_t) (line - data));
}


/* Behind the first line feed. */

static const uint8_t *
first_line(const uint8_t *data, size_t len)
{
    const uint8_t  *lf;

    lf = memchr(data, '\n', len);

    if (lf == NULL || memchr(data, '\0', (size_t) (lf - data)) != NULL) {
        return NULL;
    }

    return lf + 1;
}


void
secrets_look(const char *where, const void *data, size_t len)
{
    if (memmem(data, len, FUZZ_CANARY, sizeof(FUZZ_CANARY) - 1) != NULL) {
        fuzz_die(where, data, len);
    }
}
