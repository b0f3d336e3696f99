// GStreamer's webrtcbin as it comes, with its RSA certificate: what it publishes by WHIP Chromium
// plays and so does GStreamer, which by WHEP plays what Chromium publishes, too.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { GstreamerPeer, missingGstreamer } from "./harness/gstreamer.mjs";
import { Server } from "./harness/server.mjs";

const missing = missingGstreamer();
const skip = missing ? `${missing} (scripts/test.sh installs it)` : false;

/** How long GStreamer plays, seconds; and what it has to have decoded by then, less than all. */
const played = { seconds: 4, framesMin: 20, samplesMin: 48_000, peakMin: 1_000 };

describe("GStreamer and Chromium", { skip }, () => {
  let browser, server, user;
  const peers = [];
  const start = (role, options) => {
    const peer = new GstreamerPeer(role, server, options);
    peers.push(peer);
    return peer;
  };
  const publish = async (streamID, video) => {
    const peer = start("publish", { streamID, userID: streamID, video });
    await peer.tells("connected");
    await user.hearsStream("ADD", streamID);
    return peer;
  };
  const assertPlays = async (streamID, video) => {
    const userID = `viewer-of-${streamID}`;
    const peer = start("play", { streamID, userID, video, seconds: played.seconds });
    const done = await peer.tells("done", { within_ms: 30_000 });
    assert.ok(done.video_frames >= played.framesMin, JSON.stringify(done));
    assert.ok(done.audio_samples >= played.samplesMin, JSON.stringify(done));
    assert.ok(done.audio_peak >= played.peakMin, JSON.stringify(done));
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

  for (const video of ["H264", "VP8"]) {
    test(`Chromium sees and hears ${video} and Opus of GStreamer`, async () => {
      const streamID = `gstreamer-${video}`;
      await publish(streamID, video);
      assert.deepEqual(await user.play(streamID), {});
      await user.seesAndHears(streamID);
      await user.seesAndHears(streamID);
      assert.equal((await user.received(streamID)).videoCodec, `video/${video}`);
      await user.call("stopPlayingStream", streamID);
    });

    test(`GStreamer decodes ${video} and Opus of Chromium`, async () => {
      const streamID = `chromium-${video}`;
      await user.publish(streamID, { videoCodec: video });
      await assertPlays(streamID, video);
      await user.call("stopPublishingStream", streamID);
    });
  }

  // Chromium decodes H.265 only where the machine has hardware for it.
  for (const video of ["H264", "H265"]) {
    test(`GStreamer decodes ${video} and Opus of GStreamer`, async () => {
      await publish(`own-${video}`, video);
      await assertPlays(`own-${video}`, video);
    });
  }

  test("who publishes orderly ends without an error, and the stream is gone", async () => {
    const since = await user.mark();
    const peer = start("publish", { streamID: "short", userID: "s", video: "H264", seconds: 2 });
    const done = await peer.tells("done", { within_ms: 30_000 });
    assert.ok(done.video_frames > 0 && done.audio_samples > 0, JSON.stringify(done));
    assert.deepEqual(await user.hearsStream("DELETE", "short", { since }), [
      { streamID: "short", code: 1 },
    ]);
  });
});
