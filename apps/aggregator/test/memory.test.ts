import { TaskEventWriter } from '@meadow/contract';
import { expect, test } from 'vitest';
import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Batch, Output, type Memory } from '../src/batch.ts';
import { RecentIds } from '../src/recent-ids.ts';
import { RecentRecords } from '../src/recent-records.ts';
import { TaskMemory } from '../src/task-memory.ts';
import { WorkerMemory } from '../src/worker-memory.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const EVENTS = 20_000;
const retention = { success: 30, failure: 180, events: 14 };

/** A message of tasks that nobody heard of before; every fifth never ends. */
function message(seq: number, at: number) {
  const writer = new TaskEventWriter();
  for (let count = 0; writer.count < 500; count++) {
    const task_id = randomUUID();
    const base = { task_id, worker: 'celery@w1', pid: 7, timestamp: at, collected_at: at };
    const id = (): string => randomUUID().replaceAll('-', '').slice(16);
    const call = { name: 'shop.pay', args: `(${seq}, 'customer')`, kwargs: "{'note': 'x'}", root_id: task_id };
    writer.append({ ...base, ...call, event_id: id(), type: 'task-received' });
    writer.append({ ...base, event_id: id(), type: 'task-started' });
    const result = "{'total': 1}";
    if (count % 5 > 0) writer.append({ ...base, event_id: id(), type: 'task-succeeded', runtime: 0.5, result });
  }
  const facts = { kind: 'task', cluster: 'c', partition: 0, publishedAt: at, pending: 0 } as const;
  return { ...facts, seq, count: writer.count, data: writer.bytes() };
}

test('memory stays as it is, however many tasks were ever seen', { timeout: 300_000 }, async () => {
  const memory: Memory = {
    tasks: new TaskMemory(),
    workers: new WorkerMemory(),
    recent: new RecentIds(1 << 20),
    audit: new RecentRecords(),
    output: new Output(),
  };
  let seq = 0;
  let number = 0;
  const feed = async (events: number): Promise<number> => {
    for (let fed = 0; fed < events; fed += EVENTS) {
      const batch = new Batch(++number, memory);
      while (batch.events < EVENTS) batch.add(message(++seq, 1_800_000_000 + number));
      await batch.resolve({ events: async () => [], keys: async () => [] });
      expect(batch.writes(() => retention, number).taskEvents.count).toBe(batch.events);
      batch.takeLive(500);
      batch.settle();
    }
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return (heapUsed + external) / 1e6;
  };
  // by then the bound of open tasks is reached and all memory that serves again is taken
  const before = await feed(500_000);
  const after = await feed(400_000);
  expect(after - before).toBeLessThan(10);
  expect(after).toBeLessThan(200);
});
