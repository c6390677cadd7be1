/** The spans of time that a question may be asked of, up to now. */
export const RANGES = ['15m', '1h', '6h', '24h', '7d', '30d'] as const;
export type RangeName = (typeof RANGES)[number];

const SPANS: Readonly<Record<RangeName, { readonly seconds: number; readonly bucketSeconds: number }>> = {
  '15m': { seconds: 900, bucketSeconds: 60 },
  '1h': { seconds: 3_600, bucketSeconds: 60 },
  '6h': { seconds: 21_600, bucketSeconds: 300 },
  '24h': { seconds: 86_400, bucketSeconds: 900 },
  '7d': { seconds: 604_800, bucketSeconds: 3_600 },
  '30d': { seconds: 2_592_000, bucketSeconds: 14_400 },
};

export interface Span {
  /** Unix seconds: from included, to excluded. */
  readonly from: number;
  readonly to: number;
  readonly bucketSeconds: number;
}

export function rangeSeconds(range: RangeName): number {
  return SPANS[range].seconds;
}

/**
 * The span that a range means at `now`, of whole buckets so that a chart's points do not move between two looks. The
 * newest bucket is the one that `now` lies in.
 */
export function spanOf(range: RangeName, now: number): Span {
  const { seconds, bucketSeconds } = SPANS[range];
  const to = (Math.floor(now / bucketSeconds) + 1) * bucketSeconds;
  return { from: to - seconds, to, bucketSeconds };
}
