// Who cannot decode a stream is told so, in each codec, by the SDK and by WHEP, and also when the
// publisher comes back with another codec: never a silent black.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { GstreamerPeer, missingGstreamer } from "./harness/gstreamer.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

const missing = missingGstreamer();
const withGstreamer = missing ? `${missing} (scripts/test.sh installs it)` : false;

/** From now on the page offers no video codec but these. */
function offerOnly(names) {
  const { addTransceiver } = RTCPeerConnection.prototype;
  const { codecs } = RTCRtpReceiver.getCapabilities("video");
  const taken = codecs.filter(({ mimeType }) => names.includes(mimeType));
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const transceiver = addTransceiver.call(this, kind, init);
    if (kind === "video") transceiver.setCodecPreferences(taken);
    return transceiver;
  };
}

describe("a player without a stream's codec", () => {
  let browser, server, publisher;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    publisher = await User.open(browser, server, { userID: "publisher" });
    assert.deepEqual(await publisher.login(), { ok: true });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const openUser = async (userID, names) => {
    const user = await User.open(browser, server, { userID });
    if (names) await user.page.evaluate(offerOnly, names);
    assert.deepEqual(await user.login(), { ok: true });
    return user;
  };
  const isTold = (user, streamID, codec, since) =>
    user.heard(
      "playerStateUpdate",
      ([is]) =>
        is.streamID === streamID &&
        is.state === "PLAYING" &&
        is.errorCode === 1104003 &&
        is.extendedData === `{"reason":"codec_not_taken","codecs":["${codec}"]}`,
      { since },
    );
  const hears = (player, streamID) =>
    until("it hears", async () => (await player.received(streamID)).audioEnergy > 0, {
      shown: () => player.received(streamID),
    });

  /** What an SDK player and two WHEP players without the codec of a stream are told. */
  const assertTold = async (streamID, codec, names) => {
    const user = await openUser(`sdk-${streamID}`, names);
    await user.hearsStream("ADD", streamID);
    assert.deepEqual(await user.play(streamID), {});
    await isTold(user, streamID, codec);
    await hears(user, streamID);
    await user.call("stopPlayingStream", streamID);
    const detail = `the offer takes none of the stream's codecs: ${codec}`;
    assert.deepEqual(await user.play(streamID, { audio: false }), {
      errorCode: 1104003,
      extendedData: detail,
    });
    await user.kill();

    const play = async (userID, kinds) => {
      const client = await WhipClient.open(browser, server);
      const begun = await client.begin("play", { streamID, userID, kinds, videoCodecs: names });
      return { client, begun };
    };
    const { client, begun } = await play(`whep-${streamID}`);
    assert.equal(begun.status, 201, begun.text);
    assert.equal(begun.headers["untaken-codecs"], codec);
    assert.match(begun.text, /m=video[^]*a=inactive/);
    // A media element waits for a picture before it plays; a page is to leave the line out.
    await until("the sound comes", async () => (await client.received()).audioPackets > 10);
    assert.equal((await client.received()).framesDecoded, 0);
    await client.context.close();
    const nothing = await play(`whep-video-${streamID}`, ["video"]);
    assert.equal(nothing.begun.status, 406);
    assert.equal(JSON.parse(nothing.begun.text).detail, detail);
    await nothing.client.context.close();
  };

  for (const [codec, other] of [
    ["VP8", "H264"],
    ["H264", "VP8"],
    ["VP9", "VP8"],
    ["AV1", "VP9"],
  ]) {
    test(`of ${codec} hears, and is told what it lacks`, async () => {
      await publisher.publish(codec, { videoCodec: codec });
      await assertTold(codec, codec, [`video/${other}`]);
      const takes = await WhipClient.open(browser, server);
      const begun = await takes.begin("play", { streamID: codec, userID: `takes-${codec}` });
      assert.equal(begun.headers["untaken-codecs"], undefined, "who takes it is told nothing");
      await takes.context.close();
      await publisher.call("stopPublishingStream", codec);
    });
  }

  test("of H265 too, which Chromium itself lacks here", { skip: withGstreamer }, async () => {
    const peer = new GstreamerPeer("publish", server, {
      streamID: "H265",
      userID: "gstreamer",
      video: "H265",
    });
    try {
      await peer.tells("connected");
      await assertTold("H265", "H265", undefined);
    } finally {
      peer.kill();
    }
  });

  test("is told when the publisher comes back with that codec", async () => {
    const user = await openUser("stays", ["video/VP8"]);
    const first = await openUser("moves");
    await first.publish("moving", { videoCodec: "VP8" });
    await user.hearsStream("ADD", "moving");
    assert.deepEqual(await user.play("moving"), {});
    await user.seesAndHears("moving");
    const since = await user.mark();
    // The same user from elsewhere takes the place of its session and of its stream.
    const second = await openUser("moves");
    await second.publish("moving", { videoCodec: "H264" });
    const ends = ([is]) => is.streamID === "moving" && is.state !== "PLAYING";
    await user.heard("playerStateUpdate", ends, { since });
    const [{ state }] = (await user.events("playerStateUpdate", { since })).at(-1);
    // A stream that went from the list ends the play; the app begins it anew.
    if (state === "NO_PLAY") {
      await user.hearsStream("ADD", "moving", { since });
      assert.deepEqual(await user.play("moving"), {});
    }
    await isTold(user, "moving", "H264", since);
    await first.kill();
    await second.kill();
  });
});
