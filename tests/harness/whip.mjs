// A WHIP or WHEP client in a page of its own: a peer connection, one POST, and nothing of ours.

import { selectedPair } from "./selected_pair.mjs";
import { until } from "./until.mjs";

/**
 * Publishes fake media or plays, and keeps connection and answer in the page. `relaysOver`: asks
 * OPTIONS for the ICE servers (RFC 9725, section 4.6), and offers what it has gathered at them.
 */
async function begin({ url, token, role, audioCodecs, videoCodecs, kinds, relaysOver }) {
  const configuration = { bundlePolicy: "max-bundle" };
  if (relaysOver) {
    const headers = { Authorization: `Bearer ${token}` };
    const told = (await fetch(url, { method: "OPTIONS", headers })).headers.get("link");
    const valueOf = (link, name) => new RegExp(`; ${name}="(.*?)"`).exec(link)?.[1];
    const all = told.split(/, (?=<)/).map((link) => ({
      urls: /^<(.*?)>/.exec(link)[1],
      username: valueOf(link, "username"),
      credential: valueOf(link, "credential"),
    }));
    const { scheme, transport } = relaysOver;
    const isWanted = ({ urls }) => urls.startsWith(scheme) && urls.endsWith(transport);
    configuration.iceServers = all.filter(isWanted);
    configuration.iceTransportPolicy = "relay";
  }
  const peer = new RTCPeerConnection(configuration);
  const media = new MediaStream();
  if (role === "publish") {
    const local = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of local.getTracks()) peer.addTransceiver(track, { direction: "sendonly" });
  } else {
    for (const kind of kinds ?? ["audio", "video"]) {
      media.addTrack(peer.addTransceiver(kind, { direction: "recvonly" }).receiver.track);
    }
    const video = Object.assign(document.createElement("video"), { srcObject: media });
    document.body.append(video);
    video.play();
  }
  for (const [kind, names] of Object.entries({ audio: audioCodecs, video: videoCodecs })) {
    if (!names) continue;
    const all = RTCRtpReceiver.getCapabilities(kind).codecs;
    const wanted = names.flatMap((name) => all.filter((each) => each.mimeType === name));
    const of = ({ receiver }) => receiver.track.kind === kind;
    peer.getTransceivers().find(of).setCodecPreferences(wanted);
  }
  await peer.setLocalDescription();
  while (relaysOver && peer.iceGatheringState !== "complete") {
    const changed = { once: true };
    await new Promise((done) => peer.addEventListener("icegatheringstatechange", done, changed));
  }
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` },
    body: peer.localDescription.sdp,
  });
  const text = await response.text();
  const headers = Object.fromEntries(response.headers);
  window.whip = { peer };
  if (response.status === 201) await peer.setRemoteDescription({ type: "answer", sdp: text });
  return { status: response.status, headers, text, offer: peer.localDescription.sdp };
}

/** Restarts ICE with a PATCH, as RFC 9725, section 4.3.3, has it. */
async function restart({ url, token, etag }) {
  const { peer } = window.whip;
  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
  const own = (name) => new RegExp(`^a=${name}:.*`, "m").exec(peer.localDescription.sdp)[0].trim();
  const lines = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", own("mid"), own("ice-ufrag"), own("ice-pwd")];
  const response = await fetch(url, {
    method: "PATCH",
    headers: {
      "Content-Type": "application/trickle-ice-sdpfrag",
      Authorization: `Bearer ${token}`,
      "If-Match": etag,
    },
    body: lines.map((line) => `${line}\r\n`).join(""),
  });
  const text = await response.text();
  let sdp = peer.remoteDescription.sdp;
  for (const name of ["ice-ufrag", "ice-pwd"]) {
    const line = new RegExp(`^a=${name}:.*`, "m").exec(text)?.[0].trim();
    sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, "gm"), line);
  }
  if (response.status === 200) await peer.setRemoteDescription({ type: "answer", sdp });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text,
    ufrag: /a=ice-ufrag:(.*)/.exec(peer.localDescription.sdp)[1].trim(),
  };
}

/** One client. */
export class WhipClient {
  /** Opens a page, of another origin's rights than the server would give its own. */
  static async open(browser, server) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${server.origin}/healthz`);
    return Object.assign(new WhipClient(), { context, page, server });
  }

  /**
   * Sends its offer to `/whip` or `/whep`, with `query` (`?…`) behind; `audioCodecs` and
   * `videoCodecs` are MIME types, those alone and the wanted one first; `kinds` of a player are
   * "audio" and "video" unless said otherwise; `relaysOver`, `{ scheme, transport }`, lets it go
   * over that kind of TURN server alone, as OPTIONS names it; resolves to
   * `{ status, headers, text, offer }`.
   */
  async begin(role, options) {
    const { roomID, streamID, userID, token = this.server.token(userID), query = "" } = options;
    const { audioCodecs, videoCodecs, kinds, relaysOver } = options;
    const url = this.server.whipUrl(role, { roomID, streamID }) + query;
    this.token = token;
    const begun = await this.page.evaluate(begin, {
      ...{ url, token, role },
      ...{ audioCodecs, videoCodecs, kinds, relaysOver },
    });
    this.location = begun.headers.location;
    this.etag = begun.headers.etag;
    return begun;
  }

  /** Restarts its ICE; resolves to `{ status, headers, text, ufrag }`. */
  async restart() {
    const url = `${this.server.origin}${this.location}`;
    const { token, etag } = this;
    const restarted = await this.page.evaluate(restart, { url, token, etag });
    this.etag = restarted.headers.etag;
    return restarted;
  }

  /** Whether the pair that carries its media is of the ICE session with this name of its own. */
  async usesUfrag(ufrag) {
    return (await selectedPair(this.page)).local?.usernameFragment === ufrag;
  }

  /** A request about what has begun; resolves to `{ status, text }`. */
  async ask(method, { headers = {}, body, token = this.token, path = this.location } = {}) {
    const response = await fetch(`${this.server.origin}${path}`, {
      method,
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
      body,
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** What arrived so far; `frameHeight` is of the last picture, in pixels. */
  received() {
    return this.page.evaluate(async () => {
      const found = { framesDecoded: 0, frameHeight: 0, audioPackets: 0, audioEnergy: 0 };
      for (const entry of (await window.whip.peer.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        found.framesDecoded += entry.framesDecoded ?? 0;
        found.frameHeight = entry.frameHeight ?? found.frameHeight;
        found.audioEnergy += entry.totalAudioEnergy ?? 0;
        if (entry.kind === "audio") found.audioPackets += entry.packetsReceived;
      }
      return found;
    });
  }

  /** Waits until more picture and sound arrives than had. */
  async seesAndHears() {
    const before = await this.received();
    await until(
      "picture and sound arrive",
      async () => {
        const now = await this.received();
        return (
          now.framesDecoded > before.framesDecoded + 2 &&
          now.audioPackets > before.audioPackets + 10
        );
      },
      { shown: () => this.received() },
    );
  }

  /** Waits until its connection is in this state. */
  reaches(state) {
    return until(`the connection is ${state}`, () =>
      this.page.evaluate((state) => window.whip.peer.connectionState === state, state),
    );
  }
}
