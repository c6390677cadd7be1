import { expect, test } from 'vitest';
import { kindOf, laidOut, numberOf, textOf } from './cell.ts';

test.each([
  ['UInt64', 'number'],
  ['Nullable(Float64)', 'number'],
  ['LowCardinality(Nullable(String))', 'text'],
  ["Nullable(DateTime64(6, 'UTC'))", 'time'],
  ['Date', 'time'],
  ['SimpleAggregateFunction(max, Float64)', 'number'],
  ['SimpleAggregateFunction(quantile(0.5), Nullable(Float64))', 'number'],
  ['Decimal(18, 4)', 'number'],
  ['Array(Float64)', 'composite'],
  ['Map(UInt8, UInt64)', 'composite'],
  ["Enum8('a' = 1)", 'text'],
  ['Bool', 'text'],
  ['UUID', 'text'],
] as const)('%s is a %s', (type, kind) => {
  expect(kindOf(type)).toBe(kind);
});

test('times lose the zeros that say nothing, numbers lose no digit', () => {
  expect(textOf('2026-11-20 10:00:00.120000', 'time')).toBe('2026-11-20 10:00:00.12');
  expect(textOf('2026-11-20 10:00:00.000000', 'time')).toBe('2026-11-20 10:00:00');
  expect(textOf('2026-11-20 10:00:00', 'time')).toBe('2026-11-20 10:00:00');
  expect(textOf('18446744073709551615', 'number')).toBe('18446744073709551615');
  expect(textOf('1.500', 'text')).toBe('1.500');
  expect(textOf([1, null], 'composite')).toBe('[1,null]');
});

test('what is read whole is laid out when it is JSON', () => {
  expect(laidOut('{"a":1}', 'text')).toBe('{\n  "a": 1\n}');
  expect(laidOut('[not json', 'text')).toBe('[not json');
  expect(laidOut({ a: [1] }, 'composite')).toBe('{\n  "a": [\n    1\n  ]\n}');
});

test('what cannot be drawn is not drawn as 0', () => {
  expect(numberOf('18', 'number')).toBe(18);
  expect(numberOf(null, 'number')).toBeNull();
  expect(numberOf('', 'number')).toBeNull();
  expect(numberOf('nan', 'number')).toBeNull();
  expect(numberOf('12', 'text')).toBeNull();
  expect(numberOf('2026-11-20 10:00:00.5', 'time')).toBe(Date.UTC(2026, 10, 20, 10, 0, 0, 500) / 1000);
  expect(numberOf('2026-11-20', 'time')).toBe(Date.UTC(2026, 10, 20) / 1000);
});
