import { z } from 'zod';
import type { Store } from '../../store.ts';
import { MINUTE } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import type { EventCounts, SeriesPoint } from '../overview.ts';
import {
  bucketOf,
  canReadEvents,
  countedSpan,
  countsOf,
  eventsOf,
  filled,
  paramsOf,
  spanOf,
  timesWhere,
  type TrendInput,
  type TrendSource,
} from './scope.ts';

/** Task events over time by what they say. A worker sends none of `sent`: that is of who sent the task. */
export interface Throughput {
  /** Width of a point, as used: less than a minute only where all events may be read. */
  readonly bucket_seconds: number;
  readonly source: TrendSource;
  readonly total: EventCounts;
  /** One point for every bucket of the span, also where nothing happened. */
  readonly series: readonly SeriesPoint[];
}

const KINDS = ['sent', 'received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'] as const;

const pointRow = z.object({
  at: z.number(),
  ...{ sent: z.number(), received: z.number(), started: z.number(), succeeded: z.number() },
  ...{ failed: z.number(), retried: z.number(), revoked: z.number(), rejected: z.number() },
});

const NONE: EventCounts = {
  ...{ sent: 0, received: 0, started: 0, succeeded: 0 },
  ...{ failed: 0, retried: 0, revoked: 0, rejected: 0 },
};

/** How much was done, by what came of it. @throws StoreError */
export async function throughput(store: Store, input: TrendInput, options: AskOptions = {}): Promise<Throughput> {
  const fine = spanOf(input);
  const source: TrendSource =
    fine.bucket % MINUTE !== 0 && (await canReadEvents(store, input, fine, options)) ? 'events' : 'rollup';
  const span = source === 'events' ? fine : countedSpan(input);
  const { table, time } = countsOf(input, span);
  const counted =
    source === 'events'
      ? `${bucketOf('happened_at')}, ${KINDS.map((kind) => `countIf(type = 'task-${kind}') AS ${kind}`).join(', ')}
         FROM ${eventsOf(store, input, ['type'])}`
      : `${bucketOf(`toUInt32(r.${time})`)}, ${KINDS.map((kind) => `sum(r.${kind}) AS ${kind}`).join(', ')}
         FROM ${store.database}.${table} AS r WHERE ${timesWhere(store, input, time)}`;
  const rows = await ask(
    store,
    'trend throughput',
    pointRow,
    `SELECT ${counted} GROUP BY at`,
    { ...paramsOf(input, span), bucket: span.bucket },
    options,
  );
  const series = filled(rows, span, NONE);
  const total = Object.fromEntries(
    KINDS.map((kind) => [kind, series.reduce((sum, point) => sum + point[kind], 0)]),
  ) as Record<(typeof KINDS)[number], number>;
  return { bucket_seconds: span.bucket, source, total, series };
}
