import type { Fault } from '../api/fault.ts';
import type { LinkState } from '../live/link.ts';
import type { FeedView } from '../live/task-feed.ts';

export interface ListState {
  readonly view: FeedView;
  readonly link: LinkState | { readonly mode: 'polling'; readonly since: number };
  readonly paused: boolean;
  /** The first page is awaited. */
  readonly loading: boolean;
  readonly loadingMore: boolean;
  /** Why the newest question for a page failed. */
  readonly fault: Fault | null;
  /** More can be asked for. */
  readonly hasMore: boolean;
  /** Time was up before a page was full: more is found by going on from this moment of first sight, Unix seconds. */
  readonly searchedTo: number | null;
}

/** A list of tasks that keeps itself up to date while something reads its state. */
export interface TaskList {
  readonly state: ListState;
  /** Keeps the list still while it is read. */
  hold(held: boolean): void;
  pause(paused: boolean): void;
  /** Shows what waits while the list is held. */
  showWaiting(): void;
  retry(): void;
  loadMore(): Promise<void>;
}
