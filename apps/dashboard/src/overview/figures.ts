import type { GapRecord } from '@meadow/contract';
import type { ChartGap, ChartSeries } from '../chart/series.ts';
import type { EventCounts, Overview, SeriesPoint } from '@meadow/api';
import { formatCount } from '../format/number.ts';

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
};

/** Why a span may lack events, in words. */
export function gapWords(gap: GapRecord): string {
  const lost =
    gap.estimated_events === null
      ? 'events may be missing'
      : `about ${formatCount(gap.estimated_events)} events are missing`;
  return `${gap.cluster}: ${lost}, ${REASONS[gap.reason]}`;
}

export function chartGaps(gaps: readonly GapRecord[]): ChartGap[] {
  return gaps.map((gap) => ({ from: gap.started_at, to: gap.ended_at, label: gapWords(gap) }));
}
