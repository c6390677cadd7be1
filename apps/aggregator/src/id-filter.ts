import type { TaskKey } from './task-key.ts';

/** Bits of one generation: with 4 hashes about 1 % false hits at 800,000 ids. */
const BITS = 1 << 23;
const IDS = 800_000;

/** A Bloom filter in two generations over tasks of all clusters: 2 MB, remembers at least the last 800,000. */
export class IdFilter {
  #young = new Uint32Array(BITS / 32);
  #old = new Uint32Array(BITS / 32);
  #count = 0;

  add(key: Readonly<TaskKey>, cluster: number): void {
    if (this.#count >= IDS) {
      const recycled = this.#old;
      this.#old = this.#young;
      this.#young = recycled.fill(0);
      this.#count = 0;
    }
    const step = stepOf(key, cluster);
    for (let round = 0, bit = key.hash; round < 4; round++, bit += step) {
      const at = bit & (BITS - 1);
      this.#young[at >>> 5] = (this.#young[at >>> 5] ?? 0) | (1 << (at & 31));
    }
    this.#count++;
  }

  has(key: Readonly<TaskKey>, cluster: number): boolean {
    const { hash } = key;
    const step = stepOf(key, cluster);
    return covers(this.#young, hash, step) || covers(this.#old, hash, step);
  }
}

function covers(bits: Uint32Array, first: number, step: number): boolean {
  for (let round = 0, bit = first; round < 4; round++, bit += step) {
    const at = bit & (BITS - 1);
    if (((bits[at >>> 5] ?? 0) & (1 << (at & 31))) === 0) return false;
  }
  return true;
}

/** The first hash is that of the table of tasks; this one has to differ from it in everything. */
function stepOf({ a, b, c, d }: Readonly<TaskKey>, cluster: number): number {
  return (
    ((Math.imul(c ^ (b >>> 7) ^ Math.imul(cluster + 1, 0x9e3779b1), 0x5bd1e995) ^
      Math.imul(a ^ (d >>> 9), 0x01000193)) >>>
      8) |
    1
  );
}
