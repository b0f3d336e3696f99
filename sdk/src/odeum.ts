// What the SDK exports: the engine, its errors, and the types of its arguments and events.

export {
  ZegoExpressEngine,
  type LocalStream,
  type ZegoEngineOption,
  type ZegoRoomConfig,
} from "./engine.ts";
export { ErrorCode, ZegoError } from "./errors.ts";
export type { PlayPriority, StreamType } from "./layers.ts";
export { ZegoLocalStream } from "./stream.ts";
export { ZegoStreamView } from "./view.ts";
export type * from "./capture.ts";
export type * from "./devices.ts";
export type * from "./events.ts";
export type * from "./log.ts";
export type { ZegoWebPlayOption } from "./player.ts";
export type { ZegoWebPublishOption } from "./publisher.ts";
export type * from "./requirements.ts";
export type * from "./stats.ts";
export type {
  ZegoCamera,
  ZegoCustom,
  ZegoLocalStreamConfig,
  ZegoLocalStreamEvent,
  ZegoScreen,
  ZegoServerResponse,
  ZegoStreamOptions,
} from "./stream.ts";
export type { StreamViewEvent, ZegoSnapshotOptions, ZegoStreamViewOptions } from "./view.ts";
