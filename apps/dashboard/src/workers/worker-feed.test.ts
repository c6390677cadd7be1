import type { WorkerLine } from '@meadow/api';
import { expect, test } from 'vitest';
import { sampleWorker } from './sample-worker.ts';
import { mergeWorkers, workerKey } from './worker-feed.ts';

const line = sampleWorker;
const pushed = (...rows: WorkerLine[]) => new Map(rows.map((row) => [workerKey(row), row]));

test('newer facts replace older ones and keep what only the store knows', () => {
  const { succeeded_last_hour: _s, failed_last_hour: _f, ...row } = line('a', { active: 3, last_heartbeat_at: 102 });
  expect(mergeWorkers([line('a')], new Map([[workerKey(row), row]]))).toMatchObject([
    { active: 3, succeeded_last_hour: 5 },
  ]);
});

test('an older push changes nothing', () => {
  expect(mergeWorkers([line('a')], pushed(line('a', { state: 'offline', last_heartbeat_at: 50 })))).toMatchObject([
    { state: 'online' },
  ]);
});

test('a worker that was not known joins; trouble comes first', () => {
  const merged = mergeWorkers([line('a'), line('c', { state: 'offline' })], pushed(line('b', { state: 'lost' })));
  expect(merged.map((each) => each.worker)).toEqual(['b', 'a', 'c']);
});

test('workers of the same name on two clusters are two', () => {
  expect(workerKey(line('a'))).not.toBe(workerKey(line('a', { cluster: 'other' })));
});
