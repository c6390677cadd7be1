import { Buffer } from 'node:buffer';
import { RecurringTexts } from './recurring-texts.ts';
import { HEAD_COLUMNS } from './task-event-row.ts';

/** A frame that is not as `HEAD_COLUMNS` says. The reader goes on behind it, or ends where it cannot tell how long it is. */
export class TaskEventFormatError extends Error {
  override readonly name = 'TaskEventFormatError';
  readonly code = 'BATCH_ROW_INVALID';
  /** Where in the message it was noticed, bytes. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at byte ${at}`);
    this.at = at;
  }
}

/**
 * A cursor over the frames of a batch. `next` walks through a frame once and checks every bound in it; a field becomes a
 * number or a text when it is asked for. One reader serves for any number of batches, and keeps short texts that recur.
 *
 *     reader.begin(message.data);
 *     while (reader.next()) store(reader.taskId, reader.timestamp);
 */
export class TaskEventReader {
  readonly #recurringTexts = new RecurringTexts();
  /** Of each column the text that was made last, and where its bytes are. */
  readonly #texts: string[] = new Array<string>(COLUMNS).fill('');
  readonly #textBegins = new Int32Array(COLUMNS);
  readonly #textEnds = new Int32Array(COLUMNS);
  /** Where each column of the frame begins: of a text its first byte, of a Nullable its value, or -1 for null. */
  readonly #begins = new Int32Array(COLUMNS);
  readonly #ends = new Int32Array(COLUMNS);
  #data: Buffer = EMPTY;
  #view: DataView = new DataView(EMPTY.buffer);
  #next = 0;
  /** The frame, without its length: from here to `frameEnd`, in bytes of the batch. */
  frameBegin = 0;
  frameEnd = 0;
  /** The head's bytes, which are columns as they are stored. */
  headBegin = 0;
  headEnd = 0;

  /** Begins with a batch. The bytes have to stay as they are while it is read. */
  begin(data: Uint8Array): void {
    this.#data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#next = 0;
    this.#textBegins.fill(0);
    this.#textEnds.fill(0);
  }

  /** Goes back, or ahead, to the event whose frame begins here: what `frame` was after `next`. */
  seek(frame: number): void {
    this.#next = frame;
  }

  /** Where the event's frame begins. */
  get frame(): number {
    return this.frameBegin - 4;
  }

  /** The batch. */
  get data(): Buffer {
    return this.#data;
  }

  /**
   * Goes to the next event.
   * @returns false at the end of the batch
   * @throws TaskEventFormatError for a damaged frame: `frameBegin` and `frameEnd` tell which bytes are lost
   */
  next(): boolean {
    const size = this.#data.length;
    const frame = this.#next;
    if (frame >= size) return false;
    this.frameBegin = Math.min(frame + 4, size);
    this.frameEnd = size;
    this.#next = size;
    if (frame + 8 > size) throw new TaskEventFormatError('a frame is cut', frame);
    const end = frame + 4 + this.#view.getUint32(frame, true);
    if (end > size || end < frame + 8) throw new TaskEventFormatError('the length of a frame is wrong', frame);
    this.frameEnd = end;
    this.#next = end;
    this.headBegin = frame + 8;
    this.headEnd = this.headBegin + this.#view.getUint32(frame + 4, true);
    if (this.headEnd > end) throw new TaskEventFormatError('the length of a head is wrong', frame + 4);
    this.#walk();
    return true;
  }

  /**
   * Goes back to the event whose frame begins here, which `next` has passed. Only its head as a whole, its type and the texts
   * of its tail can be asked for then: what its row needs, without a walk through the head.
   */
  skim(frame: number): void {
    this.#frameAt(frame);
    this.#passTexts(COLUMN.type, COLUMN.type + 1, this.headBegin + HEAD_FIXED_BYTES, this.headEnd);
    this.#passTexts(HEAD_SIZES.length, COLUMNS, this.headEnd, this.frameEnd);
  }

  #frameAt(frame: number): void {
    this.frameBegin = frame + 4;
    this.frameEnd = frame + 4 + this.#view.getUint32(frame, true);
    this.headBegin = frame + 8;
    this.headEnd = frame + 8 + this.#view.getUint32(frame + 4, true);
  }

  #walk(): void {
    const { headEnd, frameEnd } = this;
    let at = this.headBegin + HEAD_FIXED_BYTES;
    let column = HEAD_FIXED;
    for (const last of HEAD_RUNS) {
      at =
        HEAD_SIZES[column] === TEXT
          ? this.#passTexts(column, last, at, headEnd)
          : this.#passNullables(column, last, at);
      column = last;
      if (at > headEnd) throw new TaskEventFormatError('a column is cut', at);
    }
    if (at !== headEnd) throw new TaskEventFormatError('a head is longer than its columns', at);
    at = this.#passTexts(column, COLUMNS, at, frameEnd);
    if (at > frameEnd) throw new TaskEventFormatError('a column is cut', at);
    if (at !== frameEnd) throw new TaskEventFormatError('a frame is longer than its columns', at);
  }

  /** Passes texts. @returns where they end: beyond `end` if they are cut */
  #passTexts(column: number, last: number, at: number, end: number): number {
    const data = this.#data;
    const begins = this.#begins;
    const ends = this.#ends;
    for (; column < last; column++) {
      const first = data[at] ?? 0;
      if (first < LONG) {
        begins[column] = at + 1;
        at += 1 + first;
      } else at = this.#longText(column, at, end);
      ends[column] = at;
    }
    return at;
  }

  #longText(column: number, at: number, end: number): number {
    let length = 0;
    let byte = LONG;
    for (let factor = 1; byte >= LONG; factor *= 0x80) {
      if (at >= end) throw new TaskEventFormatError('a column is cut', at);
      if (factor > MAX_FACTOR) throw new TaskEventFormatError('the length of a text is wrong', at);
      byte = this.#data[at++] ?? 0;
      length += (byte & 0x7f) * factor;
    }
    this.#begins[column] = at;
    if (length > end - at) throw new TaskEventFormatError('a column is cut', at);
    return at + length;
  }

  /** Passes columns that may be null. @returns where they end, perhaps beyond the head */
  #passNullables(column: number, last: number, at: number): number {
    const data = this.#data;
    const begins = this.#begins;
    for (; column < last; column++) {
      const mark = data[at++] ?? 0;
      if (mark > 1) throw new TaskEventFormatError('a null mark is neither 0 nor 1', at - 1);
      begins[column] = mark === 1 ? -1 : at;
      if (mark === 0) at -= HEAD_SIZES[column] ?? 0;
    }
    return at;
  }

  get eventId(): string {
    return this.#data.toString('latin1', this.headBegin, this.headBegin + 16);
  }

  /** Unix seconds. */
  get timestamp(): number {
    return this.#seconds(this.headBegin + 16);
  }

  /** Unix seconds. */
  get collectedAt(): number {
    return this.#seconds(this.headBegin + 24);
  }

  get type(): string {
    return this.#recurring(COLUMN.type);
  }

  get worker(): string {
    return this.#recurring(COLUMN.worker);
  }

  get taskId(): string {
    return this.text(TEXT_COLUMN.task_id);
  }

  get name(): string {
    return this.#recurring(COLUMN.name);
  }

  get queue(): string {
    return this.#recurring(COLUMN.queue);
  }

  get routingKey(): string {
    return this.#recurring(COLUMN.routing_key);
  }

  get exchange(): string {
    return this.#recurring(COLUMN.exchange);
  }

  get pid(): number | null {
    return this.#uint32(COLUMN.pid);
  }

  /** Null beyond what a number holds exactly: such a clock tells nothing. */
  get clock(): number | null {
    const at = this.#begins[COLUMN.clock] ?? -1;
    if (at < 0) return null;
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    return Number.isSafeInteger(value) ? value : null;
  }

  get retries(): number | null {
    return this.#uint32(COLUMN.retries);
  }

  /** Seconds. */
  get runtime(): number | null {
    const at = this.#begins[COLUMN.runtime] ?? -1;
    return at < 0 ? null : this.#view.getFloat64(at, true);
  }

  get terminated(): boolean | null {
    return this.#flag(COLUMN.terminated);
  }

  get expired(): boolean | null {
    return this.#flag(COLUMN.expired);
  }

  get requeue(): boolean | null {
    return this.#flag(COLUMN.requeue);
  }

  /**
   * A text as UTF-16; '' when the event did not tell it. One that has the bytes of the one before is the same string: the
   * events of a task repeat what they say, and comparing takes a fifth of the time of making a string.
   */
  text(column: TextColumn): string {
    const begin = this.#begins[column] ?? 0;
    const end = this.#ends[column] ?? 0;
    if (begin === end) return '';
    const before = this.#textBegins[column] ?? 0;
    if ((this.#textEnds[column] ?? 0) - before === end - begin && this.#isSame(before, begin, end)) {
      return this.#texts[column] ?? '';
    }
    this.#textBegins[column] = begin;
    this.#textEnds[column] = end;
    return (this.#texts[column] = this.#data.toString('utf8', begin, end));
  }

  /** Whether two columns hold the same text. */
  isSame(one: TextColumn, other: TextColumn): boolean {
    const begin = this.textBegin(one);
    const end = this.textEnd(one);
    const there = this.textBegin(other);
    return this.textEnd(other) - there === end - begin && this.#isSame(there, begin, end);
  }

  #isSame(there: number, begin: number, end: number): boolean {
    const view = this.#view;
    const ahead = there - begin;
    let at = begin;
    for (; at + 4 <= end; at += 4) if (view.getInt32(at) !== view.getInt32(at + ahead)) return false;
    for (; at < end; at++) if (view.getUint8(at) !== view.getUint8(at + ahead)) return false;
    return true;
  }

  /** Whether the event told nothing beyond its clock: each column behind takes one byte then. */
  get isBare(): boolean {
    const pidBytes = (this.#begins[COLUMN.pid] ?? -1) < 0 ? 1 : 5;
    const clockBytes = (this.#begins[COLUMN.clock] ?? -1) < 0 ? 1 : 9;
    const behindClock = (this.#ends[COLUMN.task_id] ?? 0) + pidBytes + clockBytes;
    return this.frameEnd - behindClock === COLUMNS - COLUMN.retries;
  }

  /** Whether the event told a text at all. */
  has(column: TextColumn): boolean {
    return this.#begins[column] !== this.#ends[column];
  }

  /** Where the bytes of a text are in `data`, without its length. */
  textBegin(column: TextColumn): number {
    return this.#begins[column] ?? 0;
  }

  textEnd(column: TextColumn): number {
    return this.#ends[column] ?? 0;
  }

  /** Where a text of the tail begins in `data` as it is encoded, its length included. */
  encodedBegin(column: TailColumn): number {
    return column === TEXT_COLUMN.name ? this.headEnd : (this.#ends[column - 1] ?? 0);
  }

  encodedEnd(column: TailColumn): number {
    return this.#ends[column] ?? 0;
  }

  #recurring(column: number): string {
    return this.#recurringTexts.at(this.#data, this.#begins[column] ?? 0, this.#ends[column] ?? 0);
  }

  #seconds(at: number): number {
    return (this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 2 ** 32) / 1e6;
  }

  #uint32(column: number): number | null {
    const at = this.#begins[column] ?? -1;
    return at < 0 ? null : this.#view.getUint32(at, true);
  }

  #flag(column: number): boolean | null {
    const at = this.#begins[column] ?? -1;
    return at < 0 ? null : this.#data[at] !== 0;
  }
}

const EMPTY = Buffer.alloc(0);
/** Longer than any batch. */
const MAX_FACTOR = 0x80 ** 3;
const TEXT = 0;
/** A text's first byte from here on: its length takes more. */
const LONG = 0x80;
const COLLECTORS_TAIL = ['name', 'queue', 'root_id', 'parent_id'] as const;
const COLUMNS = HEAD_COLUMNS.length + COLLECTORS_TAIL.length;

const SIZES = { String: TEXT, 'FixedString(16)': 16, 'Decimal64(6)': 8 } as const;
const NULLABLE_SIZES = {
  'Nullable(UInt32)': 4,
  'Nullable(UInt64)': 8,
  'Nullable(Float64)': 8,
  'Nullable(Bool)': 1,
} as const;

type HeadType = (typeof HEAD_COLUMNS)[number][1];

/** Bytes of each column of the head; negative where it may be null. */
const HEAD_SIZES: readonly number[] = HEAD_COLUMNS.map(([, type]) => sizeOf(type));

/** Columns of fixed size, with which the head begins, and their bytes. */
const HEAD_FIXED = HEAD_SIZES.findIndex((size) => size <= 0);
const HEAD_FIXED_BYTES = HEAD_SIZES.slice(0, HEAD_FIXED).reduce((sum, size) => sum + size, 0);
/** Behind them texts and columns that may be null take turns: where each run of the one or the other ends. */
const HEAD_RUNS = HEAD_SIZES.flatMap((size, index) => {
  const next = HEAD_SIZES[index + 1];
  return index >= HEAD_FIXED && (next === undefined || (next === TEXT) !== (size === TEXT)) ? [index + 1] : [];
});

function sizeOf(type: HeadType): number {
  return type in SIZES ? SIZES[type as keyof typeof SIZES] : -NULLABLE_SIZES[type as keyof typeof NULLABLE_SIZES];
}

type TailName = (typeof COLLECTORS_TAIL)[number];
type TextName = Extract<(typeof HEAD_COLUMNS)[number], readonly [string, 'String']>[0] | TailName;
type NumberName = Exclude<(typeof HEAD_COLUMNS)[number][0], TextName>;

/** A column of text, by its place: looking up its name each time would cost a tenth of what an event costs. */
export type TextColumn = number & { readonly of: 'text' };
export type TailColumn = TextColumn & { readonly in: 'tail' };

const COLUMN = Object.fromEntries(
  [...HEAD_COLUMNS.map(([name]) => name), ...COLLECTORS_TAIL].map((name, index) => [name, index]),
) as Readonly<Record<NumberName, number> & Record<TextName, TextColumn> & Record<TailName, TailColumn>>;

/** What `text`, `has` and their like are asked for. */
export const TEXT_COLUMN: Readonly<Record<TextName, TextColumn> & Record<TailName, TailColumn>> = COLUMN;
