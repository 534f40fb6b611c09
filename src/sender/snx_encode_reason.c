
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
snx_encode_mechanism(snx_json_t *j, cJSON *exception,
    const snx_fields_t *fields)
{
    cJSON    *mechanism, *meta, *cerror;
    int64_t   number;

    mechanism = snx_json_object(j, exception, "mechanism");

    snx_json_ref(j, mechanism, "type", "auto.http.nginx");
    snx_json_bool(j, mechanism, "handled", 0);

    if (snx_fields_num(fields, SNX_F_EXC_ERRNO, &number)
        && number > 0 && number <= INT32_MAX)
    {
        meta = snx_json_object(j, mechanism, "meta");
        cerror = snx_json_object(j, meta, "errno");
        snx_json_num(j, cerror, "number", number);
    }
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
snx_encode_frame(snx_json_t *j, cJSON *frames, const snx_field_t *f)
{
    cJSON        *frame;
    snx_str_t     value;
    snx_frame_t   packed;

    if (f->key.len != sizeof(packed)) {
        return;
    }

    memcpy(&packed, f->key.data, sizeof(packed));
    value = f->value;

    frame = snx_json_object(j, frames, NULL);

    snx_json_str(j, frame, "filename", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);
    snx_json_str(j, frame, "function", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);

    if (packed.line != 0) {
        snx_json_num(j, frame, "lineno", packed.line);
    }

    snx_json_str(j, frame, "context_line", snx_encode_part(&value),
                 SNX_ENCODE_FRAME_MAX);
    snx_json_bool(j, frame, "in_app", 1);
}


static void
snx_encode_stacktrace(snx_json_t *j, cJSON *exception,
    const snx_fields_t *fields)
{
    int                 n;
    cJSON              *stacktrace, *frames;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_FRAME);

    if (f == NULL) {
        return;
    }

    stacktrace = snx_json_object(j, exception, "stacktrace");
    frames = snx_json_array(j, stacktrace, "frames");

    for (n = 0; f != NULL && n < SNX_ENCODE_FRAMES_MAX_N; n++) {
        snx_encode_frame(j, frames, f);
        f = snx_fields_next(fields, f);
    }
}


static void
snx_encode_exception(snx_json_t *j, cJSON *event, const snx_fields_t *fields)
{
    cJSON      *exception, *values;
    snx_str_t   type, value;

    type = snx_fields_str(fields, SNX_F_EXC_TYPE);
    value = snx_fields_str(fields, SNX_F_EXC_VALUE);

    if (type.len == 0) {
        type = snx_cstr("Error");
    }

    exception = snx_json_object(j, event, "exception");
    values = snx_json_array(j, exception, "values");
    exception = snx_json_object(j, values, NULL);

    snx_json_str(j, exception, "type", type, SNX_ENCODE_TYPE_MAX);
    snx_json_str(j, exception, "value", value, SNX_TEXT_MAX);

    snx_encode_mechanism(j, exception, fields);
    snx_encode_stacktrace(j, exception, fields);
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
snx_encode_crumb(snx_json_t *j, cJSON *values, const snx_field_t *f)
{
    cJSON             *crumb;
    const char        *type;
    snx_breadcrumb_t   packed;

    if (f->key.len != sizeof(packed)) {
        return;
    }

    memcpy(&packed, f->key.data, sizeof(packed));

    type = packed.level >= SNX_LEVEL_ERROR ? "error" : "default";

    crumb = snx_json_object(j, values, NULL);

    snx_json_time(j, crumb, "timestamp", packed.time_us);
    snx_json_ref(j, crumb, "type", type);
    snx_json_ref(j, crumb, "category",
                 snx_encode_crumb_category(packed.category));
    snx_json_ref(j, crumb, "level", snx_encode_level(packed.level));
    snx_json_str(j, crumb, "message", f->value, SNX_TEXT_MAX);
}


static void
snx_encode_breadcrumbs(snx_json_t *j, cJSON *event,
    const snx_fields_t *fields)
{
    int                 n;
    cJSON              *breadcrumbs, *values;
    const snx_field_t  *f;

    f = snx_fields_first(fields, SNX_F_BREADCRUMB);

    if (f == NULL) {
        return;
    }

    breadcrumbs = snx_json_object(j, event, "breadcrumbs");
    values = snx_json_array(j, breadcrumbs, "values");

    for (n = 0; f != NULL && n < SNX_ENCODE_CRUMBS_MAX_N; n++) {
        snx_encode_crumb(j, values, f);
        f = snx_fields_next(fields, f);
    }
}


void
snx_encode_reason(snx_json_t *j, cJSON *event, const snx_fields_t *fields)
{
    cJSON      *logentry;
    snx_str_t   message;

    message = snx_fields_str(fields, SNX_F_MESSAGE);

    if (snx_fields_first(fields, SNX_F_EXC_TYPE) != NULL
        || snx_fields_first(fields, SNX_F_EXC_VALUE) != NULL)
    {
        snx_encode_exception(j, event, fields);

    } else if (message.len != 0) {
        logentry = snx_json_object(j, event, "logentry");
        snx_json_str(j, logentry, "message", message,
                     SNX_ENCODE_MESSAGE_MAX);
    }

    snx_encode_breadcrumbs(j, event, fields);
}
