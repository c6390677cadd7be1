import { HEX_DIGITS } from './hex.ts';

/**
 * A window over the newest event ids, to drop what is heard twice: by two collectors, or by one that RabbitMQ sent it again
 * to. Two generations of an open-addressed table of 64-bit ids: at least `capacity` ids back, at most twice as many.
 * Memory: 20 bytes an id of capacity, 21 MB for a million, whatever was ever seen.
 */
export class RecentIds {
  readonly #capacity: number;
  readonly #slots: number;
  #young: Uint32Array;
  #old: Uint32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    // four fifths full at most: an id that is not there is found out within 13 slots, two lines of the processor's cache
    this.#slots = Math.ceil(capacity * 1.25);
    this.#young = new Uint32Array(this.#slots * 2);
    this.#old = new Uint32Array(this.#slots * 2);
  }

  /**
   * @param id 16 hex digits
   * @returns false when the id is in the window already
   */
  add(id: string): boolean {
    for (let index = 0; index < 16; index++) digits[index] = id.charCodeAt(index);
    return this.addBytes(digits, 0);
  }

  /** As `add`, of 16 hex digits in ASCII from `at` on. */
  addBytes(data: Uint8Array, at: number): boolean {
    const high = hex32(data, at);
    // the pair (0, 0) marks an empty slot; the one id in 2^64 that is 0 shares its place with 1
    const low = hex32(data, at + 8) || (high === 0 ? 1 : 0);
    const home = Math.floor((low / 2 ** 32) * this.#slots);
    if (find(this.#old, home, high, low) < 0) return false;
    let slot = find(this.#young, home, high, low);
    if (slot < 0) return false;
    if (this.#count >= this.#capacity) {
      const recycled = this.#old;
      this.#old = this.#young;
      this.#young = recycled.fill(0);
      this.#count = 0;
      slot = find(this.#young, home, high, low);
    }
    this.#young[slot] = high;
    this.#young[slot + 1] = low;
    this.#count++;
    return true;
  }
}

/** @returns the index of the empty slot where the id belongs, or -1 when it is there. */
function find(table: Uint32Array, home: number, high: number, low: number): number {
  for (let index = home * 2; ; index += 2) {
    if (index === table.length) index = 0;
    const storedHigh = table[index];
    const storedLow = table[index + 1];
    if (storedHigh === 0 && storedLow === 0) return index;
    if (storedHigh === high && storedLow === low) return -1;
  }
}

const digits = new Uint8Array(16);

function hex32(data: Uint8Array, from: number): number {
  let value = 0;
  for (let index = from; index < from + 8; index++) value = (value << 4) | (HEX_DIGITS[data[index] ?? 0] ?? 0);
  return value >>> 0;
}
