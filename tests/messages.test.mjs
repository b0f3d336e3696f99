// What users say to each other, in two tabs of a real browser: each kind arrives, newcomers find
// what was attached, and a lost connection loses no broadcast and no command.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { CuttableProxy } from "./harness/proxy.mjs";
import { Server } from "./harness/server.mjs";

describe("messages", () => {
  let browser, server, proxy, a, b;
  const ok = { errorCode: 0, extendedData: "" };
  const fromA = { userID: "a", userName: "A" };

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    proxy = await CuttableProxy.before(server.port);
    a = await User.open(browser, server, { userID: "a" });
    const signalUrl = server.signalUrl(proxy.port);
    b = await User.open(browser, server, { userID: "b", signalUrl });
    for (const user of [a, b]) assert.deepEqual(await user.login(), { ok: true });
  });
  after(async () => {
    await proxy?.close();
    await browser?.close();
    await server?.stop();
  });

  /** Waits for a message with this text and returns what else came with it. */
  async function hears(user, name, text, options) {
    const [roomID, [info]] = await user.heard(
      name,
      ([, infos]) => infos[0].message === text,
      options,
    );
    assert.equal(roomID, "room");
    assert.ok(Math.abs(info.sendTime - Date.now()) < 60_000, String(info.sendTime));
    return info;
  }

  test("a broadcast message arrives with its sender, time and number", async () => {
    assert.deepEqual(await a.call("sendBroadcastMessage", "room", "hello"), ok);
    const info = await hears(b, "IMRecvBroadcastMessage", "hello");
    assert.deepEqual(info.fromUser, fromA);
    assert.equal(typeof info.messageID, "number");
    await a.neverHears("IMRecvBroadcastMessage", () => true);
  });

  test("a barrage message arrives with a name of category, time and number", async () => {
    assert.deepEqual(await a.call("sendBarrageMessage", "room", "bravo"), ok);
    const info = await hears(b, "IMRecvBarrageMessage", "bravo");
    assert.deepEqual(info.fromUser, fromA);
    assert.match(info.messageID, /^2_\d{13}_\d+$/);
  });

  test("a custom command arrives where it is sent, and who is not there is named", async () => {
    const sent = await a.call("sendCustomCommand", "room", "look", ["b", "nobody"]);
    const failed = JSON.stringify({ fail_users: [{ uid: "nobody", code: 50003 }] });
    assert.deepEqual(sent, { errorCode: 0, extendedData: failed });
    const [roomID, fromUser] = await b.heard(
      "IMRecvCustomCommand",
      ([, , command]) => command === "look",
    );
    assert.deepEqual([roomID, fromUser], ["room", fromA]);
    assert.deepEqual(await a.call("sendCustomCommand", "room", "look", ["nobody"]), {
      errorCode: 1009010,
      extendedData: failed,
    });
  });

  test("what the backend sends arrives like what users send", async () => {
    const common = { RoomId: "room", MessageContent: "from the backend" };
    const sender = { UserId: "robot", UserName: "Robby", MessageCategory: "1" };
    const robot = { userID: "robot", userName: "Robby" };
    const broadcast = await server.backend.call("SendBroadcastMessage", { ...common, ...sender });
    assert.equal(broadcast.Code, 0, JSON.stringify(broadcast));
    const barrage = await server.backend.call("SendBarrageMessage", { ...common, ...sender });
    assert.match(barrage.Data.MessageId, /^1_\d{13}_\d+$/);
    const command = await server.backend.call("SendCustomCommand", {
      ...common,
      FromUserId: "a",
      ToUserId: ["b", "nobody"],
    });
    assert.deepEqual([command.Code, command.Data], [
      0,
      { FailUsers: [{ Uid: "nobody", Code: 50003 }] },
    ]);
    for (const user of [a, b]) {
      const said = await hears(user, "IMRecvBroadcastMessage", common.MessageContent);
      assert.deepEqual([said.fromUser, said.messageID], [robot, broadcast.Data.MessageId]);
      const shouted = await hears(user, "IMRecvBarrageMessage", common.MessageContent);
      assert.deepEqual([shouted.fromUser, shouted.messageID], [robot, barrage.Data.MessageId]);
    }
    const isIt = ([, , text]) => text === common.MessageContent;
    const [, fromUser] = await b.heard("IMRecvCustomCommand", isIt);
    assert.deepEqual(fromUser, fromA, "the name of a user who is there");
    await a.neverHears("IMRecvCustomCommand", isIt);
  });

  test("the room's extra info reaches the others, and newcomers with the room", async () => {
    assert.deepEqual(await a.call("setRoomExtraInfo", "room", "topic", "cats"), ok);
    const isCats = ([, [info]]) => info.key === "topic" && info.value === "cats";
    const [, [info]] = await b.heard("roomExtraInfoUpdate", isCats);
    assert.deepEqual(info.updateUser, fromA);
    assert.equal((await b.call("setRoomExtraInfo", "room", "mood", "good")).errorCode, 1002017);
    const c = await User.open(browser, server, { userID: "c" });
    await c.login();
    await c.heard("roomExtraInfoUpdate", isCats);
    await c.heard("roomOnlineUserCountUpdate", ([, count]) => count === 3);
    await c.call("logoutRoom");
  });

  test("a stream's extra info reaches the others, and newcomers with the stream", async () => {
    await a.publish("stage", { extraInfo: "dark" });
    await b.hearsStream("ADD", "stage");
    assert.deepEqual(await a.call("setStreamExtraInfo", "stage", "lit"), ok);
    const [, [told]] = await b.heard("streamExtraInfoUpdate");
    assert.deepEqual(told, { streamID: "stage", user: fromA, extraInfo: "lit" });
    assert.equal((await b.call("setStreamExtraInfo", "stage", "mine")).errorCode, 1103055);
    const c = await User.open(browser, server, { userID: "c" });
    await c.login();
    await c.heard("roomStreamUpdate", ([, , [stream]]) => stream.extraInfo === "lit");
    await c.call("logoutRoom");
  });

  test("whoever talks too fast is refused", async () => {
    const codes = [];
    for (const text of ["1", "2", "3"])
      codes.push((await b.call("sendBroadcastMessage", "room", text)).errorCode);
    assert.deepEqual(codes, [0, 0, 1009015]);
  });

  // Of the notices that a session misses 64 KiB are replayed; what more is missed comes beside a
  // snapshot.
  for (const [what, count, bytes] of [
    ["a few", 2, 10],
    ["more than are replayed", 80, 1_000],
  ]) {
    test(`messages sent while a connection is cut arrive after it: ${what}`, async () => {
      const since = await b.mark();
      proxy.cut({ refuseNew: true });
      await b.hearsRoomState("RECONNECTING", { since });
      const due = [];
      for (let number = 0; number < count; number += 1) {
        due.push(`${what} ${number} `.padEnd(bytes, "."));
        const sent = await a.call("sendCustomCommand", "room", due.at(-1), ["b"]);
        assert.deepEqual(sent, ok, "an absent connection is not an absent user");
      }
      due.push(`${what}, by the backend`);
      const { Data } = await server.backend.call("SendCustomCommand", {
        RoomId: "room",
        FromUserId: "robot",
        ToUserId: ["b"],
        MessageContent: due.at(-1),
      });
      assert.deepEqual(Data, { FailUsers: [] });
      proxy.mend();
      await b.hearsRoomState("RECONNECTED", { since });
      await b.heard("IMRecvCustomCommand", ([, , command]) => command === due.at(-1), { since });
      const heard = (await b.events("IMRecvCustomCommand", { since })).map(([, , each]) => each);
      assert.deepEqual(heard, due, "each once, in order");
      await b.neverHears("IMRecvCustomCommand", ([, , command]) => command === due.at(-1), {
        since: await b.mark(),
      });
    });
  }
});
