import type { QueueSample } from '@meadow/contract';
import { expect, test } from 'vitest';
import { insertQueueSamples, insertTaskEvents, queueHistory, queueList } from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql } from './database.ts';

const NOW = Math.floor(Date.now() / 1000);
const HOUR = Math.floor(NOW / 3600) * 3600 - 3600;
const DAY = 86_400;

const sample = (queue: string, at: number, more: Partial<QueueSample> = {}): QueueSample => ({
  ...{
    cluster: 'prod',
    queue,
    at,
    kind: 'classic',
    source: 'management',
    ready: 0,
    unacked: 0,
    consumers: 1,
    bytes: 0,
  },
  ...{ oldest_age_seconds: null, published_per_second: 0, delivered_per_second: 0, by_priority: null },
  ...more,
});

test('a queue tells its newest figures and when it was seen first and last, in whatever order samples come', async () => {
  const samples = [
    sample('mail', HOUR + 20.25, {
      ready: 9,
      unacked: 2,
      consumers: 0,
      oldest_age_seconds: 4.5,
      by_priority: { '0': 6, '9': 3 },
    }),
    sample('mail', HOUR, { ready: 1 }),
    sample('mail', HOUR + 10, { ready: 500, by_priority: { '0': 500 } }),
    sample('celery', HOUR, { kind: 'list', source: 'redis', ready: null, unacked: null, consumers: null, bytes: null }),
    sample('mail', HOUR + 5, { cluster: 'test', ready: 77 }),
  ];
  const writes = [[[0, 1, 2, 3, 4]], [[4], [3], [2], [1], [0]], [[2], [0, 4], [1, 3]]];
  for (const places of writes) {
    await using store = await openMigratedStore();
    for (const part of places) {
      const rows = part.map((place) => samples[place]!);
      // as a repeated batch brings them, and as somebody brings them again
      for (const token of ['one', 'one', 'two']) await insertQueueSamples(store, { rows, token: `${token} ${part}` });
    }
    const { at: _, ...newest } = samples[0]!;
    const { at: __, ...other } = samples[3]!;
    const rows = await queueList(store, { cluster: 'prod', now: NOW });
    expect(rows).toEqual([
      { ...other, first_seen_at: HOUR, last_seen_at: HOUR, sampled_at: HOUR },
      { ...newest, first_seen_at: HOUR, last_seen_at: HOUR + 20.25, sampled_at: HOUR + 20.25 },
    ]);
    expect(await queueList(store, { cluster: 'test', now: NOW })).toMatchObject([{ queue: 'mail', ready: 77 }]);
    const all = await queueList(store, { now: NOW });
    expect(all.map(({ cluster, queue, ready }) => [cluster, queue, ready])).toEqual([
      ['prod', 'celery', null],
      ['prod', 'mail', 9],
      ['test', 'mail', 77],
    ]);
    await sql(store, 'OPTIMIZE TABLE meadow.queues_raw FINAL');
    await sql(store, 'OPTIMIZE TABLE meadow.queue_samples FINAL');
    expect(await queueList(store, { cluster: 'prod', now: NOW })).toEqual(rows);
    expect(await sql(store, 'SELECT count() AS samples FROM meadow.queue_samples')).toEqual([{ samples: 5 }]);
  }
});

test('a name that only tasks tell is kept for 30 days, and one that was sampled for longer if that is asked for', async () => {
  await using store = await openMigratedStore();
  const minute = HOUR - (HOUR % 60);
  const events = [
    event('task-sent', 'a', minute - 29 * DAY + 5, { name: 'n', queue: 'monthly' }),
    event('task-received', 'a', minute - 20 * DAY + 5, { name: 'n', queue: 'monthly' }),
    event('task-sent', 'b', minute - 31 * DAY, { name: 'n', queue: 'forgotten' }),
    event('task-sent', 'c', minute - 50 * DAY, { name: 'n', queue: 'both' }),
    event('task-sent', 'd', minute + 5, { name: 'n', queue: 'both' }),
    event('task-received', 'e', minute, { name: 'n', queue: '' }),
    event('task-sent', 'f', minute, { cluster: 'test', name: 'n', queue: 'other' }),
  ];
  await insertTaskEvents(store, { lines: linesOf(events), token: '1' });
  const samples = [sample('both', HOUR - 10 * DAY, { ready: 4 }), sample('old', HOUR - 100 * DAY, { ready: 3 })];
  await insertQueueSamples(store, { rows: samples, token: '1' });
  const listed = async (silentSeconds?: number) =>
    (await queueList(store, { cluster: 'prod', now: NOW, silentSeconds })).map(
      ({ queue, ready, first_seen_at, last_seen_at, sampled_at }) => [
        queue,
        ready,
        first_seen_at,
        last_seen_at,
        sampled_at,
      ],
    );
  const both = ['both', 4, HOUR - 10 * DAY, minute, HOUR - 10 * DAY];
  const monthly = ['monthly', null, minute - 29 * DAY, minute - 20 * DAY, null];
  expect(await listed()).toEqual([both, monthly]);
  expect(await listed(200 * DAY)).toEqual([
    both,
    monthly,
    ['old', 3, HOUR - 100 * DAY, HOUR - 100 * DAY, HOUR - 100 * DAY],
  ]);
  expect(await listed(DAY)).toEqual([['both', null, minute, minute, null]]);

  const other = [event('task-sent', 'g', minute, { cluster: 'test', name: 'n', queue: 'both' })];
  await insertTaskEvents(store, { lines: linesOf(other), token: '2' });
  await insertQueueSamples(store, { rows: [sample('other', HOUR, { cluster: 'test', ready: 5 })], token: '2' });
  const all = await queueList(store, { now: NOW });
  expect(all.map(({ cluster, queue, ready, sampled_at }) => [cluster, queue, ready, sampled_at])).toEqual([
    ['prod', 'both', 4, HOUR - 10 * DAY],
    ['prod', 'monthly', null, null],
    ['test', 'both', null, null],
    ['test', 'other', 5, HOUR],
  ]);
});

test('a history has a point for every span, and where nobody looked a gap instead of a zero', async () => {
  await using store = await openMigratedStore();
  const rows = [
    sample('q', HOUR, { ready: 10, unacked: 4, oldest_age_seconds: 1, consumers: 3, published_per_second: 2 }),
    sample('q', HOUR + 30, { ready: 20, unacked: null, oldest_age_seconds: 9, consumers: 1, published_per_second: 4 }),
    sample('q', HOUR + 120, { ready: 0 }),
    sample('q', HOUR + 180, { ready: 1000 }),
    sample('other', HOUR + 60, { ready: 1000 }),
  ];
  await insertQueueSamples(store, { rows, token: '1' });
  await insertQueueSamples(store, { rows, token: '2' });
  const asked = { cluster: 'prod', queue: 'q', from: HOUR + 1, to: HOUR + 170, bucketSeconds: 60 };
  const { bucket_seconds, series } = await queueHistory(store, asked);
  expect(bucket_seconds).toBe(60);
  expect(series).toEqual([
    {
      ...{ at: HOUR, samples: 2, ready: 15, ready_max: 20, unacked: 4, unacked_max: 4, consumers: 1, bytes: 0 },
      ...{ oldest_age_seconds: 9, published_per_second: 3, delivered_per_second: 0 },
    },
    {
      ...{ at: HOUR + 60, samples: 0, ready: null, ready_max: null, unacked: null, unacked_max: null },
      ...{ consumers: null, bytes: null, oldest_age_seconds: null },
      ...{ published_per_second: null, delivered_per_second: null },
    },
    {
      ...{ at: HOUR + 120, samples: 1, ready: 0, ready_max: 0, unacked: 0, unacked_max: 0, consumers: 1, bytes: 0 },
      ...{ oldest_age_seconds: null, published_per_second: 0, delivered_per_second: 0 },
    },
  ]);
  const month = await queueHistory(store, { ...asked, from: NOW - 30 * DAY, to: NOW, bucketSeconds: 1 });
  expect(month.series.length).toBeLessThanOrEqual(1_001);
  expect(month.series.reduce((sum, point) => sum + point.samples, 0)).toBe(4);
});
