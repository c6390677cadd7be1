import { taskSearch, taskSelection, type TaskSearch } from '@meadow/api';
import { taskRow, type TaskRow } from '@meadow/contract';
import type { FastifyInstance } from 'fastify';
import { prettifyError } from 'zod';
import { isoTime, numbersIn, serveExport } from './export.ts';

/** Pages of tasks, newest first. Ends with an ApiError when one of them is not there in time. */
export type TaskPages = (search: TaskSearch, signal: AbortSignal) => AsyncIterator<readonly TaskRow[], unknown>;

const COLUMNS = Object.keys(taskRow.shape) as (keyof TaskRow)[];

/**
 * Serves every task that a query finds, whole, as `/export/tasks.csv` and `/export/tasks.ndjson`: with `query`, `cluster`,
 * `range` or `from` and `to`, as lists take them. @param now Unix seconds
 */
export function serveTasksExport(app: FastifyInstance, pagesOf: TaskPages, now: () => number): void {
  serveExport<TaskRow>(
    app,
    {
      name: 'tasks',
      columns: COLUMNS,
      cell: cellOf,
      ask(query, signal) {
        const selection = taskSelection.safeParse(numbersIn(query, ['from', 'to']));
        if (!selection.success) return { refused: prettifyError(selection.error) };
        // what comes meanwhile is not among it
        const search = taskSearch({ ...selection.data, to: selection.data.to ?? now() }, now());
        return { cluster: selection.data.cluster, pages: pagesOf(search, signal) };
      },
    },
    now,
  );
}

function cellOf(row: TaskRow, column: keyof TaskRow): string | number | null {
  const value = row[column];
  if (typeof value === 'number') return column.endsWith('_at') ? isoTime(value) : value;
  if (typeof value === 'string' || value === null) return value;
  return typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
