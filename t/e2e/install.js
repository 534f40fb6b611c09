/*
 * Copyright (C) ngx_sentry authors
 *
 * Packages of others that tests need, pinned, below build/: npm's by a
 * package-lock.json, Python's by constraints.txt.  Nothing in them is run
 * while they are installed.  Exits 77 when they cannot be.
 */

"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const INSTALL_MS = 300000;


/* Whether what these files ask for is what was installed last. */

function current(into, files) {
    const stamp = path.join(into, "installed");
    const wanted = files.map((file) => fs.readFileSync(file, "utf8")).join("");

    fs.mkdirSync(into, { recursive: true });

    return {
        is: fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === wanted,
        now: () => fs.writeFileSync(stamp, wanted),
    };
}


function run(program, args, cwd) {
    try {
        execFileSync(program, args,
                     { cwd, stdio: "pipe", timeout: INSTALL_MS });

    } catch (e) {
        const why = (String(e.stderr ?? "").trim() || e.message).split("\n");

        console.log(`skipped: ${path.basename(program)} could not install: ${
                    why[0]}`);
        process.exit(77);
    }
}


/* package.json and its lock from one directory to another. */

exports.npm = function (from, into) {
    const files = ["package.json", "package-lock.json"]
        .map((name) => path.join(from, name));
    const installed = current(into, files);

    if (installed.is) {
        return;
    }

    for (const file of files) {
        fs.copyFileSync(file, path.join(into, path.basename(file)));
    }

    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund",
                "--no-update-notifier"], into);
    installed.now();
};


/* Requirements into a virtual environment; wheels only. */

exports.pip = function (requirements, constraints, into) {
    const installed = current(into, [...requirements, constraints]);

    if (installed.is) {
        return;
    }

    run("python3", ["-m", "venv", "--clear", into], ".");
    run(path.join(into, "bin/python"),
        ["-m", "pip", "install", "--quiet", "--only-binary=:all:",
         "--disable-pip-version-check", "--constraint", constraints,
         ...requirements.flatMap((file) => ["--requirement", file])], ".");
    installed.now();
};
