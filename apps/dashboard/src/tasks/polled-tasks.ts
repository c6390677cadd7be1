import { createSubscriber } from 'svelte/reactivity';
import { toFault, type Fault } from '../api/fault.ts';
import type { SearchApi, TaskQuestion } from '../api/search-api.ts';
import { Polled } from '../live/polled.ts';
import type { ListState, TaskList } from './task-list.ts';
import { TaskPages } from './task-pages.ts';

const MORE_WITHIN_MS = 20_000;

/** A list whose order or filter cannot be kept up from pushed rows: it is asked for again every five seconds. */
export class PolledTasks implements TaskList {
  readonly #pages: TaskPages;
  readonly #polled: Polled<unknown>;
  readonly #subscribe: () => void;
  #more: { readonly loading: boolean; readonly fault: Fault | null } = { loading: false, fault: null };
  #tell = (): void => undefined;

  constructor(api: Pick<SearchApi, 'list'>, question: TaskQuestion) {
    this.#pages = new TaskPages(api, question);
    this.#polled = new Polled({ everyMs: 5000, load: (signal) => this.#pages.look(signal) });
    this.#subscribe = createSubscriber((update) => {
      this.#tell = update;
    });
  }

  get state(): ListState {
    this.#subscribe();
    const { fault, answeredAt, loading } = this.#polled.state;
    const { rows, next, searchedTo } = this.#pages.shown;
    const since = answeredAt ?? Date.now() / 1000;
    const mode = this.#pages.isStill ? 'off' : 'polling';
    return {
      view: { rows, waiting: 0, waitingMore: false, leaving: new Set(), trimmed: false, omitted: 0 },
      link: {
        since,
        mode: fault !== null ? (answeredAt === null ? 'reconnecting' : 'stale') : loading ? 'connecting' : mode,
      },
      paused: this.#polled.paused,
      loading,
      loadingMore: this.#more.loading,
      fault: fault ?? this.#more.fault,
      hasMore: next !== null,
      searchedTo,
    };
  }

  hold(held: boolean): void {
    this.#pages.hold(held);
  }

  pause(paused: boolean): void {
    this.#polled.pause(paused);
  }

  /** Nothing waits: what is new comes with the next answer. */
  showWaiting(): void {
    this.#polled.refresh();
  }

  retry(): void {
    this.#pages.beginAnew();
    this.#polled.refresh();
  }

  async loadMore(): Promise<void> {
    if (this.#more.loading) return;
    this.#setMore({ loading: true, fault: null });
    try {
      await this.#pages.more(AbortSignal.timeout(MORE_WITHIN_MS));
      this.#setMore({ loading: false, fault: null });
    } catch (error) {
      this.#setMore({ loading: false, fault: toFault(error) });
    }
  }

  #setMore(more: { readonly loading: boolean; readonly fault: Fault | null }): void {
    this.#more = more;
    this.#tell();
  }
}
