/*
 * Copyright (C) ngx_sentry authors
 *
 * Starts Spotlight, the local Sentry viewer, for the quick start.
 *
 *   node spotlight.mjs PACKAGE_DIR PORT
 *
 * Not by its own command: that one listens on every interface and reports its
 * own use to its makers, and so does its page.  Here the server listens on
 * the loopback interface alone, the page's own DSN is taken out, and the
 * page's security policy no longer allows any other host, so that the browser
 * holds it to that.
 */

import http from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const dist = resolve(process.argv[2], "dist");
const port = Number(process.argv[3]);

function loopbackOnly() {
    const listen = http.Server.prototype.listen;

    http.Server.prototype.listen = function (port, ...rest) {
        const callback = rest.find((arg) => typeof arg === "function");

        return listen.call(this, port, "127.0.0.1", callback);
    };
}

function page() {
    const text = readFileSync(join(dist, "ui/index.html"), "utf8");

    return text.replace(/\s+https:\/\/\*\.sentry\.io/g, "");
}

function asset(name) {
    const data = readFileSync(join(dist, "ui/assets", name));

    if (!name.endsWith(".js")) {
        return data;
    }

    return Buffer.from(data.toString("utf8")
        .replace(/https:\/\/[0-9a-f]{32}@[^"'`\s]*sentry\.io\/\d+/g, ""));
}

function files() {
    const served = { "index.html": Buffer.from(page()) };

    for (const name of readdirSync(join(dist, "ui/assets"))) {
        if (!name.endsWith(".map")) {
            served[`assets/${name}`] = asset(name);
        }
    }

    return served;
}

loopbackOnly();

const server = pathToFileURL(join(dist, "server/main.js"));
const { startServer, setShutdownHandlers } = await import(server);

setShutdownHandlers(await startServer({ port, filesToServe: files() }));

console.log(`Spotlight listens on 127.0.0.1:${port}`);
