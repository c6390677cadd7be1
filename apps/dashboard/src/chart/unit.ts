import { formatDuration } from '../format/duration.ts';
import { formatCount, formatExact, formatRate, formatShare } from '../format/number.ts';

/** What the figures of a chart are: how they are told, and where its lines lie. */
export type Unit = 'count' | 'number' | 'seconds' | 'share';

export interface UnitLook {
  /** With every digit that says something. */
  readonly tell: (value: number) => string;
  /** In short, beside a name. */
  readonly short: (value: number | null) => string;
  /** At a line of the chart, shorter still. */
  readonly tick: (value: number) => string;
  /** Distances that lines may have. */
  readonly steps: readonly number[];
  /** A chart reaches at least so high. */
  readonly least: number;
}

const decades = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, power) =>
    [1, 2, 5].map((step) => Number(`${step}e${from + power}`)),
  ).flat();

const SECONDS_STEPS = [
  ...decades(-6, -1),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200],
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((days) => days * 86_400),
];

export const UNITS: Readonly<Record<Unit, UnitLook>> = {
  count: { tell: formatExact, short: formatCount, tick: formatCount, steps: decades(0, 11), least: 4 },
  number: { tell: formatRate, short: formatRate, tick: tickNumber, steps: decades(-6, 11), least: 0.001 },
  seconds: { tell: formatDuration, short: formatDuration, tick: tickSeconds, steps: SECONDS_STEPS, least: 0.001 },
  share: { tell: formatShare, short: formatShare, tick: tickShare, steps: decades(-6, 0), least: 0.01 },
};

function tickNumber(value: number): string {
  return value >= 1000 ? formatCount(value) : String(Number(value.toPrecision(6)));
}

function tickShare(value: number): string {
  return `${Number((value * 100).toPrecision(6))}%`;
}

/** `200 ms`, `5 s`, `2 m`, `6 h`, `3 d`: lines lie where one of them is enough, or two. */
function tickSeconds(value: number): string {
  if (value === 0) return '0';
  if (value < 1) return `${Number((value * 1000).toPrecision(3))} ms`;
  const [size, name] = ([[86_400, 'd'], [3_600, 'h'], [60, 'm'], [1, 's']] as const).find(([each]) => value >= each) ?? [1, 's']; // prettier-ignore
  return `${Number((value / size).toPrecision(2))} ${name}`;
}
