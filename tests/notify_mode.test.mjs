// DeleteStream in an app with delete_stream = "notify": the list forgets the stream, media goes on
// until its publisher stops.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, openUsers } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";

describe("a deleted stream whose media goes on", () => {
  let browser, server, backend, a, b, c;
  const stream = { RoomId: "room", UserId: "backend", StreamId: "s" };

  before(async () => {
    const starting = Server.start({ app: 'delete_stream = "notify"' });
    [browser, server] = await Promise.all([launchBrowser(), starting]);
    backend = server.backend;
    [a, b, c] = await openUsers(browser, server, ["a", "b", "c"]);
    await a.publish("s");
    await c.hearsStream("ADD", "s");
    await c.play("s");
    await c.seesAndHears("s");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("others are told with code 6, the publisher is not", async () => {
    assert.equal((await backend.call("DeleteStream", stream)).Code, 0);
    for (const user of [b, c]) {
      assert.deepEqual(await user.hearsStream("DELETE", "s"), [{ streamID: "s", code: 6 }]);
    }
    await a.neverHears("roomStreamUpdate", ([, type]) => type === "DELETE", { for_ms: 200 });
  });

  test("neither publication nor play ends, and the media goes on", async () => {
    await c.seesAndHears("s");
    await c.seesAndHears("s");
    assert.deepEqual(
      (await c.events("playerStateUpdate")).filter(([is]) => is.state === "NO_PLAY"),
      [],
    );
    assert.deepEqual(
      (await a.events("publisherStateUpdate")).filter(([is]) => is.state === "NO_PUBLISH"),
      [],
    );
  });

  test("the list no longer has it, and a second deletion finds nothing", async () => {
    const { Data } = await backend.call("DescribeSimpleStreamList", { RoomId: "room" });
    assert.deepEqual(Data.StreamList, []);
    assert.equal((await backend.call("DeleteStream", stream)).Code, 138);
  });

  test("it can still be played by who knows its name", async () => {
    assert.deepEqual(await b.play("s"), {});
    await b.seesAndHears("s");
  });

  test("its publisher keeps the name", async () => {
    await b.page.evaluate(async () => {
      window.test.local = await window.test.engine.createZegoStream({
        camera: { video: true, audio: true },
      });
      window.test.engine.startPublishingStream("s", window.test.local);
    });
    const [refused] = await b.heard("publisherStateUpdate", ([is]) => is.state === "NO_PUBLISH");
    assert.equal(refused.errorCode, 1003028);
  });

  test("when the publisher stops, players end and nobody is told a second time", async () => {
    const since = await Promise.all([b.mark(), c.mark()]);
    assert.equal(await a.call("stopPublishingStream", "s"), true);
    for (const [index, user] of [b, c].entries()) {
      await user.heard("playerStateUpdate", ([is]) => is.state === "NO_PLAY", {
        since: since[index],
      });
      await user.neverHears("roomStreamUpdate", () => true, { since: since[index], for_ms: 300 });
    }
  });

  test("a new publication is a new stream", async () => {
    const since = await c.mark();
    await a.publish("s");
    await c.hearsStream("ADD", "s", { since });
    assert.deepEqual(await c.play("s"), {});
    await c.seesAndHears("s");
    assert.equal((await backend.call("DeleteStream", stream)).Code, 0);
  });
});
