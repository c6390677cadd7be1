import type { LiveMessage } from '@meadow/api';
import type { TaskListRow } from '@meadow/contract';
import { createSubscriber } from 'svelte/reactivity';
import { toFault } from '../api/fault.ts';
import type { Api } from '../api/api.ts';
import type { TaskQuestion } from '../api/search-api.ts';
import { LiveLink } from '../live/link.ts';
import { Pacer } from '../live/pacer.ts';
import { TaskFeed } from '../live/task-feed.ts';
import type { ListState, TaskList } from './task-list.ts';

const PAGE_ROWS = 100;

/** At most this many renders a second while tasks stream. */
const RENDER_EVERY_MS = 160;

/**
 * A row that was pushed just before this page subscribed may not be in the store yet: it is there within a second or two,
 * so the first page is asked for once more, and again now and then in case anything was missed.
 */
const LOOK_AGAIN_MS = [2_000, 15_000];
/** A pushed task is in the store by then. */
const ASK_AFTER_MS = 3_000;

/** A list of tasks, newest first: its first page, what is pushed onto it, and older pages on demand. */
export class LiveTasks implements TaskList {
  readonly #api: Pick<Api, 'search' | 'liveTasks'>;
  readonly #question: TaskQuestion;
  readonly #feed: TaskFeed;
  readonly #link: LiveLink<LiveMessage<TaskListRow>>;
  readonly #subscribe: () => void;
  #abort = new AbortController();
  #state: Omit<ListState, 'view' | 'link' | 'paused'> = {
    loading: true,
    loadingMore: false,
    fault: null,
    hasMore: false,
    searchedTo: null,
  };
  #cursor: string | null = null;
  /** The first page is in the list. */
  #filled = false;
  #tell = (): void => undefined;
  #lookAgain: number | undefined;
  /** Asks for tasks of which a pushed row did not tell whether they belong here. */
  #asking: number | undefined;

  /** @param judge whether a pushed row belongs to what is asked for; null where the row does not tell: then the store is asked */
  constructor(
    api: Pick<Api, 'search' | 'liveTasks'>,
    question: TaskQuestion,
    judge: (row: TaskListRow) => boolean | null,
  ) {
    this.#api = api;
    this.#question = question;
    this.#feed = new TaskFeed({ matches: (row) => judge(row) !== false });
    const { cluster } = question.filter;
    this.#link = new LiveLink({
      subscribe: (handlers) => api.liveTasks({ cluster: cluster === '' ? null : cluster }, handlers),
      onMessage: ({ rows, omitted }) => {
        const told = rows.filter((row) => judge(row) !== null || this.#feed.has(row));
        this.#feed.push({ rows: told, omitted });
        if (told.length < rows.length) this.#askSoon();
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
        window.clearTimeout(this.#asking);
        this.#asking = undefined;
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

  async loadMore(): Promise<void> {
    if (this.#state.loadingMore || !this.#state.hasMore) return;
    this.#set({ loadingMore: true });
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

  #askSoon(): void {
    this.#asking ??= window.setTimeout(() => {
      this.#asking = undefined;
      if (!this.#feed.paused) void this.#loadFirst();
    }, ASK_AFTER_MS);
  }

  async #loadFirst(): Promise<void> {
    await this.#load(null, null);
  }

  async #load(cursor: string | null, before: number | null): Promise<void> {
    const { signal } = this.#abort;
    try {
      const page = await this.#api.search.list({ ...this.#question, cursor, before, limit: PAGE_ROWS }, signal);
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
        loadingMore: false,
        fault: null,
        ...(again ? {} : { hasMore: page.next !== null, searchedTo: page.searchedTo }),
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#set({ loading: false, loadingMore: false, fault: toFault(error) });
    }
  }

  #set(change: Partial<ListState>): void {
    this.#state = { ...this.#state, ...change };
    this.#tell();
  }
}
