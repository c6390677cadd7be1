import { toFault, type Fault } from '../api/fault.ts';

/** The outside world of a poller. */
export interface PollWorld {
  /** Unix seconds. */
  now(): number;
  visible(): boolean;
  /** Calls back when the page becomes visible or hidden. */
  onVisibility(listener: () => void): () => void;
  setTimer(run: () => void, ms: number): number;
  clearTimer(handle: number): void;
}

export const browserWorld: PollWorld = {
  now: () => Date.now() / 1000,
  visible: () => !document.hidden,
  onVisibility: (listener) => {
    document.addEventListener('visibilitychange', listener);
    return () => {
      document.removeEventListener('visibilitychange', listener);
    };
  },
  setTimer: (run, ms) => window.setTimeout(run, ms),
  clearTimer: (handle) => {
    window.clearTimeout(handle);
  },
};

export interface PollOptions<Data> {
  readonly load: (signal: AbortSignal) => Promise<Data>;
  /** Time between the end of an answer and the next question; null asks once. */
  readonly everyMs: number | null;
  /** What to show until the first answer, e.g. the former range's. */
  readonly seed?: Data | undefined;
  readonly world?: PollWorld;
}

export interface PollState<Data> {
  /** The newest answer, also after a later question failed. */
  readonly data: Data | undefined;
  /** Why the newest question failed; null when it did not. */
  readonly fault: Fault | null;
  /** Unix seconds of the newest answer. */
  readonly answeredAt: number | null;
  /** The first answer is still awaited. */
  readonly loading: boolean;
}

/**
 * Asks again and again while the page is visible, one question at a time. Failures keep the last answer and are asked
 * again with growing pauses (at most 30 s).
 */
export class Poller<Data> {
  readonly #options: PollOptions<Data>;
  readonly #world: PollWorld;
  readonly #listeners = new Set<() => void>();
  #state: PollState<Data>;
  #abort: AbortController | null = null;
  #timer: number | null = null;
  #failures = 0;
  #unwatch: (() => void) | null = null;
  #paused = false;

  constructor(options: PollOptions<Data>) {
    this.#options = options;
    this.#world = options.world ?? browserWorld;
    this.#state = { data: options.seed, fault: null, answeredAt: null, loading: true };
  }

  get state(): PollState<Data> {
    return this.#state;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  start(): void {
    if (this.#unwatch !== null) return;
    this.#unwatch = this.#world.onVisibility(() => {
      if (!this.#world.visible()) this.#clear();
      else if (this.#abort === null && !this.#paused) this.#ask();
    });
    this.#ask();
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#clear();
    this.#abort?.abort();
    this.#abort = null;
  }

  /** Keeps what is shown; going on asks at once. */
  pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#clear();
    else this.refresh();
    this.#tell();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Asks now instead of waiting. */
  refresh(): void {
    if (this.#unwatch === null || this.#abort !== null) return;
    this.#ask();
  }

  #ask(): void {
    this.#clear();
    const abort = new AbortController();
    this.#abort = abort;
    this.#options.load(abort.signal).then(
      (data) => {
        if (abort.signal.aborted) return;
        this.#failures = 0;
        this.#settle({ data, fault: null, answeredAt: this.#world.now(), loading: false });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        this.#failures += 1;
        this.#settle({ ...this.#state, fault: toFault(error), loading: false });
      },
    );
  }

  #settle(state: PollState<Data>): void {
    this.#abort = null;
    this.#state = state;
    this.#tell();
    const { everyMs } = this.#options;
    if (!this.#world.visible() || this.#paused) return;
    if (this.#failures > 0) this.#later(Math.min(30_000, 1000 * 2 ** Math.min(this.#failures, 5)));
    else if (everyMs !== null) this.#later(everyMs);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #later(ms: number): void {
    this.#timer = this.#world.setTimer(() => {
      this.#timer = null;
      this.#ask();
    }, ms);
  }

  #clear(): void {
    if (this.#timer !== null) this.#world.clearTimer(this.#timer);
    this.#timer = null;
  }
}
