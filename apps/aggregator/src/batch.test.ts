import { eventId, type PipelineEvent } from '@meadow/contract';
import { expect, test } from 'vitest';
import { Batch, type Memory, type Past } from './batch.ts';
import { DEFAULT_RETENTION } from './pipeline.ts';
import { RecentIds } from './recent-ids.ts';
import { WorkerMemory } from './worker-memory.ts';

const memory = (): Memory => ({ tasks: new Map(), workers: new WorkerMemory(), recent: new RecentIds(1024) });
const nothingStored: Past = { events: async () => [], keys: async () => [] };
const retention = () => DEFAULT_RETENTION;

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
const message = (...events: (PipelineEvent | string)[]) => ({
  seq: ++seq,
  kind: 'task' as const,
  cluster: 'c',
  partition: 0,
  count: events.length,
  data: Buffer.from(events.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join('\n') + '\n'),
});

const sent = event('task-sent', 100, { name: 'shop.pay', queue: 'orders', root_id: 'R' });
const received = event('task-received', 101, { name: 'shop.pay', retries: 0 });
const started = event('task-started', 103);
const failed = event('task-failed', 104, { exception: "ValueError('no')", traceback: 'Traceback\nValueError: no' });

test('name, queue, root, wait and class of exception are joined onto the event that ends a task', async () => {
  const batch = new Batch(1, memory());
  batch.add(message(sent, received, started, failed));
  await batch.resolve(nothingStored);
  const { taskEvents, tasks } = batch.writes(retention);
  expect(JSON.parse(taskEvents[3] ?? '')).toMatchObject({
    ...failed,
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

test('what was heard before is dropped, within a batch and across batches', async () => {
  const shared = memory();
  const first = new Batch(1, shared);
  first.add(message(sent, sent));
  const second = new Batch(2, shared);
  second.add(message(sent, received));
  expect(first.writes(retention).taskEvents).toHaveLength(1);
  expect(second.writes(retention).taskEvents).toHaveLength(1);
  expect([first.dropped, second.dropped]).toEqual([[sent.event_id], [sent.event_id]]);
});

test('a batch repeated after a crash holds the same events, though the window has them already', async () => {
  const shared = memory();
  for (const { event_id } of [sent, received]) shared.recent.add(event_id);
  const again = new Batch(1, shared, new Set([sent.event_id]));
  again.add(message(sent, received));
  await again.resolve(nothingStored);
  expect(again.writes(retention).taskEvents.map((line) => (JSON.parse(line) as PipelineEvent).type)).toEqual([
    'task-received',
  ]);
});

test('a task that memory does not hold gets its past from the store, and keeps its first sight', async () => {
  const batch = new Batch(1, memory());
  batch.add(message(started, failed));
  expect(batch.takeLive(10)).toEqual([]);
  const asked: string[] = [];
  await batch.resolve({
    events: async (_, ids) => {
      asked.push(...ids);
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
        ...{ routing_key: '', result: '', exception: '', traceback: '', signum: '', extra: '' },
        ...item,
        task_id: 'T1',
      }));
    },
    keys: async () => [{ cluster: 'c', task_id: 'T1', first_seen_at: 42, version: 1, is_final: false }],
  });
  expect(asked).toEqual(['T1']);
  const { taskEvents, tasks } = batch.writes(retention);
  expect(JSON.parse(taskEvents[0] ?? '')).toMatchObject({ type: 'task-started', name: 'shop.pay', queue: 'orders' });
  expect(tasks[0]).toMatchObject({ name: 'shop.pay', state: 'FAILURE', first_seen_at: 42 });
});

test('a line that is no JSON is kept aside and does not stop the others', async () => {
  const batch = new Batch(1, memory());
  batch.add(message('{"cut', sent));
  const { taskEvents, poison } = batch.writes(retention);
  expect(taskEvents).toHaveLength(1);
  expect(JSON.parse(poison[0] ?? '')).toMatchObject({ reason: 'BATCH_LINE_INVALID', body: '{"cut' });
});

test('an event of no task is stored without being folded', async () => {
  const batch = new Batch(1, memory());
  const { task_id: _, ...login } = event('audit-login', 5, { extra: '{"user":"ann"}' });
  batch.add(message(login));
  const { taskEvents, tasks } = batch.writes(retention);
  expect(JSON.parse(taskEvents[0] ?? '')).toMatchObject({ type: 'audit-login', extra: '{"user":"ann"}' });
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
