// A room over two media workers: who plays on another worker than the publisher's sees and hears
// the same, and every end reaches both.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, openUsers } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

describe("a room over two media workers", () => {
  let browser, server, a, b, c;

  before(async () => {
    // One transport fills a worker, so that the second user's go to the other one.
    const media = "workers = 2\nroom_peers_per_worker = 1";
    [browser, server] = await Promise.all([launchBrowser(), Server.start({ media })]);
    [a, b, c] = await openUsers(browser, server, ["a", "b", "c"]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A figure of both workers, the one with less of it first. */
  async function figures(name) {
    const text = await (await fetch(`${server.adminOrigin}/metrics`)).text();
    const found = [...text.matchAll(new RegExp(`^${name}{worker="\\d"} (\\d+)$`, "gm"))];
    return found.map(([, value]) => Number(value)).sort((one, other) => one - other);
  }

  const holdPeers = (expected) =>
    until(
      `the workers have ${expected} peers`,
      async () => String(await figures("odeum_media_peers")) === String(expected),
      { shown: () => figures("odeum_media_peers") },
    );

  test("a player on the other worker sees and hears the publisher", async () => {
    await a.publish("stream-a");
    await b.hearsStream("ADD", "stream-a");
    assert.deepEqual(await b.play("stream-a"), {});
    await b.seesAndHears("stream-a", { within_ms: 3_000 });
    // The publisher on one; its mirror and the player on the other.
    await holdPeers([1, 2]);
    const [none, relayed] = await figures("odeum_relay_packets_total");
    assert.ok(none === 0 && relayed > 10, `${none} ${relayed}`);
  });

  test("what a player on the other worker publishes is seen here", async () => {
    await b.publish("stream-b");
    await a.hearsStream("ADD", "stream-b");
    assert.deepEqual(await a.play("stream-b"), {});
    await a.seesAndHears("stream-b", { within_ms: 3_000 });
    const relayed = await figures("odeum_relay_packets_total");
    assert.ok(relayed[0] > 10, `packets cross both ways: ${relayed}`);
  });

  test("a player that comes late has both pictures soon", async () => {
    // One of them comes over a mirror: for that one, the key frame is asked for over there.
    assert.deepEqual(await c.play("stream-a"), {});
    assert.deepEqual(await c.play("stream-b"), {});
    await c.seesAndHears("stream-a", { within_ms: 3_000 });
    await c.seesAndHears("stream-b", { within_ms: 3_000 });
  });

  test("DeleteStream ends the stream on both workers", async () => {
    await b.holdPeers();
    const done = await server.backend.call("DeleteStream", {
      RoomId: "room",
      UserId: "backend",
      StreamId: "stream-a",
    });
    assert.equal(done.Code, 0);
    await b.hearsStream("DELETE", "stream-a");
    await c.hearsStream("DELETE", "stream-a");
    const { bytes } = await b.received("stream-a");
    await a.seesAndHears("stream-b");
    await a.seesAndHears("stream-b");
    assert.equal((await b.received("stream-a")).bytes, bytes);
  });

  test("a mirror that nobody watches any more ends", async () => {
    await a.call("stopPlayingStream", "stream-b");
    await c.call("stopPlayingStream", "stream-b");
    // b's publication is all that is left.
    await holdPeers([0, 1]);
    const [least] = await figures("odeum_media_restarts_total");
    assert.equal(least, 0);
  });
});
