// The server's life: what it refuses to start with, what it reads again, and how it ends.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Backend, get } from "./harness/backend.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { appID, configText, makeCertificate, secret, Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

describe("a configuration that cannot be used", () => {
  const change = (from, to) => (folder) => {
    const text = configText({ folder });
    assert.ok(text.includes(from), `the configuration has ${from}`);
    return text.replace(from, to);
  };
  const cases = [
    ["an unknown key", change("listen =", "lissten ="), /unknown key `lissten`.*`listen`/],
    ["a missing secret", change(`server_secret = "${secret}"\n`, ""), /server_secret/],
    ["a short secret", change(secret, "short"), /server_secret/],
    ["no app", (folder) => configText({ folder }).split("[[apps]]")[0], /no app/],
    [
      "plain HTTP on all addresses",
      change('listen = "127.0.0.1:0"', 'listen = "0.0.0.0:0"'),
      /behind_proxy/,
    ],
    [
      "a certificate that is not there",
      (folder) => configText({ folder, tls: { cert: "missing.pem", key: "missing.pem" } }),
      /missing\.pem/,
    ],
    ["what is no TOML", () => "listen = [", /line 1/],
  ];
  for (const [what, config, says] of cases) {
    test(`${what} ends the start with code 2 and says so`, async () => {
      const { code, output } = await Server.runToEnd(config);
      assert.equal(code, 2, output);
      assert.match(output, says);
      assert.ok(!output.includes(secret), "a secret is never shown");
    });
  }

  test("a port that is taken ends the start with code 2 and names it", async () => {
    const other = createServer();
    await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${other.address().port}`;
    try {
      const { code, output } = await Server.runToEnd(change('"127.0.0.1:0"', `"${address}"`));
      assert.equal(code, 2, output);
      assert.ok(output.includes(address), output);
    } finally {
      other.close();
    }
  });
});

describe("a running server", () => {
  let browser, server, user;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start({ secure: true })]);
    user = await User.open(browser, server, { userID: "u" });
    assert.deepEqual(await user.login(), { ok: true });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("is ready soon", () => {
    // The goal is 200 ms for a release build; this is any build on any machine.
    assert.ok(server.readyAfter_ms < 2_000, `ready after ${server.readyAfter_ms} ms`);
  });

  test("says that it is well, and counts on a listener of its own", async () => {
    assert.equal((await get(`${server.origin}/healthz`)).status, 200);
    assert.equal((await get(`${server.adminOrigin}/healthz`)).status, 200);
    const { status, text } = await get(`${server.adminOrigin}/metrics`);
    assert.equal(status, 200);
    assert.match(text, /^# TYPE odeum_/m);
    assert.equal((await get(`${server.origin}/metrics`)).status, 404);
  });

  test("gives the SDK to pages of any origin, and no try-it page outside of --dev", async () => {
    const { status, headers } = await get(`${server.origin}/sdk/odeum.js`, {
      Origin: "https://example.org",
    });
    assert.equal(status, 200);
    assert.equal(headers["access-control-allow-origin"], "*");
    assert.match(headers["content-type"], /^text\/javascript/);
    assert.equal((await get(`${server.origin}/try`)).status, 404);
  });

  test("takes a new secret beside the old one on SIGHUP, rooms untouched", async () => {
    const rotated = "r".repeat(32);
    const tls = { cert: join(server.folder, "cert.pem"), key: join(server.folder, "key.pem") };
    const text = configText({ folder: server.folder, tls });
    const count = async (withSecret) => {
      const backend = new Backend({ origin: server.origin, appID, secret: withSecret });
      const reply = await backend.call("DescribeUserNum", { RoomId: ["room"] });
      return reply.Code === 0 ? reply.Data.UserCountList[0].UserCount : reply.Code;
    };
    assert.equal(await count(rotated), 100000005);
    writeFileSync(
      join(server.folder, "odeum.toml"),
      text.replace(`"${secret}"`, `["${rotated}", "${secret}"]`),
    );
    server.process.kill("SIGHUP");
    await until("the new secret is taken", async () => (await count(rotated)) === 1, {
      every_ms: 200,
    });
    assert.equal(await count(secret), 1);
  });

  test("stays as it was when the file is broken", async () => {
    writeFileSync(join(server.folder, "odeum.toml"), "lissten = 1");
    server.process.kill("SIGHUP");
    await until("it says so", () => server.output.includes("lissten"));
    assert.equal((await server.backend.call("DescribeUserNum", { RoomId: ["room"] })).Code, 0);
  });

  test("shows a new certificate after SIGHUP and drops no connection", async () => {
    const since = await user.mark();
    makeCertificate(server.folder, "odeum renewed");
    server.process.kill("SIGHUP");
    const shown = async () => (await get(`${server.origin}/healthz`)).certificate.subject.CN;
    await until("the new certificate", async () => (await shown()) === "odeum renewed");
    assert.deepEqual(await user.events("roomStateChanged", { since }), []);
    assert.equal(
      (await server.backend.call("DescribeUserNum", { RoomId: ["room"] })).Data.UserCountList[0]
        .UserCount,
      1,
    );
  });

  test("tells its clients on SIGTERM and ends well within five seconds", async () => {
    const since = await user.mark();
    const toldToEndAt_ms = performance.now();
    server.process.kill("SIGTERM");
    await user.hearsRoomState("RECONNECTING", { since });
    await until("it ends", () => server.ended, { within_ms: 5_000 });
    assert.deepEqual(server.ended, { code: 0, signal: null });
    assert.ok(performance.now() - toldToEndAt_ms < 5_000);
    assert.ok(!server.output.includes(secret), "a secret is never logged");
  });

  test("finds its clients again when it comes back", async () => {
    const since = await user.mark();
    const tls = { cert: join(server.folder, "cert.pem"), key: join(server.folder, "key.pem") };
    const file = join(server.folder, "odeum.toml");
    writeFileSync(file, configText({ folder: server.folder, tls }));
    const where = `127.0.0.1:${server.port}`;
    server = await new Server(server.folder, ["serve", "--config", file, "--listen", where], {
      isSecure: true,
    }).ready();
    await user.hearsRoomState("RECONNECTED", { since });
    const { Data } = await server.backend.call("DescribeUserNum", { RoomId: ["room"] });
    assert.equal(Data.UserCountList[0].UserCount, 1);
  });
});
