// Firefox: what it publishes Chromium plays, and the other way round; by the SDK, by WHIP and WHEP,
// and in several sizes.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { findAddress, findFirefox, launchFirefox } from "./harness/firefox.mjs";
import { Server } from "./harness/server.mjs";
import { sizeDue_ms } from "./harness/sizes.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

const mediaIp = findAddress();
const skip = !findFirefox()
  ? "no Firefox: scripts/test.sh installs it"
  : !mediaIp && "no address but the loopback's";

/** How many pictures a player has to decode, at about 15 a second. */
const framesMin = 30;

describe("Firefox and Chromium", { skip }, () => {
  let browsers, server, firefox, chromium;

  before(async () => {
    browsers = [];
    server = await Server.start({ mediaIp });
    browsers.push(await launchFirefox());
    browsers.push(await launchBrowser());
    [firefox, chromium] = await Promise.all(
      ["firefox", "chromium"].map((userID, at) => User.open(browsers[at], server, { userID })),
    );
    for (const user of [firefox, chromium]) assert.deepEqual(await user.login(), { ok: true });
  });
  after(async () => {
    for (const browser of browsers) await browser.close();
    await server?.stop();
  });

  const assertPlays = async (viewer, publisher, streamID, video) => {
    await publisher.publish(streamID, { videoCodec: video });
    await viewer.hearsStream("ADD", streamID);
    assert.deepEqual(await viewer.play(streamID), {});
    await viewer.seesAndHears(streamID);
    const isEnough = async () => (await viewer.received(streamID)).framesDecoded >= framesMin;
    await until(`${framesMin} frames`, isEnough, { shown: () => viewer.received(streamID) });
    assert.equal((await viewer.received(streamID)).videoCodec, `video/${video}`);
    await viewer.call("stopPlayingStream", streamID);
    const since = await viewer.mark();
    await publisher.call("stopPublishingStream", streamID);
    assert.deepEqual(await viewer.hearsStream("DELETE", streamID, { since }), [
      { streamID, code: 1 },
    ]);
  };

  // Firefox takes H.264 from a plugin that it downloads.
  for (const video of ["VP8", "VP9", "AV1"]) {
    test(`Chromium sees and hears ${video} and Opus of Firefox`, () =>
      assertPlays(chromium, firefox, `firefox-${video}`, video));

    test(`Firefox sees and hears ${video} and Opus of Chromium`, () =>
      assertPlays(firefox, chromium, `chromium-${video}`, video));
  }

  test("Chromium sees and hears what Firefox publishes by WHIP, until DELETE", async () => {
    const client = await WhipClient.open(browsers[0], server);
    const streamID = "firefox-whip";
    const begun = await client.begin("publish", { streamID, userID: streamID });
    assert.equal(begun.status, 201, begun.text);
    await chromium.hearsStream("ADD", streamID);
    assert.deepEqual(await chromium.play(streamID), {});
    await chromium.seesAndHears(streamID);
    await chromium.seesAndHears(streamID);
    assert.equal((await client.ask("DELETE")).status, 200);
    const [reason] = await chromium.hearsStream("DELETE", streamID);
    assert.equal(reason.code, 1);
    await client.context.close();
  });

  test("Firefox sees and hears by WHEP what Chromium publishes, until DELETE", async () => {
    const client = await WhipClient.open(browsers[0], server);
    const streamID = "chromium-whep";
    await chromium.publish(streamID);
    const begun = await client.begin("play", { streamID, userID: "firefox-whep" });
    assert.equal(begun.status, 201, begun.text);
    await client.seesAndHears();
    await client.seesAndHears();
    const since = await chromium.mark();
    assert.equal((await client.ask("DELETE")).status, 200);
    const hasLeft = ([, type, [who]]) => type === "DELETE" && who.userID === "firefox-whep";
    await chromium.heard("roomUserUpdate", hasLeft, { since });
    await chromium.call("stopPublishingStream", streamID);
    await client.context.close();
  });

  test("extensions that Firefox offers one way are answered the other way", async () => {
    await chromium.publish("one-way");
    await firefox.hearsStream("ADD", "one-way");
    assert.deepEqual(await firefox.play("one-way"), {});
    const [offer, answer] = await firefox.page.evaluate(() => {
      const { localDescription, remoteDescription } = window.peers.at(-1);
      return [localDescription.sdp, remoteDescription.sdp];
    });
    const directions = (sdp) => {
      const lines = [...sdp.matchAll(/^a=extmap:(\d+)(?:\/(\w+))? (\S+)/gm)];
      return new Map(lines.map(([, id, direction, uri]) => [`${id} ${uri}`, direction]));
    };
    const offered = directions(offer);
    const mirrored = { recvonly: "sendonly", sendonly: "recvonly" };
    let oneWay = 0;
    for (const [extension, direction] of directions(answer)) {
      const asked = offered.get(extension);
      assert.equal(direction, mirrored[asked] ?? asked, extension);
      if (asked) oneWay += 1;
    }
    assert.ok(oneWay > 0, `none has a direction:\n${offer}`);
    await firefox.seesAndHears("one-way");
    await firefox.call("stopPlayingStream", "one-way");
    await chromium.call("stopPublishingStream", "one-way");
  });

  // The larger one first: with the smallest a viewer begins anyhow, whatever it asks for.
  const assertSizes = async (viewer, publisher, streamID) => {
    await publisher.publish(streamID, { simulcast: true });
    await viewer.hearsStream("ADD", streamID);
    const seesRows = async (height, due_ms) => {
      const sees = async () => (await viewer.received(streamID)).videoSize?.[1] === height;
      const shown = () => viewer.received(streamID);
      await until(`${height} rows`, sees, { within_ms: 60_000, due_ms, shown });
      await viewer.seesAndHears(streamID);
    };
    assert.deepEqual(await viewer.play(streamID, { videoHeight: 480 }), {});
    await seesRows(480);
    assert.equal(await viewer.call("setPlayStreamVideoHeight", streamID, 240), true);
    await seesRows(240, sizeDue_ms);
    await viewer.call("stopPlayingStream", streamID);
    await publisher.call("stopPublishingStream", streamID);
  };

  test("Chromium sees the size of Firefox's simulcast that it asks for", () =>
    assertSizes(chromium, firefox, "firefox-sizes"));

  test("Firefox sees the size of Chromium's simulcast that it asks for", () =>
    assertSizes(firefox, chromium, "chromium-sizes"));

  for (const [name, users] of [
    ["Firefox publishes and Chromium plays", () => [firefox, chromium]],
    ["Chromium publishes and Firefox plays", () => [chromium, firefox]],
  ]) {
    test(`both SDKs tell the quality when ${name}`, async () => {
      const [publisher, viewer] = users();
      const streamID = `quality-of-${publisher.userID}`;
      await publisher.publish(streamID, { videoCodec: "VP8" });
      await viewer.hearsStream("ADD", streamID);
      assert.deepEqual(await viewer.play(streamID), {});
      const isGood = ([id, { video, audio }]) =>
        id === streamID && video.videoFPS > 5 && video.videoBitrate > 0 && audio.audioBitrate > 0;
      await publisher.heard("publishQualityUpdate", isGood);
      const isDecoded = (values) => isGood(values) && values[1].video.videoFramesDecoded > 0;
      await viewer.heard("playQualityUpdate", isDecoded);
      await viewer.call("stopPlayingStream", streamID);
      await publisher.call("stopPublishingStream", streamID);
    });
  }
});
