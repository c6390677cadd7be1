import { expect, test } from 'vitest';
import { PastRing } from './past-ring.ts';

test('records lie whole until they are overwritten, oldest first, whatever their sizes', () => {
  for (let bytes = 1_024; bytes < 1_064; bytes++) {
    const live: { handle: number; at: number }[] = [];
    const ring = new PastRing(bytes, (handle, at) => expect({ handle, at }).toEqual(live.shift()));
    for (let handle = 0; handle < 300; handle++) {
      const length = (handle * 37) % 57;
      const at = ring.push(handle, length);
      live.push({ handle, at });
      const { data, begin, end } = ring.at(at);
      expect(end - begin).toBe(length);
      data.fill(handle & 255, begin, end);
      const damaged = live.filter((record) => {
        const past = ring.at(record.at);
        return past.data.subarray(past.begin, past.end).some((byte) => byte !== (record.handle & 255));
      });
      expect(damaged).toEqual([]);
      expect(ring.used).toBeLessThanOrEqual(bytes);
    }
    // most of it is in use, however the sizes fit its end
    expect(live.length).toBeGreaterThan(20);
  }
});

test('a record that would push out a good part of the others is not taken', () => {
  const ring = new PastRing(1_600, () => undefined);
  expect([ring.push(1, 92), ring.push(2, 93)]).toEqual([0, -1]);
});
