#!/usr/bin/env python3
#
# Copyright (C) ngx_sentry authors
#
# Makes the requests of the quick start, waits until their issues and traces
# have arrived and prints them.
#
#   demo.py NGINX_PORT LOOK_PORT            exits 0 when all is as it should be
#   demo.py NGINX_PORT LOOK_PORT TEXT       then prints TEXT, and what arrives
#                                           from then on
#
# Both places to look, Spotlight and receiver.py, show their envelopes at
# /stream, the ones already there first.

import http.client
import json
import queue
import sys
import threading
import time

import receiver

ARRIVE_S = 20       # all must be there by then
RESTART_S = 15      # the application must be back by then

SECRET = 'hunter2-planted'


class Case:
    """A request, the answer that nginx gives, what the cause that its issue
    names may say."""

    def __init__(self, path, status, note, causes=(), headers=None,
                 traced=True):
        self.path = path
        self.status = status
        self.note = note
        self.causes = causes
        self.headers = headers or {}
        self.traced = traced

    def is_about(self, payload):
        """Of its event, and of its transaction."""
        url = (payload.get('request') or {}).get('url', '')
        response = (payload.get('contexts') or {}).get('response') or {}

        return (url.endswith(self.path.split('?')[0])
                and response.get('status_code') == self.status)

    def __str__(self):
        return f'GET {self.path.split("?")[0]}'


# What is left of a process that ends: a connection may be closed or reset.
# Where connections are kept, by default since nginx 1.29.7, nginx tries once
# more with a new one, and that may be refused.
HUNG_UP = 'prematurely closed', 'reset by peer'
GONE = *HUNG_UP, 'refused'

CASES = [
    Case('/orders/42', 200, 'all is well'),
    Case('/fail', 500, 'the application has an unhandled exception', ['500']),
    Case('/slow', 504, 'the application does not answer in time',
         ['timed out']),
    Case('/drop', 502, 'the application hangs up without an answer', HUNG_UP),
    Case(f'/legacy/invoices/7?page=2&token={SECRET}', 502,
         'nobody there; a token and a password sent', ['refused'],
         {'Authorization': f'Bearer {SECRET}', 'X-Api-Key': SECRET,
          'Cookie': f'session={SECRET}'}),
    Case('/health?ready=no', 503, 'a failing health check: nothing of it',
         traced=False),
    Case('/die', 502, 'the application exits', GONE),
    Case('/orders/43', 502, 'while it is dead', ['refused']),
]


def get(port, path, headers):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=15)
    connection.request('GET', path, headers={'Host': 'shop.localhost',
                                             'User-Agent': 'quickstart',
                                             **headers})
    response = connection.getresponse()
    response.read()
    connection.close()

    return response.status


def listen(port, arrived):
    """Puts all issues and traces the place to look has, and will have, there.
    """
    connection = http.client.HTTPConnection('127.0.0.1', port)
    connection.request('GET', '/stream',
                       headers={'Accept': 'text/event-stream'})
    data = ''

    for line in connection.getresponse():
        line = line.decode('utf-8', 'replace').rstrip('\r\n')

        if line.startswith('data:'):
            data += line[5:].lstrip()

        elif not line and data:
            for item, payload in json.loads(data)[1]:
                if item.get('type') in receiver.SHOWN:
                    arrived.put(payload)
            data = ''


def next_of(arrived, deadline):
    try:
        return arrived.get(timeout=max(0.01, deadline - time.monotonic()))

    except queue.Empty:
        return None


def make_requests(port):
    failures = []

    print('Requests to nginx\n')

    for case in CASES:
        status = get(port, case.path, case.headers)
        shown = case.path.replace(SECRET, '...')
        print(f'    {status}  GET {shown:<36} {case.note}', flush=True)

        if status != case.status:
            failures.append(f'GET {shown} was answered with {status}, '
                            f'not {case.status}')

    # Asked at the health check, which makes no issues, whatever it answers
    deadline = time.monotonic() + RESTART_S

    while get(port, '/health', {}) != 200:
        if time.monotonic() > deadline:
            failures.append('the application did not come back')
            break
        time.sleep(0.2)

    return failures


def collect(arrived):
    """Waits for the issue and the trace of every case, prints them, returns
    what is wrong."""
    issues = [case for case in CASES if case.causes]
    traces = [case for case in CASES if case.traced]
    expected = len(issues), len(traces)
    of_nginx, of_app = [], []       # transactions
    failures = []
    deadline = time.monotonic() + ARRIVE_S

    print('\nIssues that arrived\n')

    while issues or traces:
        payload = next_of(arrived, deadline)

        if payload is None:
            failures += [f'no issue arrived for {case}' for case in issues]
            failures += [f'no trace arrived for {case}' for case in traces]
            break

        if receiver.is_trace(payload):
            if payload.get('platform') == 'python':
                of_app.append(payload)

            else:
                failures += judge_trace(payload, traces)
                of_nginx.append(payload)

        else:
            failures += judge(payload, issues)

    print(f'{expected[0] - len(issues)} of {expected[0]} issues arrived.')
    print('\nTraces that arrived: begin, length, span\n')
    print(*[receiver.trace_as_text(t, of_app) for t in of_nginx], sep='\n\n')
    print(f'\n{expected[1] - len(traces)} of {expected[1]} traces arrived.')

    return failures


def judge(event, waiting):
    title, rows = receiver.describe(event)
    failures = common(event, title)

    print(receiver.as_text(event), '', sep='\n', flush=True)

    case = next((c for c in waiting if c.is_about(event)), None)

    if case is None:
        return failures + [f'unexpected issue: {title}']

    waiting.remove(case)

    cause = dict(rows).get('cause', '')

    if not any(text in cause for text in case.causes):
        failures.append(f'{title}: the cause does not say '
                        + ' or '.join(f'"{text}"' for text in case.causes))

    if not shown_as_filtered(event, case.headers):
        failures.append(f'{title}: planted headers do not show as filtered')

    return failures


def judge_trace(transaction, waiting):
    title = transaction.get('transaction')
    failures = common(transaction, title)
    case = next((c for c in waiting if c.is_about(transaction)), None)

    if case is None:
        return failures + [f'unexpected trace: {title}']

    waiting.remove(case)

    if all(op != 'http.client'
           for _, op, *_ in receiver.waterfall(transaction)):
        failures.append(f'{title}: no span of the upstream')

    return failures


def common(payload, title):
    text = json.dumps(payload)
    failures = []

    if SECRET in text:
        failures.append(f'a secret left the server in {title}')

    if '/health' in text:
        failures.append(f'the health check arrived as {title}')

    return failures


def shown_as_filtered(event, names):
    headers = event['request'].get('headers') or {}
    pairs = headers.items() if isinstance(headers, dict) else headers
    values = {name.lower(): value for name, value in pairs}

    return all('[Filtered]' in values.get(name.lower(), '') for name in names)


def main(nginx_port, look_port, text=None):
    arrived = queue.SimpleQueue()
    threading.Thread(target=listen, args=(look_port, arrived),
                     daemon=True).start()

    failures = make_requests(nginx_port) + collect(arrived)

    for failure in failures:
        print(f'FAILED: {failure}')

    if text is None:
        return 1 if failures else 0

    print(text, flush=True)

    while True:
        print(receiver.as_text(arrived.get()), '', sep='\n', flush=True)


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
