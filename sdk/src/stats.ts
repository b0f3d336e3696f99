// Turns WebRTC statistics into the quality numbers of the contract: pure, from two samples.

/** The members of RTCStats entries that are read here. */
export interface StatsEntry {
  id: string;
  type: string;
  /** Milliseconds. */
  timestamp: number;
  kind?: string;
  codecId?: string;
  mimeType?: string;
  bytesSent?: number;
  bytesReceived?: number;
  packetsSent?: number;
  packetsReceived?: number;
  packetsLost?: number;
  fractionLost?: number;
  roundTripTime?: number;
  currentRoundTripTime?: number;
  nominated?: boolean;
  state?: string;
  frameWidth?: number;
  frameHeight?: number;
  framesSent?: number;
  framesEncoded?: number;
  framesReceived?: number;
  framesDecoded?: number;
  framesDropped?: number;
  totalDecodeTime?: number;
  totalFreezesDuration?: number;
  powerEfficientEncoder?: boolean;
  jitter?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  audioLevel?: number;
  totalSamplesReceived?: number;
  totalSamplesDuration?: number;
  concealedSamples?: number;
  silentConcealedSamples?: number;
  clockRate?: number;
}

/** `0` is on, `1` is muted. */
export type MuteState = "0" | "1";

/**
 * Bitrates are kbit/s, rates of loss percent, frame rates per second, quality is a grade (-1
 * unknown, 0 best, 4 worst).
 */
export interface ZegoPublishVideoStats {
  frameHeight: number;
  frameWidth: number;
  googCodecName: string;
  muteState: MuteState;
  videoBitrate: number;
  /** Encoded. */
  videoFPS: number;
  videoPacketsLost: number;
  videoPacketsLostRate: number;
  /** Sent. */
  videoTransferFPS: number;
  videoQuality: number;
  isHardwareEncode?: boolean;
}

/** As `ZegoPublishVideoStats`. */
export interface ZegoPublishAudioStats {
  audioBitrate: number;
  audioCodec: string;
  audioPacketsLost: number;
  audioPacketsLostRate: number;
  googCodecName: string;
  muteState: MuteState;
  /** Packets per second. */
  audioFPS: number;
  audioQuality: number;
}

/** The quality of a publication. */
export interface ZegoPublishStats {
  video: ZegoPublishVideoStats;
  audio: ZegoPublishAudioStats;
}

/** As `ZegoPublishVideoStats`; times are milliseconds since the play began. */
export interface ZegoPlayVideoStats {
  frameHeight: number;
  frameWidth: number;
  googCodecName: string;
  muteState: MuteState;
  videoBitrate: number;
  /** Decoded. */
  videoFPS: number;
  /** Decoded and not dropped. */
  videoRenderFPS: number;
  videoPacketsLost: number;
  videoPacketsLostRate: number;
  /** Received. */
  videoTransferFPS: number;
  videoQuality: number;
  videoFramesDecoded: number;
  videoFramesDropped: number;
  videoCumulativeDecodeTime: number;
  videoCumulativeBreakTime: number;
  /** Percent of the time. */
  videoCumulativeBreakRate: number;
}

/** As `ZegoPlayVideoStats`. */
export interface ZegoPlayAudioStats {
  audioBitrate: number;
  audioCodec: string;
  /** Milliseconds. */
  audioJitter: number;
  /** 0 to 1. */
  audioLevel: number;
  audioPacketsLost: number;
  audioPacketsLostRate: number;
  audioQuality: number;
  /** Hertz. */
  audioSamplingRate: number;
  muteState: MuteState;
  /** Packets per second. */
  audioFPS: number;
  /** The level at the sender: not told over WebRTC, always 0. */
  audioSendLevel: number;
  googCodecName: string;
  audioCumulativeDecodeTime: number;
  audioCumulativeBreakTime: number;
  audioCumulativeBreakRate: number;
}

/** The quality of a play. */
export interface ZegoPlayStats {
  video: ZegoPlayVideoStats;
  audio: ZegoPlayAudioStats;
  /** From the server to the ear, half a round trip and the buffer, milliseconds. */
  peerToPeerDelay: number | undefined;
  /** Percent. */
  peerToPeerPacketLostRate: number | undefined;
}

/** Which kinds the app has muted: statistics do not tell. */
export interface Muted {
  isAudioMuted: boolean;
  isVideoMuted: boolean;
}

/** Counters of one kind at one time. */
interface Totals {
  timestamp_ms: number;
  bytes: number;
  packets: number;
  lost: number;
  /** Encoded or decoded. */
  frames: number;
  /** Sent or received. */
  transferred: number;
  dropped: number;
  jitterDelay_s: number;
  emitted: number;
}

/** What the next call compares with. */
export interface PublishTotals {
  audio?: Totals;
  video?: Totals;
}

/** What the next call compares with. */
export type PlayTotals = PublishTotals;

/** The quality of a publication since the sample before; rates are 0 in the first one. */
export function publishStats(
  entries: readonly StatsEntry[],
  before: PublishTotals | undefined,
  muted: Muted,
): { stats: ZegoPublishStats; totals: PublishTotals } {
  const video = flow(entries, "outbound-rtp", "video", before?.video);
  const audio = flow(entries, "outbound-rtp", "audio", before?.audio);
  const roundTrip_s = roundTripOf(entries);
  const stats: ZegoPublishStats = {
    video: {
      frameHeight: video.entry?.frameHeight ?? 0,
      frameWidth: video.entry?.frameWidth ?? 0,
      googCodecName: video.codec,
      muteState: muted.isVideoMuted ? "1" : "0",
      videoBitrate: video.kbps,
      videoFPS: video.framesPerSecond,
      videoPacketsLost: video.lost,
      videoPacketsLostRate: video.lostPercent,
      videoTransferFPS: video.transferredPerSecond,
      videoQuality: grade(video.isFlowing, video.lostPercent, roundTrip_s),
      ...(video.entry?.powerEfficientEncoder === undefined
        ? {}
        : { isHardwareEncode: video.entry.powerEfficientEncoder }),
    },
    audio: {
      audioBitrate: audio.kbps,
      audioCodec: audio.codec,
      audioPacketsLost: audio.lost,
      audioPacketsLostRate: audio.lostPercent,
      googCodecName: audio.codec,
      muteState: muted.isAudioMuted ? "1" : "0",
      audioFPS: audio.packetsPerSecond,
      audioQuality: grade(audio.isFlowing, audio.lostPercent, roundTrip_s),
    },
  };
  return {
    stats,
    totals: { ...(video.now && { video: video.now }), ...(audio.now && { audio: audio.now }) },
  };
}

/** The quality of a play since the sample before; rates are 0 in the first one. */
export function playStats(
  entries: readonly StatsEntry[],
  before: PlayTotals | undefined,
  muted: Muted,
): { stats: ZegoPlayStats; totals: PlayTotals } {
  const video = flow(entries, "inbound-rtp", "video", before?.video);
  const audio = flow(entries, "inbound-rtp", "audio", before?.audio);
  const roundTrip_s = roundTripOf(entries);
  const hasFlow = video.isFlowing || audio.isFlowing;
  const buffer_ms = audio.isFlowing ? audio.buffer_ms : video.buffer_ms;
  const stats: ZegoPlayStats = {
    video: playVideo(video, roundTrip_s, muted.isVideoMuted),
    audio: playAudio(audio, roundTrip_s, muted.isAudioMuted),
    peerToPeerDelay:
      hasFlow && roundTrip_s !== undefined
        ? round((roundTrip_s * 1000) / 2 + buffer_ms)
        : undefined,
    peerToPeerPacketLostRate: hasFlow ? lossOf(video, audio) : undefined,
  };
  return {
    stats,
    totals: { ...(video.now && { video: video.now }), ...(audio.now && { audio: audio.now }) },
  };
}

function playVideo(
  video: Flow,
  roundTrip_s: number | undefined,
  isMuted: boolean,
): ZegoPlayVideoStats {
  const { entry } = video;
  const frozen_ms = round((entry?.totalFreezesDuration ?? 0) * 1000);
  const shown_s = (entry?.framesDecoded ?? 0) / Math.max(video.framesPerSecond, 1);
  return {
    frameHeight: entry?.frameHeight ?? 0,
    frameWidth: entry?.frameWidth ?? 0,
    googCodecName: video.codec,
    muteState: isMuted ? "1" : "0",
    videoBitrate: video.kbps,
    videoFPS: video.framesPerSecond,
    videoRenderFPS: Math.max(0, round(video.framesPerSecond - video.droppedPerSecond)),
    videoPacketsLost: video.lost,
    videoPacketsLostRate: video.lostPercent,
    videoTransferFPS: video.transferredPerSecond,
    videoQuality: grade(video.isFlowing, video.lostPercent, roundTrip_s),
    videoFramesDecoded: entry?.framesDecoded ?? 0,
    videoFramesDropped: entry?.framesDropped ?? 0,
    videoCumulativeDecodeTime: round((entry?.totalDecodeTime ?? 0) * 1000),
    videoCumulativeBreakTime: frozen_ms,
    videoCumulativeBreakRate: percent(frozen_ms / 1000, frozen_ms / 1000 + shown_s),
  };
}

function playAudio(
  audio: Flow,
  roundTrip_s: number | undefined,
  isMuted: boolean,
): ZegoPlayAudioStats {
  const { entry } = audio;
  const concealed = (entry?.concealedSamples ?? 0) - (entry?.silentConcealedSamples ?? 0);
  const concealed_ms = audio.clockRate > 0 ? round((concealed / audio.clockRate) * 1000) : 0;
  return {
    audioBitrate: audio.kbps,
    audioCodec: audio.codec,
    audioJitter: round((entry?.jitter ?? 0) * 1000),
    audioLevel: entry?.audioLevel ?? 0,
    audioPacketsLost: audio.lost,
    audioPacketsLostRate: audio.lostPercent,
    audioQuality: grade(audio.isFlowing, audio.lostPercent, roundTrip_s),
    audioSamplingRate: audio.clockRate,
    muteState: isMuted ? "1" : "0",
    audioFPS: audio.packetsPerSecond,
    audioSendLevel: 0,
    googCodecName: audio.codec,
    audioCumulativeDecodeTime: round((entry?.totalSamplesDuration ?? 0) * 1000),
    audioCumulativeBreakTime: concealed_ms,
    audioCumulativeBreakRate: percent(concealed, entry?.totalSamplesReceived ?? 0),
  };
}

/** One kind in one direction. */
interface Flow {
  entry: StatsEntry | undefined;
  now: Totals | undefined;
  codec: string;
  clockRate: number;
  isFlowing: boolean;
  kbps: number;
  lost: number;
  lostPercent: number;
  packetsPerSecond: number;
  framesPerSecond: number;
  transferredPerSecond: number;
  droppedPerSecond: number;
  buffer_ms: number;
}

function flow(
  entries: readonly StatsEntry[],
  type: "outbound-rtp" | "inbound-rtp",
  kind: "audio" | "video",
  before: Totals | undefined,
): Flow {
  const entry = entries.find((each) => each.type === type && each.kind === kind);
  const remote = entries.find((each) => each.type === "remote-inbound-rtp" && each.kind === kind);
  const codec = entries.find((each) => each.type === "codec" && each.id === entry?.codecId);
  const lost = Math.max(
    0,
    (type === "outbound-rtp" ? remote?.packetsLost : entry?.packetsLost) ?? 0,
  );
  const now = entry && totalsOf(entry, lost);
  // Another transport starts at 0.
  const old = before && now && now.bytes >= before.bytes ? before : undefined;
  const seconds = now && old ? (now.timestamp_ms - old.timestamp_ms) / 1000 : 0;
  const per = (
    name: "bytes" | "packets" | "frames" | "transferred" | "dropped" | "lost",
  ): number => (now && old && seconds > 0 ? Math.max(0, now[name] - old[name]) / seconds : 0);
  const expected = type === "outbound-rtp" ? per("packets") : per("packets") + per("lost");
  const emitted = now && old ? now.emitted - old.emitted : 0;
  return {
    entry,
    now,
    codec: codec?.mimeType?.split("/")[1] ?? "",
    clockRate: codec?.clockRate ?? 0,
    isFlowing: per("packets") > 0,
    kbps: round((per("bytes") * 8) / 1000),
    lost,
    lostPercent: percent(per("lost"), expected),
    packetsPerSecond: round(per("packets")),
    framesPerSecond: round(per("frames")),
    transferredPerSecond: round(per("transferred")),
    droppedPerSecond: round(per("dropped")),
    buffer_ms:
      now && old && emitted > 0 ? ((now.jitterDelay_s - old.jitterDelay_s) / emitted) * 1000 : 0,
  };
}

function totalsOf(entry: StatsEntry, lost: number): Totals {
  return {
    timestamp_ms: entry.timestamp,
    bytes: entry.bytesSent ?? entry.bytesReceived ?? 0,
    packets: entry.packetsSent ?? entry.packetsReceived ?? 0,
    lost,
    frames: entry.framesEncoded ?? entry.framesDecoded ?? 0,
    transferred: entry.framesSent ?? entry.framesReceived ?? 0,
    dropped: entry.framesDropped ?? 0,
    jitterDelay_s: entry.jitterBufferDelay ?? 0,
    emitted: entry.jitterBufferEmittedCount ?? 0,
  };
}

function roundTripOf(entries: readonly StatsEntry[]): number | undefined {
  return entries.find(
    (each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded",
  )?.currentRoundTripTime;
}

/** Loss of both kinds, weighed by their packets. */
function lossOf(video: Flow, audio: Flow): number {
  const packets = video.packetsPerSecond + audio.packetsPerSecond;
  if (packets === 0) return 0;
  return round(
    (video.lostPercent * video.packetsPerSecond + audio.lostPercent * audio.packetsPerSecond) /
      packets,
  );
}

/** -1 unknown, 0 excellent, 1 good, 2 middle, 3 poor, 4 nothing comes through. */
export function grade(
  isFlowing: boolean,
  lostPercent: number,
  roundTrip_s: number | undefined,
): number {
  if (roundTrip_s === undefined) return -1;
  if (!isFlowing) return 4;
  if (lostPercent < 1 && roundTrip_s < 0.15) return 0;
  if (lostPercent < 3 && roundTrip_s < 0.3) return 1;
  return lostPercent < 10 && roundTrip_s < 0.6 ? 2 : 3;
}

function percent(part: number, whole: number): number {
  return whole > 0 ? round((part / whole) * 100) : 0;
}

/** One decimal is all that these numbers are good for. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
