// Layers inside one stream in Chromium: each player gets the size that it has use for, and changes
// it; and fewer pictures when not all reach it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BadNetwork, relayedMedia } from "./harness/bad_network.mjs";
import { launchBrowser, openUsers } from "./harness/browser.mjs";
import { judgePictures, undisturbed } from "./harness/machine.mjs";
import { Server } from "./harness/server.mjs";
import { asksForOtherSizes, playedVideo, sees } from "./harness/sizes.mjs";
import { until } from "./harness/until.mjs";

for (const [videoCodec, scalabilityMode] of [
  ["VP9", "L3T3_KEY"],
  ["VP9", "L3T3"],
  ["AV1", "L3T3_KEY"],
  ["AV1", "L3T3"],
]) {
  describe(`${videoCodec} in ${scalabilityMode}`, () => {
    let browser, server, publisher, small, large;

    before(async () => {
      [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
      [publisher, small, large] = await openUsers(browser, server, ["publisher", "small", "large"]);
      await publisher.publish("camera", { videoCodec, scalabilityMode, quality: 3 });
      for (const user of [small, large]) await user.hearsStream("ADD", "camera");
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test("a player gets the spatial layer that it shows", async () => {
      assert.deepEqual(await small.play("camera", { videoHeight: 180 }), {});
      assert.deepEqual(await large.play("camera"), {});
      await sees(small, 180);
      await sees(large, 720);
      await small.seesAndHears("camera");
      await large.seesAndHears("camera");
      const bytes = () =>
        Promise.all([small, large].map(async (user) => (await playedVideo(user)).bytesReceived));
      const before = await bytes();
      await pause(3_000);
      const now = await bytes();
      assert.ok(now[0] - before[0] < (now[1] - before[1]) / 2, `less than half: ${before} ${now}`);
    });

    test("and another one when it asks for it, without standing still", async () => {
      const [before, now] = await asksForOtherSizes(small);
      assert.equal(now.nackCount - before.nackCount, 0, "no number is missing");
    });
  });
}

// H.264's layers are told apart by its dependency descriptor; without, two of them.
for (const videoCodec of ["VP8", "H264"]) {
  describe(`${videoCodec} in L1T3 to a player whose way narrows`, () => {
    let browser, server, relay, publisher, player;

    before(async () => {
      [browser, server] = await Promise.all([
        launchBrowser(),
        Server.start({ media: relayedMedia }),
      ]);
      relay = await BadNetwork.before(server, 1);
      relay.network = { delay_ms: 20 };
      [publisher, player] = await openUsers(browser, server, ["publisher", "player"]);
      await publisher.publish("camera", { videoCodec, scalabilityMode: "L1T3", quality: 2 });
      await player.hearsStream("ADD", "camera");
      assert.deepEqual(await player.play("camera"), {});
      await player.seesAndHears("camera");
    });
    after(async () => {
      await browser?.close();
      await relay?.close();
      await server?.stop();
    });

    /** What came in `for_s` seconds. */
    const watch = async (for_s) => {
      const [begin, began_ms] = [await playedVideo(player), performance.now()];
      await pause(for_s * 1_000);
      const [end, took_s] = [await playedVideo(player), (performance.now() - began_ms) / 1_000];
      const added = (name) => (end[name] - begin[name]) / took_s;
      return {
        framesPerSecond: added("framesDecoded"),
        kbps: (added("bytesReceived") * 8) / 1_000,
        frozenShare: added("totalFreezesDuration"),
        pliCount: end.pliCount - begin.pliCount,
        frameHeight: end.frameHeight,
      };
    };

    test("fewer pictures per second come, and all again", async (t) => {
      // Until the publisher's own estimate has grown to what the picture takes.
      await pause(3_000);
      await judgePictures(t, publisher, async () => {
        const all = await undisturbed(() => watch(4));
        t.diagnostic(JSON.stringify(all));
        const address = relay.clients[1];
        // Sound goes first, and takes some 50 kbit/s.
        relay.networks.set(address, { delay_ms: 20, capacity_kbps: 0.7 * all.kbps + 50 });
        await pause(8_000);
        const fewer = await undisturbed(() => watch(6));
        t.diagnostic(JSON.stringify(fewer));
        assert.ok(fewer.framesPerSecond < 0.7 * all.framesPerSecond, JSON.stringify(fewer));
        assert.ok(fewer.framesPerSecond > 0.15 * all.framesPerSecond, JSON.stringify(fewer));
        assert.equal(fewer.frameHeight, all.frameHeight);
        assert.equal(fewer.pliCount, 0, "what comes can be decoded");
        assert.ok(fewer.frozenShare < 0.2, JSON.stringify(fewer));
        relay.networks.delete(address);
        await until(
          "all pictures come again",
          async () => (await watch(2)).framesPerSecond > 0.85 * all.framesPerSecond,
          { within_ms: 40_000, shown: () => watch(1).then(JSON.stringify) },
        );
      });
    });
  });
}
