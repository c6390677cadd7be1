import { expect, test } from 'vitest';
import { EMPTY_ADDRESS, readFragment, writeFragment, type ConsoleAddress } from './address.ts';

test('a link carries statement, values, view and chart, whatever they hold', () => {
  const address: ConsoleAddress = {
    statement: `SELECT '#&=+%', "ü"\n-- {a:String}`,
    parameters: { a: 'x & y', since: '2026-11-20 10:00:00' },
    view: 'chart',
    chart: { kind: 'area', x: 'minute', y: ['a b', 'c'], by: 'queue' },
    run: true,
  };
  expect(readFragment(`#${writeFragment(address)}`)).toEqual(address);
});

test('nothing to tell is an empty fragment', () => {
  expect(writeFragment(EMPTY_ADDRESS)).toBe('');
  expect(readFragment('')).toEqual(EMPTY_ADDRESS);
});

test('what is not understood is left out', () => {
  expect(readFragment('#q=SELECT%201&view=sphere&chart=pie&x=a')).toEqual({ ...EMPTY_ADDRESS, statement: 'SELECT 1' });
  expect(readFragment('#section')).toEqual(EMPTY_ADDRESS);
});
