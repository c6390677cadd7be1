import { BUCKETS, type AuditRecord, type QueueSample } from '@meadow/contract';
import { waitFor } from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Intent } from '../src/intent.ts';
import { exactly, life, lives, openRig, type Rig } from './rig.ts';

let rig: Rig;

const audit = (cluster: string): AuditRecord => ({
  ...{
    id: randomUUID(),
    at: Date.now() / 1000,
    cluster,
    actor: 'ann',
    signed_in: 'basic',
    address: '',
    user_agent: '',
  },
  ...{ action: 'queue.purge', target_kind: 'queue', targets: ['q'], arguments: '{}', outcome: 'done', detail: '' },
  ...{ answers: '', duration_seconds: 0.1, request_id: 'r', replica: 'control-1' },
});

const sample = (cluster: string, at: number): QueueSample => ({
  ...{ cluster, queue: 'q', at, kind: 'list', source: 'redis', ready: 3, unacked: 1, consumers: null, bytes: null },
  ...{ oldest_age_seconds: 2.5, published_per_second: null, delivered_per_second: null, by_priority: { '0': 3 } },
});

beforeAll(async () => {
  rig = await openRig();
}, 60_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

test('counts in events, tasks and rollups are exact though the aggregator is killed in the middle of writing', async () => {
  const tasks = 30_000;
  const kills = 6;
  let running = await rig.aggregator();
  const intents = await rig.bus.bucket(BUCKETS.intents, (value) => value as Intent);
  const done = new AbortController();
  // an intent is put when the rows of its batch are about to be written: that is when it hurts most
  const killing = (async () => {
    let killed = 0;
    for await (const change of intents.watch(done.signal)) {
      if (change.kind !== 'put' || change.value.to === 0) continue;
      await delay(Math.random() * 70);
      await running.kill9();
      running = await rig.aggregator();
      if (++killed === kills) break;
    }
    return killed;
  })();
  for (let index = 0; index < tasks; index += 200) {
    await rig.publish('killed', lives('killed', index, 200));
    await delay(40);
  }
  await waitFor(async () => (await Promise.race([killing, delay(1, null)])) !== null, {
    what: `the aggregator to be killed ${kills} times`,
    deadlineMs: 120_000,
  });
  expect(await killing).toBe(kills);
  await rig.expectExactly('killed', tasks);
  await running.stop();
}, 240_000);

test('counts are exact though ClickHouse is killed in the middle of writing, and NATS in between', async () => {
  const kills = 6;
  await using _running = await rig.aggregator();
  const intents = await rig.bus.bucket(BUCKETS.intents, (value) => value as Intent);
  const done = new AbortController();
  let killed = 0;
  const killing = (async () => {
    for await (const change of intents.watch(done.signal)) {
      if (change.kind !== 'put' || change.value.to === 0) continue;
      await delay(Math.random() * 70);
      await rig.meadow.clickhouse.kill9();
      await rig.meadow.clickhouse.restart();
      if (++killed === kills) break;
    }
  })();
  let tasks = 0;
  const publish = async (): Promise<void> => {
    await rig.publish('outage', lives('outage', tasks, 200));
    tasks += 200;
    await delay(40);
  };
  for (const end = performance.now() + 60_000; killed < kills && performance.now() < end;) await publish();
  done.abort();
  await killing;
  expect(killed).toBe(kills);
  for (let round = 0; round < 20; round++) await publish();
  await rig.meadow.nats.kill9();
  await rig.meadow.nats.restart();
  await waitFor(() => rig.bus.connected, { what: 'NATS to be back', deadlineMs: 15_000 });
  for (let round = 0; round < 20; round++) await publish();
  await rig.expectExactly('outage', tasks);
}, 150_000);

test('while ClickHouse is away no more than two batches are taken, the rest stays in NATS, and is stored afterwards', async () => {
  await using running = await rig.aggregator();
  await rig.publish('held', lives('held', 0, 100));
  await rig.expectExactly('held', 100);
  await rig.meadow.clickhouse.kill9();
  process.kill(running.pid, 'SIGSTOP');
  // 400,000 events, four batches
  for (let index = 1; index <= 200; index++) await rig.publish('held', lives('held', index * 500, 500));
  process.kill(running.pid, 'SIGCONT');
  const waiting = async (): Promise<number> => {
    const text = await (await fetch(`${running.url}/metrics`)).text();
    return Number(/^meadow_hop_waiting_messages\{hop="nats-aggregator".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  await waitFor(async () => (await waiting()) > 0, { what: 'the aggregator to take more', deadlineMs: 20_000 });
  let before = -1;
  const atRest = async (): Promise<boolean> => {
    const now = await waiting();
    const same = now === before;
    before = now;
    return same;
  };
  await waitFor(atRest, { what: 'the aggregator to take no more', deadlineMs: 30_000, everyMs: 1_500 });
  // of 1,600 messages 800 are two batches, and 64 are read ahead
  expect(before).toBeGreaterThan(650);
  await rig.meadow.clickhouse.restart();
  await rig.expectExactly('held', 100_100);
}, 120_000);

test('what the store refuses for another reason than the rows is written when that is mended, and not kept aside', async () => {
  await using running = await rig.aggregator();
  await rig.publish('refused', lives('refused', 0, 10));
  await rig.expectExactly('refused', 10);
  await rig.store.command({ query: 'ALTER TABLE task_events ADD CONSTRAINT never CHECK 0' });
  await rig.publish('refused', lives('refused', 10, 10));
  await waitFor(() => running.log().includes('VIOLATED_CONSTRAINT'), { what: 'a refusal', deadlineMs: 10_000 });
  await rig.store.command({ query: 'ALTER TABLE task_events DROP CONSTRAINT never' });
  await rig.expectExactly('refused', 20);
}, 60_000);

test('what two collectors heard counts once, also across a restart', async () => {
  const tasks = 1_000;
  const events = lives('twice', 0, tasks);
  const first = await rig.aggregator();
  await rig.publish('twice', events);
  await rig.expectExactly('twice', tasks);
  await rig.publish('twice', events);
  await first.stop();
  await using _second = await rig.aggregator();
  await rig.publish('twice', events);
  await rig.publish('twice-end', life('twice-end', 1));
  await rig.settled('twice-end', 4);
  expect(await rig.counts('twice')).toEqual(exactly(tasks));
}, 60_000);

test('a task whose events come backwards and in pieces, with a restart between, ends as the same row', async () => {
  const [sent, received, started, succeeded] = life('pieces', 1);
  const first = await rig.aggregator();
  await rig.publish('pieces', [succeeded!, started!]);
  await rig.settled('pieces', 2);
  await first.stop();
  await using _second = await rig.aggregator();
  await rig.publish('pieces', [received!]);
  await rig.settled('pieces', 3);
  await rig.publish('pieces', [sent!]);
  await rig.settled('pieces', 4);
  const read = async (): Promise<Record<string, unknown>[]> => {
    const answer = await rig.store.query({
      query: `SELECT * FROM tasks WHERE cluster = 'pieces'`,
      format: 'JSONEachRow',
    });
    return answer.json<Record<string, unknown>>();
  };
  await waitFor(async () => (await read())[0]?.['queue'] === 'q', {
    what: 'the last row of the task',
    deadlineMs: 10_000,
  });
  const rows = await read();
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ state: 'SUCCESS', name: 'shop.t1', queue: 'q', runtime_seconds: 0.1, attempts: 1 });
  expect(Number(rows[0]?.['wait_seconds'])).toBeCloseTo(0.2, 5);
}, 60_000);

test('a batch that was written whole before the kill is written again in other words, and counts once', async () => {
  const tasks = 100;
  const cluster = 'again';
  const at = Math.floor(Date.now() / 1000);
  const first = await rig.aggregator();
  const beat = {
    cluster,
    event_id: 'be'.repeat(8),
    type: 'worker-heartbeat',
    timestamp: at,
    collected_at: at,
    worker: 'w@h',
  };
  const poison = { cluster, collected_at: at, reason: 'CELERY_JSON_INVALID', size: 1, body: '{' };
  const gap = {
    cluster,
    collector: 'c',
    started_at: at - 1,
    ended_at: at,
    reason: 'disconnected',
    estimated_events: 1,
  };
  await rig.publishLines('worker', cluster, [beat]);
  await rig.publishLines('poison', cluster, [poison]);
  await rig.publishLines('gap', cluster, [gap]);
  await rig.publishLines('audit', cluster, [audit(cluster)]);
  await rig.publishLines('queue', cluster, [sample(cluster, at)]);
  await rig.publish(cluster, lives(cluster, 0, tasks));
  await rig.expectExactly(cluster, tasks);
  await first.kill9();
  // what is kept for another time is another row to the store: nothing but the token tells it that it has the batch already
  const clusters = await rig.bus.bucket(BUCKETS.clusters, (value) => value);
  await clusters.put(cluster, { name: cluster, broker: 'redis://localhost', retention: { events: 33 } });
  await using second = await rig.aggregator();
  await waitFor(() => second.log().includes('its last batch is written again'), {
    what: 'recovery',
    deadlineMs: 15_000,
  });
  await waitFor(async () => (await rig.places()).every(({ writer }) => writer?.includes(`-${second.pid}-`)), {
    what: 'the partitions to be taken over',
    deadlineMs: 15_000,
  });
  await rig.expectExactly(cluster, tasks);
  const others = await rig.store.query({
    query: `SELECT (SELECT count() FROM worker_samples WHERE cluster = 'again'), (SELECT count() FROM poison WHERE cluster = 'again'),
                   (SELECT count() FROM ingest_gaps WHERE cluster = 'again'), (SELECT count() FROM audit WHERE cluster = 'again'),
                   (SELECT count() FROM queue_samples WHERE cluster = 'again'), (SELECT count() FROM queues WHERE cluster = 'again')`,
    format: 'JSONCompactEachRow',
  });
  expect((await others.json<string[]>()).flat().map(Number)).toEqual([1, 1, 1, 1, 1, 1]);
}, 60_000);

test('an audit record that is published again counts once, also across a restart; a kind of a later release is kept aside', async () => {
  const cluster = 'audited';
  const [first, second] = [audit(cluster), audit(cluster)];
  const ids = async (): Promise<string[]> => {
    const answer = await rig.store.query({
      query: `SELECT id FROM audit WHERE cluster = 'audited' ORDER BY id`,
      format: 'JSONEachRow',
    });
    return (await answer.json<{ id: string }>()).map(({ id }) => id);
  };
  const before = await rig.aggregator();
  await rig.publishLines('audit', cluster, [first, first]);
  await waitFor(async () => (await ids()).length > 0, { what: 'the record', deadlineMs: 10_000 });
  await rig.publishLines('audit', cluster, [first]);
  await before.stop();
  await using _after = await rig.aggregator();
  const later = Buffer.from('{"of":"a later release"}\n');
  await rig.bus.events.publish(`meadow.events.later.${cluster}.0`, later, { id: 'later', count: 1, collector: 'test' });
  await rig.publishLines('audit', cluster, [first, second]);
  await waitFor(async () => (await ids()).includes(second.id), { what: 'the second record', deadlineMs: 10_000 });
  expect(await ids()).toEqual([first.id, second.id].sort());
  const aside = await rig.store.query({
    query: `SELECT reason, body FROM poison WHERE cluster = 'audited'`,
    format: 'JSONEachRow',
  });
  expect(await aside.json()).toEqual([{ reason: 'BATCH_KIND_UNKNOWN', body: later.toString() }]);
}, 60_000);
