import type {
  Compared,
  ConcurrencyTrend,
  DurationPoint,
  DurationTrend,
  EventCounts,
  HeatMap,
  HourOfWeek,
  Spread,
  Throughput,
} from '@meadow/api';
import type { ChartSeries } from '../chart/series.ts';

/** What a chart needs of an answer. */
export interface Lines {
  readonly times: readonly number[];
  readonly bucketSeconds: number;
  readonly series: readonly ChartSeries[];
}

/** Tasks that came to an end. */
export const endedOf = (counts: EventCounts): number =>
  counts.succeeded + counts.failed + counts.revoked + counts.rejected;

/** Failures among what succeeded or failed; null when nothing did. */
export function failureRate({ succeeded, failed }: EventCounts): number | null {
  return succeeded + failed === 0 ? null : failed / (succeeded + failed);
}

/** Retries among runs; null when none ended. */
export function retryRate({ succeeded, failed, retried }: EventCounts): number | null {
  const runs = succeeded + failed + retried;
  return runs === 0 ? null : retried / runs;
}

/** The span before, as one dashed line; nothing where it was not asked for or has points of another width. */
function dashed<Answer extends { readonly bucket_seconds: number }>(
  { now, before }: Compared<Answer>,
  label: string,
  colour: string,
  values: (answer: Answer) => readonly (number | null)[],
): ChartSeries[] {
  if (before === null || before.bucket_seconds !== now.bucket_seconds) return [];
  return [{ label, colour, values: values(before), dashed: true }];
}

const linesOf = (
  { series, bucket_seconds }: { readonly series: readonly { readonly at: number }[]; readonly bucket_seconds: number },
  shown: readonly ChartSeries[],
): Lines => ({ times: series.map(({ at }) => at), bucketSeconds: bucket_seconds, series: shown });

/** What came of tasks, stacked, and how many ended in the span before. */
export function outcomeLines(answer: Compared<Throughput>): Lines {
  const { series } = answer.now;
  const ended = ({ series: points }: Throughput) => points.map((point) => endedOf(point) + point.retried);
  return linesOf(answer.now, [
    { label: 'succeeded', colour: '--ok-solid', values: series.map(({ succeeded }) => succeeded) },
    { label: 'retried', colour: '--warn-solid', values: series.map(({ retried }) => retried) },
    { label: 'revoked', colour: '--off-solid', values: series.map(({ revoked, rejected }) => revoked + rejected) },
    { label: 'failed', colour: '--bad-solid', values: series.map(({ failed }) => failed) },
    ...dashed(answer, 'all, before', '--text-3', ended),
  ]);
}

/** A length of time in which there is something to count. */
export interface Per {
  readonly words: string;
  readonly seconds: number;
}

/** `a second`, or what is longer where less than one ends in it. */
export function perOf({ series, bucket_seconds, total }: Throughput): Per {
  const perSecond = endedOf(total) / Math.max(1, series.length * bucket_seconds);
  if (perSecond >= 1) return { words: 'a second', seconds: 1 };
  return perSecond >= 1 / 60 ? { words: 'a minute', seconds: 60 } : { words: 'an hour', seconds: 3_600 };
}

/** How many came, began and ended in such a time. */
export function flowLines(answer: Compared<Throughput>, { seconds }: Per): Lines {
  const rates = ({ series, bucket_seconds }: Throughput, of: (counts: EventCounts) => number) =>
    series.map((point) => (of(point) / bucket_seconds) * seconds);
  return linesOf(answer.now, [
    { label: 'received', colour: '--run-solid', values: rates(answer.now, ({ received }) => received) },
    { label: 'started', colour: '--custom-solid', values: rates(answer.now, ({ started }) => started) },
    { label: 'ended', colour: '--ok-solid', values: rates(answer.now, endedOf) },
    ...dashed(answer, 'ended, before', '--text-3', (before) => rates(before, endedOf)),
  ]);
}

export function rateLines(answer: Compared<Throughput>): Lines {
  const { series } = answer.now;
  return linesOf(answer.now, [
    { label: 'failed', colour: '--bad-solid', values: series.map(failureRate) },
    { label: 'retried', colour: '--warn-solid', values: series.map(retryRate) },
    ...dashed(answer, 'failed, before', '--text-3', (before) => before.series.map(failureRate)),
  ]);
}

const PERCENTILES = [
  ['p50', '--ok-solid'],
  ['p90', '--run-solid'],
  ['p95', '--off-solid'],
  ['p99', '--warn-solid'],
] as const satisfies readonly (readonly [keyof Spread, string])[];

/** Percentiles of runtime or wait; mean and longest where there are no percentiles. */
export function durationLines(answer: Compared<DurationTrend>, kind: 'runtime' | 'wait'): Lines {
  const values = ({ series }: DurationTrend, figure: keyof Spread) => series.map((point) => point[kind][figure]);
  const known = answer.now.percentiles !== null;
  const compared = known ? 'p95' : 'avg';
  return linesOf(answer.now, [
    ...(known
      ? PERCENTILES.map(([label, colour]) => ({ label, colour, values: values(answer.now, label) }))
      : [
          { label: 'mean', colour: '--run-solid', values: values(answer.now, 'avg') },
          { label: 'longest', colour: '--warn-solid', values: values(answer.now, 'max') },
        ]),
    ...dashed(answer, known ? 'p95, before' : 'mean, before', '--text-3', (before) => values(before, compared)),
  ]);
}

/** What tasks spent in the queue and in the run, seconds of each bucket. */
export function shareLines({ now }: Compared<DurationTrend>): Lines {
  const spent = ({ count, avg }: DurationPoint['wait']) => count * (avg ?? 0);
  return linesOf(now, [
    { label: 'running', colour: '--ok-solid', values: now.series.map(({ runtime }) => spent(runtime)) },
    { label: 'waiting', colour: '--warn-solid', values: now.series.map(({ wait }) => spent(wait)) },
  ]);
}

export function concurrencyLines(answer: Compared<ConcurrencyTrend>): Lines {
  const { series, told_by_workers } = answer.now;
  return linesOf(answer.now, [
    { label: 'running, by runtimes', colour: '--ok-solid', values: series.map(({ busy }) => busy) },
    ...(told_by_workers
      ? [{ label: 'running, as workers say', colour: '--run-solid', values: series.map(({ active }) => active) }]
      : []),
    ...dashed(answer, 'running, before', '--text-3', (before) => before.series.map(({ busy }) => busy)),
  ]);
}

export const waitingLines = ({ now }: Compared<ConcurrencyTrend>): Lines =>
  linesOf(now, [{ label: 'waiting', colour: '--warn-solid', values: now.series.map(({ waiting }) => waiting) }]);

/** A grid for the heat map: columns of time, rows of doubling runtimes from the longest down. */
export interface Grid {
  readonly times: readonly number[];
  /** Seconds at which each row begins. */
  readonly least: readonly number[];
  readonly values: readonly (readonly number[])[];
}

export function gridOf({ cells, from, to, bucket_seconds }: HeatMap): Grid {
  const times = Array.from(
    { length: Math.round((to - from) / bucket_seconds) },
    (_, place) => from + place * bucket_seconds,
  );
  const powers = cells.map(({ row }) => row);
  const [low, high] = [Math.min(...powers), Math.max(...powers)];
  const rows = cells.length === 0 ? [] : Array.from({ length: high - low + 1 }, (_, place) => high - place);
  const of = new Map(cells.map(({ at, row, tasks }) => [`${at} ${row}`, tasks]));
  return {
    times,
    least: rows.map((row) => 2 ** row),
    values: times.map((at) => rows.map((row) => of.get(`${at} ${row}`) ?? 0)),
  };
}

/** By hour, then weekday from Monday on. */
export function weekGrid(hours: readonly HourOfWeek[], figure: (hour: HourOfWeek) => number): number[][] {
  const of = new Map(hours.map((each) => [`${each.weekday} ${each.hour}`, figure(each)]));
  return Array.from({ length: 24 }, (_, hour) =>
    Array.from({ length: 7 }, (__, day) => of.get(`${day + 1} ${hour}`) ?? 0),
  );
}
