// Redundant sound (RED, RFC 2198) of Chromium: who takes it gets it, and who does not hears the
// stream all the same.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

const [red, opus] = ["audio/red", "audio/opus"];

describe("sound with redundancy", () => {
  let browser, server;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    const { client, begun } = await begin("publish", "publisher", [red, opus]);
    assert.match(begun.text, /^m=audio \d+ UDP\/TLS\/RTP\/SAVPF 63 111\r$/m);
    await client.reaches("connected");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const begin = async (role, userID, audioCodecs) => {
    const client = await WhipClient.open(browser, server);
    const begun = await client.begin(role, { streamID: "redundant", userID, audioCodecs });
    assert.equal(begun.status, 201, begun.text);
    return { client, begun };
  };

  /** Packets and payload bytes of the sound that came so far. */
  const sound = (client) =>
    client.page.evaluate(async () => {
      for (const entry of (await window.whip.peer.getStats()).values())
        if (entry.type === "inbound-rtp" && entry.kind === "audio")
          return { packets: entry.packetsReceived, bytes: entry.bytesReceived };
      return { packets: 0, bytes: 0 };
    });

  const plays = async (userID, audioCodecs) => {
    const { client, begun } = await begin("play", userID, audioCodecs);
    const before = await client.received();
    await client.seesAndHears();
    await until(
      `${userID} hears it`,
      async () => (await client.received()).audioEnergy > before.audioEnergy,
      { shown: () => client.received() },
    );
    return { client, answer: begun.text };
  };

  test("reaches who takes it, and without redundancy who does not", async () => {
    const takes = await plays("takes", [opus, red]);
    assert.match(takes.answer, /^a=rtpmap:63 red\/48000\/2\r$/m);
    const takesNot = await plays("takes-not", [opus]);
    assert.doesNotMatch(takesNot.answer, /red\/48000/);
    // The same two seconds of both.
    const both = () => Promise.all([sound(takes.client), sound(takesNot.client)]);
    const before = await both();
    await pause(2_000);
    const after = await both();
    const [withRed, without] = after.map(({ bytes, packets }, at) => ({
      packets: packets - before[at].packets,
      perPacket: (bytes - before[at].bytes) / (packets - before[at].packets),
    }));
    const shown = JSON.stringify({ withRed, without });
    for (const { packets } of [withRed, without]) assert.ok(packets >= 80, shown);
    // Chromium sends each frame again with the next one.
    assert.ok(withRed.perPacket > 1.5 * without.perPacket, shown);
  });
});
