// A client of TURN (RFC 8656) that asks for what it likes.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const magicCookie = 0x2112a442;
const methods = {
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  createPermission: 0x008,
  channelBind: 0x009,
};
const kinds = {
  username: 0x0006,
  integrity: 0x0008,
  error: 0x0009,
  channel: 0x000c,
  peer: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  transport: 0x0019,
};

function attribute(kind, value) {
  const bytes = Buffer.from(value);
  const padded = Buffer.alloc(4 + Math.ceil(bytes.length / 4) * 4);
  padded.writeUInt16BE(kind, 0);
  padded.writeUInt16BE(bytes.length, 2);
  bytes.copy(padded, 4);
  return padded;
}

/** XOR-PEER-ADDRESS of an IPv4 address. */
function peer(address, port) {
  const value = Buffer.alloc(8);
  value.writeUInt8(1, 1);
  value.writeUInt16BE(port ^ (magicCookie >>> 16), 2);
  const bits = address.split(".").reduce((bits, octet) => bits * 256 + Number(octet), 0);
  value.writeUInt32BE((bits ^ magicCookie) >>> 0, 4);
  return attribute(kinds.peer, value);
}

function message(type, attributes, key) {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(20);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length + (key ? 24 : 0), 2);
  head.writeUInt32BE(magicCookie, 4);
  randomBytes(12).copy(head, 8);
  const covered = Buffer.concat([head, body]);
  if (!key) return covered;
  const tag = createHmac("sha1", key).update(covered).digest();
  return Buffer.concat([covered, attribute(kinds.integrity, tag)]);
}

/** `{ code, realm, nonce }` of a reply; code 0 is success. */
function read(bytes) {
  const found = { code: 0 };
  for (let at = 20; at < bytes.length; ) {
    const [kind, length] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)];
    const value = bytes.subarray(at + 4, at + 4 + length);
    if (kind === kinds.error) found.code = value[2] * 100 + value[3];
    if (kind === kinds.realm) found.realm = value.toString();
    if (kind === kinds.nonce) found.nonce = value.toString();
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return found;
}

export class TurnClient {
  /** Speaks to 127.0.0.1 at `port`. */
  constructor({ port, username, credential }) {
    Object.assign(this, { port, username, credential });
    this.socket = createSocket("udp4");
  }

  close() {
    this.socket.close();
  }

  /** Resolves to the error code, 0 for none. */
  async allocate() {
    const transport = attribute(kinds.transport, [17, 0, 0, 0]);
    const { code, realm, nonce } = await this.#ask(message(methods.allocate, [transport]));
    if (code !== 401) return code;
    Object.assign(this, { realm, nonce });
    return this.#request(methods.allocate, [transport]);
  }

  refresh() {
    return this.#request(methods.refresh, []);
  }

  createPermission(address, port) {
    return this.#request(methods.createPermission, [peer(address, port)]);
  }

  bindChannel(address, port) {
    const channel = attribute(kinds.channel, [0x40, 0x01, 0, 0]);
    return this.#request(methods.channelBind, [channel, peer(address, port)]);
  }

  /** A Send indication, which nobody answers. */
  send(address, port, data) {
    const attributes = [peer(address, port), attribute(kinds.data, data)];
    this.socket.send(message(methods.send | 0x0010, attributes), this.port, "127.0.0.1");
  }

  async #request(method, attributes) {
    const { username, realm, nonce, credential } = this;
    const key = createHash("md5").update(`${username}:${realm}:${credential}`).digest();
    const signed = [
      ...attributes,
      attribute(kinds.username, username),
      attribute(kinds.realm, realm),
      attribute(kinds.nonce, nonce),
    ];
    return (await this.#ask(message(method, signed, key))).code;
  }

  #ask(bytes) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("TURN does not answer")), 5_000);
      this.socket.once("message", (reply) => {
        clearTimeout(timer);
        resolve(read(reply));
      });
      this.socket.send(bytes, this.port, "127.0.0.1");
    });
  }
}
