import { expect, test } from 'vitest';
import { isGrave, missingFacts, shareOf } from './broker-facts.ts';

test('what is not known is told once for each reason', () => {
  const unknown = { channels: 'redis does not tell', role: 'no right', rates: 'redis does not tell' };
  expect(missingFacts(unknown)).toEqual([
    { why: 'redis does not tell', facts: ['Channels', 'Message rates'] },
    { why: 'no right', facts: ['Role'] },
  ]);
  expect(missingFacts({})).toEqual([]);
});

test('without a limit nothing is full', () => {
  expect(shareOf(5, 10)).toBe(0.5);
  expect(shareOf(12, 10)).toBe(1);
  expect(shareOf(5, null)).toBeNull();
  expect(shareOf(5, 0)).toBeNull();
  expect(shareOf(null, 10)).toBeNull();
});

test('what stops messages is graver than what may', () => {
  expect(isGrave({ alarm: 'memory', says: '' })).toBe(true);
  expect(isGrave({ alarm: 'eviction', says: '' })).toBe(false);
});
