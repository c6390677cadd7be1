import { openBus, type Bus } from '@meadow/bus';
import { EVENTS_STREAM, EVENTS_SUBJECTS, TaskEventReader, TEXT_COLUMN, type PoisonRecord } from '@meadow/contract';
import { startNats } from '@meadow/testkit';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Publisher } from '../src/publisher.ts';

let nats: Awaited<ReturnType<typeof startNats>>;
let bus: Bus;

beforeAll(async () => {
  nats = await startNats();
  bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await bus.events.ensure();
}, 30_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

function publisher(
  name: string,
  signal: AbortSignal,
  stream = bus.events,
): { publisher: Publisher; retries: number[]; lost: string[]; published: () => number } {
  const retries: number[] = [];
  const lost: string[] = [];
  let count = 0;
  const made = new Publisher({
    cluster: 'prod',
    collector: name,
    stream,
    signal,
    onPublished: (events) => (count += events),
    onRetry: (_, waitMs) => retries.push(waitMs),
    onTooLarge: () => lost.push('too large'),
    onLost: (events, error) => lost.push(`${events} ${error.code}`),
  });
  return { publisher: made, retries, lost, published: () => count };
}

function addTask(to: Publisher, clock: number, partition = 0): void {
  to.addTask(partition, (rows) => rows.append({ ...ROW, task_id: String(clock), clock }));
}

const ROW = { event_id: '0123456789abcdef', type: 'task-started', timestamp: 1, collected_at: 2, worker: 'w@h' };

const noise = (characters: number): string => randomBytes(characters).toString('base64').slice(0, characters);

test('settles in order, and only what is on disk', async () => {
  const { publisher: rounds, published, lost } = publisher('a', AbortSignal.timeout(20_000));
  const settled: number[] = [];
  for (let index = 0; index < 20_000; index++) {
    addTask(rounds, index, index % 8);
    if (index % 100 === 0) {
      rounds.settleWhenPublished(() => settled.push(index));
      await rounds.room();
      expect(settled.length === 0 || (settled.at(-1) ?? 0) <= published()).toBe(true);
    }
  }
  await rounds.drain(5_000);
  expect([published(), lost]).toEqual([20_000, []]);
  expect(settled).toEqual(Array.from({ length: 200 }, (_, index) => index * 100));
});

test('holds back while NATS is away, keeps at most three rounds on their way, and loses nothing', async () => {
  const { publisher: rounds, retries, published } = publisher('b', AbortSignal.timeout(40_000));
  const { messages } = await bus.events.state();
  await nats.kill9();
  let added = 0;
  let settled = 0;
  const adding = (async () => {
    for (; added < 40_000; added++) {
      addTask(rounds, added);
      if (added % 100 === 99) {
        rounds.settleWhenPublished(() => (settled += 100));
        await rounds.room();
      }
    }
  })();
  await expect.poll(() => retries.length, { timeout: 15_000 }).toBeGreaterThan(1);
  expect(added).toBeLessThan(20_000);
  expect(settled).toBe(0);
  await nats.restart();
  await adding;
  await rounds.drain(15_000);
  expect([published(), settled]).toEqual([40_000, 40_000]);
  expect((await bus.events.state()).messages).toBeGreaterThan(messages);
}, 60_000);

test('a round that could not be published before the end settles nothing, nor does any after it', async () => {
  const stop = new AbortController();
  const { publisher: rounds } = publisher('c', stop.signal);
  await nats.kill9();
  let settled = 0;
  addTask(rounds, 0);
  rounds.settleWhenPublished(() => settled++);
  rounds.flush();
  await expect.poll(() => rounds.roundsInFlight).toBe(1);
  stop.abort();
  await nats.restart();
  await expect.poll(() => bus.connected, { timeout: 15_000 }).toBe(true);
  addTask(rounds, 0);
  rounds.settleWhenPublished(() => settled++);
  await rounds.drain(3_000);
  expect(settled).toBe(0);
}, 40_000);

test('a round that is refused at first is neither settled after the next one nor overtaken by the next of its subject', async () => {
  await using server = await startNats();
  const signal = AbortSignal.timeout(30_000);
  await using other = await openBus({ url: server.url, name: 'test', signal });
  // holds one message of each subject, and refuses another until that is freed
  const config = {
    name: EVENTS_STREAM,
    subjects: [EVENTS_SUBJECTS],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
  };
  const oneEach = { ...config, max_msgs_per_subject: 1, discard_new_per_subject: true, num_replicas: 1 };
  await other.offer(`$JS.API.STREAM.CREATE.${EVENTS_STREAM}`, JSON.stringify(oneEach));
  const { publisher: rounds, retries, published } = publisher('g', signal, other.events);
  const settled: number[] = [];
  const publish = (clock: number, partition: number): void => {
    addTask(rounds, clock, partition);
    rounds.settleWhenPublished(() => settled.push(clock));
    rounds.flush();
  };
  publish(1, 0);
  await expect.poll(() => settled).toEqual([1]);
  publish(2, 0);
  publish(3, 1);
  // of a burst that held no event
  rounds.settleWhenPublished(() => settled.push(0));
  await expect.poll(() => published()).toBe(2);
  await expect.poll(() => retries.length).toBeGreaterThan(0);
  expect(settled).toEqual([1]);
  await other.events.purgeThrough(2);
  publish(4, 0);
  await expect.poll(() => settled, { timeout: 10_000 }).toEqual([1, 2, 3, 0]);
  await other.events.purgeThrough(3);
  await expect.poll(() => settled, { timeout: 10_000 }).toEqual([1, 2, 3, 0, 4]);
}, 60_000);

test('a cluster that comes back to its collector within minutes is not taken for repeated', async () => {
  const before = await bus.events.state();
  for (const clock of [1, 2]) {
    const { publisher: rounds } = publisher('d', AbortSignal.timeout(20_000));
    addTask(rounds, clock);
    await rounds.drain(5_000);
  }
  expect((await bus.events.state()).lastSeq - before.lastSeq).toBe(2);
});

test('a message stays below what NATS takes, whatever the rows, and memory that is used again holds no other rows', async () => {
  const { publisher: rounds, published } = publisher('d', AbortSignal.timeout(30_000));
  const from = (await bus.events.state()).lastSeq + 1;
  const sizes = [300_000, 500_000, 100, 700_000, 899_000, 950_000, 100, 200_000, 100_000];
  let added = 0;
  for (let round = 0; round < 3; round++) {
    for (const size of sizes) {
      const args = String(added++).padEnd(size, 'x');
      rounds.addTask(3, (rows) => rows.append({ ...ROW, args }));
    }
    rounds.flush();
    await expect.poll(() => rounds.roundsInFlight, { timeout: 10_000 }).toBe(0);
  }
  await rounds.drain(5_000);
  expect(published()).toBe(added);
  const read: [number, number][] = [];
  const reader = new TaskEventReader();
  for await (const { data, count, partition } of bus.events.read(from, AbortSignal.timeout(10_000))) {
    expect(partition).toBe(3);
    const before = read.length;
    reader.begin(data);
    while (reader.next()) {
      const args = reader.text(TEXT_COLUMN.args);
      read.push([Number.parseInt(args, 10), args.length]);
    }
    expect(read.length - before).toBe(count);
    if (read.length === added) break;
  }
  // batches of a round may be stored in any order
  expect(read.toSorted(([a], [b]) => a - b)).toEqual(
    Array.from({ length: added }, (_, index) => [index, sizes[index % sizes.length]]),
  );
}, 60_000);

test('where NATS takes less than a batch, it goes in halves, and all of it arrives in order', async () => {
  await using server = await startNats();
  const signal = AbortSignal.timeout(20_000);
  await using other = await openBus({ url: server.url, name: 'test', signal });
  const config = { name: EVENTS_STREAM, subjects: [EVENTS_SUBJECTS], storage: 'file', max_msg_size: 20_000 };
  await other.offer(`$JS.API.STREAM.CREATE.${EVENTS_STREAM}`, JSON.stringify({ ...config, num_replicas: 1 }));
  const { publisher: rounds, published, lost } = publisher('h', signal, other.events);
  const tasks = Array.from({ length: 301 }, (_, index) => index);
  // no packing makes it fit
  for (const clock of tasks) rounds.addTask(0, (rows) => rows.append({ ...ROW, clock, args: noise(300) }));
  for (const clock of tasks) rounds.add('worker', `${JSON.stringify({ clock, worker: noise(300) })}\n`);
  rounds.addTask(0, (rows) => rows.append({ ...ROW, task_id: 'big', args: noise(30_000) }));
  await rounds.drain(10_000);
  expect([published(), lost]).toEqual([603, ['too large']]);
  const read = { task: [] as (number | null)[], worker: [] as number[] };
  const reader = new TaskEventReader();
  for await (const { kind, data } of other.events.read(1, AbortSignal.timeout(10_000))) {
    if (kind === 'task') for (reader.begin(data); reader.next();) read.task.push(reader.clock);
    const lines = kind === 'worker' ? Buffer.from(data).toString().trimEnd().split('\n') : [];
    read.worker.push(...lines.map((line) => (JSON.parse(line) as { clock: number }).clock));
    if (read.task.length + read.worker.length >= 602) break;
  }
  expect(read).toEqual({ task: tasks, worker: tasks });
}, 60_000);

test('an event that NATS can never take is kept aside, cut, and alone: what comes with it and after it is settled', async () => {
  const { publisher: rounds, published, lost } = publisher('e', AbortSignal.timeout(20_000));
  const from = (await bus.events.state()).lastSeq + 1;
  // no packing makes it fit
  const long = noise(1_600_000);
  let settled = 0;
  addTask(rounds, 1);
  rounds.addTask(0, (rows) => rows.append({ ...ROW, task_id: 'big', args: long }));
  addTask(rounds, 2);
  rounds.add('worker', `${JSON.stringify({ worker: long })}\n`);
  rounds.settleWhenPublished(() => settled++);
  await rounds.room();
  await expect.poll(() => settled, { timeout: 10_000 }).toBe(1);
  expect([published(), lost]).toEqual([4, ['too large', 'too large']]);
  const aside: PoisonRecord[] = [];
  for await (const { kind, data } of bus.events.read(from, AbortSignal.timeout(10_000))) {
    if (kind === 'poison') aside.push(JSON.parse(Buffer.from(data).toString()) as PoisonRecord);
    if (aside.length === 2) break;
  }
  const [worker, task] = aside.toSorted((a, b) => b.body.length - a.body.length);
  expect(aside.map(({ cluster, reason }) => `${cluster} ${reason}`)).toEqual(Array(2).fill('prod BATCH_TOO_LARGE'));
  expect(task).toMatchObject({ detail: expect.stringContaining('max_payload') as string });
  expect(task?.size).toBeGreaterThan(1_100_000);
  expect(JSON.parse(task?.body ?? '')).toEqual({
    ...{ type: 'task-started', worker: 'w@h', task_id: 'big', args: long.slice(0, 2_000) },
  });
  expect(worker?.body.length).toBeLessThan(70_000);
  expect(worker?.body).toContain('characters cut by Meadow');
});

test('lines are counted in bytes: none is lost, whatever their alphabet', async () => {
  const { publisher: rounds, published, lost } = publisher('f', AbortSignal.timeout(20_000));
  for (let index = 0; index < 60; index++) rounds.add('poison', `"${'漢'.repeat(30_000)}"\n`);
  for (let index = 0; index < 3; index++) rounds.add('poison', `"${'x'.repeat(500_000)}"\n`);
  await rounds.drain(10_000);
  expect([published(), lost]).toEqual([63, []]);
});
