// How long to wait before trying again, and when to stop: pure policies, one for the room, one for
// media.

/** When and how often to try again. */
export interface RetryPolicy {
  /** The first delay, milliseconds. */
  delayMin_ms: number;
  /** No delay is longer, milliseconds. */
  delayMax_ms: number;
  /** Trying stops so long after the loss, milliseconds. */
  giveUpAfter_ms: number;
}

/** For the room's WebSocket: five minutes, as the contract says. */
export const roomRetry: RetryPolicy = {
  delayMin_ms: 250,
  delayMax_ms: 8_000,
  giveUpAfter_ms: 300_000,
};

/** For one publication or play while the session lives. */
export const mediaRetry: RetryPolicy = {
  delayMin_ms: 250,
  delayMax_ms: 4_000,
  giveUpAfter_ms: 60_000,
};

/** What to do next. */
export type RetryDecision = { kind: "wait"; delay_ms: number } | { kind: "give_up" };

/**
 * Decides on attempt number `attempt` (0 is the first), `elapsed_ms` after the loss.
 *
 * Delays begin at `delayMin_ms` and double up to `delayMax_ms`; `random` (0 to 1) takes up to half
 * of each away, so that the clients of a restarted server do not come back in one wave.
 */
export function decideRetry(
  policy: RetryPolicy,
  attempt: number,
  elapsed_ms: number,
  random: number,
): RetryDecision {
  if (elapsed_ms >= policy.giveUpAfter_ms) return { kind: "give_up" };
  const full_ms = Math.min(policy.delayMin_ms * 2 ** Math.min(attempt, 30), policy.delayMax_ms);
  const jittered_ms = Math.round(full_ms * (1 - random / 2));
  return { kind: "wait", delay_ms: Math.min(jittered_ms, policy.giveUpAfter_ms - elapsed_ms) };
}
