import { expect, test } from 'vitest';
import { TaskMemory } from './task-memory.ts';

const fact = (uuid: string, type: `task-${string}`, timestamp: number) => ({ uuid, type, timestamp, hostname: 'w@h' });

test('memory keeps its bound, gives up what was used longest ago, and knows that the store has it', () => {
  const memory = new TaskMemory({ maxBytes: 100_000 });
  for (let batch = 0; batch < 1_000; batch++) {
    const known = memory.hold(`task-${batch}`, [], batch, batch);
    memory.apply(known, fact(`task-${batch}`, 'task-sent', batch), batch);
    const first = memory.get('task-0');
    if (first !== undefined) memory.apply(first, fact('task-0', 'task-progress', batch), batch);
    memory.shrink(batch);
  }
  expect(memory.bytes).toBeLessThan(110_000);
  expect(memory.get('task-999')).toBeDefined();
  expect(memory.get('task-0')?.task.state).toBe('PROGRESS');
  expect(memory.get('task-1')).toBeUndefined();
  expect(memory.mayBeStored('task-1')).toBe(true);
  expect(memory.mayBeStored('task-999')).toBe(false);
});

test('what the open batch touched is not given up, however much it is', () => {
  const memory = new TaskMemory({ maxBytes: 1_000 });
  for (let index = 0; index < 100; index++) memory.hold(`task-${index}`, [], 0, 7);
  memory.shrink(7);
  expect(memory.size).toBe(100);
  memory.shrink(8);
  expect(memory.bytes).toBeLessThanOrEqual(1_000);
});

test('the filter of given-up ids is rarely wrong', () => {
  const memory = new TaskMemory();
  for (let index = 0; index < 500_000; index++) memory.noteStored(crypto.randomUUID());
  let wrong = 0;
  for (let index = 0; index < 20_000; index++) if (memory.mayBeStored(crypto.randomUUID())) wrong++;
  expect(wrong).toBeLessThan(400);
});
