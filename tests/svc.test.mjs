// Layers inside one stream in Chromium: each player gets the size that it has use for, and changes
// it; and fewer pictures when not all reach it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

/** What a user's statistics say of the video that it plays. */
const video = (user) =>
  user.page.evaluate(async () => {
    for (const peer of window.peers.filter((each) => each.connectionState === "connected"))
      for (const entry of (await peer.getStats()).values())
        if (entry.type === "inbound-rtp" && entry.kind === "video") return entry;
    return {};
  });

const rows = async (user) => (await video(user)).frameHeight;

const sees = (user, height) =>
  until(`${user.userID} sees ${height} rows`, async () => (await rows(user)) === height, {
    within_ms: 20_000,
    shown: () => rows(user),
  });

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
      [publisher, small, large] = await Promise.all(
        ["publisher", "small", "large"].map((userID) => User.open(browser, server, { userID })),
      );
      for (const user of [publisher, small, large])
        assert.deepEqual(await user.login(), { ok: true });
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
        Promise.all([small, large].map(async (user) => (await video(user)).bytesReceived));
      const before = await bytes();
      await pause(3_000);
      const now = await bytes();
      assert.ok(now[0] - before[0] < (now[1] - before[1]) / 2, `less than half: ${before} ${now}`);
    });

    test("and another one when it asks for it, without standing still", async () => {
      const before = await video(small);
      assert.equal(await small.call("setPlayStreamVideoHeight", "camera", 200), true);
      await sees(small, 360);
      assert.equal(await small.call("setPlayStreamVideoType", "camera", 2), true);
      await sees(small, 720);
      assert.equal(await small.call("setPlayStreamVideoType", "camera", 1), true);
      await sees(small, 180);
      await small.seesAndHears("camera");
      const now = await video(small);
      const stood_s = now.totalFreezesDuration - before.totalFreezesDuration;
      assert.ok(stood_s < 1, `it stood still for ${stood_s} s`);
      assert.equal(now.nackCount - before.nackCount, 0, "no number is missing");
    });
  });
}
