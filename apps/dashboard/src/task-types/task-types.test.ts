import { describe, expect, test } from 'vitest';
import { sampleSchedule, sampleType } from './sample-type.ts';
import { scheduleSays, scheduleTitle } from './schedule-words.ts';
import { nextSort, readTypeSort, typesInOrder, USUAL_SORT, writeTypeSort } from './type-list.ts';

describe('the list', () => {
  const spread = (p95: number) => ({ count: 1, mean: p95, max: p95, p50: p95, p95, p99: p95 });
  const lines = [
    sampleType('shop.buy', { ended: 10, received: 10, runtime: spread(2), queues: ['high'] }),
    sampleType('shop.mail', { ended: 99, received: 99, runtime: spread(0.1) }),
    sampleType('shop.begun', { received: 3 }),
    sampleType('shop.buy', { cluster: 'lab', ended: 10, received: 10 }),
    sampleType('shop.old'),
  ];
  const names = (only: string, text: string) =>
    typesInOrder(lines, only, readTypeSort(new URLSearchParams({ sort: text }))).map(({ cluster, name }) =>
      cluster === 'prod' ? name : `${cluster} ${name}`,
    );

  test('is sorted by any figure, what is not known last', () => {
    expect(names('', '')).toEqual(['shop.mail', 'lab shop.buy', 'shop.buy', 'shop.begun', 'shop.old']);
    expect(names('', '-p95')).toEqual(['shop.buy', 'shop.mail', 'shop.begun', 'lab shop.buy', 'shop.old']);
    expect(names('', 'p95')).toEqual(['shop.mail', 'shop.buy', 'shop.begun', 'lab shop.buy', 'shop.old']);
    expect(names('', 'name')[0]).toBe('shop.begun');
  });

  test('is narrowed by name or queue', () => {
    expect(names('BUY', '')).toEqual(['lab shop.buy', 'shop.buy']);
    expect(names('high', '')).toEqual(['shop.buy']);
  });

  test('keeps its order in the address', () => {
    for (const text of ['', 'name', '-name', '-p99', 'ended']) {
      expect(writeTypeSort(readTypeSort(new URLSearchParams({ sort: text })))).toBe(text);
    }
    expect(readTypeSort(new URLSearchParams({ sort: 'nonsense' }))).toEqual(USUAL_SORT);
    expect(nextSort('name', USUAL_SORT)).toEqual({ by: 'name', desc: false });
    expect(nextSort('p95', USUAL_SORT)).toEqual({ by: 'p95', desc: true });
    expect(nextSort('p95', { by: 'p95', desc: true })).toEqual({ by: 'p95', desc: false });
  });
});

describe('a schedule in words', () => {
  test.each([
    [{ cron: '*/5 * * * *' }, '*/5 * * * *'],
    [{ cron: null, everySeconds: 30.04 }, 'every 30 s'],
    [{ cron: null, everySeconds: 1.5 }, 'every 1.50 s'],
    [{ cron: null, everySeconds: 300.4 }, 'every 5 m 00 s'],
  ])('%j is %s', (more, words) => {
    expect(scheduleTitle(sampleSchedule(more))).toBe(words);
  });

  test('names the clock and the sender where they are known', () => {
    expect(scheduleSays(sampleSchedule())).toBe('Learnt from 30 runs, in UTC.');
    expect(scheduleSays(sampleSchedule({ cron: null, everySeconds: 30, client: 'gen7@beat' }))).toBe(
      'Learnt from 30 runs, mostly sent by gen7@beat.',
    );
    expect(scheduleSays(sampleSchedule({ zone: 'Europe/Berlin' }))).toContain('as those of Europe/Berlin are');
  });
});
