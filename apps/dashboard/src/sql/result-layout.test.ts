import { expect, test } from 'vitest';
import { asJson, asTsv, rowsInView, widthsOf } from './result-layout.ts';

const columns = [
  { name: 'task_id', type: 'String' },
  { name: 'n', type: 'UInt64' },
];

test('columns are as wide as what stands in them, within bounds', () => {
  expect(widthsOf(columns, [['x'.repeat(500), '123456789']])).toEqual([42, 9]);
  expect(widthsOf(columns, [])).toEqual([7, 6]);
});

test('only rows in and near the view are drawn', () => {
  const at = (top: number) => rowsInView({ top, height: 300, rowHeight: 30 }, 10_000);
  expect(at(0)).toEqual({ from: 0, to: 18 });
  expect(at(3000)).toEqual({ from: 92, to: 118 });
  expect(at(9_999_999)).toEqual({ from: 10_000, to: 10_000 });
  expect(rowsInView({ top: 0, height: 300, rowHeight: 30 }, 2)).toEqual({ from: 0, to: 2 });
});

test('rows are copied with a cell for each column, whatever is in them', () => {
  expect(
    asTsv(columns, [
      ['a\tb\nc', null],
      ['', '5'],
    ]),
  ).toBe('a b c\t\n\t5');
  expect(JSON.parse(asJson(columns, ['a', null]))).toEqual({ task_id: 'a', n: null });
});
