import type { Bucket } from '@meadow/bus';
import { askResultsSubject, BUCKETS, clusterStatus, eventId, type ClusterStatus } from '@meadow/contract';
import { openStore } from '@meadow/store';
import { waitFor } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeOpenTasks, type EndsOptions } from '../src/ends.ts';
import { life, openRig, type Rig } from './rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
}, 60_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** A worker that was heard of once, at `at`, and this much of a task of it. */
async function fallSilent(cluster: string, at: number, events: number): Promise<void> {
  const worker = 'celery@w1';
  const event_id = eventId(cluster, worker, 1, 1, 'worker-heartbeat', '', at);
  const beat = { cluster, event_id, worker, pid: 1, freq: 2, active: 0, processed: 0 };
  await rig.publishLines('worker', cluster, [{ ...beat, type: 'worker-heartbeat', timestamp: at, collected_at: at }]);
  await rig.publish(cluster, life(cluster, 1).slice(0, events));
  await rig.settled(cluster, events);
}

const freed = (): Promise<unknown> =>
  waitFor(async () => (await rig.bus.events.state()).messages === 0, { what: 'a free stream', deadlineMs: 40_000 });

/** As told by the collector that holds it. */
const heard = (cluster: string, at: number): ClusterStatus => ({
  ...{ cluster, state: 'connected', since: at - 50_000, error: null, endpoint: '', transport: 'redis' },
  ...{ events: 0, rejected: 0, gaps: 0, lastEventAt: null, reportedAt: at + 5_000, collector: 'c' },
});

const statusesOf = (name: string): Promise<Bucket<ClusterStatus>> =>
  rig.bus.bucket(name, (value) => clusterStatus.parse(value));

async function stateOf(cluster: string): Promise<unknown> {
  const query = `SELECT state, end_reason FROM tasks WHERE cluster = '${cluster}'`;
  return (await rig.store.query({ query, format: 'JSONEachRow' })).json();
}

test('what a silent worker had only received is given up after an hour, though nothing was found of what it had started', async () => {
  const cluster = 'silent';
  const at = Math.floor(Date.now() / 1000);
  await using _aggregator = await rig.aggregator();
  await fallSilent(cluster, at, 2);
  await freed();

  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const statuses = await statusesOf(BUCKETS.status);
  await statuses.put(cluster, heard(cluster, at));
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
  await expect.poll(() => sweeps, { timeout: 15_000 }).toBe(2);
  expect(await stateOf(cluster)).toEqual([{ state: 'RECEIVED', end_reason: '' }]);
  await expect
    .poll(() => stateOf(cluster), { timeout: 20_000 })
    .toEqual([{ state: 'LOST', end_reason: 'worker-lost' }]);
  expect(given).toBe(1);
  over.abort();
  await Promise.all([closing, answering]);
}, 120_000);

test('nothing is concluded while the stream is behind, the broker is away or the result backend does not answer', async () => {
  const at = Math.floor(Date.now() / 1000);
  await using _aggregator = await rig.aggregator();
  const clusters = ['behind', 'failed', 'unreported', 'refused', 'unanswered', 'lost'] as const;
  for (const cluster of clusters) await fallSilent(cluster, at, 3);
  await freed();
  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const over = new AbortController();
  const { signal } = over;
  const { requests, events } = rig.bus;
  const answers = clusters.map((cluster) => {
    const answer = async (): Promise<unknown> => {
      if (cluster === 'refused') throw new Error('the backend does not answer');
      return { readable: true, ended: [] };
    };
    return cluster === 'unanswered' ? null : requests.answer(askResultsSubject(cluster), answer, signal);
  });
  const sweeps = new Map<string, number>();
  const lost: string[] = [];
  const closing = clusters.map(async (cluster) => {
    // each with nothing else in sight
    const statuses = await statusesOf(`test_${cluster}`);
    const status = heard(cluster, at);
    if (cluster === 'failed') await statuses.put(cluster, { ...status, state: 'failed' });
    else if (cluster === 'unreported') await statuses.put(cluster, { ...status, reportedAt: at });
    else await statuses.put(cluster, status);
    const stream: EndsOptions['stream'] = {
      state: async () => {
        sweeps.set(cluster, (sweeps.get(cluster) ?? 0) + 1);
        const state = await events.state();
        return cluster === 'behind' ? { ...state, firstAt: at + 5 } : { ...state, firstAt: null };
      },
      publish: (...message) => events.publish(...message),
    };
    const told = { onLost: (which: string) => void lost.push(which), onFound: ignore, onUnanswered: ignore };
    const now = (): number => Date.now() / 1000 + 400;
    return closeOpenTasks({ ...{ store, stream, requests, statuses, graceSeconds: 60, signal, now }, ...told });
  });
  const ended = Promise.allSettled([...closing, ...answers]);
  await waitFor(() => clusters.every((cluster) => (sweeps.get(cluster) ?? 0) >= 2), {
    what: 'a whole sweep of each',
    deadlineMs: 40_000,
  });
  await expect.poll(() => stateOf('lost'), { timeout: 20_000 }).toEqual([{ state: 'LOST', end_reason: 'worker-lost' }]);
  expect(lost).toEqual(['lost']);
  over.abort();
  await ended;
  for (const cluster of clusters.slice(0, -1)) {
    expect(await stateOf(cluster), cluster).toEqual([{ state: 'STARTED', end_reason: '' }]);
  }
}, 120_000);

const ignore = (): void => undefined;
