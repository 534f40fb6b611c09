# Copyright (C) ngx_sentry authors
#
# A FastAPI application behind nginx that goes on with nginx's trace; its
# nginx is ../fastapi.conf.
#
#     pip install -r requirements.txt
#     SENTRY_DSN=https://... uvicorn app:app --port 8000

import asyncio
import os

import sentry_sdk
from fastapi import FastAPI

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

app = FastAPI()


@sentry_sdk.trace
async def find(item_id):
    """A span of its own; those of database drivers come by themselves."""
    await asyncio.sleep(0.02)

    return {'id': item_id, 'name': 'tea'}


@app.get('/items/{item_id}')
async def item(item_id: int):
    return await find(item_id)


@app.get('/boom')
async def boom():
    raise RuntimeError('out of tea')
