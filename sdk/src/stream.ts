// What a user publishes, before it is published: tracks from camera, microphone, screen or the app
// itself.

import {
  bitrateOf,
  customTracks,
  hint,
  noteChannels,
  openDevices,
  openScreen,
  type ConstraintExtend,
  type OptimizationMode,
  type ZegoCaptureCamera,
  type ZegoCaptureMicrophone,
  type ZegoCaptureScreenAudio,
  type ZegoCaptureScreenVideo,
  type ZegoCustomAudio,
  type ZegoCustomVideo,
} from "./capture.ts";
import { ErrorCode, toZegoError, ZegoError } from "./errors.ts";
import { Emitter } from "./events.ts";
import type { SendBitrates } from "./publisher.ts";
import {
  snapshotOf,
  ZegoStreamView,
  type ZegoSnapshotOptions,
  type ZegoStreamViewOptions,
} from "./view.ts";

/** The result of a call that does not reject. */
export interface ZegoServerResponse {
  errorCode: number;
  extendedData?: string;
}

/** What `createZegoStream` takes. Without any source: camera and microphone. */
export interface ZegoStreamOptions {
  /** Whether to capture at once. @default true */
  autoCapture?: boolean;
  /** kbit/s. @default by quality */
  videoBitrate?:
    number | { bitrate?: number; startBitrate?: "default" | "target"; minBitrate?: number };
  /** kbit/s. @default 48 */
  audioBitrate?: number;
  camera?: { video?: boolean | ZegoCaptureCamera; audio?: boolean | ZegoCaptureMicrophone };
  screen?: { video?: boolean | ZegoCaptureScreenVideo; audio?: boolean | ZegoCaptureScreenAudio };
  custom?: { video?: ZegoCustomVideo; audio?: ZegoCustomAudio };
}

/** The older form of a camera with a microphone. */
export interface ZegoCamera {
  /** @default true */
  audio?: boolean;
  audioInput?: string;
  audioBitrate?: number;
  /** @default true */
  video?: boolean;
  videoInput?: string;
  videoQuality?: 1 | 2 | 3 | 4;
  facingMode?: "user" | "environment";
  channelCount?: 1 | 2;
  ANS?: boolean;
  AGC?: boolean;
  AEC?: boolean;
  width?: number | ConstraintExtend;
  height?: number | ConstraintExtend;
  bitrate?: number;
  frameRate?: number | ConstraintExtend;
  videoOptimizationMode?: OptimizationMode;
}

/** The older form of a screen. */
export interface ZegoScreen {
  /** @default false */
  audio?: boolean;
  videoQuality?: 1 | 2 | 3 | 4;
  width?: number | ConstraintExtend;
  height?: number | ConstraintExtend;
  bitrate?: number;
  bitRate?: number;
  frameRate?: number | ConstraintExtend;
  videoOptimizationMode?: OptimizationMode;
}

/** The older form of a source of the app's own. */
export interface ZegoCustom {
  source: HTMLMediaElement | MediaStream;
  bitrate?: number;
  audioBitrate?: number;
  videoOptimizationMode?: OptimizationMode;
}

/** What `createStream` takes. */
export interface ZegoLocalStreamConfig {
  camera?: ZegoCamera;
  screen?: boolean | ZegoScreen;
  custom?: ZegoCustom;
}

/** The events of a local stream. */
export interface ZegoLocalStreamEvent {
  autoplayFailed: (player: HTMLMediaElement, error?: unknown) => void;
  canPlayAudio: () => void;
  canPlayVideo: () => void;
  videoTrackChanged: (videoTrack: MediaStreamTrack) => void;
  audioTrackChanged: (audioTrack: MediaStreamTrack) => void;
  /** The user ended screen sharing in the browser's own bar. */
  screenSharingEnded: () => void;
}

/** The newer options in the words of the older ones. */
export function toStreamOptions(source: ZegoLocalStreamConfig): ZegoStreamOptions {
  const { camera, screen, custom } = source;
  if (custom) {
    const {
      source: media,
      bitrate,
      audioBitrate,
      videoOptimizationMode: optimizationMode,
    } = custom;
    return {
      custom: { video: { source: media, optimizationMode }, audio: { source: media } },
      videoBitrate: bitrate,
      audioBitrate,
    };
  }
  if (screen) {
    const options = screen === true ? {} : screen;
    const {
      videoQuality: quality,
      width,
      height,
      frameRate,
      videoOptimizationMode: optimizationMode,
    } = options;
    return {
      screen: {
        video: { quality, width, height, frameRate, optimizationMode },
        audio: options.audio ?? false,
      },
      videoBitrate: options.bitrate ?? options.bitRate,
    };
  }
  const options = camera ?? {};
  const {
    videoQuality: quality,
    width,
    height,
    frameRate,
    facingMode,
    videoInput,
    audioInput,
  } = options;
  const { ANS, AGC, AEC, channelCount, videoOptimizationMode: optimizationMode } = options;
  return {
    camera: {
      video: options.video !== false && {
        input: videoInput,
        quality,
        facingMode,
        width,
        height,
        frameRate,
        optimizationMode,
      },
      audio: options.audio !== false && { input: audioInput, channelCount, ANS, AGC, AEC },
    },
    videoBitrate: options.bitrate,
    audioBitrate: options.audioBitrate,
  };
}

/** Bitrates for streams that were made here, by their MediaStream. */
const bitratesByMedia = new WeakMap<MediaStream, SendBitrates>();

/** What `createZegoStream` or `createStream` were told to send at most. */
export function bitratesOf(media: MediaStream): SendBitrates {
  return bitratesByMedia.get(media) ?? {};
}

/** A stream of this client's own. Made by `ZegoExpressEngine.createZegoStream`. */
export class ZegoLocalStream {
  /** The tracks; one audio and one video at most. */
  readonly #media = new MediaStream();
  /** Tracks that were captured here and end with the stream; the app's own go on. */
  readonly #captured = new Set<MediaStreamTrack>();
  readonly #emitter = new Emitter<ZegoLocalStreamEvent>();
  /** Shows the picture. */
  readonly #pictureView = new ZegoStreamView(this.#media);
  /** Plays the sound. */
  readonly #soundView = new ZegoStreamView(this.#media);
  readonly #options: ZegoStreamOptions;

  constructor(options: ZegoStreamOptions) {
    this.#options = options;
    const { videoBitrate, audioBitrate } = options;
    const asked_kbps = typeof videoBitrate === "object" ? videoBitrate.bitrate : videoBitrate;
    bitratesByMedia.set(this.#media, {
      video_kbps: asked_kbps ?? bitrateByOptions(options),
      audio_kbps: audioBitrate ?? 48,
    });
    for (const view of [this.#pictureView, this.#soundView]) {
      view.on("autoplayFailed", (player, error) =>
        this.#emitter.emit("autoplayFailed", player, error),
      );
      view.on("canPlayAudio", () => this.#emitter.emit("canPlayAudio"));
      view.on("canPlayVideo", () => this.#emitter.emit("canPlayVideo"));
    }
  }

  /** Whether any track is live. */
  get active(): boolean {
    return this.#media.active;
  }

  get id(): string {
    return this.#media.id;
  }

  /** What is published. */
  get stream(): MediaStream {
    return this.#media;
  }

  get videoCaptureStream(): MediaStream | null {
    return this.getVideoTracks().length > 0 ? new MediaStream(this.getVideoTracks()) : null;
  }

  get audioCaptureStream(): MediaStream | null {
    return this.getAudioTracks().length > 0 ? new MediaStream(this.getAudioTracks()) : null;
  }

  get videoDeviceId(): string {
    return this.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  get audioDeviceId(): string {
    return this.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  getAudioTracks(): MediaStreamTrack[] {
    return this.#media.getAudioTracks();
  }

  getVideoTracks(): MediaStreamTrack[] {
    return this.#media.getVideoTracks();
  }

  getTracks(): MediaStreamTrack[] {
    return this.#media.getTracks();
  }

  on<Name extends keyof ZegoLocalStreamEvent>(
    event: Name,
    callback: ZegoLocalStreamEvent[Name],
  ): boolean {
    return this.#emitter.on(event, callback);
  }

  off<Name extends keyof ZegoLocalStreamEvent>(
    event: Name,
    callback?: ZegoLocalStreamEvent[Name],
  ): boolean {
    return this.#emitter.off(event, callback);
  }

  /** Captures what the options name; rejects with the contract's codes. */
  async capture(): Promise<void> {
    const { camera, screen, custom } = this.#options;
    if (custom) this.#takeCustom(custom.video, custom.audio);
    if (screen && screen.video !== false) {
      const audio = screen.audio === true ? {} : screen.audio || undefined;
      this.#takeCaptured(
        await openScreen(typeof screen.video === "object" ? screen.video : {}, audio),
      );
    }
    if (camera || (!custom && !screen)) {
      const video =
        camera?.video === false ? undefined : typeof camera?.video === "object" ? camera.video : {};
      const audio =
        camera?.audio === false ? undefined : typeof camera?.audio === "object" ? camera.audio : {};
      if (!video && !audio)
        throw new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, "neither camera nor microphone");
      this.#takeCaptured(await openDevices(video, audio));
    }
  }

  startCaptureCamera(options: ZegoCaptureCamera = {}): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCaptured(await openDevices(options, undefined)));
  }

  startCaptureMicrophone(options: ZegoCaptureMicrophone = {}): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCaptured(await openDevices(undefined, options)));
  }

  startCaptureCameraAndMicrophone(
    cameraOptions: ZegoCaptureCamera = {},
    microphoneOptions: ZegoCaptureMicrophone = {},
  ): Promise<ZegoServerResponse> {
    return this.#respond(async () =>
      this.#takeCaptured(await openDevices(cameraOptions, microphoneOptions)),
    );
  }

  startCaptureScreen(options: ZegoCaptureScreenVideo = {}): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCaptured(await openScreen(options, undefined)));
  }

  startCaptureScreenWithAudio(
    screenVideoOptions: ZegoCaptureScreenVideo = {},
    screenAudioOptions: ZegoCaptureScreenAudio = {},
  ): Promise<ZegoServerResponse> {
    return this.#respond(async () =>
      this.#takeCaptured(await openScreen(screenVideoOptions, screenAudioOptions)),
    );
  }

  startCaptureCustomVideo(options: ZegoCustomVideo): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCustom(options, undefined));
  }

  startCaptureCustomAudio(options: ZegoCustomAudio): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCustom(undefined, options));
  }

  startCaptureCustomVideoAndAudio(
    videoOptions: ZegoCustomVideo,
    audioOptions: ZegoCustomAudio,
  ): Promise<ZegoServerResponse> {
    return this.#respond(async () => this.#takeCustom(videoOptions, audioOptions));
  }

  async stopCaptureAudio(): Promise<boolean> {
    return this.#removeTracks("audio");
  }

  async stopCaptureVideo(): Promise<boolean> {
    return this.#removeTracks("video");
  }

  /** Shows the picture in an element, mirrored unless told otherwise; without sound. */
  playVideo(view: HTMLElement, config: ZegoStreamViewOptions = {}): void {
    this.#pictureView.playVideo(view, { mirror: true, ...config });
  }

  playCaptureVideo(view: HTMLElement, config: ZegoStreamViewOptions = {}): void {
    this.playVideo(view, config);
  }

  /** Plays the own sound back. */
  playAudio(): void {
    this.#soundView.playAudio();
  }

  playCaptureAudio(): void {
    this.playAudio();
  }

  stopVideo(): void {
    this.#pictureView.stop();
  }

  stopAudio(): void {
    this.#soundView.stop();
  }

  stopPlayCaptureVideo(): void {
    this.stopVideo();
  }

  stopPlayCaptureAudio(): void {
    this.stopAudio();
  }

  resumeVideo(): void {
    this.#pictureView.resume();
  }

  resumeAudio(): void {
    this.#soundView.resume();
  }

  /** The volume of `playAudio`, 0 to 100. */
  setVolume(volume: number): boolean {
    return this.#soundView.setVolume(volume);
  }

  useAudioOutputDevice(deviceID: string): Promise<void> {
    return this.#soundView.useAudioOutputDevice(deviceID);
  }

  /** What is shared: `monitor`, `window`, `browser`, or empty text. */
  getScreenDisplaySurface(): string {
    return this.getVideoTracks()[0]?.getSettings().displaySurface ?? "";
  }

  /** The picture that `playVideo` shows, as a data URL. */
  takeStreamSnapshot(option?: ZegoSnapshotOptions): string {
    return snapshotOf(this.#pictureView.videoElement, option);
  }

  /** Ends what was captured here. */
  destroy(): void {
    this.stopVideo();
    this.stopAudio();
    this.#removeTracks("audio");
    this.#removeTracks("video");
  }

  #takeCaptured(tracks: MediaStreamTrack[]): void {
    for (const track of tracks) {
      this.#captured.add(track);
      if (track.getSettings().displaySurface !== undefined) {
        track.addEventListener("ended", () => this.#emitter.emit("screenSharingEnded"));
      }
      this.#take(track);
    }
  }

  #takeCustom(video: ZegoCustomVideo | undefined, audio: ZegoCustomAudio | undefined): void {
    const picture = video && customTracks(video.source, "video")[0];
    const sound = audio && customTracks(audio.source, "audio")[0];
    if (!picture && !sound)
      throw new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, "the source has no track");
    hint(picture, video?.optimizationMode);
    noteChannels(sound, audio?.channelCount);
    for (const track of [picture, sound]) if (track) this.#take(track);
  }

  #take(track: MediaStreamTrack): void {
    const kind = track.kind === "audio" ? "audio" : "video";
    const isChange = this.#removeTracks(kind);
    this.#media.addTrack(track);
    if (isChange)
      this.#emitter.emit(kind === "audio" ? "audioTrackChanged" : "videoTrackChanged", track);
  }

  /** Whether there was any. */
  #removeTracks(kind: "audio" | "video"): boolean {
    const tracks = this.#media.getTracks().filter((track) => track.kind === kind);
    for (const track of tracks) {
      this.#media.removeTrack(track);
      if (this.#captured.delete(track)) track.stop();
    }
    return tracks.length > 0;
  }

  async #respond(action: () => Promise<void>): Promise<ZegoServerResponse> {
    try {
      await action();
      return { errorCode: ErrorCode.OK, extendedData: "" };
    } catch (error) {
      const { errorCode, extendedData } = toZegoError(error, ErrorCode.CAPTURE_FAILED);
      return { errorCode, extendedData };
    }
  }
}

/** What suits the quality that the options name; undefined leaves it to the browser. */
function bitrateByOptions({ camera, screen, custom }: ZegoStreamOptions): number | undefined {
  if (custom) return bitrateOf(3);
  const video = screen ? screen.video : camera?.video;
  const quality = typeof video === "object" ? video.quality : undefined;
  return bitrateOf(quality ?? (screen ? 3 : 2));
}
