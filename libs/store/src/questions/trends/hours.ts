import { z } from 'zod';
import type { Store } from '../../store.ts';
import { HOUR, MINUTE, isLong } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import { countsOf, paramsOf, spanOf, timesWhere, type TrendInput } from './scope.ts';

/** An hour of the week, all weeks of the span together. */
export interface HourOfWeek {
  /** 1 = Monday. */
  readonly weekday: number;
  readonly hour: number;
  readonly started: number;
  readonly ended: number;
  readonly failed: number;
  readonly busy_seconds: number;
}

const hourRow = z.object({
  ...{ weekday: z.number(), hour: z.number(), started: z.number(), ended: z.number(), failed: z.number() },
  busy_seconds: z.number(),
});

/**
 * When most is done: hours in which something happened, in order.
 * @param input.timeZone whose hours, e.g. `Europe/Berlin`
 * @throws StoreError
 */
export async function busiestHours(
  store: Store,
  input: Omit<TrendInput, 'bucketSeconds'> & { readonly timeZone: string },
  options: AskOptions = {},
): Promise<HourOfWeek[]> {
  const { from, to, timeZone } = input;
  const mayBeHours = isLong(input) || (from % HOUR === 0 && to % HOUR === 0);
  const width = mayBeHours && hasWholeHours(timeZone) ? HOUR : MINUTE;
  const span = { ...spanOf({ ...input, bucketSeconds: width }, width), bucket: width };
  const { table, time } = countsOf(input, span);
  return ask(
    store,
    'trend hours',
    hourRow,
    `SELECT toDayOfWeek(r.${time}, 0, {timeZone:String}) AS weekday, toHour(r.${time}, {timeZone:String}) AS hour,
            sum(r.started) AS started, sum(r.succeeded + r.failed + r.revoked + r.rejected) AS ended,
            sum(r.failed) AS failed, sum(r.runtime_sum) AS busy_seconds
     FROM ${store.database}.${table} AS r
     WHERE ${timesWhere(store, input, time)}
     GROUP BY weekday, hour
     ORDER BY weekday, hour`,
    { ...paramsOf(input, span), timeZone },
    options,
  );
}

/** Whether the hours of a zone begin with those of UTC, in January and in July. */
function hasWholeHours(timeZone: string): boolean {
  const minutes = new Intl.DateTimeFormat('en', { timeZone, minute: 'numeric' });
  return [0, 182 * 24].every((hours) => Number(minutes.format(Date.UTC(2026, 0, 1, hours))) === 0);
}
