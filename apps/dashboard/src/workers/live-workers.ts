import type { LiveMessage, WorkerLine } from '@meadow/api';
import type { WorkerRow } from '@meadow/contract';
import { createSubscriber } from 'svelte/reactivity';
import type { Api } from '../api/api.ts';
import { LiveLink, type LinkState } from '../live/link.ts';
import { Pacer } from '../live/pacer.ts';
import { Poller, type PollState } from '../live/poller.ts';
import { mergeWorkers, workerKey } from './worker-feed.ts';

/** The workers, asked for now and then (only the store can tell who fell silent) and kept fresh by what is pushed. */
export class LiveWorkers {
  readonly #poller: Poller<readonly WorkerLine[]>;
  readonly #link: LiveLink<LiveMessage<WorkerRow>>;
  /** Bounded by the number of workers that speak. */
  readonly #pushed = new Map<string, WorkerRow>();
  readonly #subscribe: () => void;

  constructor(api: Api, cluster: string | null) {
    this.#poller = new Poller({ everyMs: 10_000, load: (signal) => api.workers({ cluster }, signal) });
    let pacer: Pacer | null = null;
    this.#link = new LiveLink({
      subscribe: (handlers) => api.liveWorkers({ cluster }, handlers),
      onMessage: (message) => {
        if (this.#poller.paused) return;
        for (const row of message.rows) this.#pushed.set(workerKey(row), row);
        pacer?.request();
      },
      onReady: () => {
        this.#poller.refresh();
      },
    });
    this.#subscribe = createSubscriber((update) => {
      pacer = new Pacer(update, 500);
      const offPoll = this.#poller.onChange(update);
      const offLink = this.#link.onChange(update);
      this.#poller.start();
      this.#link.start();
      return () => {
        offPoll();
        offLink();
        pacer?.cancel();
        this.#poller.stop();
        this.#link.stop();
      };
    });
  }

  get state(): PollState<readonly WorkerLine[]> {
    this.#subscribe();
    const state = this.#poller.state;
    return state.data === undefined ? state : { ...state, data: mergeWorkers(state.data, this.#pushed) };
  }

  get link(): LinkState {
    this.#subscribe();
    return this.#link.state;
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
