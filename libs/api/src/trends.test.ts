import { expect, test } from 'vitest';
import { trendInput, trendSpan } from './trends.ts';

const NOW = 1_795_000_123;

test.each([
  ['15m', 120, 10],
  ['1h', 120, 30],
  ['24h', 120, 900],
  ['24h', 48, 1_800],
  ['7d', 120, 7_200],
  ['30d', 120, 21_600],
  ['90d', 120, 86_400],
] as const)(
  '%s with room for %i points has points of %i s, the newest of which is now',
  (range, points, bucketSeconds) => {
    const span = trendSpan({ range, points }, NOW);
    expect(span.bucketSeconds).toBe(bucketSeconds);
    expect((span.to - span.from) / bucketSeconds).toBeLessThanOrEqual(points);
    expect([span.from % bucketSeconds, span.to % bucketSeconds]).toEqual([0, 0]);
    expect(span.to).toBeGreaterThan(NOW);
    expect(span.to - bucketSeconds).toBeLessThanOrEqual(NOW);
  },
);

test('a span between two times is widened to whole points', () => {
  expect(trendSpan({ from: NOW, to: NOW + 86_400, points: 120 }, 0)).toEqual({
    from: Math.floor(NOW / 900) * 900,
    to: Math.ceil((NOW + 86_400) / 900) * 900,
    bucketSeconds: 900,
  });
  expect(trendSpan({ from: NOW, to: NOW + 1, points: 120 }, 0)).toEqual({ from: NOW, to: NOW + 1, bucketSeconds: 1 });
  expect(trendSpan({ from: 0, to: 400 * 86_400, points: 10 }, 0).bucketSeconds).toBe(30 * 86_400 * 2);
});

test('as many points as were asked for are the most, whatever the span', () => {
  for (const days of [1, 3, 10, 33, 100, 399]) {
    for (const points of [10, 77, 1_000]) {
      const { from, to } = trendInput.parse({ from: NOW, to: NOW + days * 86_400, points });
      const span = trendSpan({ from, to, points }, NOW);
      // the first and the last may be there in part
      expect((span.to - span.from) / span.bucketSeconds).toBeLessThanOrEqual(points + 1);
    }
  }
});
