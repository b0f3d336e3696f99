// What a publisher's Opus is, its players get: two channels where it has two, and no packets of
// silence where it sends none.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser, openUsers } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

/** Publishes a tone that is on the left alone; `window.tone` is how loud it is. */
async function publishTone([streamID, channelCount, option]) {
  const { engine } = window.test;
  const context = new AudioContext();
  await context.resume();
  const [oscillator, gain] = [context.createOscillator(), context.createGain()];
  const merger = context.createChannelMerger(2);
  const destination = context.createMediaStreamDestination();
  oscillator.connect(gain).connect(merger, 0, 0);
  merger.connect(destination);
  oscillator.start();
  window.tone = gain.gain;
  const custom = { audio: { source: destination.stream, channelCount } };
  window.test.local = await engine.createZegoStream({ custom });
  return engine.startPublishingStream(streamID, window.test.local, option);
}

/** How loud a played stream is, left and right: the root of the mean square, 1 the most. */
async function measure(streamID) {
  window.meters ??= {};
  window.meters[streamID] ??= await (async () => {
    const context = new AudioContext();
    await context.resume();
    const splitter = context.createChannelSplitter(2);
    context.createMediaStreamSource(window.test.media[streamID]).connect(splitter);
    return [0, 1].map((channel) => {
      const analyser = context.createAnalyser();
      splitter.connect(analyser, channel);
      return analyser;
    });
  })();
  return window.meters[streamID].map((analyser) => {
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
  });
}

for (const workers of [1, 2]) {
  describe(`Opus with ${workers} media worker(s)`, () => {
    let browser, server, publisher, player;

    before(async () => {
      // Of two, one transport fills a worker: the player is on the other one.
      const media = `workers = ${workers}\nroom_peers_per_worker = ${workers === 1 ? 100 : 1}`;
      [browser, server] = await Promise.all([launchBrowser(), Server.start({ media })]);
      [publisher, player] = await openUsers(browser, server, ["publisher", "player"]);
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    const play = async (streamID, channelCount, option = {}) => {
      await publisher.page.evaluate(publishTone, [streamID, channelCount, option]);
      await player.hearsStream("ADD", streamID);
      assert.deepEqual(await player.play(streamID), {});
    };
    const loudness = (streamID) => player.page.evaluate(measure, streamID);
    const isLoud = (level) => level > 0.2;
    const hears = (what, streamID, condition) =>
      until(`it is heard ${what}`, async () => condition(...(await loudness(streamID))), {
        shown: () => loudness(streamID),
      });

    test("a tone on the left alone stays there", async (t) => {
      await play("stereo");
      await hears("on the left", "stereo", (left, right) => isLoud(left) && right < 0.01);
      t.diagnostic(JSON.stringify(await loudness("stereo")));
    });

    test("and is on both sides where one channel is asked for", async () => {
      await play("mono", 1);
      await hears("on both sides", "mono", (left, right) => isLoud(left) && isLoud(right));
    });

    test("silence that is left out stays out, and sound goes on after it", async (t) => {
      await play("dtx", undefined, { enableDTX: true });
      await hears("at first", "dtx", isLoud);
      const packetsPerSecond = async () => {
        const before = (await player.received("dtx")).audioPackets;
        await pause(3_000);
        return ((await player.received("dtx")).audioPackets - before) / 3;
      };
      const loud = await packetsPerSecond();
      await publisher.page.evaluate(() => void (window.tone.value = 0));
      await pause(1_000);
      const silent = await packetsPerSecond();
      t.diagnostic(JSON.stringify({ loud, silent }));
      // Packets of 20 ms; of silence one every 400 ms.
      assert.ok(loud > 40, `${loud}`);
      assert.ok(silent < 10, `${silent}`);
      await publisher.page.evaluate(() => void (window.tone.value = 1));
      await hears("again", "dtx", isLoud);
    });
  });
}
