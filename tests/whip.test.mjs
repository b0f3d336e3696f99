// WHIP and WHEP in Chromium, beside users of the SDK: whoever publishes or plays with one POST is a
// user of the room like any other.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { appID, secret, Server } from "./harness/server.mjs";
import { sendsSizes } from "./harness/sizes.mjs";
import { makeToken } from "./harness/token.mjs";
import { until } from "./harness/until.mjs";
import { WhipClient } from "./harness/whip.mjs";

describe("WHIP and WHEP", () => {
  let browser, server, backend, user, client;
  const clients = [];
  const open = async () => {
    clients.push(await WhipClient.open(browser, server));
    return clients.at(-1);
  };

  before(async () => {
    server = await Server.start({
      more: "[rooms]\nheartbeat_timeout_s = 5",
      app: "calls_per_second = { DescribeUserNum = 1000 }",
    });
    backend = server.backend;
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    user = await User.open(browser, server, { userID: "watcher" });
    assert.deepEqual(await user.login(), { ok: true });
    client = await open();
  });
  afterEach(async () => {
    for (const each of clients.splice(0)) if (each.location) await each.ask("DELETE");
    await user.call("logoutRoom", "room");
    await Promise.all(browser.contexts().map((context) => context.close()));
    const isEmpty = async () => (await usersIn("room")) === 0;
    await until("the room is empty", isEmpty, { shown: () => usersIn("room") });
  });

  const usersIn = async (room) => {
    const reply = await backend.call("DescribeUserNum", { RoomId: [room] });
    assert.equal(reply.Code, 0, reply.Message);
    return reply.Data.UserCountList[0].UserCount;
  };
  const publish = async (streamID = "encoder-stream") => {
    const begun = await client.begin("publish", { streamID, userID: "encoder" });
    assert.equal(begun.status, 201, begun.text);
    await user.hearsStream("ADD", streamID);
    return begun;
  };

  test("a WHIP publisher is a user of the room whose stream is seen and heard", async () => {
    const { headers } = await publish();
    assert.equal(headers["content-type"], "application/sdp");
    assert.match(headers.location, /^\/whip\/room\/encoder-stream\/[0-9a-f]{32}$/);
    assert.match(headers.etag, /^"[^"]+"$/);
    await user.heard(
      "roomUserUpdate",
      ([, type, [who]]) => type === "ADD" && who.userID === "encoder" && who.userName === "encoder",
    );
    assert.equal(await usersIn("room"), 2);
    assert.deepEqual(await user.play("encoder-stream"), {});
    await user.seesAndHears("encoder-stream");

    // It stays for longer than the heartbeat's timeout, though nobody signals for it.
    const until_ms = performance.now() + 7_000;
    while (performance.now() < until_ms) await user.seesAndHears("encoder-stream");

    const since = await user.mark();
    assert.equal((await client.ask("DELETE")).status, 200);
    const [reason] = await user.hearsStream("DELETE", "encoder-stream", { since });
    assert.equal(reason.code, 1);
    assert.equal(await usersIn("room"), 1);
    assert.equal((await client.ask("DELETE")).status, 404, "a second time");
  });

  test("WHEP plays what the SDK publishes", async () => {
    await user.publish("of-the-sdk");
    const begun = await client.begin("play", { streamID: "of-the-sdk", userID: "viewer" });
    assert.equal(begun.status, 201, begun.text);
    assert.match(begun.headers.location, /^\/whep\/room\/of-the-sdk\//);
    await client.seesAndHears();
    assert.equal(await usersIn("room"), 2);
    assert.equal((await client.ask("DELETE")).status, 200);
    assert.equal(await usersIn("room"), 1);
  });

  test("WHEP's video_height decides which size of a simulcast stream is played", async () => {
    const streamID = "in-sizes";
    await user.publish(streamID, { simulcast: true, quality: 3 });
    await sendsSizes(user);
    for (const [userID, query, height] of [
      ["small", "?video_height=180", 180],
      // Between the sizes: the next larger one.
      ["middle", "?video_height=200", 360],
    ]) {
      const viewer = await open();
      const begun = await viewer.begin("play", { streamID, userID, query });
      assert.equal(begun.status, 201, begun.text);
      const sees = async () => (await viewer.received()).frameHeight === height;
      const shown = () => viewer.received();
      const options = { within_ms: 60_000, due_ms: 6_000, shown };
      await until(`${userID} sees ${height} rows`, sees, options);
      // And stays with it, though more would reach it.
      await viewer.seesAndHears();
      await viewer.seesAndHears();
      assert.ok(await sees(), JSON.stringify(await shown()));
    }
    for (const query of ["?video_height=many", "?video_height=70000", "?video_height=-1"]) {
      const refused = await client.begin("play", { streamID, userID: "wrong", query });
      assert.equal(refused.status, 400, query);
    }
  });

  test("WHEP plays what WHIP publishes", async () => {
    await publish();
    const viewer = await open();
    const play = { streamID: "encoder-stream", userID: "viewer" };
    assert.equal((await viewer.begin("play", play)).status, 201);
    await viewer.seesAndHears();
  });

  test("DeleteStream ends it and its session, for the stream is all that it came for", async () => {
    await publish();
    const since = await user.mark();
    const names = { RoomId: "room", UserId: "backend", StreamId: "encoder-stream" };
    assert.equal((await backend.call("DeleteStream", names)).Code, 0);
    const [reason] = await user.hearsStream("DELETE", "encoder-stream", { since });
    assert.equal(reason.code, 6);
    await until("it has left", async () => (await usersIn("room")) === 1);
    assert.equal((await client.ask("DELETE")).status, 404);
  });

  test("KickoutUser takes it out", async () => {
    await publish();
    const since = await user.mark();
    const kick = { RoomId: "room", UserId: ["encoder"] };
    assert.equal((await backend.call("KickoutUser", kick)).Code, 0);
    await user.hearsStream("DELETE", "encoder-stream", { since });
    await until("it is gone", async () => (await client.ask("DELETE")).status === 404);
    assert.equal(await usersIn("room"), 1);
  });

  test("a forbidden user and a forbidden stream are refused, and a ban ends a stream", async () => {
    await publish();
    const rule = { RuleType: 3, UserId: "banned", DisabledPrivilege: [1], EffectiveTime: 600 };
    assert.equal((await backend.call("SetForbidUserRule", rule)).Code, 0);
    const other = await open();
    const banned = await other.begin("publish", { streamID: "other", userID: "banned" });
    assert.equal(banned.status, 403);
    assert.equal(JSON.parse(banned.text).code, 1002066);

    const since = await user.mark();
    const StreamId = "encoder-stream";
    assert.equal((await backend.call("ForbidRTCStream", { StreamId, Sequence: 1 })).Code, 0);
    await user.hearsStream("DELETE", StreamId, { since });
    await until("it has left", async () => (await usersIn("room")) === 1);
    const again = await client.begin("publish", { streamID: StreamId, userID: "encoder" });
    assert.equal(again.status, 403);
    assert.equal(JSON.parse(again.text).code, 1003025);
    assert.equal((await backend.call("ResumeRTCStream", { StreamId, Sequence: 2 })).Code, 0);
    await publish();
  });

  test("a publisher that is gone without a word leaves", async () => {
    await publish();
    const since = await user.mark();
    await client.context.close();
    await user.hearsStream("DELETE", "encoder-stream", { since, within_ms: 60_000 });
    await until("it has left", async () => (await usersIn("room")) === 1);
  });

  test("the same user twice: the later one goes on", async () => {
    await publish();
    const since = await user.mark();
    const second = await open();
    const begun = await second.begin("publish", { streamID: "second", userID: "encoder" });
    assert.equal(begun.status, 201, begun.text);
    await user.hearsStream("DELETE", "encoder-stream", { since });
    await user.hearsStream("ADD", "second", { since });
    await until("the first is gone", async () => (await client.ask("DELETE")).status === 404);
    assert.equal((await second.ask("DELETE")).status, 200);
  });

  test("PATCH takes candidates under the entity tag", async () => {
    const { offer } = await publish();
    const ufrag = /a=ice-ufrag:(.*)/.exec(offer)[1].trim();
    const fragment = (ufrag) => `a=ice-ufrag:${ufrag}\r\na=ice-pwd:0123456789012345678901\r\n`;
    const patch = (headers, body = fragment(ufrag)) =>
      client.ask("PATCH", {
        headers: { "Content-Type": "application/trickle-ice-sdpfrag", ...headers },
        body,
      });
    assert.equal((await patch({ "If-Match": client.etag })).status, 204);
    assert.equal((await patch({})).status, 428);
    assert.equal((await patch({ "If-Match": '"another"' })).status, 412);
    assert.equal((await patch({ "If-Match": "*" }, fragment("no"))).status, 400);
    const json = { "If-Match": client.etag, "Content-Type": "application/json" };
    assert.equal((await patch(json)).status, 415);
    await client.reaches("connected");
  });

  test("PATCH restarts ICE, and media goes on over the same connection", async () => {
    await publish();
    assert.deepEqual(await user.play("encoder-stream"), {});
    await user.seesAndHears("encoder-stream");
    const old = client.etag;
    const answer = await client.restart();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers["content-type"], "application/trickle-ice-sdpfrag");
    assert.match(answer.text, /^a=ice-lite\r\nm=audio .*\r\na=mid:0\r\na=ice-ufrag:/);
    assert.notEqual(answer.headers.etag, old);
    await client.reaches("connected");
    await until("the new pair is nominated", () => client.usesUfrag(answer.ufrag));
    await user.seesAndHears("encoder-stream");
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": old };
    const late = await client.ask("PATCH", { headers, body: "a=end-of-candidates\r\n" });
    assert.equal(late.status, 412);
  });

  test("only who began it may end it", async () => {
    await publish();
    assert.equal((await client.ask("DELETE", { token: null })).status, 401);
    assert.equal((await client.ask("DELETE", { token: "04AAAA" })).status, 401);
    assert.equal((await client.ask("DELETE", { token: server.token("somebody") })).status, 403);
    const elsewhere = client.location.replace("/room/", "/hall/");
    assert.equal((await client.ask("DELETE", { path: elsewhere })).status, 404);
    assert.equal(await usersIn("room"), 2);
    assert.equal((await client.ask("DELETE", { token: server.token("encoder") })).status, 200);
  });

  test("what cannot begin is refused with a status and a sentence", async () => {
    const path = "/whip/room/stream";
    const sdp = { "Content-Type": "application/sdp" };
    const post = async (options) => {
      const request = { path, headers: sdp, ...options };
      const { status, text, headers } = await client.ask("POST", request);
      assert.equal(headers.get("content-type"), "application/problem+json", text);
      assert.equal(JSON.parse(text).status, status);
      return { status, code: JSON.parse(text).code, headers };
    };
    const token = server.token("encoder");
    const refused = await post({ body: "v=0", token: null });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    assert.equal((await post({ token: "04nonsense", body: "v=0" })).code, 1102016);
    const expired = makeToken({ appID, secret, userID: "encoder", lifetime_s: -1 });
    assert.equal((await post({ token: expired, body: "v=0" })).code, 1102018);
    const viewer = server.token("encoder", {
      payload: JSON.stringify({ room_id: "", privilege: { 1: 1, 2: 0 }, stream_id_list: null }),
    });
    const denied = await post({ token: viewer, body: "v=0" });
    assert.deepEqual([denied.status, denied.code], [403, 1103019]);
    assert.equal((await post({ token, body: "no SDP" })).status, 400);
    assert.equal((await post({ token, headers: {}, body: "v=0" })).status, 415);
    assert.equal((await post({ token, body: "v=0", path: "/whip/ro%20om/stream" })).status, 400);
    const play = await post({ token, body: "v=0", path: "/whep/room/nothing" });
    assert.deepEqual([play.status, play.code], [404, 1004002]);
    const large = await client.ask("POST", { path, headers: sdp, token, body: "x".repeat(70_000) });
    assert.equal(large.status, 413);
    assert.equal((await client.ask("GET", { path })).status, 405);
    assert.equal(await usersIn("room"), 1, "nobody is left behind");
  });

  test("a stream that somebody publishes is taken", async () => {
    await user.publish("taken");
    const begun = await client.begin("publish", { streamID: "taken", userID: "encoder" });
    assert.equal(begun.status, 409);
    assert.equal(JSON.parse(begun.text).code, 1003028);
    assert.equal(await usersIn("room"), 1);
  });

  test("OPTIONS says what is taken, to pages of any origin", async () => {
    const { status, headers } = await client.ask("OPTIONS", { path: "/whip/room/stream" });
    assert.equal(status, 204);
    assert.equal(headers.get("accept-post"), "application/sdp");
    assert.equal(headers.get("access-control-allow-origin"), "*");
    assert.match(headers.get("access-control-allow-headers"), /authorization/);
  });
});
