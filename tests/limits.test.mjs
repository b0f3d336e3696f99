// Rate limits of the Server API as a backend meets them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Backend } from "./harness/backend.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const stream = { RoomId: "nowhere", UserId: "backend", StreamId: "s" };
const testApp = { appID: 4242, secret: "fedcba9876543210fedcba9876543210" };

describe("DeleteStream", () => {
  let server, backend, inTest;

  before(async () => {
    const table = `[[apps]]\napp_id = ${testApp.appID}\nserver_secret = "${testApp.secret}"\nenvironment = "test"`;
    server = await Server.start({ app: table });
    backend = server.backend;
    inTest = new Backend({ origin: server.origin, ...testApp });
  });
  after(() => server?.stop());

  const codesOf = async (from, count) => {
    const codes = [];
    for (let call = 0; call < count; call += 1)
      codes.push((await from.call("DeleteStream", stream)).Code);
    return codes;
  };

  test("ten inside a second are served, the eleventh gets 206", async () => {
    const codes = await until("the calls take less than the second that is counted", async () => {
      const beganAt_ms = performance.now();
      const codes = await codesOf(backend, 11);
      if (performance.now() - beganAt_ms < 1_000) return codes;
      // Those that came too late are forgotten before the next ones.
      await pause(1_000);
    });
    assert.deepEqual(codes, [...Array(10).fill(104), 206]);
  });

  test("refused calls consume nothing: a second later there are ten again", async () => {
    // Asked all the time: if refusals counted, this would never be served.
    await until(
      "a call is served again",
      async () => (await backend.call("DeleteStream", stream)).Code === 104,
      {
        within_ms: 3_000,
      },
    );
    // The ten of the test before began to leave the window within a moment of one another.
    await until(
      "nine more are served",
      async () => {
        const [code] = await codesOf(backend, 1);
        return code === 206;
      },
      { every_ms: 0 },
    );
  });

  test("in the test environment the second one gets 206", async () => {
    assert.deepEqual(await codesOf(inTest, 2), [104, 206]);
    await until("one is served again", async () => (await codesOf(inTest, 1))[0] === 104, {
      within_ms: 3_000,
    });
  });

  test("a call whose authentication failed costs nobody's limit", async () => {
    await until("the window is over", async () => (await codesOf(inTest, 1))[0] === 104, {
      within_ms: 3_000,
    });
    const stranger = new Backend({
      origin: server.origin,
      appID: testApp.appID,
      secret: "0".repeat(32),
    });
    await until(
      "a second has passed, spent on failed calls",
      async () => {
        assert.deepEqual(await codesOf(stranger, 1), [100000005]);
        return (await codesOf(inTest, 1))[0] === 104;
      },
      { within_ms: 3_000 },
    );
  });

  test("another app's limit is not touched", async () => {
    await until("the window is over", async () => (await codesOf(inTest, 1))[0] === 104, {
      within_ms: 3_000,
    });
    assert.deepEqual(await codesOf(inTest, 1), [206]);
    await until("the other app is served", async () => (await codesOf(backend, 1))[0] === 104, {
      within_ms: 3_000,
    });
  });
});
