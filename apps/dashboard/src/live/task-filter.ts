import type { TaskListRow } from '@meadow/contract';

/** What a list of tasks is narrowed to. Empty means everything. */
export interface TaskFilter {
  readonly cluster: string;
  readonly states: readonly string[];
  /** Exact name, or a prefix when it ends in `*`. */
  readonly name: string;
  readonly queue: string;
  readonly worker: string;
  /** Substring of name, id, args, kwargs, result or exception, ignoring case. */
  readonly text: string;
}

export const NO_FILTER: TaskFilter = { cluster: '', states: [], name: '', queue: '', worker: '', text: '' };

/** Reads a filter from an address. States are upper-cased and named once. */
export function readFilter(query: URLSearchParams): TaskFilter {
  const states = query.getAll('state').flatMap((value) => value.split(','));
  return {
    cluster: query.get('cluster') ?? '',
    states: [...new Set(states.map((state) => state.trim().toUpperCase()).filter((state) => state !== ''))],
    name: query.get('name') ?? '',
    queue: query.get('queue') ?? '',
    worker: query.get('worker') ?? '',
    text: query.get('q') ?? '',
  };
}

/** Writes a filter into an address; other parameters of it are kept. */
export function writeFilter(filter: TaskFilter, query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  const values = {
    cluster: filter.cluster,
    state: filter.states.join(','),
    name: filter.name,
    queue: filter.queue,
    worker: filter.worker,
    q: filter.text,
  };
  for (const [name, value] of Object.entries(values)) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** Whether anything but the cluster narrows the list. */
export function isNarrowed(filter: TaskFilter): boolean {
  return (
    filter.states.length > 0 || [filter.name, filter.queue, filter.worker, filter.text].some((value) => value !== '')
  );
}

/**
 * Compiles a filter to the question the server asks of stored rows, for rows that are pushed. Rows of lists carry args
 * and kwargs cut to 200 characters, so a text may be missed here that the server finds in full.
 */
export function matcher(filter: TaskFilter): (row: TaskListRow) => boolean {
  const states = new Set(filter.states);
  const prefix = filter.name.endsWith('*') ? filter.name.slice(0, -1) : null;
  const text = filter.text.trim().toLowerCase();
  return (row) =>
    (filter.cluster === '' || row.cluster === filter.cluster) &&
    (states.size === 0 || states.has(row.state)) &&
    (filter.name === '' || (prefix === null ? row.name === filter.name : row.name.startsWith(prefix))) &&
    (filter.queue === '' || row.queue === filter.queue) &&
    (filter.worker === '' || row.worker === filter.worker) &&
    (text === '' || holds(row, text));
}

function holds(row: TaskListRow, text: string): boolean {
  for (const field of [row.name, row.task_id, row.args, row.kwargs, row.result, row.exception]) {
    if (field.toLowerCase().includes(text)) return true;
  }
  return false;
}
