import type { TimeRange } from '../options.ts';
import { DAY, HOUR } from '../buckets.ts';

/** One task by its name. */
export interface TaskTypeName {
  readonly cluster: string;
  readonly name: string;
}

/**
 * The sketches of a range, widened to whole hours, as columns cluster, name, ran and waited: whole days where they are
 * whole, and the hours before and after them. @param where what holds of `r`, besides its time
 */
export function sketchesOf(database: string, where: string): string {
  const part = (table: string, time: string): string =>
    `SELECT r.cluster AS cluster, r.name AS name, r.runtime AS ran, r.wait AS waited
     FROM ${database}.${table} AS r WHERE ${where} AND ${time}`;
  return `${part(
    'name_duration_rollup',
    `r.hour >= toDateTime({firstHour:UInt32}, 'UTC') AND r.hour < toDateTime({lastHour:UInt32}, 'UTC')
       AND (r.hour < toDateTime({firstDay:UInt32}, 'UTC') OR r.hour >= toDateTime({lastDay:UInt32}, 'UTC'))`,
  )}
     UNION ALL
     ${part(
       'name_day_duration_rollup',
       `r.day >= toDate(toDateTime({firstDay:UInt32}, 'UTC')) AND r.day < toDate(toDateTime({lastDay:UInt32}, 'UTC'))`,
     )}`;
}

/** The times that `sketchesOf` names. */
export function sketchParams({ from, to }: TimeRange): Readonly<Record<string, number>> {
  const firstHour = Math.floor(from / HOUR) * HOUR;
  const lastHour = Math.ceil(to / HOUR) * HOUR;
  const firstDay = Math.min(Math.ceil(firstHour / DAY) * DAY, lastHour);
  return { firstHour, lastHour, firstDay, lastDay: Math.max(Math.floor(lastHour / DAY) * DAY, firstDay) };
}
