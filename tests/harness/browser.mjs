// Chromium with fake media, and a user of the SDK in one of its pages.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { appID } from "./server.mjs";
import { never, until } from "./until.mjs";

/**
 * Starts Chromium: ODEUM_CHROMIUM or Debian's. `namespace`: the network that it is in, where not
 * this process's. `hosts`: what names of DNS lead to, beside the system's.
 */
export function launchBrowser({ namespace, hosts = {} } = {}) {
  const executablePath = process.env.ODEUM_CHROMIUM || "/usr/bin/chromium";
  // WebRTC asks for names of UDP servers with their last dot.
  const rules = Object.entries(hosts).flatMap(([name, address]) =>
    [name, `${name}.`].map((each) => `MAP ${each} ${address}`),
  );
  return chromium.launch({
    executablePath: namespace?.script(executablePath) ?? executablePath,
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--ignore-certificate-errors",
      "--autoplay-policy=no-user-gesture-required",
      `--host-resolver-rules=${rules.join(",")}`,
    ],
  });
}

/** The page of a user: nothing but the SDK, from the server under test. */
const html = (
  origin,
) => `<!doctype html><title>test</title><div id="views"></div><script type="module">
  import { ZegoExpressEngine, ZegoError } from "${origin}/sdk/odeum.js";
  Object.assign(window, { ZegoExpressEngine, ZegoError });
</script>`;

/**
 * Keeps every peer connection, so that a test can ask for its statistics; while `holdPeers` is set
 * also those that the SDK closes, so that it shows whether the server still sends.
 */
function keepPeers() {
  const Original = window.RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Original {
    constructor(...values) {
      super(...values);
      window.peers.push(this);
    }
    close() {
      if (!window.holdPeers) super.close();
    }
  };
}

/** Makes the engine and notes every event. */
function makeEngine([app, url, option]) {
  const engine = new window.ZegoExpressEngine(app, url, option);
  const events = [];
  const names = [
    "roomStateChanged",
    "roomStateUpdate",
    "roomUserUpdate",
    "roomStreamUpdate",
    "publisherStateUpdate",
    "playerStateUpdate",
    "publishQualityUpdate",
    "playQualityUpdate",
    "tokenWillExpire",
    "roomOnlineUserCountUpdate",
    "roomExtraInfoUpdate",
    "streamExtraInfoUpdate",
    "IMRecvBroadcastMessage",
    "IMRecvBarrageMessage",
    "IMRecvCustomCommand",
  ];
  for (const name of names) engine.on(name, (...values) => events.push({ name, values }));
  window.test = { engine, events, media: {}, views: {}, local: undefined };
}

/** One user in one page. */
export class User {
  /**
   * Opens a page of its own context, with an engine. `signalUrl` may lead through a proxy; `option`
   * is the engine's.
   */
  static async open(browser, server, options) {
    const { userID, roomID = "room", signalUrl = server.signalUrl(), option = {} } = options;
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const troubles = [];
    page.on("requestfailed", (each) => troubles.push(`${each.url()} ${each.failure()?.errorText}`));
    page.on("pageerror", (error) => troubles.push(String(error)));
    const facts = { context, page, server, userID, roomID, signalUrl, option, troubles };
    const user = Object.assign(new User(), facts);
    await context.addInitScript(keepPeers);
    await user.load();
    return user;
  }

  /** Loads the page, also again: all that it knew is gone. */
  async load() {
    // Something that the server itself gave: to a page of another making Chromium denies loopback.
    await this.page.goto(`${this.server.origin}/healthz`);
    await this.page.setContent(html(this.server.origin));
    const isLoaded = () => this.page.evaluate(() => Boolean(window.ZegoExpressEngine));
    await until("the SDK is loaded", isLoaded, { shown: () => this.troubles });
    await this.page.evaluate(makeEngine, [appID, this.signalUrl, this.option]);
  }

  /** Logs in; resolves to `{ ok: true }` or `{ errorCode, extendedData }`. */
  login({ userUpdate = true, token = this.server.token(this.userID) } = {}) {
    const { roomID, userID } = this;
    return this.page.evaluate(
      ([roomID, token, userID, userUpdate]) =>
        window.test.engine
          .loginRoom(roomID, token, { userID, userName: userID.toUpperCase() }, { userUpdate })
          .then((ok) => ({ ok }))
          .catch(({ errorCode, extendedData }) => ({ errorCode, extendedData })),
      [roomID, token, userID, userUpdate],
    );
  }

  /** Begins to publish camera and microphone (the fake ones); `quality` is of the first time. */
  async beginPublishing(streamID, { quality = 2, ...option } = {}) {
    const isBegun = await this.page.evaluate(
      async ([streamID, quality, option]) => {
        window.test.local ??= await window.test.engine.createZegoStream({
          camera: { video: { quality }, audio: { AEC: false, ANS: false, AGC: false } },
        });
        return window.test.engine.startPublishingStream(streamID, window.test.local, option);
      },
      [streamID, quality, option],
    );
    if (!isBegun) throw new Error(`${this.userID} could not begin to publish ${streamID}`);
  }

  /** Width and height of the camera that it publishes, in pixels. */
  cameraSize() {
    return this.page.evaluate(() => {
      const [track] = window.test.local.stream.getVideoTracks();
      const { width, height } = track.getSettings();
      return [width, height];
    });
  }

  /** Publishes camera and microphone and waits until they are published. */
  async publish(streamID, option = {}) {
    const since = await this.mark();
    await this.beginPublishing(streamID, option);
    await this.heard(
      "publisherStateUpdate",
      ([is]) => is.streamID === streamID && is.state === "PUBLISHING",
      { since },
    );
  }

  /** Plays a stream with picture and sound; resolves to `{}` or `{ errorCode }`. */
  play(streamID, option) {
    const begin = async ([streamID, option]) => {
      const { engine, media, views } = window.test;
      try {
        media[streamID] = await engine.startPlayingStream(streamID, option);
      } catch ({ errorCode, extendedData }) {
        return { errorCode, extendedData };
      }
      views[streamID] = engine.createRemoteStreamView(media[streamID]);
      views[streamID].play(document.getElementById("views"));
      return {};
    };
    return this.page.evaluate(begin, [streamID, option]);
  }

  /** Calls a method of the engine that takes and gives plain values. */
  call(method, ...values) {
    return this.page.evaluate(
      ([method, values]) => window.test.engine[method](...values),
      [method, values],
    );
  }

  /**
   * What arrived for a played stream so far; `videoCodec` is a MIME type, `videoSize` that of the
   * last picture in pixels.
   */
  received(streamID) {
    return this.page.evaluate(async (streamID) => {
      const tracks = window.test.media[streamID]?.getTracks() ?? [];
      const peer = window.peers.findLast((each) =>
        each.getReceivers().some((receiver) => tracks.includes(receiver.track)),
      );
      const found = {
        framesDecoded: 0,
        audioEnergy: 0,
        audioPackets: 0,
        bytes: 0,
        videoCodec: undefined,
        videoSize: undefined,
      };
      const statistics = await peer?.getStats();
      for (const entry of statistics?.values() ?? []) {
        if (entry.type !== "inbound-rtp") continue;
        if (entry.kind === "video") {
          found.videoCodec = statistics.get(entry.codecId)?.mimeType;
          found.videoSize = [entry.frameWidth, entry.frameHeight];
        } else found.audioPackets += entry.packetsReceived;
        found.bytes += entry.bytesReceived;
        found.framesDecoded += entry.framesDecoded ?? 0;
        found.audioEnergy += entry.totalAudioEnergy ?? 0;
      }
      return found;
    }, streamID);
  }

  /** Keeps open what the SDK closes, from now on. */
  holdPeers() {
    return this.page.evaluate(() => void (window.holdPeers = true));
  }

  /** Waits until picture and sound of a stream arrive: more frames and more energy than now. */
  async seesAndHears(streamID, { within_ms } = {}) {
    const before = await this.received(streamID);
    await until(
      `${this.userID} sees and hears ${streamID}`,
      async () => {
        const now = await this.received(streamID);
        return now.framesDecoded > before.framesDecoded + 2 && now.audioEnergy > before.audioEnergy;
      },
      { within_ms, shown: () => this.received(streamID) },
    );
  }

  /** How many events there were so far: `since` for what is awaited after something was done. */
  mark() {
    return this.page.evaluate(() => window.test.events.length);
  }

  /** The values of every event of a name. */
  async events(name, { since = 0 } = {}) {
    const all = await this.page.evaluate((since) => window.test.events.slice(since), since);
    return all.filter((event) => event.name === name).map((event) => event.values);
  }

  /** Waits for an event of which `condition(values)` holds; returns its values. */
  heard(name, condition = () => true, { since = 0, within_ms } = {}) {
    const find = async () => (await this.events(name, { since })).find(condition);
    return until(`${this.userID} hears ${name} ${condition}`, find, {
      within_ms,
      shown: () => this.page.evaluate((since) => window.test.events.slice(since), since),
    });
  }

  /** Watches for `for_ms` that no such event comes. */
  neverHears(name, condition, { since = 0, for_ms = 500 } = {}) {
    const find = async () => (await this.events(name, { since })).some(condition);
    return never(`${this.userID} heard ${name}`, find, for_ms);
  }

  /** Waits for a stream to come or go; returns the reasons that were given. */
  async hearsStream(updateType, streamID, options = {}) {
    const isIt = ([, type, streams]) =>
      type === updateType && streams.some((stream) => stream.streamID === streamID);
    const [, , , extendedData] = await this.heard("roomStreamUpdate", isIt, options);
    return extendedData === "" ? undefined : JSON.parse(extendedData).stream_delete_reason;
  }

  /** Waits for a state of the own login; returns `{ errorCode, extendedData }`. */
  async hearsRoomState(reason, options = {}) {
    const [, , errorCode, extendedData] = await this.heard(
      "roomStateChanged",
      ([, is]) => is === reason,
      options,
    );
    return { errorCode, extendedData };
  }

  /** The page is gone without a word. */
  kill() {
    return this.context.close();
  }
}

/** Users of these ids, each in a page of its own, who have logged in one after the other. */
export async function openUsers(browser, server, userIDs) {
  const open = (userID) => User.open(browser, server, { userID });
  const users = await Promise.all(userIDs.map(open));
  for (const user of users) assert.deepEqual(await user.login(), { ok: true });
  return users;
}

/**
 * Two users, returned: one publishes `stream`, the other sees and hears it. `prepare(user)` is done
 * in a page before its user logs in; `option` is the engine's.
 */
export async function publishAndPlay(browser, server, prepare = async () => {}, option = {}) {
  const users = [];
  for (const userID of ["publisher", "viewer"]) {
    const user = await User.open(browser, server, { userID, option });
    await prepare(user);
    assert.deepEqual(await user.login(), { ok: true });
    users.push(user);
  }
  const [publisher, viewer] = users;
  await publisher.publish("stream");
  await viewer.hearsStream("ADD", "stream");
  assert.deepEqual(await viewer.play("stream"), {});
  await viewer.seesAndHears("stream");
  return users;
}
