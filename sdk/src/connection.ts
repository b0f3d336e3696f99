// One WebSocket to the server: sends requests, finds their replies, hands on notices.

import { ErrorCode, ZegoError } from "./errors.ts";
import type { ClientMessage, Numbered, Reply, ServerMessage } from "./wire.ts";

/** Opens a WebSocket; tests give one of their own. */
export type OpenSocket = (url: string) => WebSocket;

/** What a connection tells its owner. */
export interface ConnectionHandlers {
  /** A notice came. */
  onNotice: (notice: Numbered) => void;
  /** The WebSocket is gone, with its close code; said once, and never after `close()`. */
  onClosed: (closeCode: number) => void;
}

/** A message of the client without its number, which the connection gives it. */
export type Unnumbered = ClientMessage extends infer Message
  ? Message extends ClientMessage
    ? Omit<Message, "request_id">
    : never
  : never;

/** A request that is not answered by then has failed, milliseconds. */
const replyWait_ms = 10_000;
/** A WebSocket that is not open by then has failed, milliseconds. */
const openWait_ms = 10_000;
/** The close code when the socket was not closed by anybody in particular (RFC 6455 §7.4.1). */
const ABNORMAL = 1006;

/** A request that waits for its reply. */
interface Pending {
  resolve: (reply: Reply) => void;
  reject: (error: ZegoError) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** An open WebSocket. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #handlers: ConnectionHandlers;
  /** Requests without a reply by number. */
  readonly #pending = new Map<number, Pending>();
  /** The number of the last request. */
  #requestId = 0;
  /** Whether the owner was told, or did it itself. */
  #isClosed = false;

  private constructor(socket: WebSocket, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => this.#end(event.code);
    socket.onerror = null;
  }

  /** Opens a WebSocket. Rejects with `SOCKET_CLOSED` when it cannot be opened in time. */
  static open(
    url: string,
    openSocket: OpenSocket,
    handlers: ConnectionHandlers,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let socket: WebSocket;
      try {
        socket = openSocket(url);
      } catch (error) {
        // The address is not a WebSocket's, or this page may not open it.
        reject(
          new ZegoError(
            ErrorCode.SOCKET_CLOSED,
            error instanceof Error ? error.message : String(error),
          ),
        );
        return;
      }
      const fail = (why: string): void => {
        clearTimeout(timer);
        socket.onopen = socket.onclose = socket.onerror = null;
        socket.close();
        reject(new ZegoError(ErrorCode.SOCKET_CLOSED, why));
      };
      const timer = setTimeout(
        () => fail("the server did not accept the WebSocket in time"),
        openWait_ms,
      );
      socket.onclose = () => fail("the WebSocket was refused");
      socket.onerror = () => fail("the WebSocket could not be opened");
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Connection(socket, handlers));
      };
    });
  }

  /** Sends a request. Rejects with the server's code, `REQUEST_TIMEOUT` or `SOCKET_CLOSED`. */
  request(message: Unnumbered): Promise<Reply> {
    if (this.#isClosed || this.#socket.readyState !== 1) {
      return Promise.reject(new ZegoError(ErrorCode.SOCKET_CLOSED, "the WebSocket is closed"));
    }
    this.#requestId += 1;
    const request_id = this.#requestId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(request_id);
        reject(new ZegoError(ErrorCode.REQUEST_TIMEOUT, `no reply to ${message.type} in time`));
      }, replyWait_ms);
      this.#pending.set(request_id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...message, request_id }));
    });
  }

  /** Closes the WebSocket; `onClosed` is not called. */
  close(): void {
    this.#isClosed = true;
    this.#rejectAll();
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  #take(data: unknown): void {
    const message = parse(data);
    if (message === undefined) return;
    if ("sequence" in message) {
      this.#handlers.onNotice(message);
      return;
    }
    const pending =
      message.request_id === undefined ? undefined : this.#pending.get(message.request_id);
    if (pending === undefined) return; // Its request has timed out.
    this.#pending.delete(message.request_id as number);
    clearTimeout(pending.timer);
    if (message.type === "error") pending.reject(new ZegoError(message.code, message.message));
    else pending.resolve(message);
  }

  #end(closeCode: number | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rejectAll();
    this.#handlers.onClosed(closeCode ?? ABNORMAL);
  }

  #rejectAll(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new ZegoError(ErrorCode.SOCKET_CLOSED, "the WebSocket was closed"));
    }
    this.#pending.clear();
  }
}

/** The message, or undefined when it is none: a newer server may send what this SDK cannot read. */
function parse(data: unknown): ServerMessage | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}
