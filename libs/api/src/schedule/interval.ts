import { quantile, type Fit } from './fit.ts';

const LEAST_RUNS = 6;
/** Quicker than this is a stream of work, not a schedule. */
const SHORTEST_SECONDS = 1;
/** Of the gaps between two runs: so many have the length of the interval, or a multiple where runs were missed. */
const LEAST_WHOLE = 0.6;
const LEAST_FIT = 0.85;
/** A longer silence than so many intervals says nothing of them. */
const MOST_MISSED_AT_ONCE = 100;

/** The fixed time between runs. @param runs oldest first */
export function fitInterval(runs: readonly number[]): Fit | null {
  if (runs.length < LEAST_RUNS) return null;
  const gaps = runs.slice(1).map((at, index) => at - (runs[index] ?? at));
  const rough = quantile(gaps, 0.5);
  if (rough < SHORTEST_SECONDS) return null;
  const whole = gaps.filter((gap) => Math.round(gap / rough) === 1);
  const every = whole.reduce((sum, gap) => sum + gap, 0) / Math.max(1, whole.length);
  const tolerance = Math.min(Math.max(every * 0.1, 0.5), 120);
  const off = gaps.map((gap) => {
    const times = Math.round(gap / every);
    return { times, seconds: times === 0 ? Number.POSITIVE_INFINITY : Math.abs(gap - times * every) };
  });
  const fitting = off.filter(
    ({ times, seconds }) => seconds <= tolerance * (times > 1 ? 2 : 1) && times <= MOST_MISSED_AT_ONCE,
  );
  const fit = fitting.length / gaps.length;
  const share = fitting.filter(({ times }) => times === 1).length / gaps.length;
  if (fit < LEAST_FIT || share < LEAST_WHOLE) return null;
  return {
    ...{ everySeconds: every, cron: null, zone: 'UTC', fit },
    jitterSeconds: quantile(
      fitting.map(({ seconds }) => seconds),
      0.95,
    ),
    patienceSeconds: Math.min(every / 2, Math.max(tolerance, 5)),
    expected: (from, to) => expectedOf(runs, every, from, to),
  };
}

/** Each interval begins with the run before it: those that were missed lie between two. */
function expectedOf(runs: readonly number[], every: number, from: number, to: number): number[] {
  const expected: number[] = [];
  runs.forEach((at, index) => {
    if (at >= from && at < to) expected.push(at);
    const next = runs[index + 1];
    // after the last they go on for as long as is asked
    const times = next === undefined ? Math.ceil((to - at) / every) : Math.round((next - at) / every);
    const step = next === undefined || times === 0 ? every : (next - at) / times;
    const skipped = next === undefined ? Math.max(0, Math.ceil((from - at) / every) - 1) : 0;
    for (let turn = 1 + skipped; turn < times + (next === undefined ? 1 : 0); turn++) {
      const due = at + turn * step;
      if (due >= from && due < to) expected.push(due);
    }
  });
  return expected;
}
