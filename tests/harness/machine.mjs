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

/**
 * What a page's peers have made of video so far: of the layer that has the most of it, but
 * `encoding_s` of each.
 */
export function sentVideo(user) {
  return user.page.evaluate(async () => {
    const found = {
      framesCaptured: 0,
      framesSent: 0,
      target_bps: 0,
      keyFramesEncoded: 0,
      keyFramesAsked: 0,
      cpuLimited_s: 0,
      encoding_s: {},
    };
    const raise = (name, value) => (found[name] = Math.max(found[name], value ?? 0));
    for (const [at, peer] of window.peers.entries())
      for (const entry of (await peer.getStats()).values()) {
        if (entry.kind !== "video") continue;
        if (entry.type === "media-source") raise("framesCaptured", entry.frames);
        if (entry.type !== "outbound-rtp") continue;
        raise("framesSent", entry.framesSent);
        raise("target_bps", entry.targetBitrate);
        raise("keyFramesEncoded", entry.keyFramesEncoded);
        raise("keyFramesAsked", (entry.pliCount ?? 0) + (entry.firCount ?? 0));
        raise("cpuLimited_s", entry.qualityLimitationDurations?.cpu);
        found.encoding_s[`${at} ${entry.id}`] = entry.totalEncodeTime ?? 0;
      }
    return found;
  });
}

/** From so many key frames a second on it is what asks for them that keeps an encoder busy. */
export const keyFramesPerSecondMax = 1;

/** How often Chromium may be found short of time before nobody judges. */
const looks = 4;

/**
 * Why nobody can judge by a stream's pictures whether the server carries them: Chromium, which
 * makes `user`'s, is short of the machine's time, and stays it. Undefined when it is not. That it
 * sends few is a proof only where it has the bandwidth for more, and none is one where the server
 * asks for key frames all the time.
 */
export async function tooSlowToJudge(user, { look_ms = 3_000, between_ms = 4_000 } = {}) {
  for (let left = looks; ; left -= 1) {
    const made = await makesOfVideo(user, look_ms);
    if (!isTooSlow(made)) return undefined;
    if (left === 1) return `this machine is too slow for pictures: ${JSON.stringify(made)}`;
    await pause(between_ms);
  }
}

/**
 * Runs what asserts by the pictures of `user`'s stream; skips test `t` where nobody can judge by
 * them, be it before or only after they have failed.
 */
export async function judgePictures(t, user, run) {
  const tooSlow = await tooSlowToJudge(user);
  if (tooSlow) return t.skip(tooSlow);
  try {
    await run();
  } catch (error) {
    const tooSlowNow = await tooSlowToJudge(user);
    if (!tooSlowNow) throw error;
    t.skip(`${tooSlowNow}: ${error.message}`);
  }
}

/** What a page's peers make of video in such a time. */
async function makesOfVideo(user, look_ms) {
  const [begin, began_ms] = [await sentVideo(user), performance.now()];
  await pause(look_ms);
  const [end, took_s] = [await sentVideo(user), (performance.now() - began_ms) / 1_000];
  const perSecond = (name) => (end[name] - begin[name]) / took_s;
  const shares = Object.entries(end.encoding_s).map(
    ([layer, spent_s]) => (spent_s - (begin.encoding_s[layer] ?? 0)) / took_s,
  );
  return {
    capturedPerSecond: perSecond("framesCaptured"),
    sentPerSecond: perSecond("framesSent"),
    encodingShare: Math.max(0, ...shares),
    cpuLimitedShare: perSecond("cpuLimited_s"),
    keyFramesPerSecond: Math.max(perSecond("keyFramesAsked"), perSecond("keyFramesEncoded")),
    target_kbps: Math.min(begin.target_bps, end.target_bps) / 1_000,
  };
}

/** Whether the machine, and not who asks for key frames, keeps Chromium from sending pictures. */
export function isTooSlow(made) {
  if (made.keyFramesPerSecond > keyFramesPerSecondMax) return false;
  return (
    made.capturedPerSecond < 14 ||
    made.encodingShare > 0.7 ||
    made.cpuLimitedShare > 0.3 ||
    (made.sentPerSecond < 14 && made.target_kbps > 300)
  );
}
