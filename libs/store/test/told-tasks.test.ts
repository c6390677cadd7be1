import { expect, test } from 'vitest';
import { insertTasks, toldTasks } from '../src/index.ts';
import { openMigratedStore, task } from './database.ts';

const T = Math.floor(Date.now() / 1000) - 3600;

test('a task is told as it stands now, what is empty as not told', async () => {
  await using store = await openMigratedStore();
  const full = {
    ...{
      name: 'shop.buy',
      args: "(1.0, 'it''s')",
      kwargs: '{}',
      queue: 'shop',
      exchange: 'topics',
      routing_key: 'a.b',
    },
    ...{ eta: '2026-01-01T00:00:00Z', expires: '2026-01-02T00:00:00Z' },
  };
  await insertTasks(store, {
    rows: [
      task('a', T, { ...full, state: 'STARTED', version: 1 }),
      task('a', T, { ...full, state: 'FAILURE', version: 2, args: '(2,)' }),
      task('b', T - 50_000, { name: '', args: '', kwargs: '', queue: 'celery', exchange: '', routing_key: 'celery' }),
      task('c', T, { name: '', args: '', kwargs: '', queue: '', exchange: 'fanned', routing_key: '' }),
      task('d', T, { queue: '', exchange: '', routing_key: '' }),
      task('a', T, { ...full, cluster: 'other', args: '(3,)' }),
    ],
    token: '1',
  });
  const told = await toldTasks(store, { cluster: 'prod', taskIds: ['a', 'b', 'c', 'd', "no'such"] });
  expect([...told.keys()]).toEqual(['a', 'b', 'c', 'd']);
  expect(told.get('a')).toEqual({
    state: 'FAILURE',
    told: {
      ...{ name: 'shop.buy', args: '(2,)', kwargs: '{}', queue: 'shop', exchange: 'topics', routingKey: 'a.b' },
      ...{ eta: '2026-01-01T00:00:00Z', expires: '2026-01-02T00:00:00Z' },
    },
  });
  expect(told.get('b')?.told).toMatchObject({
    name: null,
    args: null,
    kwargs: null,
    exchange: '',
    routingKey: 'celery',
  });
  expect(told.get('b')?.told).toMatchObject({ queue: 'celery', eta: null, expires: null });
  expect(told.get('c')?.told).toMatchObject({ queue: null, exchange: 'fanned', routingKey: '' });
  expect(told.get('d')?.told).toMatchObject({ queue: null, exchange: null, routingKey: null });
});

test('where it is known when tasks were first seen, only those are read', async () => {
  await using store = await openMigratedStore();
  await insertTasks(store, { rows: [task('a', T), task('b', T - 50_000)], token: '1' });
  const ask = { cluster: 'prod', taskIds: ['a', 'b'] };
  expect([...(await toldTasks(store, { ...ask, seen: { from: T - 1, to: T + 1 } })).keys()]).toEqual(['a']);
  expect([...(await toldTasks(store, { ...ask, seen: { from: T - 50_000, to: T } })).keys()]).toEqual(['a', 'b']);
  const many = Array.from({ length: 1_001 }, String);
  await expect(toldTasks(store, { cluster: 'prod', taskIds: many })).rejects.toThrow('at most 1000');
});
