import { expect, test } from 'vitest';
import { groupPools, skewText } from './pools.ts';
import { sampleWorker } from './sample-worker.ts';

const NOW = 100_000;

test('a rolling deployment of five hundred pods is one line without a dead one', () => {
  const old = Array.from({ length: 500 }, (_, index) =>
    sampleWorker(`celery@web-a-${index}`, { state: 'offline', last_heard_at: NOW - 60 }),
  );
  const fresh = Array.from({ length: 500 }, (_, index) => sampleWorker(`celery@web-b-${index}`, { active: 2 }));
  const pools = groupPools([...old, ...fresh], NOW);
  expect(pools).toMatchObject([{ pool: 'celery@web', online: 500, lost: 0, active: 1000 }]);
  expect(pools[0]?.current).toHaveLength(500);
  expect(pools[0]?.gone).toHaveLength(500);
});

test('a lost worker is shown for an hour, first of all', () => {
  const lost = (seconds: number) =>
    sampleWorker('celery@b', { pool: 'celery@b', state: 'lost', last_heard_at: NOW - seconds });
  const calm = sampleWorker('celery@a', { pool: 'celery@a' });
  expect(groupPools([calm, lost(3500)], NOW).map(({ pool, lost: count }) => [pool, count])).toEqual([
    ['celery@b', 1],
    ['celery@a', 0],
  ]);
  expect(groupPools([calm, lost(3700)], NOW)).toMatchObject([{ pool: 'celery@a' }, { lost: 0, current: [] }]);
});

test('the same pool name on two clusters is two pools', () => {
  expect(groupPools([sampleWorker('celery@a'), sampleWorker('celery@a', { cluster: 'other' })], NOW)).toHaveLength(2);
});

test.each([
  [null, null],
  [0.3, null],
  [-1.9, null],
  [3.25, '3.3 s behind'],
  [-3600, '60 min ahead'],
  [9000, '2.5 h behind'],
])('an offset of %s s reads %s', (offset, text) => {
  expect(skewText(offset)).toBe(text);
});
