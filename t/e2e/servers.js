/*
 * Copyright (C) ngx_sentry authors
 *
 * What t/e2e starts: the applications of examples/, an nginx with the module
 * before them.  All on the loopback interface, all in a directory of its own,
 * which goes with stop().
 */

"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const install = require("./install.js");

const top = path.resolve(__dirname, "../..");
const build = path.join(top, "build/apps");
const examples = path.join(top, "examples");

const START_MS = 120000;    /* the machine may be busy with other tests */
const STOP_MS = 30000;


/* The packages of the example applications. */

exports.install = function () {
    install.npm(path.join(examples, "node"), path.join(build, "node"));
    install.pip(["fastapi", "flask"].map(
                    (app) => path.join(examples, app, "requirements.txt")),
                path.join(__dirname, "constraints.txt"),
                path.join(build, "venv"));

    /* where node looks for what it requires */
    fs.copyFileSync(path.join(examples, "node/app.js"),
                    path.join(build, "node/app.js"));
};


const commands = {
    node: () => [process.execPath, [path.join(build, "node/app.js")]],

    fastapi: (port) => [path.join(build, "venv/bin/python"),
        ["-m", "uvicorn", "--app-dir", path.join(examples, "fastapi"),
         "--log-level", "warning", "--port", port, "app:app"]],

    /* Flask's own server would end at once, with spans not yet sent */
    flask: (port) => [path.join(build, "venv/bin/python"),
        ["-c", "import flask.cli, signal, sys\n"
               + "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
               + "flask.cli.main()",
         "--app", path.join(examples, "flask/app.py"), "run", "--port", port]],
};


exports.Servers = class {
    constructor() {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "ngx_sentry-e2e-"));
        this.running = [];

        /* for nginx's workers, which are not root's */
        fs.chmodSync(this.dir, 0o755);
        fs.mkdirSync(path.join(this.dir, "temp"));
        process.on("exit", () => this.kill());
    }

    /* Resolves when the port answers. */

    async start(name, port, [program, args], env = {}) {
        const log = path.join(this.dir, `${name}.log`);
        const out = fs.openSync(log, "a");
        const inherited = Object.fromEntries(Object.entries(process.env)
            .filter(([key]) => !/^SENTRY_|^(https?|all|no)_proxy$/i.test(key)));
        const child = spawn(program, args, {
            cwd: this.dir, stdio: ["ignore", out, out],
            env: { ...inherited, PATH: `${process.env.PATH}:/usr/sbin`,
                   PYTHONDONTWRITEBYTECODE: "1", ...env },
        });

        child.ended = new Promise((done) => {
            child.on("error", (e) => fs.writeSync(out, `${e}\n`) && done());
            child.on("exit", done);
        });
        this.running.push(child);

        let over = false;

        child.ended.then(() => { over = true; });

        for (const end = Date.now() + START_MS; ; ) {
            if (await answers(port)) {
                return child;
            }

            if (over || Date.now() > end) {
                throw Error(`${name} ${over ? "ended" : "does not answer"}: ${
                            fs.readFileSync(log, "utf8").slice(-2000)}`);
            }

            await new Promise((done) => setTimeout(done, 50));
        }
    }

    app(kind, name, port, env) {
        return this.start(name, port, commands[kind](String(port)),
                          { PORT: port, ...env });
    }

    nginx(port, http) {
        const module = process.env.TEST_NGINX_MODULE
                       ?? path.join(top, "build/ngx_sentry_module.so");
        const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map((what) => `    ${what}_temp_path temp/${what};\n`).join("");
        const conf = path.join(this.dir, "nginx.conf");

        fs.writeFileSync(conf, `${module && `load_module ${module};`}
daemon off;
pid nginx.pid;
error_log error.log notice;

events {
}

http {
    access_log off;
${temp}
${http}
}
`);

        return this.start("nginx", port,
            [process.env.TEST_NGINX_BINARY || "nginx",
             ["-p", `${this.dir}/`, "-c", conf, "-e", "error.log"]]);
    }

    /* The lines that nginx logged and that say so. */

    logged(regex) {
        return fs.readFileSync(path.join(this.dir, "error.log"), "utf8")
            .split("\n").filter((line) => regex.test(line));
    }

    /* Ends one politely: what it has for Sentry is sent before. */

    async end(child, signal = "SIGTERM") {
        const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);

        child.kill(signal);
        await child.ended;
        clearTimeout(late);
        this.running = this.running.filter((other) => other !== child);
    }

    async stop() {
        await Promise.all(this.running.map((child) => this.end(child)));
        this.kill();
    }

    kill() {
        for (const child of this.running) {
            child.kill("SIGKILL");
        }

        fs.rmSync(this.dir, { recursive: true, force: true });
    }
};


function answers(port) {
    return new Promise((done) => {
        const socket = net.connect(port, "127.0.0.1");

        socket.on("connect", () => socket.destroy() && done(true));
        socket.on("error", () => done(false));
    });
}


/* Below those that the system hands out by itself. */

exports.freePort = async function () {
    while (true) {
        const port = 10000 + Math.floor(Math.random() * 22000);
        const server = net.createServer();
        const free = await new Promise((done) => {
            server.on("error", () => done(false));
            server.listen(port, "127.0.0.1", () => done(true));
        });

        if (free) {
            await new Promise((done) => server.close(done));
            return port;
        }
    }
};
