// The harness itself: what is blamed on the machine, and what is not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isTooSlow, running_ms, tooSlowToJudge } from "./harness/machine.mjs";
import { until } from "./harness/until.mjs";

const good = {
  capturedPerSecond: 20,
  sentPerSecond: 20,
  encodingShare: 0.2,
  cpuLimitedShare: 0,
  keyFramesPerSecond: 0,
  target_kbps: 1_000,
};

describe("Chromium is too slow to judge pictures by", () => {
  for (const [what, made, expected] of [
    ["when it does well", {}, false],
    ["when its camera comes late", { capturedPerSecond: 10 }, true],
    ["when one layer's encoder takes the time", { encodingShare: 0.8 }, true],
    ["after one limited moment", { cpuLimitedShare: 0.1 }, false],
    ["when it says so", { cpuLimitedShare: 1 }, true],
    ["when it sends few with bandwidth for more", { sentPerSecond: 8 }, true],
    ["when it sends few for want of bandwidth", { sentPerSecond: 8, target_kbps: 100 }, false],
    [
      "when it is asked for key frames all the time",
      { encodingShare: 0.9, sentPerSecond: 8, keyFramesPerSecond: 2 },
      false,
    ],
  ])
    test(`${what}: ${expected}`, () => {
      assert.equal(isTooSlow({ ...good, ...made }), expected);
    });

  /** A user whose camera comes late while it is looked at for the first `late` times. */
  const lateFor = (late) => {
    const sums = { ...sumsOfNothing };
    let asked = 0;
    const evaluate = async () => {
      // Two looks at the sums are one at what was made between them.
      if (asked % 2) sums.framesCaptured += asked / 2 < late ? 1 : 60;
      if (asked % 2) sums.framesSent += 60;
      asked += 1;
      return { ...sums };
    };
    return { page: { evaluate } };
  };
  const sumsOfNothing = {
    framesCaptured: 0,
    framesSent: 0,
    target_bps: 1_000_000,
    keyFramesEncoded: 1,
    keyFramesAsked: 0,
    cpuLimited_s: 0,
    encoding_s: { "0 largest": 0, "0 smallest": 0 },
  };

  const soon = { look_ms: 1_000, between_ms: 100 };

  test("only if it stays so", async () => {
    const look = (user) => tooSlowToJudge(user, soon);
    const [once, always] = await Promise.all([lateFor(1), lateFor(9)].map(look));
    assert.equal(once, undefined);
    assert.match(always, /too slow/);
  });

  test("not by what its layers' encoders take together", async () => {
    const sums = { ...sumsOfNothing };
    const evaluate = async () => {
      sums.framesCaptured += 60;
      sums.framesSent += 60;
      const [[large, spent_s], [small]] = Object.entries(sums.encoding_s);
      sums.encoding_s = { [large]: spent_s + 0.5, [small]: spent_s + 0.5 };
      return { ...sums };
    };
    assert.equal(await tooSlowToJudge({ page: { evaluate } }, soon), undefined);
  });
});

test("what holds, but too late, is an error that says how late", async () => {
  const began_ms = running_ms();
  const holds = () => running_ms() - began_ms > 100;
  const late = until("it holds", holds, { due_ms: 50 });
  await assert.rejects(late, /not within 50 ms but \d+: it holds/);
  await until("it holds", holds, { due_ms: 50 });
});
