#!/usr/bin/env python3
#
# Copyright (C) ngx_sentry authors
#
# The application behind nginx in the quick start: a shop that works, and that
# fails, hangs, hangs up and dies when it is told to.  Standard library only;
# where Python has sentry-sdk 2, it goes on with nginx's traces.
#
#   app.py PORT      serves on 127.0.0.1:PORT; restarts itself when it dies

import contextlib
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

try:
    import sentry_sdk

except ImportError:
    sentry_sdk = None

HANG_S = 8          # longer than proxy_read_timeout in nginx.conf
RESTART_S = 2       # how long the application stays dead


class Shop(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'shop'
    sys_version = ''

    def do_GET(self):
        url = urlsplit(self.path)

        with traced(self.headers, f'GET {url.path}'):
            self.respond(url)

    def respond(self, url):
        if url.path == '/':
            self.answer(200, {'try': ['/orders/42', '/fail', '/slow', '/drop',
                                      '/die', '/health', '/legacy/invoices/7']})

        elif url.path.startswith('/orders/'):
            self.answer(200, {'order': url.path[8:], 'state': 'shipped'})

        elif url.path == '/fail':
            self.fail()

        elif url.path == '/slow':
            time.sleep(HANG_S)
            self.answer(200, {'answer': 'nobody waited for it'})

        elif url.path == '/drop':
            self.close_connection = True        # and not one byte of answer

        elif url.path == '/die':
            print('told to die', flush=True)
            os._exit(3)

        elif url.path == '/health':
            ready = parse_qs(url.query).get('ready') != ['no']
            self.answer(200 if ready else 503, {'ready': ready})

        else:
            self.answer(404, {'detail': 'no such page'})

    def fail(self):
        """An exception nobody handles, as a framework answers it."""
        try:
            stock = {'tea': 3}
            stock['coffee'] -= 1

        except Exception:
            self.log_error('unhandled exception in /fail')
            sys.excepthook(*sys.exc_info())
            self.answer(500, {'detail': 'Internal Server Error'})

    def answer(self, status, what):
        body = json.dumps(what).encode() + b'\n'

        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print(time.strftime('%H:%M:%S'), format % args, flush=True)


# Frameworks that sentry-sdk knows need neither of these two but the init().

def begin_tracing():
    if sentry_sdk:
        # whether a request is traced is up to nginx; SENTRY_DSN says where to
        sentry_sdk.init(traces_sample_rate=0, default_integrations=False)


def traced(headers, name):
    """What is done in here is in nginx's trace, below its upstream span."""
    if not sentry_sdk:
        return contextlib.nullcontext()

    return sentry_sdk.start_transaction(sentry_sdk.continue_trace(
        {key.lower(): value for key, value in headers.items()},
        op='http.server', name=name, source='url'))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        """nginx gave up waiting: not worth a traceback."""


def serve(port):
    parent = os.getppid()

    def leave_with_parent():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    begin_tracing()
    Server(('127.0.0.1', port), Shop).serve_forever()


def main(port):
    child = 0

    def stop(signo, frame):
        if child:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    while True:
        child = os.fork()

        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            serve(port)

        os.waitpid(child, 0)
        child = 0

        print(f'the application died, restarting in {RESTART_S} s', flush=True)
        time.sleep(RESTART_S)


if __name__ == '__main__':
    main(int(sys.argv[1]))
