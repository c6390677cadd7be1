import type { PipelineEvent } from '@meadow/contract';
import { expect, test } from 'vitest';
import { MAX_WORKERS, WorkerMemory } from './worker-memory.ts';

const DAY = 86_400;

function hearing(memory: WorkerMemory): (type: string, worker: string, at: number) => void {
  return (type, worker, at) => {
    const times = { timestamp: at, collected_at: at };
    const event: PipelineEvent = { cluster: 'c', event_id: `${worker}${at}`, type, worker, pid: 1, freq: 2, ...times };
    memory.apply('c', event);
  };
}

test('a worker without a sign of life for a day is forgotten, another is not', () => {
  const memory = new WorkerMemory();
  const hear = hearing(memory);
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

test('of too many workers the longest silent are forgotten', () => {
  const memory = new WorkerMemory();
  const hear = hearing(memory);
  for (let index = 0; index < MAX_WORKERS + 3; index++) hear('worker-online', `pod-${index}`, 1_000);
  // long known, but heard of since
  hear('worker-heartbeat', 'pod-0', 1_005);
  memory.takeWrites();
  memory.forget(1_010);
  for (let index = 0; index < 6; index++) hear('worker-heartbeat', `pod-${index}`, 1_010);
  expect(memory.takeWrites().map(({ started_at }) => started_at)).toEqual([1_000, null, null, null, 1_000, 1_000]);
});
