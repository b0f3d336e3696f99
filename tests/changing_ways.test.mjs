// Clients whose way to the server changes or ends under a call, over UDP and over TCP: they go on
// from another address, and those that are gone are noticed in the time that the documents name.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { CuttableProxy } from "./harness/proxy.mjs";
import { Server } from "./harness/server.mjs";
import { goesBy, UdpRelay } from "./harness/udp_relay.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

const protocols = ["udp", "tcp"];

/** Without an authenticated packet for so long a peer is closed (docs/limits.md). */
const silence_ms = 30_000;
/** Browsers check their consent at least this often (RFC 7675, section 5.1). */
const checks_ms = 6_000;
/** For how long a stream whose connection has ended waits for its publisher. */
const grace_ms = 1_000;
/** What a busy machine may take longer. */
const slack_ms = 5_000;

/** A server that takes media over both protocols, and a way to each that can change or be cut. */
class Ways {
  static async open() {
    const ways = new Ways();
    ways.server = await Server.start({
      media: 'tcp_listen = "127.0.0.1:0"',
      more: `[rooms]\nmedia_grace_s = ${grace_ms / 1000}`,
    });
    const udpPort = Number(ways.server.mediaAddress.split(":").at(-1));
    const listens = /media worker listens on TCP.*local=127\.0\.0\.1:(\d+)/;
    const tcpPort = Number(listens.exec(ways.server.output)[1]);
    ways.udp = await UdpRelay.before(udpPort);
    ways.tcp = await CuttableProxy.before(tcpPort);
    ways.ports = { udp: [udpPort, ways.udp.port], tcp: [tcpPort, ways.tcp.port] };
    return ways;
  }

  /** Makes a page go that way. */
  lead(page, protocol) {
    return page.evaluate(goesBy, [protocol, ...this.ports[protocol]]);
  }

  async close() {
    this.udp?.close();
    await this.tcp?.close();
    await this.server?.stop();
  }
}

describe("a client's address changes under a call", () => {
  let browser, ways;
  before(async () => {
    [browser, ways] = await Promise.all([launchBrowser(), Ways.open()]);
  });
  after(async () => {
    await browser?.close();
    await ways?.close();
  });

  for (const protocol of protocols) {
    test(`publisher and viewer go on over ${protocol}, and nobody is told`, async () => {
      const users = [];
      for (const userID of ["publisher", "viewer"]) {
        const user = await User.open(browser, ways.server, { userID: `${userID}-${protocol}` });
        await ways.lead(user.page, protocol);
        assert.deepEqual(await user.login(), { ok: true });
        users.push(user);
      }
      const [publisher, viewer] = users;
      await publisher.publish(protocol);
      await viewer.hearsStream("ADD", protocol);
      assert.deepEqual(await viewer.play(protocol), {});
      await viewer.seesAndHears(protocol);

      const marks = await Promise.all(users.map((user) => user.mark()));
      if (protocol === "udp") ways.udp.rebind();
      else ways.tcp.cut();
      await viewer.seesAndHears(protocol, { within_ms: 25_000 });
      await viewer.seesAndHears(protocol);
      for (const [at, user] of users.entries()) {
        const since = marks[at];
        assert.equal(await user.page.evaluate(() => window.peers.length), 1, "the same connection");
        assert.deepEqual(await user.events("publisherStateUpdate", { since }), []);
        assert.deepEqual(await user.events("playerStateUpdate", { since }), []);
        assert.deepEqual(await user.events("roomStreamUpdate", { since }), []);
        await user.context.close();
      }
    });
  }
});

test("who is gone without a word is noticed in time, and the room is told", async () => {
  const [browser, ways] = await Promise.all([launchBrowser(), Ways.open()]);
  const { server } = ways;
  const peers = async () => {
    const page = await (await fetch(`${server.adminOrigin}/metrics`)).text();
    return Number(/^odeum_media_peers\{worker="0"\} (\d+)$/m.exec(page)[1]);
  };
  try {
    const observer = await User.open(browser, server, { userID: "observer" });
    assert.deepEqual(await observer.login(), { ok: true });
    await observer.publish("observed");
    // Clients of WHIP and WHEP begin nothing anew when their way is cut.
    const gone = [];
    for (const protocol of protocols) {
      for (const role of ["publish", "play"]) {
        const client = await WhipClient.open(browser, server);
        await ways.lead(client.page, protocol);
        const userID = `${role}-${protocol}`;
        const streamID = role === "publish" ? userID : "observed";
        const { status, text } = await client.begin(role, { roomID: "room", streamID, userID });
        assert.equal(status, 201, text);
        await client.reaches("connected");
        if (role === "play") await client.seesAndHears();
        else await observer.hearsStream("ADD", userID);
        gone.push({ userID, role });
      }
    }
    assert.equal(await peers(), 5);

    const since = await observer.mark();
    ways.udp.cut();
    ways.tcp.freeze();
    const cutAt = performance.now();
    const leaves = async ({ userID, role }) => {
      if (role === "publish") {
        await observer.hearsStream("DELETE", userID, { since, within_ms: 60_000 });
      }
      const streamAfter_ms = performance.now() - cutAt;
      const isGone = ([, type, users]) =>
        type === "DELETE" && users.some((user) => user.userID === userID);
      await observer.heard("roomUserUpdate", isGone, { since, within_ms: 60_000 });
      return { userID, role, streamAfter_ms, userAfter_ms: performance.now() - cutAt };
    };
    for (const left of await Promise.all(gone.map(leaves))) {
      const shown = JSON.stringify(left);
      // The last authentic packet of who publishes is media; of who plays, it is a report or check.
      const earliest_ms = silence_ms - (left.role === "publish" ? 1_000 : checks_ms);
      const latest_ms = silence_ms + grace_ms + slack_ms;
      assert.ok(left.userAfter_ms >= earliest_ms, shown);
      assert.ok(left.userAfter_ms <= latest_ms && left.streamAfter_ms <= latest_ms, shown);
    }
    await until("their peers are gone", async () => (await peers()) === 1, { shown: peers });
    const own = await observer.events("publisherStateUpdate", { since });
    assert.deepEqual(own, [], "who is still there is left in peace");
  } finally {
    await browser.close();
    await ways.close();
  }
});
