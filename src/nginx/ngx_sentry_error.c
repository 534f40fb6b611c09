
/*
 * Copyright (C) ngx_sentry authors
 *
 * The vocabulary of errors: a small fixed set of types, so that issues group
 * and alerts can name them.
 */


#include "ngx_sentry.h"


typedef struct {
    ngx_uint_t   status;
    snx_str_t    type;         /* empty: by class */
    snx_str_t    reason;
} ngx_sentry_error_t;


static const ngx_sentry_error_t  ngx_sentry_errors[] = {
    { 400, snx_string("BadRequest"), snx_string("Bad Request") },
    { 401, snx_null_string, snx_string("Unauthorized") },
    { 402, snx_null_string, snx_string("Payment Required") },
    { 403, snx_null_string, snx_string("Forbidden") },
    { 404, snx_null_string, snx_string("Not Found") },
    { 405, snx_null_string, snx_string("Method Not Allowed") },
    { 406, snx_null_string, snx_string("Not Acceptable") },
    { 408, snx_string("RequestTimeout"), snx_string("Request Timeout") },
    { 409, snx_null_string, snx_string("Conflict") },
    { 410, snx_null_string, snx_string("Gone") },
    { 411, snx_string("BadRequest"), snx_string("Length Required") },
    { 412, snx_null_string, snx_string("Precondition Failed") },
    { 413, snx_string("RequestTooLarge"),
           snx_string("Request Entity Too Large") },
    { 414, snx_string("RequestTooLarge"), snx_string("URI Too Long") },
    { 415, snx_null_string, snx_string("Unsupported Media Type") },
    { 416, snx_null_string, snx_string("Range Not Satisfiable") },
    { 421, snx_null_string, snx_string("Misdirected Request") },
    { 422, snx_null_string, snx_string("Unprocessable Entity") },
    { 429, snx_string("LimitExceeded"), snx_string("Too Many Requests") },
    { 431, snx_string("RequestTooLarge"),
           snx_string("Request Header Fields Too Large") },
    { 444, snx_null_string, snx_string("Closed Without Response") },
    { 494, snx_string("RequestTooLarge"),
           snx_string("Request Header Too Large") },
    { 495, snx_string("BadRequest"), snx_string("SSL Certificate Error") },
    { 496, snx_string("BadRequest"), snx_string("SSL Certificate Required") },
    { 497, snx_string("BadRequest"),
           snx_string("HTTP Request Sent to HTTPS Port") },
    { 500, snx_null_string, snx_string("Internal Server Error") },
    { 501, snx_null_string, snx_string("Not Implemented") },
    { 502, snx_string("UpstreamError"), snx_string("Bad Gateway") },
    { 503, snx_null_string, snx_string("Service Unavailable") },
    { 504, snx_string("UpstreamTimeout"), snx_string("Gateway Timeout") },
    { 505, snx_string("BadRequest"),
           snx_string("HTTP Version Not Supported") },
    { 507, snx_null_string, snx_string("Insufficient Storage") },
    { 0, snx_null_string, snx_null_string }
};


static const ngx_sentry_error_t *
ngx_sentry_error_find(ngx_uint_t status)
{
    const ngx_sentry_error_t  *e;

    for (e = ngx_sentry_errors; e->status; e++) {
        if (e->status == status) {
            break;
        }
    }

    return e;
}


snx_str_t
ngx_sentry_error_type(ngx_uint_t status, ngx_uint_t upstream)
{
    const ngx_sentry_error_t  *e;

    /* an answer of the application's own */

    if (upstream) {
        return snx_cstr(status >= 500 ? "UpstreamError" : "ClientError");
    }

    e = ngx_sentry_error_find(status);

    if (e->type.len) {
        return e->type;
    }

    return snx_cstr(status >= 500 ? "ServerError" : "ClientError");
}


snx_str_t
ngx_sentry_error_reason(ngx_uint_t status)
{
    const ngx_sentry_error_t  *e;

    e = ngx_sentry_error_find(status);

    if (e->reason.len) {
        return e->reason;
    }

    return snx_cstr(status >= 500 ? "Server Error" : "Client Error");
}
