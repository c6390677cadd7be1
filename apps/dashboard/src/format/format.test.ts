import { describe, expect, test } from 'vitest';
import { formatDuration, formatSeconds } from './duration.ts';
import { delta, formatBytes, formatCount, formatRate, formatShare } from './number.ts';
import { asSentence } from './sentence.ts';
import { formatAbsolute, formatClock, formatRelative } from './time.ts';

describe('durations', () => {
  test.each([
    [null, '–'],
    [Number.NaN, '–'],
    [0, '0 s'],
    [0.00042, '0.42 ms'],
    [0.0042, '4.2 ms'],
    [0.0123, '12 ms'],
    [0.9996, '1.00 s'],
    [1.236, '1.24 s'],
    [12.34, '12.3 s'],
    [59.96, '1 m 00 s'],
    [65, '1 m 05 s'],
    [3600 * 3 + 600, '3 h 10 m'],
    [86_400 * 4 + 3600 * 6, '4 d 6 h'],
    [-1.5, '−1.50 s'],
  ])('%s seconds read as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test.each([
    [null, '–'],
    [39, '39 s'],
    [0.5, '500 ms'],
    [65, '1 m 05 s'],
  ])('%s whole seconds read as %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});

describe('times', () => {
  const now = 1_700_000_000;
  test.each([
    [now - 1, 'now'],
    [now - 12, '12s ago'],
    [now - 240, '4m ago'],
    [now - 7200, '2h ago'],
    [now - 86_400 * 3, '3d ago'],
    [now + 600, 'in 10m'],
  ])('relative time of %s is %s', (at, text) => {
    expect(formatRelative(at, now)).toBe(text);
  });

  test('the clock is in the zone of the viewer and names another day', () => {
    const place = { locale: 'en-GB', timeZone: 'Asia/Tokyo' };
    expect(formatClock(now, now, place)).toBe('07:13:20');
    expect(formatClock(now - 86_400, now, place)).toBe('14 Nov 07:13:20');
  });

  test('the absolute time has milliseconds and the zone', () => {
    expect(formatAbsolute(now + 0.125, { locale: 'en-GB', timeZone: 'UTC' })).toMatch(/14 Nov 2023.*22:13:20\.125 UTC/);
  });
});

describe('numbers', () => {
  test('counts are grouped and then shortened', () => {
    expect([formatCount(0), formatCount(12_345), formatCount(1_234_567), formatCount(null)]).toEqual([
      '0',
      '12,345',
      '1.2M',
      '–',
    ]);
  });

  test('rates keep the digits that matter', () => {
    expect([formatRate(0), formatRate(0.123), formatRate(12.34), formatRate(1234.5)]).toEqual([
      '0',
      '0.12',
      '12.3',
      '1,235',
    ]);
  });

  test('a small share is never shown as none', () => {
    expect([formatShare(0), formatShare(0.00001), formatShare(0.0042), formatShare(0.5), formatShare(1)]).toEqual([
      '0%',
      '<0.01%',
      '0.42%',
      '50.0%',
      '100%',
    ]);
  });

  test('bytes climb through their units', () => {
    expect([formatBytes(12), formatBytes(1_500), formatBytes(123_456_789)]).toEqual(['12 B', '1.5 KB', '123 MB']);
  });

  test('a delta says which way and how far, and nothing without a before', () => {
    expect(delta(110, 100)).toEqual({ direction: 'up', text: '10%' });
    expect(delta(50, 100)).toEqual({ direction: 'down', text: '50%' });
    expect(delta(500, 100)).toEqual({ direction: 'up', text: '×5.0' });
    expect(delta(5, 0)).toEqual({ direction: 'up', text: 'new' });
    expect(delta(100.1, 100)?.direction).toBe('same');
    expect(delta(1, null)).toBeNull();
    expect(delta(0, 0)).toBeNull();
  });
});

test('words end like a sentence, once', () => {
  expect(asSentence('the broker is gone')).toBe('the broker is gone.');
  expect(asSentence('is it reachable from here?')).toBe('is it reachable from here?');
  expect(asSentence('')).toBe('');
});
