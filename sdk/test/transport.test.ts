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
  onconnectionstatechange: (() => void) | null = null;
  constructor() {
    FakePeer.made.push(this);
  }
  async createOffer(): Promise<{ sdp: string }> {
    return { sdp: `offer ${FakePeer.made.length}` };
  }
  async setLocalDescription(offer: { sdp: string }): Promise<void> {
    this.localDescription = offer;
  }
  async setRemoteDescription(): Promise<void> {}
  close(): void {
    this.isClosed = true;
  }
  fail(): void {
    this.connectionState = "failed";
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
    ready: async () => false,
    exchange: async (offer) => {
      offers.push(offer);
      return "answer";
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

test("a connection that fails is set up anew, and the old one closed", async () => {
  const { transport, told, offers } = rig();
  await transport.start();
  transport.connected();
  FakePeer.made[0]?.fail();
  await until("another offer", () => offers.length === 2 && transport.isAnswered);
  transport.connected();
  assert.deepEqual(told, ["requesting 0", "connected 0", "requesting 1000017", "connected 0"]);
  assert.deepEqual(
    FakePeer.made.map((peer) => peer.isClosed),
    [true, false],
  );
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
