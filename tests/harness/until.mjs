// Waiting without sleeping blindly: a condition is asked again and again until it holds or time is
// over. Time for which the machine stood still does not count.

import { setTimeout as pause } from "node:timers/promises";
import { running_ms } from "./machine.mjs";

/** How long a condition may take unless a test says otherwise, milliseconds. */
export const patience_ms = 30_000;

/**
 * Asks until `condition` returns something truthy, and returns that. When it never does, the error
 * names `what`, and says what `shown` returns: the state that was there instead. What holds only
 * after `due_ms` is too late, and an error that says how late.
 */
export async function until(
  what,
  condition,
  { within_ms = patience_ms, due_ms = Infinity, every_ms = 20, shown } = {},
) {
  const began_ms = running_ms();
  for (;;) {
    const value = await condition();
    const took_ms = running_ms() - began_ms;
    if (value && took_ms <= due_ms) return value;
    if (value) throw new Error(`not within ${due_ms} ms but ${Math.round(took_ms)}: ${what}`);
    if (took_ms > within_ms) {
      const instead = shown ? `; instead: ${JSON.stringify(await shown())}` : "";
      throw new Error(`not within ${within_ms} ms: ${what}${instead}`);
    }
    await pause(every_ms);
  }
}

/** Asks for `for_ms` whether `condition` stays false: for what must not happen. */
export async function never(what, condition, for_ms) {
  const deadline = running_ms() + for_ms;
  while (running_ms() < deadline) {
    if (await condition()) throw new Error(`happened: ${what}`);
    await pause(20);
  }
}
