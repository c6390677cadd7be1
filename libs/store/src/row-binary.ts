import { encodeLength, encodeText } from '@meadow/contract';

/** Rows for an insert, in the buffers that are sent. */
export interface Rows {
  readonly count: number;
  /** The bytes of rows `from` to `to`, without copying. @default all */
  slice(from?: number, to?: number): readonly Buffer[];
}

interface Chunk {
  readonly buffer: Buffer;
  readonly view: DataView;
  used: number;
}

const CHUNK_BYTES = 512 * 1024;
/**
 * Memory that stays for the next rows; what a burst needed is given back. More than a full batch takes: what is
 * taken anew each time makes the engine collect all garbage again and again, on account of memory outside its heap.
 */
const KEPT_CHUNKS = 64;
/** Up to here copying byte by byte is faster than a call. */
const LOOP_BYTES = 24;
/** More than any column but a text takes. */
const COLUMN_BYTES = 16;
const TWO_32 = 2 ** 32;

/**
 * Writes rows of ClickHouse's RowBinary: begin each with `row`, then its columns in the order of the insert. Rows lie in
 * chunks that serve again after `reset`, so that a steady stream of rows takes no new memory.
 */
export class RowBinary implements Rows {
  readonly #chunks: Chunk[] = [];
  /** The chunk being written, its memory and how far it is written. */
  #current = -1;
  #buffer: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Where each row begins: its chunk, and its first byte there. */
  #rowChunks = new Uint32Array(1024);
  #rowBegins = new Uint32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Forgets all rows; their bytes are written over from now on. */
  reset(): void {
    // what a burst needed is given back once it is over
    const wanted = Math.min(KEPT_CHUNKS, 1.5 * this.#current + 4);
    // a chunk of one large row is of no use to others
    const kept = this.#chunks.filter(({ buffer }) => buffer.length === CHUNK_BYTES).slice(0, wanted);
    this.#chunks.splice(0, this.#chunks.length, ...kept);
    this.#current = -1;
    this.#buffer = Buffer.alloc(0);
    this.#at = 0;
    this.#count = 0;
  }

  /** Begins a row. */
  row(): void {
    if (this.#count === this.#rowBegins.length) {
      this.#rowBegins = grown(this.#rowBegins);
      this.#rowChunks = grown(this.#rowChunks);
    }
    this.#rowChunks[this.#count] = Math.max(0, this.#current);
    this.#rowBegins[this.#count] = this.#at;
    this.#count++;
  }

  /** Columns that are encoded already. */
  copy(data: Buffer, begin: number, end: number): void {
    const bytes = end - begin;
    this.#reserve(bytes);
    if (bytes > LOOP_BYTES) data.copy(this.#buffer, this.#at, begin, end);
    else for (let index = 0; index < bytes; index++) this.#buffer[this.#at + index] = data[begin + index] ?? 0;
    this.#at += bytes;
  }

  text(value: string): void {
    const { length } = value;
    // a UTF-16 unit takes at most three bytes of UTF-8
    this.#reserve(length * 3 + COLUMN_BYTES);
    this.#at = encodeText(this.#buffer, this.#at, value);
  }

  uint32(value: number): void {
    this.#reserve(COLUMN_BYTES);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  uint64(value: number): void {
    this.#reserve(COLUMN_BYTES);
    this.#view.setUint32(this.#at, value % TWO_32, true);
    this.#view.setUint32(this.#at + 4, value / TWO_32, true);
    this.#at += 8;
  }

  bool(value: boolean): void {
    this.#reserve(COLUMN_BYTES);
    this.#buffer[this.#at++] = value ? 1 : 0;
  }

  /** A Decimal64(6). @param seconds Unix seconds, from 1970 on */
  time(seconds: number): void {
    this.uint64(Math.max(0, Math.round(seconds * 1e6)));
  }

  texts(values: readonly string[]): void {
    this.#reserve(COLUMN_BYTES);
    this.#at = encodeLength(this.#buffer, this.#at, values.length);
    for (const value of values) this.text(value);
  }

  nullableUint32(value: number | null): void {
    if (this.#isNull(value)) this.uint32(value);
  }

  nullableFloat64(value: number | null): void {
    if (!this.#isNull(value)) return;
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** As `time`. */
  nullableTime(seconds: number | null): void {
    if (this.#isNull(seconds)) this.time(seconds);
  }

  slice(from = 0, to = this.#count): readonly Buffer[] {
    if (from >= to) return [];
    const last = to === this.#count ? Math.max(0, this.#current) : (this.#rowChunks[to] ?? 0);
    const end = to === this.#count ? this.#at : (this.#rowBegins[to] ?? 0);
    const first = this.#rowChunks[from] ?? 0;
    const slices: Buffer[] = [];
    for (let index = first; index <= last; index++) {
      const chunk = this.#chunks[index];
      if (chunk === undefined) continue;
      const begin = index === first ? (this.#rowBegins[from] ?? 0) : 0;
      const slice = chunk.buffer.subarray(begin, index === last ? end : chunk.used);
      if (slice.length > 0) slices.push(slice);
    }
    return slices;
  }

  /** Writes the mark of a Nullable. @returns whether a value follows */
  #isNull(value: number | null): value is number {
    this.#reserve(COLUMN_BYTES);
    this.#buffer[this.#at++] = value === null ? 1 : 0;
    return value !== null;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#buffer.length) this.#nextChunk(bytes);
  }

  #nextChunk(bytes: number): void {
    const before = this.#chunks[this.#current];
    if (before !== undefined) before.used = this.#at;
    this.#current++;
    let chunk = this.#chunks[this.#current];
    if (chunk === undefined || chunk.buffer.length < bytes) {
      const buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
      chunk = { buffer, view: new DataView(buffer.buffer), used: 0 };
      this.#chunks.splice(this.#current, 0, chunk);
    }
    this.#buffer = chunk.buffer;
    this.#view = chunk.view;
    this.#at = 0;
  }
}

function grown(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
