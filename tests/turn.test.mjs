// The server's own TURN relay: Chromium that sends to nothing else, and clients that would like to
// get elsewhere.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { TurnClient } from "./harness/turn_client.mjs";
import { never, until } from "./harness/until.mjs";

/** Makes a page know one way to the TURN server alone. */
function relaysOver(way) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      const iceServers = configuration.iceServers.map(({ urls, ...access }) => ({
        urls: urls.filter((url) => url.startsWith(way.scheme) && url.endsWith(way.transport)),
        ...access,
      }));
      super({ ...configuration, iceServers });
    }
  };
}

/** The local candidate that carries a page's media. */
function localOf(user) {
  return user.page.evaluate(async () => {
    const statistics = await window.peers.at(-1).getStats();
    const transport = [...statistics.values()].find(({ type }) => type === "transport");
    const pair = statistics.get(transport?.selectedCandidatePairId);
    const local = statistics.get(pair?.localCandidateId);
    return { type: local?.candidateType, relayProtocol: local?.relayProtocol, url: local?.url };
  });
}

let browser, server;
before(async () => {
  server = await Server.start({
    secure: true,
    more: '[turn]\nhost = "127.0.0.1"\nlisten = "127.0.0.1:0"\ntls_listen = "127.0.0.1:0"',
  });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const [name, way] of Object.entries({
  UDP: { scheme: "turn:", transport: "udp" },
  TCP: { scheme: "turn:", transport: "tcp" },
  TLS: { scheme: "turns:", transport: "tcp" },
})) {
  test(`Chromium publishes and plays through the relay over ${name}`, async () => {
    const users = [];
    for (const userID of ["publisher", "viewer"]) {
      const option = { iceTransportPolicy: "relay" };
      const user = await User.open(browser, server, { userID, option });
      await user.page.evaluate(relaysOver, way);
      assert.deepEqual(await user.login(), { ok: true });
      users.push(user);
    }
    const [publisher, viewer] = users;
    await publisher.publish(`over-${name}`);
    await viewer.hearsStream("ADD", `over-${name}`);
    assert.deepEqual(await viewer.play(`over-${name}`), {});
    await viewer.seesAndHears(`over-${name}`);
    for (const user of users) {
      const local = await localOf(user);
      assert.equal(local.type, "relay");
      assert.equal(local.relayProtocol, name.toLowerCase());
      // The option is the engine's own, and no other candidate was gathered.
      const gathered = await user.page.evaluate(() => window.peers.at(-1).localDescription.sdp);
      assert.doesNotMatch(gathered, / typ (host|srflx)/);
      await user.context.close();
    }
  });
}

test("without the option Chromium goes directly where it can", async () => {
  const user = await User.open(browser, server, { userID: "direct" });
  assert.deepEqual(await user.login(), { ok: true });
  await user.publish("directly");
  await until("a pair is selected", async () => (await localOf(user)).type !== undefined);
  assert.notEqual((await localOf(user)).type, "relay");
  await user.context.close();
});

/** The server's figures of a name, by the value of their only label. */
async function figures(name) {
  const page = await (await fetch(`${server.adminOrigin}/metrics`)).text();
  const lines = page.matchAll(new RegExp(`^${name}(?:\\{\\w+="(\\w+)"\\})? (\\d+)$`, "gm"));
  return Object.fromEntries([...lines].map(([, label, value]) => [label ?? "", Number(value)]));
}

test("an allocation ends with its session, and its password opens nothing any more", async () => {
  const option = { iceTransportPolicy: "relay" };
  const user = await User.open(browser, server, { userID: "kicked", option });
  await user.page.evaluate(relaysOver, { scheme: "turn:", transport: "udp" });
  // What the SDK was given, for a client of TURN that has no manners.
  await user.page.evaluate(() => {
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration) {
        super(configuration);
        [window.turn] = configuration.iceServers;
      }
    };
  });
  assert.deepEqual(await user.login(), { ok: true });
  await user.publish("of-the-kicked");
  const { urls, username, credential } = await user.page.evaluate(() => window.turn);
  const [, port] = /:(\d+)\?/.exec(urls[0]);
  const client = new TurnClient({ port: Number(port), username, credential });
  const late = new TurnClient({ port: Number(port), username, credential });
  try {
    assert.equal(await client.allocate(), 0);
    assert.equal(await client.refresh(), 0);
    const before = await figures("odeum_turn_ended_with_session_total");
    const kicked = await server.backend.call("KickoutUser", {
      RoomId: user.roomID,
      UserId: [user.userID],
    });
    assert.equal(kicked.Code, 0, JSON.stringify(kicked));
    assert.equal(await client.refresh(), 401);
    assert.equal(await late.allocate(), 401);
    await until(
      "the allocations end",
      async () => (await figures("odeum_turn_ended_with_session_total"))[""] > before[""],
    );
    const refusals = await figures("odeum_turn_refusals_total");
    assert.ok(refusals.session_ended >= 2, JSON.stringify(refusals));
  } finally {
    client.close();
    late.close();
    await user.context.close();
  }
  await until(
    "no allocation is left",
    async () => (await figures("odeum_turn_allocations"))[""] === 0,
    { shown: () => figures("odeum_turn_allocations") },
  );
  const carried = await figures("odeum_turn_relayed_packets_total");
  assert.ok(carried.to_media > 100 && carried.to_clients > 10, JSON.stringify(carried));
});

/** What WHIP tells a client with a token of the relay: `{ port, username, credential }`. */
async function access(userID) {
  const user = await User.open(browser, server, { userID });
  try {
    return await user.page.evaluate(async (token) => {
      const headers = { Authorization: `Bearer ${token}` };
      const { headers: told } = await fetch("/whip/room/any", { method: "OPTIONS", headers });
      const link = /<turn:[\d.]+:(\d+)\?transport=udp>.*?username="(.*?)"; credential="(.*?)"/;
      const [, port, username, credential] = link.exec(told.get("link"));
      return { port: Number(port), username, credential };
    }, server.token(userID));
  } finally {
    await user.context.close();
  }
}

test("the relay leads to the media port and nowhere else", async () => {
  const client = new TurnClient(await access("stranger"));
  const media = Number(server.mediaAddress.split(":").at(-1));
  const victim = createSocket("udp4");
  let arrived = 0;
  victim.on("message", () => (arrived += 1));
  await new Promise((resolve) => victim.bind(0, "127.0.0.1", resolve));
  try {
    assert.equal(await client.allocate(), 0);
    for (const address of ["10.0.0.1", "192.168.1.1", "169.254.169.254", "8.8.8.8", "127.0.0.2"]) {
      assert.equal(await client.createPermission(address, 80), 403, address);
      assert.equal(await client.bindChannel(address, 80), 403, address);
    }
    assert.equal(await client.createPermission("127.0.0.1", media), 0);
    const { port } = victim.address();
    assert.equal(await client.bindChannel("127.0.0.1", port), 403);
    const admin = Number(server.adminOrigin.split(":").at(-1));
    assert.equal(await client.bindChannel("127.0.0.1", admin), 403);
    for (let time = 0; time < 20; time += 1) client.send("127.0.0.1", port, "x");
    assert.equal(await client.bindChannel("127.0.0.1", media), 0, "the relay still serves");
    await never("a packet arrives elsewhere", () => arrived > 0, 500);
  } finally {
    client.close();
    victim.close();
  }
});

test("who has no password of this server's has no relay", async () => {
  const { port, username, credential } = await access("stranger");
  for (const wrong of [
    { username, credential: "guessed" },
    { username: username.replace(/^\d+/, "9999999999"), credential },
    { username: username.replace(/^\d+/, "1"), credential },
  ]) {
    const client = new TurnClient({ port, ...wrong });
    try {
      assert.equal(await client.allocate(), 401);
    } finally {
      client.close();
    }
  }
});
