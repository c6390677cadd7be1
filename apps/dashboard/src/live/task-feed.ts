import type { LiveMessage } from '@meadow/api';
import type { TaskListRow } from '@meadow/contract';

/** Names a task across clusters. */
export function taskKey(row: Pick<TaskListRow, 'cluster' | 'task_id'>): string {
  return `${row.cluster}\n${row.task_id}`;
}

export interface FeedOptions {
  /** Rows shown at most while following; older ones leave at the end. @default 500 */
  readonly cap?: number;
  /** Whether a row belongs into the list. */
  readonly matches: (row: TaskListRow) => boolean;
}

/** What a list shows. The arrays are new whenever something changed. */
export interface FeedView {
  readonly rows: readonly TaskListRow[];
  /** Tasks that wait to be shown, at most the cap. */
  readonly waiting: number;
  /** More wait than are counted. */
  readonly waitingMore: boolean;
  /** Keys of rows that stopped matching while the list was held: shown faded, they leave when it is released. */
  readonly leaving: ReadonlySet<string>;
  /** Rows left at the end to keep the list short, so that the server's cursor no longer continues it. */
  readonly trimmed: boolean;
  /** Changes that the server left out of its messages to keep up. */
  readonly omitted: number;
}

/**
 * A page of tasks that pushed rows are merged into, newest task first.
 *
 *   following  new tasks enter at the top, rows that stop matching leave, the end is trimmed to the cap
 *   held       (the reader is busy with the list) rows change in place, nothing enters, leaves or moves; new tasks wait
 *   paused     nothing changes at all; everything waits
 *
 * `hold` and `pause` are independent; releasing the last shows what waits. Of two versions of a row the one with the
 * newer `updated_at` is kept, whichever came first.
 */
export class TaskFeed {
  readonly #cap: number;
  readonly #matches: (row: TaskListRow) => boolean;
  readonly #listeners = new Set<() => void>();
  readonly #rows = new Map<string, TaskListRow>();
  /** Bounded by the cap: past it the oldest are forgotten, the list would not show them anyway. */
  readonly #waiting = new Map<string, TaskListRow>();
  readonly #leaving = new Set<string>();
  #waitingMore = false;
  #trimmed = false;
  #omitted = 0;
  #held = false;
  #paused = false;
  #view: FeedView | null = null;

  constructor(options: FeedOptions) {
    this.#cap = options.cap ?? 500;
    this.#matches = options.matches;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether a task is in the list, shown or waiting. */
  has(row: Pick<TaskListRow, 'cluster' | 'task_id'>): boolean {
    const key = taskKey(row);
    return this.#rows.has(key) || this.#waiting.has(key);
  }

  /** Calls back after every change, many times a second under load: coalesce before rendering. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Adds a page that the reader asked for, in every mode: the first or an older one. */
  addPage(rows: readonly TaskListRow[]): void {
    for (const row of rows) {
      const key = taskKey(row);
      if (isNewer(row, this.#rows.get(key)) && isNewer(row, this.#waiting.get(key))) this.#rows.set(key, row);
    }
    this.#changed();
  }

  /** Merges a pushed message. */
  push(message: Pick<LiveMessage<TaskListRow>, 'rows' | 'omitted'>): void {
    this.#omitted += message.omitted;
    let changed = message.omitted > 0;
    for (const row of message.rows) changed = this.#merge(row) || changed;
    if (!this.#held && !this.#paused) this.#trim();
    if (changed) this.#changed();
  }

  /** Keeps the list still while it is read; `false` shows what waited. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#release();
  }

  pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#release();
  }

  /** Shows what waits without changing mode, e.g. on "32 new". */
  showWaiting(): void {
    this.#admit();
    this.#changed();
  }

  view(): FeedView {
    this.#view ??= {
      rows: [...this.#rows.values()].sort(newestFirst),
      waiting: this.#waitingCount(),
      waitingMore: this.#waitingMore,
      leaving: new Set(this.#leaving),
      trimmed: this.#trimmed,
      omitted: this.#omitted,
    };
    return this.#view;
  }

  #merge(row: TaskListRow): boolean {
    const key = taskKey(row);
    const shown = this.#rows.get(key);
    if (!isNewer(row, shown) || !isNewer(row, this.#waiting.get(key))) return false;
    const matches = this.#matches(row);
    if (shown === undefined && !matches) return this.#waiting.delete(key);
    if (this.#paused || (this.#held && shown === undefined)) {
      this.#wait(key, row);
      return true;
    }
    if (this.#held) {
      this.#rows.set(key, row);
      if (matches) this.#leaving.delete(key);
      else this.#leaving.add(key);
      return true;
    }
    if (matches) this.#rows.set(key, row);
    else this.#rows.delete(key);
    return true;
  }

  #wait(key: string, row: TaskListRow): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, row);
    if (this.#waiting.size <= this.#cap) return;
    const oldest = this.#waiting.keys().next();
    if (oldest.done !== true) this.#waiting.delete(oldest.value);
    this.#waitingMore = true;
  }

  #release(): void {
    if (!this.#held && !this.#paused) this.#admit();
    this.#changed();
  }

  #admit(): void {
    for (const [key, row] of this.#waiting) {
      if (this.#matches(row)) this.#rows.set(key, row);
      else this.#rows.delete(key);
    }
    for (const key of this.#leaving) this.#rows.delete(key);
    this.#leaving.clear();
    this.#waiting.clear();
    this.#waitingMore = false;
    this.#trim();
  }

  #trim(): void {
    if (this.#rows.size <= this.#cap) return;
    const kept = [...this.#rows.entries()].sort(([, a], [, b]) => newestFirst(a, b)).slice(0, this.#cap);
    this.#rows.clear();
    for (const [key, row] of kept) this.#rows.set(key, row);
    this.#trimmed = true;
  }

  /** Rows that are new to the list; changes of shown ones wait too when paused, but are not announced. */
  #waitingCount(): number {
    let count = 0;
    for (const key of this.#waiting.keys()) if (!this.#rows.has(key)) count += 1;
    return count;
  }

  #changed(): void {
    this.#view = null;
    for (const listener of this.#listeners) listener();
  }
}

function isNewer(row: TaskListRow, than: TaskListRow | undefined): boolean {
  return than === undefined || row.updated_at > than.updated_at;
}

/** The server's order: by first sight, then id. It never changes for a row, so rows do not move when they change. */
function newestFirst(a: TaskListRow, b: TaskListRow): number {
  if (a.first_seen_at !== b.first_seen_at) return b.first_seen_at - a.first_seen_at;
  return a.task_id < b.task_id ? 1 : a.task_id > b.task_id ? -1 : 0;
}
