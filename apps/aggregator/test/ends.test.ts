import { askResultsSubject, BUCKETS, clusterStatus, eventId } from '@meadow/contract';
import { openStore } from '@meadow/store';
import { waitFor } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeOpenTasks } from '../src/ends.ts';
import { life, openRig, type Rig } from './rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
}, 60_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

test('what a silent worker had only received is given up after an hour, though nothing was found of what it had started', async () => {
  const cluster = 'silent';
  const [sent, received] = life(cluster, 1);
  const at = Math.floor(Date.now() / 1000);
  const worker = 'celery@w1';
  const beat = {
    cluster,
    event_id: eventId(cluster, worker, 1, 1, 'worker-heartbeat', '', at),
    worker,
    pid: 1,
    freq: 2,
  };
  await using _aggregator = await rig.aggregator();
  await rig.publishLines('worker', cluster, [
    { ...beat, type: 'worker-heartbeat', timestamp: at, collected_at: at, active: 0, processed: 0 },
  ]);
  await rig.publish(cluster, [sent!, received!]);
  await rig.settled(cluster, 2);
  await waitFor(async () => (await rig.bus.events.state()).messages === 0, {
    what: 'a free stream',
    deadlineMs: 40_000,
  });

  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const statuses = await rig.bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value));
  await statuses.put(cluster, {
    ...{ cluster, state: 'connected', since: at - 50_000, error: null, endpoint: '', transport: 'redis' },
    ...{ events: 0, rejected: 0, gaps: 0, lastEventAt: null, reportedAt: at + 5_000, collector: 'c' },
  });
  const over = new AbortController();
  const answering = rig.bus.requests.answer(
    askResultsSubject(cluster),
    async () => ({ readable: false, ended: [] }),
    over.signal,
  );
  let sweeps = 0;
  let given = 0;
  const closing = closeOpenTasks({
    store,
    stream: {
      state: () => (sweeps++, rig.bus.events.state()),
      publish: (...message) => rig.bus.events.publish(...message),
    },
    requests: rig.bus.requests,
    statuses,
    graceSeconds: 60,
    onLost: () => given++,
    onFound: () => undefined,
    onUnanswered: () => undefined,
    signal: over.signal,
    // the first look is after minutes, the second after an hour
    now: () => Date.now() / 1000 + (sweeps < 2 ? 400 : 4_000),
  }).catch((error: unknown) => error);
  const state = async (): Promise<unknown> => {
    const query = `SELECT state, end_reason FROM tasks WHERE cluster = 'silent'`;
    return (await rig.store.query({ query, format: 'JSONEachRow' })).json();
  };
  await expect.poll(() => sweeps, { timeout: 15_000 }).toBe(2);
  expect(await state()).toEqual([{ state: 'RECEIVED', end_reason: '' }]);
  await expect.poll(state, { timeout: 20_000 }).toEqual([{ state: 'LOST', end_reason: 'worker-lost' }]);
  expect(given).toBe(1);
  over.abort();
  await Promise.all([closing, answering]);
}, 120_000);
