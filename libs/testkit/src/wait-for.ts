import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** @default 10_000 */
  readonly deadlineMs?: number;
  /** What is waited for, as it shall read in the error: "the 50th event". */
  readonly what: string;
  /** Time between two looks. @default 20 */
  readonly everyMs?: number;
  /** Ends the wait early, as failed, once true. */
  readonly giveUp?: () => boolean;
}

/**
 * Looks until `condition` returns something truthy, and returns that. Throws an error naming `what`, with the last
 * error of `condition` as its cause, once the deadline has passed.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadlineMs = options.deadlineMs ?? 10_000;
  const begin = performance.now();
  let cause: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>;
    } catch (error) {
      cause = error;
    }
    if (options.giveUp?.() === true) break;
    await delay(options.everyMs ?? 20);
  } while (performance.now() - begin < deadlineMs);
  const waitedMs = Math.round(performance.now() - begin);
  throw new Error(`waited ${waitedMs} ms in vain for ${options.what}`, { cause });
}
