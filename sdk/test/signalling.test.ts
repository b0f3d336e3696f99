// A session against a server that is told how to behave: login, loss, resumption, relogin, the end.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { ErrorCode, ZegoError } from "../src/errors.ts";
import { Log } from "../src/log.ts";
import { Signalling } from "../src/signalling.ts";
import { CloseCode, type Notice } from "../src/wire.ts";
import { emptySnapshot, FakeServer, until } from "./fake_server.ts";

interface Rig {
  server: FakeServer;
  signalling: Signalling;
  /** Everything that was told, in short. */
  told: string[];
}

function rig(context: TestContext, servers = ["ws://one/signal"]): Rig {
  const server = new FakeServer();
  const told: string[] = [];
  const log = new Log();
  log.level = "disable";
  const signalling = new Signalling(
    {
      appID: 1,
      servers,
      roomID: "r",
      userID: "u",
      userName: "U",
      token: "04first",
      userUpdate: true,
      maxMemberCount: 0,
    },
    {
      onState: (reason, errorCode, extendedData) =>
        told.push(
          [reason, errorCode, extendedData].filter((part) => part !== 0 && part !== "").join(" "),
        ),
      onSnapshot: (snapshot, origin) => told.push(`snapshot ${origin} ${snapshot.sequence}`),
      onNotice: (notice) => told.push(notice.type),
      onOver: (errorCode) => told.push(`over ${errorCode}`),
    },
    server.open,
    log,
  );
  context.after(() => signalling.logout());
  return { server, signalling, told };
}

const userCame: Notice = {
  type: "user_update",
  update: "ADD",
  users: [{ user_id: "x", user_name: "" }],
};
const kicked = (code: number): Notice => ({ type: "kickout", code, custom_reason: "spam" });

test("a login tells its states and the room", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  assert.deepEqual(told, ["LOGINING", "LOGINED", "snapshot login 0"]);
  assert.deepEqual(server.last.sent[0], {
    type: "login",
    request_id: 1,
    version: 1,
    app_id: 1,
    room_id: "r",
    user_id: "u",
    user_name: "U",
    token: "04first",
    user_update: true,
    max_member_count: 0,
  });
});

test("a refused login rejects with the server's code and is over", async (context) => {
  const { server, signalling, told } = rig(context, ["ws://one/signal", "ws://two/signal"]);
  server.refusals.set("login", ErrorCode.TOKEN_EXPIRED);
  await assert.rejects(
    signalling.login(),
    (error) => error instanceof ZegoError && error.errorCode === 1_102_018,
  );
  assert.deepEqual(told, ["LOGINING", "over 1102018", "LOGIN_FAILED 1102018 refused"]);
  assert.equal(server.sockets.length, 1, "another server would refuse as well");
});

test("an unreachable server is followed by the next of the list", async (context) => {
  const { server, signalling, told } = rig(context, ["ws://one/signal", "ws://two/signal"]);
  server.isReachable = false;
  const login = signalling.login();
  await until("the first is tried", () => server.sockets.length === 2);
  server.isReachable = true;
  await login;
  assert.deepEqual(
    server.sockets.map((socket) => socket.url),
    ["ws://one/signal", "ws://two/signal"],
  );
  assert.equal(told.at(-1), "snapshot login 0");
});

test("when no server can be reached the login says that the network is lost", async (context) => {
  const { server, signalling } = rig(context);
  server.isReachable = false;
  await assert.rejects(signalling.login(), { errorCode: ErrorCode.NETWORK_LOST });
});

test("a cut WebSocket is resumed with the secret, and missed notices come once", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.notify(1, userCame);
  await until("the notice", () => told.includes("user_update"));
  server.replay = [
    { sequence: 1, notice: userCame },
    { sequence: 2, notice: { type: "token_will_expire", remaining_s: 30 } },
  ];
  server.last.cut();
  await until("the replay", () => told.includes("token_will_expire"));
  assert.deepEqual(told.slice(3), [
    "user_update",
    "RECONNECTING 1000017",
    "RECONNECTED",
    "token_will_expire",
  ]);
  const [resume] = server.last.sent;
  assert.ok(resume?.type === "resume");
  assert.deepEqual(
    [resume.session_id, resume.resume_secret, resume.last_sequence],
    [7, "1".padStart(32, "0"), 1],
  );
});

test("each resumption uses the secret of the one before", async (context) => {
  const { server, signalling } = rig(context);
  await signalling.login();
  for (const count of [2, 3]) {
    server.last.cut();
    await until("another WebSocket", () => server.sockets.length === count && signalling.isOpen);
  }
  const secrets = server.sockets
    .flatMap(({ sent }) => sent)
    .map((each) => each.type === "resume" && each.resume_secret);
  assert.deepEqual(secrets.filter(Boolean), ["1".padStart(32, "0"), "2".padStart(32, "0")]);
});

test("a resumption with a snapshot goes on from its number", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.resumeSnapshot = { ...emptySnapshot, sequence: 40 };
  server.last.cut();
  await until("the snapshot", () => told.includes("snapshot resume 40"));
  server.notify(41, userCame);
  await until("the next notice", () => told.includes("user_update"));
});

test("a gap in the numbers is closed by resuming", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.replay = [{ sequence: 1, notice: userCame }];
  server.notify(2, { type: "token_will_expire", remaining_s: 30 });
  await until("the missed notice", () => told.includes("user_update"));
  assert.ok(
    !told.includes("token_will_expire"),
    "what came too early is not told before what it follows",
  );
  const [resume] = server.last.sent;
  assert.ok(resume?.type === "resume" && resume.last_sequence === 0);
});

test("a session that the server has lost is followed by a new login", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.refusals.set("resume", 1_002_002);
  server.snapshot = { ...emptySnapshot, sequence: 3 };
  server.last.cut();
  await until("the new login", () => told.includes("snapshot relogin 3"));
  assert.deepEqual(told.slice(3), ["RECONNECTING 1000017", "RECONNECTED", "snapshot relogin 3"]);
});

test("a session that timed out or a closing server leads to a new login without trying to resume", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.last.cut(CloseCode.SERVER_CLOSING);
  await until("the new login", () => told.includes("snapshot relogin 0"));
  server.notify(1, { type: "kickout", code: 1_102_001, custom_reason: "" });
  await until(
    "another login",
    () => told.filter((each) => each === "snapshot relogin 0").length === 2,
  );
  const types = server.sockets.flatMap(({ sent }) => sent).map((each) => each.type);
  assert.ok(!types.includes("resume"));
  assert.ok(!told.some((each) => each.startsWith("KICKOUT")));
});

test("an overloaded server that refuses to resume is asked again", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.refusals.set("resume", ErrorCode.SERVER_UNKNOWN);
  server.last.cut();
  await until("a second attempt", () => server.sockets.length >= 3);
  server.refusals.clear();
  await until("it is resumed", () => told.includes("RECONNECTED"));
  assert.ok(
    server.sockets.flatMap(({ sent }) => sent).filter((each) => each.type === "login").length === 1,
  );
});

test("a token that has expired meanwhile ends it with that code", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.refusals.set("resume", ErrorCode.TOKEN_EXPIRED).set("login", ErrorCode.TOKEN_EXPIRED);
  server.last.cut();
  await until("the end", () => told.includes("RECONNECT_FAILED 1102018 refused"));
});

test("after five minutes it gives up", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { server, signalling, told } = rig(context);
  let now_ms = 0;
  context.mock.method(performance, "now", () => now_ms);
  await signalling.login();
  server.isReachable = false;
  server.last.cut();
  for (let step = 0; step < 20_000 && !told.at(-1)?.startsWith("RECONNECT_FAILED"); step += 1) {
    now_ms += 100;
    context.mock.timers.tick(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(told.at(-1), "RECONNECT_FAILED 1002053");
  assert.ok(now_ms >= 300_000 && now_ms < 330_000, `gave up after ${now_ms} ms`);
  assert.ok(server.sockets.length > 30, "it kept trying");
});

const said = (message: string): Notice => ({
  type: "broadcast_message",
  message_id: 1,
  from_user: { user_id: "x", user_name: "" },
  message,
  send_time_ms: 5,
});

test("messages beside a snapshot are told after it, each once", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.notify(1, said("seen"));
  await until("the message", () => told.includes("broadcast_message"));
  server.resumeSnapshot = { ...emptySnapshot, sequence: 9 };
  server.missed = [1, 4, 7].map((sequence) => ({ sequence, room_id: "r", ...said("m") }));
  server.last.cut();
  await until("the resumption", () => told.includes("snapshot resume 9"));
  assert.deepEqual(told.slice(4), [
    "RECONNECTING 1000017",
    "RECONNECTED",
    "snapshot resume 9",
    "broadcast_message",
    "broadcast_message",
  ]);
  server.notify(10, userCame);
  await until("the next notice", () => told.includes("user_update"));
});

test("messages that are lost for good are told with the reconnection", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.resumeSnapshot = { ...emptySnapshot, sequence: 9 };
  server.messagesLost = 3;
  server.last.cut();
  await until("the resumption", () => told.includes("snapshot resume 9"));
  assert.ok(told.includes('RECONNECTED {"messages_lost":3}'), told.join());
});

test("a notice without a number is told and counts for nothing", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.notify(1, userCame);
  server.notify(0, { ...said("x"), type: "barrage_message", message_id: "2_5_1" } as Notice);
  server.notify(0, { ...said("x"), type: "barrage_message", message_id: "2_5_2" } as Notice);
  server.notify(2, userCame);
  await until("the last", () => told.length === 7);
  assert.deepEqual(told.slice(3), [
    "user_update",
    "barrage_message",
    "barrage_message",
    "user_update",
  ]);
  assert.equal(server.sockets.length, 1);
});

test("being kicked is the end, with the backend's reason", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.notify(1, kicked(ErrorCode.KICKED_BY_SERVER));
  server.last.cut(CloseCode.SESSION_OVER);
  await until("the end", () => told.includes("KICKOUT 1002055 spam"));
  assert.deepEqual(told.slice(3), ["over 1002055", "KICKOUT 1002055 spam"]);
  await assert.rejects(signalling.opened(), { errorCode: ErrorCode.NOT_IN_ROOM });
  assert.equal(server.sockets.length, 1, "it does not come back");
});

test("heartbeats say what was seen", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.notify(1, userCame);
  await until("the notice", () => told.includes("user_update"));
  await until("a heartbeat", () =>
    server.last.sent.some((each) => each.type === "heartbeat" && each.last_sequence === 1),
  );
});

test("a refused heartbeat leads to a new login", async (context) => {
  const { server, signalling, told } = rig(context);
  server.refusals.set("heartbeat", 1_002_002);
  await signalling.login();
  await until("the new login", () => told.includes("snapshot relogin 0"));
});

test("an unanswered heartbeat leads to resumption", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { server, signalling, told } = rig(context);
  server.silent.add("heartbeat");
  await signalling.login();
  for (let step = 0; step < 500 && !told.includes("RECONNECTED"); step += 1) {
    context.mock.timers.tick(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(told.slice(3, 5), ["RECONNECTING 1000017", "RECONNECTED"]);
});

test("requests wait for the session to come back", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.last.cut();
  await until("the loss", () => told.includes("RECONNECTING 1000017"));
  const reply = await signalling.request({ type: "unplay", room_id: "r", stream_id: "s" });
  assert.equal(reply.type, "done");
  assert.deepEqual(server.last.sent.map((each) => each.type).slice(0, 2), ["resume", "unplay"]);
});

test("a renewed token is sent, and used to resume", async (context) => {
  const { server, signalling } = rig(context);
  await signalling.login();
  signalling.renewToken("04second");
  await until("the renewal", () => server.last.sent.some((each) => each.type === "renew_token"));
  server.last.cut();
  await until("the resumption", () => server.sockets.length === 2 && signalling.isOpen);
  const [resume] = server.last.sent;
  assert.ok(resume?.type === "resume" && resume.token === "04second");
});

test("a logout is told to the server and ends at once", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  signalling.logout();
  assert.deepEqual(told.slice(3), ["over 0", "LOGOUT"]);
  assert.equal(server.last.sent.at(-1)?.type, "logout");
  signalling.logout();
  assert.equal(told.length, 5, "a second one says nothing");
});

test("a logout while reconnecting stops the attempts", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.isReachable = false;
  server.last.cut();
  await until("an attempt", () => server.sockets.length === 2);
  signalling.logout();
  const opened = server.sockets.length;
  server.isReachable = true;
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told.at(-1), "LOGOUT");
  assert.equal(server.sockets.length, opened);
});

test("what cannot be read is passed over", async (context) => {
  const { server, signalling, told } = rig(context);
  await signalling.login();
  server.last.onmessage?.({ data: "{" });
  server.last.onmessage?.({ data: "null" });
  server.notify(1, userCame);
  await until("the next notice", () => told.includes("user_update"));
});
