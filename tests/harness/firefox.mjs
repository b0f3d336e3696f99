// Firefox with fake media, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): as
// much of Playwright's browser, context and page as a user of the SDK is driven by.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { until } from "./until.mjs";

const preferences = {
  // Camera and microphone that need no hardware, and nobody to allow them.
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  // JSON is shown as it is, not in a page of its own that runs no scripts.
  "devtools.jsonview.enabled": false,
  // Nothing leaves the machine.
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "media.gmp-manager.url": "data:text/plain,",
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
};

/** The binary: ODEUM_FIREFOX or Debian's; undefined without. */
export function findFirefox() {
  const found = process.env.ODEUM_FIREFOX || "/usr/bin/firefox-esr";
  return existsSync(found) ? found : undefined;
}

/**
 * Where Firefox on this machine reaches media: an IPv4 address that is not the loopback's, for of
 * that it has no candidates, not even with `media.peerconnection.ice.loopback`.
 */
export function findAddress() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

/** Starts Firefox in a profile of its own. */
export async function launchFirefox() {
  const profile = mkdtempSync(join(tmpdir(), "odeum-firefox-"));
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, "user.js"), lines.join(""));
  const args = ["--headless", "--remote-debugging-port", "0", "--profile", profile];
  // Its home is the profile's folder, too: nothing of whoever runs the tests.
  const env = { ...process.env, HOME: profile, MOZ_HEADLESS: "1" };
  const browser = new Firefox(profile, spawn(findFirefox(), args, { env }));
  try {
    await browser.connect();
  } catch (error) {
    await browser.close();
    throw error;
  }
  return browser;
}

/** A running Firefox. */
class Firefox {
  /** What it wrote. */
  output = "";
  /** `{ code, signal }` once it has ended. */
  ended = undefined;
  #commands = 0;
  /** Commands that wait for their reply, by id. */
  #waiting = new Map();

  constructor(profile, process) {
    this.profile = profile;
    this.process = process;
    for (const pipe of [process.stdout, process.stderr])
      pipe.setEncoding("utf8").on("data", (text) => (this.output += text));
    process.on("exit", (code, signal) => this.#fail((this.ended = { code, signal })));
    process.on("error", (error) => this.#fail((this.ended = error)));
  }

  async connect() {
    const listening = /WebDriver BiDi listening on (ws:\S+)/;
    await until("Firefox listens", () => listening.test(this.output) || this.ended, {
      within_ms: 60_000,
      shown: () => this.output,
    });
    if (this.ended) throw new Error(`Firefox ended: ${this.output}`);
    this.socket = new WebSocket(`${listening.exec(this.output)[1]}/session`);
    this.socket.addEventListener("message", ({ data }) => this.#onReply(JSON.parse(data)));
    this.socket.addEventListener("close", () => this.#fail("its socket is closed"));
    await new Promise((resolve, reject) => {
      this.socket.addEventListener("open", resolve);
      this.socket.addEventListener("error", reject);
    });
    await this.send("session.new", { capabilities: {} });
  }

  /** One command; resolves to its result. */
  send(method, params) {
    const id = ++this.#commands;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject: (why) => reject(new Error(`${method}: ${why}`)) });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #onReply({ type, id, result, error, message }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (type === "success") waiting.resolve(result);
    else waiting.reject(`${error}: ${message}`);
  }

  #fail(why) {
    for (const { reject } of this.#waiting.values()) reject(JSON.stringify(why));
    this.#waiting.clear();
  }

  async newContext() {
    const { userContext } = await this.send("browser.createUserContext", {});
    return new Context(this, userContext);
  }

  async close() {
    this.process.kill("SIGTERM");
    await until("Firefox ends", () => this.ended, { within_ms: 10_000 }).catch(() => {
      this.process.kill("SIGKILL");
    });
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Pages that share nothing with other contexts. */
class Context {
  constructor(browser, id) {
    Object.assign(this, { browser, id });
  }

  async newPage() {
    const where = { type: "tab", userContext: this.id };
    const { context } = await this.browser.send("browsingContext.create", where);
    return new Page(this.browser, context);
  }

  addInitScript(run) {
    const functionDeclaration = String(run);
    const params = { functionDeclaration, userContexts: [this.id] };
    return this.browser.send("script.addPreloadScript", params);
  }

  close() {
    return this.browser.send("browser.removeUserContext", { userContext: this.id });
  }
}

/** A tab. */
class Page {
  constructor(browser, id) {
    Object.assign(this, { browser, id });
  }

  /** It tells nothing of what goes on in it. */
  on() {}

  goto(url) {
    const params = { context: this.id, url, wait: "complete" };
    return this.browser.send("browsingContext.navigate", params);
  }

  setContent(html) {
    const write = (html) => {
      document.open();
      document.write(html);
      document.close();
    };
    return this.evaluate(write, html);
  }

  /** Calls a function there; its result crosses as JSON. */
  async evaluate(run, argument) {
    const { type, result, exceptionDetails } = await this.browser.send("script.callFunction", {
      functionDeclaration: `async (value) => JSON.stringify(await (${run})(value))`,
      arguments: [localValue(argument)],
      target: { context: this.id },
      awaitPromise: true,
    });
    if (type !== "success") throw new Error(exceptionDetails.text);
    return result.type === "string" ? JSON.parse(result.value) : undefined;
  }

  waitForFunction(condition) {
    const asked = `async () => !!(await (${condition})())`;
    return until(`in Firefox: ${condition}`, () => this.evaluate(asked));
  }
}

/** A plain value as the protocol writes it. */
function localValue(value) {
  if (value === null) return { type: "null" };
  if (Array.isArray(value)) return { type: "array", value: value.map(localValue) };
  if (typeof value === "object") {
    const fields = Object.entries(value).map(([name, each]) => [name, localValue(each)]);
    return { type: "object", value: fields };
  }
  return value === undefined ? { type: "undefined" } : { type: typeof value, value };
}
