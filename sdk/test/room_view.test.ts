// The view of a room: snapshots and notices in, events of the contract out.

import assert from "node:assert/strict";
import test from "node:test";
import { RoomView } from "../src/room_view.ts";
import type { Notice, Snapshot, Stream } from "../src/wire.ts";

const user = (id: string) => ({ user_id: id, user_name: id.toUpperCase() });
const stream = (id: string, owner: string): Stream => ({
  stream_id: id,
  user: user(owner),
  extra_info: "",
});
const snapshot = (users: string[], streams: Stream[]): Snapshot => ({
  sequence: 0,
  users: users.map(user),
  user_count: users.length + 1,
  streams,
  stream_sequence: 1,
  publishing: [],
  playing: [],
});
const streamUpdate = (update: "ADD" | "DELETE", streams: Stream[], code?: number): Notice => ({
  type: "stream_update",
  update,
  streams,
  stream_sequence: 2,
  ...(code === undefined ? {} : { reasons: streams.map(({ stream_id }) => ({ stream_id, code })) }),
});
/** Events in short: kind, type, ids. */
const short = (events: ReturnType<RoomView["takeNotice"]>): string[] =>
  events.map((event) => {
    switch (event.kind) {
      case "count":
        return `count ${event.count}`;
      case "roomExtraInfo":
        return `info ${event.list.map(({ key, value }) => `${key}=${value}`).join()}`;
      case "streamExtraInfo":
        return `info ${event.list.map((each) => `${each.streamID}=${each.extraInfo}`).join()}`;
      case "users":
        return `users ${event.updateType} ${event.users.map((each) => each.userID).join()}`;
      case "streams":
        return `streams ${event.updateType} ${event.streams.map((each) => each.streamID).join()}`;
    }
  });
const roomExtraInfo = (value: string, update_time_ms: number) => ({
  key: "topic",
  value,
  update_user: user("a"),
  update_time_ms,
});

test("the count of users is told with the room, and again when it has changed", () => {
  const view = new RoomView("me");
  const large = { ...snapshot(["a", "b"], [stream("s", "a")]), user_count: 600 };
  assert.deepEqual(short(view.takeSnapshot(large)), [
    "users ADD a,b",
    "count 600",
    "streams ADD s",
  ]);
  assert.deepEqual(short(view.takeNotice({ type: "user_count", count: 601 })), ["count 601"]);
  assert.deepEqual(short(view.takeSnapshot({ ...large, user_count: 601 })), []);
  assert.deepEqual(short(view.takeSnapshot({ ...large, user_count: 3 })), ["count 3"]);
});

test("the room's extra info is told with the room, and again when it was set again", () => {
  const view = new RoomView("me");
  const first = { ...snapshot([], []), room_extra_info: roomExtraInfo("cats", 5) };
  assert.deepEqual(short(view.takeSnapshot(first)), ["count 1", "info topic=cats"]);
  assert.deepEqual(short(view.takeSnapshot(first)), []);
  const again = { ...first, room_extra_info: roomExtraInfo("cats", 6) };
  assert.deepEqual(short(view.takeSnapshot(again)), ["info topic=cats"]);
  const notice: Notice = {
    type: "room_extra_info_update",
    room_extra_info: roomExtraInfo("dogs", 7),
  };
  const own = { ...roomExtraInfo("mine", 6), update_user: user("me") };
  assert.deepEqual(view.takeNotice({ type: "room_extra_info_update", room_extra_info: own }), []);
  assert.deepEqual(short(view.takeSnapshot({ ...first, room_extra_info: own })), []);
  assert.deepEqual(view.takeNotice(notice), [
    {
      kind: "roomExtraInfo",
      list: [
        {
          key: "topic",
          value: "dogs",
          updateUser: { userID: "a", userName: "A" },
          updateTime: 7,
        },
      ],
    },
  ]);
});

test("a stream's extra info is told when it changes, also while this client was away", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot([], [stream("s", "a"), stream("t", "b")]));
  const changed = (extra_info: string): Stream => ({ ...stream("s", "a"), extra_info });
  const notice: Notice = { type: "stream_extra_info_update", stream: changed("one") };
  assert.deepEqual(view.takeNotice(notice), [
    {
      kind: "streamExtraInfo",
      list: [{ streamID: "s", user: { userID: "a", userName: "A" }, extraInfo: "one" }],
    },
  ]);
  const missed = snapshot([], [changed("two"), stream("t", "b")]);
  assert.deepEqual(short(view.takeSnapshot(missed)), ["info s=two"]);
  assert.deepEqual(short(view.takeSnapshot(missed)), []);
});

test("the first snapshot adds users, then their streams", () => {
  const view = new RoomView("me");
  assert.deepEqual(short(view.takeSnapshot(snapshot(["a", "b"], [stream("s", "a")]))), [
    "users ADD a,b",
    "count 3",
    "streams ADD s",
  ]);
  assert.ok(view.hasStream("s"));
});

test("a snapshot without others tells how many users there are, and no more", () => {
  assert.deepEqual(short(new RoomView("me").takeSnapshot(snapshot([], []))), ["count 1"]);
});

test("a stream comes in the contract's form", () => {
  const [event] = new RoomView("me").takeNotice(streamUpdate("ADD", [stream("s", "a")]));
  assert.deepEqual(event, {
    kind: "streams",
    updateType: "ADD",
    extendedData: "",
    streams: [
      {
        streamID: "s",
        user: { userID: "a", userName: "A" },
        extraInfo: "",
        urlsFLV: "",
        urlsRTMP: "",
        urlsHLS: "",
        urlsHttpsFLV: "",
        urlsHttpsHLS: "",
      },
    ],
  });
});

test("a deleted stream says why, as the contract spells it", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot([], [stream("s", "a")]));
  const [event] = view.takeNotice(streamUpdate("DELETE", [stream("s", "a")], 6));
  assert.ok(event?.kind === "streams");
  assert.equal(event.extendedData, '{"stream_delete_reason":[{"streamID":"s","code":6}]}');
  assert.ok(!view.hasStream("s"));
});

test("what is known already is not told again", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot(["a"], [stream("s", "a")]));
  assert.deepEqual(view.takeNotice(streamUpdate("ADD", [stream("s", "a")])), []);
  const known: Notice = { type: "user_update", update: "ADD", users: [user("a")] };
  assert.deepEqual(view.takeNotice(known), []);
});

test("what is not known is not taken away", () => {
  const view = new RoomView("me");
  assert.deepEqual(view.takeNotice(streamUpdate("DELETE", [stream("s", "a")], 1)), []);
});

test("a later snapshot tells only the difference, what went before what came", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot(["a", "b"], [stream("s", "a"), stream("t", "b")]));
  const events = view.takeSnapshot(snapshot(["b", "c"], [stream("t", "b"), stream("u", "c")]));
  assert.deepEqual(short(events), [
    "streams DELETE s",
    "users DELETE a",
    "users ADD c",
    "streams ADD u",
  ]);
});

test("a stream id that changed hands goes and comes", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot([], [stream("s", "a")]));
  assert.deepEqual(short(view.takeSnapshot(snapshot([], [stream("s", "b")]))), [
    "streams DELETE s",
    "streams ADD s",
  ]);
});

test("a user who logs in anew loses the stream and keeps the place", () => {
  const view = new RoomView("me");
  view.takeSnapshot(snapshot(["a"], [stream("s", "a")]));
  // Ruling 18: the stream goes with code 3, the user stays.
  assert.deepEqual(short(view.takeNotice(streamUpdate("DELETE", [stream("s", "a")], 3))), [
    "streams DELETE s",
  ]);
  assert.deepEqual(short(view.takeNotice(streamUpdate("ADD", [stream("s", "a")]))), [
    "streams ADD s",
  ]);
});
