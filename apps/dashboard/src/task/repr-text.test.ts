import { expect, test } from 'vitest';
import { branchesOf, headOf, leafText, type ReprNode } from './repr-text.ts';

const one: ReprNode = { kind: 'int', value: 1 };

test('containers name their parts the way Python does', () => {
  expect(branchesOf({ kind: 'tuple', items: [one, one] })?.map((branch) => branch.label)).toEqual(['0', '1']);
  expect(branchesOf({ kind: 'set', items: [one] })?.map((branch) => branch.label)).toEqual([null]);
  const key: ReprNode = { kind: 'str', value: '__proto__' };
  expect(branchesOf({ kind: 'dict', entries: [{ key, value: one }] })?.[0]?.label).toBe(key);
  expect(
    branchesOf({ kind: 'call', name: 'A', args: [one], named: [{ name: 'b', value: one }] })?.map(
      (branch) => branch.label,
    ),
  ).toEqual([null, 'b']);
  expect(branchesOf(one)).toBeNull();
});

test('a head counts what is there, not what was cut', () => {
  expect(headOf({ kind: 'list', items: [one, { kind: 'elided', text: '' }] })).toBe('list · 1');
});

test('leaves read as Python writes them', () => {
  expect([
    leafText({ kind: 'none' }),
    leafText({ kind: 'bool', value: true }),
    leafText({ kind: 'bigint', digits: '9007199254740993' }),
  ]).toEqual(['None', 'True', '9007199254740993']);
});
