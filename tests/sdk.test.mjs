// The SDK's other promises in a real browser: options of publishing and playing, muting, older
// forms, what is refused and how.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

describe("the SDK", () => {
  let browser, server, a, b;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    a = await User.open(browser, server, { userID: "a" });
    b = await User.open(browser, server, { userID: "b" });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** What a call in a user's page rejects with. */
  const refusal = (user, method, ...values) =>
    user.page.evaluate(
      ([method, values]) =>
        window.test.engine[method](...values).then(
          () => "nothing",
          (error) => ({ errorCode: error.errorCode, isOurs: error instanceof window.ZegoError }),
        ),
      [method, values],
    );

  test("says what this browser can do", async () => {
    const found = await a.call("checkSystemRequirements");
    assert.deepEqual(
      [found.result, found.webRTC, found.customCapture, found.camera, found.microphone],
      [true, true, true, true, true],
      JSON.stringify(found.errInfo),
    );
    assert.equal(found.videoCodec.VP8, true);
    assert.deepEqual(await a.call("checkSystemRequirements", "camera", 0), {
      errInfo: {},
      camera: true,
      result: true,
    });
    const devices = await a.call("enumDevices");
    assert.ok(devices.cameras.length > 0 && devices.microphones.length > 0);
  });

  test("refuses a login by the contract's codes", async () => {
    const badToken = await a.login({ token: "04nonsense" });
    assert.equal(badToken.errorCode, 1102016);
    const expired = await a.login({ token: server.token("a", { lifetime_s: -60 }) });
    assert.equal(expired.errorCode, 1102018);
    const foreign = await a.login({ token: server.token("somebody") });
    assert.equal(foreign.errorCode, 1102020);
    const states = (await a.events("roomStateChanged")).map(
      ([, reason, errorCode]) => `${reason} ${errorCode}`,
    );
    assert.deepEqual(states.slice(-2), ["LOGINING 0", "LOGIN_FAILED 1102020"]);
    const older = (await a.events("roomStateUpdate")).map(([, state]) => state);
    assert.deepEqual(older.slice(-2), ["CONNECTING", "DISCONNECTED"]);
    assert.deepEqual(await refusal(a, "startPlayingStream", "s"), {
      errorCode: 1002002,
      isOurs: true,
    });
  });

  test("logs in once at a time", async () => {
    assert.deepEqual(await a.login(), { ok: true });
    assert.deepEqual(await b.login({ userUpdate: false }), { ok: true });
    assert.equal((await a.login()).errorCode, 1002056);
    assert.deepEqual(await refusal(a, "loginRoom", "other", server.token("a"), { userID: "a" }), {
      errorCode: 1002001,
      isOurs: true,
    });
    assert.deepEqual(await b.events("roomUserUpdate"), [], "b did not ask for users");
  });

  test("a stream that nobody publishes cannot be played", async () => {
    assert.equal((await a.play("nobody")).errorCode, 1004002);
    const [state] = await a.heard("playerStateUpdate", ([is]) => is.state === "NO_PLAY");
    assert.equal(state.errorCode, 1004002);
  });

  test("a second publisher of an id is refused, and a token without the right to publish as well", async () => {
    await a.publish("taken");
    const begin = (user) =>
      user.page.evaluate(async () => {
        window.test.local ??= await window.test.engine.createZegoStream();
        return window.test.engine.startPublishingStream("taken", window.test.local);
      });
    assert.equal(await begin(b), true);
    const [taken] = await b.heard("publisherStateUpdate", ([is]) => is.state === "NO_PUBLISH");
    assert.equal(taken.errorCode, 1003028);
    assert.equal(await begin(a), false, "a publishes it already");

    const payload = JSON.stringify({
      room_id: "room",
      privilege: { 1: 1, 2: 0 },
      stream_id_list: null,
    });
    const c = await User.open(browser, server, { userID: "c" });
    assert.deepEqual(await c.login({ token: server.token("c", { payload }) }), { ok: true });
    await begin(c);
    const [refused] = await c.heard("publisherStateUpdate", ([is]) => is.state === "NO_PUBLISH");
    assert.equal(refused.errorCode, 1103019);
    // A renewed token gives the right.
    assert.equal(await c.call("renewToken", server.token("c")), true);
    assert.equal(await c.call("renewToken", "nonsense"), false);
    await c.publish("of-c");
    await c.kill();
  });

  test("H.264 is sent when it is asked for", async () => {
    const { videoCodec } = await a.call("checkSystemRequirements", "videoCodec");
    if (!videoCodec.H264) return;
    await a.publish("h264", { videoCodec: "H264" });
    await b.hearsStream("ADD", "h264");
    assert.deepEqual(await b.play("h264"), {});
    await b.seesAndHears("h264");
    const isIt = ([streamID, { video }]) => streamID === "h264" && video.googCodecName === "H264";
    await b.heard("playQualityUpdate", isIt);
    await a.call("stopPublishingStream", "h264");
    assert.deepEqual(await b.hearsStream("DELETE", "h264"), [{ streamID: "h264", code: 1 }]);
    await b.heard("playerStateUpdate", ([is]) => is.streamID === "h264" && is.state === "NO_PLAY");
  });

  test("only the sound is played when the picture is not wanted", async () => {
    const kinds = await b.page.evaluate(async () => {
      const media = await window.test.engine.startPlayingStream("taken", { video: false });
      window.test.media.taken = media;
      return media.getTracks().map((track) => track.kind);
    });
    assert.deepEqual(kinds, ["audio"]);
    await until("bytes arrive", async () => (await b.received("taken")).bytes > 0);
    assert.equal((await b.received("taken")).framesDecoded, 0);
    await b.call("stopPlayingStream", "taken");
  });

  test("a muted publication sends silence and blackness, and goes on after it", async () => {
    assert.deepEqual(await b.play("taken"), {});
    await b.seesAndHears("taken");
    const mute = (isMuted) =>
      a.page.evaluate(
        (isMuted) => window.test.engine.mutePublishStreamAudio(window.test.local, isMuted),
        isMuted,
      );
    assert.equal(await mute(true), true);
    await until("silence", async () => {
      const before = await b.received("taken");
      await until(
        "more frames",
        async () => (await b.received("taken")).framesDecoded > before.framesDecoded + 20,
      );
      return (await b.received("taken")).audioEnergy - before.audioEnergy < 1e-6;
    });
    assert.equal(await mute(false), true);
    await b.seesAndHears("taken");
  });

  test("a muted play lets nothing through", async () => {
    assert.equal(await b.call("mutePlayStreamVideo", "taken", true), true);
    assert.equal(await b.call("mutePlayStreamAudio", "taken", true), true);
    const enabled = () =>
      b.page.evaluate(() => window.test.media.taken.getTracks().map((track) => track.enabled));
    assert.deepEqual(await enabled(), [false, false]);
    await b.call("mutePlayStreamVideo", "taken", false);
    await b.call("mutePlayStreamAudio", "taken", false);
    assert.deepEqual(await enabled(), [true, true]);
    assert.equal(await b.call("mutePlayStreamVideo", "unknown", true), false);
  });

  test("a view shows the picture, gives a snapshot and goes away", async () => {
    const shown = () => b.page.evaluate(() => window.test.views.taken.getVideoWidth());
    await until("a picture", shown);
    const snapshot = await b.page.evaluate(() => window.test.views.taken.takeStreamSnapshot());
    assert.match(snapshot, /^data:image\/png;base64,/);
    const count = () => b.page.evaluate(() => document.querySelectorAll("#views video").length);
    const before = await count();
    await b.page.evaluate(() => window.test.views.taken.stop());
    assert.equal(await count(), before - 1);
  });

  test("a media connection that breaks is set up again, for publisher and player", async () => {
    const since = await Promise.all([a.mark(), b.mark()]);
    // As if the network had changed under it: the browser's own end is gone, nobody was told.
    await a.page.evaluate(() => {
      const peer = window.peers.findLast((each) => each.connectionState === "connected");
      // An ICE restart cannot help any more.
      peer.close();
      Object.defineProperty(peer, "connectionState", { value: "failed" });
      peer.onconnectionstatechange();
    });
    const isRetry = ([is]) => is.state === "PUBLISH_REQUESTING" && is.errorCode !== 0;
    await a.heard("publisherStateUpdate", isRetry, { since: since[0] });
    await a.heard("publisherStateUpdate", ([is]) => is.state === "PUBLISHING", { since: since[0] });
    await b.heard("playerStateUpdate", ([is]) => is.state === "PLAY_REQUESTING", {
      since: since[1],
    });
    await b.heard("playerStateUpdate", ([is]) => is.state === "PLAYING", { since: since[1] });
    await b.page.evaluate(() => window.test.views.taken.play(document.getElementById("views")));
    await b.seesAndHears("taken");
    assert.deepEqual(
      await b.events("roomStreamUpdate", { since: since[1] }),
      [],
      "the stream was never away",
    );
  });

  test("the older createStream gives a MediaStream that can be published and ends with destroyStream", async () => {
    const states = await a.page.evaluate(async () => {
      const media = await window.test.engine.createStream({
        camera: { videoQuality: 1, audio: false },
      });
      const isBegun = window.test.engine.startPublishingStream("older", media);
      window.test.older = media;
      return [media instanceof MediaStream, media.getVideoTracks()[0].getSettings().width, isBegun];
    });
    assert.deepEqual(states, [true, 320, true]);
    await b.hearsStream("ADD", "older");
    const kinds = await b.page.evaluate(async () => {
      const media = await window.test.engine.startPlayingStream("older");
      return media.getTracks().map((track) => track.kind);
    });
    assert.deepEqual(kinds, ["video"]);
    const after = await a.page.evaluate(() => {
      const [track] = window.test.older.getTracks();
      window.test.engine.stopPublishingStream("older");
      window.test.engine.destroyStream(window.test.older);
      return track.readyState;
    });
    assert.equal(after, "ended");
    assert.deepEqual(await b.hearsStream("DELETE", "older"), [{ streamID: "older", code: 1 }]);
  });

  test("a logout ends everything, and the others see it as such", async () => {
    const since = await Promise.all([a.mark(), b.mark()]);
    await a.call("logoutRoom");
    const isEnd = ([is]) => is.streamID === "taken" && is.state === "NO_PUBLISH";
    const [published] = await a.heard("publisherStateUpdate", isEnd, { since: since[0] });
    assert.equal(published.errorCode, 0);
    assert.deepEqual(await b.hearsStream("DELETE", "taken", { since: since[1] }), [
      { streamID: "taken", code: 1 },
    ]);
    const isOver = ([is]) => is.streamID === "taken" && is.state === "NO_PLAY";
    await b.heard("playerStateUpdate", isOver, { since: since[1] });
  });

  test("a token near its end is announced", async () => {
    assert.deepEqual(await a.login({ token: server.token("a", { lifetime_s: 31 }) }), { ok: true });
    await a.heard("tokenWillExpire", ([roomID]) => roomID === "room");
  });
});
