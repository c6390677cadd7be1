import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import { MINUTE, minutesWhere, paramsOf, spanOf, type TrendInput } from './scope.ts';

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
  const span = spanOf({ ...input, bucketSeconds: MINUTE }, MINUTE);
  return ask(
    store,
    'trend hours',
    hourRow,
    `SELECT toDayOfWeek(r.minute, 0, {timeZone:String}) AS weekday, toHour(r.minute, {timeZone:String}) AS hour,
            sum(r.started) AS started, sum(r.succeeded + r.failed + r.revoked + r.rejected) AS ended,
            sum(r.failed) AS failed, sum(r.runtime_sum) AS busy_seconds
     FROM ${store.database}.task_rollup AS r
     WHERE ${minutesWhere(store, input)}
     GROUP BY weekday, hour
     ORDER BY weekday, hour`,
    { ...paramsOf(input, span), timeZone: input.timeZone },
    options,
  );
}
