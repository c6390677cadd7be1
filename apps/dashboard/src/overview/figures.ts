import type { GapRecord } from '@meadow/contract';
import type { ChartGap, ChartSeries } from '../chart/series.ts';
import type { ClusterLoss, EventCounts, Overview, SeriesPoint } from '@meadow/api';
import { formatCount, formatShare } from '../format/number.ts';
import { formatClock } from '../format/time.ts';

/** Tasks that came to an end. */
export function ended(counts: EventCounts): number {
  return counts.succeeded + counts.failed + counts.revoked + counts.rejected;
}

/** Failures among what succeeded or failed; null when nothing did. */
export function failureShare(counts: EventCounts): number | null {
  const total = counts.succeeded + counts.failed;
  return total === 0 ? null : counts.failed / total;
}

/** Ended tasks a minute over the whole range. */
export function perMinute(overview: Overview, counts: EventCounts): number {
  return ended(counts) / Math.max(1, (overview.to - overview.from) / 60);
}

/** What the chart of an overview stacks, from the bottom up. */
export function outcomeSeries(points: readonly SeriesPoint[]): ChartSeries[] {
  return [
    { label: 'succeeded', colour: '--ok-solid', values: points.map((point) => point.succeeded) },
    { label: 'retried', colour: '--warn-solid', values: points.map((point) => point.retried) },
    { label: 'revoked', colour: '--off-solid', values: points.map((point) => point.revoked + point.rejected) },
    { label: 'failed', colour: '--bad-solid', values: points.map((point) => point.failed) },
  ];
}

const REASONS: Readonly<Record<GapRecord['reason'], string>> = {
  disconnected: 'the broker was not connected',
  overflow: 'the broker sent more than could be taken',
  'queue-overflow': 'our queue at the broker was full',
  'broker-restarted': 'the broker was restarted',
  'collector-down': 'no collector listened',
  'heartbeats-missed': 'most workers fell silent together',
};

/** Why a span may lack events, in words. */
export function gapWords(gap: GapRecord): string {
  const lost =
    gap.estimated_events === null
      ? 'events may be missing'
      : gap.estimated_events === 0
        ? 'probably no event is missing'
        : `about ${formatCount(gap.estimated_events)} events are missing`;
  return `${gap.cluster}: ${lost}, ${REASONS[gap.reason]}`;
}

/** Starts never heard, of all clusters taken together. */
export interface LossTotal {
  readonly expected: number;
  readonly lost: number;
  readonly unmeasured: number;
}

/** Adds up what was measured; null when nothing was. */
export function lossTotal(loss: readonly ClusterLoss[]): LossTotal | null {
  const sum = (of: (line: ClusterLoss) => number) => loss.reduce((total, line) => total + of(line), 0);
  const total = {
    expected: sum((line) => line.expected),
    lost: sum((line) => line.lost),
    unmeasured: sum((line) => line.unmeasured),
  };
  return total.expected === 0 && total.unmeasured === 0 ? null : total;
}

/** Share of starts that were never heard; null when none was measured: unknown is not none. */
export function lossShare(total: LossTotal | null): number | null {
  return total === null || total.expected === 0 ? null : total.lost / total.expected;
}

/** What a loss rests on, in words: `3 of 1,200 starts`. */
export function lossWords(total: LossTotal | null): string {
  if (total === null) return 'not measured yet';
  const unknown = total.unmeasured === 0 ? '' : `${formatCount(total.unmeasured)} not known`;
  if (total.expected === 0) return unknown;
  const known = `${formatCount(total.lost)} of ${formatCount(total.expected)} starts`;
  return unknown === '' ? known : `${known} · ${unknown}`;
}

/**
 * Where numbers may be too low: gaps that collectors told, and windows in which workers counted more than was heard.
 * @param now Unix seconds
 */
export function chartGaps(
  { gaps, loss }: Pick<Overview, 'gaps' | 'loss'>,
  now: number,
  place: Parameters<typeof formatClock>[2] = {},
): ChartGap[] {
  const span = (from: number, to: number) => `${formatClock(from, now, place)} – ${formatClock(to, now, place)}`;
  const told = gaps.map((gap) => ({
    from: gap.started_at,
    to: gap.ended_at,
    label: `${span(gap.started_at, gap.ended_at)} ${gapWords(gap)}`,
  }));
  const measured = loss.flatMap(({ cluster, windows }) =>
    windows.map(({ started_at: from, ended_at: to, lost, expected }) => ({
      from,
      // a window that ends where a bucket begins has nothing to do with that bucket
      to: to - 1,
      label: `${span(from, to)} ${cluster}: ${formatCount(lost)} of ${formatCount(expected)} starts were never heard (${formatShare(lost / expected)}), by the workers' own counters`,
    })),
  );
  return [...told, ...measured];
}
