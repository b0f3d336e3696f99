// A network that is bad, from a seed: UDP between browsers and the server's media port. The server
// listens on 127.0.0.1 and announces 127.0.0.2 (`external_addresses`), where this relay stands at
// the same port; so nothing of SDK, offer or answer is touched.

import { createSocket } from "node:dgram";

/** The address that the server has to announce. */
export const relayAddress = "127.0.0.2";

/** Lines for `[media]` of the server behind a relay. */
export const relayedMedia = `external_addresses = ["${relayAddress}"]`;

/** How long a packet waits before the narrow part at most, milliseconds; beyond it, it is lost. */
const queueMax_ms = 400;

/** Mulberry32: numbers from 0 up to 1, the same for the same seed. */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One direction of one client's way. */
class Direction {
  #busyUntil_ms = 0;

  constructor(relay, seed) {
    this.relay = relay;
    this.random = dice(seed);
  }

  /** Loses, delays or hands on. What overtakes, overtakes. */
  carry(network, size_bytes, deliver) {
    const { faults } = this.relay;
    faults.carried += 1;
    const { lost = 0, delay_ms = 0, jitter_ms = 0, capacity_kbps = Infinity } = network;
    if (this.random() < lost) {
      faults.lost += 1;
      return;
    }
    const now_ms = performance.now();
    const begins_ms = Math.max(this.#busyUntil_ms, now_ms);
    if (begins_ms - now_ms > queueMax_ms) {
      faults.overflowed += 1;
      return;
    }
    if (begins_ms > now_ms) faults.queued += 1;
    this.#busyUntil_ms = begins_ms + (size_bytes * 8) / capacity_kbps;
    const wait_ms = this.#busyUntil_ms - now_ms + delay_ms + jitter_ms * this.random();
    if (wait_ms < 1) deliver();
    else setTimeout(deliver, wait_ms);
  }
}

/** Stands before the media port of a server that announces [relayAddress]. */
export class BadNetwork {
  /** What was done to packets: proof that it was bad. */
  faults = { carried: 0, lost: 0, queued: 0, overflowed: 0 };
  /** What it does now: `lost` (a share), `delay_ms`, `jitter_ms`, `capacity_kbps`, each way. */
  network = {};
  /** Another one for single clients, by their address. */
  networks = new Map();
  /** The socket towards the server of each client, and both directions. */
  #ways = new Map();

  static async before(server, seed) {
    const relay = new BadNetwork();
    relay.seed = seed;
    relay.serverPort = Number(server.mediaAddress.split(":").at(-1));
    relay.near = createSocket("udp4");
    relay.near.on("message", (bytes, from) => relay.#fromClient(bytes, from));
    await new Promise((resolve, reject) => {
      relay.near.once("error", reject);
      relay.near.bind(relay.serverPort, relayAddress, resolve);
    });
    return relay;
  }

  /** Addresses of the clients so far, in the order in which they came. */
  get clients() {
    return [...this.#ways.keys()];
  }

  /** Lets what goes to these clients come through one narrow part from now on. */
  narrow(addresses, network) {
    const { down } = this.#ways.get(addresses[0]);
    for (const address of addresses) {
      this.#ways.get(address).down = down;
      this.networks.set(address, network);
    }
  }

  async close() {
    const sockets = [this.near, ...[...this.#ways.values()].map((way) => way.far)];
    this.isClosed = true;
    await Promise.all(sockets.map((each) => new Promise((resolve) => each.close(resolve))));
  }

  #fromClient(bytes, { address, port }) {
    const key = `${address}:${port}`;
    const way = this.#ways.get(key) ?? this.#newWay(key, { address, port });
    const network = this.networks.get(key) ?? this.network;
    way.up.carry(network, bytes.length, () => {
      if (!this.isClosed) way.far.send(bytes, this.serverPort, "127.0.0.1");
    });
  }

  #newWay(key, { address, port }) {
    const far = createSocket("udp4");
    const seed = this.seed + 2 * this.#ways.size;
    const way = { far, up: new Direction(this, seed), down: new Direction(this, seed + 1) };
    far.on("message", (bytes) => {
      const network = this.networks.get(key) ?? this.network;
      way.down.carry(network, bytes.length, () => {
        if (!this.isClosed) this.near.send(bytes, port, address);
      });
    });
    this.#ways.set(key, way);
    return way;
  }
}
