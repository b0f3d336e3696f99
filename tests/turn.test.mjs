// The server's own TURN relay: Chromium that sends to nothing else, and clients that would like to
// get elsewhere.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { launchBrowser, publishAndPlay, User } from "./harness/browser.mjs";
import { selectedPair } from "./harness/selected_pair.mjs";
import { Server } from "./harness/server.mjs";
import { TurnClient } from "./harness/turn_client.mjs";
import { never, until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

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

const ways = Object.entries({
  UDP: { scheme: "turn:", transport: "udp" },
  TCP: { scheme: "turn:", transport: "tcp" },
  TLS: { scheme: "turns:", transport: "tcp" },
});

for (const [name, way] of ways) {
  test(`Chromium publishes and plays through the relay over ${name}`, async () => {
    const prepare = (user) => user.page.evaluate(relaysOver, way);
    const option = { iceTransportPolicy: "relay" };
    const users = await publishAndPlay(browser, server, prepare, option);
    for (const user of users) {
      const { local } = await selectedPair(user.page);
      assert.equal(local.candidateType, "relay");
      assert.equal(local.relayProtocol, name.toLowerCase());
      // The option is the engine's own, and no other candidate was gathered.
      const gathered = await user.page.evaluate(() => window.peers.at(-1).localDescription.sdp);
      assert.doesNotMatch(gathered, / typ (host|srflx)/);
      await user.context.close();
    }
  });
}

describe("a relay that has a name of DNS", () => {
  const host = "relay.odeum.test";
  let browser, server;
  before(async () => {
    server = await Server.start({
      secure: true,
      more: `[turn]\nhost = "${host}"\nlisten = "127.0.0.1:0"\ntls_listen = "127.0.0.1:0"`,
    });
    browser = await launchBrowser({ hosts: { [host]: "127.0.0.1" } });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const [name, way] of ways) {
    test(`is where WHIP and WHEP clients go that ask by OPTIONS, over ${name}`, async () => {
      const streamID = `whip-over-${name}`;
      for (const role of ["publish", "play"]) {
        const client = await WhipClient.open(browser, server);
        const options = { streamID, userID: `${role}-${name}`, relaysOver: way };
        const { status, text, offer } = await client.begin(role, options);
        assert.equal(status, 201, text);
        assert.match(offer, /^a=candidate:.* typ relay/m, "it has gathered before it offers");
        await client.reaches("connected");
        const { local } = await selectedPair(client.page);
        const { candidateType, relayProtocol, url } = local;
        assert.deepEqual([candidateType, relayProtocol], ["relay", name.toLowerCase()]);
        assert.ok(url.startsWith(`${way.scheme}${host}:`), url);
        if (role === "play") await client.seesAndHears();
      }
      for (const context of browser.contexts()) await context.close();
    });
  }
});

test("without the option Chromium goes directly where it can", async () => {
  const user = await User.open(browser, server, { userID: "direct" });
  assert.deepEqual(await user.login(), { ok: true });
  await user.publish("directly");
  const isSelected = async () => (await selectedPair(user.page)).local;
  const local = await until("a pair is selected", isSelected);
  assert.notEqual(local.candidateType, "relay");
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
