// A WebSocket and a server on its other side, in one process, for the tests of signalling.

import type { ClientMessage, Notice, Numbered, Snapshot } from "../src/wire.ts";

/** What the browser's WebSocket is to the SDK. */
export class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** What the client sent. */
  readonly sent: ClientMessage[] = [];

  constructor(
    readonly url: string,
    private readonly server: FakeServer,
  ) {}

  send(text: string): void {
    const message = JSON.parse(text) as ClientMessage;
    this.sent.push(message);
    this.server.take(this, message);
  }

  close(): void {
    this.readyState = 3;
  }

  /** From the server. Arrives in an event of its own. */
  deliver(message: object): void {
    setImmediate(() => {
      if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(message) });
    });
  }

  /** The network or the server cuts it. */
  cut(code = 1006): void {
    setImmediate(() => {
      if (this.readyState !== 1) return;
      this.readyState = 3;
      this.onclose?.({ code });
    });
  }
}

export const emptySnapshot: Snapshot = {
  sequence: 0,
  users: [],
  streams: [],
  user_count: 1,
  stream_sequence: 0,
  publishing: [],
  playing: [],
};

/** Answers as a test tells it to. */
export class FakeServer {
  /** Every WebSocket that was opened. */
  readonly sockets: FakeSocket[] = [];
  /** Whether WebSockets can be opened. */
  isReachable = true;
  /** Refusals by message type; a type without one is answered well. */
  readonly refusals = new Map<ClientMessage["type"], number>();
  /** Types that get no answer. */
  readonly silent = new Set<ClientMessage["type"]>();
  /** What a login gets. */
  snapshot: Snapshot = emptySnapshot;
  /** What a resumption gets, unless undefined. */
  resumeSnapshot: Snapshot | undefined;
  /** Missed messages beside it, and how many are lost. */
  missed: Numbered[] = [];
  messagesLost = 0;
  /** Users who are not there for a command. */
  offline: string[] = [];
  /** Sent after a resumption was answered. */
  replay: { sequence: number; notice: Notice }[] = [];
  #secrets = 0;

  readonly open = (url: string): WebSocket => {
    const socket = new FakeSocket(url, this);
    this.sockets.push(socket);
    setImmediate(() => {
      if (socket.readyState !== 0) return;
      if (this.isReachable) {
        socket.readyState = 1;
        socket.onopen?.();
      } else socket.onerror?.();
    });
    return socket as unknown as WebSocket;
  };

  /** The WebSocket opened last. */
  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no WebSocket was opened");
    return socket;
  }

  notify(sequence: number, notice: Notice): void {
    this.last.deliver({ sequence, room_id: "r", ...notice });
  }

  take(socket: FakeSocket, message: ClientMessage): void {
    const { request_id } = message;
    if (this.silent.has(message.type)) return;
    const code = this.refusals.get(message.type);
    if (code !== undefined) {
      socket.deliver({ type: "error", request_id, code, message: "refused" });
    } else if (message.type === "login") {
      socket.deliver({
        type: "logged_in",
        request_id,
        room_id: "r",
        session_id: 7,
        resume_secret: this.#secret(),
        heartbeat_interval_ms: 40,
        heartbeat_timeout_ms: 100,
        snapshot: this.snapshot,
      });
    } else if (message.type === "resume") {
      const snapshot = this.resumeSnapshot;
      socket.deliver({
        type: "resumed",
        request_id,
        room_id: "r",
        resume_secret: this.#secret(),
        snapshot,
        ...(snapshot ? { messages: this.missed, messages_lost: this.messagesLost } : {}),
      });
      for (const { sequence, notice } of this.replay)
        socket.deliver({ sequence, room_id: "r", ...notice });
    } else if (message.type === "publish" || message.type === "play") {
      socket.deliver({
        type: "answer",
        request_id,
        room_id: "r",
        stream_id: message.stream_id,
        sdp: "v=0",
      });
    } else if (message.type === "send_custom_command") {
      socket.deliver({ type: "command_sent", request_id, offline_user_ids: this.offline });
    } else socket.deliver({ type: "done", request_id });
  }

  #secret(): string {
    this.#secrets += 1;
    return this.#secrets.toString(16).padStart(32, "0");
  }
}

/** Waits until a condition holds; fails loudly when it does not in time. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
