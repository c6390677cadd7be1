/**
 * Called when NATS is back, and everything has been made again that was lost while it was away. What throws is called again,
 * with all others, a second later.
 */
export type OnReturn = () => Promise<void>;

/** Who wants to know that NATS is back. */
export class Returns {
  readonly #listeners = new Set<OnReturn>();

  /** Disposing takes it out again. */
  add(listener: OnReturn): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async tell(): Promise<void> {
    for (const listener of [...this.#listeners]) await listener();
  }
}
