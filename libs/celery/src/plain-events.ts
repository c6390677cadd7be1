import { Buffer } from 'node:buffer';
import type { AmqpMessage } from './envelope.ts';
import { BODY_START, plainBody, STRING_CLASS, type Memory } from './plain-envelope.ts';
import { KnownNames } from './known-names.ts';
import { numberIn } from './plain-number.ts';

/** The texts of a task event that are looked at in place, each a slot of its own. */
export const PLAIN_TEXT = {
  ...{ type: 0, hostname: 1, uuid: 2, name: 3, args: 4, kwargs: 5, eta: 6, expires: 7, root_id: 8, parent_id: 9 },
  ...{ queue: 10, exchange: 11, routing_key: 12, result: 13, exception: 14, traceback: 15 },
} as const;
/** Its numbers. */
export const PLAIN_NUMBER = { timestamp: 0, clock: 1, pid: 2, retries: 3, runtime: 4 } as const;
/** Its flags. */
export const PLAIN_FLAG = { terminated: 0, expired: 1, requeue: 2 } as const;

const TEXTS = 16;
const NUMBERS = 5;
const FLAGS = 3;
/** Events of a message, bytes of a body: Celery's own stay far below. More are not plain. */
const MOST_EVENTS = 512;
const MOST_BYTES = 1_000_000;
/** Longer texts are not plain: whoever takes them may want to cut them. Characters. */
const LONGEST_TEXT = 65_536;

/**
 * Reads the messages that Celery's workers and clients send nearly always, without making an object or a string of
 * anything: base64 around JSON in ASCII, task events alone, only fields of Celery's own with values that fit them. Where
 * anything is otherwise, it says so and has told nothing: then `decodeEvents` reads the message. For what it accepts, it
 * finds exactly what `decodeEvents` finds.
 *
 * The events stay readable until the next message is read. The whole message is looked at before any event is given out,
 * since one with a broken end has no events at all.
 */
export class PlainEvents {
  /** Events of the message read last. */
  count = 0;
  /** Its body; what is behind `start` and `end` refers to it. */
  bytes: Buffer = Buffer.alloc(16_384);
  /** The same memory; behind the body there is at least a word more. */
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  readonly #starts = new Int32Array(MOST_EVENTS * TEXTS);
  readonly #ends = new Int32Array(MOST_EVENTS * TEXTS);
  /** By event: bit n set when text n holds escapes. */
  readonly #escapes = new Int32Array(MOST_EVENTS);
  readonly #numbers = new Float64Array(MOST_EVENTS * NUMBERS);
  readonly #flags = new Int8Array(MOST_EVENTS * FLAGS);
  #at = 0;
  /** By field, one more than its number: the field that followed it the last time. */
  readonly #follower = new Int8Array(FIELDS.length + 1);
  readonly #hostnames = new KnownNames();

  /** Reads the message of Redis that lies there. @returns false when it is not plain */
  readRedis(memory: Memory, begin: number, end: number): boolean {
    const bodyEnd = plainBody(memory, begin, end, MOST_BYTES);
    if (bodyEnd === -1) return false;
    const { bytes } = memory;
    const bodyBegin = begin + BODY_START;
    const size = bytesOfBase64(bytes, bodyBegin, bodyEnd);
    if (size === -1) return false;
    this.#hold(size);
    const body = bytes.toString('latin1', bodyBegin, bodyEnd);
    return this.bytes.write(body, 'base64') === size && this.#read(size);
  }

  /** Reads a message of AMQP. @returns false when it is not plain */
  readAmqp({ content, properties: { contentType, contentEncoding, headers } }: AmqpMessage): boolean {
    if (contentType !== 'application/json' || content.length > MOST_BYTES) return false;
    if (contentEncoding !== 'utf-8' && contentEncoding !== undefined) return false;
    if (typeof headers !== 'object' || headers === null) return false;
    for (const key in headers) if (key !== 'hostname') return false;
    this.#hold(content.length);
    this.bytes.set(content);
    return this.#read(content.length);
  }

  /** Where a text begins in `bytes`; -1 when the event has none. */
  start(event: number, text: number): number {
    return this.#starts[event * TEXTS + text] ?? -1;
  }

  /** Where it ends. */
  end(event: number, text: number): number {
    return this.#ends[event * TEXTS + text] ?? -1;
  }

  /** Whether the bytes of a text are not the text itself. */
  isEscaped(event: number, text: number): boolean {
    return (((this.#escapes[event] ?? 0) >>> text) & 1) === 1;
  }

  /** A text as a string; '' when the event has none. */
  text(event: number, text: number): string {
    const start = this.start(event, text);
    if (start === -1) return '';
    const end = this.end(event, text);
    if (!this.isEscaped(event, text)) return this.bytes.toString('latin1', start, end);
    return JSON.parse(this.bytes.toString('latin1', start - 1, end + 1)) as string;
  }

  /** Who sent an event: a string that is made once for all events of a sender, as long as not too many send. */
  hostname(event: number): string {
    return this.#hostnames.at(this.bytes, this.start(event, PLAIN_TEXT.hostname), this.end(event, PLAIN_TEXT.hostname));
  }

  /** NaN when the event has none. */
  number(event: number, number: number): number {
    return this.#numbers[event * NUMBERS + number] ?? NaN;
  }

  /** Null when the event has none. */
  flag(event: number, flag: number): boolean | null {
    const value = this.#flags[event * FLAGS + flag] ?? -1;
    return value === -1 ? null : value === 1;
  }

  /** Makes room for a body, the zero behind it, at which every scan stops, and the rest of a word that begins at it. */
  #hold(size: number): void {
    if (size + WORD < this.bytes.length) return;
    this.bytes = Buffer.alloc(Math.min(MOST_BYTES, size * 2) + WORD + 1);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  #read(size: number): boolean {
    this.bytes[size] = 0;
    this.#at = 0;
    this.count = 0;
    this.#skipSpace();
    if (this.bytes[this.#at] === 0x5b) {
      if (!this.#list()) return false;
    } else if (!this.#event()) return false;
    this.#skipSpace();
    return this.#at === size;
  }

  #list(): boolean {
    this.#at++;
    this.#skipSpace();
    if (this.bytes[this.#at] === 0x5d) {
      this.#at++;
      return true;
    }
    for (;;) {
      if (!this.#event()) return false;
      this.#skipSpace();
      const next = this.bytes[this.#at++];
      if (next === 0x5d) return true;
      if (next !== 0x2c) return false;
      this.#skipSpace();
    }
  }

  /** One function with its place in a local, as it runs for every byte: half the time of one method for each part. */
  #event(): boolean {
    const { bytes } = this;
    const { view } = this;
    const starts = this.#starts;
    const numbers = this.#numbers;
    const flags = this.#flags;
    const event = this.count;
    if (event === MOST_EVENTS || bytes[this.#at] !== 0x7b) return false;
    // of so few, a call of `fill` costs more than the loop
    for (let index = event * TEXTS; index < event * TEXTS + TEXTS; index++) starts[index] = -1;
    for (let index = event * NUMBERS; index < event * NUMBERS + NUMBERS; index++) numbers[index] = NaN;
    for (let index = event * FLAGS; index < event * FLAGS + FLAGS; index++) flags[index] = -1;
    const follower = this.#follower;
    let field = -1;
    let escapes = 0;
    let at = this.#at + 1;
    for (;;) {
      while (bytes[at] === 0x20) at++;
      if (bytes[at++] !== 0x22) return false;
      const guess = follower[field + 1] ?? 0;
      let key = FIELD_KEYS[guess];
      if (key === undefined || !isWord(bytes, at, key)) {
        const found = fieldAt(bytes, at);
        key = FIELD_KEYS[found];
        if (key === undefined) return false;
        follower[field + 1] = found;
        field = found;
      } else field = guess;
      at += key.length;
      while (bytes[at] === 0x20) at++;
      const first = bytes[at] ?? 0;
      if (first === 0x22 && field < NUMBER_0) {
        const start = ++at;
        for (;;) {
          while (isPlainWord(view.getInt32(at))) at += 4;
          while (STRING_CLASS[bytes[at] ?? 0] === 0) at++;
          if (bytes[at] === 0x22) break;
          const length = bytes[at] === 0x5c ? escapeLength(bytes, at) : 0;
          if (length === 0) return false;
          escapes |= 1 << field;
          at += length;
        }
        if (at - start > LONGEST_TEXT) return false;
        starts[event * TEXTS + field] = start;
        this.#ends[event * TEXTS + field] = at++;
      } else if (first === 0x6e) {
        if (!isWord(bytes, at, NULL)) return false;
        at += NULL.length;
        this.#forget(event, field);
      } else if (field < FLAG_0) {
        const start = at;
        while (IN_NUMBER[bytes[at] ?? 0] === 1) at++;
        if (field < NUMBER_0 || !this.#number(event, field, start, at)) return false;
      } else {
        const word = first === 0x74 ? TRUE : FALSE;
        if (field >= FLAG_0 + FLAGS || !isWord(bytes, at, word)) return false;
        at += word.length;
        this.#flags[event * FLAGS + field - FLAG_0] = word === TRUE ? 1 : 0;
      }
      while (bytes[at] === 0x20) at++;
      const next = bytes[at++];
      if (next === 0x7d) break;
      if (next !== 0x2c) return false;
    }
    this.#at = at;
    this.#escapes[event] = escapes;
    if (!this.#holds(event)) return false;
    this.count++;
    return true;
  }

  /** A later null takes back what an earlier value of the same key said. */
  #forget(event: number, field: number): void {
    if (field < NUMBER_0) this.#starts[event * TEXTS + field] = -1;
    else if (field < UTCOFFSET) this.#numbers[event * NUMBERS + field - NUMBER_0] = NaN;
    else if (field >= FLAG_0 && field < FLAG_0 + FLAGS) this.#flags[event * FLAGS + field - FLAG_0] = -1;
  }

  #number(event: number, field: number, start: number, end: number): boolean {
    const { bytes } = this;
    const value = numberIn(bytes, start, end);
    if (Number.isNaN(value)) return false;
    if (field === UTCOFFSET) return Number.isFinite(value);
    this.#numbers[event * NUMBERS + field - NUMBER_0] = value;
    if (field === NUMBER_0 + PLAIN_NUMBER.runtime) return Number.isFinite(value);
    if (field === NUMBER_0) return value < LATEST && bytes[start] !== 0x2d;
    // a longer integer may be one that no double holds; a negative one does not fit
    return end - start <= SAFE_DIGITS && Number.isSafeInteger(value) && bytes[start] !== 0x2d;
  }

  /** Whether everything that `decodeEvents` wants of a task event is there. */
  #holds(event: number): boolean {
    const names = ((this.#escapes[event] ?? 0) & 7) === 0;
    const type = this.#length(event, PLAIN_TEXT.type);
    const hostname = this.#length(event, PLAIN_TEXT.hostname);
    const uuid = this.#length(event, PLAIN_TEXT.uuid);
    if (!names || type < 5 || type > 256 || hostname < 1 || hostname > 1024 || uuid < 1 || uuid > 1024) return false;
    const start = this.start(event, PLAIN_TEXT.type);
    for (let index = 0; index < 5; index++) if (this.bytes[start + index] !== TASK[index]) return false;
    return !Number.isNaN(this.number(event, PLAIN_NUMBER.timestamp));
  }

  #length(event: number, text: number): number {
    const start = this.start(event, text);
    return start === -1 ? -1 : this.end(event, text) - start;
  }

  #skipSpace(): void {
    const { bytes } = this;
    for (;;) {
      const byte = bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
    }
  }
}

const NUMBER_0 = TEXTS;
const UTCOFFSET = NUMBER_0 + NUMBERS;
const FLAG_0 = UTCOFFSET + 1;
/** Seconds of 9999-12-31 and a day, as `decodeEvents` has it. */
const LATEST = 253_402_300_800;
const SAFE_DIGITS = 15;
/** Bytes looked at together. */
const WORD = 4;

const NULL = Buffer.from('null');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const TASK = Buffer.from('task-');

/** Every field of Celery's task events, in the order of their slots. `signum` is only plain when it is null. */
const FIELDS = [
  ...Object.keys(PLAIN_TEXT),
  ...Object.keys(PLAIN_NUMBER),
  'utcoffset',
  ...Object.keys(PLAIN_FLAG),
  'signum',
];
const FIELD_BYTES: readonly Buffer[] = FIELDS.map((name) => Buffer.from(name));

/** What follows the quote before a field's name: the name, its closing quote and the colon. */
const FIELD_KEYS: readonly Buffer[] = FIELDS.map((name) => Buffer.from(`${name}":`));

/** A factor for which no two fields have the same hash. */
const HASH_FACTOR = 33;
const FIELD_OF_HASH = new Int8Array(256).fill(-1);
FIELD_BYTES.forEach((name, field) => {
  const hash = name.reduce((sum, byte) => (Math.imul(sum, HASH_FACTOR) + byte) | 0, 0) & 0xff;
  if (FIELD_OF_HASH[hash] !== -1) throw new RangeError(`two fields with the hash ${hash}`);
  FIELD_OF_HASH[hash] = field;
});

/** The field whose name and closing quote and colon are at `at`; -1 when there is none. */
function fieldAt(bytes: Buffer, start: number): number {
  let hash = 0;
  for (let at = start; STRING_CLASS[bytes[at] ?? 0] === 0; at++) {
    hash = (Math.imul(hash, HASH_FACTOR) + (bytes[at] ?? 0)) | 0;
  }
  const field = FIELD_OF_HASH[hash & 0xff] ?? -1;
  const key = FIELD_KEYS[field];
  return key !== undefined && isWord(bytes, start, key) ? field : -1;
}

const IN_NUMBER = new Uint8Array(256);
for (const byte of Buffer.from('-+.eE0123456789')) IN_NUMBER[byte] = 1;

function isWord(bytes: Buffer, at: number, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) if (bytes[at + index] !== word[index]) return false;
  return true;
}

/** Whether each of four bytes is in class 0 of `STRING_CLASS`; a zero of a difference or a borrow shows in its top bit. */
function isPlainWord(word: number): boolean {
  const quote = word ^ 0x22222222;
  const slash = word ^ 0x5c5c5c5c;
  const control = (word - 0x20202020) & ~word;
  const marks = ((quote - 0x01010101) & ~quote) | ((slash - 0x01010101) & ~slash);
  return ((word | control | marks) & 0x80808080) === 0;
}

/** The characters of an escape at `at`; 0 when it is none. */
function escapeLength(bytes: Buffer, at: number): number {
  if (bytes[at + 1] !== 0x75) return SIMPLE_ESCAPES.includes(bytes[at + 1] ?? 0) ? 2 : 0;
  for (let index = at + 2; index < at + 6; index++) if (!HEX.includes(bytes[index] ?? 0)) return 0;
  return 6;
}

const SIMPLE_ESCAPES = Buffer.from('"\\/bfnrt');
const HEX = Buffer.from('0123456789abcdefABCDEF');

/** How many bytes a whole base64 text from `start` to `end` holds; -1 when it cannot be whole. */
function bytesOfBase64(bytes: Buffer, start: number, end: number): number {
  if ((end - start) % 4 !== 0) return -1;
  const padding = bytes[end - 1] !== EQUALS ? 0 : bytes[end - 2] !== EQUALS ? 1 : 2;
  return ((end - start) / 4) * 3 - padding;
}

const EQUALS = 0x3d;
