// One Chromium plays two streams of three sizes over one narrow way: the stream of the higher
// priority gets the larger picture, and the other one once the priorities are changed.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BadNetwork, relayedMedia } from "./harness/bad_network.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const streams = ["one", "other"];

/** Sound and the smallest pictures of both take half of it, the middle picture of one the rest. */
const narrow = { delay_ms: 20, capacity_kbps: 1_000 };

describe("two streams that one Chromium plays over a narrow way", () => {
  let browser, server, relay, player;

  before(async () => {
    [browser, server] = await Promise.all([
      launchBrowser(),
      Server.start({ media: relayedMedia }),
    ]);
    relay = await BadNetwork.before(server, Number(process.env.ODEUM_SEED ?? 1));
    relay.network = { delay_ms: 20 };
    const users = await Promise.all(
      [...streams, "player"].map((userID) => User.open(browser, server, { userID })),
    );
    player = users.at(-1);
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
    relay.narrow(relay.clients.slice(known), narrow);
  });
  after(async () => {
    await browser?.close();
    await relay?.close();
    await server?.stop();
  });

  const seen = () => Promise.all(streams.map((streamID) => player.received(streamID)));

  /** What comes of both in `for_s` seconds. */
  async function watch(for_s) {
    const begin = await seen();
    await pause(for_s * 1_000);
    const end = await seen();
    return streams.map((streamID, at) => ({
      streamID,
      rows: end[at].videoSize[1],
      kbps: Math.round(((end[at].bytes - begin[at].bytes) * 8) / 1_000 / for_s),
      framesPerSecond: (end[at].framesDecoded - begin[at].framesDecoded) / for_s,
    }));
  }

  /** Waits until a stream's picture is the larger one, and looks whether that lasts. */
  async function isPreferred(t, preferred) {
    const rows = async () => (await seen()).map(({ videoSize }) => videoSize[1]);
    const began_ms = performance.now();
    await until(
      `${streams[preferred]} has the larger picture`,
      async () => {
        const both = await rows();
        return both[preferred] > both[1 - preferred];
      },
      { within_ms: 40_000, every_ms: 100, shown: seen },
    );
    t.diagnostic(`the larger picture after ${Math.round(performance.now() - began_ms)} ms`);
    await pause(3_000);
    const both = await watch(10);
    t.diagnostic(JSON.stringify({ both, faults: relay.faults }));
    assert.ok(relay.faults.queued > 20, `packets had to wait: ${JSON.stringify(relay.faults)}`);
    const [more, less] = [both[preferred], both[1 - preferred]];
    assert.ok(more.rows > less.rows, JSON.stringify(both));
    assert.ok(more.kbps > 1.5 * less.kbps, JSON.stringify(both));
    assert.ok(more.framesPerSecond > 8, JSON.stringify(both));
  }

  test("the one that was played with the higher priority gets the larger picture", async (t) => {
    await isPreferred(t, 1);
  });

  test("the other one gets it when the priorities are changed", async (t) => {
    assert.equal(await player.call("setPlayStreamPriority", "one", "high"), true);
    assert.equal(await player.call("setPlayStreamPriority", "other", "low"), true);
    await isPreferred(t, 0);
  });
});
