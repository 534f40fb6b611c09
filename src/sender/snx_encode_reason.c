
/*
 * Copyright (C) ngx_sentry authors
 *
 * Why the event is there: exception with its stack trace, or message, and
 * the breadcrumbs that led to it.
 */


#include "snx_encode.h"


#define SNX_ENCODE_TYPE_MAX      128
#define SNX_ENCODE_MESSAGE_MAX   8192
#define SNX_ENCODE_CRUMBS_MAX_N  100
#define SNX_ENCODE_FRAMES_MAX_N  50
#define SNX_ENCODE_FRAME_MAX     512


static void
snx_encode_mechanism(snx_json_t *j, const snx_fields_t *fields)
{
    int64_t   number;

    snx_json_object(j, "mechanism");

    snx_json_const(j, "type", "auto.http.nginx");
    snx_json_bool(j, "handled", 0);

    if (snx_fields_num(fields, SNX_F_EXC_ERRNO, &number)
        && number > 0 && number <= INT32_MAX)
    {
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
    snx_json_str(j, "function", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);

    if (packed.line != 0) {
        snx_json_num(j, "lineno", packed.line);
    }

    snx_json_str(j, "context_line", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);
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


static void
snx_encode_exception(snx_json_t *j, const snx_fields_t *fields)
{
    snx_str_t  type, value;

    type = snx_fields_str(fields, SNX_F_EXC_TYPE);
    value = snx_fields_str(fields, SNX_F_EXC_VALUE);

    if (type.len == 0) {
        type = snx_cstr("Error");
    }

    snx_json_object(j, "exception");
    snx_json_array(j, "values");
    snx_json_object(j, NULL);

    snx_json_str(j, "type", type, SNX_ENCODE_TYPE_MAX);
    snx_json_str(j, "value", value, SNX_TEXT_MAX);

    snx_encode_mechanism(j, fields);
    snx_encode_stacktrace(j, fields);

    snx_json_close(j);
    snx_json_close(j);
    snx_json_close(j);
}


static const char *
snx_encode_crumb_category(uint8_t category)
{
    switch (category) {

    case SNX_CRUMB_REQUEST:
        return "nginx.request";

    case SNX_CRUMB_NAVIGATION:
        return "nginx.redirect";

    case SNX_CRUMB_UPSTREAM:
        return "nginx.upstream";

    case SNX_CRUMB_RESPONSE:
        return "nginx.response";

    default:
        return "nginx.error_log";
    }
}


static void
snx_encode_crumb(snx_json_t *j, const snx_field_t *f)
{
    const char        *type;
    snx_breadcrumb_t   packed;

    if (f->key.len != sizeof(packed)) {
        return;
    }

    memcpy(&packed, f->key.data, sizeof(packed));

    type = packed.level >= SNX_LEVEL_ERROR ? "error" : "default";

    snx_json_object(j, NULL);

    snx_json_time(j, "timestamp", packed.time_us);
    snx_json_const(j, "type", type);
    snx_json_const(j, "category",
                 snx_encode_crumb_category(packed.category));
    snx_json_const(j, "level", snx_encode_level(packed.level));
    snx_json_str(j, "message", f->value, SNX_TEXT_MAX);
    snx_json_close(j);
}


static void
snx_encode_breadcrumbs(snx_json_t *j, const snx_fields_t *fields)
{
    int                 n;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_BREADCRUMB);

    if (f == NULL) {
        return;
    }

    snx_json_object(j, "breadcrumbs");
    snx_json_array(j, "values");

    for (n = 0; f != NULL && n < SNX_ENCODE_CRUMBS_MAX_N; n++) {
        snx_encode_crumb(j, f);
        f = snx_fields_next(fields, f);
    }

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

    snx_encode_breadcrumbs(j, fields);
}
