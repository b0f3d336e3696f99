// Join time: from the loginRoom call to the first frame, decoded and shown, of a stream that is
// published already, by the SDK in Chromium; all on one machine, a page of its own for each join.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { launchBrowser, User } from "../tests/harness/browser.mjs";
import { Server } from "../tests/harness/server.mjs";

const { values: options } = parseArgs({
  options: { joins: { type: "string", default: "30" }, json: { type: "string" } },
});
const joins = Number(options.joins);
const streamID = "camera";

/** In the page: joins, and resolves to milliseconds since the loginRoom call. */
async function join([roomID, token, userID, streamID]) {
  const { engine } = window.test;
  const video = document.createElement("video");
  Object.assign(video, { muted: true, autoplay: true });
  document.body.append(video);
  const times_ms = {};
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const shown = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(since())));
  await engine.loginRoom(roomID, token, { userID, userName: userID }, { userUpdate: false });
  times_ms.loggedIn = since();
  const media = await engine.startPlayingStream(streamID);
  times_ms.playing = since();
  video.srcObject = media;
  // A frame that is shown was decoded a little before; statistics would tell up to 50 ms later.
  times_ms.firstFrame = await shown;
  return times_ms;
}

/** The value that `percent` of all do not exceed. */
function percentile(values, percent) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

/** On what and of what it was measured. */
function machine() {
  const git = (...words) => execFileSync("git", words, { encoding: "utf8" }).trim();
  let commit = "unknown";
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no") ? "+" : "";
    commit = git("rev-parse", "--short=10", "HEAD") + changed;
  } catch {
    // A tree without git is measured all the same.
  }
  const cpu = /model name\s*: (.*)/.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "unknown";
  return { machine: { cpu, cores: cpus().length, kernel: release() }, commit };
}

const [server, browser] = await Promise.all([Server.start(), launchBrowser()]);
const measured = [];
try {
  const publisher = await User.open(browser, server, { userID: "publisher" });
  await publisher.login();
  await publisher.publish(streamID);
  // The first one warms up: the browser's decoder and its files are cold.
  for (let number = 0; number <= joins; number += 1) {
    const userID = `viewer-${number}`;
    const user = await User.open(browser, server, { userID });
    const times_ms = await user.page.evaluate(join, [
      user.roomID,
      server.token(userID),
      userID,
      streamID,
    ]);
    if (number > 0) measured.push(times_ms);
    await user.call("logoutRoom", user.roomID);
    await user.kill();
  }
} finally {
  await browser.close();
  await server.stop();
}

const steps = { loggedIn: "logged in", playing: "playing", firstFrame: "first frame" };
const results = Object.fromEntries(
  Object.keys(steps).map((step) => {
    const values = measured.map((times_ms) => times_ms[step]);
    const [p50_ms, p95_ms, max_ms] = [50, 95, 100].map((percent) => percentile(values, percent));
    return [step, { p50_ms, p95_ms, max_ms }];
  }),
);
console.log("| since the loginRoom call | p50 ms | p95 ms | max ms |\n|---|---|---|---|");
for (const [step, { p50_ms, p95_ms, max_ms }] of Object.entries(results)) {
  const cells = [p50_ms, p95_ms, max_ms].map((value) => value.toFixed(0));
  console.log(`| ${steps[step]} | ${cells.join(" | ")} |`);
}
const on = machine();
const date = new Date().toISOString();
const { cpu, cores, kernel } = on.machine;
console.log(
  `${joins} joins; ${cpu}, ${cores} cores, Linux ${kernel}, commit ${on.commit}, ${date}`,
);
if (options.json) {
  const all = { benchmark: "join", ...on, date, results: { joins, ...results } };
  writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
}
