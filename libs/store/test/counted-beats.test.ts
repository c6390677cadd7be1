import { afterAll, beforeAll, expect, test } from 'vitest';
import { countedBeats, insertTaskEvents, insertWorkerSamples, type Store } from '../src/index.ts';
import { event, linesOf, openMigratedStore } from './database.ts';

const now = Math.floor(Date.now() / 1000);
const holder = { cluster: 'prod', worker: 'w@h', pid: 7 };
let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
});
afterAll(() => store[Symbol.asyncDispose]());

const told = (type: string, id: string, age: number, more: object = {}) =>
  event(`task-${type}`, id, now - age, { worker: 'w@h', pid: 7, ...more });

test('a heartbeat knows of the tasks that it counted those that began before it and were heard to end after it', async () => {
  const events = [
    ...[told('started', 'long', 50), told('succeeded', 'long', 20)],
    ...[told('started', 'again', 45), told('retried', 'again', 40), told('started', 'again', 30), told('failed', 'again', 10)],
    // heard twice
    told('succeeded', 'long', 20, { event_id: 'f'.repeat(16) }),
    // never ends
    told('started', 'silent', 48),
    // was lost, and started again: when it ended is not known
    ...[told('started', 'lost', 47), told('started', 'lost', 24), told('failed', 'lost', 22)],
    // the end of which the start was not heard
    told('succeeded', 'headless', 15),
    // another process of the same name, and a task of no length
    ...[told('started', 'other', 50, { pid: 8 }), told('succeeded', 'other', 5, { pid: 8 })],
    ...[told('started', 'short', 35.1), told('succeeded', 'short', 34.9)],
  ]; // prettier-ignore
  let number = 0;
  const beats = [46, 42, 35, 23, 12, 5].map((age) => ({
    ...{
      cluster: 'prod',
      event_id: (++number).toString(16).padStart(16, '0'),
      type: 'worker-heartbeat',
      worker: 'w@h',
    },
    ...{ pid: 7, timestamp: now - age, collected_at: now - age, active: 3 },
  }));
  await insertTaskEvents(store, { lines: linesOf(events), token: '1' });
  await insertWorkerSamples(store, { lines: linesOf(beats), token: '1' });
  const counted = await countedBeats(store, { holder, from: now - 100, to: now });
  const expected: [number, number][] = [[46, 1], [42, 2], [35, 1], [23, 3], [12, 1], [5, 0]]; // prettier-ignore
  expect(counted).toEqual(expected.map(([age, ended]) => ({ at: now - age, active: 3, ended })));
  expect(await countedBeats(store, { holder: { ...holder, pid: 9 }, from: now - 100, to: now })).toEqual([]);
});
