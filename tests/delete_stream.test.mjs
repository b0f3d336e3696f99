// The founding page: a backend deletes a stream, everyone is told, its publisher stays. Then
// KickoutUser and CloseRoom. Real browsers, real media, over https with wss and over http with ws.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser, User } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

for (const isSecure of [true, false]) {
  describe(isSecure ? "over https and wss" : "over http and ws", () => {
    let browser, server, backend, a, b, c;
    const room = { RoomId: "room", UserId: "backend" };

    before(async () => {
      [browser, server] = await Promise.all([launchBrowser(), Server.start({ secure: isSecure })]);
      backend = server.backend;
      [a, b, c] = await Promise.all(
        ["a", "b", "c"].map((userID) => User.open(browser, server, { userID })),
      );
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test("three users log in and hear of one another", async () => {
      for (const user of [a, b, c]) assert.deepEqual(await user.login(), { ok: true });
      const states = (await a.events("roomStateChanged")).map(([, reason]) => reason);
      assert.deepEqual(states, ["LOGINING", "LOGINED"]);
      await a.heard(
        "roomUserUpdate",
        ([, type, users]) => type === "ADD" && users[0].userID === "b",
      );
      await a.heard(
        "roomUserUpdate",
        ([, type, users]) => type === "ADD" && users[0].userID === "c",
      );
      const [, , users] = await c.heard("roomUserUpdate", ([, type]) => type === "ADD");
      assert.deepEqual(users.map((user) => user.userID).sort(), ["a", "b"]);
      assert.equal(users[0].userName, users[0].userID.toUpperCase());
    });

    test("c sees and hears what a and b publish", async () => {
      await Promise.all([a.publish("stream-a", { extraInfo: "of a" }), b.publish("stream-b")]);
      for (const streamID of ["stream-a", "stream-b"]) {
        await c.hearsStream("ADD", streamID);
        assert.deepEqual(await c.play(streamID), {});
        await c.heard(
          "playerStateUpdate",
          ([is]) => is.streamID === streamID && is.state === "PLAYING",
        );
        await c.seesAndHears(streamID);
      }
      const [, , streams] = await c.heard(
        "roomStreamUpdate",
        ([, , [stream]]) => stream.streamID === "stream-a",
      );
      assert.equal(streams[0].extraInfo, "of a");
      assert.equal(streams[0].user.userID, "a");
      await a.neverHears("roomStreamUpdate", ([, , [stream]]) => stream.streamID === "stream-a", {
        for_ms: 100,
      });
    });

    test("quality is told of what is published and played", async () => {
      const isFlowing = ([, { video, audio }]) =>
        video.videoBitrate > 0 && video.videoFPS > 0 && audio.audioBitrate > 0;
      const [, sent] = await a.heard("publishQualityUpdate", isFlowing);
      assert.equal(sent.video.googCodecName, "VP8");
      assert.equal(sent.audio.audioCodec, "opus");
      const [, received] = await c.heard("playQualityUpdate", isFlowing);
      assert.ok(received.video.frameWidth > 0);
      assert.equal(received.audio.audioSamplingRate, 48_000);
    });

    test("DeleteStream takes a's stream out for everyone, at once", async () => {
      await c.holdPeers();
      const reply = await backend.call("DeleteStream", { ...room, StreamId: "stream-a" });
      assert.deepEqual(Object.keys(reply), ["Code", "Message", "RequestId"]);
      assert.equal(reply.Code, 0, reply.Message);
      for (const user of [b, c]) {
        assert.deepEqual(await user.hearsStream("DELETE", "stream-a"), [
          { streamID: "stream-a", code: 6 },
        ]);
      }
      const [played] = await c.heard("playerStateUpdate", ([is]) => is.state === "NO_PLAY");
      assert.deepEqual(played, {
        streamID: "stream-a",
        state: "NO_PLAY",
        errorCode: 1004025,
        extendedData: '{"reason":"stream_deleted"}',
      });
      const [published] = await a.heard(
        "publisherStateUpdate",
        ([is]) => is.state === "NO_PUBLISH",
      );
      assert.deepEqual(published, {
        streamID: "stream-a",
        state: "NO_PUBLISH",
        errorCode: 1003025,
        extendedData: '{"reason":"stream_deleted"}',
      });
    });

    test("its bytes stop, and b's stream goes on", async () => {
      // c's transport was kept open: what the server still sent would be counted.
      // Chromium's numbers are up to 50 ms old: the first may lack what came before the end.
      await pause(100);
      const before = await c.received("stream-a");
      assert.ok(before.bytes > 0);
      await c.seesAndHears("stream-b");
      await c.seesAndHears("stream-b");
      assert.equal((await c.received("stream-a")).bytes, before.bytes);
    });

    test("a is not told of a stream's end but by its own publication, and stays in the room", async () => {
      await a.neverHears("roomStreamUpdate", ([, type]) => type === "DELETE", { for_ms: 300 });
      const users = await backend.call("DescribeUserList", { RoomId: "room" });
      assert.deepEqual(users.Data.UserList.map((user) => user.UserId).sort(), ["a", "b", "c"]);
      const streams = await backend.call("DescribeSimpleStreamList", { RoomId: "room" });
      assert.deepEqual(
        streams.Data.StreamList.map((stream) => stream.StreamId),
        ["stream-b"],
      );
    });

    test("the same call again finds no stream", async () => {
      const reply = await backend.call("DeleteStream", { ...room, StreamId: "stream-a" });
      assert.equal(reply.Code, 138);
    });

    test("a publishes again under the same id, and c sees it", async () => {
      const since = await c.mark();
      await a.publish("stream-a");
      await c.hearsStream("ADD", "stream-a", { since });
      assert.deepEqual(await c.play("stream-a"), {});
      await c.seesAndHears("stream-a");
    });

    test("KickoutUser takes a out, with the reason, and the others see it go", async () => {
      const since = await Promise.all([a.mark(), b.mark(), c.mark()]);
      const reply = await backend.call("KickoutUser", {
        RoomId: "room",
        UserId: ["a"],
        CustomReason: "enough",
      });
      assert.equal(reply.Code, 0, reply.Message);
      assert.deepEqual(await a.hearsRoomState("KICKOUT"), {
        errorCode: 1002055,
        extendedData: "enough",
      });
      await a.heard("publisherStateUpdate", ([is]) => is.state === "NO_PUBLISH", {
        since: since[0],
      });
      for (const [index, user] of [b, c].entries()) {
        const options = { since: since[index + 1] };
        await user.heard(
          "roomUserUpdate",
          ([, type, users]) => type === "DELETE" && users[0].userID === "a",
          options,
        );
        assert.deepEqual(await user.hearsStream("DELETE", "stream-a", options), [
          { streamID: "stream-a", code: 4 },
        ]);
      }
      await c.heard(
        "playerStateUpdate",
        ([is]) => is.streamID === "stream-a" && is.state === "NO_PLAY",
        {
          since: since[2],
        },
      );
    });

    test("CloseRoom takes everybody out, and the room is gone", async () => {
      const reply = await backend.call("CloseRoom", { RoomId: "room", CustomReason: "good night" });
      assert.equal(reply.Code, 0, reply.Message);
      for (const user of [b, c]) {
        assert.deepEqual(await user.hearsRoomState("KICKOUT"), {
          errorCode: 1002055,
          extendedData: "good night",
        });
      }
      await c.heard(
        "playerStateUpdate",
        ([is]) => is.streamID === "stream-b" && is.state === "NO_PLAY",
      );
      const count = await backend.call("DescribeUserNum", { RoomId: ["room"] });
      assert.deepEqual(
        count.Data.UserCountList.map((each) => each.UserCount),
        [0],
      );
      const added = await backend.call("AddStream", { ...room, StreamId: "late" });
      assert.equal(added.Code, 104);
    });

    test("who was taken out may come back, to a room that begins anew", async () => {
      assert.deepEqual(await a.login(), { ok: true });
      const count = await backend.call("DescribeUserNum", { RoomId: ["room"] });
      assert.deepEqual(
        count.Data.UserCountList.map((each) => each.UserCount),
        [1],
      );
      await a.call("logoutRoom");
      assert.deepEqual(await a.hearsRoomState("LOGOUT"), { errorCode: 0, extendedData: "" });
      await until(
        "the room is empty",
        async () => {
          const { Data } = await backend.call("DescribeUserNum", { RoomId: ["room"] });
          return Data.UserCountList[0].UserCount === 0;
        },
        { every_ms: 300 },
      );
    });
  });
}
