import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ingestLoss,
  insertLoss,
  insertTaskEvents,
  insertWorkerSamples,
  lossMeasuredUntil,
  measureLoss,
  type Store,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql } from './database.ts';

let store: Store;
/** A border of the ten minutes that answers are summed up by. */
const FROM = Math.floor(Date.now() / 1000 / 600) * 600 - 600;
const window = { from: FROM, to: FROM + 60 };

beforeEach(async () => {
  store = await openMigratedStore();
});
afterEach(() => store[Symbol.asyncDispose]());

let tokens = 0;

/** Heartbeats as [seconds into the window, processed]. */
async function heartbeats(worker: string, pid: number, samples: readonly (readonly [number, number])[]): Promise<void> {
  const rows = samples.map(([at, processed]) => {
    const { task_id: _, ...sample } = event('worker-heartbeat', '', FROM + at, { worker, pid, processed });
    return sample;
  });
  await insertWorkerSamples(store, { lines: linesOf(rows), token: `h${++tokens}` });
}

async function starts(worker: string, pid: number, at: readonly number[]): Promise<void> {
  const rows = at.map((second) => event('task-started', crypto.randomUUID(), FROM + second, { worker, pid }));
  await insertTaskEvents(store, { lines: linesOf(rows), token: `s${++tokens}` });
}

test('starts between two heartbeats that were not heard are lost, to the last one', async () => {
  await heartbeats('celery@a', 1, [[-5, 100], [10, 104], [50, 107]]); // prettier-ignore
  await starts('celery@a', 1, [-6, -1, 2, 9, 20, 49.9, 50.5]);
  expect(await measureLoss(store, window)).toEqual([
    { cluster: 'prod', started_at: FROM, ended_at: FROM + 60, workers: 1, expected: 7, heard: 5, unmeasured: 0 },
  ]);
});

test('an outage counts in the window in which the worker is heard again', async () => {
  await heartbeats('celery@a', 1, [[-300, 100], [5, 160], [9, 161]]); // prettier-ignore
  await starts('celery@a', 1, [-310, 8]);
  expect(await measureLoss(store, window)).toMatchObject([{ expected: 61, heard: 1 }]);
});

test('a restarted worker begins anew, be its pid another or the same', async () => {
  await heartbeats('celery@a', 1, [[-5, 500], [10, 503]]); // prettier-ignore
  await starts('celery@a', 1, [1, 2, 3]);
  await heartbeats('celery@a', 2, [[20, 0], [40, 2]]); // prettier-ignore
  await starts('celery@a', 2, [30, 31]);
  // in a container every worker is process 1
  await heartbeats('celery@b', 1, [[-5, 90], [10, 92], [20, 0], [40, 4]]); // prettier-ignore
  await starts('celery@b', 1, [1, 2, 30, 31, 32, 33]);
  expect(await measureLoss(store, window)).toMatchObject([{ workers: 2, expected: 5, heard: 5, unmeasured: 6 }]);
});

test('a worker whose clock was set back goes on to be measured', async () => {
  const beat = { worker: 'celery@a', pid: 1 };
  const { task_id: _, ...ahead } = event('worker-heartbeat', '', FROM + 3_000, { ...beat, processed: 90 });
  await insertWorkerSamples(store, { lines: linesOf([{ ...ahead, collected_at: FROM - 60 }]), token: 'ahead' });
  await heartbeats('celery@a', 1, [[-5, 100], [10, 102]]); // prettier-ignore
  await starts('celery@a', 1, [1, 2]);
  expect(await measureLoss(store, window)).toMatchObject([{ workers: 1, expected: 2, heard: 2, unmeasured: 0 }]);
});

test('of a worker whose task events are off nothing is claimed', async () => {
  await heartbeats('celery@off', 1, [[-5, 100], [50, 140]]); // prettier-ignore
  await heartbeats('celery@idle', 1, [[-5, 7], [50, 7]]); // prettier-ignore
  expect(await measureLoss(store, window)).toMatchObject([{ workers: 1, expected: 0, heard: 0, unmeasured: 40 }]);
});

test('a start that falls between counting and telling evens out with the next window', async () => {
  const row = { cluster: 'prod', workers: 1, unmeasured: 0 };
  const second = { ...row, started_at: FROM + 60, ended_at: FROM + 120, expected: 9, heard: 10 };
  const rows = [{ ...row, started_at: FROM, ended_at: FROM + 60, expected: 10, heard: 9 }, second];
  await insertLoss(store, { rows, token: 'a' });
  // a crash repeats a window under a token that the store has forgotten
  await insertLoss(store, { rows: [second], token: 'b' });
  const range = { from: FROM, to: FROM + 600 };
  const total = { cluster: 'prod', expected: 19, lost: 0, unmeasured: 0, measured_until: FROM + 120 };
  expect(await ingestLoss(store, { ...range, bucketSeconds: 600 })).toEqual([{ ...total, windows: [] }]);
  expect(await ingestLoss(store, { ...range, bucketSeconds: 60 })).toMatchObject([
    { windows: [{ started_at: FROM, ended_at: FROM + 60, lost: 1 }] },
  ]);
  expect(await ingestLoss(store, { ...range, cluster: 'other', bucketSeconds: 60 })).toEqual([]);
  expect(await lossMeasuredUntil(store)).toBe(FROM + 120);
});

test('nothing measured is nothing known', async () => {
  expect(await measureLoss(store, window)).toEqual([]);
  expect(await lossMeasuredUntil(store)).toBeNull();
  expect(await sql(store, 'SELECT count() AS n FROM meadow.ingest_loss')).toEqual([{ n: 0 }]);
});
