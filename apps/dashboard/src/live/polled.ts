import { createSubscriber } from 'svelte/reactivity';
import { Poller, type PollOptions, type PollState } from './poller.ts';

/** A poller for components: asks while something on the page reads it, and stops with the last reader. */
export class Polled<Data> {
  readonly #poller: Poller<Data>;
  readonly #subscribe: () => void;

  constructor(options: PollOptions<Data>) {
    this.#poller = new Poller(options);
    this.#subscribe = createSubscriber((update) => {
      const off = this.#poller.onChange(update);
      this.#poller.start();
      return () => {
        off();
        this.#poller.stop();
      };
    });
  }

  get state(): PollState<Data> {
    this.#subscribe();
    return this.#poller.state;
  }

  get paused(): boolean {
    this.#subscribe();
    return this.#poller.paused;
  }

  pause(paused: boolean): void {
    this.#poller.pause(paused);
  }

  refresh(): void {
    this.#poller.refresh();
  }
}
