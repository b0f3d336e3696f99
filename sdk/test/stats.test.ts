// Quality numbers from two samples of WebRTC statistics.

import assert from "node:assert/strict";
import test from "node:test";
import { grade, playStats, publishStats, type StatsEntry } from "../src/stats.ts";

const unmuted = { isAudioMuted: false, isVideoMuted: false };
const pair: StatsEntry = {
  id: "p",
  type: "candidate-pair",
  timestamp: 0,
  nominated: true,
  state: "succeeded",
  currentRoundTripTime: 0.02,
};
const codecs: StatsEntry[] = [
  { id: "cv", type: "codec", timestamp: 0, mimeType: "video/VP8", clockRate: 90_000 },
  { id: "ca", type: "codec", timestamp: 0, mimeType: "audio/opus", clockRate: 48_000 },
];

const sent = (seconds: number): StatsEntry[] => [
  pair,
  ...codecs,
  {
    id: "v",
    type: "outbound-rtp",
    kind: "video",
    codecId: "cv",
    timestamp: seconds * 1000,
    bytesSent: seconds * 100_000,
    packetsSent: seconds * 100,
    framesEncoded: seconds * 30,
    framesSent: seconds * 29,
    frameWidth: 640,
    frameHeight: 480,
  },
  {
    id: "a",
    type: "outbound-rtp",
    kind: "audio",
    codecId: "ca",
    timestamp: seconds * 1000,
    bytesSent: seconds * 4_000,
    packetsSent: seconds * 50,
  },
  {
    id: "rv",
    type: "remote-inbound-rtp",
    kind: "video",
    timestamp: seconds * 1000,
    packetsLost: seconds * 5,
  },
];

const received = (seconds: number): StatsEntry[] => [
  pair,
  ...codecs,
  {
    id: "v",
    type: "inbound-rtp",
    kind: "video",
    codecId: "cv",
    timestamp: seconds * 1000,
    bytesReceived: seconds * 50_000,
    packetsReceived: seconds * 90,
    packetsLost: seconds * 10,
    framesReceived: seconds * 25,
    framesDecoded: seconds * 24,
    framesDropped: seconds * 1,
    totalDecodeTime: seconds * 0.1,
    totalFreezesDuration: 0,
    frameWidth: 320,
    frameHeight: 240,
    jitterBufferDelay: seconds * 2.4,
    jitterBufferEmittedCount: seconds * 24,
  },
  {
    id: "a",
    type: "inbound-rtp",
    kind: "audio",
    codecId: "ca",
    timestamp: seconds * 1000,
    bytesReceived: seconds * 4_000,
    packetsReceived: seconds * 50,
    packetsLost: 0,
    jitter: 0.004,
    audioLevel: 0.25,
    totalSamplesReceived: seconds * 48_000,
    totalSamplesDuration: seconds,
    concealedSamples: 480,
    silentConcealedSamples: 0,
    jitterBufferDelay: seconds * 48_000 * 0.04,
    jitterBufferEmittedCount: seconds * 48_000,
  },
];

test("the first sample has sizes and no rates", () => {
  const { stats } = publishStats(sent(3), undefined, unmuted);
  assert.equal(stats.video.frameWidth, 640);
  assert.equal(stats.video.videoBitrate, 0);
  assert.equal(stats.video.videoQuality, 4);
});

test("a publication's rates are those between two samples", () => {
  const { totals } = publishStats(sent(3), undefined, unmuted);
  const { stats } = publishStats(sent(6), totals, unmuted);
  assert.deepEqual(stats.video, {
    frameHeight: 480,
    frameWidth: 640,
    googCodecName: "VP8",
    muteState: "0",
    videoBitrate: 800,
    videoFPS: 30,
    videoPacketsLost: 30,
    videoPacketsLostRate: 5,
    videoTransferFPS: 29,
    videoQuality: 2,
  });
  assert.deepEqual(stats.audio, {
    audioBitrate: 32,
    audioCodec: "opus",
    audioPacketsLost: 0,
    audioPacketsLostRate: 0,
    googCodecName: "opus",
    muteState: "0",
    audioFPS: 50,
    audioQuality: 0,
  });
});

test("a play's numbers come from what arrived", () => {
  const { totals } = playStats(received(3), undefined, unmuted);
  const { stats } = playStats(received(6), totals, { isAudioMuted: true, isVideoMuted: false });
  assert.equal(stats.video.videoBitrate, 400);
  assert.equal(stats.video.videoFPS, 24);
  assert.equal(stats.video.videoRenderFPS, 23);
  assert.equal(stats.video.videoTransferFPS, 25);
  assert.equal(stats.video.videoPacketsLostRate, 10);
  assert.equal(stats.video.videoQuality, 3);
  assert.equal(stats.video.videoFramesDecoded, 144);
  assert.equal(stats.video.videoCumulativeDecodeTime, 600);
  assert.equal(stats.audio.audioBitrate, 32);
  assert.equal(stats.audio.audioSamplingRate, 48_000);
  assert.equal(stats.audio.audioJitter, 4);
  assert.equal(stats.audio.audioCumulativeBreakTime, 10);
  assert.equal(stats.audio.muteState, "1");
  // Half a round trip of 20 ms and a buffer of 40 ms.
  assert.equal(stats.peerToPeerDelay, 50);
  assert.equal(stats.peerToPeerPacketLostRate, 6.4);
});

test("a new transport, whose counters begin at nothing, gives no negative rates", () => {
  const { totals } = playStats(received(60), undefined, unmuted);
  const { stats } = playStats(received(1), totals, unmuted);
  assert.equal(stats.video.videoBitrate, 0);
  assert.equal(stats.video.videoFPS, 0);
});

test("an audio stream has a video part without numbers", () => {
  const audioOnly = (seconds: number): StatsEntry[] =>
    received(seconds).filter((entry) => entry.kind !== "video");
  const { totals } = playStats(audioOnly(3), undefined, unmuted);
  const { stats } = playStats(audioOnly(6), totals, unmuted);
  assert.equal(stats.video.googCodecName, "");
  assert.equal(stats.video.videoBitrate, 0);
  assert.equal(stats.audio.audioFPS, 50);
});

test("grades go from unknown over excellent to nothing at all", () => {
  assert.deepEqual(
    [
      grade(true, 0, undefined),
      grade(true, 0, 0.02),
      grade(true, 2, 0.02),
      grade(true, 0, 0.4),
      grade(true, 20, 0.02),
      grade(false, 0, 0.02),
    ],
    [-1, 0, 1, 2, 3, 4],
  );
});
