import type { TimeRange } from './options.ts';

export const MINUTE = 60;
export const HOUR = 3_600;
export const DAY = 86_400;
/** A span so long is counted by the hour: of a month of minutes there are too many for a second. Seconds. */
const LONG = 4 * DAY;
const MOST_POINTS = 1_000;

/** Whole buckets. */
export interface Buckets extends TimeRange {
  /** Width of each, seconds. */
  readonly bucket: number;
}

/**
 * A range widened to whole buckets of the width that is wanted, or the next multiple of `least` above it; wider ones where
 * there would be more than `mostPoints`.
 */
export function bucketsOf(
  { from, to }: TimeRange,
  bucketSeconds: number,
  least = 1,
  mostPoints = MOST_POINTS,
): Buckets {
  const wanted = Math.max(bucketSeconds, (to - from) / (mostPoints - 1), 1);
  const bucket = Math.ceil(wanted / least) * least;
  const begin = Math.floor(from / bucket) * bucket;
  return { bucket, from: begin, to: Math.max(Math.ceil(to / bucket) * bucket, begin + bucket) };
}

export const isLong = ({ from, to }: TimeRange): boolean => to - from > LONG;

/** The least width of buckets of counts: they are kept by the minute, and of a long range those by the hour are read. */
export const countedWidth = (range: TimeRange): number => (isLong(range) ? HOUR : MINUTE);
