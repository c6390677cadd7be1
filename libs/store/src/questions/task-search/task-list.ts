import { taskListRow, type TaskListRow } from '@meadow/contract';
import { taskListColumns } from '../../columns.ts';
import type { Store } from '../../store.ts';
import { limitOf, type AskOptions } from '../options.ts';
import { findTasks, type TaskSearch } from './find.ts';
import { NEWEST_FIRST, readPlace, writePlace, type TaskOrder } from './order.ts';

export interface TaskListInput extends TaskSearch {
  /** @default newest first, by when they were first seen */
  readonly sort?: TaskOrder | undefined;
  /** 1 to 500. @default 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before, in the same order. */
  readonly cursor?: string | undefined;
}

export interface TaskListPage {
  readonly rows: readonly TaskListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
  /** The time was up before the page was full: `next` goes on from this moment of first sight, Unix seconds. */
  readonly searchedTo: number | null;
}

/**
 * Tasks in order; equal ones newest first, or oldest first where the order is ascending. Pages neither repeat nor leave out a
 * task that was there when the first was asked for, whatever is written meanwhile; but one whose sorted value changes
 * meanwhile, as its time of last update does, moves to where it then belongs. What is not known comes last.
 * @throws StoreError STORE_BAD_CURSOR on a foreign cursor
 */
export async function taskList(store: Store, input: TaskListInput, options: AskOptions = {}): Promise<TaskListPage> {
  const limit = limitOf(input.limit, 50, 500);
  const order = input.sort ?? NEWEST_FIRST;
  const after = input.cursor === undefined ? null : readPlace(input.cursor, order);
  const { rows, stoppedAt } = await findTasks(store, input, order, after, limit + 1, READING, options);
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? (page.at(-1)?.place ?? null) : stoppedAt;
  return {
    rows: page.map(({ row }) => row),
    next: next === null ? null : writePlace(order, next),
    searchedTo: stoppedAt === null || rows.length > limit ? null : stoppedAt.micros / 1e6,
  };
}

const READING = { columns: taskListColumns, row: taskListRow };
