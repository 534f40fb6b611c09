/*
 * Copyright (C) ngx_sentry authors
 *
 * An Express application behind nginx that goes on with nginx's trace; its
 * nginx is ../node.conf.
 *
 *     npm install
 *     SENTRY_DSN=https://... node app.js
 */

"use strict";

const Sentry = require("@sentry/node");     /* before all it is to trace */

/*
 * tracesSampleRate is for requests that come past nginx, or through a
 * location with "sentry_traces_sample_rate off": in all others the decision
 * comes with the request, and is nginx's.  0 would do; without the option
 * there is no tracing at all.
 */

Sentry.init({
    dsn: process.env.SENTRY_DSN,
    environment: "production",
    tracesSampleRate: Number(process.env.TRACES_SAMPLE_RATE ?? 1),

    /*
     * "static": a transaction per request, which every Sentry understands;
     * "stream", the default of @sentry/node 11: spans as they end, which
     * Spotlight does not show.  Both join nginx's trace.
     */
    traceLifecycle: process.env.TRACE_LIFECYCLE ?? "static",
});

const express = require("express");
const app = express();


app.get("/items/:id", async (req, res) => {
    const rows = await Sentry.startSpan(
        { name: "SELECT name FROM items WHERE id = ?", op: "db" },
        () => new Promise((done) => setTimeout(done, 20, ["tea"])));

    res.json({ id: req.params.id, name: rows[0] });
});


app.get("/boom", () => {
    throw new Error("out of tea");
});


Sentry.setupExpressErrorHandler(app);

const server = app.listen(Number(process.env.PORT ?? 8000), "127.0.0.1",
                          (error) => {
    if (error) {
        throw error;
    }
});

process.on("SIGTERM", () => {
    server.close();
    Sentry.close(2000).then(() => process.exit(0));
});
