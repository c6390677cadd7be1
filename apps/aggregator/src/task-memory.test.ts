import { encodeTaskEvents } from '@meadow/contract';
import { expect, test } from 'vitest';
import { EventList, MessageMemory } from './event-list.ts';
import { TaskMemory, type Known } from './task-memory.ts';

const messages = new MessageMemory();

/** A list of one event. */
function listOf(task_id: string, type: string, timestamp: number): EventList {
  const list = new EventList(messages);
  const event_id = '0123456789abcdef';
  const fact = { event_id, task_id, type, timestamp, collected_at: timestamp, worker: 'w@h', cluster: 'c' };
  list.beginMessage('c', encodeTaskEvents([fact]));
  list.add(0, null);
  return list;
}

test('memory keeps its bound, gives up what was used longest ago, and knows that the store has it', () => {
  const memory = new TaskMemory({ maxBytes: 100_000 });
  const hear = (known: Known, type: string, batch: number): void => {
    const list = listOf(known.id, type, batch);
    memory.apply(known, list, 0, batch);
    memory.release(known, list);
    list.release();
  };
  for (let batch = 0; batch < 1_000; batch++) {
    hear(memory.hold(`task-${batch}`, [], batch, batch), 'task-sent', batch);
    const first = memory.get('task-0');
    if (first !== undefined) hear(first, 'task-progress', batch);
    memory.shrink(batch);
  }
  expect(memory.bytes).toBeLessThan(110_000);
  expect(memory.get('task-999')).toBeDefined();
  expect(memory.get('task-0')?.read().state).toBe('PROGRESS');
  expect(memory.get('task-1')).toBeUndefined();
  expect(memory.mayBeStored('task-1')).toBe(true);
  expect(memory.mayBeStored('task-999')).toBe(false);
});

test('a task that ended in a batch is given up with it, unless something later was heard; an open one stays', () => {
  const memory = new TaskMemory();
  const [ended, heardAgain, open] = (['task-succeeded', 'task-succeeded', 'task-started'] as const).map(
    (type, index) => {
      const known = memory.hold(`task-${index}`, [], 1, 1);
      const list = listOf(known.id, type, 1);
      memory.apply(known, list, 0, 1);
      known.note();
      return { known, list };
    },
  );
  if (ended === undefined || heardAgain === undefined || open === undefined) throw new Error('three');
  const later = listOf(heardAgain.known.id, 'task-sent', 0.5);
  memory.apply(heardAgain.known, later, 0, 2);
  for (const { known, list } of [ended, heardAgain, open]) {
    memory.release(known, list);
    list.release();
    // the next batch's messages take its place
    listOf('another', 'task-failed', 9);
  }
  expect([ended, heardAgain, open].map(({ known }) => memory.get(known.id) === known)).toEqual([false, true, true]);
  expect(heardAgain.known.read()).toMatchObject({ state: 'SUCCESS', sentAt: 0.5, finishedAt: 1 });
  expect(open.known.read()).toMatchObject({ state: 'STARTED', startedAt: 1 });
});

test('what the open batch touched is not given up, however much it is', () => {
  const memory = new TaskMemory({ maxBytes: 1_000 });
  for (let index = 0; index < 100; index++) memory.hold(`task-${index}`, [], 0, 7);
  memory.shrink(7);
  expect(memory.size).toBe(100);
  memory.shrink(8);
  expect(memory.bytes).toBeLessThanOrEqual(1_000);
});

test('an open task that was given up is known for longer than those that end meanwhile', () => {
  const memory = new TaskMemory({ maxBytes: 0 });
  memory.hold('queued', [], 0, 1);
  memory.shrink(2);
  for (let index = 0; index < 1_700_000; index++) {
    memory.hold(`task-${index}`, [], 0, 1).ended = true;
    memory.shrink(2);
  }
  expect(memory.mayBeStored('task-0')).toBe(false);
  expect(memory.mayBeStored('queued')).toBe(true);
});

test('the filter of given-up ids is rarely wrong', () => {
  const memory = new TaskMemory();
  for (let index = 0; index < 500_000; index++) memory.noteStored(crypto.randomUUID());
  let wrong = 0;
  for (let index = 0; index < 20_000; index++) if (memory.mayBeStored(crypto.randomUUID())) wrong++;
  expect(wrong).toBeLessThan(400);
});
