// The small pure parts: tokens, names, codecs, error classes, the emitter.

import assert from "node:assert/strict";
import test from "node:test";
import { chooseCodecs, type VideoCodecName } from "../src/codecs.ts";
import {
  ErrorCode,
  isFinalLoginRefusal,
  isFinalMediaRefusal,
  toZegoError,
  ZegoError,
} from "../src/errors.ts";
import { ZegoExpressEngine } from "../src/engine.ts";
import { Emitter } from "../src/events.ts";
import { loginFault, streamFault } from "../src/identifier.ts";
import {
  bitrateOf,
  encodings,
  layerCount,
  priorityWish,
  type PlayPriority,
  videoWish,
} from "../src/layers.ts";
import { withOpus } from "../src/opus.ts";
import { readToken } from "../src/token.ts";

const tokenOf = (form: string, expiresAt_s: number, length: number): string => {
  const bytes = Buffer.alloc(length);
  bytes.writeBigInt64BE(BigInt(expiresAt_s));
  return form + bytes.toString("base64");
};

test("a token's outer expiry can be read", () => {
  assert.deepEqual(readToken(tokenOf("04", 1_900_000_000, 80)), {
    form: "04",
    expiresAt_s: 1_900_000_000,
  });
  assert.equal(readToken(tokenOf("03", 1_900_000_000, 80))?.form, "03");
});

test("what cannot be a token is refused", () => {
  for (const text of [
    "",
    "04",
    "04!!!!",
    tokenOf("05", 1, 80),
    tokenOf("04", 1, 20),
    tokenOf("04", -1, 80),
  ]) {
    assert.equal(readToken(text), undefined, text);
  }
});

test("names over their limits are refused with the contract's codes, counted in bytes", () => {
  assert.equal(loginFault("r".repeat(127), "u".repeat(63), "n".repeat(255)), undefined);
  assert.equal(loginFault("", "u", "")?.errorCode, ErrorCode.ROOM_ID_EMPTY);
  assert.equal(loginFault("ä".repeat(64), "u", "")?.errorCode, ErrorCode.ROOM_ID_TOO_LONG);
  assert.equal(loginFault("r", "", "")?.errorCode, ErrorCode.USER_ID_EMPTY);
  assert.equal(loginFault("r", "u".repeat(64), "")?.errorCode, ErrorCode.USER_ID_TOO_LONG);
  assert.equal(loginFault("r", "u", "n".repeat(256))?.errorCode, ErrorCode.USER_NAME_TOO_LONG);
  assert.equal(streamFault("a_B-9"), undefined);
  assert.equal(streamFault("")?.errorCode, ErrorCode.STREAM_ID_EMPTY);
  assert.equal(streamFault("a b")?.errorCode, ErrorCode.STREAM_ID_CHARACTERS);
  assert.equal(streamFault("a".repeat(257))?.errorCode, ErrorCode.STREAM_ID_TOO_LONG);
});

test("the wanted codec is offered alone, with its retransmission", () => {
  const capable = ["video/VP8", "video/rtx", "video/VP9", "video/H264", "video/red"].map(
    (mimeType) => ({ mimeType }),
  );
  const names = (wanted: VideoCodecName) =>
    chooseCodecs(capable, wanted)?.map((codec) => codec.mimeType);
  assert.deepEqual(names("VP8"), ["video/VP8", "video/rtx"]);
  assert.deepEqual(names("H264"), ["video/H264", "video/rtx"]);
  assert.deepEqual(names("VP9"), ["video/VP9", "video/rtx"]);
  assert.equal(names("H265"), undefined);
  assert.equal(names("AV1"), undefined);
});

test("handlers are called in order, and one that throws does not stop the next", async () => {
  const emitter = new Emitter<{ ping: (value: number) => void }>();
  const seen: string[] = [];
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): number => uncaught.push(error);
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", onUncaught);
  const second = (value: number): number => seen.push(`second ${value}`);
  emitter.on("ping", (value) => {
    seen.push(`first ${value}`);
    throw new Error("the app's mistake");
  });
  emitter.on("ping", second);
  emitter.emit("ping", 1);
  assert.deepEqual(seen, ["first 1", "second 1"]);
  await new Promise((resolve) => setImmediate(resolve));
  process.removeListener("uncaughtException", onUncaught);
  for (const listener of listeners) process.on("uncaughtException", listener);
  assert.equal(uncaught.length, 1);
  assert.equal(emitter.off("ping", second), true);
  assert.equal(emitter.off("ping", second), false);
  assert.equal(emitter.off("ping"), true);
  emitter.emit("ping", 2);
  assert.equal(seen.length, 2);
});

test("an error has its number under both names", () => {
  const error = new ZegoError(1_002_034, "the room is full");
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.errorCode, error.code, error.extendedData],
    [1_002_034, 1_002_034, "the room is full"],
  );
  assert.equal(toZegoError(error, 1), error);
  assert.equal(toZegoError(new TypeError("no"), 7).extendedData, "TypeError: no");
});

test("only refusals that would come again are final", () => {
  assert.deepEqual(
    [
      ErrorCode.TOKEN_EXPIRED,
      ErrorCode.ROOM_FULL,
      ErrorCode.SOCKET_CLOSED,
      ErrorCode.SERVER_UNKNOWN,
    ].map(isFinalLoginRefusal),
    [true, true, false, false],
  );
  assert.deepEqual(
    [ErrorCode.PUBLISHING_BANNED, ErrorCode.STREAM_UNKNOWN, ErrorCode.NETWORK_LOST].map(
      isFinalMediaRefusal,
    ),
    [true, true, false],
  );
});

test("a simulcast publication shares its bitrate among three sizes", () => {
  assert.deepEqual(encodings(1, undefined), [{}]);
  assert.deepEqual(encodings(1, 600), [{ maxBitrate: 600_000 }]);
  assert.deepEqual(
    encodings(2, undefined).map(({ rid, maxBitrate }) => [rid, maxBitrate]),
    [
      ["h", 450_000],
      ["f", 1_500_000],
    ],
  );
  assert.deepEqual([layerCount(1280, 720), layerCount(640, 480), layerCount(320, 240)], [3, 2, 1]);
  assert.deepEqual(encodings(3, 2_000), [
    { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 200_000 },
    { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 600_000 },
    { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 2_000_000 },
  ]);
  assert.deepEqual(encodings(1, 600, "L3T3_KEY"), [
    { maxBitrate: 600_000, scalabilityMode: "L3T3_KEY" },
  ]);
  assert.deepEqual(
    encodings(2, 600, "L1T2").map(({ rid, scalabilityMode }) => [rid, scalabilityMode]),
    [
      ["h", "L1T2"],
      ["f", "L1T2"],
    ],
  );
  assert.equal(bitrateOf("h", 1_000), 300_000);
  assert.equal(bitrateOf(undefined, 1_000), 1_000_000);
});

test("a play's wish is told in the server's words", () => {
  assert.deepEqual(videoWish(undefined, undefined), { video_layer: "BEST", video_height: 0 });
  assert.deepEqual(videoWish(1, 360.4), { video_layer: "SMALLEST", video_height: 360 });
  assert.deepEqual(videoWish(2, 1e9), { video_layer: "LARGEST", video_height: 65_535 });
  assert.deepEqual(priorityWish(undefined), { priority: "MEDIUM" });
  assert.deepEqual(priorityWish("very-low"), { priority: "VERY_LOW" });
});

test("a priority that is none is refused when a play begins as well as later", async () => {
  const engine = new ZegoExpressEngine(1, "ws://127.0.0.1:1");
  for (const word of ["HIGH", "toString", ""]) {
    const priority = word as PlayPriority;
    const refused = { errorCode: ErrorCode.BAD_PARAMETER };
    await assert.rejects(engine.startPlayingStream("s", { priority }), refused, word);
    await assert.rejects(engine.setPlayStreamPriority("s", priority), refused, word);
  }
  assert.equal(await engine.setPlayStreamPriority("s", "high"), false);
  const options = [{}, { priority: "high" as const }];
  for (const option of options)
    await assert.rejects(engine.startPlayingStream("s", option), {
      errorCode: ErrorCode.ROOM_NOT_LOGGED_IN,
    });
});

test("parameters of Opus are added to its own line, and none twice", () => {
  const offer = (fmtp: string): string =>
    ["a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=rtpmap:111 opus/48000/2", fmtp, ""].join(
      "\r\n",
    );
  const chromium = "a=fmtp:111 minptime=10;useinbandfec=1";
  const firefox = "a=fmtp:111 maxplaybackrate=48000;stereo=1;useinbandfec=1";
  const added = ["stereo=1", "sprop-stereo=1"];
  assert.equal(withOpus(offer(chromium), added), offer(`${chromium};stereo=1;sprop-stereo=1`));
  assert.equal(withOpus(offer(firefox), added), offer(`${firefox};sprop-stereo=1`));
  assert.equal(withOpus(offer(chromium), []), offer(chromium));
  const without = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=fmtp:96 x=1\r\n";
  assert.equal(withOpus(without, added), without);
});
