// A peer of another WebRTC stack: aiortc/peer.py, over public signalling like everybody.

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { appID } from "./server.mjs";
import { until } from "./until.mjs";

const script = fileURLToPath(new URL("../aiortc/peer.py", import.meta.url));
const installed = fileURLToPath(new URL("../../target/aiortc/bin/python", import.meta.url));

/** A Python with aiortc: ODEUM_PYTHON, else that of `scripts/venv.sh aiortc`; undefined without. */
export function findPython() {
  const found = process.env.ODEUM_PYTHON || installed;
  const has = existsSync(found) && spawnSync(found, ["-c", "import aiortc"]).status === 0;
  return has ? found : undefined;
}

/** A peer under way. */
export class AiortcPeer {
  /** What it has told so far: one object per line. */
  told = [];
  /** What it complained of. */
  errors = "";
  /** `{ code, signal }` once it has ended. */
  ended = undefined;

  /**
   * Begins to `publish` or to `play`, for `seconds`. `video` is the only video codec that it
   * offers, `more` are options of peer.py.
   */
  constructor(role, server, options) {
    const { streamID, userID, roomID = "room", seconds = 60, video, more = [] } = options;
    const args = {
      url: server.signalUrl(),
      "app-id": appID,
      room: roomID,
      user: userID,
      stream: streamID,
      token: server.token(userID),
      seconds,
      ...(video ? { video } : {}),
    };
    const list = Object.entries(args).flatMap(([key, value]) => [`--${key}`, String(value)]);
    this.process = spawn(findPython(), [script, role, ...list, ...more]);
    let line = "";
    this.process.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (line + text).split("\n");
      line = lines.pop();
      this.told.push(...lines.map((each) => JSON.parse(each)));
    });
    this.process.stderr.setEncoding("utf8").on("data", (text) => (this.errors += text));
    this.process.on("exit", (code, signal) => (this.ended = { code, signal }));
  }

  /** Waits until it has told of `event`, and returns that. */
  async tells(event, options = {}) {
    const find = () => this.told.find((each) => each.event === event);
    await until(`aiortc tells ${event}`, () => find() || this.ended, {
      ...options,
      shown: () => this.errors,
    });
    if (!find()) throw new Error(`aiortc ended: ${JSON.stringify(this.ended)} ${this.errors}`);
    return find();
  }

  /** Waits until it gave up, and returns its complaint. */
  async givesUp() {
    await until("aiortc gives up", () => this.ended, { shown: () => this.told });
    if (this.ended.code === 0) throw new Error(`it did not: ${JSON.stringify(this.told)}`);
    return this.errors;
  }

  /** Ends it without a word. */
  kill() {
    this.process.kill("SIGKILL");
  }
}
