import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';

/** A stretch of time in which tasks were first seen: microseconds, from included, to excluded. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

const HOUR = 3_600_000_000;
const SHORTEST = 300_000_000;
/** A stretch that was read quicker is followed by one four times as long, one that took longer by one of half. */
const QUICK_MS = 400;
const SLOW_MS = 1_500;

/**
 * Cuts a span into stretches, the newest first or the oldest first: a page of recent tasks reads an hour, and only a rare find
 * reads everything, in pieces of which each answers soon. The next one's length follows from how long the caller took.
 */
export function* stretches({ from, to }: Stretch, newestFirst: boolean): Generator<Stretch, void> {
  let length = HOUR;
  let [low, high] = [from, to];
  while (low < high) {
    const cut = newestFirst ? Math.max(low, high - length) : Math.min(high, low + length);
    const began = performance.now();
    yield newestFirst ? { from: cut, to: high } : { from: low, to: cut };
    const took = performance.now() - began;
    if (newestFirst) high = cut;
    else low = cut;
    if (took < QUICK_MS) length *= 4;
    else if (took > SLOW_MS) length = Math.max(SHORTEST, length / 2);
  }
}

/** The span of all tasks that are stored; null when there are none. The table's own notes tell it, no row is read. */
export async function storedSpan(store: Store, options: AskOptions): Promise<Stretch | null> {
  const [row] = await ask(
    store,
    'stored span',
    z.object({ from: z.number(), to: z.number() }),
    `SELECT toUnixTimestamp64Micro(min(t.first_seen_at)) AS from, toUnixTimestamp64Micro(max(t.first_seen_at)) + 1 AS to
     FROM ${store.database}.tasks_raw AS t HAVING count() > 0`,
    {},
    options,
  );
  return row ?? null;
}

/** What is left of the time for a question of several statements. */
export class Deadline {
  readonly #at: number;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;

  constructor({ timeoutMs = 10_000, signal }: AskOptions) {
    this.#at = performance.now() + timeoutMs;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  get leftMs(): number {
    return Math.max(0, Math.ceil(this.#at - performance.now()));
  }

  get isHalfOver(): boolean {
    return this.leftMs < this.#timeoutMs / 2;
  }

  /** For the next statement; ClickHouse counts in whole seconds. */
  options(): AskOptions {
    return { timeoutMs: Math.max(1, this.leftMs), signal: this.#signal };
  }
}
