/*
 * Copyright (C) ngx_sentry authors
 *
 * Whether nginx and the applications behind it make one trace; started by
 * t/e2e/apps.
 *
 * The applications are those of examples/, with Sentry's SDKs for Node.js and
 * Python, sending whole transactions ("static") or single spans ("stream").
 * They sample one request in two when they are left alone, by the caller's
 * sample_rand; so when all of them, or none, are sampled, it was nginx that
 * decided.
 *
 * All requests are made first; then everything is ended, with which all has
 * been sent; then it is judged.  So what must not come has had its time.
 *
 * A line per check: "ok" or "FAIL", application, what.
 */

"use strict";

const http = require("node:http");

const sink = require("./sink.js");
const { Servers, freePort, install } = require("./servers.js");

const NGINX = 1;        /* its project */
const BEGUN = 6;        /* requests of each kind without a caller's trace */
const SHOWN = 5;        /* complaints of a check */
const CLOCK_S = 0.01;   /* nginx's time is of the last turn of its loop */

const APPS = [
    ["node", "static"], ["node", "stream"],
    ["fastapi", "static"], ["fastapi", "stream"],
    ["flask", "static"], ["flask", "stream"],
].map(([kind, lifecycle], i) => ({
    kind, lifecycle, name: `${kind}-${lifecycle}`, project: i + 2,
}));


function conf(port, sinkPort) {
    const servers = APPS.map(({ name, port: app }) => `
    server {
        listen 127.0.0.1:${port};
        server_name ${name};
        add_header X-Trace $sentry_trace_id always;

        location /all/ { proxy_pass http://127.0.0.1:${app}/; }

        location /none/ {
            sentry_traces_sample_rate 0;
            proxy_pass http://127.0.0.1:${app}/;
        }

        location /app/ {
            sentry_traces_sample_rate off;
            proxy_pass http://127.0.0.1:${app}/;
        }
    }
`);

    return `
    sentry_dsn http://${key(NGINX)}@127.0.0.1:${sinkPort}/${NGINX};
    sentry_release edge@1;
    sentry_environment staging;
    sentry_traces_sample_rate 1;
    sentry_flush_interval 50ms;
${servers.join("")}`;
}


function key(project) {
    return String(project).padStart(32, "5e0");
}


function hex(digits) {
    return Array.from({ length: digits },
                      () => Math.floor(Math.random() * 16).toString(16))
        .join("").replace(/^./, "a");
}


/* What a caller sends with a trace of its own, as its DSC and headers. */

function caller(flag, rate, rand) {
    const trace = hex(32);
    const span = hex(16);
    const dsc = {
        trace_id: trace, public_key: key(99), release: "caller@1",
        sample_rand: rand, ...(rate && { sample_rate: rate }),
        ...(flag && { sampled: flag === "-1" ? "true" : "false" }),
    };
    const baggage = Object.entries(dsc)
        .map(([name, value]) => `sentry-${name}=${encodeURIComponent(value)}`);

    return { trace, span, dsc, headers: {
        "sentry-trace": `${trace}-${span}${flag}`,
        baggage: ["other=kept", ...baggage].join(","),
    } };
}


/* The trace that nginx says it is; rejects a wrong status. */

function ask(app, path, status, headers = {}) {
    return new Promise((done, failed) => {
        http.get({ host: "127.0.0.1", port: app.nginx, path, agent: false,
                   headers: { Host: app.name, ...headers } }, (res) => {
            res.resume().on("end", () => {
                if (res.statusCode === status) {
                    return done(res.headers["x-trace"]);
                }

                failed(Error(`${app.name}${path}: HTTP ${res.statusCode}`));
            });
        }).on("error", failed);
    });
}


async function requests(app) {
    const calls = {
        sampled: caller("-1", "1", "0.900000"),
        unsampled: caller("-0", "0.1", "0.200000"),
        yes: caller("", "", "0.100000"),
        no: caller("", "", "0.900000"),
    };

    app.calls = calls;
    app.begun = [];
    app.none = [];

    for (let i = 0; i < BEGUN; i++) {
        app.begun.push(await ask(app, `/all/items/${i}`, 200));
        app.none.push(await ask(app, `/none/items/${i}`, 200));
    }

    app.boom = await ask(app, "/all/boom", 500);

    await ask(app, "/all/items/7", 200, calls.sampled.headers);
    await ask(app, "/all/items/7", 200, calls.unsampled.headers);
    await ask(app, "/app/items/7", 200, calls.yes.headers);
    await ask(app, "/app/items/7", 200, calls.no.headers);
}


/* The checks: each returns what is wrong, nothing when all is well. */

function judge(app, items) {
    const roots = sink.roots(items);
    const of = (project, trace) => roots.filter(
        (root) => root.project === project && root.trace === trace);
    const errors = (project, trace) => items.filter(
        (item) => item.project === project && item.type === "event"
                  && item.payload.contexts.trace.trace_id === trace);
    const pair = (trace) => [of(NGINX, trace), of(app.project, trace)];
    const { sampled, unsampled, yes, no } = app.calls;

    return [
        ["begun by nginx: one trace, below its upstream span",
         app.begun.flatMap((trace) => joined(...pair(trace)))],

        ["begun by nginx: one DSC, nginx's",
         app.begun.flatMap((trace) => sameDsc(...pair(trace), {
             trace_id: trace, public_key: key(NGINX), release: "edge@1",
             environment: "staging", sample_rate: "1", sampled: "true",
         }))],

        ["caller says -1: one trace, below the caller's span",
         [...joined(...pair(sampled.trace)),
          ...wrong(of(NGINX, sampled.trace)[0]?.parent, sampled.span,
                   "parent of nginx's")]],

        ["caller says -1: one DSC, the caller's",
         sameDsc(...pair(sampled.trace), sampled.dsc)],

        ["caller says -0: nothing",
         pair(unsampled.trace).flat().map((root) => `got ${root.name}`)],

        ["nginx says 0: nothing",
         app.none.flatMap((trace) => [
             ...wrong(/^[0-9a-f]{32}$/.test(trace), true, "trace id"),
             ...pair(trace).flat().map((root) => `got ${root.name}`)])],

        ["nginx is off: the application decides alone",
         [...wrong(of(NGINX, yes.trace).length, 0, "nginx's"),
          ...wrong(of(app.project, yes.trace).length, 1, "application's"),
          ...pair(no.trace).flat().map((root) => `got ${root.name}`)]],

        ["errors of both are of the same trace",
         [...wrong(errors(NGINX, app.boom).length, 1, "nginx's"),
          ...wrong(errors(app.project, app.boom).length, 1, "application's"),
          ...joined(...pair(app.boom))]],
    ];
}


function wrong(got, expected, what) {
    return got === expected ? [] : [`${what}: ${got}, not ${expected}`];
}


/* Both are there, the application's below nginx's upstream span. */

function joined(edges, apps) {
    if (edges.length !== 1 || apps.length !== 1) {
        return [`${edges.length} of nginx, ${apps.length} of the application`];
    }

    const [edge, app] = [edges[0], apps[0]];
    const upstream = edge.spans.find((span) => span.id === app.parent);

    return [
        ...wrong(upstream?.op, "http.client", "parent"),
        ...wrong(upstream?.parent, edge.id, "parent's parent"),
        ...wrong(app.start >= upstream?.start - CLOCK_S
                 && app.start <= upstream?.end + CLOCK_S, true,
                 `starts within its parent (${
                  app.start} in ${upstream?.start}..${upstream?.end})`),
    ];
}


/*
 * Values that are expected, and the same of both.  The digits of sample_rand
 * are not: JavaScript's SDKs drop zeros at its end.
 */

function sameDsc(edges, apps, expected) {
    const [edge, app] = [edges[0]?.dsc ?? {}, apps[0]?.dsc ?? {}];
    const names = new Set([...Object.keys(edge), ...Object.keys(app)]);
    const value = (dsc, name) => name === "sample_rand" ? Number(dsc[name])
                                                        : dsc[name];

    return [
        ...[...names].flatMap(
            (name) => wrong(value(app, name), value(edge, name),
                            `application's ${name}`)),
        ...Object.entries(expected).flatMap(
            ([name, text]) => wrong(edge[name], text, `nginx's ${name}`)),
        ...wrong(/^0\.\d{6}$/.test(edge.sample_rand), true, "sample_rand"),
    ];
}


async function main() {
    install();

    const servers = new Servers();
    const receiver = await sink.open();
    const port = await freePort();

    await Promise.all(APPS.map(async (app) => {
        app.port = await freePort();
        app.nginx = port;
        app.child = await servers.app(app.kind, app.name, app.port, {
            SENTRY_DSN: `http://${key(app.project)}@127.0.0.1:${
                        receiver.port}/${app.project}`,
            TRACES_SAMPLE_RATE: "0.5",
            TRACE_LIFECYCLE: app.lifecycle,
        });
    }));

    const nginx = await servers.nginx(port, conf(port, receiver.port));

    await Promise.all(APPS.map(requests));
    await Promise.all([servers.end(nginx, "SIGQUIT"),
                       ...APPS.map((app) => servers.end(app.child))]);

    let failed = 0;
    const say = (name, what, why) => {
        failed += why.length ? 1 : 0;
        console.log(`${why.length ? "FAIL" : "ok  "} ${name}: ${what}${
                    why.slice(0, SHOWN).map((text) => `\n     ${text}`)
                       .join("")}`);
    };

    for (const app of APPS) {
        for (const [what, why] of judge(app, receiver.items)) {
            say(app.name, what, why);
        }
    }

    say("nginx", "no alert", servers.logged(/\[(alert|emerg)\]/));

    receiver.close();
    await servers.stop();
    process.exitCode = failed ? 1 : 0;
}


main().catch((e) => {
    console.log(`FAIL ${e.stack}`);
    process.exit(1);
});
