// Networks of a test's own (`ip netns`): what runs in one sees its interfaces and no others.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `ip` with the words of `line`. */
function ip(line) {
  return execFileSync("ip", line.split(" "), { stdio: "pipe", encoding: "utf8" });
}

/** Whether this machine lets this user make such networks. */
export function canMakeNamespaces() {
  const name = `odeum-try-${process.pid}`;
  try {
    ip(`netns add ${name}`);
    ip(`netns delete ${name}`);
    return true;
  } catch {
    return false;
  }
}

export class Namespace {
  constructor(name) {
    this.name = `odeum-${name}-${process.pid}`;
    this.folder = mkdtempSync(join(tmpdir(), "odeum-test-"));
    ip(`netns add ${this.name}`);
    this.ip("link set lo up");
    // Packets may come by another interface than answers would leave by.
    const settings = ["all", "default"].map((of) => `/proc/sys/net/ipv4/conf/${of}/rp_filter`);
    for (const setting of settings) this.run("sh", "-c", `echo 0 >${setting}`);
  }

  /** Joins two by a cable with these ends. */
  static cable([one, name], [other, otherName]) {
    const peer = `peer name ${otherName} netns ${other.name}`;
    ip(`link add ${name} netns ${one.name} type veth ${peer}`);
    one.ip(`link set ${name} up`);
    other.ip(`link set ${otherName} up`);
  }

  /** Runs `ip` inside. */
  ip(line) {
    return ip(`-n ${this.name} ${line}`);
  }

  /** Runs a program inside, and gives what it says. */
  run(...words) {
    const [program, ...values] = this.command(...words);
    return execFileSync(program, values, { stdio: "pipe", encoding: "utf8" });
  }

  /** The words of a command that runs `words` inside. */
  command(...words) {
    return ["ip", "netns", "exec", this.name, ...words];
  }

  /** A program of its own that runs `path` inside. */
  script(path) {
    const file = join(this.folder, "inside.sh");
    const command = this.command(path).map((word) => `'${word}'`);
    writeFileSync(file, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 });
    return file;
  }

  /** Packets that have left by an interface. */
  packetsSent(name) {
    return Number(this.run("cat", `/sys/class/net/${name}/statistics/tx_packets`));
  }

  remove() {
    ip(`netns delete ${this.name}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
