import { expect, test } from 'vitest';
import { RANGES, rangeSeconds, spanOf } from './range.ts';

test('a span is of whole buckets, as long as its name says, and holds the moment it is asked at', () => {
  for (const range of RANGES) {
    for (const now of [1_700_000_000.25, 1_700_000_040, 1_699_999_999.999]) {
      const { from, to, bucketSeconds } = spanOf(range, now);
      expect([from % bucketSeconds, to % bucketSeconds, bucketSeconds % 60]).toEqual([0, 0, 0]);
      expect(to - from).toBe(rangeSeconds(range));
      expect(to).toBeGreaterThan(now);
      expect(to - now).toBeLessThanOrEqual(bucketSeconds);
    }
  }
});
