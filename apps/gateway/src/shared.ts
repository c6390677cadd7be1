/** Answers held at most; the one asked for longest ago goes first. */
const BOUND = 500;

/**
 * Identical questions asked at the same time, or soon after, are asked once: fifty browser tabs cost what one does. A
 * failure is told to those who wait for it and not kept.
 */
export class SharedAnswers {
  readonly #now: () => number;
  readonly #held = new Map<string, { readonly answer: Promise<unknown>; until: number }>();

  /** @param now milliseconds that only grow */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param key names the question with everything that its answer depends on: one key, one type of answer */
  async ask<T>(key: string, keepMs: number, work: () => Promise<T>): Promise<T> {
    const held = this.#held.get(key);
    if (held !== undefined && this.#now() < held.until) return held.answer as Promise<T>;
    const entry = { answer: work(), until: Infinity };
    this.#held.delete(key);
    this.#held.set(key, entry);
    this.#shrink();
    try {
      const answer = await entry.answer;
      entry.until = this.#now() + keepMs;
      return answer;
    } catch (error) {
      if (this.#held.get(key) === entry) this.#held.delete(key);
      throw error;
    }
  }

  #shrink(): void {
    for (const key of this.#held.keys()) {
      if (this.#held.size <= BOUND) return;
      this.#held.delete(key);
    }
  }
}
