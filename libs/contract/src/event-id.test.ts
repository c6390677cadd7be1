import { expect, test } from 'vitest';
import { eventId, PARTITIONS, partitionOf } from './event-id.ts';

test('the id of an event never changes, since stored rows are matched by it', () => {
  expect(eventId('prod', 'w1@host', 42, 7, 'task-received', 'abc', 1700000000.25)).toBe(
    eventId('prod', 'w1@host', 42, 7, 'task-received', 'abc', 1700000000.25),
  );
  expect(eventId('prod', 'w1@host', 42, 7, 'task-received', 'abc', 1700000000.25)).toMatchInlineSnapshot(
    `"43e897c66b1c9636"`,
  );
});

test('every part of an event changes its id', () => {
  const ids = new Set([
    eventId('prod', 'w1@host', 42, 7, 'task-received', 'abc', 1),
    eventId('test', 'w1@host', 42, 7, 'task-received', 'abc', 1),
    eventId('prod', 'w2@host', 42, 7, 'task-received', 'abc', 1),
    eventId('prod', 'w1@host', 43, 7, 'task-received', 'abc', 1),
    eventId('prod', 'w1@host', null, 7, 'task-received', 'abc', 1),
    eventId('prod', 'w1@host', 42, 8, 'task-received', 'abc', 1),
    eventId('prod', 'w1@host', 42, 7, 'task-started', 'abc', 1),
    eventId('prod', 'w1@host', 42, 7, 'task-received', 'abd', 1),
    eventId('prod', 'w1@host', 42, 7, 'task-received', 'abc', 1.000001),
  ]);
  expect(ids.size).toBe(9);
});

test('a million neighbouring events have a million ids', () => {
  const ids = new Set<string>();
  for (let clock = 0; clock < 1_000_000; clock++)
    ids.add(eventId('c', 'w@h', 1, clock, 'task-sent', 'u', clock / 1000));
  expect(ids.size).toBe(1_000_000);
});

test('uuids spread evenly over the partitions', () => {
  const counts = new Array<number>(PARTITIONS).fill(0);
  for (let index = 0; index < 80_000; index++) {
    const partition = partitionOf(crypto.randomUUID());
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  for (const count of counts) expect(count).toBeGreaterThan(9_000);
});
