import type { Sort } from '../design/column.ts';

/** What a list of tasks can be sorted by, in the words of the page. */
export const SORTS = {
  seen: 'Seen',
  started: 'Started',
  finished: 'Finished',
  updated: 'Last event',
  runtime: 'Run time',
  wait: 'Wait',
  retries: 'Retries',
  name: 'Task',
  state: 'State',
  queue: 'Queue',
  worker: 'Worker',
} as const;
export type SortBy = keyof typeof SORTS;

export interface TaskSort extends Sort {
  readonly by: SortBy;
}

/** Newest first: the one order in which pushed tasks find their place. */
export const NEWEST_FIRST: TaskSort = { by: 'seen', desc: true };

export const isNewestFirst = ({ by, desc }: TaskSort): boolean => by === NEWEST_FIRST.by && desc === NEWEST_FIRST.desc;

/** Names begin with their first letter; times and sizes with the newest and largest. */
const RISING: ReadonlySet<SortBy> = new Set(['name', 'state', 'queue', 'worker']);

const isSortBy = (text: string): text is SortBy => Object.hasOwn(SORTS, text);

/** `runtime`, or `-runtime` for the largest first; newest first for anything else. */
export function readSort(query: URLSearchParams): TaskSort {
  const text = query.get('sort') ?? '';
  const by = text.replace(/^-/, '');
  return isSortBy(by) ? { by, desc: text.startsWith('-') } : NEWEST_FIRST;
}

/** Writes a sort into an address; other parameters of it are kept. */
export function writeSort({ by, desc }: TaskSort, query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  next.delete('sort');
  if (!isNewestFirst({ by, desc })) next.set('sort', desc ? `-${by}` : by);
  return next;
}

/** The sort when a column is chosen: its natural direction first, turned around when it is chosen again. */
export function sortedBy(by: string, now: TaskSort): TaskSort {
  if (!isSortBy(by)) return now;
  return { by, desc: now.by === by ? !now.desc : !RISING.has(by) };
}
