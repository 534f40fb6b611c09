/*
 * Copyright (C) ngx_sentry authors
 *
 * A headless Chromium, driven over a pipe: no package needed but the
 * browser.  It resolves no name and may reach the loopback interface only.
 */

"use strict";

const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const ANSWER_MS = 20000;
const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];

const FLAGS = [
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, "
    + "EXCLUDE localhost",
];


/* The program's name, undefined when there is none. */

exports.program = function () {
    return PROGRAMS.find((name) => spawnSync(name, ["--version"],
                                             { timeout: ANSWER_MS })
                                       .status === 0);
};


exports.Chromium = class {
    constructor(program) {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "ngx_sentry-web-"));
        this.child = spawn(program,
                           [...FLAGS, `--user-data-dir=${this.dir}`],
                           { detached: true,
                             stdio: ["ignore", "ignore", "ignore",
                                     "pipe", "pipe"] });
        this.ended = new Promise((done) => this.child.on("exit", done));
        this.waiting = new Map();
        this.last = 0;

        let text = "";

        this.child.stdio[4].setEncoding("utf8").on("data", (chunk) => {
            const messages = (text + chunk).split("\0");

            text = messages.pop();
            messages.forEach((message) => this.answer(JSON.parse(message)));
        });
        this.child.stdio[3].on("error", () => {});
        process.on("exit", () => this.kill());
    }

    /* With the processes that it has started itself. */

    kill() {
        try {
            process.kill(-this.child.pid, "SIGKILL");

        } catch {
            /* all are gone */
        }

        fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 9 });
    }

    answer({ id, error, result }) {
        const [done, failed] = this.waiting.get(id) ?? [];

        this.waiting.delete(id);

        if (error) {
            failed?.(Error(error.message));

        } else {
            done?.(result);
        }
    }

    send(method, params = {}, sessionId = undefined) {
        const id = ++this.last;

        return new Promise((done, failed) => {
            const late = setTimeout(() => failed(Error(`${method}: no answer`)),
                                    ANSWER_MS);

            this.waiting.set(id, [(result) => {
                clearTimeout(late);
                done(result);
            }, failed]);
            this.child.stdio[3].write(
                `${JSON.stringify({ id, method, params, sessionId })}\0`);
        });
    }

    /* A page of width x height. */

    async open(url, width = 1280, height = 800) {
        const { targetId } = await this.send("Target.createTarget",
                                             { url: "about:blank" });
        const { sessionId } = await this.send(
            "Target.attachToTarget", { targetId, flatten: true });
        const send = (method, params) => this.send(method, params, sessionId);

        await send("Emulation.setDeviceMetricsOverride",
                   { width, height, deviceScaleFactor: 1, mobile: false });
        await send("Page.enable");
        await send("Page.navigate", { url });

        return new Page(send);
    }

    async close() {
        await this.send("Browser.close");
        await this.ended;
        this.kill();
    }
};


class Page {
    constructor(send) {
        this.send = send;
    }

    /* The value of a script, which may be a promise. */

    async value(expression) {
        const { result, exceptionDetails } = await this.send(
            "Runtime.evaluate",
            { expression, awaitPromise: true, returnByValue: true });

        if (exceptionDetails) {
            throw Error(exceptionDetails.exception?.description
                        ?? exceptionDetails.text);
        }

        return result.value;
    }

    /* Waits until a script has a value that is true, and returns it. */

    async until(expression) {
        for (const end = Date.now() + ANSWER_MS; ; ) {
            const value = await this.value(expression).catch(() => undefined);

            if (value) {
                return value;
            }

            if (Date.now() > end) {
                throw Error(`never true: ${expression}; the page says: ${
                            await this.value("document.body.innerText")}`);
            }

            await new Promise((done) => setTimeout(done, 100));
        }
    }

    /* Two frames on: what was changed is seen. */

    drawn() {
        return this.value("new Promise((done) => requestAnimationFrame("
                          + "() => requestAnimationFrame(() => done())))");
    }

    /* A PNG of all that is seen, or of { x, y, width, height } of it. */

    async picture(clip) {
        await this.drawn();

        const { data } = await this.send("Page.captureScreenshot", {
            format: "png", ...(clip && { clip: { ...clip, scale: 1 } }),
        });

        return Buffer.from(data, "base64");
    }
}
