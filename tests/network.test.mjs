// How clients reach the server: several addresses, IPv6, behind a NAT that STUN sees through, and
// over a TURN server.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { after, before, describe, test } from "node:test";
import { BadNetwork, relayAddress } from "./harness/bad_network.mjs";
import { launchBrowser, publishAndPlay } from "./harness/browser.mjs";
import { Coturn } from "./harness/coturn.mjs";
import { selectedPair } from "./harness/selected_pair.mjs";
import { Server } from "./harness/server.mjs";
import { StunServer } from "./harness/stun_server.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

/** `{ priority, address, port }` of the candidates of UDP in an answer's first medium. */
function candidatesOf(sdp) {
  const [, medium] = sdp.split(/^m=/m);
  const line = /^a=candidate:\S+ 1 udp (\d+) (\S+) (\d+) typ host/gm;
  return [...medium.matchAll(line)].map(([, priority, address, port]) => ({
    priority: Number(priority),
    address,
    port: Number(port),
  }));
}

/** Makes a page blind for all candidates of the server but those of this address. */
function seesOnly(address) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    setRemoteDescription({ type, sdp }) {
      const isOther = (line) => line.startsWith("a=candidate:") && !line.includes(` ${address} `);
      const lines = sdp.split("\r\n").filter((line) => !isOther(line));
      return super.setRemoteDescription({ type, sdp: lines.join("\r\n") });
    }
  };
}

/** Makes a page use TURN servers alone. */
function relaysOnly() {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: "relay" });
    }
  };
}

/** An address of IPv6 that is neither loopback nor link-local, and its interface. */
function ipv6() {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { family, internal, address, scopeid } of addresses) {
      if (family === "IPv6" && !internal && !scopeid) return { name, address };
    }
  }
}

/**
 * An address of IPv4 that pages send from: a socket of all addresses answers from the one that the
 * system prefers on the way back, and to loopback from elsewhere that is another one.
 */
function ipv4() {
  const all = Object.values(networkInterfaces()).flat();
  const outer = all.find(({ family, internal }) => family === "IPv4" && !internal);
  return outer?.address ?? "127.0.0.1";
}

/** As [ipv6]; where the machine has none, on an interface that is made for it. */
function makeIpv6() {
  const there = ipv6();
  if (there) return { ...there, remove() {} };
  const ip = (...values) => execFileSync("ip", values, { stdio: "pipe" });
  try {
    ip("link", "add", "odeum-test", "type", "dummy");
  } catch {
    return undefined;
  }
  ip("-6", "address", "add", "fd6f:6465:756d::1/64", "dev", "odeum-test", "nodad");
  ip("link", "set", "odeum-test", "up");
  return { ...ipv6(), remove: () => ip("link", "delete", "odeum-test") };
}

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

describe("a server of both IP versions", () => {
  let network, server;
  before(async () => {
    network = makeIpv6();
    if (!network) return;
    const media = `external_addresses = ["${network.address}", "${ipv4()}"]`;
    server = await Server.start({ media, mediaIp: "[::]" });
  });
  after(async () => {
    await server?.stop();
    network?.remove();
  });

  for (const of of ["IPv6", "IPv4"]) {
    test(`carries media over ${of}`, async (t) => {
      if (!network) return t.skip("this machine has no IPv6 and lets nobody make some");
      const address = of === "IPv6" ? network.address : ipv4();
      const prepare = (user) => user.page.evaluate(seesOnly, address);
      for (const user of await publishAndPlay(browser, server, prepare)) {
        assert.equal((await selectedPair(user.page)).remote.address.replace(/[[\]]/g, ""), address);
        await user.context.close();
      }
    });
  }
});

test("the addresses of a named interface are announced, then external ones", async () => {
  const loopback = networkInterfaces().lo.map(({ address }) => address).toSorted();
  const server = await Server.start({
    media: 'interfaces = ["lo"]\nexternal_addresses = ["203.0.113.7"]',
    mediaIp: "[::]",
  });
  try {
    const client = await WhipClient.open(browser, server);
    const { text } = await client.begin("publish", { streamID: "s", userID: "encoder" });
    const candidates = candidatesOf(text);
    const addresses = candidates.map(({ address }) => address);
    assert.deepEqual(addresses.slice(0, -1).toSorted(), loopback);
    assert.equal(addresses.at(-1), "203.0.113.7");
    const priorities = candidates.map(({ priority }) => priority);
    assert.deepEqual(
      priorities,
      priorities.toSorted((a, b) => b - a),
    );
    const port = Number(server.mediaAddress.split(":").at(-1));
    assert.ok(candidates.every((candidate) => candidate.port === port));
    await client.context.close();
  } finally {
    await server.stop();
  }
});

test("an address that cannot be announced stops the start with its name", async () => {
  const config = (media) => (folder) =>
    `data_dir = "${folder}"\n[media]\nlisten = "127.0.0.1:0"\n${media}\n` +
    '[[apps]]\napp_id = 1\nserver_secret = "0123456789abcdef0123456789abcdef"\n' +
    '[admin]\nlisten = "127.0.0.1:0"\n';
  for (const [media, words] of [
    ['interfaces = ["no-such-0"]', /there is no interface `no-such-0`.*lo/],
    ['external_addresses = ["2001:db8::7"]', /2001:db8::7 is IPv6.*127\.0\.0\.1.*\[::\]/],
    ['stun_server = "stun:example.com"', /media\.stun_server = "stun:example\.com"/],
    ['[[media.ice_servers]]\nurls = ["turn:a"]', /media\.ice_servers 1: turn:a needs/],
  ]) {
    const { code, output } = await Server.runToEnd(config(media));
    assert.equal(code, 2, output);
    assert.match(output, words);
  }
});

test("behind a NAT media goes to the address that a STUN server sees", async () => {
  const stun = await StunServer.start(({ port }) => ({ address: relayAddress, port }));
  const media = `stun_server = "localhost:${stun.port}"`;
  const server = await Server.start({ media });
  const nat = await BadNetwork.before(server, 1);
  try {
    assert.equal(stun.answered, 1, "it is asked before the server is ready");
    const prepare = (user) => user.page.evaluate(seesOnly, relayAddress);
    const users = await publishAndPlay(browser, server, prepare);
    for (const { page } of users) {
      assert.equal((await selectedPair(page)).remote.address, relayAddress);
    }
    // Both are still there: how much has gone by now depends on how fast this machine is.
    await until("media goes through the NAT", async () => nat.faults.carried > 100);
    assert.ok(nat.clients.length >= users.length, "of both");
    for (const user of users) await user.context.close();
  } finally {
    await server.stop();
    await nat.close();
    await stun.stop();
  }
});

describe("clients are told of TURN servers", () => {
  let coturn, server;
  before(async () => {
    coturn = await Coturn.start("north-star");
    const servers = [
      '[[media.ice_servers]]\nurls = ["stun:127.0.0.1:3478"]',
      `[[media.ice_servers]]\nurls = ["turn:127.0.0.1:${coturn.port}?transport=udp"]`,
      'shared_secret = "north-star"',
    ];
    server = await Server.start({ more: servers.join("\n") });
  });
  after(async () => {
    await server?.stop();
    await coturn?.stop();
  });

  for (const transport of ["udp", "tcp"]) {
    test(`and publish and play through them over ${transport}, each by its own name`, async () => {
      const url = `turn:127.0.0.1:${coturn.port}?transport=${transport}`;
      const one = `[[media.ice_servers]]\nurls = ["${url}"]\nshared_secret = "north-star"`;
      const relayed = await Server.start({ more: one });
      const said = coturn.output.length;
      try {
        const prepare = (user) => user.page.evaluate(relaysOnly);
        for (const user of await publishAndPlay(browser, relayed, prepare)) {
          const { local } = await selectedPair(user.page);
          assert.equal(local.candidateType, "relay");
          assert.equal(local.relayProtocol, transport);
          assert.equal(local.url, url);
          assert.match(coturn.output.slice(said), new RegExp(`username=<\\d+:${user.userID}>`));
          await user.context.close();
        }
      } finally {
        await relayed.stop();
      }
    });
  }

  test("by WHIP and WHEP in Link headers, TURN for those with a token alone", async () => {
    const client = await WhipClient.open(browser, server);
    const { status, headers } = await client.begin("publish", {
      streamID: "whip",
      userID: "encoder",
    });
    assert.equal(status, 201);
    const stun = '<stun:127.0.0.1:3478>; rel="ice-server"';
    const turn = new RegExp(
      `<turn:127.0.0.1:${coturn.port}\\?transport=udp>; rel="ice-server"; ` +
        'username="\\d+:encoder"; credential="[0-9A-Za-z+/=]{28}"; credential-type="password"',
    );
    assert.ok(headers.link.startsWith(`${stun}, `), headers.link);
    assert.match(headers.link, turn);
    const asked = { path: "/whip/room/another" };
    const known = await client.ask("OPTIONS", asked);
    assert.equal(known.status, 204);
    assert.match(known.headers.get("link"), turn);
    for (const token of ["", "04wrong"]) {
      const unknown = await client.ask("OPTIONS", { ...asked, token });
      assert.equal(unknown.status, 204);
      assert.equal(unknown.headers.get("link"), stun);
    }
    await client.context.close();
  });
});
