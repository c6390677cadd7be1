import { describe, expect, test } from 'vitest';
import { freeSpanOf, readSpan, spanInWords, writeSpan } from './span.ts';

const read = (query: string) => readSpan(new URLSearchParams(query));
const day = Date.UTC(2026, 10, 21) / 1000;

describe('a span in an address', () => {
  test.each([
    ['from=2026-11-21&to=2026-11-22', { from: day, to: day + 86_400 }],
    ['from=2026-11-21T10:00Z&to=2026-11-21T10:00:01.5', { from: day + 36_000, to: day + 36_001.5 }],
    [`from=${day}&to=${day + 60}`, { from: day, to: day + 60 }],
    ['range=6h', '6h'],
    ['range=6h&from=2026-11-21', '6h'],
    ['from=2026-11-22&to=2026-11-21&range=7d', '7d'],
    ['from=2026-21-11&to=soon', '1h'],
    ['', '1h'],
  ])('%s', (query, span) => {
    expect(read(query)).toEqual(span);
  });

  test.each([{ from: day + 36_000, to: day + 36_060 }, { from: day, to: day + 0.25 }, '7d', '1h'] as const)(
    'comes back as it was written: %o',
    (span) => {
      const written = writeSpan(span, new URLSearchParams('query=a&range=6h&from=1&to=2'));
      expect(readSpan(new URLSearchParams(written.toString()))).toEqual(span);
      expect(written.get('query')).toBe('a');
    },
  );

  test('is written to the minute where that is all there is', () => {
    expect(writeSpan({ from: day, to: day + 60 }, new URLSearchParams()).toString()).toBe(
      'from=2026-11-21T00%3A00Z&to=2026-11-21T00%3A01Z',
    );
  });

  test('begins as the range that it stands in for', () => {
    expect(freeSpanOf('24h', day - 1)).toEqual({ from: day - 86_400, to: day });
    expect(freeSpanOf('15m', day)).toEqual({ from: day - 900, to: day });
  });

  test('is told in words', () => {
    expect(spanInWords('24h')).toBe('in the last 24 hours');
    expect(spanInWords({ from: day, to: day + 60 })).toMatch(/^between .+ and .+$/);
  });
});
