// A stream that this client publishes: its tracks over one transport.

import { channelsOf } from "./capture.ts";
import { preferCodec, type VideoCodecName } from "./codecs.ts";
import { ErrorCode, ZegoError } from "./errors.ts";
import type { ZegoPublisherState } from "./events.ts";
import { requestRestart } from "./ice_restart.ts";
import { bitrateOf, encodings, layerCount } from "./layers.ts";
import { withOpus } from "./opus.ts";
import type { Signalling } from "./signalling.ts";
import {
  publishStats,
  type PublishTotals,
  type StatsEntry,
  type ZegoPublishStats,
} from "./stats.ts";
import { Transport } from "./transport.ts";

/**
 * How a stream is published. Members of the contract that Odeum has no use for are accepted and
 * ignored.
 */
export interface ZegoWebPublishOption {
  /** Free text for the others, at most 1,024 bytes. @default "" */
  extraInfo?: string;
  /** @default "VP8" */
  videoCodec?: VideoCodecName;
  /**
   * Whether the video is sent in several sizes, so that each player gets the one that it has use
   * for and that reaches it: three from 960 by 540 pixels on, two from 480 by 270. Beyond the
   * contract. @default false
   */
  simulcast?: boolean;
  /**
   * The layers inside the video's one stream, as W3C's WebRTC-SVC names them: "L1T3" lets a player
   * have fewer pictures per second, "L3T3_KEY" (VP9, AV1) smaller ones too. Publishing fails with
   * one that the browser has for no codec; without one it chooses itself. Beyond the contract.
   * @default undefined
   */
  scalabilityMode?: string;
  /** Whether silence is left out. @default false */
  enableDTX?: boolean;
  streamParams?: string;
  roomID?: string;
}

/** Limits of what is sent, kbit/s; undefined leaves the browser's own. */
export interface SendBitrates {
  video_kbps?: number;
  audio_kbps?: number;
}

/** A publication. */
export class Publisher {
  readonly streamID: string;
  readonly media: MediaStream;
  readonly #signalling: Signalling;
  readonly #transport: Transport;
  /** The senders of the connection now. */
  #senders: RTCRtpSender[] = [];
  /** Told with every attempt, so that a stream that is published anew has it. */
  extraInfo: string;
  /** What the last statistics counted. */
  #totals: PublishTotals | undefined;

  constructor(
    signalling: Signalling,
    streamID: string,
    media: MediaStream,
    option: ZegoWebPublishOption,
    bitrates: SendBitrates,
    onState: (state: ZegoPublisherState) => void,
  ) {
    this.streamID = streamID;
    this.media = media;
    this.extraInfo = option.extraInfo ?? "";
    this.#signalling = signalling;
    this.#transport = new Transport({
      prepare: (peer) => this.#prepare(peer, option, bitrates),
      ice: () => signalling.ice,
      ready: async () => {
        const mustWait = !signalling.isOpen;
        await signalling.opened();
        return mustWait;
      },
      adjust: (offer) => offer,
      exchange: (offer) => this.#exchange(withOpus(offer, opusWanted(media, option))),
      restart: (ufrag) => requestRestart(signalling, streamID, "PUBLISH", ufrag),
      answered: () => undefined,
      mayPass: () => false,
      setupCode: ErrorCode.PUBLISH_SETUP,
      timeoutCode: ErrorCode.PUBLISH_RETRY_TIMEOUT,
      onState: (state, errorCode, reason) => {
        // What the first numbers are compared with; a connection that is closed meanwhile has none.
        if (state === "connected") this.takeStats().catch(() => undefined);
        onState({
          streamID,
          state:
            state === "connected"
              ? "PUBLISHING"
              : state === "over"
                ? "NO_PUBLISH"
                : "PUBLISH_REQUESTING",
          errorCode,
          extendedData: reason === "" ? "" : JSON.stringify({ reason }),
        });
      },
    });
  }

  /** The transport, for the engine to steer. */
  get transport(): Transport {
    return this.#transport;
  }

  /** Begins; what becomes of it is told by states. */
  start(): void {
    this.#transport.start().catch(() => undefined); // The state says it.
  }

  /** Ends it and tells the server, as soon as it can be told. */
  stop(): void {
    if (this.#transport.state === "over") return;
    const told = this.#signalling
      .request({
        type: "unpublish",
        room_id: this.#signalling.roomID,
        stream_id: this.streamID,
      })
      .catch(() => undefined); // It was over there already, or the session is.
    this.#transport.end(ErrorCode.OK, "", this.#signalling.isOpen ? told : undefined);
  }

  /** Puts another track in the place of the one of its kind. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    const sender = this.#senders.find((each) => each.track?.kind === track.kind);
    if (sender === undefined)
      throw new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, `no ${track.kind} is published`);
    await sender.replaceTrack(track);
  }

  /** Statistics since the last call; undefined while nothing is connected. */
  async takeStats(): Promise<ZegoPublishStats | undefined> {
    const peer = this.#transport.peer;
    if (peer === undefined || this.#transport.state !== "connected") return undefined;
    const report = await peer.getStats();
    const isMuted = (kind: string): boolean =>
      !this.media.getTracks().some((track) => track.kind === kind && track.enabled);
    const { stats, totals } = publishStats([...report.values()] as StatsEntry[], this.#totals, {
      isAudioMuted: isMuted("audio"),
      isVideoMuted: isMuted("video"),
    });
    this.#totals = totals;
    return stats;
  }

  #prepare(peer: RTCPeerConnection, option: ZegoWebPublishOption, bitrates: SendBitrates): void {
    this.#totals = undefined;
    const audio = this.media.getAudioTracks()[0];
    const video = this.media.getVideoTracks()[0];
    const tracks = [audio, video].filter((track) => track !== undefined);
    if (tracks.length === 0)
      throw new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, "the stream has no track");
    this.#senders = tracks.map((track) => {
      const kbps = track.kind === "video" ? bitrates.video_kbps : bitrates.audio_kbps;
      const transceiver = peer.addTransceiver(track, {
        direction: "sendonly",
        streams: [this.media],
        sendEncodings: encodings(
          option.simulcast === true ? layersOf(track) : 1,
          kbps,
          track.kind === "video" ? option.scalabilityMode : undefined,
        ),
      });
      if (track.kind === "video") preferCodec(transceiver, option.videoCodec ?? "VP8");
      return transceiver.sender;
    });
  }

  /** Sends these layers of the video, in the order of its encodings, and rests the others. */
  sendLayers(isWanted: readonly boolean[]): void {
    const sender = this.#senders.find((each) => each.track?.kind === "video");
    const parameters = sender?.getParameters();
    if (parameters === undefined || parameters.encodings.length !== isWanted.length) return;
    for (const [at, encoding] of parameters.encodings.entries())
      encoding.active = isWanted[at] ?? true;
    // A connection that ends meanwhile has nothing to rest.
    sender?.setParameters(parameters).catch(() => undefined);
  }

  /** Changes what is sent at most. */
  async setVideoBitrate(video_kbps: number): Promise<void> {
    const sender = this.#senders.find((each) => each.track?.kind === "video");
    if (sender === undefined)
      throw new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, "no video is published");
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings)
      encoding.maxBitrate = bitrateOf(encoding.rid, video_kbps);
    await sender.setParameters(parameters);
  }

  async #exchange(sdp: string): Promise<string> {
    const { roomID } = this.#signalling;
    const reply = await this.#signalling.request({
      type: "publish",
      room_id: roomID,
      stream_id: this.streamID,
      extra_info: this.extraInfo,
      sdp,
    });
    if (reply.type !== "answer")
      throw new ZegoError(ErrorCode.SERVER_UNKNOWN, `reply ${reply.type} to publish`);
    return reply.sdp;
  }
}

/** How many layers a track can be sent in; a screen that is not shared yet has no size. */
function layersOf(track: MediaStreamTrack): 1 | 2 | 3 {
  const { width = 0, height = 0 } = track.getSettings();
  return track.kind === "video" ? layerCount(width, height) : 1;
}

/** What is offered of Opus: a browser sends it as the answer repeats it. */
function opusWanted(media: MediaStream, { enableDTX }: ZegoWebPublishOption): string[] {
  const track = media.getAudioTracks()[0];
  const isStereo = track !== undefined && channelsOf(track) === 2;
  return [...(enableDTX ? ["usedtx=1"] : []), ...(isStereo ? ["stereo=1", "sprop-stereo=1"] : [])];
}
