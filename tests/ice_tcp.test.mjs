// A network that lets no UDP through: Chromium publishes and plays over TCP.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { selectedPair } from "./harness/selected_pair.mjs";
import { Server } from "./harness/server.mjs";

/** Makes a page blind for the server's UDP candidates. */
function withoutUdp() {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    setRemoteDescription({ type, sdp }) {
      const isUdp = (line) => / 1 udp /.test(line);
      const lines = sdp.split("\r\n").filter((line) => !isUdp(line));
      return super.setRemoteDescription({ type, sdp: lines.join("\r\n") });
    }
  };
}

const protocolOf = async ({ page }) => (await selectedPair(page)).remote?.protocol;

let browser, server;

before(async () => {
  server = await Server.start({ media: 'tcp_listen = "127.0.0.1:0"' });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const open = async (userID, { blind }) => {
  const user = await User.open(browser, server, { userID });
  if (blind) await user.page.evaluate(withoutUdp);
  assert.deepEqual(await user.login(), { ok: true });
  return user;
};

test("media goes over TCP where there is no UDP, and over UDP where there is", async () => {
  const publisher = await open("publisher", { blind: true });
  const viewer = await open("viewer", { blind: true });
  const other = await open("other", { blind: false });
  await publisher.publish("over-tcp");
  for (const user of [viewer, other]) {
    await user.hearsStream("ADD", "over-tcp");
    assert.deepEqual(await user.play("over-tcp"), {});
    await user.seesAndHears("over-tcp");
  }
  const protocols = await Promise.all([publisher, viewer, other].map(protocolOf));
  assert.deepEqual(protocols, ["tcp", "tcp", "udp"]);
});
