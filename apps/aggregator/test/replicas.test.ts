import { BusError, openBus } from '@meadow/bus';
import { BUCKETS, encodeTaskEvents, EVENTS_STREAM, retentionPolicy, type PipelineEvent } from '@meadow/contract';
import { migrate, openStore, type Store } from '@meadow/store';
import { waitFor, type Service } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Batch } from '../src/batch.ts';
import { PartitionTable, type Places } from '../src/partition-table.ts';
import { openPast, recall } from '../src/past.ts';
import { recoverWriter, tidy } from '../src/recovery.ts';
import type { Intent } from '../src/intent.ts';
import { Writer } from '../src/writer.ts';
import { life, lives, openRig, type Rig } from './rig.ts';

let rig: Rig;

beforeEach(async () => {
  rig = await openRig();
}, 60_000);

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

/** The partitions that a replica writes. */
async function heldBy(service: Service): Promise<number[]> {
  const places = await rig.places();
  return places.flatMap(({ writer }, partition) => (writer?.includes(`-${service.pid}-`) ? [partition] : []));
}

async function untilHeld(services: readonly Service[], deadlineMs: number): Promise<void> {
  const all = async (): Promise<boolean> => {
    const held = await Promise.all(services.map(heldBy));
    return held.every((partitions) => partitions.length > 0) && held.flat().length === 8;
  };
  await waitFor(all, { what: `partitions shared by ${services.length} aggregators`, deadlineMs });
}

async function eventsWrittenBy(service: Service): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^meadow_aggregator_events_total (\d+)/m.exec(text)?.[1] ?? 0);
}

interface Flow extends AsyncDisposable {
  /** @returns how many tasks were published */
  stop(): Promise<number>;
}

/** Publishes all the time, each event twice and the second time a second later, as two collectors would. */
function startFlow(cluster: string): Flow {
  const stopped = new AbortController();
  const flowing = (async () => {
    let tasks = 0;
    const later: PipelineEvent[][] = [];
    while (!stopped.signal.aborted || later.length > 0) {
      if (!stopped.signal.aborted) {
        const events = lives(cluster, tasks, 100);
        tasks += 100;
        await rig.publish(cluster, events);
        later.push(events);
      }
      if (later.length > 20 || stopped.signal.aborted) await rig.publish(cluster, later.shift() ?? []);
      await delay(50);
    }
    return tasks;
  })();
  const stop = (): Promise<number> => {
    stopped.abort();
    return flowing;
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

test('aggregators share the work; one that joins gets its share within ten seconds, one that stops leaves it at once', async () => {
  await using first = await rig.aggregator();
  await untilHeld([first], 10_000);
  await using flow = startFlow('shared');
  await using second = await rig.aggregator();
  await untilHeld([first, second], 10_000);
  await using third = await rig.aggregator();
  await untilHeld([first, second, third], 10_000);
  for (const service of [first, second, third]) {
    await waitFor(async () => (await eventsWrittenBy(service)) > 1_000, { what: 'events written by each' });
  }
  await second.stop();
  // sooner than silence would tell
  await untilHeld([first, third], 5_000);
  await rig.expectExactly('shared', await flow.stop());
  // what all have written is not kept for anybody
  await waitFor(async () => (await rig.bus.events.state()).messages === 0, {
    what: 'a free stream',
    deadlineMs: 40_000,
  });
}, 120_000);

test('counts are exact though replicas are killed in the middle of writing, one after the other', async () => {
  const kills = 4;
  const replicas = [await rig.aggregator(), await rig.aggregator(), await rig.aggregator()];
  await untilHeld(replicas, 30_000);
  await using flow = startFlow('killed');
  const intents = await rig.bus.bucket(BUCKETS.intents, (value) => value as Intent);
  let killed = 0;
  // an intent is put when the rows of its batch are about to be written, by its writer or by who recovers it
  for await (const change of intents.watch(AbortSignal.timeout(100_000))) {
    if (change.kind !== 'put' || change.value.to === 0) continue;
    const at = replicas.findIndex((replica) => change.key.includes(`-${replica.pid}-`));
    const replica = replicas[at];
    if (replica === undefined) continue;
    await delay(Math.random() * 70);
    await replica.kill9();
    if (++killed === kills) break;
    replicas[at] = await rig.aggregator();
  }
  expect(killed).toBe(kills);
  await rig.expectExactly('killed', await flow.stop());
  for (const replica of replicas) await replica.stop();
}, 180_000);

test('a replica that stands still for 15 s loses its partitions, and writes nothing twice when it wakes', async () => {
  await using first = await rig.aggregator();
  await using second = await rig.aggregator();
  await untilHeld([first, second], 30_000);
  await using flow = startFlow('paused');
  await waitFor(async () => (await eventsWrittenBy(first)) > 1_000, { what: 'the first to write' });
  process.kill(first.pid, 'SIGSTOP');
  await delay(15_000);
  expect(await heldBy(second)).toHaveLength(8);
  process.kill(first.pid, 'SIGCONT');
  await untilHeld([first, second], 15_000);
  await rig.expectExactly('paused', await flow.stop());
}, 120_000);

const PARTITIONS = [0, 1, 2, 3, 4, 5, 6, 7];

/** What a term works with, every partition of it written up to position 3 and free. */
async function openDesk(store: Store) {
  await migrate(store);
  const { createdAt: stream } = await rig.bus.events.state();
  const intents = await rig.bus.bucket(BUCKETS.intents, (value) => value as Intent);
  const table = new PartitionTable(await rig.bus.bucket(BUCKETS.partitions, (value) => value as Places));
  const signal = AbortSignal.timeout(30_000);
  const ignore = (): void => undefined;
  const told = { onRetry: ignore, onBuried: ignore };
  const inserts = { store, signal, retentionOf: () => retentionPolicy.parse({}), poolOf: () => 'p', ...told };
  await table.begin(async () => stream);
  await table.take('before.1', new Set(PARTITIONS));
  await table.release('before.1', new Map(PARTITIONS.map((partition) => [partition, 3])));
  return { stream, intents, table, signal, inserts };
}

test('what a crash would have to repeat is not freed, nor what any partition still waits for', async () => {
  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const { stream, intents, table, inserts } = await openDesk(store);
  for (let index = 0; index < 12; index++) await rig.publish('kept', life('kept', index));
  const firstKept = async (): Promise<number> => {
    await tidy({ bus: rig.bus, table, intents, inserts }, () => true);
    return (await rig.bus.events.state()).firstSeq;
  };
  const memory = await recall(new Set([2, 5]), inserts);
  const writer = await Writer.open(intents, 'one.1', stream, inserts);
  const taken = await table.take('one.1', new Set([2, 5]));
  await writer.write(new Batch(1, memory), taken, 7, []);
  expect(await firstKept()).toBe(4);
  // the others go on: what this one has begun decides
  await table.take('two.1', new Set(PARTITIONS));
  await table.release('two.1', new Map([0, 1, 3, 4, 6, 7].map((partition) => [partition, 11])));
  expect(await firstKept()).toBe(4);
  await writer.write(new Batch(2, memory), new Map([...taken.keys()].map((partition) => [partition, 7])), 9, []);
  expect(await firstKept()).toBe(8);
  await table.release('one.1', new Map([...taken.keys()].map((partition) => [partition, 9])));
  expect(await firstKept()).toBe(10);
}, 60_000);

test('a writer that was taken for dead can begin no other batch, and its partitions go on where its last one ends', async () => {
  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const { stream, intents, table, signal, inserts } = await openDesk(store);
  const writer = await Writer.open(intents, 'paused.1', stream, inserts);
  const taken = await table.take('paused.1', new Set([2, 5]));
  expect(Object.fromEntries(taken)).toEqual({ 2: 3, 5: 3 });
  const batch = new Batch(1, await recall(new Set([2, 5]), inserts));
  await writer.write(batch, taken, 7, []);
  // from the first step of its recovery on, however far that comes
  const away = await openBus({ url: rig.meadow.nats.url, name: 'away', signal });
  await away[Symbol.asyncDispose]();
  await expect(recoverWriter('paused.1', { bus: away, table, intents, inserts })).rejects.toThrow(BusError);
  await expect(writer.write(batch, taken, 9, [])).rejects.toMatchObject({ code: 'BUS_CONFLICT' });
  await recoverWriter('paused.1', { bus: rig.bus, table, intents, inserts });
  await expect(writer.write(batch, taken, 9, [])).rejects.toMatchObject({ code: 'BUS_CONFLICT' });
  const goesOn = await table.take('other.1', new Set([1, 2, 5]));
  expect(Object.fromEntries(goesOn)).toEqual({ 1: 3, 2: 7, 5: 7 });
}, 60_000);

const messageOf = (cluster: string, events: readonly PipelineEvent[]) => ({
  ...{ seq: 4, partition: 0, publishedAt: 0, pending: 0 },
  ...{ kind: 'task' as const, cluster, count: events.length, data: encodeTaskEvents(events) },
});

test('a batch says what was known when it was begun: what comes while it is announced stays out of its rows', async () => {
  await using store = openStore({ url: rig.meadow.clickhouse.url });
  const { stream, intents, inserts } = await openDesk(store);
  const writer = await Writer.open(intents, 'late.1', stream, inserts);
  const memory = await recall(new Set(PARTITIONS), inserts);
  const [sent, received, started] = life('late', 1);
  const one = new Batch(1, memory);
  one.add(messageOf('late', [received!, started!]));
  await one.resolve(openPast(inserts));
  const writing = writer.write(one, new Map([[0, 3]]), 4, []);
  // it was sent earlier than received: a longer wait
  new Batch(2, memory).add(messageOf('late', [sent!]));
  await writing;
  const query = `SELECT type, queue, wait_seconds FROM task_events WHERE cluster = 'late' ORDER BY timestamp`;
  const rows = await (await rig.store.query({ query, format: 'JSONEachRow' })).json();
  expect(rows).toEqual([
    { type: 'task-received', queue: '', wait_seconds: null },
    { type: 'task-started', queue: '', wait_seconds: expect.closeTo(0.1, 5) },
  ]);
}, 60_000);

test('a stream that is lost while aggregators run is made anew, and what comes by it replaces what came before', async () => {
  const [sent, received, started, succeeded] = life('lost', 1);
  await using first = await rig.aggregator();
  await using second = await rig.aggregator();
  await untilHeld([first, second], 30_000);
  for (const event of [sent, received, started]) await rig.publish('lost', [event!]);
  await rig.settled('lost', 3);
  const before = await rig.bus.events.state();
  await rig.bus.offer(`$JS.API.STREAM.DELETE.${EVENTS_STREAM}`, '');
  await waitFor(async () => (await rig.bus.events.state().catch(() => before)).createdAt !== before.createdAt, {
    what: 'another stream',
    deadlineMs: 15_000,
  });
  await rig.publish('lost', [succeeded!]);
  const state = async (): Promise<unknown> => {
    const query = `SELECT state, attempts FROM tasks WHERE cluster = 'lost'`;
    return (await rig.store.query({ query, format: 'JSONEachRow' })).json();
  };
  await expect.poll(state, { timeout: 20_000 }).toEqual([{ state: 'SUCCESS', attempts: 1 }]);
  await untilHeld([first, second], 15_000);
}, 120_000);
