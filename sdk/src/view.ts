// Shows a stream on the page: a video and an audio element that the SDK makes and takes away again.

import { Emitter } from "./events.ts";

/** How to show a stream. */
export interface ZegoStreamViewOptions {
  /** @default false */
  mirror?: boolean;
  /** @default "contain" */
  objectFit?: "cover" | "contain" | "fill";
  /** @default false */
  muted?: boolean;
  /** This SDK shows no dialog of its own: listen to `autoplayFailed`. */
  enableAutoplayDialog?: boolean;
}

/** How to take a picture. */
export interface ZegoSnapshotOptions {
  /** A MIME type. @default "image/png" */
  imageType?: string;
  /** 0 to 1, for lossy types. @default 0.92 */
  quality?: number;
  /** Whether to offer it as a download. @default false */
  save?: boolean;
  /** @default "snapshot" */
  fileName?: string;
}

/** The events of a view. */
export interface StreamViewEvent {
  /** The browser did not start by itself: call `resume` from a click. */
  autoplayFailed: (player: HTMLMediaElement, error?: unknown) => void;
  canPlayVideo: () => void;
  canPlayAudio: () => void;
}

/** A stream on the page. Made by `ZegoExpressEngine.createRemoteStreamView`. */
export class ZegoStreamView {
  readonly #media: MediaStream;
  readonly #emitter = new Emitter<StreamViewEvent>();
  /** Shows the picture; always silent. */
  #video: HTMLVideoElement | undefined;
  /** Plays the sound; not on the page. */
  #audio: HTMLAudioElement | undefined;
  /** 0 to 1. */
  #volume = 1;
  /** Where sound goes; empty is the default device. */
  #sink = "";

  constructor(media: MediaStream) {
    this.#media = media;
  }

  /** The element that shows the picture. */
  get videoElement(): HTMLVideoElement | undefined {
    return this.#video;
  }

  on<Name extends keyof StreamViewEvent>(event: Name, callback: StreamViewEvent[Name]): boolean {
    return this.#emitter.on(event, callback);
  }

  off<Name extends keyof StreamViewEvent>(event: Name, callback?: StreamViewEvent[Name]): boolean {
    return this.#emitter.off(event, callback);
  }

  /** Shows picture and sound in an element or the one with this id. */
  play(container: string | HTMLElement, options: ZegoStreamViewOptions = {}): void {
    this.playVideo(container, options);
    this.playAudio(options);
  }

  playVideo(container: string | HTMLElement, options: ZegoStreamViewOptions = {}): void {
    const parent = typeof container === "string" ? document.getElementById(container) : container;
    if (parent === null)
      throw new TypeError(`there is no element with the id ${String(container)}`);
    this.stopVideo();
    const video = document.createElement("video");
    video.playsInline = true;
    // The audio element has the sound; a silent video may always start by itself.
    video.muted = true;
    video.style.cssText = "width:100%;height:100%;display:block";
    video.style.objectFit = options.objectFit ?? "contain";
    if (options.mirror) video.style.transform = "scaleX(-1)";
    video.oncanplay = () => this.#emitter.emit("canPlayVideo");
    video.srcObject = this.#media;
    this.#video = video;
    parent.append(video);
    this.#start(video);
  }

  playAudio(options: ZegoStreamViewOptions = {}): void {
    this.stopAudio();
    const audio = document.createElement("audio");
    audio.muted = options.muted ?? false;
    audio.volume = this.#volume;
    audio.oncanplay = () => this.#emitter.emit("canPlayAudio");
    audio.srcObject = this.#media;
    this.#audio = audio;
    // Without that device the default one plays.
    if (this.#sink !== "") this.useAudioOutputDevice(this.#sink).catch(() => undefined);
    this.#start(audio);
  }

  stop(): void {
    this.stopVideo();
    this.stopAudio();
  }

  stopVideo(): void {
    if (this.#video) this.#video.srcObject = null;
    this.#video?.remove();
    this.#video = undefined;
  }

  stopAudio(): void {
    if (this.#audio) this.#audio.srcObject = null;
    this.#audio = undefined;
  }

  /** Starts what the browser did not start by itself; call it from a click. */
  resume(): void {
    if (this.#video) this.#start(this.#video);
    if (this.#audio) this.#start(this.#audio);
  }

  /** False while no sound is played. */
  setAudioMuted(muted: boolean): boolean {
    if (this.#audio === undefined) return false;
    this.#audio.muted = muted;
    return true;
  }

  /** False while no picture is shown. */
  setVideoMuted(muted: boolean): boolean {
    if (this.#video === undefined) return false;
    this.#video.style.visibility = muted ? "hidden" : "visible";
    return true;
  }

  /** 0 to 100; false when it is not. */
  setVolume(volume: number): boolean {
    if (!(volume >= 0 && volume <= 100)) return false;
    this.#volume = volume / 100;
    if (this.#audio) this.#audio.volume = this.#volume;
    return true;
  }

  async useAudioOutputDevice(deviceID: string): Promise<void> {
    this.#sink = deviceID;
    if (this.#audio && "setSinkId" in this.#audio) await this.#audio.setSinkId(deviceID);
  }

  getVideoHeight(): number {
    return this.#video?.videoHeight ?? 0;
  }

  getVideoWidth(): number {
    return this.#video?.videoWidth ?? 0;
  }

  /** The picture as a data URL; empty text while none is shown. */
  takeStreamSnapshot(option?: ZegoSnapshotOptions): string {
    return snapshotOf(this.#video, option);
  }

  #start(element: HTMLMediaElement): void {
    element.play().catch((error: unknown) => {
      // AbortError: stopped before it began, which is no failure.
      const isAbort = error instanceof DOMException && error.name === "AbortError";
      if (!isAbort) this.#emitter.emit("autoplayFailed", element, error);
    });
  }
}

/** The picture that an element shows now, as a data URL; empty text when it shows none. */
export function snapshotOf(
  video: HTMLVideoElement | undefined,
  option: ZegoSnapshotOptions = {},
): string {
  if (video === undefined || video.videoWidth === 0) return "";
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const url = canvas.toDataURL(option.imageType ?? "image/png", option.quality);
  if (option.save) {
    const link = document.createElement("a");
    link.href = url;
    link.download = option.fileName ?? "snapshot";
    link.click();
  }
  return url;
}
