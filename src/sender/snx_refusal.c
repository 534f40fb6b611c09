
/*
 * Copyright (C) ngx_sentry authors
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE            /* memmem */
#endif

#include <cjson/cJSON.h>

#include "snx_mailbox.h"
#include "snx_refusal.h"
#include "snx_scrub.h"
#include "snx_text.h"


/* Before they are filtered and cut: all, for half a secret is not found. */
#define SNX_REFUSAL_WORDS_MAX  SNX_TRANSPORT_ERROR_MAX


static void
snx_refusal_add(snx_text_t *words, const cJSON *item)
{
    const char  *text;

    text = cJSON_GetStringValue(item);

    if (text != NULL && text[0] != '\0') {
        snx_text_addz(words, words->len == 0 ? "" : "; ");
        snx_text_addz(words, text);
    }
}


/* Only a string is taken as what it should be; all else is passed over. */

static void
snx_refusal_read(snx_text_t *words, snx_str_t body)
{
    int           n;
    cJSON        *root;
    const cJSON  *cause;

    root = cJSON_ParseWithLength((const char *) body.data, body.len);

    snx_refusal_add(words, cJSON_GetObjectItemCaseSensitive(root, "detail"));

    n = 0;

    cJSON_ArrayForEach(cause, cJSON_GetObjectItemCaseSensitive(root,
                                                               "causes"))
    {
        if (n++ == SNX_REFUSAL_CAUSES_N) {
            break;
        }

        snx_refusal_add(words, cause);
    }

    cJSON_Delete(root);
}


/* Sentry may name the key that it does not know; a key may be "*". */

static void
snx_refusal_hide(char *text, snx_str_t key)
{
    char  *p;

    for (p = text;
         key.len != 0
         && (p = memmem(p, strlen(p), key.data, key.len)) != NULL;
         p += key.len)
    {
        memset(p, '*', key.len);
    }
}


void
snx_refusal_text(const snx_answer_t *answer, snx_str_t key,
    char out[SNX_REFUSAL_MAX + 1])
{
    char         buf[SNX_REFUSAL_WORDS_MAX];
    char         safe[SNX_REFUSAL_WORDS_MAX + 1];
    size_t       len;
    snx_text_t   words;

    static const snx_scrub_t  scrub;

    snx_text_init(&words, buf, sizeof(buf));

    if (answer->body.len != 0) {
        snx_refusal_read(&words, answer->body);
    }

    if (words.len == 0) {
        snx_text_addz(&words, answer->reason);
    }

    len = snx_scrub_text(&scrub, snx_str(words.data, words.len), safe,
                         sizeof(safe) - 1);
    safe[len] = '\0';

    snx_refusal_hide(safe, key);
    snx_mailbox_clean(out, SNX_REFUSAL_MAX + 1, safe);
}
