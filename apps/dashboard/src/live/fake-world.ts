import type { PollWorld } from './poller.ts';

/** A browser for tests whose time passes when it is told to. */
export class FakeWorld implements PollWorld {
  timeMs = 1_000_000;
  shown = true;
  readonly #listeners = new Set<() => void>();
  readonly #timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 1;

  now(): number {
    return this.timeMs / 1000;
  }

  visible(): boolean {
    return this.shown;
  }

  onVisibility(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  setTimer(run: () => void, ms: number): number {
    this.#timers.set(this.#next, { at: this.timeMs + ms, run });
    return this.#next++;
  }

  clearTimer(handle: number): void {
    this.#timers.delete(handle);
  }

  get timers(): number {
    return this.#timers.size;
  }

  show(shown: boolean): void {
    this.shown = shown;
    for (const listener of this.#listeners) listener();
  }

  pass(ms: number): void {
    const until = this.timeMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.timeMs = due[1].at;
      due[1].run();
    }
    this.timeMs = until;
  }
}
