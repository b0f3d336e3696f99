// A network that changes under a call: the SDK restarts ICE and goes on over the same connection.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { findAddress, findFirefox, launchFirefox } from "./harness/firefox.mjs";
import { Server } from "./harness/server.mjs";
import { UdpRelay, useRelay } from "./harness/udp_relay.mjs";
import { until } from "./harness/until.mjs";

const browsers = {
  Chromium: { launch: launchBrowser, mediaIp: "127.0.0.1", skip: false },
  Firefox: {
    launch: launchFirefox,
    mediaIp: findAddress(),
    skip: !(findFirefox() && findAddress()) && "no Firefox, or no address but the loopback's",
  },
};

for (const [name, { launch, mediaIp, skip }] of Object.entries(browsers)) {
  describe(`${name} moves`, { skip }, () => {
    let browser, server, relay, publisher, viewer;

    before(async () => {
      server = await Server.start({ mediaIp });
      browser = await launch();
      const port = Number(server.mediaAddress.split(":").at(-1));
      relay = await UdpRelay.before(port, mediaIp);
      const open = async (userID) => {
        const user = await User.open(browser, server, { userID });
        await user.page.evaluate(useRelay, [port, relay.port]);
        assert.deepEqual(await user.login(), { ok: true });
        return user;
      };
      publisher = await open("publisher");
      viewer = await open("viewer");
    });
    after(async () => {
      await browser?.close();
      relay?.close();
      await server?.stop();
    });

    test("publisher and viewer get another network, and nobody is told of it", async () => {
      await publisher.publish("moving");
      await viewer.hearsStream("ADD", "moving");
      assert.deepEqual(await viewer.play("moving"), {});
      await viewer.seesAndHears("moving");

      const marks = [await publisher.mark(), await viewer.mark()];
      const ufrag = () => /ice-ufrag:(.*)/.exec(window.peers.at(-1).remoteDescription.sdp)[1];
      const ufrags = () =>
        Promise.all([publisher, viewer].map(({ page }) => page.evaluate(ufrag)));
      const before = await ufrags();
      relay.loseKnown();
      await until(
        "both have restarted",
        async () => (await ufrags()).every((ufrag, at) => ufrag !== before[at]),
        { within_ms: 30_000 },
      );
      await viewer.seesAndHears("moving", { within_ms: 15_000 });

      for (const [at, user] of [publisher, viewer].entries()) {
        assert.equal(await user.page.evaluate(() => window.peers.length), 1, "the same connection");
        const since = marks[at];
        assert.deepEqual(await user.events("publisherStateUpdate", { since }), []);
        assert.deepEqual(await user.events("playerStateUpdate", { since }), []);
        assert.deepEqual(await user.events("roomStreamUpdate", { since }), []);
      }
    });
  });
}
