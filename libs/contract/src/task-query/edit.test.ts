import { expect, test } from 'vitest';
import { formatTerm, formatText, toggleValue, withTerm } from './edit.ts';
import { parseTaskQuery } from './parse.ts';

const NASTY = [
  '',
  'a b',
  'a,b',
  '"',
  '\\',
  '\\"',
  '~x',
  '=x',
  'x"y',
  '-x',
  '*',
  "it's",
  '💥\t\n',
  'a:b',
  '..',
  'C:\\new',
];

test.each(NASTY)('a term of the value %j means that value', (value) => {
  for (const not of [false, true]) {
    expect(parseTaskQuery(formatTerm('name', '=', [value, 'b'], not), 0).terms).toMatchObject([
      { not, kind: 'text', field: 'name', values: [{ how: 'exact', value }, { value: 'b' }] },
    ]);
  }
  const [contains] = value === '' ? [] : parseTaskQuery(formatTerm('args', ':~', [value]), 0).terms;
  if (value !== '') expect(contains).toMatchObject({ values: [{ how: 'contains', value }] });
});

test.each([...NASTY.slice(1), 'state:x', 'plain', 'a-b', 'runtime>3'])('%j as a free text means that text', (text) => {
  expect(parseTaskQuery(formatText(text), 0).terms).toMatchObject([{ kind: 'free', text, not: false }]);
  expect(parseTaskQuery(formatText(text, true), 0).terms).toMatchObject([{ kind: 'free', text, not: true }]);
});

test('only what needs quotes gets them', () => {
  expect(formatTerm('state', ':', ['FAILURE', 'RETRY'])).toBe('state:FAILURE,RETRY');
  expect(formatTerm('name', ':', ['my task'], true)).toBe('-name:"my task"');
  expect(formatText('refused')).toBe('refused');
});

test('a term is added at the end', () => {
  expect(withTerm('', 'a')).toBe('a');
  expect(withTerm('a ', 'b')).toBe('a b');
});

test('a value is switched on and off, whatever else the text holds', () => {
  expect(toggleValue('', 'state', 'RETRY')).toBe('state:RETRY');
  expect(toggleValue('x state:RETRY y', 'state', 'FAILURE')).toBe('x state:RETRY,FAILURE y');
  expect(toggleValue('x state:RETRY,FAILURE y', 'state', 'RETRY')).toBe('x state:FAILURE y');
  expect(toggleValue('x state:RETRY y', 'state', 'RETRY')).toBe('x y');
  expect(toggleValue('-state:RETRY', 'state', 'RETRY')).toBe('-state:RETRY state:RETRY');
  expect(toggleValue('name:"a b" "un', 'name', 'c d')).toBe('name:"a b","c d" "un');
  expect(toggleValue('name:', 'name', 'x')).toBe('name:x');
});
