// Lost connections: a tab that dies, a network that breaks for a moment or for too long, a page
// that is loaded again, a second tab of the same user.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { CuttableProxy } from "./harness/proxy.mjs";
import { stalled_ms } from "./harness/machine.mjs";
import { Server } from "./harness/server.mjs";
import { never } from "./harness/until.mjs";

const timeout_ms = 3_000;

describe("with a heartbeat time of three seconds", () => {
  let browser, server, proxy;
  let rooms = 0;

  before(async () => {
    const starting = Server.start({ more: `[rooms]\nheartbeat_timeout_s = ${timeout_ms / 1000}` });
    [browser, server] = await Promise.all([launchBrowser(), starting]);
    proxy = await CuttableProxy.before(server.port);
  });
  after(async () => {
    await browser?.close();
    await proxy?.close();
    await server?.stop();
  });

  /**
   * In a room of their own: `a`, who publishes over a network that can be cut, and `b`, who
   * watches.
   */
  async function two() {
    rooms += 1;
    const roomID = `room-${rooms}`;
    const a = await User.open(browser, server, {
      userID: `a${rooms}`,
      roomID,
      signalUrl: server.signalUrl(proxy.port),
    });
    const b = await User.open(browser, server, { userID: `b${rooms}`, roomID });
    const streamID = `stream-${rooms}`;
    assert.deepEqual(await a.login(), { ok: true });
    assert.deepEqual(await b.login(), { ok: true });
    await a.publish(streamID);
    await b.hearsStream("ADD", streamID);
    return { a, b, streamID };
  }
  const isOf =
    (userID, type) =>
    ([, updateType, users]) =>
      updateType === type && users.some((user) => user.userID === userID);

  test("a tab that dies is gone for the others after the heartbeat time, not before", async () => {
    const { a, b, streamID } = await two();
    const since = await b.mark();
    const [killedAt_ms, stalledBefore_ms] = [performance.now(), stalled_ms()];
    await a.kill();
    assert.deepEqual(await b.hearsStream("DELETE", streamID, { since }), [{ streamID, code: 2 }]);
    const after_ms = performance.now() - killedAt_ms;
    const stalledFor_ms = stalled_ms() - stalledBefore_ms;
    assert.ok(after_ms > timeout_ms - 1_500, `gone after ${after_ms} ms`);
    assert.ok(after_ms < timeout_ms + 3_000 + stalledFor_ms, `gone after ${after_ms} ms`);
    await b.heard("roomUserUpdate", isOf(a.userID, "DELETE"), { since });
    await b.kill();
  });

  test("who comes back inside the heartbeat time was never seen to leave, and media goes on", async () => {
    const { a, b, streamID } = await two();
    await b.play(streamID);
    await b.seesAndHears(streamID);
    const since = await b.mark();
    proxy.cut();
    await a.hearsRoomState("RECONNECTING");
    assert.deepEqual(await a.hearsRoomState("RECONNECTED"), { errorCode: 0, extendedData: "" });
    await b.neverHears("roomStreamUpdate", () => true, { since, for_ms: timeout_ms + 500 });
    assert.deepEqual(await b.events("roomUserUpdate", { since }), []);
    await b.seesAndHears(streamID);
    // What happened meanwhile is not lost either: a notice after the break still arrives.
    await b.publish(`${streamID}-of-b`);
    await a.hearsStream("ADD", `${streamID}-of-b`);
    await Promise.all([a.kill(), b.kill()]);
  });

  test("what was missed while the network was broken is told after it", async () => {
    const { a, b, streamID } = await two();
    proxy.cut({ refuseNew: true });
    await a.hearsRoomState("RECONNECTING");
    await b.publish(`${streamID}-of-b`);
    await b.call("stopPublishingStream", `${streamID}-of-b`);
    proxy.mend();
    await a.hearsRoomState("RECONNECTED");
    await a.hearsStream("ADD", `${streamID}-of-b`);
    assert.deepEqual(await a.hearsStream("DELETE", `${streamID}-of-b`), [
      { streamID: `${streamID}-of-b`, code: 1 },
    ]);
    await Promise.all([a.kill(), b.kill()]);
  });

  test("who stays away for longer is gone, and then logs in and publishes anew by itself", async () => {
    const { a, b, streamID } = await two();
    const since = await b.mark();
    proxy.cut({ refuseNew: true });
    assert.deepEqual(await b.hearsStream("DELETE", streamID, { since }), [{ streamID, code: 2 }]);
    const afterGone = await b.mark();
    proxy.mend();
    await a.hearsRoomState("RECONNECTED");
    await b.heard("roomUserUpdate", isOf(a.userID, "ADD"), { since: afterGone });
    await b.hearsStream("ADD", streamID, { since: afterGone });
    assert.deepEqual(await b.play(streamID), {});
    await b.seesAndHears(streamID);
    await Promise.all([a.kill(), b.kill()]);
  });

  test("a tab that dies and comes back: the stream goes with code 3, the user stays", async () => {
    const { a, b, streamID } = await two();
    const since = await b.mark();
    await a.kill();
    const again = await User.open(browser, server, { userID: a.userID, roomID: a.roomID });
    assert.deepEqual(await again.login(), { ok: true });
    assert.deepEqual(await b.hearsStream("DELETE", streamID, { since }), [{ streamID, code: 3 }]);
    await again.publish(streamID);
    await b.hearsStream("ADD", streamID, { since });
    const updates = (await b.events("roomStreamUpdate", { since })).map(([, type]) => type);
    assert.deepEqual(updates, ["DELETE", "ADD"]);
    assert.deepEqual(await b.events("roomUserUpdate", { since }), []);
    await Promise.all([again.kill(), b.kill()]);
  });

  test("a page that is loaded again: the stream goes with code 3 and comes once, the user stays", async () => {
    const { a, b, streamID } = await two();
    const since = await b.mark();
    await a.load();
    assert.deepEqual(await a.login(), { ok: true });
    // A browser that leaves a page closes its media first: the server waits for the reason.
    assert.deepEqual(await b.hearsStream("DELETE", streamID, { since }), [{ streamID, code: 3 }]);
    await a.publish(streamID);
    await b.hearsStream("ADD", streamID, { since });
    const updates = (await b.events("roomStreamUpdate", { since })).map(([, type]) => type);
    assert.deepEqual(updates, ["DELETE", "ADD"]);
    assert.deepEqual(await b.events("roomUserUpdate", { since }), []);
    await Promise.all([a.kill(), b.kill()]);
  });

  /** Ends the media of `user` as a leaving browser does, without its SDK. */
  const endMedia = (user) => user.page.evaluate(() => window.peers.at(-1).close());

  test("media that ends and comes back inside the grace was never away", async () => {
    const { a, b, streamID } = await two();
    await b.play(streamID);
    await b.seesAndHears(streamID);
    const since = await b.mark();
    await endMedia(a);
    await b.heard("playerStateUpdate", ([is]) => is.state === "PLAY_REQUESTING", { since });
    await a.page.evaluate(() => {
      const peer = window.peers.at(-1);
      Object.defineProperty(peer, "connectionState", { value: "failed" });
      peer.onconnectionstatechange();
    });
    await b.heard("playerStateUpdate", ([is]) => is.state === "PLAYING", { since });
    await b.page.evaluate(
      (streamID) => window.test.views[streamID].play(document.getElementById("views")),
      streamID,
    );
    await b.seesAndHears(streamID);
    assert.deepEqual(await b.events("roomStreamUpdate", { since }), []);
    await Promise.all([a.kill(), b.kill()]);
  });

  test("media that ends and does not come back is a loss after the grace, and the SDK mends it", async () => {
    const { a, b, streamID } = await two();
    const since = await b.mark();
    const endedAt_ms = performance.now();
    await endMedia(a);
    const gone = b.hearsStream("DELETE", streamID, { since, within_ms: 9_000 });
    assert.deepEqual(await gone, [{ streamID, code: 5 }]);
    const after_ms = performance.now() - endedAt_ms;
    assert.ok(after_ms > 4_500, `gone after ${after_ms} ms`);
    await b.hearsStream("ADD", streamID, { since });
    await Promise.all([a.kill(), b.kill()]);
  });

  test("a second login of the same user throws the first one out, which does not come back", async () => {
    const { a, b } = await two();
    const again = await User.open(browser, server, { userID: a.userID, roomID: a.roomID });
    assert.deepEqual(await again.login(), { ok: true });
    assert.equal((await a.hearsRoomState("KICKOUT")).errorCode, 1002050);
    const [published] = await a.heard("publisherStateUpdate", ([is]) => is.state === "NO_PUBLISH");
    assert.equal(published.errorCode, 1002050);
    const since = await again.mark();
    const isOut = async () => (await again.events("roomStateChanged", { since })).length > 0;
    await never("the second login is disturbed", isOut, 1_000);
    await Promise.all([a.kill(), b.kill(), again.kill()]);
  });
});
