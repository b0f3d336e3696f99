// The retry policies: what is waited, and when it ends.

import assert from "node:assert/strict";
import test from "node:test";
import { decideRetry, mediaRetry, roomRetry } from "../src/reconnect.ts";

const delays = (random: number, attempts: number): number[] =>
  Array.from({ length: attempts }, (_, attempt) => {
    const decision = decideRetry(roomRetry, attempt, 0, random);
    assert.equal(decision.kind, "wait");
    return decision.kind === "wait" ? decision.delay_ms : -1;
  });

test("delays double up to the longest one", () => {
  assert.deepEqual(delays(0, 8), [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

test("jitter takes away up to half of a delay and never adds", () => {
  assert.deepEqual(delays(1, 4), [125, 250, 500, 1000]);
});

test("a room is given up after five minutes", () => {
  assert.equal(decideRetry(roomRetry, 40, 299_999, 0.5).kind, "wait");
  assert.deepEqual(decideRetry(roomRetry, 40, 300_000, 0.5), { kind: "give_up" });
});

test("the last delay does not go beyond the end", () => {
  assert.deepEqual(decideRetry(roomRetry, 40, 299_000, 0), { kind: "wait", delay_ms: 1000 });
});

test("media is given up after a minute", () => {
  assert.deepEqual(decideRetry(mediaRetry, 3, 60_000, 0), { kind: "give_up" });
});

test("a huge attempt number does not overflow", () => {
  assert.deepEqual(decideRetry(roomRetry, 100_000, 0, 0), { kind: "wait", delay_ms: 8000 });
});
