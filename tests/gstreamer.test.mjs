// GStreamer's webrtcbin as it comes, with its RSA certificate: what it publishes by WHIP Chromium
// plays and so does GStreamer, which by WHEP plays what Chromium publishes, too.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BesideChromium } from "./harness/beside_chromium.mjs";
import { GstreamerPeer, missingGstreamer } from "./harness/gstreamer.mjs";

const missing = missingGstreamer();
const skip = missing ? `${missing} (scripts/test.sh installs it)` : false;

/** How long GStreamer plays, and what it has to have decoded by then, less than all. */
const seconds = 4;
const least = { video_frames: 20, audio_samples: 48_000, audio_peak: 1_000 };

describe("GStreamer and Chromium", { skip }, () => {
  const beside = new BesideChromium();
  const start = (role, options) => beside.begin(GstreamerPeer, role, options);
  const publish = async (streamID, video, sets) => {
    const peer = start("publish", { streamID, userID: streamID, video, sets });
    await peer.tells("connected");
    await beside.user.hearsStream("ADD", streamID);
    return peer;
  };
  const assertPlays = (streamID, video, sets) => {
    const userID = `viewer-of-${streamID}`;
    return beside.assertPlays(start("play", { streamID, userID, video, sets, seconds }), least);
  };

  for (const video of ["H264", "VP8"]) {
    test(`Chromium sees and hears ${video} and Opus of GStreamer`, async () => {
      const streamID = `gstreamer-${video}`;
      await publish(streamID, video);
      await beside.playsAndSees(streamID, video);
      await beside.user.call("stopPlayingStream", streamID);
    });

    test(`GStreamer decodes ${video} and Opus of Chromium`, async () => {
      const streamID = `chromium-${video}`;
      const { user } = beside;
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

  test("Chromium sees H264 whose parameter sets GStreamer says in SDP alone", async () => {
    await publish("sdp-H264", "H264", "sdp");
    const received = await beside.playsAndSees("sdp-H264", "H264");
    assert.ok(received.framesDecoded > 0, JSON.stringify(received));
    await beside.user.call("stopPlayingStream", "sdp-H264");
  });

  for (const video of ["H264", "H265"]) {
    test(`who takes no notice of SDP's parameter sets decodes ${video} that has no others`, async () => {
      await publish(`own-sdp-${video}`, video, "sdp");
      await assertPlays(`own-sdp-${video}`, video, "sdp");
    });
  }

  test("who publishes orderly ends without an error, and the stream is gone", async () => {
    const { user } = beside;
    const since = await user.mark();
    const peer = start("publish", { streamID: "short", userID: "s", video: "H264", seconds: 2 });
    const done = await peer.tells("done", { within_ms: 30_000 });
    assert.ok(done.video_frames > 0 && done.audio_samples > 0, JSON.stringify(done));
    assert.deepEqual(await user.hearsStream("DELETE", "short", { since }), [
      { streamID: "short", code: 1 },
    ]);
  });
});
