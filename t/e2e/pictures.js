/*
 * Copyright (C) ngx_sentry authors
 *
 * The pictures of docs/: what one request and its trace, and a timeout of the
 * application, look like in Spotlight; started by t/e2e/pictures.
 */

"use strict";

const http = require("node:http");
const net = require("node:net");
const path = require("node:path");

const install = require("./install.js");
const { Chromium, program } = require("./chromium.js");
const { Servers, freePort, install: installApps } = require("./servers.js");

const top = path.resolve(__dirname, "../..");
const quickstart = path.join(top, "examples/quickstart");
const into = path.join(top, "build/apps/spotlight");
const docs = process.argv[2] ?? path.join(top, "docs");


function conf(ports) {
    return `
    sentry_dsn                 http://edge@127.0.0.1:${ports.spotlight}/1;
    sentry_environment         production;
    sentry_release             edge@1.2.3;
    sentry_traces_sample_rate  1;

    # one of them was switched off
    upstream shop {
        server  127.0.0.1:${ports.dead};
        server  127.0.0.1:${ports.app};
    }

    upstream reports {
        server  127.0.0.1:${ports.hang};
    }

    server {
        listen       127.0.0.1:${ports.nginx};
        server_name  shop.example;

        proxy_set_header  Host $host;
        add_header        X-Trace $sentry_trace_id always;

        location /items/ {
            proxy_pass  http://shop;
        }

        location /reports/ {
            proxy_set_header    Authorization "Bearer 8c5f0a";
            proxy_read_timeout  300ms;
            proxy_pass          http://reports;
        }
    }
`;
}


/* Resolves to the trace that nginx says the request belongs to. */

function ask(port, path) {
    const headers = { Host: "shop.example", "User-Agent": "Firefox/146.0",
                      Accept: "application/json", Cookie: "session=8c5f0a",
                      Referer: "http://shop.example/?token=8c5f0a" };

    return new Promise((done, failed) => {
        http.get({ host: "127.0.0.1", port, path, agent: false, headers },
                 (res) => res.resume().on(
                     "end", () => done(res.headers["x-trace"])))
            .on("error", failed);
    });
}


async function main() {
    const browser = program();

    if (!browser) {
        console.log("skipped: no chromium");
        process.exit(77);
    }

    installApps();
    install.npm(quickstart, into);

    const servers = new Servers();
    const ports = {};

    for (const name of ["spotlight", "nginx", "app", "dead", "hang"]) {
        ports[name] = await freePort();
    }

    const hang = net.createServer().listen(ports.hang, "127.0.0.1");

    const sidecar = `http://127.0.0.1:${ports.spotlight}`;

    await servers.start("spotlight", ports.spotlight,
        [process.execPath, [path.join(quickstart, "spotlight.mjs"),
                            path.join(into, "node_modules",
                                      "@spotlightjs/spotlight"),
                            String(ports.spotlight)]]);
    await servers.app("node", "node", ports.app, {
        SENTRY_DSN: `http://shop@127.0.0.1:${ports.spotlight}/2`,
        SENTRY_SPOTLIGHT: `${sidecar}/stream`,
        TRACE_LIFECYCLE: "static",
    });
    await servers.nginx(ports.nginx, conf(ports));

    const chromium = new Chromium(browser);
    const trace = await ask(ports.nginx, "/items/42");
    let page = await chromium.open(
        `${sidecar}/telemetry/traces/${trace}/context`, 1300, 620);

    await page.until(`document.body.innerText.includes("/items/:id")
                      && document.body.innerText.includes("/items/")`);
    await page.picture(path.join(docs, "trace.png"));

    await ask(ports.nginx, "/reports/2026?year=2026&token=8c5f0a");
    page = await chromium.open(`${sidecar}/telemetry/errors`, 1300, 1500);
    await page.until(`document.body.innerText.includes("UpstreamTimeout")`);
    await page.value(`document.querySelector('a[href*="/errors/"]').click()`);
    await page.until(`document.body.innerText.includes("while reading")`);
    await page.picture(path.join(docs, "timeout.png"));

    await chromium.close();
    hang.close();
    await servers.stop();
}


main().then(() => process.exit(0), (e) => {
    console.log(e.stack);
    process.exit(1);
});
