// One Chromium plays two streams of three sizes over one narrow way: the stream of the higher
// priority gets larger pictures, and the other one does once the priorities are changed.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BadNetwork, relayedMedia } from "./harness/bad_network.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { judgePictures, undisturbed } from "./harness/machine.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const streams = ["one", "other"];

/** Sound and the smallest pictures of both take half of it, the middle picture of one the rest. */
const narrow = { delay_ms: 20, capacity_kbps: 600 };

describe("two streams that one Chromium plays over a narrow way", () => {
  let browser, server, relay, publisher, player;

  before(async () => {
    [browser, server] = await Promise.all([
      launchBrowser(),
      Server.start({ media: relayedMedia }),
    ]);
    relay = await BadNetwork.before(server, Number(process.env.ODEUM_SEED ?? 1));
    const users = await Promise.all(
      [...streams, "player"].map((userID) => User.open(browser, server, { userID })),
    );
    [publisher, player] = [users[0], users.at(-1)];
    for (const user of users) assert.deepEqual(await user.login(), { ok: true });
    for (const [at, streamID] of streams.entries())
      await users[at].publish(streamID, { simulcast: true, quality: 3 });
    const known = relay.clients.length;
    for (const [streamID, priority] of [
      ["one", "low"],
      ["other", "high"],
    ]) {
      await player.hearsStream("ADD", streamID);
      assert.deepEqual(await player.play(streamID, { priority }), {});
      await player.seesAndHears(streamID);
    }
    // What publishers send has to grow first.
    await until(
      "both come in a larger size",
      async () => (await seen()).every(({ videoSize }) => videoSize[1] >= 360),
      { within_ms: 60_000, shown: seen },
    );
    relay.narrow(relay.clients.slice(known), narrow);
  });
  after(async () => {
    await browser?.close();
    await relay?.close();
    await server?.stop();
  });

  const seen = () => Promise.all(streams.map((streamID) => player.received(streamID)));

  /** What comes of both in so many seconds, with a look at the size of their pictures in each. */
  async function watch(seconds) {
    const begin = await seen();
    const rows = streams.map(() => []);
    for (let second = 0; second < seconds; second++) {
      await pause(1_000);
      for (const [at, { videoSize }] of (await seen()).entries()) rows[at].push(videoSize[1]);
    }
    const end = await seen();
    return streams.map((streamID, at) => ({
      streamID,
      rows: rows[at],
      kilobytes: Math.round((end[at].bytes - begin[at].bytes) / 1_000),
      frames: end[at].framesDecoded - begin[at].framesDecoded,
    }));
  }

  /** Looks whether a stream gets more than the other, once the choice has had its time. */
  async function isPreferred(t, preferred) {
    await pause(8_000);
    const both = await undisturbed(() => watch(15), 3);
    t.diagnostic(JSON.stringify({ both, faults: relay.faults }));
    assert.ok(relay.faults.queued > 20, `packets had to wait: ${JSON.stringify(relay.faults)}`);
    const [more, less] = [both[preferred], both[1 - preferred]];
    const shown = JSON.stringify(both);
    const mean = (rows) => rows.reduce((sum, each) => sum + each, 0) / rows.length;
    assert.ok(mean(more.rows) > 1.2 * mean(less.rows), shown);
    assert.ok(more.kilobytes > 1.3 * less.kilobytes, shown);
    assert.ok(more.frames > 75, shown);
  }

  test("the one that was played with the higher priority gets more", async (t) => {
    await judgePictures(t, publisher, () => isPreferred(t, 1));
  });

  test("the other one gets more once the priorities are changed", async (t) => {
    assert.equal(await player.call("setPlayStreamPriority", "one", "high"), true);
    assert.equal(await player.call("setPlayStreamPriority", "other", "low"), true);
    await judgePictures(t, publisher, () => isPreferred(t, 0));
  });
});
