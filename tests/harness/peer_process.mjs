// A peer of another WebRTC stack in a process of its own, which tells what it does in JSON lines.

import { spawn } from "node:child_process";
import { until } from "./until.mjs";

/** A peer under way. */
export class PeerProcess {
  /** What it has told so far: one object per line. */
  told = [];
  /** What it complained of. */
  errors = "";
  /** `{ code, signal }` once it has ended. */
  ended = undefined;

  /** Begins; `name` is what it is called when it fails. */
  constructor(name, program, args) {
    this.name = name;
    this.process = spawn(program, args);
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
    await until(`${this.name} tells ${event}`, () => find() || this.ended, {
      ...options,
      shown: () => this.errors,
    });
    if (!find()) {
      const told = JSON.stringify([this.ended, this.told]);
      throw new Error(`${this.name} ended: ${told} ${this.errors}`);
    }
    return find();
  }

  /** Waits until it gave up, and returns its complaint. */
  async givesUp() {
    await until(`${this.name} gives up`, () => this.ended, { shown: () => this.told });
    if (this.ended.code === 0) throw new Error(`it did not: ${JSON.stringify(this.told)}`);
    return this.errors;
  }

  /** Asks it to end in an orderly way, where it can. */
  end() {
    this.process.kill("SIGTERM");
  }

  /** Ends it without a word. */
  kill() {
    this.process.kill("SIGKILL");
  }
}
