// A media transport over a peer connection that does as it is told.

import assert from "node:assert/strict";
import test from "node:test";
import { ErrorCode, ZegoError } from "../src/errors.ts";
import { Transport, type TransportPlan } from "../src/transport.ts";
import { until } from "./fake_server.ts";

class FakePeer {
  static made: FakePeer[] = [];
  connectionState = "new";
  isClosed = false;
  localDescription: { sdp: string } | null = null;
  remoteDescription: { sdp: string } | null = null;
  onconnectionstatechange: (() => void) | null = null;
  readonly configuration: RTCConfiguration;
  constructor(configuration: RTCConfiguration) {
    this.configuration = configuration;
    FakePeer.made.push(this);
  }
  async createOffer(options?: { iceRestart?: boolean }): Promise<{ sdp: string }> {
    if (options?.iceRestart === true) return { sdp: "v=0\r\na=ice-ufrag:anew\r\n" };
    return { sdp: `offer ${FakePeer.made.length}` };
  }
  async setLocalDescription(offer: { sdp: string }): Promise<void> {
    this.localDescription = offer;
  }
  async setRemoteDescription(answer: { sdp: string }): Promise<void> {
    this.remoteDescription = answer;
  }
  close(): void {
    this.isClosed = true;
  }
  reach(state: "connected" | "disconnected" | "failed"): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}
(globalThis as { RTCPeerConnection?: unknown }).RTCPeerConnection = FakePeer;

function rig(changes: Partial<TransportPlan> = {}): {
  transport: Transport;
  told: string[];
  offers: string[];
} {
  FakePeer.made = [];
  const told: string[] = [];
  const offers: string[] = [];
  const transport = new Transport({
    prepare: () => undefined,
    ice: () => ({ iceServers: [], iceTransportPolicy: "all" }),
    ready: async () => false,
    adjust: (offer) => offer,
    exchange: async (offer) => {
      offers.push(offer);
      return "answer";
    },
    restart: async () => {
      throw new ZegoError(ErrorCode.NETWORK_LOST, "not published");
    },
    answered: () => undefined,
    mayPass: () => false,
    setupCode: ErrorCode.PLAY_SETUP,
    timeoutCode: ErrorCode.PLAY_RETRY_TIMEOUT,
    onState: (state, errorCode, reason) => told.push(`${state} ${errorCode} ${reason}`.trim()),
    ...changes,
  });
  return { transport, told, offers };
}

test("it is connected when the server says so", async () => {
  const { transport, told } = rig();
  await transport.start();
  assert.deepEqual(told, ["requesting 0"]);
  transport.connected();
  assert.deepEqual(told, ["requesting 0", "connected 0"]);
});

test("each connection has the ICE servers that the server has named last", async () => {
  let name = "first";
  const { transport } = rig({
    ice: () => ({ iceServers: [{ urls: [`stun:${name}`] }], iceTransportPolicy: "relay" }),
  });
  await transport.start();
  transport.connected();
  name = "second";
  FakePeer.made[0]?.reach("failed");
  await until("another connection", () => FakePeer.made.length === 2);
  const named = FakePeer.made.map(({ configuration }) => configuration.iceServers);
  assert.deepEqual(named, [[{ urls: ["stun:first"] }], [{ urls: ["stun:second"] }]]);
  const policies = FakePeer.made.map(({ configuration }) => configuration.iceTransportPolicy);
  assert.deepEqual(policies, ["relay", "relay"]);
});

test("a connection that fails is set up anew, and the old one closed", async () => {
  const { transport, told, offers } = rig();
  await transport.start();
  transport.connected();
  FakePeer.made[0]?.reach("failed");
  await until("another offer", () => offers.length === 2 && transport.isAnswered);
  transport.connected();
  assert.deepEqual(told, ["requesting 0", "connected 0", "requesting 1000017", "connected 0"]);
  assert.deepEqual(
    FakePeer.made.map((peer) => peer.isClosed),
    [true, false],
  );
});

test("a connection that is lost has its ICE restarted and nobody is told", async () => {
  const names: string[] = [];
  const { transport, told, offers } = rig({
    exchange: async () => "v=0\r\na=ice-ufrag:old\r\na=ice-pwd:oldpassword\r\na=end\r\n",
    restart: async (ufrag) => {
      names.push(ufrag);
      return { ufrag: "new", password: "newpassword" };
    },
  });
  await transport.start();
  transport.connected();
  const peer = FakePeer.made[0];
  peer?.reach("failed");
  const expected = "v=0\r\na=ice-ufrag:new\r\na=ice-pwd:newpassword\r\na=end\r\n";
  await until("the answer", () => peer?.remoteDescription?.sdp === expected);
  peer?.reach("connected");
  assert.deepEqual([names, told], [["anew"], ["requesting 0", "connected 0"]]);

  peer?.reach("failed");
  await until("another restart", () => names.length === 2);
  await new Promise((resolve) => setImmediate(resolve));
  peer?.reach("failed");
  await until("a connection of its own", () => FakePeer.made.length === 2);
  assert.deepEqual(offers, [], "the rig's own exchange was not used");
  assert.deepEqual(told.slice(2), ["requesting 1000017"]);
});

test("a connection that comes back by itself within a second is left alone", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let restarts = 0;
  const restart = async () => {
    restarts += 1;
    return { ufrag: "new", password: "newpassword" };
  };
  const { transport } = rig({ restart });
  await transport.start();
  transport.connected();
  const peer = FakePeer.made[0];
  peer?.reach("disconnected");
  context.mock.timers.tick(900);
  peer?.reach("connected");
  context.mock.timers.tick(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(restarts, 0);
  peer?.reach("disconnected");
  context.mock.timers.tick(1_000);
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(restarts, 1);
});

test("a refusal that would come again ends it and rejects the start", async () => {
  const { transport, told } = rig({
    exchange: async () => {
      throw new ZegoError(ErrorCode.STREAM_UNKNOWN, "no such stream");
    },
  });
  await assert.rejects(transport.start(), { errorCode: ErrorCode.STREAM_UNKNOWN });
  assert.deepEqual(told, ["requesting 0", "over 1004002 no such stream"]);
});

test("a refusal that may pass is tried again", async () => {
  let isThere = false;
  const { transport, told } = rig({
    mayPass: () => true,
    exchange: async () => {
      if (isThere) return "answer";
      isThere = true;
      throw new ZegoError(ErrorCode.STREAM_UNKNOWN, "not yet");
    },
  });
  await transport.start();
  assert.deepEqual(told, ["requesting 0", "requesting 1004002"]);
});

test("trying ends after a minute, with the code for that", async (context) => {
  let now_ms = 0;
  context.mock.method(performance, "now", () => now_ms);
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { transport, told } = rig({
    exchange: async () => {
      throw new ZegoError(ErrorCode.SERVER_UNKNOWN, "overloaded");
    },
  });
  const started = transport.start().catch((error: unknown) => error);
  for (let step = 0; step < 2_000 && transport.state !== "over"; step += 1) {
    now_ms += 100;
    context.mock.timers.tick(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(told.at(-1), "over 1104039 retry_timeout");
  assert.ok((await started) instanceof ZegoError);
  assert.ok(now_ms >= 60_000 && now_ms < 70_000, `ended after ${now_ms} ms`);
});

test("what was ended while its offer was under way stays ended", async () => {
  let answer: (sdp: string) => void = () => undefined;
  const { transport, told } = rig({ exchange: () => new Promise((resolve) => (answer = resolve)) });
  const started = transport.start().catch((error: unknown) => error);
  await until("the offer", () => FakePeer.made[0]?.localDescription != null);
  await new Promise((resolve) => setImmediate(resolve));
  transport.end(ErrorCode.OK, "");
  answer("late");
  await started;
  transport.connected();
  assert.deepEqual(told, ["requesting 0", "over 0"]);
  assert.ok(FakePeer.made[0]?.isClosed);
});

test("a connection that ends on purpose is closed once the server has heard of it", async () => {
  const { transport, told } = rig();
  await transport.start();
  let heard: () => void = () => undefined;
  transport.end(ErrorCode.OK, "", new Promise<void>((resolve) => (heard = resolve)));
  assert.deepEqual(told, ["requesting 0", "over 0"]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(FakePeer.made[0]?.isClosed, false);
  heard();
  await until("it is closed", () => FakePeer.made[0]?.isClosed === true);
});

test("an offer that the browser takes only as it made it goes as it is", async () => {
  const refuses = async function (this: FakePeer, offer: { sdp: string }): Promise<void> {
    if (offer.sdp.endsWith("adjusted")) throw new Error("modified");
    this.localDescription = offer;
  };
  for (const [apply, expected] of [
    [FakePeer.prototype.setLocalDescription, "offer 1 adjusted"],
    [refuses, "offer 1"],
  ] as const) {
    const { transport, offers } = rig({
      adjust: (offer) => `${offer} adjusted`,
      prepare: (peer) => Object.assign(peer, { setLocalDescription: apply }),
    });
    await transport.start();
    assert.deepEqual(offers, [expected]);
    transport.end(ErrorCode.OK, "");
  }
});
