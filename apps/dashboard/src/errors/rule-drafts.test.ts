import { expect, test } from 'vitest';
import { draftsOf, movedUp, newRule, rulesOf } from './rule-drafts.ts';

const rule = (exception: string) => ({ category: 'timeout', exception, message: '', name: '' }) as const;

test('rules stay what they are while they are edited, without blanks around patterns', () => {
  const rules = [rule('a'), rule('b')];
  expect(rulesOf(draftsOf(rules))).toEqual(rules);
  expect(rulesOf(draftsOf([rule(' a ')]))).toEqual([rule('a')]);
});

test('a rule without a pattern cannot be kept', () => {
  expect(rulesOf([newRule(), ...draftsOf([rule('a')])])).toBeNull();
  expect(rulesOf(draftsOf([rule('  ')]))).toBeNull();
});

test('keys tell rules apart, however many are added', () => {
  const drafts = [newRule(), newRule(), ...draftsOf([rule('a'), rule('b')])];
  expect(new Set(drafts.map(({ key }) => key)).size).toBe(4);
});

test('a rule is moved before the one above it, and the first stays', () => {
  const names = (at: number) => movedUp(draftsOf([rule('a'), rule('b'), rule('c')]), at).map((each) => each.exception);
  expect(names(2)).toEqual(['a', 'c', 'b']);
  expect(names(0)).toEqual(['a', 'b', 'c']);
});
