// A stream of somebody else that this client plays: one transport into one MediaStream that stays
// the same.

import { ErrorCode, ZegoError } from "./errors.ts";
import type { ZegoPlayerState } from "./events.ts";
import { offerDependencyDescriptor } from "./header_extensions.ts";
import { requestRestart } from "./ice_restart.ts";
import { priorityWish, videoWish, type PlayPriority, type StreamType } from "./layers.ts";
import { withOpus } from "./opus.ts";
import type { Signalling } from "./signalling.ts";
import { playStats, type PlayTotals, type StatsEntry, type ZegoPlayStats } from "./stats.ts";
import { Transport } from "./transport.ts";

/**
 * How a stream is played. Members of the contract that Odeum has no use for are accepted and
 * ignored.
 */
export interface ZegoWebPlayOption {
  /** @default true */
  video?: boolean;
  /** @default true */
  audio?: boolean;
  /** How much to buffer, milliseconds; undefined leaves it to the browser. */
  jitterBufferTarget?: number;
  /**
   * Which of a stream's video sizes, where its publisher sends several: 0 the best that arrives,
   * 1 the smallest, 2 the largest. @default 0
   */
  streamType?: StreamType;
  /**
   * Rows of pixels in which the video is shown: the server sends no larger size than that needs.
   * Beyond the contract. @default undefined
   */
  videoHeight?: number;
  /**
   * How much the video matters among all that are played, when not all that is wanted of them
   * arrives. Beyond the contract. @default "medium"
   */
  priority?: PlayPriority;
  streamParams?: string;
}

/** What the server is told of a play. */
type PlayWish = ReturnType<typeof videoWish> & ReturnType<typeof priorityWish>;

/** What ended a play on the server's side while the stream stays: play again. */
const passingReasons: ReadonlySet<string> = new Set(["publisher_replaced", "media_lost"]);

/** A play. */
export class Player {
  readonly streamID: string;
  /** What the app shows. Its tracks are exchanged when the transport is set up anew. */
  readonly media = new MediaStream();
  readonly #signalling: Signalling;
  readonly #transport: Transport;
  /** What of the video is wanted. */
  #wish: PlayWish;
  /** Kinds of tracks that the app has muted. */
  readonly #muted = new Set<string>();
  /** Whether media came at any time. */
  #wasConnected = false;
  /** Codecs of the stream that this browser cannot decode. */
  #untaken: readonly string[] = [];
  /** What the last statistics counted. */
  #totals: PlayTotals | undefined;

  /** `isListed` says whether the room has the stream now. */
  constructor(
    signalling: Signalling,
    streamID: string,
    option: ZegoWebPlayOption,
    isListed: () => boolean,
    onState: (state: ZegoPlayerState) => void,
  ) {
    this.streamID = streamID;
    this.#signalling = signalling;
    this.#wish = {
      ...videoWish(option.streamType, option.videoHeight),
      ...priorityWish(option.priority),
    };
    this.#transport = new Transport({
      prepare: (peer) => this.#prepare(peer, option),
      ice: () => signalling.ice,
      ready: async () => {
        const mustWait = !signalling.isOpen;
        await signalling.opened();
        return mustWait;
      },
      // Chromium decodes one channel unless its own offer says two.
      adjust: (offer) => withOpus(offer, ["stereo=1"]),
      exchange: (offer) => this.#exchange(offer),
      restart: (ufrag) => requestRestart(signalling, streamID, "PLAY", ufrag),
      answered: (peer) => this.#takeTracks(peer),
      // A publisher that was there may be setting its transport up anew.
      mayPass: (errorCode) =>
        errorCode === ErrorCode.STREAM_UNKNOWN && this.#wasConnected && isListed(),
      setupCode: ErrorCode.PLAY_SETUP,
      timeoutCode: ErrorCode.PLAY_RETRY_TIMEOUT,
      onState: (state, errorCode, reason) => {
        if (state === "connected") {
          this.#wasConnected = true;
          // What the first numbers are compared with; a connection that is closed meanwhile has
          // none.
          this.takeStats().catch(() => undefined);
        }
        // It plays, but for a track that this browser cannot decode: that is no silent black.
        const isPartial = state === "connected" && this.#untaken.length > 0;
        const extendedData = isPartial
          ? { reason: "codec_not_taken", codecs: this.#untaken }
          : reason === ""
            ? undefined
            : { reason };
        onState({
          streamID,
          state:
            state === "connected" ? "PLAYING" : state === "over" ? "NO_PLAY" : "PLAY_REQUESTING",
          errorCode: isPartial ? ErrorCode.PLAY_OFFER : errorCode,
          extendedData: extendedData === undefined ? "" : JSON.stringify(extendedData),
        });
      },
    });
  }

  /** The transport, for the engine to steer. */
  get transport(): Transport {
    return this.#transport;
  }

  /** Begins; resolves to what can be shown. */
  async start(): Promise<MediaStream> {
    await this.#transport.start();
    return this.media;
  }

  /** Ends it and tells the server, as soon as it can be told. */
  stop(): void {
    if (this.#transport.state === "over") return;
    const told = this.#signalling
      .request({
        type: "unplay",
        room_id: this.#signalling.roomID,
        stream_id: this.streamID,
      })
      .catch(() => undefined); // It was over there already, or the session is.
    this.#transport.end(ErrorCode.OK, "", this.#signalling.isOpen ? told : undefined);
  }

  /** The server ended the play. */
  ended(errorCode: number, reason: string): void {
    if (passingReasons.has(reason)) this.#transport.recover(errorCode);
    else this.#transport.end(errorCode, reason);
  }

  /** Lets no sound or picture through, or lets it through again; false when the stream has none. */
  mute(kind: "audio" | "video", isMuted: boolean): boolean {
    if (isMuted) this.#muted.add(kind);
    else this.#muted.delete(kind);
    const tracks = this.media.getTracks().filter((track) => track.kind === kind);
    for (const track of tracks) track.enabled = !isMuted;
    return tracks.length > 0;
  }

  /** Wants another size or priority of the video; false when the server could not be told now. */
  async setVideo(wish: Partial<PlayWish>): Promise<boolean> {
    this.#wish = { ...this.#wish, ...wish }; // Told again with every attempt.
    if (this.#transport.state !== "connected" || !this.#signalling.isOpen) return false;
    const request = {
      type: "set_play_video" as const,
      room_id: this.#signalling.roomID,
      stream_id: this.streamID,
      ...this.#wish,
    };
    return this.#signalling.request(request).then(
      () => true,
      () => false,
    );
  }

  /** Statistics since the last call; undefined while nothing is connected. */
  async takeStats(): Promise<ZegoPlayStats | undefined> {
    const peer = this.#transport.peer;
    if (peer === undefined || this.#transport.state !== "connected") return undefined;
    const report = await peer.getStats();
    const { stats, totals } = playStats([...report.values()] as StatsEntry[], this.#totals, {
      isAudioMuted: this.#muted.has("audio"),
      isVideoMuted: this.#muted.has("video"),
    });
    this.#totals = totals;
    return stats;
  }

  #prepare(peer: RTCPeerConnection, option: ZegoWebPlayOption): void {
    this.#totals = undefined;
    if (option.audio === false && option.video === false) {
      throw new ZegoError(ErrorCode.BAD_PARAMETER, "neither audio nor video is to be played");
    }
    const kinds = (["audio", "video"] as const).filter((kind) => option[kind] !== false);
    for (const kind of kinds) {
      const transceiver = peer.addTransceiver(kind, { direction: "recvonly" });
      const { receiver } = transceiver;
      if (kind === "video") offerDependencyDescriptor(transceiver);
      if (option.jitterBufferTarget !== undefined && "jitterBufferTarget" in receiver) {
        receiver.jitterBufferTarget = option.jitterBufferTarget;
      }
    }
  }

  #takeTracks(peer: RTCPeerConnection): void {
    for (const track of this.media.getTracks()) this.media.removeTrack(track);
    for (const { receiver, currentDirection } of peer.getTransceivers()) {
      if (currentDirection !== "recvonly") continue; // The stream has none of this kind.
      receiver.track.enabled = !this.#muted.has(receiver.track.kind);
      this.media.addTrack(receiver.track);
    }
  }

  async #exchange(sdp: string): Promise<string> {
    const { roomID } = this.#signalling;
    const reply = await this.#signalling.request({
      type: "play",
      room_id: roomID,
      stream_id: this.streamID,
      sdp,
      ...this.#wish,
    });
    if (reply.type !== "answer")
      throw new ZegoError(ErrorCode.SERVER_UNKNOWN, `reply ${reply.type} to play`);
    this.#untaken = reply.untaken_codecs ?? [];
    return reply.sdp;
  }
}
