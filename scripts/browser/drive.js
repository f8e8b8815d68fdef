#!/usr/bin/env node
// A real browser as people use it, for the tests of `migrate`: pages of an app whose stores are persisted by zustand.
//
//   drive.js fill PROFILE FEATURES TABLET.json TRUTH.json   fills a new profile in two sittings
//   drive.js reopen PROFILE FEATURES TRUTH.json             starts it once more, adds a key, and reports what pages find
//   drive.js live PROFILE FEATURES TRUTH.json               fills it and goes on writing until its standard input ends
//   drive.js put-back STATE.json PASTE.js TABLET.json RESULT.json
//   drive.js dump SNIPPETS.json TABLET.json RESULT.json     what `copy` of the developer tools is given
//
// PARKLITE_BROWSER is Chromium, PARKLITE_NODE_MODULES the folder with the packages of package-lock.json. No network is
// used: pages of the two origins are answered here.
"use strict";
const { spawn } = require("child_process");
const { createHash } = require("crypto");
const fs = require("fs");
const os = require("os");
const path = require("path");

const modules = process.env.PARKLITE_NODE_MODULES;
const { chromium } = require(path.join(modules, "playwright-core"));
const APP = "https://app.example";
const OTHER = "https://other.example";
/** Nothing here takes nearly as long. */
const PATIENCE = 200_000;

let running = null;
const fail = (error) => {
  console.error(error);
  if (running) running.kill("SIGKILL");
  process.exit(1);
};
process.on("unhandledRejection", fail);
setTimeout(() => fail(new Error("the browser hangs")), PATIENCE).unref();

/** Starts the browser on a profile; `close` ends it as a person does and waits until it is gone. */
async function start(profile, features = "") {
  const flags = [
    "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "--no-first-run", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad",
    "--disable-dev-shm-usage", "--password-store=basic", "--use-mock-keychain", "--log-level=3",
  ];
  if (process.getuid() === 0) flags.push("--no-sandbox");
  if (features && features !== "-") flags.push(`--enable-features=${features}`);
  // Of this process's group, so that whoever ends the group ends the browser.
  const child = spawn(process.env.PARKLITE_BROWSER, [...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
  running = child;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  const address = await new Promise((resolve, reject) => {
    child.stderr.on("data", (bytes) => {
      said = (said + bytes).slice(-10_000);
      const found = said.match(/DevTools listening on (ws:\S+)/);
      if (found) resolve(found[1]);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the browser ended with ${code}: ${said}`)));
  });
  const browser = await chromium.connectOverCDP(address);
  const close = async () => {
    const session = await browser.newBrowserCDPSession();
    await session.send("Browser.close").catch(() => {});
    await gone;
    running = null;
  };
  return { browser, context: browser.contexts()[0], close };
}

/** Answers every request of a context's pages from here. */
async function serve(context) {
  await context.route("**/*", (route) => {
    const url = new URL(route.request().url());
    if (url.origin !== APP && url.origin !== OTHER) return route.abort();
    if (url.pathname.startsWith("/zustand/")) {
      const file = path.join(modules, "zustand/esm", path.basename(url.pathname));
      return route.fulfill({ path: file, contentType: "text/javascript" });
    }
    if (url.pathname !== "/") return route.fulfill({ status: 404, body: "" });
    return route.fulfill({ path: path.join(__dirname, "page.html"), contentType: "text/html" });
  });
}

async function open(context, origin) {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await page.waitForFunction("window.loaded");
  return page;
}

/** What a page reported, as the truth files of the fixtures are written. */
function storage(origin, partition, items) {
  const side = (hex) => {
    const bytes = Buffer.from(hex, "hex").swap16();
    return { len: bytes.length / 2, sha256_utf16le: createHash("sha256").update(bytes).digest("hex") };
  };
  return { origin, partition, count: items.length, items: items.map(([key, value]) => ({ key: side(key), value: side(value) })) };
}

const write = (file, value) => fs.writeFileSync(file, JSON.stringify(value));
/** The state that a dump of the fixtures has. */
const stateOf = (file) => JSON.parse(JSON.parse(fs.readFileSync(file, "utf8"))["liftbook-store"]).state;

/** In the page: the app works, and what hand-written code leaves behind. */
function use(state) {
  const { liftbook, runlog, backup } = window.stores;
  const { currentProgram, progressHistory } = state;
  // Session by session, each of which the middleware writes.
  liftbook.setState({ currentProgram, progressHistory: { ...progressHistory, sessions: [] } });
  for (const session of progressHistory.sessions) {
    const { progressHistory: before } = liftbook.getState();
    liftbook.setState({ progressHistory: { ...before, sessions: [...before.sessions, session] } });
  }
  const run = (weekNumber, dayNumber) => ({
    sessionId: `${weekNumber}-${dayNumber}`, weekNumber, dayNumber, completed: true,
    completedAt: new Date(Date.UTC(2025, 2, weekNumber * 7 + dayNumber, 6)).toISOString(),
    // A note that was cut in the middle of an emoji.
    notes: "5 km \ud83d", exerciseLogs: [{ meters: 5000, pace: 5.50 }],
  });
  const sessions = [1, 2, 3, 4].flatMap((week) => [1, 2, 3].map((day) => run(week, day)));
  runlog.setState({ currentProgram: { id: "c25k" }, progressHistory: { programId: "c25k", sessions } });
  backup.setState({ workoutsSinceBackup: 3, lastBackupDate: "2025-10-01T05:30:00.000Z" });
  let seed = 7;
  const random = (below) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
  const text = (length, below) => {
    let made = "";
    while (made.length < length) made += String.fromCharCode(random(below));
    return made;
  };
  const odd = [
    ["", "an empty key"], ["empty", ""], ["a\0b", "\0x\0"], ["\0", "NUL"], ["\ud83d", "\udc00\ud800!"], ["pair \ud83d\ude00", "\u{1f600}"],
    ["\ufeffBOM", "\ufeff"], ["\ufffe\uffff", "\uffff"], ["latin \xff", "gr\xfc\xdfe"], ["length", "7"], ["getItem", "x"],
    ["json", '{"a":1,"a":2,"\ud83d":1e400}'], ["migrated-c25k", "true"], ["1 MB", text(1048576, 256)], ["wide", text(300000, 65536)],
  ];
  for (const [key, value] of odd) localStorage.setItem(key, value);
  for (let i = 0; i < 200; i++) localStorage.setItem(`gone-${i % 50}`, text(100, 128));
  sessionStorage.setItem("not", "localStorage");
}

/** In the page: the app goes on after a restart. */
function useAgain() {
  const { liftbook, runlog } = window.stores;
  if (liftbook.getState().progressHistory.sessions.length === 0) throw new Error("zustand has not read its store");
  for (let i = 0; i < 45; i++) localStorage.removeItem(`gone-${i}`);
  localStorage.setItem("latin \xff", "now wide \u20ac");
  const { progressHistory } = runlog.getState();
  const sessions = progressHistory.sessions.map((it) => (it.sessionId === "4-3" ? { ...it, intensityRating: "hard" } : it));
  runlog.setState({ progressHistory: { ...progressHistory, sessions } });
}

/** A frame of the other site in the app's page, which has a storage of its own. */
async function frame(page) {
  const arrived = page.waitForEvent("framenavigated", (it) => it.url().startsWith(OTHER));
  await page.evaluate((address) => {
    const frame = document.createElement("iframe");
    frame.src = `${address}/`;
    document.body.append(frame);
  }, OTHER);
  const inner = await arrived;
  await inner.waitForFunction("window.loaded");
  return inner;
}

/** What pages of both origins, and one inside the other, find. */
async function reported(context) {
  const [app, other] = [await open(context, APP), await open(context, OTHER)];
  const inner = await frame(app);
  return {
    storages: [
      storage(APP, null, await app.evaluate("report()")),
      storage(OTHER, null, await other.evaluate("report()")),
      storage(OTHER, APP, await inner.evaluate("report()")),
    ],
    liftbook: await app.evaluate("stores.liftbook.getState()"),
    // As text: no string of a protocol can be trusted with half an emoji.
    runlog: await app.evaluate("JSON.stringify(stores.runlog.getState())"),
  };
}

/** One sitting: starts the browser, does something, and closes it. Gives what pages found at its end. */
async function sitting(profile, features, work) {
  const { context, close } = await start(profile, features);
  await serve(context);
  await work(context);
  const found = await reported(context);
  // What no page has open any more is written at once.
  for (const page of context.pages()) if (page.url() !== "about:blank") await page.close();
  await close();
  return found;
}

/**
 * Repeats a sitting until a later one finds what it left. A browser that is closed in a hurry on a busy machine does not
 * write all that its pages have set (seen with the newer file of Chromium 156); what it never wrote nobody can migrate.
 */
async function kept(profile, features, work) {
  for (;;) {
    const left = await sitting(profile, features, work);
    const found = await sitting(profile, features, async () => {});
    if (JSON.stringify(found) === JSON.stringify(left)) return found;
    console.error("the browser has not kept all that its pages set; once more");
  }
}

const tasks = {
  async fill(profile, features, tablet, truth) {
    await kept(profile, features, async (context) => {
      const [app, other] = [await open(context, APP), await open(context, OTHER)];
      await app.evaluate(use, stateOf(tablet));
      await other.evaluate(() => localStorage.setItem("token", "secret"));
      await (await frame(app)).evaluate(() => localStorage.setItem("inside", "of the app"));
    });
    write(truth, await kept(profile, features, async (context) => (await open(context, APP)).evaluate(useAgain)));
  },

  async reopen(profile, features, truth) {
    const since = async (context) => (await open(context, APP)).evaluate(() => localStorage.setItem("since", "then"));
    write(truth, await kept(profile, features, since));
  },

  async live(profile, features, truth) {
    const lines = require("readline").createInterface({ input: process.stdin });
    const { context, close } = await start(profile, features);
    await serve(context);
    const app = await open(context, APP);
    await app.evaluate(() => {
      localStorage.setItem("still", "\ud83d");
      let count = 0;
      window.write = () => {
        const now = String(++count);
        // At most a step apart in whatever copy; the browser writes them hundreds of steps apart.
        for (const key of ["first", "second"]) localStorage.setItem(key, now);
        window.stores.liftbook.setState({ currentProgram: { id: now } });
      };
      window.write();
      window.writing = setInterval(window.write, 20);
    });
    console.log("writing");
    const said = lines[Symbol.asyncIterator]();
    await said.next();
    await app.evaluate("clearInterval(writing)");
    write(truth, { storages: [storage(APP, null, await app.evaluate("report()"))] });
    // What no page has open any more is written at once.
    await app.close();
    console.log("still");
    await said.next();
    await close();
  },

  async "put-back"(state, paste, tablet, result) {
    const profile = fs.mkdtempSync(path.join(path.dirname(path.resolve(result)), "fresh-"));
    const { browser, context, close } = await start(profile);
    const restored = await browser.newContext({ storageState: state });
    await serve(restored);
    const look = async (page) => ({
      storages: [storage(APP, null, await page.evaluate("report()"))],
      liftbook: await page.evaluate("stores.liftbook.getState()"),
      version: await page.evaluate("JSON.parse(localStorage.getItem('liftbook-store')).version"),
    });
    const found = { playwright: await look(await open(restored, APP)) };
    await serve(context);
    const page = await open(context, APP);
    await page.evaluate(({ progressHistory }) => stores.liftbook.setState({ progressHistory }), stateOf(tablet));
    const before = await page.evaluate("report()");
    const session = await context.newCDPSession(page);
    const text = fs.readFileSync(paste, "utf8");
    const pasted = async (answer) => {
      const asked = new Promise((resolve) => page.once("dialog", async (dialog) => {
        await (answer ? dialog.accept() : dialog.dismiss());
        resolve(dialog.message());
      }));
      const loads = answer ? page.waitForEvent("load") : null;
      // As the console of the developer tools does.
      const said = await session.send("Runtime.evaluate", { expression: text, includeCommandLineAPI: true, replMode: true, userGesture: true });
      if (said.exceptionDetails) throw new Error(JSON.stringify(said.exceptionDetails));
      await loads;
      return asked;
    };
    found.asked = await pasted(false);
    found.refused = JSON.stringify(await page.evaluate("report()")) === JSON.stringify(before);
    await pasted(true);
    await page.waitForFunction("window.loaded");
    found.console = await look(page);
    const elsewhere = await open(context, OTHER);
    const other = await context.newCDPSession(elsewhere);
    const refusal = await other.send("Runtime.evaluate", { expression: text });
    found.elsewhere = refusal.exceptionDetails?.exception?.description ?? null;
    write(result, found);
    await close();
  },

  async dump(snippets, tablet, result) {
    const profile = fs.mkdtempSync(path.join(path.dirname(path.resolve(result)), "fresh-"));
    const { context, close } = await start(profile);
    await serve(context);
    const page = await open(context, APP);
    const session = await context.newCDPSession(page);
    await session.send("Runtime.enable");
    const found = [];
    const dumped = async (expression) => {
      const copied = new Promise((resolve) => session.once("Runtime.inspectRequested", resolve));
      const said = await session.send("Runtime.evaluate", { expression, includeCommandLineAPI: true, replMode: true });
      if (said.exceptionDetails) return { thrown: said.exceptionDetails.exception.description };
      const { object, hints } = await copied;
      if (!hints.copyToClipboard || object.type !== "string") throw new Error("nothing was copied");
      return { copied: object.value };
    };
    await page.evaluate(use, stateOf(tablet));
    // Keys that are names of members of every object.
    for (const more of [[], ["__proto__"]]) {
      for (const key of more) await page.evaluate((key) => localStorage.setItem(key, "odd"), key);
      const truth = { storages: [storage(APP, null, await page.evaluate("report()"))] };
      const made = [];
      for (const snippet of JSON.parse(fs.readFileSync(snippets, "utf8"))) made.push(await dumped(snippet));
      found.push({ truth, made });
    }
    write(result, found);
    await close();
  },
};

const [task, ...rest] = process.argv.slice(2);
tasks[task](...rest).then(() => process.exit(0), fail);
