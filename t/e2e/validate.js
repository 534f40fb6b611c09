/*
 * Copyright (C) ngx_sentry authors
 *
 * Judges captured envelopes with parsers that are not ours; started by
 * t/e2e/validate.
 *
 * Each file holds one envelope as it was sent, inflated.  sentry-cli parses
 * it with the types Sentry itself uses and sends it to a sink in here.  With
 * EVENT_SCHEMA=relay/event.schema.json (getsentry/sentry-data-schemas) each
 * event is held against that schema, too; it is not in any package, so it is
 * not fetched.  What neither of them looks at is checked by hand.
 *
 * A line per file; exits 0 when all are accepted, 1 when one is not, 77 when
 * nothing could be judged since the parsers cannot be installed.
 */

"use strict";

const { execFile } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { promisify } = require("node:util");

const install = require("./install.js");

const top = path.resolve(__dirname, "../..");
const into = path.join(top, "build/e2e");
const run = promisify(execFile);

/* What sentry-cli 3.8 has a type for; it stops at others. */

const TYPED = new Set(["event", "transaction", "session", "sessions",
                       "attachment", "check_in", "log"]);

const LEVELS = new Set(["fatal", "error", "warning", "info", "debug"]);
const STATUSES = new Set(["ok", "cancelled", "invalid_argument",
                          "unauthenticated", "permission_denied", "not_found",
                          "already_exists", "failed_precondition",
                          "resource_exhausted", "unimplemented",
                          "unavailable", "deadline_exceeded",
                          "internal_error"]);
const SOURCES = new Set(["custom", "url", "route", "view", "component",
                         "task"]);


function sentryCli() {
    const cpu = { x64: "x64", arm64: "arm64", arm: "arm", ia32: "i686" };

    return path.join(into, "node_modules/@sentry",
                     `cli-linux-${cpu[process.arch]}`, "bin/sentry-cli");
}


/* {"header", "items": [{"header", "payload"}]}, strictly by the format. */

function parse(data) {
    const [header, first] = line(data, 0);
    const items = [];

    for (let pos = first; pos < data.length; /* void */) {
        const [item, start] = line(data, pos);
        const end = start + item.length;

        if (!item.type || !Number.isInteger(item.length)) {
            throw Error("an item without type or length");
        }

        if (end > data.length || (end < data.length && data[end] !== 10)) {
            throw Error(`wrong length of ${item.type}`);
        }

        items.push({ header: item, raw: data.subarray(pos, end),
                     payload: JSON.parse(utf8(data.subarray(start, end))) });
        pos = end + 1;
    }

    return { header, items };
}


function line(data, pos) {
    const lf = data.indexOf(10, pos);
    const end = lf < 0 ? data.length : lf;

    return [JSON.parse(utf8(data.subarray(pos, end))), end + 1];
}


function utf8(bytes) {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}


function hex(s, n) {
    return typeof s === "string" && s.length === n && /^[0-9a-f]+$/.test(s)
           && !/^0+$/.test(s);
}


/* Returns a list of complaints, empty when there are none. */

function byHand(envelope, event) {
    const wrong = event.type === "transaction" ? ofTransaction(event)
                                               : ofEvent(event);
    const is = (ok, what) => ok || wrong.push(what);
    const trace = event.contexts?.trace ?? {};
    const { url, headers } = event.request ?? {};

    is(hex(event.event_id, 32), "event_id");
    is(event.event_id === envelope.header.event_id, "header's event_id");
    is(!Number.isNaN(Date.parse(envelope.header.sent_at)), "sent_at");
    is(Math.abs(seconds(event.timestamp) - Date.now() / 1000) < 3600,
       `timestamp ${event.timestamp}`);
    is(Object.values(envelope.header.trace ?? {}).every(
           (v) => typeof v === "string"), "trace header");
    is(!envelope.header.trace
       || envelope.header.trace.trace_id === trace.trace_id,
       "trace header's trace_id");
    is(event.platform === "other", `platform ${event.platform}`);
    is(hex(trace.trace_id, 32), "contexts.trace.trace_id");
    is(hex(trace.span_id, 16), "contexts.trace.span_id");
    is(Number.isInteger(event.contexts?.response?.status_code),
       "contexts.response.status_code");
    is(event.contexts?.runtime?.name === "nginx", "contexts.runtime.name");
    is(event.transaction?.length <= 200, "transaction");
    is(!event.transaction_info || SOURCES.has(event.transaction_info.source),
       "transaction_info.source");
    is(/^[^/]+\.nginx$/.test(event.sdk?.name), "sdk.name");
    is(/^\d+\.\d+\.\d+$/.test(event.sdk?.version), "sdk.version");
    is(/^[^\s/]{1,64}$/.test(event.environment), "environment");
    is(!url || !/[?#]|\/\/[^/]*@/.test(url), `request.url ${url}`);
    is(!headers || Object.values(headers).every((v) => typeof v === "string"),
       "request.headers");
    is(Object.entries(event.tags ?? {}).every(
           ([k, v]) => /^[a-zA-Z0-9_.:-]{1,200}$/.test(k)
                       && v.length <= 200 && !v.includes("\n")), "tags");
    is((event.fingerprint ?? []).every((v) => typeof v === "string"),
       "fingerprint");

    return wrong;
}


function ofEvent(event) {
    const wrong = [];
    const is = (ok, what) => ok || wrong.push(what);
    const exceptions = event.exception?.values ?? [];

    is(LEVELS.has(event.level), `level ${event.level}`);
    is(exceptions.length || event.logentry?.message, "no cause");
    is(exceptions.every((e) => e.type && e.value
                               && /^[a-z0-9_.]+$/.test(e.mechanism?.type)),
       "exception");
    is(!("type" in event), "an event has no type");

    return wrong;
}


/* Its spans lie in each other, the topmost ones in the transaction. */

function ofTransaction(event) {
    const wrong = [];
    const is = (ok, what) => ok || wrong.push(what);
    const trace = event.contexts?.trace ?? {};
    const known = new Map([[trace.span_id, event],
                           ...event.spans.map((s) => [s.span_id, s])]);

    is(trace.op === "http.server", `op ${trace.op}`);
    is(known.size === event.spans.length + 1, "two spans of an id");
    is(event.start_timestamp <= event.timestamp, "ends before it starts");

    for (const span of event.spans) {
        const parent = known.get(span.parent_span_id);
        const what = `span ${span.op} ${span.description}`;

        is(hex(span.span_id, 16) && span.trace_id === trace.trace_id, what);
        is(parent && parent.start_timestamp <= span.start_timestamp
           && span.start_timestamp <= span.timestamp
           && span.timestamp <= parent.timestamp, `${what}: times`);
        is(!span.status || STATUSES.has(span.status),
           `${what}: ${span.status}`);
    }

    return wrong;
}


function seconds(timestamp) {
    return typeof timestamp === "number" ? timestamp
                                         : Date.parse(timestamp) / 1000;
}


function schemaValidator() {
    const file = process.env.EVENT_SCHEMA;

    if (!file) {
        return null;
    }

    const from = (name) => require(require.resolve(name, { paths: [into] }));
    const Ajv = from("ajv").default;
    const ajv = new Ajv({ allErrors: true, strict: false });

    from("ajv-formats").default(ajv);

    /* Sentry wants ids without dashes, the format's usual check with them */
    ajv.addFormat("uuid",
                  /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/);
    ajv.addFormat("uint64", { type: "number", validate: (n) => n >= 0 });

    return ajv.compile(withSpans(JSON.parse(fs.readFileSync(file, "utf8"))));
}


/* The published schema leaves out what only transactions have. */

function withSpans(schema) {
    const event = schema.anyOf[0];
    const span = {
        type: "object",
        required: ["trace_id", "span_id", "start_timestamp", "timestamp"],
        properties: {
            trace_id: { type: "string", pattern: "^[0-9a-f]{32}$" },
            span_id: { type: "string", pattern: "^[0-9a-f]{16}$" },
            parent_span_id: { type: "string", pattern: "^[0-9a-f]{16}$" },
            start_timestamp: { type: "string", format: "date-time" },
            timestamp: { type: "string", format: "date-time" },
            op: { type: "string" },
            description: { type: "string" },
            origin: { type: "string" },
            status: { enum: [...STATUSES] },
            data: { type: "object" }
        },
        additionalProperties: false
    };

    event.properties.start_timestamp = { type: "string",
                                         format: "date-time" };
    event.properties.spans = { type: "array", items: span, maxItems: 1000 };
    event.properties.measurements = {
        type: "object",
        additionalProperties: {
            type: "object", required: ["value"],
            properties: { value: { type: "number" },
                          unit: { type: "string" } },
            additionalProperties: false
        }
    };

    return schema;
}


function bySchema(validate, event) {
    if (validate(event)) {
        return [];
    }

    return [...new Set(validate.errors
        .filter((e) => e.keyword !== "anyOf")
        .map((e) => `schema: ${e.instancePath || "/"} ${e.message} ${
                    e.params.additionalProperty ?? ""}`.trim()))].slice(0, 5);
}


/* The envelope as sent, less the items that sentry-cli has no type for. */

function typedOnly(file, data, envelope) {
    const known = envelope.items.filter((i) => TYPED.has(i.header.type));

    if (known.length === envelope.items.length) {
        return file;
    }

    const copy = path.join(into, `${process.pid}-${path.basename(file)}`);

    fs.writeFileSync(copy, Buffer.concat([
        data.subarray(0, data.indexOf(10)),
        ...known.flatMap((i) => [Buffer.from("\n"), i.raw])]));

    return copy;
}


async function byCli(file, port) {
    const env = { PATH: process.env.PATH, HOME: into,
                  SENTRY_DSN: `http://key@127.0.0.1:${port}/1`,
                  SENTRY_DISABLE_UPDATE_CHECK: "1" };

    try {
        await run(sentryCli(), ["send-envelope", file], { env });
        return [];

    } catch (e) {
        return [`sentry-cli: ${(e.stderr || e.message).trim()
                               .replace(/\s*\n\s*/g, " ")}`];
    }
}


async function judge(file, port, validate) {
    const data = fs.readFileSync(file);
    const envelope = parse(data);
    const events = envelope.items
        .filter((i) => ["event", "transaction"].includes(i.header.type))
        .map((i) => i.payload);
    const wrong = events.flatMap((event) => [
        ...byHand(envelope, event),
        ...(validate ? bySchema(validate, event) : [])]);

    if (envelope.items.some((i) => TYPED.has(i.header.type))) {
        const typed = typedOnly(file, data, envelope);

        wrong.push(...await byCli(typed, port));

        if (typed !== file) {
            fs.unlinkSync(typed);
        }
    }

    const what = events.map((e) => `${e.contexts?.response?.status_code} ${
                                   e.transaction}`).join(", ")
                 || envelope.items.map((i) => i.header.type).join(", ");

    return [wrong, what];
}


async function main(files) {
    let failed = 0;

    if (files.length === 0) {
        console.error("usage: t/e2e/validate FILE...");
        process.exit(2);
    }

    install.npm(__dirname, into);

    const validate = schemaValidator();
    const sink = http.createServer((req, res) => {
        req.resume().on("end", () => res.end("{}"));
    });

    await new Promise((done) => sink.listen(0, "127.0.0.1", done));

    for (const file of files) {
        let wrong, what = "";

        try {
            [wrong, what] = await judge(file, sink.address().port, validate);

        } catch (e) {
            wrong = [e.message];
        }

        failed += wrong.length ? 1 : 0;

        console.log(`${wrong.length ? "FAIL" : "ok  "} ${path.basename(file)
                    } ${what}${wrong.map((w) => `\n     ${w}`).join("")}`);
    }

    sink.closeAllConnections();
    sink.close();

    console.log(`${files.length - failed} of ${files.length} accepted by `
                + `sentry-cli${validate ? ", the event schema" : ""} and the `
                + "checks of t/e2e/validate");
    process.exitCode = failed ? 1 : 0;
}


main(process.argv.slice(2));
