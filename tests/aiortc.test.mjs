// An independent WebRTC stack: what aiortc publishes Chromium plays, and the other way round; over
// signalling as over WHIP and WHEP.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { AiortcPeer, AiortcWhipPeer, findPython } from "./harness/aiortc.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";

const skip = findPython() ? false : "no Python with aiortc: scripts/venv.sh aiortc installs one";

/** How long aiortc plays, seconds; and what it has to have decoded by then, much less than all. */
const played = { seconds: 4, framesMin: 20, samplesMin: 48_000, energyMin: 0.01 };

/** What Chromium publishes: so small that it scales it down no further. */
const camera = { quality: 1 };

describe("aiortc and Chromium", { skip }, () => {
  let browser, server, user;
  const peers = [];
  const begin = (Peer, role, options) => {
    const peer = new Peer(role, server, options);
    peers.push(peer);
    return peer;
  };
  const start = (role, options) => begin(AiortcPeer, role, options);
  const startWhip = (role, options) => begin(AiortcWhipPeer, role, options);
  const assertPlayed = (done) => {
    assert.ok(done.video_frames >= played.framesMin, JSON.stringify(done));
    assert.ok(done.audio_samples >= played.samplesMin, JSON.stringify(done));
    assert.ok(done.audio_energy >= played.energyMin, JSON.stringify(done));
  };

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    user = await User.open(browser, server, { userID: "chromium" });
    assert.deepEqual(await user.login(), { ok: true });
  });
  afterEach(() => {
    for (const peer of peers.splice(0)) peer.kill();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const video of ["VP8", "H264"]) {
    test(`Chromium sees and hears ${video} and Opus of aiortc`, async () => {
      const streamID = `aiortc-${video}`;
      const peer = start("publish", { streamID, userID: `aiortc-${video}`, video });
      await peer.tells("publishing");
      await user.hearsStream("ADD", streamID);
      assert.deepEqual(await user.play(streamID), {});
      await user.seesAndHears(streamID);
      await user.seesAndHears(streamID);
      assert.equal((await user.received(streamID)).videoCodec, `video/${video}`);
      await user.call("stopPlayingStream", streamID);
    });

    test(`aiortc decodes ${video} and Opus of Chromium`, async () => {
      const streamID = `chromium-${video}`;
      await user.publish(streamID, { videoCodec: video, ...camera });
      const { seconds } = played;
      const peer = start("play", { streamID, userID: `viewer-${video}`, seconds });
      assertPlayed(await peer.tells("done", { within_ms: 30_000 }));
      await user.call("stopPublishingStream", streamID);
    });
  }

  for (const video of ["VP8", "H264"]) {
    test(`Chromium sees and hears ${video} and Opus of aiortc by WHIP, until DELETE`, async () => {
      const since = await user.mark();
      const streamID = `whip-${video}`;
      const peer = startWhip("publish", { streamID, userID: streamID, video });
      await peer.tells("connected");
      await user.hearsStream("ADD", streamID, { since });
      assert.deepEqual(await user.play(streamID), {});
      await user.seesAndHears(streamID);
      await user.seesAndHears(streamID);
      const { videoCodec, videoSize } = await user.received(streamID);
      assert.equal(videoCodec, `video/${video}`);
      assert.deepEqual(videoSize, [320, 240]);
      peer.end();
      assert.equal((await peer.tells("done")).deleted, 200);
      const [reason] = await user.hearsStream("DELETE", streamID, { since });
      assert.deepEqual(reason, { streamID, code: 1 });
    });

    test(`aiortc decodes ${video} and Opus of Chromium by WHEP, until DELETE`, async () => {
      const since = await user.mark();
      const [streamID, userID] = [`to-whep-${video}`, `whep-${video}`];
      await user.publish(streamID, { videoCodec: video, ...camera });
      const size = await user.cameraSize();
      const peer = startWhip("play", { streamID, userID, video, seconds: played.seconds });
      const done = await peer.tells("done", { within_ms: 30_000 });
      assertPlayed(done);
      assert.deepEqual(done.video_size, size);
      assert.equal(done.deleted, 200);
      const hasLeft = ([, type, [who]]) => type === "DELETE" && who.userID === userID;
      await user.heard("roomUserUpdate", hasLeft, { since });
      await user.call("stopPublishingStream", streamID);
    });
  }

  test("aiortc decodes what aiortc publishes", async () => {
    const publisher = start("publish", { streamID: "own", userID: "publisher" });
    await publisher.tells("publishing");
    const viewer = start("play", { streamID: "own", userID: "viewer", seconds: played.seconds });
    assertPlayed(await viewer.tells("done", { within_ms: 30_000 }));
  });

  test("who publishes orderly ends without an error, and the stream is gone", async () => {
    const since = await user.mark();
    const peer = start("publish", { streamID: "short", userID: "short", seconds: 1 });
    const done = await peer.tells("done", { within_ms: 30_000 });
    assert.ok(done.video_frames > 0 && done.audio_frames > 0, JSON.stringify(done));
    assert.deepEqual(await user.hearsStream("DELETE", "short", { since }), [
      { streamID: "short", code: 1 },
    ]);
  });
});
