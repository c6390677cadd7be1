/** Where the bytes of a record lie. */
export interface RingBytes {
  readonly data: Buffer;
  readonly begin: number;
  readonly end: number;
}

/** Handle and bytes of a record. */
const HEADER = 8;
/** In place of a handle: the rest of the ring is empty, since the next record did not fit. */
const SKIP = -1;
/** Larger records are not taken: a few of them would push out everything else. */
const SHARE = 16;

/**
 * Bytes of records, the newest over the oldest: what is kept of tasks that no batch has to do with. Its memory is taken
 * once, and what is in it costs the garbage collector nothing.
 */
export class PastRing {
  readonly #data: Buffer;
  readonly #onOverwrite: (handle: number, at: number) => void;
  /** Count on for ever; a record lies at their remainder. */
  #head = 0;
  #tail = 0;

  /** @param onOverwrite told of each record before it is gone, whether it is of use to anybody or not */
  constructor(bytes: number, onOverwrite: (handle: number, at: number) => void) {
    this.#data = Buffer.allocUnsafeSlow(bytes);
    this.#onOverwrite = onOverwrite;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#head - this.#tail;
  }

  /** Begins a record of so many bytes, which are to be written where `at` says. @returns its place; -1 when it is too large */
  push(handle: number, bytes: number): number {
    const capacity = this.#data.length;
    const size = HEADER + bytes;
    if (size > capacity / SHARE) return -1;
    const rest = capacity - (this.#head % capacity);
    if (rest < size) {
      this.#makeRoom(rest);
      if (rest >= HEADER) this.#data.writeInt32LE(SKIP, this.#head % capacity);
      this.#head += rest;
    }
    this.#makeRoom(size);
    const at = this.#head % capacity;
    this.#data.writeInt32LE(handle, at);
    this.#data.writeInt32LE(bytes, at + 4);
    this.#head += size;
    return at;
  }

  /** The record at this place. */
  at(at: number): RingBytes {
    const data = this.#data;
    const begin = at + HEADER;
    return { data, begin, end: begin + data.readInt32LE(at + 4) };
  }

  #makeRoom(bytes: number): void {
    const capacity = this.#data.length;
    while (this.#head + bytes - this.#tail > capacity) {
      const at = this.#tail % capacity;
      const rest = capacity - at;
      const handle = rest < HEADER ? SKIP : this.#data.readInt32LE(at);
      if (handle === SKIP) this.#tail += rest;
      else {
        this.#tail += HEADER + this.#data.readInt32LE(at + 4);
        this.#onOverwrite(handle, at);
      }
    }
  }
}
