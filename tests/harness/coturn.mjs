// Debian's TURN server, with credentials that are made from a shared secret.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.mjs";

/** A port that was free a moment ago, for TCP; coturn cannot say which one it took. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

export class Coturn {
  /** Everything that it wrote. */
  output = "";

  /** Starts one on loopback that relays to loopback, for a test alone. */
  static async start(secret) {
    const turn = new Coturn();
    turn.port = await freePort();
    turn.folder = mkdtempSync(join(tmpdir(), "odeum-coturn-"));
    const options = [
      ...["-n", "--listening-ip=127.0.0.1", `--listening-port=${turn.port}`],
      "--relay-ip=127.0.0.1",
      ...["--use-auth-secret", `--static-auth-secret=${secret}`, "--realm=odeum.test"],
      ...["--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--verbose"],
      ...["--log-file=stdout", `--pidfile=${join(turn.folder, "pid")}`],
      `--userdb=${join(turn.folder, "users")}`,
    ];
    turn.process = spawn("turnserver", options, { stdio: ["ignore", "pipe", "pipe"] });
    for (const pipe of [turn.process.stdout, turn.process.stderr]) {
      pipe.setEncoding("utf8").on("data", (text) => (turn.output += text));
    }
    turn.process.on("exit", (code, signal) => (turn.ended = { code, signal }));
    const isThere = [/auth thread/, /UDP listener opened/];
    const listens = () => isThere.every((words) => words.test(turn.output));
    await until("coturn listens", () => listens() || turn.ended, { shown: () => turn.output });
    if (turn.ended) throw new Error(`coturn ended: ${turn.output}`);
    return turn;
  }

  async stop() {
    if (!this.ended) {
      this.process.kill("SIGKILL");
      await until("coturn ends", () => this.ended);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
