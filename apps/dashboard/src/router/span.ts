import type { RangeName } from '@meadow/api';
import { formatSpanLabel } from '../format/time.ts';
import { DEFAULT_RANGE, rangeLabel, readRange } from './range.ts';

/** Between two times, Unix seconds: from included, to excluded. */
export interface FreeSpan {
  readonly from: number;
  readonly to: number;
}

/** What a list looks at: a named range up to now, or a span between two times. */
export type Span = RangeName | FreeSpan;

/** The span that a query names; its range where it names no two times in their order. */
export function readSpan(query: URLSearchParams): Span {
  const [from, to] = [readTime(query.get('from')), readTime(query.get('to'))];
  return from !== null && to !== null && from < to ? { from, to } : readRange(query);
}

/** Writes a span into a query; other parameters of it are kept. */
export function writeSpan(span: Span, query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const name of ['range', 'from', 'to']) next.delete(name);
  if (typeof span === 'object') {
    next.set('from', writeTime(span.from));
    next.set('to', writeTime(span.to));
  } else if (span !== DEFAULT_RANGE) next.set('range', span);
  return next;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** The span that a range is now, to the minute, for somebody to move its ends. */
export function freeSpanOf(range: RangeName, now: number): FreeSpan {
  const to = Math.ceil(now / 60) * 60;
  return { from: to - Number.parseInt(range, 10) * (UNIT_SECONDS[range.slice(-1)] ?? 0), to };
}

/** `Last hour`, `14:00 – 15:30`. */
export function spanLabel(span: Span): string {
  return typeof span === 'object' ? formatSpanLabel(span.from, span.to) : rangeLabel(span);
}

/** `in the last hour`, `in 14:00 – 15:30`. */
export function spanInWords(span: Span): string {
  return typeof span === 'object'
    ? `between ${spanLabel(span).replace(' – ', ' and ')}`
    : `in the ${spanLabel(span).toLowerCase()}`;
}

/** Reads Unix seconds, or an ISO time or day; without a zone it is UTC. */
function readTime(text: string | null): number | null {
  if (text === null) return null;
  if (/^\d{9,10}(?:\.\d+)?$/.test(text)) return Number(text);
  const [, day, time] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)Z?)?$/.exec(text) ?? [];
  if (day === undefined) return null;
  const ms = Date.parse(`${day}T${time ?? '00:00'}Z`);
  return Number.isNaN(ms) ? null : ms / 1000;
}

/** ISO in UTC, as short as it can be without loss of milliseconds. */
function writeTime(at: number): string {
  return new Date(at * 1000).toISOString().replace('.000Z', 'Z').replace(/:00Z$/, 'Z');
}
