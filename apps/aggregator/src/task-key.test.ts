import { expect, test } from 'vitest';
import { TaskKey } from './task-key.ts';

function keyOf(id: string): TaskKey {
  const key = new TaskKey();
  const bytes = Buffer.from(`..${id}..`);
  key.read(bytes, 2, bytes.length - 2);
  return key;
}

test('the key of a uuid is the uuid', () => {
  for (let round = 0; round < 1_000; round++) {
    const id = crypto.randomUUID();
    const { a, b, c, d } = keyOf(id);
    const hex = [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    expect(hex).toBe(id.replaceAll('-', ''));
  }
});

test('ids that differ in anything have different keys, and hashes that spread', () => {
  const ids = Array.from({ length: 50_000 }, (_, index) => [
    `job-${index}`,
    `${index}-job`,
    'x'.repeat(index % 500) + index,
  ]);
  const all = new Set(ids.flat());
  const keys = [...all].map(keyOf);
  expect(new Set(keys.map(({ a, b, c, d }) => [a, b, c, d].join())).size).toBe(all.size);
  // of so many, 4 of 2^16 slots in 100,000 would be common; twenty would not
  const slots = Map.groupBy(keys, ({ hash }) => hash & 0xffff);
  expect(Math.max(...[...slots.values()].map((some) => some.length))).toBeLessThan(20);
});

test('what only looks like a uuid is no uuid', () => {
  const id = 'c0ffee00-1111-4222-8333-44445555aaaa';
  const ids = [
    id,
    id.toUpperCase(),
    id.replace('f', 'g'),
    id.replace('f', 'z'),
    id.replace('-', '_'),
    id.replace('-', ':'),
  ];
  expect(new Set(ids.map(keyOf).map(({ a, b, c, d }) => [a, b, c, d].join())).size).toBe(ids.length);
});

test('what is written is read again', () => {
  const key = keyOf('some task');
  const words = new Int32Array(6);
  key.writeTo(words, 1);
  const other = new TaskKey();
  expect(other.isAt(words, 1)).toBe(false);
  other.readFrom(words, 1);
  expect([other.isAt(words, 1), other.isAt(words, 0)]).toEqual([true, false]);
});
