// Codecs: what is published in a codec is played in it, and who cannot decode a stream is told.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AiortcPeer, findPython } from "./harness/aiortc.mjs";
import { launchBrowser, openUsers, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

describe("a stream's video codec", () => {
  let browser, server, publisher, viewer;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    [publisher, viewer] = await openUsers(browser, server, ["publisher", "viewer"]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const video of ["VP8", "H264", "VP9", "AV1"]) {
    test(`${video} that is asked for is what arrives`, async () => {
      await publisher.publish(video, { videoCodec: video });
      await viewer.hearsStream("ADD", video);
      assert.deepEqual(await viewer.play(video), {});
      await viewer.seesAndHears(video);
      assert.equal((await viewer.received(video)).videoCodec, `video/${video}`);
    });

    test(`a player of ${video} that comes later gets a key frame soon`, async () => {
      const late = await User.open(browser, server, { userID: `late-${video}` });
      assert.deepEqual(await late.login(), { ok: true });
      assert.deepEqual(await late.play(video), {});
      // Chromium sends a key frame by itself only after many seconds.
      await late.seesAndHears(video, { within_ms: 3_000 });
      await late.kill();
    });
  }

  test("a viewer without the codec has the sound, and is told that there is no picture", async () => {
    const withoutVp8 = await User.open(browser, server, { userID: "no-vp8" });
    await withoutVp8.page.evaluate(() => {
      const { addTransceiver } = RTCPeerConnection.prototype;
      const { codecs } = RTCRtpReceiver.getCapabilities("video");
      const h264 = codecs.filter((codec) => codec.mimeType === "video/H264");
      RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
        const transceiver = addTransceiver.call(this, kind, init);
        if (kind === "video") transceiver.setCodecPreferences(h264);
        return transceiver;
      };
    });
    assert.deepEqual(await withoutVp8.login(), { ok: true });
    assert.deepEqual(await withoutVp8.play("VP8"), {});
    await until("it hears", async () => (await withoutVp8.received("VP8")).audioEnergy > 0, {
      shown: () => withoutVp8.received("VP8"),
    });
    const kinds = () => window.test.media.VP8.getTracks().map((track) => track.kind);
    assert.deepEqual(await withoutVp8.page.evaluate(kinds), ["audio"]);
    assert.equal((await withoutVp8.received("VP8")).framesDecoded, 0);
    const told = await withoutVp8.heard("playerStateUpdate", ([{ state }]) => state === "PLAYING");
    assert.deepEqual(told[0], {
      streamID: "VP8",
      state: "PLAYING",
      errorCode: 1104003,
      extendedData: '{"reason":"codec_not_taken","codecs":["VP8"]}',
    });
    await withoutVp8.kill();
  });

  const skip = findPython() ? false : "no Python with aiortc: scripts/venv.sh aiortc installs one";
  test("a viewer that can take nothing of a stream is refused", { skip }, async () => {
    const options = { streamID: "VP8", userID: "nothing", video: "H264", more: ["--no-audio"] };
    const peer = new AiortcPeer("play", server, options);
    // 1104003: the offer of a player cannot be used.
    assert.match(await peer.givesUp(), /play refused: 1104003/);
  });
});
