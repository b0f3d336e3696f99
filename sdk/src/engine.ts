// The SDK's front door: one engine, logged in to at most one room, with its publications and plays.

import type { Unnumbered } from "./connection.ts";
import { listDevices, type ZegoDeviceInfo, type ZegoDeviceInfos } from "./devices.ts";
import { ErrorCode, toZegoError, ZegoError } from "./errors.ts";
import {
  Emitter,
  type ZegoEvent,
  type ZegoRoomState,
  type ZegoRoomStateChangedReason,
  type ZegoUser,
} from "./events.ts";
import { loginFault, streamFault } from "./identifier.ts";
import { priorityFault, priorityWish, videoWish, type PlayPriority } from "./layers.ts";
import { Log, type ZegoLogConfig } from "./log.ts";
import {
  commandOutcome,
  messageFault,
  roomExtraInfoFault,
  streamExtraInfoFault,
  tellMessage,
} from "./messages.ts";
import { Player, type ZegoWebPlayOption } from "./player.ts";
import { Publisher, type ZegoWebPublishOption } from "./publisher.ts";
import { checkRequirements, type CheckType, type ZegoCapabilityDetection } from "./requirements.ts";
import { RoomView, type ViewEvent } from "./room_view.ts";
import { Signalling, type SnapshotOrigin } from "./signalling.ts";
import type { Transport } from "./transport.ts";
import {
  bitratesOf,
  toStreamOptions,
  ZegoLocalStream,
  type ZegoLocalStreamConfig,
  type ZegoServerResponse,
  type ZegoStreamOptions,
} from "./stream.ts";
import { readToken } from "./token.ts";
import { version } from "./version.ts";
import { ZegoStreamView } from "./view.ts";
import type { Notice, Reply, Snapshot } from "./wire.ts";

/** How the engine works. */
export interface ZegoEngineOption {
  /** Taken for compatibility; it changes nothing. */
  scenario?: number;
  /**
   * By which ways media may go: `"all"`, or `"relay"` through TURN servers alone, which hides this
   * client's addresses and needs a server with `[turn]` or `[[media.ice_servers]]`. @default "all"
   */
  iceTransportPolicy?: "all" | "relay";
}

/** How to log in. */
export interface ZegoRoomConfig {
  /** Whether to be told of users who come and go. @default false */
  userUpdate?: boolean;
  /** Users the room may hold, set by its first login; 0 is no limit. @default 0 */
  maxMemberCount?: number;
}

/** A stream of this client's own in either form. */
export type LocalStream = MediaStream | ZegoLocalStream;

/** How often quality is told, milliseconds. */
const qualityInterval_ms = 3_000;

/** The older form of each state. */
const olderStates: Record<ZegoRoomStateChangedReason, ZegoRoomState> = {
  LOGINING: "CONNECTING",
  LOGINED: "CONNECTED",
  LOGIN_FAILED: "DISCONNECTED",
  RECONNECTING: "CONNECTING",
  RECONNECTED: "CONNECTED",
  RECONNECT_FAILED: "DISCONNECTED",
  KICKOUT: "DISCONNECTED",
  LOGOUT: "DISCONNECTED",
  LOGOUT_FAILED: "CONNECTED",
};

/** One login and what came of it. */
interface Room {
  signalling: Signalling;
  view: RoomView;
}

/** The engine. */
export class ZegoExpressEngine {
  /** The SDK's version. */
  static readonly version = version;

  readonly #appID: number;
  readonly #servers: readonly string[];
  readonly #iceTransportPolicy: RTCIceTransportPolicy;
  readonly #emitter = new Emitter<ZegoEvent>();
  readonly #log = new Log();
  /** The room, while logged in or on the way there. */
  #room: Room | undefined;
  /** Publications by stream. */
  readonly #publishers = new Map<string, Publisher>();
  /** Plays by stream, with what their start promised. */
  readonly #players = new Map<string, { player: Player; started: Promise<MediaStream> }>();
  /** Streams of `createStream` by their MediaStream. */
  readonly #madeStreams = new WeakMap<MediaStream, ZegoLocalStream>();
  /** Tells quality, while there is a publication or a play. */
  #qualityTimer: ReturnType<typeof setInterval> | undefined;
  readonly #onOnline = (): void => this.#room?.signalling.hurry();

  /** @param server the address of the server's `/signal`, or several to be tried in order. */
  constructor(appID: number, server: string | string[], option: ZegoEngineOption = {}) {
    this.#appID = appID;
    this.#iceTransportPolicy = option.iceTransportPolicy ?? "all";
    this.#servers = (Array.isArray(server) ? server : [server]).filter((url) => url !== "");
    globalThis.addEventListener?.("online", this.#onOnline);
  }

  // Engine

  /** Registers a handler; register before `loginRoom`. */
  on<Name extends keyof ZegoEvent>(event: Name, callBack: ZegoEvent[Name]): boolean {
    return this.#emitter.on(event, callBack);
  }

  /** Takes a handler away, or all of the event. */
  off<Name extends keyof ZegoEvent>(event: Name, callBack?: ZegoEvent[Name]): boolean {
    return this.#emitter.off(event, callBack);
  }

  getVersion(): string {
    return version;
  }

  /** Whether to log everything on the console. */
  setDebugVerbose(enable: boolean): void {
    this.#log.level = enable ? "debug" : "warn";
  }

  setLogConfig(config: ZegoLogConfig): boolean {
    return this.#log.configure(config);
  }

  /** What this browser can do. Level 1 opens camera and microphone. @default everything, level 1 */
  checkSystemRequirements(
    checkType?: CheckType,
    checkLevel: 0 | 1 = 1,
  ): Promise<ZegoCapabilityDetection> {
    return checkRequirements(checkType, checkLevel);
  }

  /** Leaves the room and forgets every handler. */
  destroyEngine(): void {
    this.logoutRoom();
    this.#emitter.clear();
    globalThis.removeEventListener?.("online", this.#onOnline);
  }

  // Room

  /** Logs in. Resolves to true; rejects with a `ZegoError`. */
  async loginRoom(
    roomID: string,
    token: string,
    user: ZegoUser,
    config: ZegoRoomConfig = {},
  ): Promise<boolean> {
    const userName = user?.userName ?? "";
    const fault = loginFault(roomID, user?.userID, userName);
    if (fault !== undefined) throw fault;
    if (this.#room !== undefined) {
      const isSame = this.#room.signalling.roomID === roomID;
      throw new ZegoError(
        isSame ? ErrorCode.DUPLICATE_LOGIN : ErrorCode.TOO_MANY_ROOMS,
        "logged in already",
      );
    }
    const view = new RoomView(user.userID);
    const signalling: Signalling = new Signalling(
      {
        appID: this.#appID,
        servers: this.#servers,
        roomID,
        userID: user.userID,
        userName,
        token,
        userUpdate: config.userUpdate ?? false,
        maxMemberCount: config.maxMemberCount ?? 0,
        iceTransportPolicy: this.#iceTransportPolicy,
      },
      {
        onState: (reason, errorCode, extendedData) =>
          this.#tellState(roomID, reason, errorCode, extendedData),
        onSnapshot: (snapshot, origin) => this.#takeSnapshot(roomID, view, snapshot, origin),
        onNotice: (notice) => this.#takeNotice(roomID, view, notice),
        onOver: (errorCode, farewell) => this.#leave(signalling, errorCode, farewell),
      },
      (url) => new WebSocket(url),
      this.#log,
    );
    this.#room = { signalling, view };
    await signalling.login();
    return true;
  }

  /** Leaves the room; every publication and play ends. */
  logoutRoom(roomID?: string): void {
    const room = this.#room;
    if (room === undefined || (roomID !== undefined && roomID !== room.signalling.roomID)) return;
    room.signalling.logout();
  }

  /**
   * Replaces the token; false when it cannot be one. Whether the server takes it shows at the next
   * call.
   */
  renewToken(token: string, roomID?: string): boolean {
    const room = this.#room;
    if (room === undefined || (roomID !== undefined && roomID !== room.signalling.roomID))
      return false;
    if (readToken(token) === undefined) return false;
    room.signalling.renewToken(token);
    return true;
  }

  /** Attaches a value to the room under its one key, for all others to see while it lasts. */
  setRoomExtraInfo(roomID: string, key: string, value: string): Promise<ZegoServerResponse> {
    return this.#respond(async () => {
      const request = { type: "set_room_extra_info", room_id: roomID, key, value } as const;
      const fault = roomExtraInfoFault(key, value);
      await this.#ask(roomID, fault, ErrorCode.ROOM_NOT_LOGGED_IN, request);
    });
  }

  // Messages

  /** Says something to all others in the room, 1 to 1,024 bytes, at most twice a second. */
  sendBroadcastMessage(roomID: string, message: string): Promise<ZegoServerResponse> {
    return this.#say(roomID, message, { type: "send_broadcast_message", room_id: roomID, message });
  }

  /** Says something to all others in the room that may be lost, 1 to 1,024 bytes. */
  sendBarrageMessage(roomID: string, message: string): Promise<ZegoServerResponse> {
    return this.#say(roomID, message, { type: "send_barrage_message", room_id: roomID, message });
  }

  /**
   * Sends a command of 1 to 1,024 bytes to some others in the room, or to all when the list is
   * empty. extendedData names users who are not there as
   * `{"fail_users":[{"uid":"…","code":50003}]}`; when none is there the call fails with 1009010.
   */
  sendCustomCommand(
    roomID: string,
    command: string,
    toUserIDList: string[] = [],
  ): Promise<ZegoServerResponse> {
    if (!Array.isArray(toUserIDList))
      return this.#respond(() =>
        Promise.reject(new ZegoError(ErrorCode.BAD_PARAMETER, "toUserIDList is not a list")),
      );
    return this.#say(
      roomID,
      command,
      { type: "send_custom_command", room_id: roomID, command, to_user_ids: toUserIDList },
      (reply) =>
        reply.type === "command_sent" ? commandOutcome(toUserIDList, reply.offline_user_ids) : "",
    );
  }

  // Local streams

  /** Captures a stream of one's own. Without options: camera and microphone. */
  async createZegoStream(options: ZegoStreamOptions = {}): Promise<ZegoLocalStream> {
    const stream = new ZegoLocalStream(options);
    if (options.autoCapture === false) return stream;
    try {
      await stream.capture();
    } catch (error) {
      stream.destroy();
      throw error;
    }
    stream.on("screenSharingEnded", () => this.#emitter.emit("screenSharingEnded", stream.stream));
    return stream;
  }

  /** The older form of `createZegoStream`. */
  async createStream(source: ZegoLocalStreamConfig = {}): Promise<MediaStream> {
    const stream = await this.createZegoStream(toStreamOptions(source));
    this.#madeStreams.set(stream.stream, stream);
    return stream.stream;
  }

  /** Ends what was captured for the stream; tracks that the app brought itself go on. */
  destroyStream(localStream: LocalStream): void {
    const made =
      localStream instanceof ZegoLocalStream ? localStream : this.#madeStreams.get(localStream);
    made?.destroy();
  }

  /** Shows a local stream. */
  createLocalStreamView(localStream: MediaStream): ZegoStreamView {
    return new ZegoStreamView(localStream);
  }

  // Publishing

  /**
   * Begins to publish; true when it was begun. What becomes of it is told by
   * `publisherStateUpdate`.
   */
  startPublishingStream(
    streamID: string,
    localStream: LocalStream,
    publishOption: ZegoWebPublishOption = {},
  ): boolean {
    const fault = this.#publishFault(streamID, localStream);
    if (fault !== undefined || this.#room === undefined) {
      this.#log.warn(`not published: ${fault?.message ?? ""}`);
      return false;
    }
    const media = mediaOf(localStream);
    const publisher = new Publisher(
      this.#room.signalling,
      streamID,
      media,
      publishOption,
      bitratesOf(media),
      (state) => {
        if (state.state === "NO_PUBLISH" && this.#publishers.get(streamID) === publisher) {
          this.#publishers.delete(streamID);
        }
        this.#emitter.emit("publisherStateUpdate", state);
      },
    );
    this.#publishers.set(streamID, publisher);
    this.#tellQualityRegularly();
    publisher.start();
    return true;
  }

  /** Ends a publication; false when there is none. */
  stopPublishingStream(streamID: string): boolean {
    const publisher = this.#publishers.get(streamID);
    publisher?.stop();
    return publisher !== undefined;
  }

  /** Attaches a text, at most 1,024 bytes, to a stream that this client publishes. */
  setStreamExtraInfo(streamID: string, extraInfo: string): Promise<ZegoServerResponse> {
    return this.#respond(async () => {
      const publisher = this.#publishers.get(streamID);
      const fault =
        streamExtraInfoFault(extraInfo) ??
        (publisher ? undefined : new ZegoError(ErrorCode.NOT_PUBLISHING, "publish it first"));
      const room_id = this.#room?.signalling.roomID ?? "";
      const request = { room_id, stream_id: streamID, extra_info: extraInfo } as const;
      await this.#ask(room_id, fault, ErrorCode.NOT_IN_ROOM, {
        type: "set_stream_extra_info",
        ...request,
      });
      if (publisher) publisher.extraInfo = extraInfo;
    });
  }

  /** Sends no picture, or sends it again. The camera stays open, whatever `retain` says. */
  mutePublishStreamVideo(localStream: LocalStream, mute: boolean, _retain?: boolean): boolean {
    return muteTracks(mediaOf(localStream).getVideoTracks(), mute);
  }

  /** Sends silence, or sound again. */
  mutePublishStreamAudio(localStream: LocalStream, mute: boolean): boolean {
    return muteTracks(mediaOf(localStream).getAudioTracks(), mute);
  }

  /** Publishes another track in the place of the one of its kind. */
  replaceTrack(localStream: LocalStream, track: MediaStreamTrack): Promise<ZegoServerResponse> {
    return this.#respond(async () => {
      const media = mediaOf(localStream);
      const publishers = [...this.#publishers.values()].filter(
        (publisher) => publisher.media === media,
      );
      await Promise.all(publishers.map((publisher) => publisher.replaceTrack(track)));
      for (const old of media.getTracks()) if (old.kind === track.kind) media.removeTrack(old);
      media.addTrack(track);
    });
  }

  // Playing

  /**
   * Plays a stream. Resolves to what can be shown once the server has agreed; rejects with a
   * `ZegoError`.
   */
  startPlayingStream(streamID: string, playOption: ZegoWebPlayOption = {}): Promise<MediaStream> {
    const optionFault = priorityFault(playOption.priority ?? "medium");
    if (optionFault !== undefined) return Promise.reject(optionFault);
    const room = this.#room;
    if (room === undefined)
      return Promise.reject(new ZegoError(ErrorCode.ROOM_NOT_LOGGED_IN, "log in first"));
    const fault = streamFault(streamID);
    if (fault !== undefined) return Promise.reject(fault);
    const running = this.#players.get(streamID);
    if (running !== undefined) return running.started;
    const player = new Player(
      room.signalling,
      streamID,
      playOption,
      () => room.view.hasStream(streamID),
      (state) => {
        if (state.state === "NO_PLAY" && this.#players.get(streamID)?.player === player)
          this.#players.delete(streamID);
        this.#emitter.emit("playerStateUpdate", state);
      },
    );
    // Registered before the start: its first event may make the app call again.
    const entry = { player, started: Promise.resolve(player.media) };
    this.#players.set(streamID, entry);
    entry.started = player.start();
    this.#tellQualityRegularly();
    return entry.started;
  }

  /** Ends a play. */
  stopPlayingStream(streamID: string): void {
    this.#players.get(streamID)?.player.stop();
  }

  /** Lets no picture of a played stream through, or lets it through again. */
  async mutePlayStreamVideo(streamID: string, mute: boolean): Promise<boolean> {
    return this.#players.get(streamID)?.player.mute("video", mute) ?? false;
  }

  /** Lets no sound of a played stream through, or lets it through again. */
  async mutePlayStreamAudio(streamID: string, mute: boolean): Promise<boolean> {
    return this.#players.get(streamID)?.player.mute("audio", mute) ?? false;
  }

  /**
   * Changes which size of a played stream's video comes: 0 the best that arrives, 1 the smallest,
   * 2 the largest. Resolves to whether the server was told; it is told anyhow when the play is set
   * up anew.
   */
  async setPlayStreamVideoType(streamID: string, streamType: number): Promise<boolean> {
    if (streamType !== 0 && streamType !== 1 && streamType !== 2)
      throw new ZegoError(ErrorCode.BAD_PARAMETER, "streamType is 0, 1 or 2");
    return this.#players.get(streamID)?.player.setVideo(videoWish(streamType, undefined)) ?? false;
  }

  /**
   * Says in how many rows of pixels a played stream is shown; no larger size of its video comes
   * than that needs. Beyond the contract. Resolves as setPlayStreamVideoType does.
   */
  async setPlayStreamVideoHeight(streamID: string, videoHeight: number): Promise<boolean> {
    if (!Number.isFinite(videoHeight) || videoHeight < 1)
      throw new ZegoError(ErrorCode.BAD_PARAMETER, "videoHeight is 1 or more");
    return this.#players.get(streamID)?.player.setVideo(videoWish(0, videoHeight)) ?? false;
  }

  /**
   * Says how much the video of a played stream matters among all that are played: "very-low",
   * "low", "medium" or "high". While not all that is wanted of them arrives, each first gets a
   * picture if it can, and those that matter more get the larger sizes. Beyond the contract.
   * Resolves as setPlayStreamVideoType does.
   */
  async setPlayStreamPriority(streamID: string, priority: PlayPriority): Promise<boolean> {
    const fault = priorityFault(priority);
    if (fault !== undefined) throw fault;
    return this.#players.get(streamID)?.player.setVideo(priorityWish(priority)) ?? false;
  }

  /** Shows a played stream. */
  createRemoteStreamView(remoteStream: MediaStream): ZegoStreamView {
    return new ZegoStreamView(remoteStream);
  }

  // Devices

  enumDevices(): Promise<ZegoDeviceInfos> {
    return listDevices();
  }

  async getCameras(): Promise<ZegoDeviceInfo[]> {
    return (await listDevices()).cameras;
  }

  async getMicrophones(): Promise<ZegoDeviceInfo[]> {
    return (await listDevices()).microphones;
  }

  async getSpeakers(): Promise<ZegoDeviceInfo[]> {
    return (await listDevices()).speakers;
  }

  // What the server says

  #takeSnapshot(roomID: string, view: RoomView, snapshot: Snapshot, origin: SnapshotOrigin): void {
    this.#tellView(roomID, view.takeSnapshot(snapshot));
    if (origin === "login") return;
    const isRelogin = origin === "relogin";
    for (const { streamID, transport } of [...this.#publishers.values()]) {
      if (isRelogin) transport.recover(ErrorCode.NETWORK_LOST);
      else if (!snapshot.publishing.includes(streamID)) endMissed(transport);
    }
    for (const { player } of [...this.#players.values()]) {
      if (isRelogin) player.transport.recover(ErrorCode.NETWORK_LOST);
      else if (!snapshot.playing.includes(player.streamID)) endMissed(player.transport);
    }
  }

  #takeNotice(roomID: string, view: RoomView, notice: Notice): void {
    this.#log.debug(`notice ${JSON.stringify(notice)}`);
    if (notice.type === "publisher_state") {
      const transport = this.#publishers.get(notice.stream_id)?.transport;
      if (notice.state === "PUBLISHING") transport?.connected();
      else if (notice.reason === "media_lost") transport?.recover(notice.error_code);
      else transport?.end(notice.error_code, notice.reason);
    } else if (notice.type === "player_state") {
      const player = this.#players.get(notice.stream_id)?.player;
      if (notice.state === "PLAYING") player?.transport.connected();
      else player?.ended(notice.error_code, notice.reason);
    } else if (notice.type === "layers_wanted")
      this.#publishers.get(notice.stream_id)?.sendLayers(notice.layers);
    else if (notice.type === "token_will_expire") this.#emitter.emit("tokenWillExpire", roomID);
    else if (!tellMessage(this.#emitter, roomID, notice))
      this.#tellView(roomID, view.takeNotice(notice));
  }

  #leave(signalling: Signalling, errorCode: number, farewell?: Promise<unknown>): void {
    if (this.#room?.signalling !== signalling) return;
    this.#room = undefined;
    const reason = errorCode === ErrorCode.OK ? "" : "session_over";
    for (const { transport } of [...this.#publishers.values()])
      transport.end(errorCode, reason, farewell);
    for (const { player } of [...this.#players.values()])
      player.transport.end(errorCode, reason, farewell);
  }

  // What the app is told

  #tellState(
    roomID: string,
    reason: ZegoRoomStateChangedReason,
    errorCode: number,
    extendedData: string,
  ): void {
    this.#log.info(`${roomID}: ${reason} ${errorCode} ${extendedData}`);
    this.#emitter.emit("roomStateChanged", roomID, reason, errorCode, extendedData);
    this.#emitter.emit("roomStateUpdate", roomID, olderStates[reason], errorCode, extendedData);
  }

  #tellView(roomID: string, events: ViewEvent[]): void {
    for (const event of events) {
      if (event.kind === "users")
        this.#emitter.emit("roomUserUpdate", roomID, event.updateType, event.users);
      else if (event.kind === "count")
        this.#emitter.emit("roomOnlineUserCountUpdate", roomID, event.count);
      else if (event.kind === "roomExtraInfo")
        this.#emitter.emit("roomExtraInfoUpdate", roomID, event.list);
      else if (event.kind === "streamExtraInfo")
        this.#emitter.emit("streamExtraInfoUpdate", roomID, event.list);
      else
        this.#emitter.emit(
          "roomStreamUpdate",
          roomID,
          event.updateType,
          event.streams,
          event.extendedData,
        );
    }
  }

  #tellQualityRegularly(): void {
    this.#qualityTimer ??= setInterval(() => void this.#tellQuality(), qualityInterval_ms);
  }

  async #tellQuality(): Promise<void> {
    if (this.#publishers.size + this.#players.size === 0) {
      clearInterval(this.#qualityTimer);
      this.#qualityTimer = undefined;
      return;
    }
    const publishing = [...this.#publishers.values()].map(async (publisher) => {
      const stats = await publisher.takeStats();
      if (stats) this.#emitter.emit("publishQualityUpdate", publisher.streamID, stats);
    });
    const playing = [...this.#players.values()].map(async ({ player }) => {
      const stats = await player.takeStats();
      if (stats) this.#emitter.emit("playQualityUpdate", player.streamID, stats);
    });
    // A connection that is closed meanwhile has no statistics any more.
    await Promise.allSettled([...publishing, ...playing]);
  }

  #publishFault(streamID: string, localStream: LocalStream): ZegoError | undefined {
    if (this.#room === undefined) return new ZegoError(ErrorCode.NOT_IN_ROOM, "log in first");
    if (this.#publishers.has(streamID))
      return new ZegoError(ErrorCode.ALREADY_PUBLISHING, streamID);
    if (!(localStream instanceof ZegoLocalStream || localStream instanceof MediaStream)) {
      return new ZegoError(ErrorCode.BAD_PARAMETER, "localStream is not a stream");
    }
    if (mediaOf(localStream).getTracks().length === 0) {
      return new ZegoError(ErrorCode.STREAM_WITHOUT_TRACK, "the stream has no track");
    }
    return streamFault(streamID);
  }

  #say(
    roomID: string,
    text: string,
    request: Unnumbered,
    outcome: (reply: Reply) => string = () => "",
  ): Promise<ZegoServerResponse> {
    return this.#respond(async () => {
      const fault = messageFault(text);
      return outcome(await this.#ask(roomID, fault, ErrorCode.MESSAGE_WRONG_ROOM, request));
    });
  }

  /** Sends a request to the room that this client is in. */
  #ask(
    roomID: string,
    fault: ZegoError | undefined,
    elsewhereCode: number,
    request: Unnumbered,
  ): Promise<Reply> {
    const signalling = this.#room?.signalling;
    if (signalling === undefined) throw new ZegoError(ErrorCode.NOT_IN_ROOM, "log in first");
    if (signalling.roomID !== roomID)
      throw new ZegoError(elsewhereCode, `logged in to ${signalling.roomID}`);
    if (fault !== undefined) throw fault;
    return signalling.request(request);
  }

  /** Turns an action and the extendedData that it returns into what the contract's calls return. */
  async #respond(action: () => Promise<string | void>): Promise<ZegoServerResponse> {
    try {
      return { errorCode: ErrorCode.OK, extendedData: (await action()) ?? "" };
    } catch (error) {
      const { errorCode, extendedData } = toZegoError(error, ErrorCode.PUBLISH_SETUP);
      return { errorCode, extendedData };
    }
  }
}

/** Ends what the server has ended in notices that can no longer be told. */
function endMissed(transport: Transport): void {
  if (transport.isAnswered) transport.end(ErrorCode.SERVER_UNKNOWN, "ended_while_away");
}

function mediaOf(localStream: LocalStream): MediaStream {
  return localStream instanceof ZegoLocalStream ? localStream.stream : localStream;
}

/** False when there is nothing to mute. */
function muteTracks(tracks: MediaStreamTrack[], mute: boolean): boolean {
  for (const track of tracks) track.enabled = !mute;
  return tracks.length > 0;
}
