import { Buffer } from 'node:buffer';

/** Longest input tried. Bytes. */
export const MAX_INPUT = 65_536;

/** A repeatable source of chance (mulberry32): the same seed gives the same run. */
export interface Chance {
  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
  };
  return { below, pick: (items) => items[below(items.length)]! };
}

/** What breaks parsers: structure, numbers at the edges, text that is none, names of the object prototype. */
const NASTY = [
  ...['[', ']', '{', '}', '"', "'", '\\', ',', ':', '(', ')', '=', '@', '/', '%', ';', '\n', '\0', ' ', '...', '***'],
  ...['NaN', 'Infinity', '-Infinity', '1e400', '-0', '-1', '0', '1.5', '9007199254740993', '9'.repeat(30), '1e-400'],
  // edges: the last time, what the store holds, integers of 32 and 53 bits, digits that a double holds for sure and not
  ...['253402300799.5', '253402300800', '4102444800.5', '4294967295', '4294967296', '9007199254740991', '1e15', '1e-7'],
  ...[
    '123456789012345',
    '1234567890123456',
    '1700000000.123456789',
    '01',
    '1.',
    '-5',
    '0.1',
    '1E+2',
    '99999999999999.25',
  ],
  ...['null', 'true', 'None', 'True', '""', '[]', '{}', '{"a": 1}', '[[[[]]]]', '"\\ud800"', '"\\u0000"', '\\u', '\\"'],
  ...['"__proto__": {"a": 1}, ', '"constructor": 1, ', '"toString": null, ', '"uuid": "u", ', '"type": "task-x", '],
  ...['\u{1f600}', '\u2028', '\u00e9', 'password', 'amqp://u:p@h', "b'x'", "'password': 'x'", '<X object at 0x1>'],
].map((text) => Buffer.from(text));
const BROKEN_UTF8 = [Buffer.from([0xff]), Buffer.from([0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80])];

/** Changes an input in one to eight random ways; `other` is a second input to take pieces from. */
export function mutate(input: Uint8Array, other: Uint8Array, words: readonly Uint8Array[], chance: Chance): Uint8Array {
  let bytes: Uint8Array = input;
  for (let left = 1 + chance.below(chance.below(8) + 1); left > 0; left--)
    bytes = mutateOnce(bytes, other, words, chance);
  return bytes.length > MAX_INPUT ? bytes.subarray(0, MAX_INPUT) : bytes;
}

function mutateOnce(bytes: Uint8Array, other: Uint8Array, words: readonly Uint8Array[], chance: Chance): Uint8Array {
  const at = chance.below(bytes.length + 1);
  const some = 1 + chance.below(chance.below(4) === 0 ? bytes.length + 1 : 16);
  switch (chance.below(9)) {
    case 0: {
      const changed = Uint8Array.from(bytes);
      if (changed.length > 0) changed[at % changed.length]! ^= 1 << chance.below(8);
      return changed;
    }
    case 1:
      return spliced(bytes, at, some, NOTHING);
    case 2:
      return spliced(bytes, at, 0, chance.pick(NASTY));
    case 3:
      return spliced(bytes, at, some, chance.below(8) === 0 ? chance.pick(BROKEN_UTF8) : chance.pick(NASTY));
    case 4:
      return spliced(bytes, at, chance.below(2) * some, chance.pick(words));
    case 5:
      return spliced(bytes, at, 0, bytes.subarray(at, at + some));
    case 6: {
      const from = chance.below(other.length + 1);
      return spliced(bytes, at, chance.below(2) * some, other.subarray(from, from + some));
    }
    case 7:
      return valueReplaced(bytes, at, chance);
    default:
      return spliced(bytes, at, 0, Buffer.alloc(1 << chance.below(10), chance.pick(NASTY)));
  }
}

const NOTHING = new Uint8Array(0);

function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

/** Puts something else where a JSON value stands: the change that keeps the text well-formed. */
function valueReplaced(bytes: Uint8Array, from: number, chance: Chance): Uint8Array {
  const colon = bytes.indexOf(0x3a, from);
  if (colon === -1) return bytes;
  let end = colon + 1;
  for (let quoted = false; end < bytes.length; end++) {
    const byte = bytes[end];
    if (byte === 0x22 && bytes[end - 1] !== 0x5c) quoted = !quoted;
    else if (!quoted && (byte === 0x2c || byte === 0x7d || byte === 0x5d)) break;
  }
  return spliced(bytes, colon + 1, end - colon - 1, chance.pick(NASTY));
}
