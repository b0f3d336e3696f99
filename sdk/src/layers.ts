// Layers of a video: what a publication sends of it, and which one a play asks for. Pure.

import { ErrorCode, ZegoError } from "./errors.ts";

/** Which layer of a video a play gets: 0 the best that arrives, 1 the smallest, 2 the largest. */
export type StreamType = 0 | 1 | 2;

/**
 * How much a played stream's video matters among those of this client, when not all that is wanted
 * of them reaches it. The words of RTCPriorityType.
 */
export type PlayPriority = "very-low" | "low" | "medium" | "high";

/** The part of RTCRtpEncodingParameters that is set. */
export interface Encoding {
  rid?: string;
  scaleResolutionDownBy?: number;
  maxBitrate?: number;
  scalabilityMode?: string;
}

/**
 * The layers of a simulcast publication, the smallest first: their names, how much smaller they are
 * in each direction, and their share of the bitrate.
 */
const layers = [
  { rid: "q", scale: 4, share: 0.1 },
  { rid: "h", scale: 2, share: 0.3 },
  { rid: "f", scale: 1, share: 1 },
] as const;

/** What the largest layer may take when the app has not said, kbit/s. */
const largest_kbps = 1500;

/** Pixels of a video from which on a browser sends three layers, or two: it drops the others. */
const pixels = { three: 960 * 540, two: 480 * 270 } as const;

/** How many layers a video of this size is sent in. */
export function layerCount(width: number, height: number): 1 | 2 | 3 {
  if (width * height >= pixels.three) return 3;
  return width * height >= pixels.two ? 2 : 1;
}

/**
 * What is sent of a video: one encoding, or the largest two or all three layers; in each of them
 * the layers of `scalabilityMode`.
 */
export function encodings(
  count: 1 | 2 | 3,
  video_kbps: number | undefined,
  scalabilityMode?: string,
): Encoding[] {
  const inside = scalabilityMode === undefined ? {} : { scalabilityMode };
  if (count === 1)
    return [video_kbps === undefined ? inside : { maxBitrate: video_kbps * 1000, ...inside }];
  return layers.slice(-count).map(({ rid, scale, share }) => ({
    rid,
    scaleResolutionDownBy: scale,
    maxBitrate: bitrate(video_kbps ?? largest_kbps, share),
    ...inside,
  }));
}

/** The bitrate of `rid` when the video may take so much; an encoding without a rid takes all. */
export function bitrateOf(rid: string | undefined, video_kbps: number): number {
  return bitrate(video_kbps, layers.find((layer) => layer.rid === rid)?.share ?? 1);
}

function bitrate(video_kbps: number, share: number): number {
  return Math.round(video_kbps * 1000 * share);
}

/** The server's words for priorities. */
const priorities = {
  "very-low": "VERY_LOW",
  low: "LOW",
  medium: "MEDIUM",
  high: "HIGH",
} as const;

/** What is wrong with an app's priority; undefined when nothing is. */
export function priorityFault(priority: unknown): ZegoError | undefined {
  if (typeof priority === "string" && Object.hasOwn(priorities, priority)) return undefined;
  return new ZegoError(
    ErrorCode.BAD_PARAMETER,
    'priority is "very-low", "low", "medium" or "high"',
  );
}

/** What the server is told of a play's priority. */
export function priorityWish(priority: PlayPriority | undefined): {
  priority: (typeof priorities)[PlayPriority];
} {
  return { priority: priorities[priority ?? "medium"] };
}

/** What the server is told of the size of a play's video. */
export function videoWish(
  streamType: StreamType | undefined,
  videoHeight: number | undefined,
): { video_layer: "BEST" | "LARGEST" | "SMALLEST"; video_height: number } {
  return {
    video_layer: streamType === 1 ? "SMALLEST" : streamType === 2 ? "LARGEST" : "BEST",
    video_height: Math.min(Math.max(Math.round(videoHeight ?? 0), 0), 0xffff),
  };
}
