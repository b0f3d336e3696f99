// The built server in a folder of its own on free ports, with everything that it says.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Backend } from "./backend.mjs";
import { makeToken } from "./token.mjs";
import { until } from "./until.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The app of the tests. */
export const appID = 1234567890;
/** Its secret: 32 characters. */
export const secret = "0123456789abcdef0123456789abcdef";

/** The binary: ODEUM_BINARY, else the release build, else the debug build. */
export function binary() {
  const built = ["release", "debug"].map((profile) => join(root, "target", profile, "odeum"));
  const found = [process.env.ODEUM_BINARY, ...built].find((path) => path && existsSync(path));
  if (!found) throw new Error("no built server: run `make build`, or set ODEUM_BINARY");
  return found;
}

/** Makes a certificate for this machine that nobody signed; `name` tells two of them apart. */
export function makeCertificate(folder, name = "odeum test") {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  execFileSync(
    "openssl",
    [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7".split(" "),
      ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
      ...["-keyout", key, "-out", cert],
    ],
    { stdio: "pipe" },
  );
  return { cert, key };
}

/**
 * The text of a configuration: free ports, one app. `app`, `media` and `more` are lines of TOML,
 * `ip` is where HTTP listens, `mediaIp` where media does.
 */
export function configText(options) {
  const { folder, tls, app = "", media = "", mediaIp = "127.0.0.1", more = "" } = options;
  const { ip = "127.0.0.1" } = options;
  return [
    `listen = "${ip}:0"`,
    `data_dir = ${JSON.stringify(join(folder, "data"))}`,
    tls ? `[tls]\ncert = ${JSON.stringify(tls.cert)}\nkey = ${JSON.stringify(tls.key)}` : "",
    `[media]\nlisten = "${mediaIp}:0"\n${media}`,
    '[admin]\nlisten = "127.0.0.1:0"',
    more,
    `[[apps]]\napp_id = ${appID}\nserver_secret = "${secret}"\nenvironment = "any"`,
    app,
  ].join("\n");
}

/** A running server. */
export class Server {
  /** Everything that it wrote. */
  output = "";
  /** `{ code, signal }` once it has ended. */
  ended = undefined;

  constructor(folder, args, { isSecure = false, ip = "127.0.0.1", namespace } = {}) {
    this.folder = folder;
    this.isSecure = isSecure;
    this.ip = ip;
    this.startedAt_ms = performance.now();
    const [program, ...values] = namespace?.command(binary(), ...args) ?? [binary(), ...args];
    this.process = spawn(program, values, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const pipe of [this.process.stdout, this.process.stderr]) {
      pipe.setEncoding("utf8").on("data", (text) => (this.output += text));
    }
    this.process.on("exit", (code, signal) => (this.ended = { code, signal }));
  }

  /**
   * Starts one and waits until it listens. `secure`: https and wss. `namespace`: the network that
   * it is in, where not this process's.
   */
  static async start({ secure: isSecure = false, namespace, ...options } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "odeum-test-"));
    const tls = isSecure ? makeCertificate(folder) : undefined;
    writeFileSync(join(folder, "odeum.toml"), configText({ folder, tls, ...options }));
    const server = new Server(folder, ["serve", "--config", join(folder, "odeum.toml")], {
      isSecure,
      namespace,
      ip: options.ip,
    });
    return server.ready();
  }

  /** Starts one as somebody who tries it does. */
  static async startDev() {
    const folder = mkdtempSync(join(tmpdir(), "odeum-test-"));
    const free = "127.0.0.1:0";
    const ports = ["--listen", free, "--media-listen", free, "--admin-listen", free];
    return new Server(folder, ["serve", "--dev", ...ports]).ready();
  }

  /** Runs one that is expected to end by itself, on a configuration's text. */
  static async runToEnd(config) {
    const folder = mkdtempSync(join(tmpdir(), "odeum-test-"));
    writeFileSync(join(folder, "odeum.toml"), config(folder));
    const server = new Server(folder, ["serve", "--config", join(folder, "odeum.toml")]);
    try {
      await until("the server ends by itself", () => server.ended, { shown: () => server.output });
      return { ...server.ended, output: server.output };
    } finally {
      await server.stop();
    }
  }

  async ready() {
    const listening = /listening https?=(\S+) media=(\S+) admin=(\S+)/;
    try {
      await until("the server listens", () => listening.test(this.output) || this.ended, {
        shown: () => this.output,
      });
      if (this.ended)
        throw new Error(`the server ended: ${JSON.stringify(this.ended)}\n${this.output}`);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.readyAfter_ms = performance.now() - this.startedAt_ms;
    const [, http, media, admin] = listening.exec(this.output);
    this.port = Number(http.split(":").at(-1));
    this.mediaAddress = media;
    this.adminOrigin = `http://${admin}`;
    return this;
  }

  /** Where pages and the Server API are. */
  get origin() {
    return `${this.isSecure ? "https" : "http"}://${this.ip}:${this.port}`;
  }

  /** The address for the SDK; another port when a proxy stands between. */
  signalUrl(port = this.port) {
    return `${this.isSecure ? "wss" : "ws"}://${this.ip}:${port}/signal`;
  }

  /** Where WHIP takes a stream from who publishes it, or WHEP gives it to who plays it. */
  whipUrl(role, { roomID = "room", streamID }) {
    return `${this.origin}/${role === "publish" ? "whip" : "whep"}/${roomID}/${streamID}`;
  }

  /** The backend of the tests' app. */
  get backend() {
    return new Backend({ origin: this.origin, appID, secret });
  }

  token(userID, options = {}) {
    return makeToken({ appID, secret, userID, ...options });
  }

  /** Ends it, kindly at first, and removes its folder. */
  async stop() {
    if (!this.ended) {
      this.process.kill("SIGTERM");
      await until("the server ends", () => this.ended, { within_ms: 6_000 }).catch(() => {
        this.process.kill("SIGKILL");
      });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
