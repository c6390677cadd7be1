import { taskRow, type TaskRow } from '@meadow/contract';
import { taskColumns } from '../../columns.ts';
import type { Store } from '../../store.ts';
import type { AskOptions } from '../options.ts';
import { attemptLog } from '../task-detail.ts';
import { findTasks, type Found, type Reading, type TaskSearch } from './find.ts';
import { NEWEST_FIRST, type Place } from './order.ts';

/** Of an export: a page is some 25 MB where every task has texts as long as they may be. */
const PAGE_ROWS = 250;

/**
 * All tasks that are looked for, newest first, whole, in pages of at most 250, one of which is in memory. Tasks that are newer
 * than the first page are not among them. The deadline is of one page; a page that found none in time is empty.
 * @throws StoreError
 */
export async function* taskExport(
  store: Store,
  search: TaskSearch,
  options: AskOptions = {},
): AsyncGenerator<readonly TaskRow[]> {
  let after: Place | null = null;
  for (;;) {
    const { rows, stoppedAt }: Found<TaskRow> = await findTasks(
      store,
      search,
      NEWEST_FIRST,
      after,
      PAGE_ROWS,
      READING,
      options,
    );
    yield rows.map(({ row }) => row);
    const last: Place | null = rows.length === PAGE_ROWS ? (rows.at(-1)?.place ?? null) : stoppedAt;
    if (last === null) return;
    after = last;
  }
}

const READING: Reading<TaskRow> = { columns: taskColumns, row: taskRow.extend({ attempt_log: attemptLog }) };
