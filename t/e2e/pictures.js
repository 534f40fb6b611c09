/*
 * Copyright (C) ngx_sentry authors
 *
 * The pictures of docs/: what one request and its trace, and a timeout of the
 * application, look like in Spotlight; started by t/e2e/pictures.
 */

"use strict";

const fs = require("node:fs");
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

const WARM_UP = 50;         /* requests */

const WIDTH_PX = 1300;
const HEIGHT_PX = 2000;     /* more than there is */
const TRACE_PX = 540;
const SIDEBAR_PX = 240;     /* Spotlight's menu */
const TITLE_PX = 80;        /* above the tabs of an issue */


function conf(ports) {
    return `
    sentry_dsn                 http://edge@127.0.0.1:${ports.spotlight}/1;
    sentry_environment         production;
    sentry_release             edge@1.2.3;
    sentry_server_name         edge-1;
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

function ask(port, path, more) {
    const headers = { Host: "shop.example", "User-Agent": "Firefox/146.0",
                      Accept: "application/json", Cookie: "session=8c5f0a",
                      Referer: "http://shop.example/?token=8c5f0a", ...more };

    return new Promise((done, failed) => {
        http.get({ host: "127.0.0.1", port, path, agent: false, headers },
                 (res) => res.resume().on(
                     "end", () => done(res.headers["x-trace"])))
            .on("error", failed);
    });
}


/* All spans unfolded; the pane beside them hidden, for room. */

async function takeTrace(chromium, sidecar, nginx) {
    const trace = await ask(nginx, "/items/42");
    const page = await chromium.open(
        `${sidecar}/telemetry/traces/${trace}/context`, WIDTH_PX, TRACE_PX);

    await page.until(
        `document.querySelector('a[href*="/spans/"] .rotate-0')?.dispatchEvent(
             new MouseEvent("click", { bubbles: true, cancelable: true })),
         document.body.innerText.includes("SELECT name")
         && document.body.innerText.includes("http.client")`);

    await page.value(`(() => {
        const between = document.querySelector(".resizer:not(.span-resizer)");

        between.previousElementSibling.style.width = "100%";
        between.nextElementSibling.style.display = "none";
    })()`);
    save("trace.png", await page.picture());
}


/* The three tabs of the issue's page, one below the other. */

async function takeTimeout(chromium, sidecar, nginx) {
    await ask(nginx, "/reports/2026?year=2026&token=8c5f0a");

    const page = await chromium.open(`${sidecar}/telemetry/errors`,
                                     WIDTH_PX, HEIGHT_PX);
    const tabs = [];

    await page.until(`document.body.innerText.includes("UpstreamTimeout")`);
    await page.until(`document.querySelector('a[href*="/errors/"]')?.click()
                      ?? location.pathname.endsWith("/details")`);

    for (const [tab, text] of [["details", "while reading"],
                               ["breadcrumbs", "upstream timed out"],
                               ["contexts", "RUNTIME"]]) {
        await page.value(
            `document.querySelector('a[href$="/${tab}"]').click()`);
        await page.until(
            `document.querySelector('a[href$="/${tab}"][aria-current]')
             && document.body.innerText.includes("${text}")`);

        const y = tabs.length ? TITLE_PX : 0;

        tabs.push(await page.picture({
            x: SIDEBAR_PX, y, width: WIDTH_PX - SIDEBAR_PX,
            height: await bottom(page) - y }));
    }

    const images = tabs.map((png) => `<img style="display:block" src="${
        `data:image/png;base64,${png.toString("base64")}`}">`);
    const whole = await chromium.open(
        `data:text/html,<body style="margin:0">${
        encodeURIComponent(images.join(""))}`, WIDTH_PX, 3 * HEIGHT_PX);

    await whole.until(`document.images.length === ${tabs.length}
                       && [...document.images].every((i) => i.complete)`);
    save("timeout.png", await whole.picture({
        x: 0, y: 0, width: WIDTH_PX - SIDEBAR_PX,
        height: await whole.value(
            "[...document.images].pop().getBoundingClientRect().bottom") }));
}


/*
 * Where the text ends that is beside the menu; of an issue's context, where
 * the request ends.
 */

function bottom(page) {
    return page.value(`(() => {
        const texts = document.createTreeWalker(document.body,
                                                NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        let bottom = 0;

        while (texts.nextNode()) {
            range.selectNode(texts.currentNode);

            const box = range.getBoundingClientRect();

            if (/^trace$/i.test(texts.currentNode.data)) {
                break;
            }

            if (box.left >= ${SIDEBAR_PX} && box.bottom <= ${HEIGHT_PX}) {
                bottom = Math.max(bottom, box.bottom);
            }
        }

        return Math.ceil(bottom) + 24;
    })()`);
}


function save(name, png) {
    fs.writeFileSync(path.join(docs, name), png);
    console.log(`${path.join(docs, name)}: ${png.length} bytes`);
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

    const spotlight = await servers.start("spotlight", ports.spotlight,
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

    /* the first request of a new process is not a typical one */
    for (let i = 0; i < WARM_UP; i++) {
        await ask(ports.app, "/items/1", {
            "sentry-trace": "00000000000000000000000000000001-"
                            + "0000000000000001-0" });
    }

    const chromium = new Chromium(browser);

    try {
        await takeTrace(chromium, sidecar, ports.nginx);
        await takeTimeout(chromium, sidecar, ports.nginx);

    } finally {
        await chromium.close();
        await servers.end(spotlight, "SIGKILL");    /* waits for its readers */
    }

    hang.close();
    await servers.stop();
}


main().then(() => process.exit(0), (e) => {
    console.log(e.stack);
    process.exit(1);
});
