// A STUN server (RFC 8489 §2): tells who asks which address it sees, as a NAT would show it.

import { createSocket } from "node:dgram";

const magicCookie = 0x2112a442;

export class StunServer {
  /** Requests that were answered. */
  answered = 0;

  /** Listens on a free port; `seen` makes the address that is told from the one that asks. */
  static async start(seen) {
    const server = new StunServer();
    server.socket = createSocket("udp4");
    server.socket.on("message", (request, from) => server.#answer(request, from, seen(from)));
    await new Promise((resolve) => server.socket.bind(0, "127.0.0.1", resolve));
    server.port = server.socket.address().port;
    return server;
  }

  stop() {
    return new Promise((resolve) => this.socket.close(resolve));
  }

  #answer(request, from, { address, port }) {
    const isBinding = request.length >= 20 && request.readUInt16BE(0) === 0x0001;
    if (!isBinding || request.readUInt32BE(4) !== magicCookie) return;
    const answer = Buffer.alloc(32);
    answer.writeUInt16BE(0x0101, 0);
    answer.writeUInt16BE(12, 2);
    request.copy(answer, 4, 4, 20);
    answer.writeUInt16BE(0x0020, 20);
    answer.writeUInt16BE(8, 22);
    answer.writeUInt8(1, 25);
    answer.writeUInt16BE(port ^ (magicCookie >>> 16), 26);
    const bits = address.split(".").reduce((bits, octet) => bits * 256 + Number(octet), 0);
    answer.writeUInt32BE((bits ^ magicCookie) >>> 0, 28);
    this.answered += 1;
    this.socket.send(answer, from.port, from.address);
  }
}
