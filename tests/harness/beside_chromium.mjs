// Peers of another WebRTC stack beside a user in Chromium, on one server.

import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { launchBrowser, User } from "./browser.mjs";
import { Server } from "./server.mjs";

/**
 * To be called in a `describe`: has a server and a user there before its tests, and ends the peers
 * that each test began.
 */
export class BesideChromium {
  /** The server, and the user in Chromium, once tests run. */
  server = undefined;
  user = undefined;
  #browser = undefined;
  #peers = [];

  constructor() {
    before(async () => {
      [this.#browser, this.server] = await Promise.all([launchBrowser(), Server.start()]);
      this.user = await User.open(this.#browser, this.server, { userID: "chromium" });
      assert.deepEqual(await this.user.login(), { ok: true });
    });
    afterEach(() => {
      for (const peer of this.#peers.splice(0)) peer.kill();
    });
    after(async () => {
      await this.#browser?.close();
      await this.server?.stop();
    });
  }

  /** Begins a peer of class `Peer`. */
  begin(Peer, role, options) {
    const peer = new Peer(role, this.server, options);
    this.#peers.push(peer);
    return peer;
  }

  /** The user plays a stream, sees and hears it move, and it is in `video`. */
  async playsAndSees(streamID, video) {
    assert.deepEqual(await this.user.play(streamID), {});
    await this.user.seesAndHears(streamID);
    await this.user.seesAndHears(streamID);
    const received = await this.user.received(streamID);
    assert.equal(received.videoCodec, `video/${video}`);
    return received;
  }

  /** The peer has played for as long as it was told and has decoded no less than `least`. */
  async assertPlays(peer, least) {
    const done = await peer.tells("done", { within_ms: 30_000 });
    for (const [what, min] of Object.entries(least))
      assert.ok(done[what] >= min, `${what}: ${JSON.stringify(done)}`);
    return done;
  }
}
