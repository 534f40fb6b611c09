# Copyright (C) ngx_sentry authors
#
# A Flask application behind nginx that goes on with nginx's trace; its nginx
# is ../flask.conf.
#
#     pip install -r requirements.txt
#     SENTRY_DSN=https://... flask run --port 8000

import os
import time

import sentry_sdk
from flask import Flask

# traces_sample_rate is for requests that come past nginx, or through a
# location with "sentry_traces_sample_rate off": in all others the decision
# comes with the request, and is nginx's.  0 would do; without the option
# there is no tracing at all.

sentry_sdk.init(
    dsn=os.environ.get('SENTRY_DSN'),
    environment='production',
    traces_sample_rate=float(os.environ.get('TRACES_SAMPLE_RATE', 1)),

    # 'static': a transaction per request, which every Sentry understands;
    # 'stream': spans as they end.  Both join nginx's trace.
    trace_lifecycle=os.environ.get('TRACE_LIFECYCLE', 'static'),
)

app = Flask(__name__)


@sentry_sdk.trace
def find(item_id):
    """A span of its own; those of database drivers come by themselves."""
    time.sleep(0.02)

    return {'id': item_id, 'name': 'tea'}


@app.get('/items/<int:item_id>')
def item(item_id):
    return find(item_id)


@app.get('/boom')
def boom():
    raise RuntimeError('out of tea')
