// A UDP relay between browsers and the media port, as a network that can change: what is known can
// be cut off while newcomers get through.

import { createSocket } from "node:dgram";

/** Makes pages send media through `port` instead of the server's own media port. */
export function useRelay([from, to]) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    setRemoteDescription({ type, sdp }) {
      const relayed = sdp.replaceAll(` ${from} typ`, ` ${to} typ`);
      return super.setRemoteDescription({ type, sdp: relayed });
    }
  };
}

/** Makes pages send media over one protocol alone, and there through another port. */
export function goesBy([protocol, from, to]) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    setRemoteDescription({ type, sdp }) {
      const isOther = (line) => /^a=candidate:/.test(line) && !line.includes(` 1 ${protocol} `);
      const lines = sdp.split("\r\n").filter((line) => !isOther(line));
      const relayed = lines.join("\r\n").replaceAll(` ${from} typ`, ` ${to} typ`);
      return super.setRemoteDescription({ type, sdp: relayed });
    }
  };
}

export class UdpRelay {
  /** The socket to the server for each source. */
  #ways = new Map();
  /** Sources that are cut off. */
  #lost = new Set();

  /** Listens on a free port, in front of `port` of the same address. */
  static async before(port, address = "127.0.0.1") {
    const relay = new UdpRelay();
    relay.address = address;
    relay.socket = createSocket("udp4");
    relay.socket.on("message", (bytes, source) => relay.#carry(bytes, source, port));
    await new Promise((resolve) => relay.socket.bind(0, address, resolve));
    relay.port = relay.socket.address().port;
    return relay;
  }

  /** Nothing goes to or comes from those who are known now any more. */
  loseKnown() {
    for (const source of this.#ways.keys()) this.#lost.add(source);
  }

  /** Nothing goes through any more, nor does anything of newcomers. */
  cut() {
    this.isCut = true;
  }

  /** As a NAT that forgets: what is known goes on from another port, and answers come to that. */
  rebind() {
    for (const way of this.#ways.values()) way.close();
    this.#ways.clear();
  }

  close() {
    for (const way of this.#ways.values()) way.close();
    this.socket.close();
  }

  #carry(bytes, source, port) {
    const name = `${source.address}:${source.port}`;
    if (this.#lost.has(name) || this.isCut) return;
    let way = this.#ways.get(name);
    if (way === undefined) {
      way = createSocket("udp4");
      this.#ways.set(name, way);
      way.on("message", (answer) => {
        if (this.#lost.has(name) || this.isCut) return;
        this.socket.send(answer, source.port, source.address);
      });
    }
    way.send(bytes, port, this.address);
  }
}
