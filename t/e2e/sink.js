/*
 * Copyright (C) ngx_sentry authors
 *
 * Takes the envelopes of several SDKs, each with its own ways (items without
 * a length, keys in the URL, transactions or streamed spans), and shows them
 * alike.  For the strict look at ours there is t/lib/receiver.
 */

"use strict";

const http = require("node:http");
const zlib = require("node:zlib");


/* [{ project, header, type, payload }], in the order of arrival */

exports.open = async function () {
    const items = [];
    const server = http.createServer((req, res) => {
        const chunks = [];

        req.on("data", (chunk) => chunks.push(chunk));
        req.on("end", () => {
            const [, project] = /^\/api\/(\d+)\/envelope\//.exec(req.url);
            const encoding = req.headers["content-encoding"];
            const data = Buffer.concat(chunks);

            items.push(...parse(encoding === "gzip" ? zlib.gunzipSync(data)
                                                    : data)
                .map((item) => ({ project: Number(project), ...item })));

            /* the page of a browser is of another origin */
            res.setHeader("Access-Control-Allow-Origin", "*");
            res.end("{}");
        });
    });

    await new Promise((done) => server.listen(0, "127.0.0.1", done));

    return {
        items,
        port: server.address().port,

        close() {
            server.closeAllConnections();
            server.close();
        },
    };
};


function parse(data) {
    const line = (pos) => {
        const lf = data.indexOf(10, pos);

        return lf < 0 ? data.length : lf;
    };
    const json = (from, to) => JSON.parse(data.toString("utf8", from, to));
    const items = [];
    const header = json(0, line(0));

    for (let pos = line(0) + 1; pos < data.length; /* void */) {
        const start = line(pos) + 1;
        const item = json(pos, start - 1);
        const end = item.length === undefined ? line(start)
                                              : start + item.length;

        items.push({ header, type: item.type, payload: json(start, end) });
        pos = end + 1;
    }

    return items;
}


/*
 * The root spans among the items, be they transactions or streamed: each with
 * its project, DSC and all spans below it.
 */

exports.roots = function (items) {
    return items.flatMap((item) => {
        const dsc = item.header.trace;

        if (item.type === "transaction") {
            return [{ ...fromTransaction(item.payload),
                      project: item.project, dsc }];
        }

        if (item.type === "span") {
            const spans = item.payload.items.map(fromStream);

            return spans.filter((span) => span.root)
                .map((span) => ({ ...span, project: item.project, dsc,
                                  spans: spans.filter((s) => !s.root) }));
        }

        return [];
    });
};


function fromTransaction(event) {
    const root = { ...event.contexts.trace, name: event.transaction,
                   start_timestamp: event.start_timestamp,
                   timestamp: event.timestamp };

    return { ...span(root, root.name),
             spans: event.spans.map((s) => span(s, s.description)) };
}


function span(s, name) {
    return { trace: s.trace_id, id: s.span_id, parent: s.parent_span_id,
             op: s.op, name, data: s.data ?? {},
             start: seconds(s.start_timestamp), end: seconds(s.timestamp) };
}


function fromStream(s) {
    return { trace: s.trace_id, id: s.span_id, parent: s.parent_span_id,
             op: s.attributes["sentry.op"]?.value, name: s.name,
             start: s.start_timestamp, end: s.end_timestamp,
             root: s.is_segment };
}


function seconds(time) {
    return typeof time === "number" ? time : Date.parse(time) / 1000;
}
