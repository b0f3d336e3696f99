// An independent WebRTC stack: what aiortc publishes Chromium plays, and the other way round; over
// signalling as over WHIP and WHEP.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AiortcPeer, AiortcWhipPeer, findPython } from "./harness/aiortc.mjs";
import { BesideChromium } from "./harness/beside_chromium.mjs";

const skip = findPython() ? false : "no Python with aiortc: scripts/venv.sh aiortc installs one";

/** How long aiortc plays, and what it has to have decoded by then, much less than all. */
const seconds = 4;
const least = { video_frames: 20, audio_samples: 48_000, audio_energy: 0.01 };

/** What Chromium publishes: so small that it scales it down no further. */
const camera = { quality: 1 };

describe("aiortc and Chromium", { skip }, () => {
  const beside = new BesideChromium();
  const start = (role, options) => beside.begin(AiortcPeer, role, options);
  const startWhip = (role, options) => beside.begin(AiortcWhipPeer, role, options);

  for (const video of ["VP8", "H264"]) {
    test(`Chromium sees and hears ${video} and Opus of aiortc`, async () => {
      const { user } = beside;
      const streamID = `aiortc-${video}`;
      const peer = start("publish", { streamID, userID: `aiortc-${video}`, video });
      await peer.tells("publishing");
      await user.hearsStream("ADD", streamID);
      await beside.playsAndSees(streamID, video);
      await user.call("stopPlayingStream", streamID);
    });

    test(`aiortc decodes ${video} and Opus of Chromium`, async () => {
      const { user } = beside;
      const streamID = `chromium-${video}`;
      await user.publish(streamID, { videoCodec: video, ...camera });
      const peer = start("play", { streamID, userID: `viewer-${video}`, seconds });
      await beside.assertPlays(peer, least);
      await user.call("stopPublishingStream", streamID);
    });
  }

  for (const video of ["VP8", "H264"]) {
    test(`Chromium sees and hears ${video} and Opus of aiortc by WHIP, until DELETE`, async () => {
      const { user } = beside;
      const since = await user.mark();
      const streamID = `whip-${video}`;
      const peer = startWhip("publish", { streamID, userID: streamID, video });
      await peer.tells("connected");
      await user.hearsStream("ADD", streamID, { since });
      const { videoSize } = await beside.playsAndSees(streamID, video);
      assert.deepEqual(videoSize, [320, 240]);
      peer.end();
      assert.equal((await peer.tells("done")).deleted, 200);
      const [reason] = await user.hearsStream("DELETE", streamID, { since });
      assert.deepEqual(reason, { streamID, code: 1 });
    });

    test(`aiortc decodes ${video} and Opus of Chromium by WHEP, until DELETE`, async () => {
      const { user } = beside;
      const since = await user.mark();
      const [streamID, userID] = [`to-whep-${video}`, `whep-${video}`];
      await user.publish(streamID, { videoCodec: video, ...camera });
      const size = await user.cameraSize();
      const peer = startWhip("play", { streamID, userID, video, seconds });
      const done = await beside.assertPlays(peer, least);
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
    const viewer = start("play", { streamID: "own", userID: "viewer", seconds });
    await beside.assertPlays(viewer, least);
  });

  test("who publishes orderly ends without an error, and the stream is gone", async () => {
    const { user } = beside;
    const since = await user.mark();
    const peer = start("publish", { streamID: "short", userID: "short", seconds: 1 });
    const done = await peer.tells("done", { within_ms: 30_000 });
    assert.ok(done.video_frames > 0 && done.audio_frames > 0, JSON.stringify(done));
    assert.deepEqual(await user.hearsStream("DELETE", "short", { since }), [
      { streamID: "short", code: 1 },
    ]);
  });
});
