import { encodeLength, encodeText } from './encode-text.ts';
import { Buffer } from 'node:buffer';
import type { PipelineEvent } from './pipeline-event.ts';

type Required = 'event_id' | 'type' | 'timestamp' | 'collected_at' | 'worker';

/** What a task event's row is made of. Its cluster is told by the subject of the batch. */
export type TaskEventFields = Pick<PipelineEvent, Required> & {
  readonly [Key in keyof Omit<PipelineEvent, Required | 'cluster'>]?: PipelineEvent[Key] | null | undefined;
};

export interface TaskEventWriterOptions {
  /** Past this `append` refuses, so that a batch stays one message. A single row always fits. @default unbounded */
  readonly maxBytes?: number;
  /** Memory taken at once; it doubles as needed. @default 4096 */
  readonly initialBytes?: number;
}

/**
 * Appends task events to a batch as the frames that `HEAD_COLUMNS` describes. A text that is absent becomes '', an absent
 * number or flag null; so does a number that its column cannot hold. Lone surrogates become U+FFFD, as UTF-8 has none.
 *
 * Runs for every event, so it makes no objects: numbers are written byte by byte, short ASCII texts char by char, and the
 * memory serves for the next batch after `reset()`.
 */
export class TaskEventWriter {
  readonly #maxBytes: number;
  #buffer: Buffer;
  #view: DataView;
  #at = 0;
  #count = 0;
  /** Where the row that is being written begins, and how long its head is. */
  #frame = 0;
  #head = 0;

  constructor({ maxBytes = Infinity, initialBytes = 4096 }: TaskEventWriterOptions = {}) {
    this.#maxBytes = maxBytes;
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Events in the batch. */
  get count(): number {
    return this.#count;
  }

  /** Size of the batch, bytes. */
  get length(): number {
    return this.#at;
  }

  /** @returns false, and the batch is as it was, when it has events already and would pass `maxBytes`. */
  append(event: TaskEventFields): boolean {
    this.begin();
    this.#id(event.event_id);
    this.time(event.timestamp);
    this.time(event.collected_at);
    this.text(event.type);
    this.text(event.worker);
    this.text(event.task_id);
    this.uint32(event.pid);
    this.uint64(event.clock);
    this.uint32(event.retries);
    this.float64(event.runtime);
    this.text(event.args);
    this.text(event.kwargs);
    this.text(event.result);
    this.text(event.exception);
    this.text(event.traceback);
    this.text(event.eta);
    this.text(event.expires);
    this.text(event.exchange);
    this.text(event.routing_key);
    this.text(event.signum);
    this.text(event.extra);
    this.text(event.end_reason);
    this.flag(event.terminated);
    this.flag(event.expired);
    this.flag(event.requeue);
    this.tail();
    this.text(event.name);
    this.text(event.queue);
    this.text(event.root_id);
    this.text(event.parent_id);
    return this.end();
  }

  /** Begins a row of which each column is then written by its method, in order, `tail()` between head and tail. */
  begin(): void {
    this.#frame = this.#at;
    this.#reserve(0);
    this.#at += 8;
  }

  /** The head is written. */
  tail(): void {
    this.#head = this.#at - this.#frame - 8;
  }

  /** The row is written. @returns as `append` */
  end(): boolean {
    const frame = this.#frame;
    if (this.#at > this.#maxBytes && this.#count > 0) {
      this.#at = frame;
      return false;
    }
    this.#view.setUint32(frame, this.#at - frame - 4, true);
    this.#view.setUint32(frame + 4, this.#head, true);
    this.#count++;
    return true;
  }

  /** The batch: a view of this writer's memory, which holds until `reset()` or the next `append`. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Begins a new batch in the same memory. */
  reset(): void {
    this.#at = 0;
    this.#count = 0;
  }

  /** An event's id, from its lanes. */
  id(high: number, low: number): void {
    for (let shift = 28; shift >= 0; shift -= 4) this.#buffer[this.#at++] = HEX[(high >>> shift) & 15] ?? 0;
    for (let shift = 28; shift >= 0; shift -= 4) this.#buffer[this.#at++] = HEX[(low >>> shift) & 15] ?? 0;
  }

  #id(id: string): void {
    if (id.length !== ID_CHARACTERS) throw new RangeError(`event id of ${id.length} characters`);
    for (let index = 0; index < ID_CHARACTERS; index++) this.#buffer[this.#at++] = id.charCodeAt(index);
  }

  /** Unix seconds. */
  time(seconds: number): void {
    this.#integer(Math.round(Math.min(Math.max(seconds, 0), LATEST) * 1e6));
  }

  uint32(value: number | null | undefined): void {
    if (!isCount(value) || value >= TWO_32) return this.#null();
    this.#buffer[this.#at] = 0;
    this.#view.setUint32(this.#at + 1, value, true);
    this.#at += 5;
  }

  uint64(value: number | null | undefined): void {
    if (!isCount(value)) return this.#null();
    this.#buffer[this.#at++] = 0;
    this.#integer(value);
  }

  float64(value: number | null | undefined): void {
    if (value === null || value === undefined || !Number.isFinite(value)) return this.#null();
    this.#buffer[this.#at] = 0;
    this.#view.setFloat64(this.#at + 1, value, true);
    this.#at += 9;
  }

  flag(value: boolean | null | undefined): void {
    if (value === null || value === undefined) return this.#null();
    this.#buffer[this.#at] = 0;
    this.#buffer[this.#at + 1] = value ? 1 : 0;
    this.#at += 2;
  }

  text(value: string | null | undefined): void {
    if (value === null || value === undefined || value === '') return this.empty();
    // a UTF-16 unit takes at most three bytes of UTF-8
    this.#reserve(value.length * 3);
    this.#at = encodeText(this.#buffer, this.#at, value);
  }

  /** A text that is ''. */
  empty(): void {
    this.#buffer[this.#at++] = 0;
  }

  /** A text that is ASCII, in the bytes from `start` to `end`, behind which there are three more. */
  ascii(bytes: DataView, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    const at = encodeLength(this.#buffer, this.#at, length);
    this.#at = at + length;
    if (length > LOOP_BYTES) {
      this.#buffer.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, length), at);
      return;
    }
    const target = this.#view;
    // what this writes behind the text is written over
    for (let index = 0; index < length; index += 4) target.setInt32(at + index, bytes.getInt32(start + index));
  }

  /** @param value 0 to 2^63 */
  #integer(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#view.setUint32(this.#at, value - high * TWO_32, true);
    this.#view.setUint32(this.#at + 4, high, true);
    this.#at += 8;
  }

  /** Makes room for so many bytes and, behind them, for all of a row that is no text. */
  #reserve(bytes: number): void {
    const wanted = this.#at + bytes + BESIDE_TEXTS;
    if (wanted <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, wanted));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }

  #null(): void {
    this.#buffer[this.#at++] = 1;
  }
}

/** A batch of these events, for whoever has few of them at hand. */
export function encodeTaskEvents(events: readonly TaskEventFields[]): Buffer {
  const writer = new TaskEventWriter();
  for (const event of events) writer.append(event);
  return writer.bytes();
}

const ID_CHARACTERS = 16;
/** Up to here copying word by word is faster than a call. */
const LOOP_BYTES = 64;
/** More than a row takes beside its texts: the lengths of the frame and of each text, and columns of fixed size. Bytes. */
const BESIDE_TEXTS = 256;
const TWO_32 = 0x1_0000_0000;
const HEX = Buffer.from('0123456789abcdef');
/** What the store's DateTime64(6) holds: 1970 to 2100, Unix seconds. A wilder clock is clamped. */
const LATEST = 4_102_444_800;

function isCount(value: number | null | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
