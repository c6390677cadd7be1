import { queueRow, type QueueRow } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { bucketsOf } from './buckets.ts';
import { ask, type AskOptions, type TimeRange } from './options.ts';

export interface QueueListInput {
  /** All when left out. */
  readonly cluster?: string | undefined;
  /** Unix seconds, the reader's clock. */
  readonly now: number;
  /** Queues not heard of for longer are left out. @default 30 * 86_400 */
  readonly silentSeconds?: number | undefined;
}

export interface QueueHistoryInput extends TimeRange {
  readonly cluster: string;
  readonly queue: string;
  /** Width of a point, whole seconds; widened where there would be more than 1000 points. */
  readonly bucketSeconds: number;
}

/** A point of a queue's history: its samples from `at` (Unix seconds) to `at + bucket_seconds`. null: none told it. */
export interface QueuePoint {
  readonly at: number;
  readonly samples: number;
  /** Mean, and the most at a time. */
  readonly ready: number | null;
  readonly ready_max: number | null;
  readonly unacked: number | null;
  readonly unacked_max: number | null;
  /** The fewest at a time. */
  readonly consumers: number | null;
  readonly bytes: number | null;
  /** The most. */
  readonly oldest_age_seconds: number | null;
  readonly published_per_second: number | null;
  readonly delivered_per_second: number | null;
}

export interface QueueHistory {
  /** Width of a point, as used. */
  readonly bucket_seconds: number;
  /** One point for every bucket of the range, also where nothing was sampled: a gap is no zero. */
  readonly series: readonly QueuePoint[];
}

const MOST_QUEUES = 5_000;
/** Names are looked for so far back among tasks. */
const NAMES_SECONDS = 30 * 86_400;

/** An empty map is one that is not known. */
const byPriority = z.record(z.string(), z.number()).transform((map) => (Object.keys(map).length === 0 ? null : map));
const sampledRow = queueRow.omit({ sampled_at: true }).extend({ by_priority: byPriority });
const namedRow = queueRow.pick({ cluster: true, queue: true, first_seen_at: true, last_seen_at: true });
const SAMPLED_COLUMNS = Object.keys(sampledRow.shape)
  .map((name) => `${name.endsWith('_seen_at') ? seconds(`q.${name}`) : `q.${name}`} AS ${name}`)
  .join(', ');

/**
 * Queues in order of cluster and name: those that were looked at, with their newest figures, and those that only tasks of the
 * last 30 days name; of each at most 5000, the newest. @throws StoreError
 */
export async function queueList(store: Store, input: QueueListInput, options: AskOptions = {}): Promise<QueueRow[]> {
  const now = Math.floor(input.now);
  const since = Math.max(0, now - (input.silentSeconds ?? NAMES_SECONDS));
  const { cluster } = input;
  const isOne = cluster !== undefined;
  const params = { ...(isOne ? { cluster } : {}), since, limit: MOST_QUEUES };
  const [sampled, named] = await Promise.all([
    ask(
      store,
      'queue list',
      sampledRow,
      `SELECT ${SAMPLED_COLUMNS}
       FROM ${store.database}.queues AS q
       WHERE ${isOne ? 'q.cluster = {cluster:String}' : 'true'} AND q.last_seen_at >= toDateTime64({since:Float64}, 6, 'UTC')
       ORDER BY q.last_seen_at DESC
       LIMIT {limit:UInt32}`,
      params,
      options,
    ),
    ask(
      store,
      'queues of tasks',
      namedRow,
      // by one column of few values: of a million rows 10 ms, by two 50
      `SELECT ${isOne ? '{cluster:String}' : 'r.cluster'} AS cluster, r.queue AS queue,
              toFloat64(toUInt32(min(r.minute))) AS first_seen_at, toFloat64(toUInt32(max(r.minute))) AS last_seen_at
       FROM ${store.database}.task_rollup AS r
       WHERE ${isOne ? 'r.cluster = {cluster:String}' : 'true'} AND r.minute >= toDateTime({since:UInt32}, 'UTC')
         AND r.queue != ''
       GROUP BY ${isOne ? '' : 'cluster, '}queue
       ORDER BY last_seen_at DESC
       LIMIT {limit:UInt32}`,
      { ...params, since: Math.max(since, now - NAMES_SECONDS) },
      options,
    ),
  ]);
  const rows = new Map<string, QueueRow>();
  for (const row of sampled) rows.set(keyOf(row), { ...row, sampled_at: row.last_seen_at });
  for (const tasks of named) {
    const row = rows.get(keyOf(tasks)) ?? { ...UNSAMPLED, ...tasks };
    const first_seen_at = Math.min(row.first_seen_at, tasks.first_seen_at);
    const last_seen_at = Math.max(row.last_seen_at, tasks.last_seen_at);
    rows.set(keyOf(tasks), { ...row, first_seen_at, last_seen_at });
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** In the order in which rows are told: no cluster's name holds what stands between the two. */
const keyOf = ({ cluster, queue }: Pick<QueueRow, 'cluster' | 'queue'>): string => `${cluster}\0${queue}`;

/** How deep, how old and how quick a queue was over a span. @throws StoreError */
export async function queueHistory(
  store: Store,
  input: QueueHistoryInput,
  options: AskOptions = {},
): Promise<QueueHistory> {
  const { bucket, from, to } = bucketsOf(input, input.bucketSeconds);
  const points = await ask(
    store,
    'queue history',
    pointRow,
    `SELECT intDiv(toUnixTimestamp(s.at), {bucket:UInt32}) * {bucket:UInt32} AS bucket_at, count() AS samples,
            avg(s.ready) AS ready, max(s.ready) AS ready_max, avg(s.unacked) AS unacked, max(s.unacked) AS unacked_max,
            min(s.consumers) AS consumers, max(s.bytes) AS bytes, max(s.oldest_age_seconds) AS oldest_age_seconds,
            avg(s.published_per_second) AS published_per_second, avg(s.delivered_per_second) AS delivered_per_second
     FROM ${store.database}.queue_samples AS s FINAL
     WHERE s.cluster = {cluster:String} AND s.queue = {queue:String}
       AND s.at >= toDateTime64({from:Float64}, 6, 'UTC') AND s.at < toDateTime64({to:Float64}, 6, 'UTC')
     GROUP BY bucket_at
     ORDER BY bucket_at`,
    { cluster: input.cluster, queue: input.queue, from, to, bucket },
    options,
  );
  const known = new Map(points.map(({ bucket_at, ...point }) => [bucket_at, point]));
  const series = Array.from({ length: (to - from) / bucket }, (_, index) => {
    const at = from + index * bucket;
    return { at, ...(known.get(at) ?? NOTHING) };
  });
  return { bucket_seconds: bucket, series };
}

const measure = z.number().nullable();
const pointRow = z.object({
  bucket_at: z.number(),
  samples: z.number(),
  ...{ ready: measure, ready_max: measure, unacked: measure, unacked_max: measure },
  ...{ consumers: measure, bytes: measure, oldest_age_seconds: measure },
  ...{ published_per_second: measure, delivered_per_second: measure },
});

const NOTHING = {
  samples: 0,
  ...{ ready: null, ready_max: null, unacked: null, unacked_max: null, consumers: null, bytes: null },
  ...{ oldest_age_seconds: null, published_per_second: null, delivered_per_second: null },
} as const;

const UNSAMPLED = {
  ...{ sampled_at: null, kind: '', source: '', ready: null, unacked: null, consumers: null, bytes: null },
  ...{ oldest_age_seconds: null, published_per_second: null, delivered_per_second: null, by_priority: null },
} as const;
