import { expect, test } from 'vitest';
import { lines } from '../../test/recorded.ts';
import { parseJsonTree } from './json-tree.ts';
import { safeRepr } from './saferepr.ts';

interface Vector {
  readonly text: string;
  readonly json: string | null;
}

test("every value that JSON has is written, and cut, as Celery's own saferepr does it", () => {
  const vectors = lines<Vector>('saferepr/saferepr.jsonl').filter(({ json }) => json !== null);
  expect(vectors.length).toBeGreaterThan(600);
  for (const { text, json } of vectors) {
    expect(safeRepr(parseJsonTree(json ?? ''), text.startsWith('(') ? 'tuple' : 'value')).toBe(text);
  }
});

test.each([
  ['[1]', '(1,)'],
  ['[]', '()'],
  ['[NaN, -Infinity, 1e400, -0, -0.0]', '(nan, -inf, inf, 0, -0.0)'],
  ['[1E5, 0.0001, 0.00001, 1e16, 123456789012345.0]', '(100000.0, 0.0001, 1e-05, 1e+16, 123456789012345.0)'],
])('%s is %s', (json, text) => {
  expect(safeRepr(parseJsonTree(json), 'tuple')).toBe(text);
});

test('characters are counted as Python counts them', () => {
  const text = (characters: number) => safeRepr(parseJsonTree(JSON.stringify('🎉'.repeat(characters))));
  expect(text(1023)).toBe(`'${'🎉'.repeat(1023)}'`);
  expect(text(1024)).toBe(`'${'🎉'.repeat(1024)}...'`);
});
