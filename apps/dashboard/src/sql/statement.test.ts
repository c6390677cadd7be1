import { expect, test } from 'vitest';
import { codeOf, isBlank, lineAndColumn, parametersOf } from './statement.ts';

test('open values are found once each, with types that hold commas, quotes and brackets', () => {
  const statement = `SELECT {name:String}, { since : DateTime64(6, 'UTC') }
    WHERE state IN {states:Array(String)} AND name = {name:String} AND k = {k:Enum8('a}' = 1)}`;
  expect(parametersOf(statement)).toEqual([
    { name: 'name', type: 'String' },
    { name: 'since', type: "DateTime64(6, 'UTC')" },
    { name: 'states', type: 'Array(String)' },
    { name: 'k', type: "Enum8('a}' = 1)" },
  ]);
});

test.each([
  `'{a:String}'`,
  `'it''s {a:String}'`,
  String.raw`'\'{a:String}'`,
  `"{a:String}"`,
  '`{a:String}`',
  '-- {a:String}',
  '/* {a:String} */',
  '$x$ {a:String} $x$',
  `'{a:String}`,
])('%s leaves nothing open', (text) => {
  expect(parametersOf(`SELECT ${text}\n, {b:UInt8}`).map(({ name }) => name)).toEqual(
    text === `'{a:String}` ? [] : ['b'],
  );
});

test('map literals are not open values', () => {
  expect(parametersOf(`SELECT {'a': 1}`)).toEqual([]);
});

test('comments and texts are blanked out where they stand', () => {
  const text = `SELECT 'FROM x' -- FROM y\nFROM z`;
  expect(codeOf(text)).toHaveLength(text.length);
  expect(codeOf(text).replaceAll(/\s+/g, ' ')).toBe('SELECT FROM z');
});

test('comments alone are nothing to run', () => {
  expect(isBlank(' -- later\n/* or never */ ')).toBe(true);
  expect(isBlank(`-- one\nSELECT 1`)).toBe(false);
  expect(isBlank(`'text'`)).toBe(false);
});

test('a place is told as line and column', () => {
  expect(lineAndColumn('ab\ncd', 0)).toEqual({ line: 1, column: 1 });
  expect(lineAndColumn('ab\ncd', 4)).toEqual({ line: 2, column: 2 });
});
