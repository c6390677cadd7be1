/** What the pacer needs of the browser. */
export interface Frames {
  now(): number;
  requestFrame(run: () => void): number;
  cancelFrame(handle: number): void;
  setTimer(run: () => void, ms: number): number;
  clearTimer(handle: number): void;
}

const browserFrames: Frames = {
  now: () => performance.now(),
  requestFrame: (run) => requestAnimationFrame(run),
  cancelFrame: (handle) => {
    cancelAnimationFrame(handle);
  },
  setTimer: (run, ms) => window.setTimeout(run, ms),
  clearTimer: (handle) => {
    window.clearTimeout(handle);
  },
};

/**
 * Turns any number of calls into at most one run per interval, on an animation frame. The first call after a quiet
 * interval runs on the next frame. When runs are slow the interval stretches so that they take at most a quarter of the
 * time: typing stays quick whatever streams.
 */
export class Pacer {
  readonly #frames: Frames;
  readonly #run: () => void;
  readonly #intervalMs: number;
  #lastStart = Number.NEGATIVE_INFINITY;
  #lastCostMs = 0;
  #timer: number | null = null;
  #frame: number | null = null;

  /** @param intervalMs least time between two runs */
  constructor(run: () => void, intervalMs: number, frames: Frames = browserFrames) {
    this.#run = run;
    this.#intervalMs = intervalMs;
    this.#frames = frames;
  }

  request(): void {
    if (this.#timer !== null || this.#frame !== null) return;
    const due = this.#lastStart + Math.max(this.#intervalMs, this.#lastCostMs * 4);
    const wait = due - this.#frames.now();
    if (wait <= 0) this.#onFrame();
    else
      this.#timer = this.#frames.setTimer(() => {
        this.#timer = null;
        this.#onFrame();
      }, wait);
  }

  cancel(): void {
    if (this.#timer !== null) this.#frames.clearTimer(this.#timer);
    if (this.#frame !== null) this.#frames.cancelFrame(this.#frame);
    this.#timer = null;
    this.#frame = null;
  }

  #onFrame(): void {
    this.#frame = this.#frames.requestFrame(() => {
      this.#frame = null;
      this.#lastStart = this.#frames.now();
      this.#run();
      // layout and paint follow the run: the cost is known when the next frame begins
      this.#frames.requestFrame(() => {
        this.#lastCostMs = this.#frames.now() - this.#lastStart;
      });
    });
  }
}
