import type { SqlColumn } from '@meadow/api';
import { expect, test } from 'vitest';
import { chooseChart, draw, fitting } from './chart-choice.ts';

const minute: SqlColumn = { name: 'minute', type: "DateTime('UTC')" };
const queue: SqlColumn = { name: 'queue', type: 'LowCardinality(String)' };
const ready: SqlColumn = { name: 'ready', type: 'UInt64' };
const age: SqlColumn = { name: 'age', type: 'Nullable(Float64)' };
const at = (minutes: number): string => `2026-11-20 10:0${minutes}:00`;
const unix = (minutes: number): number => Date.UTC(2026, 10, 20, 10, minutes) / 1000;

test('numbers over time are lines, one a column', () => {
  expect(chooseChart([minute, ready, age], [[at(0), '1', 2]])).toEqual({
    ...{ kind: 'line', x: 'minute', y: ['ready', 'age'], by: null },
  });
});

test('where a time stands in many rows, a text parts them', () => {
  const rows = [
    [at(1), 'high', '5'],
    [at(0), 'high', '3'],
    [at(1), 'low', '7'],
  ];
  const columns = [minute, queue, ready];
  const choice = chooseChart(columns, rows);
  expect(choice).toEqual({ kind: 'line', x: 'minute', y: ['ready'], by: 'queue' });
  expect(draw(choice!, columns, rows)).toMatchObject({
    ...{ scale: 'time', x: [unix(0), unix(1)] },
    series: [
      { label: 'high', values: [3, 5] },
      { label: 'low', values: [undefined, 7] },
    ],
  });
});

test('texts get bars in the order of the rows, numbers alone a cloud, and without numbers there is nothing', () => {
  const bars = chooseChart([queue, ready], [['b', 1]]);
  expect(bars).toMatchObject({ kind: 'bar', x: 'queue', y: ['ready'] });
  const rows = [
    ['b', 1],
    ['', null],
    ['a', 3],
  ];
  expect(draw(bars!, [queue, ready], rows)).toMatchObject({
    ...{ scale: 'category', x: [0, 1, 2], labels: ['b', '(empty)', 'a'] },
    series: [{ values: [1, null, 3] }],
  });
  expect(chooseChart([ready, age], [[1, 2]])).toEqual({ kind: 'scatter', x: 'ready', y: ['age'], by: null });
  expect(chooseChart([queue], [['a']])).toBeNull();
  expect(chooseChart([ready], [[1]])).toBeNull();
  expect(chooseChart([queue, ready], [])).toBeNull();
});

test('points of a cloud that share an x are all there', () => {
  const rows = [
    [2, 5],
    [1, 1],
    [1, 9],
  ];
  expect(draw({ kind: 'scatter', x: 'ready', y: ['age'], by: null }, [ready, age], rows)).toMatchObject({
    ...{ x: [1, 1, 2], series: [{ values: [1, 9, 5] }] },
  });
});

test('what is left out is counted', () => {
  const rows = Array.from({ length: 150 }, (_, index) => [`q${index}`, index]);
  const bars = draw({ kind: 'bar', x: 'queue', y: ['ready'], by: null }, [queue, ready], rows);
  expect(bars.labels).toHaveLength(100);
  expect(bars.leftOut).toEqual({ series: 0, places: 50 });
  const timed = rows.map(([name, value]) => [at(0), name ?? '', value ?? 0]);
  const lines = draw({ kind: 'line', x: 'minute', y: ['ready'], by: 'queue' }, [minute, queue, ready], timed);
  expect(lines.leftOut).toEqual({ series: 142, places: 0 });
});

test('a choice survives a change of the statement as far as its columns do', () => {
  const choice = { kind: 'area', x: 'minute', y: ['age', 'ready'], by: 'queue' } as const;
  expect(fitting(choice, [minute, ready], [[at(0), 1]])).toEqual({ ...choice, y: ['ready'], by: null });
  expect(fitting(choice, [queue, ready], [['a', 1]])).toMatchObject({ kind: 'bar', x: 'queue' });
});
