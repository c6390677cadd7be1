import type { Buckets } from '../buckets.ts';
import type { TimeRange } from '../options.ts';

/** Which failures. */
export interface FailureFilter extends TimeRange {
  /** All when left out. */
  readonly cluster?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly name?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
}

/** A longer span is read from the hourly rollup, from the hour on in which it begins. Seconds. */
const RAW_SECONDS = 2 * 86_400;

/**
 * The failures of a span, as rows of `cluster, fingerprint, name, queue, worker, at, failures, retried, lost`: one each, or where
 * the span is long those of an hour together. `at` is Unix seconds.
 * @returns SQL of a subquery with its parameters, and the width of what is told together, seconds
 */
export function failuresIn(
  database: string,
  { from, to, cluster, fingerprint, name, queue, worker }: FailureFilter,
): { readonly sql: string; readonly params: Readonly<Record<string, unknown>>; readonly width: number } {
  const named = Object.entries({ cluster, fingerprint, name, queue, worker }).filter(
    ([, value]) => value !== undefined,
  );
  const conditions = named.map(([column]) => `AND f.${column} = {${column}:String}`).join(' ');
  const isLong = to - from > RAW_SECONDS;
  const params = { ...Object.fromEntries(named), from: Math.floor(from), to: Math.ceil(to) };
  const columns =
    'f.cluster AS cluster, f.fingerprint AS fingerprint, f.name AS name, f.queue AS queue, f.worker AS worker';
  if (!isLong) {
    return {
      params,
      width: 1,
      sql: `(
        SELECT ${columns}, toUnixTimestamp(f.at) AS at, 1 AS failures, f.kind = 'retried' AS retried, f.kind = 'lost' AS lost
        FROM ${database}.failures AS f
        WHERE f.at >= toDateTime64({from:UInt32}, 6, 'UTC') AND f.at < toDateTime64({to:UInt32}, 6, 'UTC') ${conditions}
      )`,
    };
  }
  return {
    params,
    width: 3_600,
    sql: `(
      SELECT ${columns}, toUnixTimestamp(f.hour) AS at, f.failures AS failures, f.retried AS retried, f.lost AS lost
      FROM ${database}.error_rollup AS f
      WHERE f.hour >= toStartOfHour(toDateTime({from:UInt32}, 'UTC')) AND f.hour < toDateTime({to:UInt32}, 'UTC') ${conditions}
    )`,
  };
}

/** One value for each bucket, 0 where nothing was told. */
export function filled(
  { from, to, bucket }: Buckets,
  told: readonly (readonly [at: number, value: number])[],
): number[] {
  const series = new Array<number>((to - from) / bucket).fill(0);
  for (const [at, value] of told) {
    const index = Math.floor((at - from) / bucket);
    if (index >= 0 && index < series.length) series[index] = (series[index] ?? 0) + value;
  }
  return series;
}
