import { identityOf, lostIdentity } from '@meadow/celery';
import { encodeTaskEvents, eventId, retentionPolicy, type PipelineEvent, type PoisonRecord } from '@meadow/contract';
import type { StoredTaskEvent } from '@meadow/store';
import { expect, test } from 'vitest';
import { eventRowsOf, taskRowsOf } from '../test/rows-of.ts';
import { Batch, Output, type Memory, type Past } from './batch.ts';
import { RecentIds } from './recent-ids.ts';
import { RecentRecords } from './recent-records.ts';
import { TaskMemory } from './task-memory.ts';
import { WorkerMemory } from './worker-memory.ts';

const memory = (): Memory => ({
  tasks: new TaskMemory(),
  workers: new WorkerMemory(),
  recent: new RecentIds(1024),
  audit: new RecentRecords(),
  output: new Output(),
});
const written = (batch: Batch) => {
  const { taskEvents, tasks, ...lines } = batch.writes(retention, 1);
  return { taskEvents: eventRowsOf(taskEvents), tasks: taskRowsOf(tasks), ...lines };
};
const nothingStored: Past = { events: async () => [], keys: async () => [] };
const retention = () => retentionPolicy.parse({});

function event(type: string, timestamp: number, more: Partial<PipelineEvent> = {}): PipelineEvent {
  const worker = type === 'task-sent' ? 'gen1@h' : 'w@h';
  const id = more.task_id ?? 'T1';
  return {
    cluster: 'c',
    event_id: eventId('c', worker, 1, 1, type, id, timestamp),
    type,
    timestamp,
    collected_at: timestamp + 0.5,
    worker,
    task_id: id,
    ...more,
  };
}

let seq = 0;
const message = (...events: (PipelineEvent | Buffer)[]) => ({
  seq: ++seq,
  kind: 'task' as const,
  cluster: 'c',
  partition: 0,
  count: events.length,
  publishedAt: 0,
  pending: 0,
  data: Buffer.concat(events.map((item) => (Buffer.isBuffer(item) ? item : encodeTaskEvents([item])))),
});

const sent = event('task-sent', 100, { name: 'shop.pay', queue: 'orders', root_id: 'R' });
const received = event('task-received', 101, { name: 'shop.pay', retries: 0 });
const started = event('task-started', 103);
const failed = event('task-failed', 104, { exception: "ValueError('no')", traceback: 'Traceback\nValueError: no' });

test('name, queue, root, wait and class of exception are joined onto the event that ends a task', async () => {
  const batch = new Batch(1, memory());
  batch.add(message(sent, received, started, failed));
  await batch.resolve(nothingStored);
  const { taskEvents, tasks } = written(batch);
  const { cluster: _, ...told } = failed;
  expect(taskEvents[3]).toMatchObject({
    ...told,
    cluster: 'c',
    name: 'shop.pay',
    queue: 'orders',
    root_id: 'R',
    wait_seconds: 3,
    exception_type: 'ValueError',
    state: 'FAILURE',
  });
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toMatchObject({
    task_id: 'T1',
    state: 'FAILURE',
    queue: 'orders',
    wait_seconds: 3,
    first_seen_at: 100.5,
    is_final: true,
    keep_until: 104 + 180 * 86_400,
  });
});

test('a failure is told with its group, what is to blame and how long it had run; the task keeps the group while it stands failed', async () => {
  const calls = '  File "/srv/shop/bank.py", line 7, in pay\n    x()\n';
  const told = (line: string) => ({
    exception: "ValueError('no')",
    traceback: `Traceback (most recent call last):\n${calls.replace('7', line)}ValueError: no`,
  });
  const batch = new Batch(1, memory());
  const retried = event('task-retried', 104, told('7'));
  const receivedAgain = event('task-received', 105, { name: 'shop.pay', retries: 1 });
  const startedAgain = event('task-started', 106);
  batch.add(
    message(sent, received, started, retried, receivedAgain, startedAgain, event('task-failed', 110, told('8'))),
  );
  const lost = event('meadow-lost', 200, { task_id: 'T2', end_reason: 'worker-lost' });
  const openAgain = event('task-retried', 104, { ...told('9'), task_id: 'T3' });
  const begun = event('task-received', 105, { task_id: 'T3', name: 'shop.pay', retries: 1 });
  batch.add(message(event('task-started', 103, { task_id: 'T2' }), lost, openAgain, begun));
  await batch.resolve(nothingStored);
  const { taskEvents, tasks } = written(batch);
  const failures = taskEvents.filter((row) => row['fingerprint'] !== '');
  const { fingerprint } = identityOf({ ...told('1'), exceptionType: 'ValueError' }, null);
  expect(failures.map((row) => [row['type'], row['fingerprint'], row['culprit'], row['ran_seconds']])).toEqual([
    ['task-retried', fingerprint, 'shop.bank.pay', 1],
    ['task-failed', fingerprint, 'shop.bank.pay', 4],
    ['meadow-lost', lostIdentity('worker-lost').fingerprint, '', null],
    ['task-retried', fingerprint, 'shop.bank.pay', null],
  ]);
  expect(tasks.map((row) => [row['task_id'], row['state'], row['fingerprint']])).toEqual([
    ['T1', 'FAILURE', fingerprint],
    ['T2', 'LOST', lostIdentity('worker-lost').fingerprint],
    ['T3', 'RECEIVED', ''],
  ]);
});

test('each event of a task that ran twice tells the wait and the exception of its own run', async () => {
  const shared = memory();
  const batch = new Batch(1, shared);
  const retried = event('task-retried', 104, { exception: "ConnectionError('away')" });
  const sentAgain = event('task-sent', 104, { name: 'shop.pay', retries: 1 });
  const receivedAgain = event('task-received', 105, { name: 'shop.pay', retries: 1 });
  const startedAgain = event('task-started', 111);
  const succeeded = event('task-succeeded', 112, { runtime: 1 });
  batch.add(message(sent, received, started, retried, sentAgain, receivedAgain, startedAgain, succeeded));
  await batch.resolve(nothingStored);
  const told = written(batch).taskEvents.map((row) => [row['type'], row['wait_seconds'], row['exception_type']]);
  expect(told).toEqual([
    ['task-sent', null, ''],
    ['task-received', null, ''],
    ['task-started', 3, ''],
    ['task-retried', 3, 'ConnectionError'],
    ['task-sent', null, ''],
    ['task-received', null, ''],
    ['task-started', 7, ''],
    ['task-succeeded', 7, ''],
  ]);
});

test('what was heard before is dropped, within a batch and across batches', async () => {
  const shared = memory();
  const first = new Batch(1, shared);
  first.add(message(sent, sent));
  const second = new Batch(2, shared);
  second.add(message(sent, received));
  expect(written(first).taskEvents).toHaveLength(1);
  expect(written(second).taskEvents).toHaveLength(1);
  expect([first.dropped, second.dropped]).toEqual([[1], [0]]);
});

test('a batch repeated after a crash holds the same events: what came twice in it stays once, what came before it stays out', async () => {
  const shared = memory();
  shared.recent.add(sent.event_id);
  const first = new Batch(1, shared);
  const again = new Batch(1, memory(), (place) => first.dropped.includes(place));
  for (const batch of [first, again]) {
    batch.add(message(sent, received, received));
    await batch.resolve(nothingStored);
    const types = written(batch).taskEvents.map((row) => row['type']);
    expect(types).toEqual(['task-received']);
  }
});

test('a batch repeated after a crash counts an event once that is in the store already, in other words', async () => {
  const again = new Batch(1, memory(), () => false);
  again.add(message(sent, received, started));
  const asStored = [sent, { ...received, queue: 'orders' }, { ...started, name: 'shop.pay', queue: 'orders' }];
  await again.resolve({ events: async () => asStored as StoredTaskEvent[], keys: async () => [] });
  expect(written(again).tasks).toMatchObject([{ state: 'STARTED', attempts: 1 }]);
});

test('a task that memory does not hold gets its past from the store, and keeps its first sight', async () => {
  const batch = new Batch(1, memory());
  batch.add(message(started, failed));
  expect(batch.takeLive(10)).toEqual([]);
  const asked: string[] = [];
  await batch.resolve({
    events: async (_, keys) => {
      asked.push(...keys.map(({ task_id }) => task_id));
      return [sent, received].map((item) => ({
        ...{ pid: null, clock: null, retries: null, runtime: null, terminated: null, expired: null, requeue: null },
        ...{
          name: '',
          args: '',
          kwargs: '',
          eta: '',
          expires: '',
          root_id: '',
          parent_id: '',
          queue: '',
          exchange: '',
        },
        ...{ routing_key: '', result: '', exception: '', traceback: '', signum: '', extra: '', end_reason: '' },
        ...item,
        task_id: 'T1',
      }));
    },
    keys: async () => [{ cluster: 'c', task_id: 'T1', first_seen_at: 42, version: 1, is_final: false }],
  });
  expect(asked).toEqual(['T1']);
  const { taskEvents, tasks } = written(batch);
  expect(taskEvents[0]).toMatchObject({ type: 'task-started', name: 'shop.pay', queue: 'orders' });
  expect(tasks[0]).toMatchObject({ name: 'shop.pay', state: 'FAILURE', first_seen_at: 42 });
});

test('a damaged row is kept aside with its bytes and does not stop the others', async () => {
  const batch = new Batch(1, memory());
  const damaged = Buffer.from(encodeTaskEvents([received]));
  damaged[8 + 32] = 0xff;
  batch.add(message(damaged, sent));
  const { taskEvents, poison } = written(batch);
  expect(taskEvents.map((row) => row['type'])).toEqual(['task-sent']);
  expect(poison).toHaveLength(1);
  const [record] = poison.map((line) => JSON.parse(line) as PoisonRecord);
  expect(record).toMatchObject({ cluster: 'c', reason: 'BATCH_ROW_INVALID', size: damaged.length - 4 });
  expect(Buffer.from(record?.body ?? '', 'base64')).toEqual(damaged.subarray(4));
});

const lines = (kind: 'audit' | 'queue' | 'unknown', ...records: object[]) => ({
  ...{ seq: ++seq, kind, cluster: 'c', partition: 0, count: records.length, publishedAt: 0, pending: 0 },
  data: Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join('')),
});

test('an audit record that was heard before is dropped, and events keep their places', async () => {
  const shared = memory();
  const [one, two] = [{ id: 'one', actor: 'ann' }, { id: 'two' }];
  const first = new Batch(1, shared);
  first.add(lines('audit', one));
  const second = new Batch(2, shared);
  const again = new Batch(2, memory(), (place) => second.dropped.includes(place));
  shared.recent.add(started.event_id);
  for (const batch of [second, again]) {
    batch.add(lines('audit', one, two, two));
    batch.add(message(sent, started));
    await batch.resolve(nothingStored);
    const { audit, taskEvents } = written(batch);
    expect(audit).toEqual([`${JSON.stringify(two)}\n`]);
    expect(taskEvents.map((row) => row['type'])).toEqual(['task-sent']);
  }
  expect(second.dropped).toEqual([-1, -3, 1]);
  expect(written(first).audit).toEqual([`${JSON.stringify(one)}\n`]);
});

test('samples of queues pass on as they are; a record without an id and a kind that is not known are kept aside', () => {
  const batch = new Batch(1, memory());
  const sample = { cluster: 'c', queue: 'q', at: 1, ready: 3, of_next_release: true };
  batch.add(lines('queue', sample));
  batch.add(lines('audit', { actor: 'ann' }));
  batch.add(lines('unknown', { a: 1 }, { b: 2 }));
  batch.add({ ...lines('unknown'), data: Buffer.from([0xff, 0x00]) });
  const { audit, poison, queueSamples } = written(batch);
  expect([audit, queueSamples]).toEqual([[], [`${JSON.stringify(sample)}\n`]]);
  const told = poison.map((line) => JSON.parse(line) as PoisonRecord);
  expect(told.map(({ reason, body, size }) => [reason, body, size])).toEqual([
    ['BATCH_LINE_INVALID', '{"actor":"ann"}', 15],
    ['BATCH_KIND_UNKNOWN', '{"a":1}\n{"b":2}\n', 16],
    ['BATCH_KIND_UNKNOWN', '/wA=', 2],
  ]);
});

test('what an event says of itself stands; what it does not say is joined on', async () => {
  const batch = new Batch(1, memory());
  const other = event('task-received', 102, { name: 'shop.pay_twice', root_id: 'other', parent_id: 'P' });
  batch.add(message(sent, other, started));
  const { taskEvents } = written(batch);
  expect(
    taskEvents.map(({ name, queue, root_id, parent_id, state, wait_seconds }) => [
      name,
      queue,
      root_id,
      parent_id,
      state,
      wait_seconds,
    ]),
  ).toEqual([
    ['shop.pay', 'orders', 'R', '', 'PENDING', null],
    ['shop.pay_twice', 'orders', 'other', 'P', 'RECEIVED', null],
    ['shop.pay_twice', 'orders', 'R', '', 'STARTED', 3],
  ]);
});

test('an event of no task is stored without being folded', async () => {
  const batch = new Batch(1, memory());
  const { task_id: _, ...login } = event('audit-login', 5, { extra: '{"user":"ann"}' });
  batch.add(message(login));
  const { taskEvents, tasks } = written(batch);
  expect(taskEvents[0]).toMatchObject({ type: 'audit-login', extra: '{"user":"ann"}' });
  expect(tasks).toEqual([]);
});

test('live rows are the newest, and the rest is counted', () => {
  const batch = new Batch(1, memory());
  for (let index = 0; index < 5; index++)
    batch.add(message(event('task-sent', index, { task_id: `T${index}`, name: 'n' })));
  const [live] = batch.takeLive(2);
  expect(live?.rows.map((row) => row.task_id)).toEqual(['T3', 'T4']);
  expect(live?.omitted).toBe(3);
  expect(batch.takeLive(2)).toEqual([]);
});

test('a batch is full at its bound of events, of repeats too, and of bytes', () => {
  const untilFull = (next: (index: number) => ReturnType<typeof message>): number => {
    const batch = new Batch(1, memory());
    let taken = 0;
    while (!batch.full && taken < 200) batch.add(next(taken++));
    return taken;
  };
  const tasks = (count: number, of: number, args = '') =>
    message(...Array.from({ length: count }, (_, n) => event('task-sent', of, { task_id: `T${of}-${n}`, args })));
  expect(untilFull((index) => tasks(1_000, index))).toBe(100);
  const same = tasks(1_000, 0);
  expect(untilFull(() => same)).toBeLessThanOrEqual(101);
  expect(untilFull((index) => tasks(1, index, 'x'.repeat(500_000)))).toBe(80);
});
