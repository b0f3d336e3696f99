// Camera, microphone and screen: from the contract's options to tracks.

import { captureErrorCode, ErrorCode, ZegoError } from "./errors.ts";

/** A number, or the browser's own form of a constraint. */
export type ConstraintExtend = ConstrainULongRange;

/** What the picture is for. */
export type OptimizationMode = "default" | "motion" | "detail";

/** Options of a camera. */
export interface ZegoCaptureCamera {
  /** A device id. */
  input?: string;
  /**
   * 1 is 320×240 at 15, 2 is 640×480 at 15, 3 is 1280×720 at 20, 4 takes width, height and
   * frameRate. @default 2
   */
  quality?: 1 | 2 | 3 | 4;
  facingMode?: "user" | "environment";
  width?: number | ConstraintExtend;
  height?: number | ConstraintExtend;
  frameRate?: number | ConstraintExtend;
  optimizationMode?: OptimizationMode;
  keyFrameInterval?: number;
}

/** Options of a microphone; the three filters are on by default. */
export interface ZegoCaptureMicrophone {
  /** A device id. */
  input?: string;
  /** @default 1 */
  channelCount?: 1 | 2;
  ANS?: boolean;
  AGC?: boolean;
  AEC?: boolean;
}

/** Options of a screen's picture. */
export interface ZegoCaptureScreenVideo {
  /** As for cameras, but at 1280×720 or less. @default 3 */
  quality?: 1 | 2 | 3 | 4;
  width?: number | ConstraintExtend;
  height?: number | ConstraintExtend;
  frameRate?: number | ConstraintExtend;
  optimizationMode?: OptimizationMode;
  keyFrameInterval?: number;
}

/** Options of a screen's sound. */
export interface ZegoCaptureScreenAudio {
  ANS?: boolean;
  AGC?: boolean;
  AEC?: boolean;
}

/** A picture of the app's own. */
export interface ZegoCustomVideo {
  source: HTMLMediaElement | MediaStream;
  optimizationMode?: OptimizationMode;
  keyFrameInterval?: number;
}

/** A sound of the app's own. */
export interface ZegoCustomAudio {
  source: HTMLMediaElement | MediaStream;
  channelCount?: 1 | 2;
}

/** Sizes, rates and bitrates by quality. */
const presets = {
  1: { width: 320, height: 240, frameRate: 15, kbps: 300 },
  2: { width: 640, height: 480, frameRate: 15, kbps: 800 },
  3: { width: 1280, height: 720, frameRate: 20, kbps: 1500 },
} as const;

/** The bitrate that suits a quality, kbit/s; undefined for 4, which leaves it to the browser. */
export function bitrateOf(quality: 1 | 2 | 3 | 4): number | undefined {
  return quality === 4 ? undefined : presets[quality].kbps;
}

/** The browser's constraints for a camera. */
export function cameraConstraints(camera: ZegoCaptureCamera): MediaTrackConstraints {
  return {
    ...sizeConstraints(camera, 2),
    ...(camera.input ? { deviceId: { exact: camera.input } } : {}),
    ...(camera.facingMode && !camera.input ? { facingMode: camera.facingMode } : {}),
  };
}

/** The browser's constraints for a microphone. */
export function microphoneConstraints(microphone: ZegoCaptureMicrophone): MediaTrackConstraints {
  return {
    ...filterConstraints(microphone),
    ...(microphone.channelCount ? { channelCount: microphone.channelCount } : {}),
    ...(microphone.input ? { deviceId: { exact: microphone.input } } : {}),
  };
}

/** Opens camera, microphone or both. Rejects with the contract's codes. */
export async function openDevices(
  camera: ZegoCaptureCamera | undefined,
  microphone: ZegoCaptureMicrophone | undefined,
): Promise<MediaStreamTrack[]> {
  if (navigator.mediaDevices === undefined) {
    throw new ZegoError(
      ErrorCode.CAPTURE_FAILED,
      "cameras and microphones need https or localhost",
    );
  }
  try {
    const media = await navigator.mediaDevices.getUserMedia({
      video: camera ? cameraConstraints(camera) : false,
      audio: microphone ? microphoneConstraints(microphone) : false,
    });
    hint(media.getVideoTracks()[0], camera?.optimizationMode);
    noteChannels(media.getAudioTracks()[0], microphone?.channelCount ?? 1);
    return media.getTracks();
  } catch (error) {
    throw new ZegoError(
      captureErrorCode(error),
      error instanceof Error ? error.message : String(error),
    );
  }
}

/** Lets the user choose a screen. Rejects with the contract's codes. */
export async function openScreen(
  video: ZegoCaptureScreenVideo,
  audio: ZegoCaptureScreenAudio | undefined,
): Promise<MediaStreamTrack[]> {
  if (typeof navigator.mediaDevices?.getDisplayMedia !== "function") {
    throw new ZegoError(ErrorCode.SCREEN_SHARE_UNSUPPORTED, "this browser cannot share a screen");
  }
  try {
    const media = await navigator.mediaDevices.getDisplayMedia({
      video: sizeConstraints(video, 3),
      audio: audio ? filterConstraints(audio) : false,
    });
    hint(media.getVideoTracks()[0], video.optimizationMode);
    return media.getTracks();
  } catch (error) {
    const isRefused = error instanceof Error && error.name === "NotAllowedError";
    const code = isRefused ? ErrorCode.SCREEN_SHARE_CANCELLED : captureErrorCode(error);
    throw new ZegoError(code, error instanceof Error ? error.message : String(error));
  }
}

/** Channels that a track of sound is to have, where somebody has said so. */
const channelsByTrack = new WeakMap<MediaStreamTrack, number>();

/** Notes how many channels of a track of sound are to be sent. */
export function noteChannels(track: MediaStreamTrack | undefined, channels?: number): void {
  if (track !== undefined && channels !== undefined) channelsByTrack.set(track, channels);
}

/** How many channels of a track of sound are sent. */
export function channelsOf(track: MediaStreamTrack): number {
  return channelsByTrack.get(track) ?? track.getSettings().channelCount ?? 1;
}

/** The tracks of one kind of a source of the app's own. */
export function customTracks(
  source: HTMLMediaElement | MediaStream,
  kind: "audio" | "video",
): MediaStreamTrack[] {
  const media = source instanceof MediaStream ? source : captureOf(source);
  return media.getTracks().filter((track) => track.kind === kind);
}

/** Says what the picture is for, so that the encoder spares the right thing. */
export function hint(
  track: MediaStreamTrack | undefined,
  mode: OptimizationMode | undefined,
): void {
  if (track === undefined || mode === undefined || !("contentHint" in track)) return;
  track.contentHint = mode === "default" ? "" : mode;
}

function captureOf(element: HTMLMediaElement): MediaStream {
  const { captureStream } = element as HTMLMediaElement & { captureStream?: () => MediaStream };
  if (typeof captureStream !== "function") {
    throw new ZegoError(ErrorCode.CAPTURE_FAILED, "this browser cannot capture a media element");
  }
  return captureStream.call(element);
}

function sizeConstraints(
  options: Pick<ZegoCaptureCamera, "quality" | "width" | "height" | "frameRate">,
  qualityDefault: 2 | 3,
): MediaTrackConstraints {
  const hasOwn =
    options.width !== undefined || options.height !== undefined || options.frameRate !== undefined;
  const quality = options.quality ?? (hasOwn ? 4 : qualityDefault);
  const preset = presets[quality === 4 ? qualityDefault : quality];
  const own = quality === 4 ? options : {};
  return {
    width: own.width ?? { ideal: preset.width },
    height: own.height ?? { ideal: preset.height },
    frameRate: own.frameRate ?? { ideal: preset.frameRate },
  };
}

function filterConstraints(filters: ZegoCaptureScreenAudio): MediaTrackConstraints {
  return {
    noiseSuppression: filters.ANS ?? true,
    autoGainControl: filters.AGC ?? true,
    echoCancellation: filters.AEC ?? true,
  };
}
