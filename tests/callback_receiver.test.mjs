// The guide's receivers take what the server sends and nothing else, and the guide shows them as
// they are.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash, createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { get } from "./harness/backend.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { binary, Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const guides = fileURLToPath(new URL("../docs/guides/", import.meta.url));
const receivers = [
  { file: "receiver.mjs", language: "js", program: process.execPath },
  { file: "receiver.py", language: "python", program: "python3" },
];

const callbackSecret = "the-callback-secret-of-the-tests";
const adminToken = "the-admin-token-of-the-tests";
const bodyBytesMax = 64 * 1024;

/** A receiver under way. */
class Receiver {
  /** What it has printed, a parsed line each. */
  printed = [];
  /** What it has said beside. */
  said = "";
  /** `{ code, signal }` once it has ended. */
  ended = undefined;

  static async start({ program, file }) {
    const receiver = new Receiver();
    const env = { ...process.env, PORT: "0", ODEUM_CALLBACK_SECRET: callbackSecret };
    const child = spawn(program, [`${guides}callbacks/${file}`], { env });
    receiver.process = child;
    child.on("exit", (code, signal) => (receiver.ended = { code, signal }));
    child.stderr.setEncoding("utf8").on("data", (text) => (receiver.said += text));
    let line = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (line + text).split("\n");
      line = lines.pop();
      receiver.printed.push(...lines.map((each) => JSON.parse(each)));
    });
    const listening = /^listening on (\S+)$/m;
    const shown = () => receiver.said;
    await until(`${file} listens`, () => listening.test(receiver.said) || receiver.ended, {
      shown,
    });
    assert.equal(receiver.ended, undefined, receiver.said);
    receiver.url = `http://${listening.exec(receiver.said)[1]}/`;
    return receiver;
  }

  /** Sends it something; returns the status. */
  async post({ headers, body }) {
    const answer = await fetch(this.url, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** Waits until it has printed the callback of this id, and returns all that it has by then. */
  async prints(webhook_id, { since = 0 } = {}) {
    const isThere = () => this.printed.some((line) => line.webhook_id === webhook_id);
    await until(`${webhook_id} is printed`, isThere, { shown: () => this.printed });
    return this.printed.slice(since);
  }

  stop() {
    this.process.kill("SIGTERM");
    return until("the receiver ends", () => this.ended);
  }
}

const now_s = () => Math.floor(Date.now() / 1000);

/** The signature in a body, by the contract. */
function bodySignature(secret, time_s, nonce) {
  return createHash("sha1")
    .update([secret, String(time_s), nonce].sort().join(""))
    .digest("hex");
}

/** The headers of a body, by Standard Webhooks. */
function headersOf(body, { id, time_s = now_s(), secret = callbackSecret }) {
  const hmac = createHmac("sha256", secret).update(`${id}.${time_s}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(time_s),
    "webhook-signature": `v1,${hmac}`,
  };
}

/** A callback in good order but for what is said; `more` are fields of its body. */
function callback({ id = randomUUID(), time_s = now_s(), bodySecret = callbackSecret, more } = {}) {
  const nonce = "350176";
  const signature = bodySignature(bodySecret, time_s, nonce);
  const event = { event: "room_close", room_id: "signed", ...more };
  const body = JSON.stringify({ timestamp: time_s, nonce, signature, ...event });
  return { id, body, headers: headersOf(body, { id, time_s }) };
}

/** The admin API's rows of a room. */
async function rows(server, roomID) {
  const url = `${server.adminOrigin}/admin/callbacks?room_id=${roomID}`;
  const { status, text } = await get(url, { Authorization: `Bearer ${adminToken}` });
  assert.equal(status, 200, text);
  return JSON.parse(text).callbacks;
}

/** A server whose callbacks go to `url`. */
function startServer(url) {
  const app = `callback_secret = "${callbackSecret}"\ncallback_url = "${url}"`;
  return Server.start({ app, more: `token = "${adminToken}"` });
}

/** Runs the server's command line to its end. */
function odeum(args, { env, input } = {}) {
  return spawnSync(binary(), args, { env: { ...process.env, ...env }, input, encoding: "utf8" });
}

/** What `odeum verify-callback` finds. */
function verify({ headers, body }) {
  const given = ["id", "timestamp", "signature"].flatMap((name) => [
    `--webhook-${name}`,
    headers[`webhook-${name}`],
  ]);
  const env = { ODEUM_CALLBACK_SECRET: callbackSecret };
  return odeum(["verify-callback", ...given], { env, input: body });
}

describe("the guide", () => {
  const guide = readFileSync(`${guides}callbacks.md`, "utf8");
  for (const { file, language } of receivers) {
    test(`shows ${file} as it is`, () => {
      const text = readFileSync(`${guides}callbacks/${file}`, "utf8");
      const blocks = [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))];
      assert.ok(blocks.length > 0, `a block of ${language}`);
      for (const [, block] of blocks) assert.ok(text.includes(block), `not in ${file}:\n${block}`);
      assert.ok(guide.includes(`](callbacks/${file})`), `a link to ${file}`);
    });
  }
});

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

test("odeum verify-callback takes a callback as it comes, and not with a byte more", async () => {
  const arrived = [];
  const listener = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    arrived.push({ headers: request.headers, body: Buffer.concat(chunks) });
    response.end();
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const server = await startServer(`http://127.0.0.1:${listener.address().port}/`);
  try {
    const user = await User.open(browser, server, { userID: "u" });
    assert.deepEqual(await user.login(), { ok: true });
    await until("room_create and room_login arrive", () => arrived.length === 2);
    for (const one of arrived) {
      assert.equal(one.headers["content-type"], "application/json");
      const good = verify(one);
      assert.equal(good.status, 0, good.stdout + good.stderr);
      const bad = verify({ ...one, body: Buffer.concat([one.body, Buffer.from(" ")]) });
      assert.equal(bad.status, 1, bad.stdout + bad.stderr);
    }
  } finally {
    await server.stop();
    listener.close();
  }
});

for (const each of receivers) {
  describe(each.file, () => {
    let receiver, server;

    before(async () => {
      receiver = await Receiver.start(each);
      server = await startServer(receiver.url);
    });
    after(async () => {
      await server?.stop();
      await receiver?.stop();
    });

    test("prints what happens in a room, in order, each once", async () => {
      const user = await User.open(browser, server, { userID: "u", roomID: "lobby" });
      assert.deepEqual(await user.login(), { ok: true });
      await user.publish("camera");
      await user.call("logoutRoom");
      await until("the room's end is printed", () => receiver.printed.length === 6, {
        shown: () => [receiver.printed, receiver.said],
      });
      const events = receiver.printed.map(({ event, room_id, late }) => ({ event, room_id, late }));
      assert.deepEqual(
        events,
        [
          "room_create",
          "room_login",
          "stream_create",
          "stream_close",
          "room_logout",
          "room_close",
        ].map((event) => ({ event, room_id: "lobby", late: false })),
      );
      const sent = (await rows(server, "lobby")).map((row) => row.webhook_id).reverse();
      assert.deepEqual(
        receiver.printed.map((line) => line.webhook_id),
        sent,
      );
    });

    test("takes what is replayed and does not print it again", async () => {
      const since = receiver.printed.length;
      const env = { ODEUM_ADMIN: server.adminOrigin, ODEUM_ADMIN_TOKEN: adminToken };
      const replayed = odeum(["callbacks", "replay", "--room", "lobby"], { env });
      assert.match(replayed.stdout, /^6 callbacks/, replayed.stderr);
      const isTaken = (row) => row.replays === 1 && row.state === "delivered";
      const areTaken = async () => (await rows(server, "lobby")).every(isTaken);
      const shown = () => rows(server, "lobby");
      await until("all are delivered again", areTaken, { shown });
      const next = callback();
      assert.equal(await receiver.post(next), 200);
      assert.equal((await receiver.prints(next.id, { since })).length, 1);
    });

    test("takes one that is late or four minutes old, and says whether it is late", async () => {
      const since = receiver.printed.length;
      const late = callback();
      late.headers["odeum-late"] = "1";
      const old = callback({ time_s: now_s() - 240 });
      const field = { event: "room_close", room_id: "signed" };
      assert.equal(verify(old).status, 0, "the test signs as the server does");
      for (const one of [late, old]) assert.equal(await receiver.post(one), 200);
      assert.deepEqual(await receiver.prints(old.id, { since }), [
        { ...field, webhook_id: late.id, late: true },
        { ...field, webhook_id: old.id, late: false },
      ]);
    });

    test("takes the right signature among several", async () => {
      const one = callback();
      one.headers["webhook-signature"] = `v1,AAAA v2,what ${one.headers["webhook-signature"]}`;
      assert.equal(await receiver.post(one), 200);
      await receiver.prints(one.id);
    });

    test("answers a callback that comes twice with 200 and prints it once", async () => {
      const since = receiver.printed.length;
      const [one, next] = [callback(), callback()];
      for (const each of [one, one, next]) assert.equal(await receiver.post(each), 200);
      const printed = await receiver.prints(next.id, { since });
      assert.deepEqual(
        printed.map((line) => line.webhook_id),
        [one.id, next.id],
      );
    });

    const without = (name) => {
      const one = callback();
      delete one.headers[name];
      return one;
    };
    const rightHeadersOf = (body) => ({ body, headers: headersOf(body, { id: randomUUID() }) });
    const refused = [
      [
        "a body with a byte changed",
        () => {
          const one = callback();
          return { ...one, body: one.body.replace("signed", "sighed") };
        },
      ],
      [
        "a wrong signature in the body under a right one in the headers",
        () => callback({ bodySecret: "another-secret" }),
      ],
      [
        "a wrong signature in the headers over a right one in the body",
        () => {
          const { body } = callback();
          return { body, headers: headersOf(body, { id: "x", secret: "another-secret" }) };
        },
      ],
      [
        "another id under the same signature",
        () => {
          const one = callback();
          return { ...one, headers: { ...one.headers, "webhook-id": "another" } };
        },
      ],
      ["a time six minutes ago", () => callback({ time_s: now_s() - 360 })],
      ["a time six minutes ahead", () => callback({ time_s: now_s() + 360 })],
      ["a time that is no number", () => callback({ time_s: "soon" })],
      ["no webhook-id", () => without("webhook-id")],
      ["no webhook-timestamp", () => without("webhook-timestamp")],
      ["no webhook-signature", () => without("webhook-signature")],
      ["a signed body that is no JSON", () => rightHeadersOf("{")],
      ["a signed body that is no object", () => rightHeadersOf("[]")],
      ["a signed body without a signature of its own", () => rightHeadersOf("{}")],
      ["nothing at all", () => ({ headers: {}, body: "" })],
      [
        "a body over 64 KiB",
        () => {
          const length = callback({ more: { padding: "" } }).body.length;
          return callback({ more: { padding: "x".repeat(bodyBytesMax + 1 - length) } });
        },
        413,
      ],
    ];
    for (const [what, make, status = 401] of refused) {
      test(`refuses ${what}`, async () => {
        const since = receiver.printed.length;
        assert.equal(await receiver.post(make()), status);
        const next = callback();
        assert.equal(await receiver.post(next), 200);
        assert.equal((await receiver.prints(next.id, { since })).length, 1);
      });
    }

    test("takes a body of 64 KiB", async () => {
      const length = callback({ more: { padding: "" } }).body.length;
      const one = callback({ more: { padding: "x".repeat(bodyBytesMax - length) } });
      assert.equal(one.body.length, bodyBytesMax);
      assert.equal(await receiver.post(one), 200);
      await receiver.prints(one.id);
    });

    test("does not start without a secret", () => {
      const env = { ...process.env, PORT: "0", ODEUM_CALLBACK_SECRET: "" };
      const file = `${guides}callbacks/${each.file}`;
      const { status, stderr } = spawnSync(each.program, [file], { env, encoding: "utf8" });
      assert.equal(status, 2, stderr);
      assert.match(stderr, /ODEUM_CALLBACK_SECRET/);
    });
  });
}
