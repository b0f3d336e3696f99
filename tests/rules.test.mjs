// Bans and stream control: what a backend takes away, in real browsers. Stream rules cut audio or
// video and give it back, ForbidRTCStream ends a stream until it is resumed, user rules refuse the
// next login or publication, and all of them outlive a restart.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchBrowser, openUsers, User } from "./harness/browser.mjs";
import { configText, Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

const room = "room";
const isOf = (streamID, state) => (values) =>
  values[0].streamID === streamID && values[0].state === state;

/** What is watched to see whether media flows or stands still, milliseconds. */
const window_ms = 2_000;

/** In that time more than so many pictures and packets of audio come of what flows. */
const flowing = { frames: 5, audioPackets: 60 };

/**
 * Asserts that exactly what a rule leaves arrives: nothing of what it cuts, and the rest as fast as
 * it is sent in one window, the first one or on a slow machine a later one.
 */
async function seesAndHears(user, streamID, { video: hasVideo, audio: hasAudio }) {
  // Chromium's numbers are up to 50 ms old, and what was under way still comes out of its buffers.
  await pause(300);
  const added = async () => {
    const [before, began_ms] = [await user.received(streamID), performance.now()];
    await pause(window_ms);
    const [now, took_ms] = [await user.received(streamID), performance.now() - began_ms];
    const inWindow = (name) => ((now[name] - before[name]) * window_ms) / took_ms;
    return { frames: inWindow("framesDecoded"), audioPackets: inWindow("audioPackets") };
  };
  await until(
    `${user.userID} gets what is left of ${streamID}`,
    async () => {
      const { frames, audioPackets } = await added();
      if (!hasVideo) assert.equal(frames, 0, "no frame");
      if (!hasAudio) assert.equal(audioPackets, 0, "no packet of audio");
      return (
        (!hasVideo || frames > flowing.frames) &&
        (!hasAudio || audioPackets > flowing.audioPackets)
      );
    },
    { shown: added },
  );
}

/** Waits until picture and sound arrive. */
async function flowsAgain(user, streamID, options = {}) {
  const before = await user.received(streamID);
  const flows = async () => {
    const now = await user.received(streamID);
    const frames = now.framesDecoded - before.framesDecoded;
    return frames > 5 && now.audioPackets - before.audioPackets > 25;
  };
  await until(`${user.userID} gets all of ${streamID}`, flows, {
    ...options,
    shown: async () => [before, await user.received(streamID)],
  });
}

describe("rules and stream control", () => {
  let browser, server, ann, bob, cat;
  let sequence = Date.now();

  before(async () => {
    server = await Server.start();
    browser = await launchBrowser();
    [ann, bob, cat] = await openUsers(browser, server, ["ann", "bob", "cat"]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Calls an action that has to succeed; returns its Data. */
  async function does(action, parameters) {
    const reply = await server.backend.call(action, parameters);
    assert.equal(reply.Code, 0, `${action}: ${reply.Message}`);
    return reply.Data;
  }
  const control = (action, parameters) => {
    sequence += 1;
    return does(action, { ...parameters, Sequence: String(sequence) });
  };
  const streamState = (StreamId) => {
    sequence += 1;
    return server.backend.call("DescribeRTCStreamState", { StreamId, Sequence: String(sequence) });
  };
  const cut = (StreamId, bits) => does("SetForbidStreamRule", { RoomId: room, StreamId, ...bits });
  const giveBack = (StreamId) => does("DelForbidStreamRule", { RoomId: room, StreamId });
  const rulesOf = async (...StreamId) => {
    const data = await does("DescribeForbidStreamRules", { RoomId: room, StreamId });
    return data.ForbidStreamRuleList;
  };
  const mediaEvents = async (user, since) => [
    ...(await user.events("publisherStateUpdate", { since })),
    ...(await user.events("playerStateUpdate", { since })),
    ...(await user.events("roomStreamUpdate", { since })),
  ];
  /** Begins to publish and returns how that is refused. */
  async function refusedPublication(user, streamID) {
    const since = await user.mark();
    await user.beginPublishing(streamID);
    const [over] = await user.heard("publisherStateUpdate", isOf(streamID, "NO_PUBLISH"), {
      since,
    });
    return over;
  }

  describe("a stream rule", () => {
    before(async () => {
      await ann.publish("cam");
      await bob.hearsStream("ADD", "cam");
      assert.deepEqual(await bob.play("cam"), {});
      await flowsAgain(bob, "cam");
    });

    for (const [what, bits, left] of [
      ["video", { DisableVideo: 1 }, { video: false, audio: true }],
      ["audio", { DisableAudio: 1 }, { video: true, audio: false }],
      ["both", { DisableVideo: 1, DisableAudio: 1 }, { video: false, audio: false }],
    ]) {
      test(`on ${what} cuts that alone, and its deletion gives it back by itself`, async () => {
        const users = [ann, bob, cat];
        const since = await Promise.all(users.map((user) => user.mark()));
        await cut("cam", bits);
        await seesAndHears(bob, "cam", left);
        const [rule] = await rulesOf("cam");
        assert.deepEqual(
          [rule.DisableVideo, rule.DisableAudio],
          [bits.DisableVideo ?? 0, bits.DisableAudio ?? 0],
        );
        await giveBack("cam");
        await flowsAgain(bob, "cam");
        for (const [index, user] of users.entries())
          assert.deepEqual(await mediaEvents(user, since[index]), [], `${user.userID}: no event`);
      });
    }

    test("is replaced by the next one about the same stream", async () => {
      await cut("cam", { DisableAudio: 1 });
      await cut("cam", { DisableVideo: 1 });
      await seesAndHears(bob, "cam", { video: false, audio: true });
      await giveBack("cam");
      await flowsAgain(bob, "cam");
    });

    test("ends by itself when its EffectiveTime is over", async () => {
      const lifetime_s = 5;
      const setAt_ms = Date.now();
      await cut("cam", { DisableVideo: 1, EffectiveTime: lifetime_s });
      await seesAndHears(bob, "cam", { video: false, audio: true });
      await flowsAgain(bob, "cam");
      const after_ms = Date.now() - setAt_ms;
      assert.ok(after_ms >= lifetime_s * 1_000, `${after_ms} ms`);
    });

    test("holds for who begins to play or to publish under it", async () => {
      await Promise.all([cut("cam", { DisableVideo: 1 }), cut("desk", { DisableAudio: 1 })]);
      assert.deepEqual(await cat.play("cam"), {});
      await cat.publish("desk");
      await bob.hearsStream("ADD", "desk");
      assert.deepEqual(await bob.play("desk"), {});
      await Promise.all([
        until("cat hears cam", async () => (await cat.received("cam")).audioPackets > 25),
        until("bob sees desk", async () => (await bob.received("desk")).framesDecoded > 5),
      ]);
      assert.equal((await cat.received("cam")).framesDecoded, 0);
      assert.equal((await bob.received("desk")).audioPackets, 0);
      await Promise.all([giveBack("cam"), giveBack("desk")]);
      await Promise.all([flowsAgain(cat, "cam"), flowsAgain(bob, "desk")]);
    });

    test("is about one room, and needs no stream there", async () => {
      const other = { RoomId: "other", StreamId: "cam", DisableVideo: 1, DisableAudio: 1 };
      await does("SetForbidStreamRule", other);
      await seesAndHears(bob, "cam", { video: true, audio: true });
    });
  });

  describe("a forbidden stream", () => {
    test("is live before, and another id unknown", async () => {
      const { Code, Data } = await streamState("cam");
      assert.equal(Code, 0);
      assert.match(Data.create_time, /^\d{10}$/);
      assert.equal(Data.close_time, "");
      assert.equal((await streamState("never-published")).Code, 41004);
    });

    test("ends for its publisher, its players and the room, and its bytes stop", async () => {
      const users = [ann, bob, cat];
      const since = await Promise.all(users.map((user) => user.mark()));
      await bob.holdPeers();
      await control("ForbidRTCStream", { StreamId: "cam" });
      const extendedData = '{"reason":"stream_forbidden"}';
      const [over] = await ann.heard("publisherStateUpdate", isOf("cam", "NO_PUBLISH"), {
        since: since[0],
      });
      assert.deepEqual(over, {
        streamID: "cam",
        state: "NO_PUBLISH",
        errorCode: 1003025,
        extendedData,
      });
      for (const [index, user] of [bob, cat].entries()) {
        const options = { since: since[index + 1] };
        const [ended] = await user.heard("playerStateUpdate", isOf("cam", "NO_PLAY"), options);
        assert.deepEqual(ended, {
          streamID: "cam",
          state: "NO_PLAY",
          errorCode: 1004025,
          extendedData,
        });
        assert.deepEqual(await user.hearsStream("DELETE", "cam", options), [
          { streamID: "cam", code: 6 },
        ]);
      }
      await seesAndHears(bob, "cam", { video: false, audio: false });
      await seesAndHears(bob, "desk", { video: true, audio: true });
      assert.deepEqual(await ann.events("roomStreamUpdate", { since: since[0] }), []);
    });

    test("is closed then, with the time of its end", async () => {
      const { Code, Data } = await until("the end is in the ledger", async () => {
        const reply = await streamState("cam");
        return reply.Code === 41006 && reply;
      });
      assert.equal(Code, 41006);
      assert.ok(Number(Data.close_time) >= Number(Data.create_time), JSON.stringify(Data));
    });

    test("is refused to everybody, in every room, until it is resumed", async () => {
      const { errorCode, extendedData } = await refusedPublication(ann, "cam");
      assert.equal(errorCode, 1003025);
      assert.match(extendedData, /forbidden/);
      const dan = await User.open(browser, server, { userID: "dan", roomID: "elsewhere" });
      assert.deepEqual(await dan.login(), { ok: true });
      assert.equal((await refusedPublication(dan, "cam")).errorCode, 1003025);
      const refused = await bob.play("cam");
      assert.equal(refused.errorCode, 1004025);
      const since = await Promise.all([ann.mark(), bob.mark()]);
      await control("ResumeRTCStream", { StreamId: "cam" });
      await ann.neverHears("publisherStateUpdate", () => true, { since: since[0], for_ms: 300 });
      await ann.publish("cam");
      await bob.hearsStream("ADD", "cam", { since: since[1] });
      assert.deepEqual(await bob.play("cam"), {});
      await flowsAgain(bob, "cam");
      assert.equal((await streamState("cam")).Code, 0);
      await dan.kill();
    });

    test("may be one of a batch, with ids that nobody knows", async () => {
      const both = { StreamId: ["desk", "not-yet"] };
      await control("ForbidRTCStreams", both);
      await cat.heard("publisherStateUpdate", isOf("desk", "NO_PUBLISH"));
      for (const streamID of both.StreamId)
        assert.equal((await refusedPublication(cat, streamID)).errorCode, 1003025);
      await control("ResumeRTCStreams", both);
      for (const streamID of both.StreamId) await cat.publish(streamID);
      for (const streamID of both.StreamId) await cat.call("stopPublishingStream", streamID);
    });

    test("stays as it is when the Sequence of a call does not grow", async () => {
      const stale = { StreamId: "cam", Sequence: String(sequence) };
      await streamState("cam");
      const reply = await server.backend.call("ForbidRTCStream", stale);
      assert.equal(reply.Code, 2);
      assert.match(reply.Message, /Sequence/);
      await seesAndHears(bob, "cam", { video: true, audio: true });
    });
  });

  describe("a user rule", () => {
    const [login, publish] = [1, 2];
    const ban = (key, DisabledPrivilege, EffectiveTime = 600) =>
      does("SetForbidUserRule", { ...key, DisabledPrivilege, EffectiveTime });
    const pardon = (key) => does("DelForbidUserRule", key);
    const annAnywhere = { RuleType: 3, UserId: "ann" };
    let eve;

    before(async () => {
      eve = await User.open(browser, server, { userID: "eve" });
    });

    for (const [by, key] of [
      ["address", { RuleType: 1, IP: "127.0.0.1" }],
      ["room", { RuleType: 2, RoomId: room }],
      ["user", { RuleType: 3, UserId: "eve" }],
      ["room and user", { RuleType: 4, RoomId: room, UserId: "eve" }],
    ]) {
      test(`by ${by} refuses the next login until it is deleted`, async () => {
        const { ExpireTime } = await ban(key, [login]);
        assert.ok(Math.abs(ExpireTime - Date.now() / 1_000 - 600) < 10, `${ExpireTime}`);
        const since = await eve.mark();
        assert.equal((await eve.login()).errorCode, 1002066);
        assert.equal((await eve.hearsRoomState("LOGIN_FAILED", { since })).errorCode, 1002066);
        await bob.seesAndHears("cam");
        const { RuleList } = await does("DescribeForbidUserRules", { RuleType: key.RuleType });
        const none = { IP: "", RoomId: "", UserId: "" };
        assert.deepEqual(RuleList, [
          { ...none, ...key, DisabledPrivilegeList: [login], ExpireTime },
        ]);
        await pardon(key);
        assert.deepEqual(await eve.login(), { ok: true });
        await eve.call("logoutRoom");
        const again = await server.backend.call("DelForbidUserRule", key);
        assert.equal(again.Code, 50124);
      });
    }

    test("against logging in spares other users and other rooms", async () => {
      const key = { RuleType: 4, RoomId: "other", UserId: "eve" };
      await ban(key, [login]);
      assert.deepEqual(await eve.login(), { ok: true });
      await eve.call("logoutRoom");
      await pardon(key);
    });

    test("ends by itself when its EffectiveTime is over", async () => {
      const setAt_ms = Date.now();
      await ban({ RuleType: 3, UserId: "eve" }, [login], 2);
      assert.equal((await eve.login()).errorCode, 1002066);
      await until("eve may log in", async () => (await eve.login()).ok === true, {
        every_ms: 200,
      });
      assert.ok(Date.now() - setAt_ms >= 2_000);
      await eve.call("logoutRoom");
    });

    // The second as well: who is in the room stays there, but may not publish (SetForbidUserRule).
    for (const [right, privilege] of [
      ["publishing", publish],
      ["logging in", login],
    ]) {
      test(`against ${right} leaves what runs and refuses the next publication`, async () => {
        await ban(annAnywhere, [privilege]);
        await seesAndHears(bob, "cam", { video: true, audio: true });
        const { errorCode } = await refusedPublication(ann, "second");
        assert.equal(errorCode, 1003025);
        await pardon(annAnywhere);
        await ann.publish("second");
        await ann.call("stopPublishingStream", "second");
      });
    }
  });

  describe("a restart of the server", () => {
    test("leaves every rule in force", async () => {
      await cut("cam", { DisableVideo: 1 });
      await control("ForbidRTCStream", { StreamId: "lasting" });
      const eve = { RuleType: 3, UserId: "eve" };
      const { ExpireTime } = await does("SetForbidUserRule", {
        ...eve,
        DisabledPrivilege: [1],
        EffectiveTime: 600,
      });
      const [ruleBefore] = await rulesOf("cam");
      const since = await ann.mark();
      server.process.kill("SIGTERM");
      await until("it ends", () => server.ended);
      const file = join(server.folder, "odeum.toml");
      writeFileSync(file, configText({ folder: server.folder }));
      const where = `127.0.0.1:${server.port}`;
      server = await new Server(server.folder, [
        "serve",
        ...["--config", file, "--listen", where],
      ]).ready();
      await ann.heard("publisherStateUpdate", isOf("cam", "PUBLISHING"), { since });
      const fay = await User.open(browser, server, { userID: "fay" });
      assert.deepEqual(await fay.login(), { ok: true });
      await fay.hearsStream("ADD", "cam");
      assert.deepEqual(await fay.play("cam"), {});
      await until("fay hears cam", async () => (await fay.received("cam")).audioPackets > 0);
      await seesAndHears(fay, "cam", { video: false, audio: true });
      assert.deepEqual((await rulesOf("cam"))[0], ruleBefore);
      assert.equal((await refusedPublication(ann, "lasting")).errorCode, 1003025);
      const { RuleList } = await does("DescribeForbidUserRules", { RuleType: 3 });
      assert.deepEqual(
        RuleList.map((rule) => [rule.UserId, rule.ExpireTime]),
        [["eve", ExpireTime]],
      );
      await giveBack("cam");
      await flowsAgain(fay, "cam");
    });
  });
});
