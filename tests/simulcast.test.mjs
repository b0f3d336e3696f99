// Simulcast in Chromium: each player gets the size that it has use for, and changes it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser, openUsers } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { asksForOtherSizes, sees, sendsSizes } from "./harness/sizes.mjs";
import { until } from "./harness/until.mjs";

for (const workers of [1, 2]) {
  describe(`a stream in three sizes, on ${workers} workers`, () => {
    let browser, server, publisher, small, large;

    before(async () => {
      const media = `workers = ${workers}\nroom_peers_per_worker = 1`;
      [browser, server] = await Promise.all([launchBrowser(), Server.start({ media })]);
      [publisher, small, large] = await openUsers(browser, server, ["publisher", "small", "large"]);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test("is sent in three sizes", async () => {
      await publisher.publish("camera", { simulcast: true, quality: 3 });
      await sendsSizes(publisher);
    });

    test("a player gets the size that it shows", async () => {
      for (const user of [small, large]) await user.hearsStream("ADD", "camera");
      assert.deepEqual(await small.play("camera", { videoHeight: 180 }), {});
      assert.deepEqual(await large.play("camera"), {});
      await sees(small, 180);
      await sees(large, 720);
      await small.seesAndHears("camera");
      await large.seesAndHears("camera");
    });

    test("and another one when it asks for it, without standing still", async () => {
      await asksForOtherSizes(small);
    });

    // What crosses to another worker is sent in all sizes.
    const skip = workers > 1 && "one worker only";
    test("a size that nobody watches is not encoded, until somebody does", { skip }, async () => {
      const frames = async (rid) => {
        const found = (peers) => peers.flatMap((stats) => stats).find((entry) => entry.rid === rid);
        const stats = await publisher.page.evaluate(() =>
          Promise.all(window.peers.map(async (peer) => [...(await peer.getStats()).values()])),
        );
        return found(stats)?.framesEncoded ?? 0;
      };
      await large.call("stopPlayingStream", "camera");
      await until(
        "the largest rests",
        async () => {
          const before = await frames("f");
          await pause(1_000);
          return (await frames("f")) === before;
        },
        { within_ms: 20_000 },
      );
      await small.seesAndHears("camera");
      assert.deepEqual(await large.play("camera"), {});
      await sees(large, 720);
    });
  });
}
