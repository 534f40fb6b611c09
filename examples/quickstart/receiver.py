#!/usr/bin/env python3
#
# Copyright (C) ngx_sentry authors
#
# A place to look when Spotlight cannot run: takes Sentry envelopes on the
# loopback interface, refuses malformed ones, keeps the last 500 in memory,
# prints each issue and each trace and lists them on a page.  Standard library
# only; stores nothing and calls nobody.
#
#   receiver.py PORT
#
#   POST /api/PROJECT/envelope/     what a DSN http://key@127.0.0.1:PORT/1 sends
#   GET  /                          the page
#   GET  /stream                    server-sent events, as Spotlight has them:
#                                   data: [header, [[item header, payload] ...]]

import collections
import html
import json
import queue
import re
import sys
import threading
import zlib
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEEP = 500                      # envelopes
BODY_MAX = 4 * 1024 * 1024      # bytes, as sent and inflated
SHOWN = ('event', 'transaction')


class Malformed(Exception):
    """What is wrong with an envelope."""


def parse_envelope(body):
    """Returns (header, [(item header, payload)...]); JSON payloads parsed."""
    header, pos = _json_line(body, 0)
    items = []

    while pos < len(body):
        item, pos = _json_line(body, pos)

        if 'type' not in item:
            raise Malformed('an item without a type')

        end = pos + item['length'] if 'length' in item else _line_end(body, pos)

        if end > len(body):
            raise Malformed(f'length of {item["type"]} is past the end')

        if end < len(body) and body[end] != 10:
            raise Malformed(f'no newline after {item["type"]}')

        payload = body[pos:end]

        if item['type'] != 'attachment':
            payload = _json(payload)
        else:
            payload = None

        items.append((item, payload))
        pos = end + 1

    return header, items


def _line_end(body, pos):
    end = body.find(b'\n', pos)
    return len(body) if end < 0 else end


def _json_line(body, pos):
    end = _line_end(body, pos)
    value = _json(body[pos:end])

    if not isinstance(value, dict):
        raise Malformed('a header that is not an object')

    return value, end + 1


def _json(data):
    try:
        return json.loads(data.decode('utf-8'))

    except ValueError as e:
        raise Malformed(f'not JSON in UTF-8: {e}') from None


def inflate(body, encoding):
    if encoding in ('', 'identity'):
        return body

    if encoding not in ('gzip', 'deflate'):
        raise Malformed(f'content encoding {encoding}')

    z = zlib.decompressobj(31 if encoding == 'gzip' else 15)

    try:
        plain = z.decompress(body, BODY_MAX)

    except zlib.error as e:
        raise Malformed(str(e)) from None

    if not z.eof:
        raise Malformed('compressed body is cut or too large')

    return plain


# What a person wants to read of an event: (title, [(name, text)...]).

def describe(event):
    contexts = event.get('contexts') or {}
    nginx = contexts.get('nginx') or {}
    status = (contexts.get('response') or {}).get('status_code', '---')
    title = f'{status} {event.get("transaction") or "(no transaction)"}'

    rows = [('cause', _cause(event)),
            ('request', _request(event.get('request') or {})),
            ('location', _one(nginx.get('location')))]

    rows += [('place', place) for place in _places(event)]
    rows += [('upstream', u) for u in _upstreams(nginx)]

    headers = (event.get('request') or {}).get('headers') or {}
    pairs = headers.items() if isinstance(headers, dict) else headers
    rows += [('header', f'{k}: {v}') for k, v in pairs]

    crumbs = (event.get('breadcrumbs') or {}).get('values') or []
    rows += [('log', f'{c.get("level")}: {c["message"]}') for c in crumbs
             if c.get('category') == 'nginx.error_log']

    tags = event.get('tags') or {}
    pairs = tags.items() if isinstance(tags, dict) else tags
    rows.append(('tags', ', '.join(f'{k}={v}' for k, v in pairs)))

    rows.append(('event', event.get('event_id', '')))

    return title, [(name, text) for name, text in rows if text]


def _cause(event):
    values = (event.get('exception') or {}).get('values') or []

    if values:
        return f'{values[-1].get("type", "")}: {values[-1].get("value", "")}'

    entry = event.get('logentry') or {}
    return entry.get('formatted') or entry.get('message') or ''


def _places(event):
    """Of the configuration: the directive, its location, its server."""
    values = (event.get('exception') or {}).get('values') or [{}]
    frames = (values[-1].get('stacktrace') or {}).get('frames') or []

    return [f'{frame.get("filename")}:{frame.get("lineno")}'
            f'  {frame.get("function")}' for frame in reversed(frames)]


def _request(request):
    query = request.get('query_string') or ''

    if not isinstance(query, str):
        pairs = query.items() if isinstance(query, dict) else query
        query = '&'.join(f'{k}={v}' for k, v in pairs)

    return (f'{request.get("method", "")} {request.get("url", "")}'
            + (f'?{query}' if query else '')).strip()


def _upstreams(nginx):
    return [f'{t.get("address")}: {t.get("status", "no status")}'
            + ''.join(f', {what} {t[f"{what}_time"]} s'
                      for what in ('connect', 'header', 'response')
                      if f'{what}_time' in t)
            for t in nginx.get('upstream') or []]


def _one(value):
    return '' if value is None else str(value)


def is_trace(payload):
    return payload.get('type') == 'transaction'


# A transaction as its spans, each after its parent, in the order of time:
# [(depth, op, text, ms from the start of the first, ms long)...].

def waterfall(transaction, others=()):
    """With the spans of other transactions that are below its own."""
    root = _root(transaction)
    children = collections.defaultdict(list)
    rows = []

    for span in [*(transaction.get('spans') or []), *map(_root, others),
                 *(span for t in others for span in t.get('spans') or [])]:
        children[span.get('parent_span_id')].append(span)

    def add(span, depth):
        start = _ms(span.get('start_timestamp'))
        rows.append((depth, _one(span.get('op')),
                     _one(span.get('description')),
                     start - first, _ms(span.get('timestamp')) - start))

        for child in sorted(children.pop(span.get('span_id'), []),
                            key=lambda s: _ms(s.get('start_timestamp'))):
            add(child, depth + 1)

    first = _ms(root['start_timestamp'])
    add(root, 0)

    return rows


def _root(transaction):
    context = (transaction.get('contexts') or {}).get('trace') or {}

    return {**context, 'description': transaction.get('transaction'),
            'start_timestamp': transaction.get('start_timestamp'),
            'timestamp': transaction.get('timestamp')}


def _ms(time):
    """Of seconds, or of an RFC 3339 text."""
    if isinstance(time, str):
        time = datetime.fromisoformat(time.replace('Z', '+00:00')).timestamp()

    return 1000 * (time or 0)


def trace_as_text(transaction, others=()):
    lines = []

    for depth, op, text, start, length in waterfall(transaction, others):
        name = printable(f'{"  " * depth}{op}  {text}')
        lines.append(f'{start:10.1f} {length:9.1f} ms  {name}')

    return '\n'.join(lines)


# Control characters of a request must not reach the reader's terminal.

def printable(text):
    return re.sub(r'[\x00-\x1f\x7f-\x9f]', '?', text)


def as_text(event):
    if is_trace(event):
        return trace_as_text(event)

    title, rows = describe(event)
    lines = [printable(title)]
    lines += [f'    {name:<9} {printable(text)}' for name, text in rows]

    return '\n'.join(lines)


class Store:
    """The last envelopes, and who wants to hear of new ones."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept = collections.deque(maxlen=KEEP)
        self.listeners = set()

    def add(self, envelope):
        with self.lock:
            self.kept.append(envelope)
            for q in self.listeners:
                q.put(envelope)

    def listen(self):
        q = queue.SimpleQueue()
        with self.lock:
            for envelope in self.kept:
                q.put(envelope)
            self.listeners.add(q)
        return q

    def leave(self, q):
        with self.lock:
            self.listeners.discard(q)

    def shown(self):
        with self.lock:
            kept = list(self.kept)
        return [payload for _, items in kept for item, payload in items
                if item['type'] in SHOWN]


STORE = Store()

PAGE = '''<!doctype html>
<meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>%(issues)d issues, %(traces)d traces</title>
<style>
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 60em }
section { border: 1px solid #bbb; border-radius: 4px; margin: 1em 0;
          padding: .2em 1em 1em }
h2 { font-size: 1.1em } th { text-align: left; vertical-align: top;
padding-right: 1.5em; font-weight: normal; color: #666 }
td { font-family: monospace; overflow-wrap: anywhere }
.trace td { white-space: pre } .trace td + td { width: 40%% }
i { display: block; height: .8em; min-width: 2px; background: #6a5fc1 }
</style>
<h1>%(issues)d issues and %(traces)d traces from nginx, newest first</h1>
%(sections)s
'''


def page():
    shown = STORE.shown()
    traces = sum(map(is_trace, shown))
    sections = [trace_section(payload) if is_trace(payload)
                else event_section(payload) for payload in reversed(shown)]

    return PAGE % {'issues': len(shown) - traces, 'traces': traces,
                   'sections': '\n'.join(sections) or 'Nothing yet.'}


def event_section(event):
    title, rows = describe(event)
    cells = ''.join(f'<tr><th>{html.escape(name)}<td>{html.escape(text)}'
                    for name, text in rows)

    return (f'<section><h2>{html.escape(title)}</h2>'
            f'<table>{cells}</table></section>')


def trace_section(transaction):
    spans = waterfall(transaction)
    percent = 100 / max(spans[0][4], 0.001)
    cells = ''.join(
        f'<tr><td>{"  " * depth}{html.escape(f"{op}  {text}")}'
        f'<td><i style="margin-left:{start * percent:.2f}%;'
        f'width:{length * percent:.2f}%"></i><th>{length:.1f} ms'
        for depth, op, text, start, length in spans)

    return (f'<section class="trace"><h2>{html.escape(spans[0][2])}</h2>'
            f'<table width="100%">{cells}</table></section>')


class Receiver(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        if not re.fullmatch(r'/(api/\d+/envelope/?|stream)', self.path):
            return self.answer(404, 'text/plain', 'not found\n')

        try:
            body = inflate(self.body(), self.headers.get('Content-Encoding',
                                                         '').lower())
            envelope = parse_envelope(body)

        except Malformed as e:
            print(f'refused an envelope: {printable(str(e))}', flush=True)
            return self.answer(400, 'application/json',
                               json.dumps({'detail': str(e)}))

        STORE.add(envelope)

        for item, payload in envelope[1]:
            if item['type'] in SHOWN:
                print(as_text(payload), '', sep='\n', flush=True)

        self.answer(200, 'application/json',
                    json.dumps({'id': envelope[0].get('event_id')}))

    def do_GET(self):
        if self.path == '/':
            self.answer(200, 'text/html; charset=utf-8', page())

        elif self.path == '/health':
            self.answer(200, 'text/plain', 'OK')

        elif self.path == '/stream':
            self.stream()

        else:
            self.answer(404, 'text/plain', 'not found\n')

    def body(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', '').lower():
            data = b''

            while True:
                size = int(self.rfile.readline().split(b';')[0], 16)
                data += self.rfile.read(size)
                self.rfile.readline()

                if size == 0:
                    return data

                if len(data) > BODY_MAX:
                    break

        else:
            size = int(self.headers.get('Content-Length', 0))

            if size <= BODY_MAX:
                return self.rfile.read(size)

        self.close_connection = True
        raise Malformed('too large')

    def stream(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Cache-Control', 'no-store')
        self.end_headers()
        self.close_connection = True

        q = STORE.listen()

        try:
            while True:
                try:
                    text = 'data: ' + json.dumps(q.get(timeout=10))

                except queue.Empty:
                    text = ':'          # a comment: is the reader still there?

                self.wfile.write(f'{text}\n\n'.encode())
                self.wfile.flush()

        except OSError:
            pass

        finally:
            STORE.leave(q)

    def answer(self, status, kind, text):
        body = text.encode()

        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Content-Security-Policy',
                         "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == '__main__':
    try:
        Server(('127.0.0.1', int(sys.argv[1])), Receiver).serve_forever()

    except KeyboardInterrupt:
        pass
