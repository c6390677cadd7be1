import { fitCalendar } from './calendar.ts';
import type { Fit } from './fit.ts';
import { fitInterval } from './interval.ts';

/** A span in which events may not have been heard. Unix seconds. */
export interface UnheardSpan {
  readonly from: number;
  readonly to: number;
}

/** When a task is run, as learnt from when it was. Times are Unix seconds. */
export interface Schedule {
  /** Of `interval`; null of `calendar`. */
  readonly everySeconds: number | null;
  /** Of `calendar`: minute, hour, day of month, month, day of week, as crontab has them; null of `interval`. */
  readonly cron: string | null;
  /** In which the hours of `cron` are: UTC, or a time zone whose shifts it follows. */
  readonly zone: string;
  /** 0 to 1: how well the runs fit, less where they are few. */
  readonly confidence: number;
  /** How far 19 of 20 runs are from where they were expected. */
  readonly jitterSeconds: number;
  /** Runs that it was learnt from. */
  readonly runs: number;
  readonly lastAt: number;
  /** null where none is expected within a week. */
  readonly nextAt: number | null;
  /** When runs were expected that nobody heard of, newest first, at most 50. */
  readonly missed: readonly number[];
  readonly missedCount: number;
  /** Runs expected while events may not have been heard: of them nothing is known. */
  readonly unheard: number;
}

const LEAST_CONFIDENCE = 0.5;
const MOST_MISSED = 50;
const WEEK = 7 * 86_400;

/**
 * Recognises what runs periodically by its cadence: a fixed interval, or minutes, hours and days of the week. Null where no
 * pattern holds for nearly all runs: what runs at random, in bursts, or was seen too rarely has none. Needs two turns of a
 * pattern at least, so what runs once a month is not recognised from weeks.
 * @param times when it was run, in any order @param unheard spans in which runs may not have been heard
 */
export function learnSchedule(
  times: readonly number[],
  now: number,
  unheard: readonly UnheardSpan[] = [],
): Schedule | null {
  const runs = [...times].filter((at) => at <= now + 60).sort((a, b) => a - b);
  const [first, lastAt] = [runs[0], runs.at(-1)];
  if (first === undefined || lastAt === undefined) return null;
  // a calendar says more where both fit
  const fit = fitCalendar(runs, now) ?? fitInterval(runs);
  if (fit === null) return null;
  const confidence = (fit.fit * runs.length) / (runs.length + 2);
  if (confidence < LEAST_CONFIDENCE) return null;
  const absent = withoutRun(fit.expected(first, now - fit.patienceSeconds), runs, fit);
  const isUnheard = (at: number): boolean =>
    unheard.some(({ from, to }) => at >= from - fit.patienceSeconds && at <= to + fit.patienceSeconds);
  const missed = absent.filter((at) => !isUnheard(at));
  return {
    everySeconds: fit.everySeconds,
    cron: fit.cron,
    zone: fit.zone,
    confidence,
    jitterSeconds: fit.jitterSeconds,
    runs: runs.length,
    lastAt,
    nextAt: fit.expected(now, now + WEEK)[0] ?? null,
    missed: missed.toReversed().slice(0, MOST_MISSED),
    missedCount: missed.length,
    unheard: absent.length - missed.length,
  };
}

/** Of what was expected, where no run came; a run stands for one. */
function withoutRun(expected: readonly number[], runs: readonly number[], { patienceSeconds }: Fit): number[] {
  let next = 0;
  return expected.filter((at) => {
    while ((runs[next] ?? Number.POSITIVE_INFINITY) < at - patienceSeconds) next++;
    const isThere = (runs[next] ?? Number.POSITIVE_INFINITY) <= at + patienceSeconds;
    if (isThere) next++;
    return !isThere;
  });
}
