import type { TrendRange } from '@meadow/api';
import { formatTerm } from '@meadow/contract/task-query';
import { writeFilter } from '../live/task-filter.ts';
import { DEFAULT_RANGE, RANGES, rangeLabel } from '../router/range.ts';
import { readSpan, spanLabel, writeSpan, type FreeSpan } from '../router/span.ts';

/** What a trend is of; '' for anything. */
export interface TrendScope {
  readonly task: string;
  readonly queue: string;
  readonly worker: string;
  readonly pool: string;
}

export const SCOPES = ['task', 'queue', 'worker', 'pool'] as const satisfies readonly (keyof TrendScope)[];

/** A span up to now, or one between two times. */
export type TrendSpan = TrendRange | FreeSpan;

export const TREND_RANGES = [...RANGES, '90d'] as const satisfies readonly TrendRange[];

export const TREND_TABS = ['throughput', 'latency', 'concurrency', 'tasks', 'queues', 'workers', 'hours'] as const;
export type TrendTab = (typeof TREND_TABS)[number];

/** What the page shows, as its address has it. */
export interface TrendView {
  readonly tab: TrendTab;
  readonly scope: TrendScope;
  readonly span: TrendSpan;
  readonly compare: boolean;
}

export function readTrendView(query: URLSearchParams): TrendView {
  const text = (name: string): string => query.get(name) ?? '';
  return {
    tab: TREND_TABS.find((tab) => tab === query.get('tab')) ?? 'throughput',
    scope: { task: text('task'), queue: text('queue'), worker: text('worker'), pool: text('pool') },
    span: query.get('range') === '90d' ? '90d' : readSpan(query),
    compare: query.get('compare') === '1',
  };
}

/** Writes a view into a query; other parameters of it, as the cluster, are kept. */
export function writeTrendView(view: TrendView, query: URLSearchParams): URLSearchParams {
  const next = writeSpan(view.span === '90d' ? DEFAULT_RANGE : view.span, query);
  const set = (name: string, value: string): void => {
    if (value === '') next.delete(name);
    else next.set(name, value);
  };
  if (view.span === '90d') next.set('range', '90d');
  set('tab', view.tab === 'throughput' ? '' : view.tab);
  for (const name of SCOPES) set(name, view.scope[name]);
  set('compare', view.compare ? '1' : '');
  return next;
}

export const trendRangeLabel = (range: TrendRange): string => (range === '90d' ? 'Last 90 days' : rangeLabel(range));

export const trendSpanLabel = (span: TrendSpan): string => (span === '90d' ? trendRangeLabel(span) : spanLabel(span));

const FIELDS: Readonly<Record<keyof TrendScope, string>> = {
  task: 'name',
  queue: 'queue',
  worker: 'worker',
  pool: 'pool',
};

/** The scope in the language of task searches. */
function scopeQuery(scope: TrendScope): string {
  return SCOPES.flatMap((name) => (scope[name] === '' ? [] : [formatTerm(FIELDS[name], '=', [scope[name]])])).join(' ');
}

/** The address's query under which the task list shows what a bucket of a chart is about. */
export function tasksQuery(cluster: string | null, scope: TrendScope, more: string, span: FreeSpan): URLSearchParams {
  const query = [scopeQuery(scope), more].filter((term) => term !== '').join(' ');
  return writeFilter({ cluster: cluster ?? '', query }, writeSpan(span, new URLSearchParams()));
}
