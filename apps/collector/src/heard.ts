import type { Bucket } from '@meadow/bus';
import type { HeardRecord } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';

/** How often the record is written: a gap without a standby begins at most this much too early. */
const WRITE_INTERVAL_MS = 2_000;
/** Seconds over which the rate is smoothed. */
const RATE_WINDOW_SECONDS = 10;
const LAST_WRITE_MS = 1_000;

export interface HeardOptions {
  readonly cluster: string;
  readonly collector: string;
  readonly bucket: Bucket<HeardRecord>;
  /** Calls back when everything that was taken so far is in the stream. */
  readonly whenPublished: (done: () => void) => void;
  /** Up to when nothing was missed, Unix milliseconds, if everything that came in before has been taken; else null. */
  readonly probe: () => Promise<number | null>;
}

/**
 * Keeps the record of up to when a cluster's events are in the stream, for whoever takes the cluster next. The record is
 * never ahead of the truth; a write that fails is followed by the next.
 */
export class Heard {
  readonly #options: HeardOptions;
  readonly #timer: NodeJS.Timeout;
  #untilMs = 0;
  #stopped = false;
  #events = 0;
  #ratedAt = performance.now();
  #eventsPerSecond: number | null;

  /** @param before what the one before left, from which the rate goes on */
  constructor(before: HeardRecord | null, options: HeardOptions) {
    this.#options = options;
    this.#eventsPerSecond = before?.eventsPerSecond ?? null;
    this.#timer = setInterval(() => void this.#look(), WRITE_INTERVAL_MS);
  }

  /** Events were taken. */
  took(events: number): void {
    this.#events += events;
  }

  /** Everything that came in before is in the stream. */
  published(untilMs: number): void {
    if (untilMs > this.#untilMs) this.#untilMs = untilMs;
  }

  /** Nothing is taken from now on. */
  stop(): void {
    clearInterval(this.#timer);
    this.#stopped = true;
  }

  /** Writes the last word. */
  async finish(): Promise<void> {
    await Promise.race([this.#write(), delay(LAST_WRITE_MS, undefined, { ref: false })]);
  }

  async #look(): Promise<void> {
    this.#measureRate();
    const untilMs = await this.#options.probe();
    if (this.#stopped) return;
    if (untilMs !== null) this.#options.whenPublished(() => this.published(untilMs));
    await this.#write();
  }

  #measureRate(): void {
    const seconds = (performance.now() - this.#ratedAt) / 1000;
    if (seconds < 1) return;
    const rate = this.#events / seconds;
    const weight = Math.min(1, seconds / RATE_WINDOW_SECONDS);
    this.#eventsPerSecond =
      this.#eventsPerSecond === null ? rate : this.#eventsPerSecond + (rate - this.#eventsPerSecond) * weight;
    this.#events = 0;
    this.#ratedAt = performance.now();
  }

  async #write(): Promise<void> {
    // what is published already calls back in a moment
    await delay(0);
    if (this.#untilMs === 0) return;
    const { bucket, cluster, collector } = this.#options;
    const record = { collector, heardUntil: this.#untilMs / 1000, eventsPerSecond: this.#eventsPerSecond };
    await bucket.put(cluster, record).catch(() => undefined);
  }
}
