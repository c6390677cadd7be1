import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../../test/wire.ts';
import { parsePythonJson } from '../json.ts';
import { depthOf, parseJsonTree, writeJsonTree } from './json-tree.ts';

const again = (text: string): string => writeJsonTree(parseJsonTree(text));

test.each([
  ['[1, 1.0, 1e400, -0, -0.0, 1.50, 12345678901234567890]', '[1,1.0,1e400,-0,-0.0,1.50,12345678901234567890]'],
  ['[NaN, Infinity , -Infinity,null,true,false]', '[NaN,Infinity,-Infinity,null,true,false]'],
  [' {"a" : [ ] , "b":{ }, "__proto__": 1}\n', '{"a":[],"b":{},"__proto__":1}'],
  ['["\\u00e9\\/\\"\\\\", "\\ud83c\\udf89", "\\ud800", "]}, "]', '["é/\\"\\\\","🎉","\\ud800","]}, "]'],
])('%s keeps its digits and loses its spaces', (text, written) => {
  expect(again(text)).toBe(written);
  expect(parsePythonJson(written)).toEqual(parsePythonJson(text));
});

test.each([['{"a":1,"a":2}'], ['[{"a":1,"\\u0061":2}]'], ['[1,]'], ['[01]'], ['nan'], ["['a']"], ['[1] 2'], ['']])(
  '%s is refused',
  (text) => {
    expect(codeOf(() => parseJsonTree(text))).toBe('CELERY_JSON_INVALID');
  },
);

test('any JSON means the same afterwards, and is written in one way only', () => {
  fc.assert(
    fc.property(fc.json(), fc.boolean(), (text, isSpaced) => {
      const spaced = isSpaced ? JSON.stringify(JSON.parse(text), null, '\t') : text;
      expect(again(spaced)).toBe(again(again(spaced)));
      expect(parsePythonJson(again(spaced))).toEqual(parsePythonJson(text));
    }),
    { numRuns: 2000 },
  );
});

test('levels are counted', () => {
  expect(['1', '[]', '[[],{"a":[1]}]'].map((text) => depthOf(parseJsonTree(text)))).toEqual([0, 1, 3]);
  expect(codeOf(() => parseJsonTree('['.repeat(513) + ']'.repeat(513)))).toBe('CELERY_TOO_DEEP');
});
