// Finds out what this browser can do, by doing it.

import { captureErrorCode } from "./errors.ts";

/** What can be asked about. */
export type CheckType =
  "webRTC" | "customCapture" | "camera" | "microphone" | "videoCodec" | "screenSharing";

/** Which codecs this browser can send. */
export interface ZegoVideoCodec {
  H264: boolean;
  H265: boolean;
  VP8: boolean;
  VP9: boolean;
}

/** Why something is not there. */
export interface ZegoCapabilityError {
  code: number;
  name: string;
  message: string;
}

/**
 * What there is. `result` is the answer to the one question asked, or whether calls are possible at
 * all.
 */
export interface ZegoCapabilityDetection {
  webRTC?: boolean;
  customCapture?: boolean;
  camera?: boolean;
  microphone?: boolean;
  screenSharing?: boolean;
  videoCodec?: ZegoVideoCodec;
  errInfo: Partial<
    Record<"webRTC" | "customCapture" | "camera" | "microphone", ZegoCapabilityError>
  >;
  result?: boolean;
}

const allTypes: readonly CheckType[] = [
  "webRTC",
  "customCapture",
  "camera",
  "microphone",
  "videoCodec",
  "screenSharing",
];

/**
 * Checks one thing or, without a type, everything. Level 0 only looks whether devices are there;
 * level 1 (the default) opens camera and microphone, for which the browser may ask the user.
 */
export async function checkRequirements(
  checkType: CheckType | undefined,
  checkLevel: 0 | 1,
): Promise<ZegoCapabilityDetection> {
  const found: ZegoCapabilityDetection = { errInfo: {} };
  for (const type of checkType === undefined ? allTypes : [checkType]) {
    if (type === "videoCodec") found.videoCodec = videoCodecs();
    else if (type === "screenSharing") found.screenSharing = hasScreenSharing();
    else {
      const error = await failureOf(type, checkLevel);
      found[type] = error === undefined;
      if (error !== undefined) found.errInfo[type] = error;
    }
  }
  const answer = checkType === undefined ? found.webRTC : found[checkType];
  found.result = typeof answer === "object" ? answer.VP8 || answer.H264 : (answer ?? false);
  return found;
}

async function failureOf(
  type: "webRTC" | "customCapture" | "camera" | "microphone",
  checkLevel: 0 | 1,
): Promise<ZegoCapabilityError | undefined> {
  try {
    if (type === "webRTC") await tryWebRtc();
    else if (type === "customCapture") tryCustomCapture();
    else await tryDevice(type === "camera" ? "video" : "audio", checkLevel);
    return undefined;
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { code: captureErrorCode(error), name, message };
  }
}

/** Makes an offer, which needs a working WebRTC stack and nothing else. */
async function tryWebRtc(): Promise<void> {
  if (typeof WebSocket !== "function") throw new Error("this browser has no WebSocket");
  if (typeof RTCPeerConnection !== "function") throw new Error("this browser has no WebRTC");
  const peer = new RTCPeerConnection();
  try {
    peer.addTransceiver("audio", { direction: "sendrecv" });
    await peer.setLocalDescription(await peer.createOffer());
  } finally {
    peer.close();
  }
}

function tryCustomCapture(): void {
  const canvas = document.createElement("canvas");
  if (typeof canvas.captureStream !== "function")
    throw new Error("this browser cannot capture a canvas");
  if (canvas.getContext("2d") === null) throw new Error("this browser cannot draw");
  const tracks = canvas.captureStream().getVideoTracks();
  for (const track of tracks) track.stop();
  if (tracks.length === 0) throw new Error("a captured canvas has no track");
}

async function tryDevice(kind: "video" | "audio", checkLevel: 0 | 1): Promise<void> {
  if (navigator.mediaDevices === undefined)
    throw new Error("cameras and microphones need https or localhost");
  if (checkLevel === 0) {
    const devices = await navigator.mediaDevices.enumerateDevices();
    if (devices.some((device) => device.kind === `${kind}input`)) return;
    throw new DOMException("no such device", "NotFoundError");
  }
  const media = await navigator.mediaDevices.getUserMedia({ [kind]: true });
  for (const track of media.getTracks()) track.stop();
}

function hasScreenSharing(): boolean {
  return typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

function videoCodecs(): ZegoVideoCodec {
  const codecs =
    typeof RTCRtpSender === "function"
      ? (RTCRtpSender.getCapabilities?.("video")?.codecs ?? [])
      : [];
  const has = (name: string): boolean =>
    codecs.some((codec) => codec.mimeType.toLowerCase() === `video/${name}`);
  return { H264: has("h264"), H265: has("h265"), VP8: has("vp8"), VP9: has("vp9") };
}
