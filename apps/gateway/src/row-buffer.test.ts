import { expect, test } from 'vitest';
import { RowBuffer } from './row-buffer.ts';

interface Row {
  readonly id: string;
  readonly version: number;
}

const IDENTITY = { keyOf: (row: Row) => row.id, replaces: (next: Row, held: Row) => next.version >= held.version };
const message = (rows: readonly Row[], omitted = 0, at = 1) => ({ rows, omitted, at });

test('tells the newest state of each row once, the youngest change last', () => {
  const buffer = new RowBuffer(IDENTITY, 10);
  buffer.push(message([{ id: 'a', version: 1 }, { id: 'b', version: 1 }], 0, 1)); // prettier-ignore
  buffer.push(message([{ id: 'a', version: 2 }], 3, 2));
  expect(buffer.take()).toEqual({ rows: [{ id: 'b', version: 1 }, { id: 'a', version: 2 }], omitted: 3, at: 2 }); // prettier-ignore
  expect(buffer.take()).toBeNull();
});

test('does not let a state that is heard late take the place of a newer one', () => {
  const buffer = new RowBuffer(IDENTITY, 10);
  buffer.push(message([{ id: 'a', version: 2 }]));
  buffer.push(message([{ id: 'a', version: 1 }]));
  expect(buffer.take()?.rows).toEqual([{ id: 'a', version: 2 }]);
});

test('never holds more than its bound, and counts what made room', () => {
  const buffer = new RowBuffer(IDENTITY, 100);
  for (let index = 0; index < 100_000; index++) buffer.push(message([{ id: String(index), version: 1 }]));
  expect(buffer.size).toBe(100);
  const taken = buffer.take();
  expect(taken?.omitted).toBe(99_900);
  expect(taken?.rows.at(-1)?.id).toBe('99999');
});
