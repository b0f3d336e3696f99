// A session in a room over as many WebSockets as it takes: login, heartbeat, numbered notices,
// resumption, and a new login when the session is lost.

import { Connection, type OpenSocket, type Unnumbered } from "./connection.ts";
import { ErrorCode, isFinalLoginRefusal, toZegoError, ZegoError } from "./errors.ts";
import type { ZegoRoomStateChangedReason } from "./events.ts";
import type { Log } from "./log.ts";
import { decideRetry, roomRetry } from "./reconnect.ts";
import type { IceConfiguration } from "./transport.ts";
import {
  CloseCode,
  VERSION,
  type IceServer,
  type LoggedIn,
  type Notice,
  type Numbered,
  type Reply,
  type Resumed,
  type Snapshot,
} from "./wire.ts";

/** Who logs in, where. */
export interface LoginFacts {
  appID: number;
  /** Addresses of `/signal`, tried in order. */
  servers: readonly string[];
  roomID: string;
  userID: string;
  userName: string;
  token: string;
  userUpdate: boolean;
  maxMemberCount: number;
  /** By which ways its media may go. @default "all" */
  iceTransportPolicy?: RTCIceTransportPolicy;
}

/** How the session got the snapshot: anew, carried on, or anew after it was lost. */
export type SnapshotOrigin = "login" | "resume" | "relogin";

/** What a session tells its owner. */
export interface SignallingHandlers {
  /** The login's state changed. */
  onState: (reason: ZegoRoomStateChangedReason, errorCode: number, extendedData: string) => void;
  /** The room as it is; replaces what was known. */
  onSnapshot: (snapshot: Snapshot, origin: SnapshotOrigin) => void;
  /** Something happened in the room. */
  onNotice: (notice: Notice) => void;
  /**
   * The session is over for good; said before the state that says why. `farewell` settles once the
   * server has heard of a logout; undefined when there is nothing to wait for.
   */
  onOver: (errorCode: number, farewell?: Promise<unknown>) => void;
}

/** What outlives one WebSocket. */
interface Session {
  id: number;
  resumeSecret: string;
  heartbeatInterval_ms: number;
}

/** Codes by which another login or the backend ends a session for good. */
const finalKickouts: ReadonlySet<number> = new Set([
  ErrorCode.LOGGED_IN_ELSEWHERE,
  ErrorCode.KICKED_BY_SERVER,
  ErrorCode.DUPLICATE_LOGIN,
]);

/** A refused resumption that says nothing about the session: it may be tried again. */
const passingRefusals: ReadonlySet<number> = new Set([
  ErrorCode.SOCKET_CLOSED,
  ErrorCode.REQUEST_TIMEOUT,
  ErrorCode.SERVER_UNKNOWN,
  ErrorCode.TOO_OFTEN,
]);

/** How long the farewell may take, milliseconds. */
const logoutWait_ms = 2_000;

/** One session. */
export class Signalling {
  readonly #facts: LoginFacts;
  readonly #handlers: SignallingHandlers;
  readonly #openSocket: OpenSocket;
  readonly #log: Log;
  /** Where the session is in its life. */
  #phase: "new" | "logging_in" | "open" | "reconnecting" | "over" = "new";
  /** The WebSocket that carries the session now. */
  #connection: Connection | undefined;
  /** Undefined before the first login and once the server has lost it. */
  #session: Session | undefined;
  /** STUN and TURN servers as the server has named them last. */
  #iceServers: IceServer[] = [];
  /** The number of the last notice seen. */
  #lastSequence = 0;
  /** Sends heartbeats. */
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  /** Ends the wait before the next attempt. */
  #hurry: (() => void) | undefined;
  /** Those who wait for the session to be open again. */
  #waiting: { resolve: () => void; reject: (error: ZegoError) => void }[] = [];

  constructor(facts: LoginFacts, handlers: SignallingHandlers, openSocket: OpenSocket, log: Log) {
    this.#facts = { ...facts };
    this.#handlers = handlers;
    this.#openSocket = openSocket;
    this.#log = log;
  }

  /** The room. */
  get roomID(): string {
    return this.#facts.roomID;
  }

  /** By which ways the next connection of media may go. */
  get ice(): IceConfiguration {
    const { iceTransportPolicy = "all" } = this.#facts;
    return { iceServers: this.#iceServers, iceTransportPolicy };
  }

  /** Whether requests go out at once. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Logs in. Rejects with the server's code, `LOGIN_TIMEOUT` or `NETWORK_LOST`. */
  async login(): Promise<void> {
    this.#phase = "logging_in";
    this.#handlers.onState("LOGINING", ErrorCode.OK, "");
    let failure = new ZegoError(ErrorCode.BAD_PARAMETER, "no server address");
    for (const url of this.#facts.servers) {
      try {
        await this.#logInAt(url, "login");
        return;
      } catch (error) {
        failure = loginFailure(error);
        if (this.#isOver() || isFinalLoginRefusal(failure.errorCode)) break;
      }
    }
    if (!this.#isOver()) this.#finish("LOGIN_FAILED", failure.errorCode, failure.extendedData);
    throw failure;
  }

  /** Ends the session. Others see the user leave at once when the server can be reached. */
  logout(): void {
    if (this.#phase === "over") return;
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined || this.#phase !== "open") {
      connection?.close();
      this.#finish("LOGOUT", ErrorCode.OK, "");
      return;
    }
    const timer = setTimeout(() => connection.close(), logoutWait_ms);
    const close = (): void => {
      clearTimeout(timer);
      connection.close();
    };
    const farewell = connection.request({ type: "logout", room_id: this.roomID });
    this.#finish("LOGOUT", ErrorCode.OK, "", farewell.then(close, close));
  }

  /** Takes a new token: for the server, and for later resumptions. */
  renewToken(token: string): void {
    this.#facts.token = token;
    if (!this.isOpen) return; // The next resumption carries it.
    this.request({ type: "renew_token", room_id: this.roomID, token }).catch((error: unknown) => {
      this.#log.warn(
        `the token was not renewed: ${toZegoError(error, ErrorCode.SERVER_UNKNOWN).message}`,
      );
    });
  }

  /** Sends a request, once the session is open. */
  async request(message: Unnumbered): Promise<Reply> {
    await this.opened();
    const connection = this.#connection;
    if (connection === undefined)
      throw new ZegoError(ErrorCode.SOCKET_CLOSED, "the WebSocket is closed");
    return connection.request(message);
  }

  /** Waits until the session is open; rejects when it is over. */
  opened(): Promise<void> {
    if (this.#phase === "open") return Promise.resolve();
    if (this.#phase === "over")
      return Promise.reject(new ZegoError(ErrorCode.NOT_IN_ROOM, "logged out"));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The network came back: do not wait for the next attempt. */
  hurry(): void {
    this.#hurry?.();
  }

  async #connect(url: string): Promise<Connection> {
    const connection: Connection = await Connection.open(url, this.#openSocket, {
      onNotice: (notice) => {
        if (connection === this.#connection) this.#takeNotice(notice);
      },
      onClosed: (closeCode) => {
        if (connection === this.#connection) this.#lost(closeCode);
      },
    });
    if (this.#isOver()) {
      connection.close();
      throw new ZegoError(ErrorCode.SOCKET_CLOSED, "logged out");
    }
    this.#connection = connection;
    return connection;
  }

  async #logInAt(url: string, origin: SnapshotOrigin): Promise<void> {
    const connection = await this.#connect(url);
    const { appID, roomID, userID, userName, token, userUpdate, maxMemberCount } = this.#facts;
    try {
      const reply = await connection.request({
        type: "login",
        version: VERSION,
        app_id: appID,
        room_id: roomID,
        user_id: userID,
        user_name: userName,
        token,
        user_update: userUpdate,
        max_member_count: maxMemberCount,
      });
      if (reply.type !== "logged_in")
        throw new ZegoError(ErrorCode.SERVER_UNKNOWN, `reply ${reply.type} to login`);
      if (connection !== this.#connection)
        throw new ZegoError(ErrorCode.SOCKET_CLOSED, "the WebSocket was closed");
      this.#loggedIn(reply, origin);
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
  }

  #loggedIn(reply: LoggedIn, origin: SnapshotOrigin): void {
    this.#session = {
      id: reply.session_id,
      resumeSecret: reply.resume_secret,
      heartbeatInterval_ms: reply.heartbeat_interval_ms,
    };
    this.#iceServers = reply.ice_servers ?? [];
    this.#lastSequence = reply.snapshot.sequence;
    this.#open(origin === "login" ? "LOGINED" : "RECONNECTED");
    this.#handlers.onSnapshot(reply.snapshot, origin);
  }

  async #resumeAt(url: string, session: Session): Promise<void> {
    const connection = await this.#connect(url);
    const { appID, roomID, userID, token } = this.#facts;
    try {
      const reply = await connection.request({
        type: "resume",
        version: VERSION,
        app_id: appID,
        room_id: roomID,
        user_id: userID,
        session_id: session.id,
        resume_secret: session.resumeSecret,
        last_sequence: this.#lastSequence,
        token,
      });
      if (reply.type !== "resumed")
        throw new ZegoError(ErrorCode.SERVER_UNKNOWN, `reply ${reply.type} to resume`);
      if (connection !== this.#connection)
        throw new ZegoError(ErrorCode.SOCKET_CLOSED, "the WebSocket was closed");
      session.resumeSecret = reply.resume_secret;
      this.#iceServers = reply.ice_servers ?? [];
      this.#resumed(reply);
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
  }

  #resumed({ snapshot, messages = [], messages_lost = 0 }: Resumed): void {
    const missed = messages.filter((message) => message.sequence > this.#lastSequence);
    if (snapshot !== undefined) this.#lastSequence = snapshot.sequence;
    if (messages_lost > 0) this.#log.warn(`at most ${messages_lost} messages are lost`);
    this.#open("RECONNECTED", messages_lost > 0 ? JSON.stringify({ messages_lost }) : "");
    if (snapshot === undefined) return;
    this.#handlers.onSnapshot(snapshot, "resume");
    for (const message of missed) if (!this.#isOver()) this.#handlers.onNotice(message);
  }

  #open(reason: "LOGINED" | "RECONNECTED", extendedData = ""): void {
    this.#phase = "open";
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(
      () => this.#beat(),
      this.#session?.heartbeatInterval_ms ?? 30_000,
    );
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#handlers.onState(reason, ErrorCode.OK, extendedData);
    for (const { resolve } of waiting) resolve();
  }

  #beat(): void {
    const connection = this.#connection;
    if (connection === undefined || !this.isOpen) return;
    connection
      .request({ type: "heartbeat", room_id: this.roomID, last_sequence: this.#lastSequence })
      .catch((error: unknown) => {
        if (connection !== this.#connection) return;
        const { errorCode } = toZegoError(error, ErrorCode.SERVER_UNKNOWN);
        // A refused heartbeat means that the server has no such session any more.
        if (!passingRefusals.has(errorCode)) this.#session = undefined;
        this.#log.info(`heartbeat failed: ${errorCode}`);
        this.#lost(CloseCode.SILENT);
      });
  }

  #takeNotice(numbered: Numbered): void {
    if (numbered.sequence === 0) {
      this.#handlers.onNotice(numbered); // Not numbered: it may be lost.
      return;
    }
    if (numbered.sequence <= this.#lastSequence) return; // Replayed, and seen before.
    if (numbered.sequence > this.#lastSequence + 1) {
      this.#log.warn(`notice ${numbered.sequence} came after ${this.#lastSequence}: resuming`);
      this.#lost(CloseCode.PROTOCOL_ERROR);
      return;
    }
    this.#lastSequence = numbered.sequence;
    if (numbered.type === "kickout" && finalKickouts.has(numbered.code)) {
      this.#finish("KICKOUT", numbered.code, numbered.custom_reason);
      return;
    }
    if (numbered.type === "kickout") {
      // Timed out, or the server is closing: the session is gone, the login is not.
      this.#session = undefined;
      this.#lost(CloseCode.SERVER_CLOSING);
      return;
    }
    this.#handlers.onNotice(numbered);
  }

  /** The WebSocket is of no more use. */
  #lost(closeCode: number): void {
    this.#drop(this.#connection);
    clearInterval(this.#heartbeat);
    if (this.#phase !== "open") return; // A login or an attempt is under way and fails by itself.
    if (closeCode === CloseCode.REPLACED) {
      this.#finish("KICKOUT", ErrorCode.LOGGED_IN_ELSEWHERE, "");
      return;
    }
    if (closeCode === CloseCode.SESSION_OVER || closeCode === CloseCode.SERVER_CLOSING)
      this.#session = undefined;
    this.#log.info(`the WebSocket was lost: ${closeCode}`);
    this.#phase = "reconnecting";
    this.#handlers.onState("RECONNECTING", ErrorCode.NETWORK_LOST, "");
    void this.#reconnect(); // Handles its own errors.
  }

  async #reconnect(): Promise<void> {
    const lostAt_ms = performance.now();
    for (let attempt = 0; this.#phase === "reconnecting"; attempt += 1) {
      const decision = decideRetry(
        roomRetry,
        attempt,
        performance.now() - lostAt_ms,
        Math.random(),
      );
      if (decision.kind === "give_up") {
        this.#finish("RECONNECT_FAILED", ErrorCode.RECONNECT_GAVE_UP, "");
        return;
      }
      await this.#pause(decision.delay_ms);
      if (this.#phase !== "reconnecting") return;
      const refusal = await this.#tryOnce(
        this.#facts.servers[attempt % this.#facts.servers.length] ?? "",
      );
      if (refusal !== undefined) {
        this.#finish("RECONNECT_FAILED", refusal.errorCode, refusal.extendedData);
        return;
      }
    }
  }

  /** One attempt; returns the refusal that makes more attempts useless. */
  async #tryOnce(url: string): Promise<ZegoError | undefined> {
    try {
      if (this.#session !== undefined) {
        const refusal = await this.#resumeAt(url, this.#session).catch((error: unknown) =>
          toZegoError(error, ErrorCode.SOCKET_CLOSED),
        );
        if (refusal === undefined || passingRefusals.has(refusal.errorCode) || this.#isOver())
          return undefined;
        this.#log.info(`not resumed: ${refusal.errorCode}`);
        this.#session = undefined;
      }
      await this.#logInAt(url, "relogin");
      return undefined;
    } catch (error) {
      const refusal = toZegoError(error, ErrorCode.SOCKET_CLOSED);
      this.#log.info(`attempt failed: ${refusal.errorCode}`);
      return isFinalLoginRefusal(refusal.errorCode) && !this.#isOver() ? refusal : undefined;
    }
  }

  #pause(delay_ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay_ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #drop(connection: Connection | undefined): void {
    connection?.close();
    if (connection === this.#connection) this.#connection = undefined;
  }

  #isOver(): boolean {
    return this.#phase === "over";
  }

  #finish(
    reason: "LOGIN_FAILED" | "RECONNECT_FAILED" | "KICKOUT" | "LOGOUT",
    errorCode: number,
    extendedData: string,
    farewell?: Promise<unknown>,
  ): void {
    this.#phase = "over";
    clearInterval(this.#heartbeat);
    this.#drop(this.#connection);
    this.#hurry?.();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(new ZegoError(ErrorCode.NOT_IN_ROOM, "logged out"));
    this.#handlers.onOver(errorCode, farewell);
    this.#handlers.onState(reason, errorCode, extendedData);
  }
}

/** The contract's login codes for what went wrong on the way. */
function loginFailure(error: unknown): ZegoError {
  const failure = toZegoError(error, ErrorCode.NETWORK_LOST);
  if (failure.errorCode === ErrorCode.REQUEST_TIMEOUT)
    return new ZegoError(ErrorCode.LOGIN_TIMEOUT, failure.extendedData);
  if (failure.errorCode === ErrorCode.SOCKET_CLOSED)
    return new ZegoError(ErrorCode.NETWORK_LOST, failure.extendedData);
  return failure;
}
