import { describe, expect, test } from 'vitest';
import { sampleRow } from './sample-row.ts';
import { isNarrowed, matcher, NO_FILTER, readFilter, writeFilter } from './task-filter.ts';

describe('a filter in an address', () => {
  test('comes back as it was written, beside what else is there', () => {
    const filter = {
      cluster: 'prod',
      states: ['FAILURE', 'RETRY'],
      name: 'shop.*',
      queue: 'a&b',
      worker: 'w@h',
      text: 'x=1 "y"',
    };
    const query = writeFilter(filter, new URLSearchParams('range=6h'));
    expect(readFilter(new URLSearchParams(query.toString()))).toEqual(filter);
    expect(query.get('range')).toBe('6h');
  });

  test('takes states in any spelling, once each', () => {
    expect(readFilter(new URLSearchParams('state=failure,%20retry&state=FAILURE,')).states).toEqual([
      'FAILURE',
      'RETRY',
    ]);
  });

  test('leaves nothing behind when it is cleared', () => {
    expect(writeFilter(NO_FILTER, new URLSearchParams('state=X&q=1&range=1h')).toString()).toBe('range=1h');
  });

  test('is narrowed by anything but the cluster', () => {
    expect(isNarrowed({ ...NO_FILTER, cluster: 'a' })).toBe(false);
    expect(isNarrowed({ ...NO_FILTER, text: 'a' })).toBe(true);
    expect(isNarrowed({ ...NO_FILTER, states: ['RETRY'] })).toBe(true);
  });
});

describe('matching a pushed row', () => {
  const row = sampleRow({ task_id: 'AbC', state: 'FAILURE', exception: 'ValueError("No stock")' });
  test.each([
    [{}, true],
    [{ cluster: 'prod' }, true],
    [{ cluster: 'pro' }, false],
    [{ states: ['RETRY', 'FAILURE'] }, true],
    [{ states: ['RETRY'] }, false],
    [{ name: 'shop.tasks.charge' }, true],
    [{ name: 'shop.tasks' }, false],
    [{ name: 'shop.*' }, true],
    [{ name: '*' }, true],
    [{ queue: 'celery' }, true],
    [{ queue: 'cel' }, false],
    [{ worker: 'w1@host' }, true],
    [{ text: 'no STOCK' }, true],
    [{ text: 'abc' }, true],
    [{ text: '  ' }, true],
    [{ text: 'absent' }, false],
    [{ states: ['FAILURE'], text: 'absent' }, false],
  ])('%o: %s', (facts, matches) => {
    expect(matcher({ ...NO_FILTER, ...facts })(row)).toBe(matches);
  });
});
