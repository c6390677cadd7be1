import type { PipelineEvent } from '@meadow/contract';
import { expect, test } from 'vitest';
import { WorkerMemory } from './worker-memory.ts';

const DAY = 86_400;

test('a worker without a sign of life for a day is forgotten, another is not', () => {
  const memory = new WorkerMemory();
  const hear = (type: string, worker: string, at: number): void => {
    const times = { timestamp: at, collected_at: at };
    const event: PipelineEvent = { cluster: 'c', event_id: `${worker}${at}`, type, worker, pid: 1, freq: 2, ...times };
    memory.apply('c', event);
  };
  for (const worker of ['gone', 'here']) hear('worker-online', worker, 1_000);
  hear('worker-heartbeat', 'here', 2_000);
  memory.takeWrites();
  memory.forget(1_500 + DAY);
  for (const worker of ['gone', 'here']) hear('worker-heartbeat', worker, 1_600 + DAY);
  // what it told when it started is known of one only
  expect(memory.takeWrites().map(({ worker, started_at }) => [worker, started_at])).toEqual([
    ['gone', null],
    ['here', 1_000],
  ]);
});
