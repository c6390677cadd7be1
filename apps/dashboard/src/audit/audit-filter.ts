import type { RangeName } from '@meadow/api';
import { RANGES } from '../router/range.ts';
import { OUTCOME_NAMES, type OutcomeName } from './words.ts';

/** What the audit is narrowed to. Empty means everything. */
export interface AuditFilter {
  readonly cluster: string;
  /** Celery's or Meadow's own name, or a prefix when it ends in `*`. */
  readonly action: string;
  readonly outcomes: readonly OutcomeName[];
  /** Substring of the actor or the address. */
  readonly who: string;
  /** Substring of what it was on. */
  readonly target: string;
  /** Exact name of a worker that it was on, or that answered. */
  readonly worker: string;
  readonly text: string;
  /** '' is all that is kept. */
  readonly range: RangeName | '';
  /** First and last day, `2026-11-21` in the viewer's zone; they stand in for a range. */
  readonly from: string;
  readonly to: string;
}

export const NO_FILTER: AuditFilter = {
  ...{ cluster: '', action: '', outcomes: [], who: '', target: '', worker: '', text: '', range: '', from: '', to: '' },
};

/** Reads a filter from an address. What is no outcome, range or day there counts as none. */
export function readFilter(query: URLSearchParams): AuditFilter {
  const text = (name: string): string => query.get(name)?.trim() ?? '';
  const outcomes = query.getAll('outcome').flatMap((value) => value.split(','));
  const [from, to] = [dayIn(text('from')), dayIn(text('to'))];
  return {
    ...{ cluster: text('cluster'), action: text('action'), who: text('who'), target: text('target') },
    ...{ worker: text('worker'), text: text('q'), from, to },
    outcomes: OUTCOME_NAMES.filter((name) => outcomes.includes(name)),
    range: from === '' && to === '' ? (RANGES.find((range) => range === text('range')) ?? '') : '',
  };
}

/** Writes a filter into an address; other parameters of it are kept. */
export function writeFilter(filter: AuditFilter, query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  const { outcomes, text, ...named } = filter;
  for (const [name, value] of Object.entries({ ...named, outcome: outcomes.join(','), q: text })) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** Whether anything but the cluster narrows it. */
export function isNarrowed({ cluster: _, outcomes, ...texts }: AuditFilter): boolean {
  return outcomes.length > 0 || Object.values(texts).some((value) => value !== '');
}

/** A filter in the words of the server, what is empty left out. */
export interface AuditQuestion {
  readonly cluster?: string;
  readonly action?: string;
  readonly outcomes?: readonly OutcomeName[];
  readonly who?: string;
  readonly target?: string;
  readonly worker?: string;
  readonly text?: string;
  readonly range?: RangeName;
  /** Unix seconds: from included, to excluded. */
  readonly from?: number;
  readonly to?: number;
}

export function questionOf(filter: AuditFilter): AuditQuestion {
  const { cluster, action, outcomes, who, target, worker, text, range, from, to } = filter;
  return {
    ...(cluster === '' ? {} : { cluster }),
    ...(action === '' ? {} : { action }),
    ...(outcomes.length === 0 ? {} : { outcomes }),
    ...(who === '' ? {} : { who }),
    ...(target === '' ? {} : { target }),
    ...(worker === '' ? {} : { worker }),
    ...(text === '' ? {} : { text }),
    ...(range === '' ? {} : { range }),
    ...(from === '' ? {} : { from: midnight(from, 0) }),
    ...(to === '' ? {} : { to: midnight(to, 1) }),
  };
}

/** Where the gateway gives all of it as a file; relative to the page's base. */
export function exportHref(ending: 'csv' | 'ndjson', question: AuditQuestion): string {
  const query = new URLSearchParams(Object.entries(question).map(([name, value]) => [name, String(value)]));
  return `export/audit.${ending}${query.size > 0 ? `?${query}` : ''}`;
}

/** `cluster/id` of the request that is open; null for none. */
export function readOpened(query: URLSearchParams): { readonly cluster: string; readonly requestId: string } | null {
  const [, cluster, requestId] = /^([^/]+)\/(.+)$/.exec(query.get('request') ?? '') ?? [];
  return cluster === undefined || requestId === undefined ? null : { cluster, requestId };
}

function dayIn(text: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : '';
}

/** Unix seconds at which a day begins in the viewer's zone, or one some days later. */
function midnight(day: string, later: number): number {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
  return new Date(year, month - 1, date + later).getTime() / 1000;
}
