// What strangers send to the ports of the built server: it answers nobody whom it does not know,
// and goes on serving the others.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

/** An offer of Chromium's. */
const offer = readFileSync(
  new URL("../fuzz/seeds/sdp_offer/chromium_publish.sdp", import.meta.url),
  "utf8",
);

/** A DTLS 1.2 record of epoch 0 with a ClientHello in it (RFC 6347, sections 4.1 and 4.2.2). */
function clientHello() {
  const body = Buffer.concat([
    Buffer.from([0xfe, 0xfd]),
    randomBytes(32),
    // No session, no cookie, one cipher suite, no compression.
    Buffer.from([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]),
  ]);
  const length = Buffer.from([0, 0, body.length]);
  const handshake = Buffer.concat([Buffer.from([1]), length, Buffer.from([0, 0, 0, 0, 0]), length]);
  const fragment = Buffer.concat([handshake, body]);
  const record = Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, fragment.length]);
  return Buffer.concat([record, fragment]);
}

/** A STUN binding request that proves nothing (RFC 8489, section 5). */
function bindingRequest() {
  return Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]);
}

/** The same with a user name, and an integrity that is not one. */
function namedRequest() {
  const name = Buffer.from(`${randomBytes(4).toString("hex")}:abcd123`);
  const integrity = Buffer.concat([Buffer.from([0, 8, 0, 20]), randomBytes(20)]);
  const attributes = Buffer.concat([Buffer.from([0, 6, 0, name.length]), name, integrity]);
  const head = bindingRequest();
  head.writeUInt16BE(attributes.length, 2);
  return Buffer.concat([head, attributes]);
}

/** An RTP packet of somebody. */
function rtp() {
  return Buffer.concat([Buffer.from([0x80, 96]), randomBytes(60)]);
}

describe("strangers", () => {
  let server;

  before(async () => {
    server = await Server.start({ app: "calls_per_second = { DescribeUserNum = 1000 }" });
  });
  after(() => server?.stop());

  const metric = async (name) => {
    const page = await (await fetch(`${server.adminOrigin}/metrics`)).text();
    const lines = page.split("\n").filter((line) => line.startsWith(name));
    assert.ok(lines.length > 0, `no ${name} on the page`);
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  const post = (sdp, userID, streamID = `stream-${userID}`) =>
    fetch(`${server.origin}/whip/room/${streamID}`, {
      method: "POST",
      headers: {
        "Content-Type": "application/sdp",
        Authorization: `Bearer ${server.token(userID)}`,
      },
      body: sdp,
    });
  const isServing = async (userID) => {
    const reply = await post(offer, userID);
    assert.equal(reply.status, 201, await reply.text());
    const location = new URL(reply.headers.get("location"), server.origin);
    await fetch(location, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${server.token(userID)}` },
    });
  };

  const isEmpty = () =>
    until("the media worker has no peer", async () => (await metric("odeum_media_peers")) === 0);

  test("nothing from an address that ICE has not let in is answered", async () => {
    const socket = createSocket("udp4");
    await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const answers = [];
    socket.on("message", (bytes) => answers.push(bytes));
    const [host, port] = server.mediaAddress.split(":");
    const before = {
      unknown: await metric("odeum_media_unknown_source_total"),
      refused: await metric("odeum_stun_refused_total"),
    };
    const each = 500;
    const makers = [clientHello, bindingRequest, namedRequest, rtp, () => randomBytes(100)];
    for (let round = 0; round < each; round += 1) {
      for (const make of makers) {
        await new Promise((resolve) => socket.send(make(), Number(port), host, resolve));
      }
    }
    // The kernel may drop some of a burst; that most were read and refused is what is claimed.
    let counts;
    await until("the server has read most of it", async () => {
      counts = {
        unknown: (await metric("odeum_media_unknown_source_total")) - before.unknown,
        refused: (await metric("odeum_stun_refused_total")) - before.refused,
      };
      return counts.unknown > each && counts.refused > each;
    }, { shown: () => counts });
    socket.close();
    assert.deepEqual(answers, []);
    await isEmpty();
    assert.equal(await metric("odeum_peer_panics_total"), 0);
    await isServing("after-the-flood");
  });

  test("offers made to be expensive are refused, and the next sound one is served", async () => {
    const times = (line, count) =>
      Array.from({ length: count }, (_, number) => `${line.replace("#", number)}\r\n`).join("");
    const video = offer.slice(offer.indexOf("m=video"));
    const bombs = {
      "m-lines": offer + video.repeat(10),
      candidates: offer + times("a=candidate:# 1 udp 1 10.0.0.1 9 typ host", 1_400),
      rids: offer + times("a=rid:r# send", 3_000),
      sources: offer + times("a=ssrc:# cname:x", 3_000),
      lines: offer + "a=x\r\n".repeat(11_000),
      "more than the body may have": offer + "a=x\r\n".repeat(60_000),
      nothing: "",
      "no SDP": "\u0000".repeat(1_000),
    };
    for (const [what, sdp] of Object.entries(bombs)) {
      const reply = await post(sdp, "bomber");
      const text = await reply.text();
      assert.ok(reply.status >= 400 && reply.status < 500, `${what}: ${reply.status} ${text}`);
      assert.ok(text.length < 1_000, `${what}: ${text.length} characters`);
    }
    await isEmpty();
    assert.equal(await metric("odeum_peer_panics_total"), 0);
    await isServing("after-the-bombs");
  });
});
