import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { pack, unpack } from './packing.ts';

test.each([80_000, 1_048_576])('a batch of %i bytes comes out as it went in', (size) => {
  for (const data of [Buffer.alloc(size), randomBytes(size)]) {
    expect(Buffer.from(unpack(pack(data) ?? data)).equals(data)).toBe(true);
  }
});

test('what is small, or longer than NATS takes, is left as it is', () => {
  expect(pack(Buffer.alloc(79_999))).toBeNull();
  expect(pack(Buffer.alloc(1_048_577))).toBeNull();
});

test('what was never packed is given back', () => {
  const garbage = Buffer.from('no batch');
  expect(unpack(garbage)).toBe(garbage);
});
