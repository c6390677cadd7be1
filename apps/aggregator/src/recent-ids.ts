/**
 * A window over the newest event ids, to drop what is heard twice: by two collectors, or by one that RabbitMQ sent it again
 * to. Two generations of an open-addressed table of 64-bit ids: at least `capacity` ids back, at most twice as many.
 * Memory: 32 bytes an id of capacity, 32 MB for a million, whatever was ever seen.
 */
export class RecentIds {
  readonly #capacity: number;
  readonly #mask: number;
  #young: Uint32Array;
  #old: Uint32Array;
  #count = 0;

  /** @param capacity a power of two */
  constructor(capacity: number) {
    if (capacity < 2 || (capacity & (capacity - 1)) !== 0)
      throw new RangeError(`capacity ${capacity} is no power of two`);
    this.#capacity = capacity;
    this.#mask = capacity * 2 - 1;
    this.#young = new Uint32Array(capacity * 4);
    this.#old = new Uint32Array(capacity * 4);
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
    if (find(this.#old, this.#mask, high, low) < 0) return false;
    const slot = find(this.#young, this.#mask, high, low);
    if (slot < 0) return false;
    if (this.#count >= this.#capacity) {
      const recycled = this.#old;
      this.#old = this.#young;
      this.#young = recycled.fill(0);
      this.#count = 0;
      const fresh = find(this.#young, this.#mask, high, low);
      this.#young[fresh] = high;
      this.#young[fresh + 1] = low;
    } else {
      this.#young[slot] = high;
      this.#young[slot + 1] = low;
    }
    this.#count++;
    return true;
  }
}

/** @returns the index of the empty slot where the id belongs, or -1 when it is there. */
function find(table: Uint32Array, mask: number, high: number, low: number): number {
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const index = slot * 2;
    const storedHigh = table[index];
    const storedLow = table[index + 1];
    if (storedHigh === 0 && storedLow === 0) return index;
    if (storedHigh === high && storedLow === low) return -1;
  }
}

const digits = new Uint8Array(16);

function hex32(data: Uint8Array, from: number): number {
  let value = 0;
  for (let index = from; index < from + 8; index++) {
    const code = data[index] ?? 0;
    value = (value << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return value >>> 0;
}
