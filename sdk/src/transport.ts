// One RTCPeerConnection to the server for one stream in one direction, set up again when it is
// lost.

import { ErrorCode, isFinalMediaRefusal, toZegoError, ZegoError } from "./errors.ts";
import { ufragOf, withCredentials, type IceCredentials } from "./ice_restart.ts";
import { decideRetry, mediaRetry } from "./reconnect.ts";
import type { IceServer } from "./wire.ts";

/** Where a transport is: asking (again), carrying media, or over. */
export type TransportState = "requesting" | "connected" | "over";

/** How long a connection may outlive its end while the server is told, milliseconds. */
const farewellWait_ms = 2_000;

/** How long a connection may be `disconnected` before its ICE is restarted, milliseconds. */
const disconnectedWait_ms = 1_000;

/** By which ways media may go. */
export interface IceConfiguration {
  iceServers: IceServer[];
  iceTransportPolicy: RTCIceTransportPolicy;
}

/** What differs between publishing and playing. */
export interface TransportPlan {
  /** Adds what is to be sent or received. */
  prepare: (peer: RTCPeerConnection) => void;
  /** STUN and TURN servers as the server has named them last, and whether to use nothing else. */
  ice: () => IceConfiguration;
  /** Waits until requests can be sent; returns whether it had to wait. */
  ready: () => Promise<boolean>;
  /** What to say otherwise in an offer before it is applied. */
  adjust: (offer: string) => string;
  /** Gives the offer to the server, returns its answer. */
  exchange: (offer: string) => Promise<string>;
  /** Tells the server the new user name fragment of an ICE restart, returns its credentials. */
  restart: (ufrag: string) => Promise<IceCredentials>;
  /** The answer is applied. */
  answered: (peer: RTCPeerConnection) => void;
  /** Whether a refusal that is final by its code may pass all the same. */
  mayPass: (errorCode: number) => boolean;
  /** The code for a fault of this browser. */
  setupCode: number;
  /** The code for having tried long enough. */
  timeoutCode: number;
  /** The state changed; `requesting` with a code is a retry. */
  onState: (state: TransportState, errorCode: number, reason: string) => void;
}

/** A transport that keeps itself alive while it is wanted. */
export class Transport {
  readonly #plan: TransportPlan;
  /** The one of the attempt under way or of the connected transport. */
  #peer: RTCPeerConnection | undefined;
  /**
   * The one before, until the server has taken the next offer: it would see a connection closed
   * earlier as the end of the stream.
   */
  #former: RTCPeerConnection | undefined;
  /** Where this is. */
  #state: TransportState = "requesting";
  /** Whether the server has answered the attempt under way. */
  #isAnswered = false;
  /** Attempts since the last time media was connected. */
  #attempt = 0;
  /** When the trouble began, of performance.now(). */
  #troubleSince_ms = 0;
  /** What was done about a connection that has been lost since it was last connected. */
  #restart: "none" | "under_way" | "done" = "none";
  /** The next attempt, or the next restart. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Settles when the first answer is applied, or when it never will be. */
  #first: { resolve: () => void; reject: (error: ZegoError) => void } | undefined;

  constructor(plan: TransportPlan) {
    this.#plan = plan;
  }

  /** Where this is. */
  get state(): TransportState {
    return this.#state;
  }

  /** The connection now; undefined between attempts. */
  get peer(): RTCPeerConnection | undefined {
    return this.#peer;
  }

  /** Whether the server has taken the offer and nothing has gone wrong since. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Begins. Resolves once the first answer is applied; rejects when it is over before. */
  start(): Promise<void> {
    this.#troubleSince_ms = performance.now();
    this.#plan.onState("requesting", ErrorCode.OK, "");
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      void this.#setUp(); // Handles its own errors.
    });
  }

  /** The server says that media is connected. */
  connected(): void {
    if (this.#state !== "requesting" || !this.#isAnswered) return;
    this.#state = "connected";
    this.#attempt = 0;
    this.#plan.onState("connected", ErrorCode.OK, "");
  }

  /** Something ended the connection that does not end the stream: sets it up anew. */
  recover(errorCode: number): void {
    if (this.#state === "over") return;
    if (this.#state === "connected") this.#troubleSince_ms = performance.now();
    this.#state = "requesting";
    this.#putAside();
    const elapsed_ms = performance.now() - this.#troubleSince_ms;
    const decision = decideRetry(mediaRetry, this.#attempt, elapsed_ms, Math.random());
    if (decision.kind === "give_up") {
      this.end(this.#plan.timeoutCode, "retry_timeout");
      return;
    }
    this.#attempt += 1;
    this.#plan.onState("requesting", errorCode, "");
    this.#timer = setTimeout(() => void this.#setUp(), decision.delay_ms);
  }

  /**
   * Ends for good, with the state `over`. The connection is closed once `farewell` settles: closing
   * it is seen by the server as well, which shall hear first that it is meant.
   */
  end(errorCode: number, reason: string, farewell?: Promise<unknown>): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#closePeer(farewell);
    this.#first?.reject(new ZegoError(errorCode, reason));
    this.#first = undefined;
    this.#plan.onState("over", errorCode, reason);
  }

  async #setUp(): Promise<void> {
    this.#putAside();
    try {
      if (await this.#plan.ready()) this.#troubleSince_ms = performance.now();
    } catch (error) {
      const failure = toZegoError(error, ErrorCode.NOT_IN_ROOM);
      this.end(failure.errorCode, failure.extendedData);
      return;
    }
    if (this.#state === "over") return;
    let peer: RTCPeerConnection;
    let offer: string;
    try {
      peer = this.#openPeer();
      await this.#applyOffer(peer);
      offer = peer.localDescription?.sdp ?? "";
    } catch (error) {
      const failure = toZegoError(error, this.#plan.setupCode);
      this.end(failure.errorCode, failure.extendedData);
      return;
    }
    await this.#negotiate(peer, offer);
  }

  async #applyOffer(peer: RTCPeerConnection, options?: RTCOfferOptions): Promise<void> {
    const offer = await peer.createOffer(options);
    const sdp = this.#plan.adjust(offer.sdp ?? "");
    // A browser that takes its offer only as it made it goes without the adjustment.
    await peer
      .setLocalDescription({ type: "offer", sdp })
      .catch(() => peer.setLocalDescription(offer));
  }

  #openPeer(): RTCPeerConnection {
    const peer = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
      ...this.#plan.ice(),
    });
    this.#peer = peer;
    this.#restart = "none";
    peer.onconnectionstatechange = () => this.#watch(peer);
    this.#plan.prepare(peer);
    return peer;
  }

  /**
   * A connection that is lost may come back another way: its ICE is restarted, once. When that does
   * not help, it is set up anew.
   */
  #watch(peer: RTCPeerConnection): void {
    if (peer !== this.#peer) return;
    clearTimeout(this.#timer); // With a connection under way, it is a restart that waits.
    const mayRestart = this.#state === "connected" && this.#restart === "none";
    switch (peer.connectionState) {
      case "connected":
        this.#restart = "none";
        break;
      case "disconnected":
        if (mayRestart)
          this.#timer = setTimeout(() => void this.#restartIce(peer), disconnectedWait_ms);
        break;
      case "failed":
        if (mayRestart) void this.#restartIce(peer);
        else if (this.#restart !== "under_way") this.recover(ErrorCode.NETWORK_LOST);
        break;
    }
  }

  async #restartIce(peer: RTCPeerConnection): Promise<void> {
    this.#restart = "under_way";
    try {
      await this.#plan.ready();
      if (peer !== this.#peer) return;
      await this.#applyOffer(peer, { iceRestart: true });
      const credentials = await this.#plan.restart(ufragOf(peer.localDescription?.sdp ?? ""));
      if (peer !== this.#peer) return;
      const answer = withCredentials(peer.remoteDescription?.sdp ?? "", credentials);
      this.#restart = "done";
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      if (peer !== this.#peer) return;
      this.recover(toZegoError(error, ErrorCode.NETWORK_LOST).errorCode);
    }
  }

  async #negotiate(peer: RTCPeerConnection, offer: string): Promise<void> {
    let answer: string;
    try {
      answer = await this.#plan.exchange(offer);
    } catch (error) {
      if (peer !== this.#peer) return;
      const { errorCode, extendedData } = toZegoError(error, ErrorCode.SERVER_UNKNOWN);
      if (isFinalMediaRefusal(errorCode) && !this.#plan.mayPass(errorCode))
        this.end(errorCode, extendedData);
      else this.recover(errorCode);
      return;
    }
    if (peer !== this.#peer) return;
    // The server may say "connected" before the promise below settles.
    this.#isAnswered = true;
    this.#former?.close();
    this.#former = undefined;
    try {
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
    } catch (error) {
      const failure = toZegoError(error, this.#plan.setupCode);
      this.end(failure.errorCode, failure.extendedData);
      return;
    }
    if (peer !== this.#peer) return;
    this.#plan.answered(peer);
    this.#first?.resolve();
    this.#first = undefined;
  }

  /** Ends the attempt under way; what was connected is closed when the next one is answered. */
  #putAside(): void {
    clearTimeout(this.#timer);
    const peer = this.#peer;
    if (peer === undefined) return;
    this.#peer = undefined;
    peer.onconnectionstatechange = null;
    if (this.#isAnswered) {
      this.#former?.close();
      this.#former = peer;
    } else peer.close();
    this.#isAnswered = false;
  }

  #closePeer(farewell?: Promise<unknown>): void {
    this.#putAside();
    const former = this.#former;
    this.#former = undefined;
    if (former === undefined) return;
    if (farewell === undefined) former.close();
    else void Promise.race([farewell, pause(farewellWait_ms)]).then(() => former.close());
  }
}

function pause(delay_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay_ms));
}
