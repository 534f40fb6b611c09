
/*
 * Copyright (C) ngx_sentry authors
 *
 * The breadcrumbs of an event: each step of the request's way, as Sentry's
 * breadcrumb interface wants it.
 */


#include "snx_encode.h"
#include "snx_text.h"
#include "snx_trail.h"


#define SNX_ENCODE_PLACE_MAX     256


static const char *
snx_encode_crumb_level(int64_t status)
{
    if (status >= 500 || status == 0) {
        return "error";
    }

    return status >= 400 ? "warning" : "info";
}


static void
snx_encode_crumb_head(snx_json_t *j, const char *type, const char *category,
    const char *level)
{
    snx_json_const(j, "type", type);
    snx_json_const(j, "category", category);
    snx_json_const(j, "level", level);
}


/* "upstream " and so on with a name, cut where need be. */

static void
snx_encode_crumb_message(snx_json_t *j, const char *before, snx_str_t name,
    const char *after)
{
    char        buf[2 * SNX_ENCODE_PLACE_MAX];
    snx_text_t  text;

    if (name.len > SNX_ENCODE_PLACE_MAX) {
        name.len = SNX_ENCODE_PLACE_MAX;
    }

    snx_text_init(&text, buf, sizeof(buf));
    snx_text_addz(&text, before);
    snx_text_add(&text, name);
    snx_text_addz(&text, after);

    snx_json_str(j, "message", snx_str(text.data, text.len), sizeof(buf));
}


static void
snx_encode_crumb_request(snx_json_t *j, const snx_fields_t *fields)
{
    snx_encode_crumb_head(j, "http", "nginx.request", "info");
    snx_json_const(j, "message", "request received");

    snx_json_object(j, "data");
    snx_json_str(j, "method", snx_fields_str(fields, SNX_F_METHOD),
                 SNX_NAME_MAX);
    snx_json_str(j, "url", snx_fields_str(fields, SNX_F_URL), SNX_URL_MAX);
    snx_json_close(j);
}


static void
snx_encode_crumb_pass(snx_json_t *j, const snx_trail_step_t *step)
{
    snx_str_t         to;
    snx_trail_pass_t  pass;

    memcpy(&pass, step->field->key.data, sizeof(pass));
    to = step->field->value;

    if (pass.error) {
        snx_encode_crumb_head(j, "navigation", "nginx.error_page", "warning");
        snx_encode_crumb_message(j, "error page in location ", to, "");

    } else if (pass.internal) {
        snx_encode_crumb_head(j, "navigation", "nginx.redirect", "info");
        snx_encode_crumb_message(j, "redirected to location ", to, "");

    } else {
        snx_encode_crumb_head(j, "default", "nginx.location", "info");
        snx_encode_crumb_message(j, "location ", to, "");
    }

    snx_json_object(j, "data");

    if (step->from != NULL) {
        snx_json_str(j, "from", step->from->value, SNX_ENCODE_PLACE_MAX);
    }

    snx_json_str(j, "to", to, SNX_ENCODE_PLACE_MAX);
    snx_json_close(j);
}


static void
snx_encode_crumb_upstream(snx_json_t *j, const snx_trail_step_t *step)
{
    int             answered;
    snx_upstream_t  up;

    memcpy(&up, step->field->key.data, sizeof(up));
    answered = (up.status > 0 && up.header_ms >= 0);

    snx_encode_crumb_head(j, "http", "nginx.upstream",
                          snx_encode_crumb_level(answered ? up.status : 0));
    snx_encode_crumb_message(j, "upstream ", step->field->value,
                             answered ? " answered" : " did not answer");

    snx_json_object(j, "data");
    snx_json_str(j, "address", step->field->value, SNX_ENCODE_PLACE_MAX);

    if (up.status > 0) {
        snx_json_num(j, "status_code", up.status);
    }

    snx_json_ms(j, "connect_time", up.connect_ms);
    snx_json_ms(j, "header_time", up.header_ms);
    snx_json_ms(j, "response_time", up.response_ms);
    snx_json_close(j);
}


static void
snx_encode_crumb_cache(snx_json_t *j, const snx_trail_step_t *step)
{
    snx_encode_crumb_head(j, "default", "nginx.cache", "info");
    snx_encode_crumb_message(j, "cache ", step->field->value, "");

    snx_json_object(j, "data");
    snx_json_str(j, "status", step->field->value, SNX_ENCODE_PLACE_MAX);
    snx_json_close(j);
}


static void
snx_encode_crumb_line(snx_json_t *j, const snx_trail_step_t *step)
{
    snx_breadcrumb_t  crumb;

    memcpy(&crumb, step->field->key.data, sizeof(crumb));

    snx_encode_crumb_head(j, crumb.level >= SNX_LEVEL_ERROR ? "error"
                                                            : "default",
                          step->kind == SNX_TRAIL_LIMIT ? "nginx.limit"
                                                        : "nginx.error_log",
                          snx_encode_level(crumb.level));
    snx_json_str(j, "message", step->field->value, SNX_TEXT_MAX);
}


static void
snx_encode_crumb_response(snx_json_t *j, const snx_fields_t *fields)
{
    int64_t  status, size;

    status = 0;
    (void) snx_fields_num(fields, SNX_F_STATUS, &status);

    snx_encode_crumb_head(j, "http", "nginx.response",
                          snx_encode_crumb_level(status));
    snx_json_const(j, "message", "response sent");

    snx_json_object(j, "data");
    snx_json_num(j, "status_code", status);

    if (snx_fields_num(fields, SNX_F_RESPONSE_BYTES, &size)) {
        snx_json_num(j, "http.response.body.size", size);
    }

    snx_json_close(j);
}


static void
snx_encode_crumb(snx_json_t *j, const snx_fields_t *fields,
    const snx_trail_step_t *step)
{
    snx_json_object(j, NULL);

    if (step->time_us > 0) {
        snx_json_time(j, "timestamp", step->time_us);
    }

    switch (step->kind) {

    case SNX_TRAIL_REQUEST:
        snx_encode_crumb_request(j, fields);
        break;

    case SNX_TRAIL_PASS:
        snx_encode_crumb_pass(j, step);
        break;

    case SNX_TRAIL_UPSTREAM:
        snx_encode_crumb_upstream(j, step);
        break;

    case SNX_TRAIL_CACHE:
        snx_encode_crumb_cache(j, step);
        break;

    case SNX_TRAIL_RESPONSE:
        snx_encode_crumb_response(j, fields);
        break;

    default:
        snx_encode_crumb_line(j, step);
    }

    snx_json_close(j);
}


void
snx_encode_crumbs(snx_json_t *j, const snx_fields_t *fields)
{
    size_t            i, n;
    snx_trail_step_t  steps[SNX_TRAIL_MAX_N];

    n = snx_trail_make(fields, steps);

    if (n == 0) {
        return;
    }

    snx_json_object(j, "breadcrumbs");
    snx_json_array(j, "values");

    for (i = 0; i < n; i++) {
        snx_encode_crumb(j, fields, &steps[i]);
    }

    snx_json_close(j);
    snx_json_close(j);
}
