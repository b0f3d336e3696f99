// What the machine does to a test: whether it lets this process run, and Chromium encode in time.

import { setTimeout as pause } from "node:timers/promises";

const beat_ms = 20;
/** A beat that is later than this is a stall: everything on the machine stood still, or nearly. */
const late_ms = 200;
let [beatAt_ms, stood_ms] = [performance.now(), 0];
setInterval(beat, beat_ms).unref();

function beat() {
  const passed_ms = performance.now() - beatAt_ms - beat_ms;
  if (passed_ms > late_ms) stood_ms += passed_ms;
  beatAt_ms = performance.now();
}

/** For how long this process has stood still so far, milliseconds. */
export function stalled_ms() {
  beat();
  return stood_ms;
}

/** The time as performance.now() has it, less that for which this process stood still. */
export const running_ms = () => performance.now() - stalled_ms();

/**
 * What `measure` resolves to when the machine does not stand still meanwhile: what was measured
 * over a stall is measured again, `tries` times in all.
 */
export async function undisturbed(measure, tries = 5) {
  for (let left = tries; ; left -= 1) {
    const before_ms = stalled_ms();
    const measured = await measure();
    if (stalled_ms() === before_ms || left === 1) return measured;
  }
}

/** What a page's peers have made of video so far, of the layer that has the most pictures. */
export function sentVideo(user) {
  return user.page.evaluate(async () => {
    const found = {
      framesCaptured: 0,
      framesSent: 0,
      target_bps: 0,
      encoding_s: 0,
      cpuLimited_s: 0,
    };
    const raise = (name, value) => (found[name] = Math.max(found[name], value ?? 0));
    for (const peer of window.peers)
      for (const entry of (await peer.getStats()).values()) {
        if (entry.kind !== "video") continue;
        if (entry.type === "media-source") raise("framesCaptured", entry.frames);
        if (entry.type !== "outbound-rtp") continue;
        raise("framesSent", entry.framesSent);
        raise("target_bps", entry.targetBitrate);
        found.encoding_s += entry.totalEncodeTime ?? 0;
        raise("cpuLimited_s", entry.qualityLimitationDurations?.cpu);
      }
    return found;
  });
}

/**
 * Why nobody can judge by a stream's pictures whether the server carries them: Chromium, which
 * makes `user`'s, is short of the machine's time. Undefined when it is not. That it sends few is a
 * proof only where it has the bandwidth for more.
 */
export async function tooSlowToJudge(user) {
  const [begin, began_ms] = [await sentVideo(user), performance.now()];
  await pause(3_000);
  const [end, took_s] = [await sentVideo(user), (performance.now() - began_ms) / 1_000];
  const perSecond = (name) => (end[name] - begin[name]) / took_s;
  const made = {
    capturedPerSecond: perSecond("framesCaptured"),
    sentPerSecond: perSecond("framesSent"),
    encodingShare: perSecond("encoding_s"),
    cpuLimitedShare: perSecond("cpuLimited_s"),
    target_kbps: Math.min(begin.target_bps, end.target_bps) / 1_000,
  };
  const isSlow =
    made.capturedPerSecond < 14 ||
    made.encodingShare > 0.7 ||
    made.cpuLimitedShare > 0 ||
    (made.sentPerSecond < 14 && made.target_kbps > 300);
  return isSlow ? `this machine is too slow for pictures: ${JSON.stringify(made)}` : undefined;
}
