// A page without the SDK, with the browser's means and the public signalling: what other clients
// may do that the SDK does not.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, User } from "./harness/browser.mjs";
import { appID, Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

/** Logs in and plays over one peer connection; resolves to the answered directions. */
async function playBundled({ url, login, streamID }) {
  const socket = new WebSocket(url);
  await new Promise((resolve) => (socket.onopen = resolve));
  const replies = new Map();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    replies.get(message.request_id)?.(message);
  };
  const ask = (message) =>
    new Promise((resolve) => {
      const request_id = replies.size + 1;
      replies.set(request_id, resolve);
      socket.send(JSON.stringify({ ...message, request_id }));
    });
  const loggedIn = await ask({ type: "login", version: 1, ...login });
  if (loggedIn.type !== "logged_in") throw new Error(JSON.stringify(loggedIn));

  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const media = new MediaStream();
  for (const kind of ["audio", "video"]) {
    media.addTrack(peer.addTransceiver(kind, { direction: "recvonly" }).receiver.track);
  }
  await peer.setLocalDescription();
  const { room_id } = login;
  const { sdp } = peer.localDescription;
  const answer = await ask({ type: "play", room_id, stream_id: streamID, sdp });
  if (answer.type !== "answer") throw new Error(JSON.stringify(answer));
  await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  const video = Object.assign(document.createElement("video"), { srcObject: media, muted: true });
  document.body.append(video);
  video.play();
  window.raw = { socket, peer, video };
  return peer.getTransceivers().map(({ currentDirection }) => currentDirection);
}

describe("a client without the SDK", () => {
  let browser, server, publisher, page;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.start()]);
    publisher = await User.open(browser, server, { userID: "publisher" });
    assert.deepEqual(await publisher.login(), { ok: true });
    page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`${server.origin}/healthz`);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const publish = (streamID, camera) =>
    publisher.page.evaluate(
      async ([streamID, camera]) => {
        const media = await window.test.engine.createStream({ camera });
        return window.test.engine.startPublishingStream(streamID, media);
      },
      [streamID, camera],
    );

  const play = (userID, streamID) =>
    page.evaluate(playBundled, {
      url: server.signalUrl(),
      login: {
        app_id: appID,
        room_id: "room",
        user_id: userID,
        user_name: "",
        token: server.token(userID),
        user_update: false,
      },
      streamID,
    });

  const received = (kind, number) =>
    page.evaluate(
      async ([kind, number]) => {
        const entries = [...(await window.raw.peer.getStats()).values()];
        const isIt = (entry) => entry.type === "inbound-rtp" && entry.kind === kind;
        return entries.find(isIt)?.[number] ?? 0;
      },
      [kind, number],
    );

  for (const [kind, camera, directions, number] of [
    ["video", { videoQuality: 1, audio: false }, ["inactive", "recvonly"], "framesDecoded"],
    ["audio", { video: false }, ["recvonly", "inactive"], "packetsReceived"],
  ]) {
    test(`plays a stream of ${kind} alone with max-bundle`, async () => {
      const since = await publisher.mark();
      assert.equal(await publish(kind, camera), true);
      const isPublished = ([is]) => is.streamID === kind && is.state === "PUBLISHING";
      await publisher.heard("publisherStateUpdate", isPublished, { since });
      assert.deepEqual(await play(`viewer-of-${kind}`, kind), directions);
      await until(`${kind} arrives`, async () => (await received(kind, number)) > 2);
    });
  }
});
