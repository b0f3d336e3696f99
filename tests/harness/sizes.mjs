// A stream in several sizes, and a user in Chromium who plays one of them.

import assert from "node:assert/strict";
import { stalled_ms } from "./machine.mjs";
import { until } from "./until.mjs";

/** What a user's statistics say of the video that it plays now. */
export const playedVideo = (user) =>
  user.page.evaluate(async () => {
    for (const peer of window.peers.filter((each) => each.connectionState === "connected"))
      for (const entry of (await peer.getStats()).values())
        if (entry.type === "inbound-rtp" && entry.kind === "video") return entry;
    return {};
  });

/** Waits until a user's stream has been sent in all of its sizes. */
export const sendsSizes = (user) => {
  const sizes = () =>
    user.page.evaluate(async () => {
      const found = [];
      for (const peer of window.peers)
        for (const { type, kind, rid, framesEncoded } of (await peer.getStats()).values())
          if (type === "outbound-rtp" && kind === "video" && framesEncoded > 0) found.push(rid);
      return found.sort();
    });
  return until("all three are encoded", async () => String(await sizes()) === "f,h,q", {
    within_ms: 60_000,
    shown: sizes,
  });
};

/** How long a size that is asked for may take once all are sent, milliseconds; 600 is usual. */
export const sizeDue_ms = 2_500;

/** Waits until a user's picture has so many rows. */
export const sees = (user, height, options = {}) => {
  const rows = async () => (await playedVideo(user)).frameHeight;
  return until(`${user.userID} sees ${height} rows`, async () => (await rows()) === height, {
    within_ms: 60_000,
    shown: rows,
    ...options,
  });
};

/**
 * A user who plays `camera` in the smallest size asks for others, as an app may, and comes back to
 * the smallest; each comes soon, and its picture does not stand still, unless the machine does.
 * Returns its statistics before and after.
 */
export async function asksForOtherSizes(user) {
  const [before, stalledBefore_ms] = [await playedVideo(user), stalled_ms()];
  assert.equal(await user.call("setPlayStreamVideoHeight", "camera", 200), true);
  await sees(user, 360, { due_ms: sizeDue_ms });
  assert.equal(await user.call("setPlayStreamVideoType", "camera", 2), true);
  await sees(user, 720, { due_ms: sizeDue_ms });
  assert.equal(await user.call("setPlayStreamVideoType", "camera", 1), true);
  await sees(user, 180, { due_ms: sizeDue_ms });
  await user.seesAndHears("camera");
  const now = await playedVideo(user);
  const stood_s = now.totalFreezesDuration - before.totalFreezesDuration;
  const stalled_s = (stalled_ms() - stalledBefore_ms) / 1_000;
  assert.ok(stood_s - stalled_s < 1, `it stood still for ${stood_s} s, the machine ${stalled_s} s`);
  return [before, now];
}
