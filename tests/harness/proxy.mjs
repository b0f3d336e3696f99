// A network that can be cut: TCP from one port to another, until it is told to stop.

import { connect, createServer } from "node:net";

/** Stands between a page and the server. */
export class CuttableProxy {
  /** Both ends of every connection through it. */
  #sockets = new Set();
  /** Whether new connections are let through. */
  #isOpen = true;

  static async before(port) {
    const proxy = new CuttableProxy();
    proxy.server = createServer((near) => proxy.#carry(near, port));
    await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    proxy.port = proxy.server.address().port;
    return proxy;
  }

  /** Breaks every connection; lets new ones through unless told not to. */
  cut({ refuseNew = false } = {}) {
    this.#isOpen = !refuseNew;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing goes through any more, and nobody is told: connections stay as they are. */
  freeze() {
    this.#isOpen = false;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Lets new connections through again. */
  mend() {
    this.#isOpen = true;
  }

  async close() {
    this.cut({ refuseNew: true });
    await new Promise((resolve) => this.server.close(resolve));
  }

  #carry(near, port) {
    if (!this.#isOpen) {
      near.destroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }
}
