import type { LiveMessage, RangeName } from '@meadow/api';
import type { TaskListRow } from '@meadow/contract';
import { createSubscriber } from 'svelte/reactivity';
import { toFault, type Fault } from '../api/fault.ts';
import type { Api } from '../api/api.ts';
import { LiveLink, type LinkState } from '../live/link.ts';
import { Pacer } from '../live/pacer.ts';
import { TaskFeed, type FeedView } from '../live/task-feed.ts';
import { matcher, type TaskFilter } from '../live/task-filter.ts';

/** At most this many renders a second while tasks stream. */
const RENDER_EVERY_MS = 160;

/**
 * A row that was pushed just before this page subscribed may not be in the store yet: it is there within a second or two,
 * so the first page is asked for once more, and again now and then in case anything was missed.
 */
const LOOK_AGAIN_MS = [2_000, 15_000];

export interface ListState {
  readonly view: FeedView;
  readonly link: LinkState;
  readonly paused: boolean;
  /** The first page is awaited. */
  readonly loading: boolean;
  readonly loadingOlder: boolean;
  /** Why the newest question for a page failed. */
  readonly fault: Fault | null;
  /** Older tasks can be asked for. */
  readonly hasOlder: boolean;
}

/** A list of tasks under one filter: its first page, what is pushed onto it, and older pages on demand. */
export class LiveTasks {
  readonly #api: Api;
  readonly #filter: TaskFilter;
  readonly #range: RangeName;
  readonly #feed: TaskFeed;
  readonly #link: LiveLink<LiveMessage<TaskListRow>>;
  readonly #subscribe: () => void;
  #abort = new AbortController();
  #state: Omit<ListState, 'view' | 'link' | 'paused'> = {
    loading: true,
    loadingOlder: false,
    fault: null,
    hasOlder: false,
  };
  #cursor: string | null = null;
  /** The first page is in the list. */
  #filled = false;
  #tell = (): void => undefined;
  #lookAgain: number | undefined;

  constructor(api: Api, filter: TaskFilter, range: RangeName) {
    this.#api = api;
    this.#filter = filter;
    this.#range = range;
    this.#feed = new TaskFeed({ matches: matcher(filter) });
    this.#link = new LiveLink({
      subscribe: (handlers) => api.liveTasks({ cluster: filter.cluster === '' ? null : filter.cluster }, handlers),
      onMessage: (message) => {
        this.#feed.push(message);
      },
      onReady: () => {
        void this.#loadFirst();
        this.#planToLookAgain(0);
      },
    });
    this.#subscribe = createSubscriber((update) => {
      const pacer = new Pacer(update, RENDER_EVERY_MS);
      this.#tell = update;
      const offFeed = this.#feed.onChange(() => {
        pacer.request();
      });
      const offLink = this.#link.onChange(update);
      this.#abort = new AbortController();
      void this.#loadFirst();
      this.#link.start();
      return () => {
        offFeed();
        offLink();
        pacer.cancel();
        this.#link.stop();
        window.clearTimeout(this.#lookAgain);
        this.#abort.abort();
      };
    });
  }

  get state(): ListState {
    this.#subscribe();
    return { ...this.#state, view: this.#feed.view(), link: this.#link.state, paused: this.#feed.paused };
  }

  hold(held: boolean): void {
    this.#feed.hold(held);
  }

  pause(paused: boolean): void {
    this.#feed.pause(paused);
    this.#tell();
  }

  showWaiting(): void {
    this.#feed.showWaiting();
    this.#tell();
  }

  retry(): void {
    void this.#loadFirst();
  }

  async loadOlder(): Promise<void> {
    if (this.#state.loadingOlder || !this.#state.hasOlder) return;
    this.#set({ loadingOlder: true });
    const { rows, trimmed } = this.#feed.view();
    const last = rows.at(-1);
    // where rows left at the end the server's cursor is further down than the list: begin at the last row shown
    const before = trimmed && last !== undefined ? last.first_seen_at + 0.000_001 : null;
    await this.#load(before === null ? this.#cursor : null, before);
  }

  #planToLookAgain(step: number): void {
    window.clearTimeout(this.#lookAgain);
    this.#lookAgain = window.setTimeout(
      () => {
        if (this.#link.state.mode === 'live' && !this.#feed.paused) void this.#loadFirst();
        this.#planToLookAgain(step + 1);
      },
      LOOK_AGAIN_MS[Math.min(step, LOOK_AGAIN_MS.length - 1)],
    );
  }

  async #loadFirst(): Promise<void> {
    await this.#load(null, null);
  }

  async #load(cursor: string | null, before: number | null): Promise<void> {
    const { signal } = this.#abort;
    try {
      const page = await this.#api.tasks({ filter: this.#filter, range: this.#range, cursor, before }, signal);
      if (signal.aborted) return;
      const again = this.#filled && cursor === null && before === null;
      // a fresh look at the top is news like any other, and says nothing about how far down the list already reaches
      if (again) this.#feed.push({ rows: page.rows, omitted: 0 });
      else {
        this.#feed.addPage(page.rows);
        this.#cursor = page.next;
        this.#filled = true;
      }
      this.#set({
        loading: false,
        loadingOlder: false,
        fault: null,
        ...(again ? {} : { hasOlder: page.next !== null }),
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#set({ loading: false, loadingOlder: false, fault: toFault(error) });
    }
  }

  #set(change: Partial<ListState>): void {
    this.#state = { ...this.#state, ...change };
    this.#tell();
  }
}
