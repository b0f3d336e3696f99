// A server with several addresses of one IP version, in a network of its own: it answers from the
// one that it was asked at, by the way that the system's rules have for that one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, publishAndPlay } from "./harness/browser.mjs";
import { canMakeNamespaces, Namespace } from "./harness/namespace.mjs";
import { selectedPair } from "./harness/selected_pair.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const skip = !canMakeNamespaces() && "this machine lets nobody make network namespaces";

/** Makes a page use the relay over UDP alone, or no relay. */
function goes(way) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      const isUdp = (url) => url.endsWith("?transport=udp");
      const iceServers = configuration.iceServers.map(({ urls, ...access }) => ({
        urls: urls.filter(isUdp),
        ...access,
      }));
      const relayed = { ...configuration, iceServers, iceTransportPolicy: "relay" };
      super(way === "relayed" ? relayed : { ...configuration, iceServers: [] });
    }
  };
}

/** Where a page's media goes, and the kinds of the candidates that it has gathered. */
async function wayOf({ page }) {
  const { remote } = await selectedPair(page);
  const sdp = await page.evaluate(() => window.peers.at(-1).localDescription.sdp);
  const kinds = [...sdp.matchAll(/^a=candidate:.* typ (\w+)/gm)].map(([, kind]) => kind);
  return { address: remote?.address.replace(/[[\]]/g, ""), kinds };
}

/** What is announced, and the interface that has it. */
const announcements = [
  { address: "10.77.2.1", mediaIp: "0.0.0.0", leavesBy: "second" },
  { address: "10.77.2.1", mediaIp: "[::]", leavesBy: "second" },
  // Of two on one interface the system prefers one: with both, one of them is the other.
  { address: "fd77::1", mediaIp: "[::]", leavesBy: "first" },
  { address: "fd77::2", mediaIp: "[::]", leavesBy: "first" },
];

describe("a server with several addresses", { skip }, () => {
  let servers, clients, browser;

  before(async () => {
    servers = new Namespace("servers");
    clients = new Namespace("clients");
    // Two uplinks of the server. The client has one address of IPv4, at the first; a question to
    // the second address comes by the second uplink, and a rule wants the answer to go back there.
    Namespace.cable([servers, "first"], [clients, "to-first"]);
    Namespace.cable([servers, "second"], [clients, "to-second"]);
    servers.ip("address add 10.77.1.1/24 dev first");
    servers.ip("address add 10.77.2.1/24 dev second");
    servers.ip("rule add from 10.77.2.1 lookup 77");
    servers.ip("route add 10.77.1.9 dev second table 77");
    clients.ip("address add 10.77.1.9/24 dev to-first");
    clients.ip("route add 10.77.2.0/24 dev to-second src 10.77.1.9");
    clients.ip("route add default via 10.77.1.1");
    for (const last of [1, 2]) servers.ip(`-6 address add fd77::${last}/64 dev first nodad`);
    clients.ip("-6 address add fd77::9/64 dev to-first nodad");
    clients.ip("-6 route add default via fd77::1");
    browser = await launchBrowser({ namespace: clients });
  });
  after(async () => {
    await browser?.close();
    servers?.remove();
    clients?.remove();
  });

  for (const { address, mediaIp, leavesBy } of announcements) {
    for (const way of ["directly", "relayed"]) {
      test(`bound to ${mediaIp} answers from ${address}, ${way}`, async () => {
        const host = address.includes(":") ? `[${address}]` : address;
        const server = await Server.start({
          namespace: servers,
          secure: true,
          ip: "10.77.1.1",
          mediaIp,
          media: `external_addresses = ["${address}"]`,
          more: `[turn]\nhost = "${host}"\nlisten = "${mediaIp}:3478"`,
        });
        try {
          const prepare = (user) => user.page.evaluate(goes, way);
          const users = await publishAndPlay(browser, server, prepare);
          for (const user of users) {
            const { kinds, address: remote } = await wayOf(user);
            assert.equal(remote, address);
            assert.ok(kinds.length > 0);
            assert.ok(kinds.every((kind) => (kind === "relay") === (way === "relayed")), kinds);
          }
          const other = leavesBy === "first" ? "second" : "first";
          const before = servers.packetsSent(leavesBy);
          const beforeOther = servers.packetsSent(other);
          await until("media leaves", () => servers.packetsSent(leavesBy) > before + 200);
          const strays = servers.packetsSent(other) - beforeOther;
          assert.ok(strays < 50, `${strays} packets left by the other interface`);
          for (const user of users) await user.context.close();
        } finally {
          await server.stop();
        }
      });
    }
  }
});
