
/*
 * Copyright (C) ngx_sentry authors
 *
 * Why the event is there: exceptions, the last one with its stack trace, or a
 * message.
 */


#include "snx_encode.h"


#define SNX_ENCODE_TYPE_MAX      128
#define SNX_ENCODE_MESSAGE_MAX   8192
#define SNX_ENCODE_CAUSES_MAX_N  8
#define SNX_ENCODE_FRAMES_MAX_N  50
#define SNX_ENCODE_FRAME_MAX     512     /* a part of a frame */


/* id: 0 the exception itself, n what led to the one of id n - 1. */

static void
snx_encode_mechanism(snx_json_t *j, int id, int chained, int64_t number)
{
    snx_json_object(j, "mechanism");

    snx_json_const(j, "type", id == 0 ? "auto.http.nginx" : "chained");
    snx_json_bool(j, "handled", id != 0);

    if (chained) {
        snx_json_num(j, "exception_id", id);
    }

    if (id != 0) {
        snx_json_num(j, "parent_id", id - 1);
    }

    if (number > 0 && number <= INT32_MAX) {
        snx_json_object(j, "meta");
        snx_json_object(j, "errno");
        snx_json_num(j, "number", number);
        snx_json_close(j);
        snx_json_close(j);
    }

    snx_json_close(j);
}


/* Cuts the next part off s at a NUL. */

static snx_str_t
snx_encode_part(snx_str_t *s)
{
    snx_str_t             part;
    const unsigned char  *p;

    part = *s;
    p = s->len == 0 ? NULL : memchr(s->data, '\0', s->len);

    if (p == NULL) {
        *s = snx_str(NULL, 0);
        return part;
    }

    part.len = (size_t) (p - s->data);
    *s = snx_str(p + 1, s->len - part.len - 1);

    return part;
}


static void
snx_encode_lines(snx_json_t *j, const char *key, snx_str_t *value, unsigned n)
{
    if (n == 0 || value->len == 0) {
        return;
    }

    snx_json_array(j, key);

    while (n-- != 0 && value->len != 0) {
        snx_json_text(j, NULL, snx_encode_part(value), SNX_ENCODE_FRAME_MAX);
    }

    snx_json_close(j);
}


static void
snx_encode_frame(snx_json_t *j, const snx_field_t *f)
{
    snx_str_t     value;
    snx_frame_t   packed;

    if (f->key.len != sizeof(packed)) {
        return;
    }

    memcpy(&packed, f->key.data, sizeof(packed));
    value = f->value;

    snx_json_object(j, NULL);

    snx_json_str(j, "filename", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);
    snx_json_str(j, "abs_path", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);
    snx_json_str(j, "function", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);

    if (packed.line != 0) {
        snx_json_num(j, "lineno", packed.line);
    }

    snx_encode_lines(j, "pre_context", &value, packed.before);

    if (packed.lines > packed.before) {
        snx_json_str(j, "context_line", snx_encode_part(&value),
                     SNX_ENCODE_FRAME_MAX);
        snx_encode_lines(j, "post_context", &value,
                         packed.lines - packed.before - 1u);
    }

    snx_json_bool(j, "in_app", 1);
    snx_json_close(j);
}


static void
snx_encode_stacktrace(snx_json_t *j, const snx_fields_t *fields)
{
    int                 n;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_FRAME);

    if (f == NULL) {
        return;
    }

    snx_json_object(j, "stacktrace");
    snx_json_array(j, "frames");

    for (n = 0; f != NULL && n < SNX_ENCODE_FRAMES_MAX_N; n++) {
        snx_encode_frame(j, f);
        f = snx_fields_next(fields, f);
    }

    snx_json_close(j);
    snx_json_close(j);
}


/* Oldest first, so they count down to the exception itself. */

static int
snx_encode_causes(snx_json_t *j, const snx_fields_t *fields)
{
    int                  id, n;
    snx_str_t            value;
    snx_cause_field_t    packed;
    const snx_field_t   *f;

    n = 0;

    for (f = snx_fields_first(fields, SNX_F_CAUSE);
         f != NULL && n < SNX_ENCODE_CAUSES_MAX_N;
         f = snx_fields_next(fields, f))
    {
        n += (f->key.len == sizeof(packed));
    }

    id = n;

    for (f = snx_fields_first(fields, SNX_F_CAUSE);
         f != NULL && id != 0;
         f = snx_fields_next(fields, f))
    {
        if (f->key.len != sizeof(packed)) {
            continue;
        }

        memcpy(&packed, f->key.data, sizeof(packed));
        value = f->value;

        snx_json_object(j, NULL);

        snx_json_text(j, "type", snx_encode_part(&value),
                      SNX_ENCODE_TYPE_MAX);
        snx_json_str(j, "value", value, SNX_TEXT_MAX);
        snx_encode_mechanism(j, id--, 1, packed.error);

        snx_json_close(j);
    }

    return n;
}


static void
snx_encode_exception(snx_json_t *j, const snx_fields_t *fields)
{
    int        chained;
    int64_t    number;
    snx_str_t  type, value;

    number = 0;
    (void) snx_fields_num(fields, SNX_F_EXC_ERRNO, &number);

    type = snx_fields_str(fields, SNX_F_EXC_TYPE);
    value = snx_fields_str(fields, SNX_F_EXC_VALUE);

    if (type.len == 0) {
        type = snx_cstr("Error");
    }

    snx_json_object(j, "exception");
    snx_json_array(j, "values");

    chained = snx_encode_causes(j, fields) != 0;

    snx_json_object(j, NULL);

    snx_json_str(j, "type", type, SNX_ENCODE_TYPE_MAX);
    snx_json_str(j, "value", value, SNX_TEXT_MAX);

    snx_encode_mechanism(j, 0, chained, number);
    snx_encode_stacktrace(j, fields);

    snx_json_close(j);
    snx_json_close(j);
    snx_json_close(j);
}


void
snx_encode_reason(snx_json_t *j, const snx_fields_t *fields)
{
    snx_str_t  message;

    message = snx_fields_str(fields, SNX_F_MESSAGE);

    if (snx_fields_first(fields, SNX_F_EXC_TYPE) != NULL
        || snx_fields_first(fields, SNX_F_EXC_VALUE) != NULL)
    {
        snx_encode_exception(j, fields);

    } else if (message.len != 0) {
        snx_json_object(j, "logentry");
        snx_json_str(j, "message", message, SNX_ENCODE_MESSAGE_MAX);
        snx_json_close(j);
    }

    snx_encode_crumbs(j, fields);
}
