// Messages: what is refused before it is sent, what calls return, what the app is told.

import assert from "node:assert/strict";
import test from "node:test";
import { ZegoExpressEngine } from "../src/engine.ts";
import { Emitter, type ZegoEvent } from "../src/events.ts";
import {
  commandOutcome,
  messageFault,
  roomExtraInfoFault,
  streamExtraInfoFault,
  tellMessage,
} from "../src/messages.ts";
import { FakeServer } from "./fake_server.ts";

const from_user = { user_id: "ann", user_name: "Ann" };
const fromUser = { userID: "ann", userName: "Ann" };

/** An engine that is logged in to room `r` of a server in this process. */
async function engineIn(server: FakeServer, context: test.TestContext): Promise<ZegoExpressEngine> {
  const real = globalThis.WebSocket;
  globalThis.WebSocket = class {
    constructor(url: string) {
      return server.open(url) as unknown as object;
    }
  } as unknown as typeof WebSocket;
  const engine = new ZegoExpressEngine(1, "ws://one/signal");
  context.after(() => {
    engine.destroyEngine();
    globalThis.WebSocket = real;
  });
  await engine.loginRoom("r", "04token", { userID: "u" });
  return engine;
}

test("a text has 1 to 1,024 bytes, not characters", () => {
  assert.equal(messageFault("")?.errorCode, 1_009_001);
  assert.equal(messageFault(undefined)?.errorCode, 1_009_001);
  assert.equal(messageFault("é".repeat(513))?.errorCode, 1_009_002);
  assert.equal(messageFault("é".repeat(512)), undefined);
});

test("each fault of an extra info has its code", () => {
  assert.equal(roomExtraInfoFault("", "x")?.errorCode, 1_100_001);
  assert.equal(roomExtraInfoFault("k".repeat(11), "x")?.errorCode, 1_002_015);
  assert.equal(roomExtraInfoFault("k", "x".repeat(129))?.errorCode, 1_002_016);
  assert.equal(roomExtraInfoFault("k".repeat(10), ""), undefined);
  assert.equal(streamExtraInfoFault(null)?.errorCode, 1_003_050);
  assert.equal(streamExtraInfoFault("x".repeat(1_025))?.errorCode, 1_003_051);
  assert.equal(streamExtraInfoFault(""), undefined);
});

test("a command that reaches nobody has failed, one that reaches somebody names the others", () => {
  assert.equal(commandOutcome(["a", "b"], []), "");
  assert.equal(commandOutcome(["a", "b"], ["b"]), '{"fail_users":[{"uid":"b","code":50003}]}');
  assert.throws(() => commandOutcome(["b", "b"], ["b"]), { errorCode: 1_009_010 });
});

test("messages are told in the contract's shapes", () => {
  const emitter = new Emitter<ZegoEvent>();
  const told: unknown[] = [];
  for (const name of [
    "IMRecvBroadcastMessage",
    "IMRecvBarrageMessage",
    "IMRecvCustomCommand",
  ] as const)
    emitter.on(name, (...values: unknown[]) => told.push([name, ...values]));
  const common = { from_user, message: "hi", send_time_ms: 5 };
  const isTold = [
    tellMessage(emitter, "r", { type: "broadcast_message", message_id: 7, ...common }),
    tellMessage(emitter, "r", { type: "barrage_message", message_id: "2_5_8", ...common }),
    tellMessage(emitter, "r", { type: "custom_command", from_user, command: "look" }),
    tellMessage(emitter, "r", { type: "user_count", count: 1 }),
  ];
  assert.deepEqual(isTold, [true, true, true, false]);
  const info = { fromUser, message: "hi", sendTime: 5 };
  assert.deepEqual(told, [
    ["IMRecvBroadcastMessage", "r", [{ ...info, messageID: 7 }]],
    ["IMRecvBarrageMessage", "r", [{ ...info, messageID: "2_5_8" }]],
    ["IMRecvCustomCommand", "r", fromUser, "look"],
  ]);
});

test("calls resolve to a code, and say what the server said", async (context) => {
  const server = new FakeServer();
  const engine = await engineIn(server, context);
  const ok = { errorCode: 0, extendedData: "" };
  assert.deepEqual(await engine.sendBroadcastMessage("r", "hi"), ok);
  assert.deepEqual(await engine.sendBarrageMessage("r", "hi"), ok);
  assert.deepEqual(await engine.sendCustomCommand("r", "look", ["a"]), ok);
  assert.deepEqual(await engine.setRoomExtraInfo("r", "topic", "cats"), ok);
  assert.deepEqual(
    server.last.sent.slice(1).map(({ request_id: _, ...message }) => message),
    [
      { type: "send_broadcast_message", room_id: "r", message: "hi" },
      { type: "send_barrage_message", room_id: "r", message: "hi" },
      { type: "send_custom_command", room_id: "r", command: "look", to_user_ids: ["a"] },
      { type: "set_room_extra_info", room_id: "r", key: "topic", value: "cats" },
    ],
  );
  server.offline = ["a"];
  assert.deepEqual(await engine.sendCustomCommand("r", "look", ["a"]), {
    errorCode: 1_009_010,
    extendedData: '{"fail_users":[{"uid":"a","code":50003}]}',
  });
  server.refusals.set("send_broadcast_message", 1_009_015);
  const refused = { errorCode: 1_009_015, extendedData: "refused" };
  assert.deepEqual(await engine.sendBroadcastMessage("r", "hi"), refused);
});

test("what cannot be sent is not", async (context) => {
  const server = new FakeServer();
  const engine = await engineIn(server, context);
  const code = async (call: Promise<{ errorCode: number }>) => (await call).errorCode;
  assert.equal(await code(engine.sendBroadcastMessage("r", "")), 1_009_001);
  assert.equal(await code(engine.sendBarrageMessage("elsewhere", "hi")), 1_009_005);
  assert.equal(await code(engine.sendCustomCommand("r", "x".repeat(1_025))), 1_009_002);
  assert.equal(await code(engine.sendCustomCommand("r", "x", "a" as never)), 1_100_001);
  assert.equal(await code(engine.setRoomExtraInfo("elsewhere", "k", "v")), 1_002_002);
  assert.equal(await code(engine.setStreamExtraInfo("cam", "x")), 1_103_055);
  assert.equal(await code(engine.setStreamExtraInfo("cam", null as never)), 1_003_050);
  assert.equal(server.last.sent.length, 1, "only the login");
  engine.logoutRoom();
  assert.equal(await code(engine.sendBroadcastMessage("r", "hi")), 1_000_002);
});
