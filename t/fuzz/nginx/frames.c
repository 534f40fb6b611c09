
/*
 * Copyright (C) ngx_sentry authors
 *
 * Frames of HTTP/2 and FastCGI, made of text so that the fuzzer has not to
 * guess lengths; a section that begins with a control character is a single
 * frame of its own: type, flags, stream, payload.
 */


#include <string.h>

#include "fuzz.h"


#define H2_DATA                0
#define H2_HEADERS             1
#define H2_SETTINGS            4
#define H2_END_STREAM          1
#define H2_END_HEADERS         4

#define RAW                    0x1f        /* no frame at all */


/* What a request or a response in text consists of. */

typedef struct {
    const uint8_t  *line;
    size_t          line_len;
    const uint8_t  *headers;
    size_t          headers_len;
    const uint8_t  *body;
    size_t          body_len;
} text_t;


static void text_split(text_t *text, const uint8_t *data, size_t len);
static size_t line_len(const uint8_t *data, size_t len, size_t *next);
static void frame(fuzz_out_t *out, int type, int flags, unsigned stream,
    const void *data, size_t len);
static int frame_single(fuzz_out_t *out, const uint8_t *data, size_t len);
static void hpack(fuzz_out_t *out, const void *name, size_t name_len,
    const void *value, size_t value_len);
static void hpack_str(fuzz_out_t *out, const void *data, size_t len);
static void hpack_lines(fuzz_out_t *out, const uint8_t *data, size_t len);
static void fastcgi_record(fuzz_out_t *out, int type, const void *data,
    size_t len);


static fuzz_out_t  block;      /* of headers */
static fuzz_out_t  target;


void
out_add(fuzz_out_t *out, const void *data, size_t len)
{
    if (len > sizeof(out->data) - out->len) {
        len = sizeof(out->data) - out->len;
    }

    if (len != 0) {
        memcpy(out->data + out->len, data, len);
        out->len += len;
    }
}


void
frames_begin(fuzz_out_t *out, int client)
{
    static const char  preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    if (client) {
        out_add(out, preface, sizeof(preface) - 1);
    }

    frame(out, H2_SETTINGS, 0, 0, "", 0);
}


/* METHOD target, headers, an empty line, the body. */

void
frames_request(fuzz_out_t *out, const uint8_t *data, size_t len,
    unsigned stream, int flags)
{
    size_t          i, n;
    text_t          text;
    const char     *name, *value;
    const uint8_t  *sp;

    if (frame_single(out, data, len)) {
        return;
    }

    text_split(&text, data, len);

    sp = memchr(text.line, ' ', text.line_len);
    n = sp ? (size_t) (sp - text.line) : text.line_len;

    block.len = 0;
    target.len = 0;

    hpack(&block, ":method", 7, text.line, n);
    hpack(&block, ":scheme", 7, "http", 4);
    hpack(&block, ":authority", 10, "localhost", 9);

    if (sp) {
        n++;
        sp = memchr(text.line + n, ' ', text.line_len - n);
        i = sp ? (size_t) (sp - text.line) : text.line_len;

        if (flags & 2) {
            secrets_target(&target, text.line + n, i - n);

        } else {
            out_add(&target, text.line + n, i - n);
        }

        hpack(&block, ":path", 5, target.data, target.len);
    }

    for (i = 0; secrets_header(flags, i, &name, &value); i++) {
        hpack(&block, name, strlen(name), value, strlen(value));
    }

    hpack_lines(&block, text.headers, text.headers_len);

    frame(out, H2_HEADERS,
          H2_END_HEADERS | (text.body_len ? 0 : H2_END_STREAM), stream,
          block.data, block.len);

    if (text.body_len) {
        frame(out, H2_DATA, H2_END_STREAM, stream, text.body, text.body_len);
    }
}


/* HTTP/1.1 NNN, headers, an empty line, the body; trailers if it is odd. */

void
frames_response(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    text_t          text;
    const uint8_t  *sp;

    if (frame_single(out, data, len)) {
        return;
    }

    text_split(&text, data, len);

    block.len = 0;

    sp = memchr(text.line, ' ', text.line_len);

    if (sp && text.line_len - (size_t) (sp - text.line) >= 4) {
        hpack(&block, ":status", 7, sp + 1, 3);
    }

    hpack_lines(&block, text.headers, text.headers_len);

    frame(out, H2_HEADERS,
          H2_END_HEADERS | (text.body_len ? 0 : H2_END_STREAM), 1, block.data,
          block.len);

    if (text.body_len) {
        frame(out, H2_DATA, text.body_len & 1 ? 0 : H2_END_STREAM, 1,
              text.body, text.body_len);
    }

    if (text.body_len & 1) {
        block.len = 0;
        hpack(&block, "grpc-status", 11, "14", 2);
        hpack(&block, "grpc-message", 12, "gone", 4);
        frame(out, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, block.data,
              block.len);
    }
}


void
frames_fastcgi(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    if (len > 0 && data[0] == RAW) {
        out_add(out, data + 1, len - 1);
        return;
    }

    if (len > 0 && data[0] < ' ') {
        fastcgi_record(out, data[0], data + 1, len - 1);
        return;
    }

    fastcgi_record(out, 6, data, len);
    fastcgi_record(out, 3, "\0\0\0\0\0\0\0\0", 8);
}


static void
fastcgi_record(fuzz_out_t *out, int type, const void *data, size_t len)
{
    uint8_t  head[8];

    head[0] = 1;
    head[1] = (uint8_t) type;
    head[2] = 0;
    head[3] = 1;
    head[4] = (uint8_t) (len >> 8);
    head[5] = (uint8_t) len;
    head[6] = 0;
    head[7] = 0;

    out_add(out, head, sizeof(head));
    out_add(out, data, len);
}


static void
text_split(text_t *text, const uint8_t *data, size_t len)
{
    size_t  n, next, end;

    text->line = data;
    text->line_len = line_len(data, len, &next);
    text->headers = data + next;

    for (end = next; end < len; end += n) {
        if (line_len(data + end, len - end, &n) == 0) {
            break;
        }
    }

    text->headers_len = end - next;

    if (end < len) {
        end += n;
    }

    text->body = data + end;
    text->body_len = len - end;
}


static size_t
line_len(const uint8_t *data, size_t len, size_t *next)
{
    size_t          n;
    const uint8_t  *lf;

    lf = memchr(data, '\n', len);
    n = lf ? (size_t) (lf - data) : len;
    *next = lf ? n + 1 : n;

    return n > 0 && data[n - 1] == '\r' ? n - 1 : n;
}


static int
frame_single(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    if (len < 3 || data[0] >= ' ') {
        return 0;
    }

    if (data[0] == RAW) {
        out_add(out, data + 1, len - 1);

    } else {
        frame(out, data[0], data[1], data[2], data + 3, len - 3);
    }

    return 1;
}


static void
frame(fuzz_out_t *out, int type, int flags, unsigned stream,
    const void *data, size_t len)
{
    uint8_t  head[9];

    head[0] = (uint8_t) (len >> 16);
    head[1] = (uint8_t) (len >> 8);
    head[2] = (uint8_t) len;
    head[3] = (uint8_t) type;
    head[4] = (uint8_t) flags;
    head[5] = 0;
    head[6] = 0;
    head[7] = (uint8_t) (stream >> 8);
    head[8] = (uint8_t) stream;

    out_add(out, head, sizeof(head));
    out_add(out, data, len);
}


/* Literal, without indexing, without Huffman. */

static void
hpack(fuzz_out_t *out, const void *name, size_t name_len, const void *value,
    size_t value_len)
{
    out_add(out, "\0", 1);
    hpack_str(out, name, name_len);
    hpack_str(out, value, value_len);
}


static void
hpack_str(fuzz_out_t *out, const void *data, size_t len)
{
    size_t   n;
    uint8_t  c;

    if (len < 127) {
        c = (uint8_t) len;
        out_add(out, &c, 1);

    } else {
        out_add(out, "\x7f", 1);

        for (n = len - 127; n >= 128; n >>= 7) {
            c = (uint8_t) (n | 0x80);
            out_add(out, &c, 1);
        }

        c = (uint8_t) n;
        out_add(out, &c, 1);
    }

    out_add(out, data, len);
}


static void
hpack_lines(fuzz_out_t *out, const uint8_t *data, size_t len)
{
    size_t          n, i, next, name;
    const uint8_t  *colon;

    for (i = 0; i < len; i += next) {
        n = line_len(data + i, len - i, &next);

        /* of ":path" the second one */

        colon = n > 1 ? memchr(data + i + 1, ':', n - 1) : NULL;
        name = colon ? (size_t) (colon - data - i) : n;

        n -= name;

        if (n > 0) {
            colon++;
            n--;
        }

        if (n > 0 && *colon == ' ') {
            colon++;
            n--;
        }

        hpack(out, data + i, name, n ? colon : (const uint8_t *) "", n);
    }
}
