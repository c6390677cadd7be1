import { Buffer } from 'node:buffer';

/** Damage in bzip2 data; the caller gives it a code. */
export class Bzip2Error extends Error {
  override readonly name = 'Bzip2Error';
}

/** Passed bound of {@link bunzip2}. */
export class Bzip2SizeError extends Bzip2Error {}

/**
 * Decompresses bzip2, streams one after another included, and checks every block's checksum. Written here because the
 * pure JavaScript decoders in use check a run length only once it is read, when a crafted one has wrapped around, and
 * then count from there; here each loop consumes input or fills a bounded block.
 * @throws Bzip2SizeError when the output would pass `maxBytes`, Bzip2Error when the data is damaged
 */
export function bunzip2(data: Uint8Array, maxBytes: number): Buffer {
  const bits = new Bits(data);
  const chunks: Buffer[] = [];
  let total = 0;
  do {
    if (bits.take(24) !== 0x425a68) throw new Bzip2Error('no bzip2 header');
    const level = bits.take(8) - 0x30;
    if (level < 1 || level > 9) throw new Bzip2Error('bad block size');
    const column = new Uint8Array(level * 100_000);
    for (;;) {
      const mark = bits.take(24) * 0x1000000 + bits.take(24);
      const checksum = bits.take(16) * 0x10000 + bits.take(16);
      if (mark === endMark) break;
      if (mark !== blockMark) throw new Bzip2Error('no block header');
      const block = unpackRuns(readBlock(bits, column, maxBytes - total), maxBytes - total);
      if (checksumOf(block) !== checksum) throw new Bzip2Error('bad checksum');
      chunks.push(block);
      total += block.length;
    }
    bits.alignToByte();
  } while (!bits.atEnd());
  return Buffer.concat(chunks);
}

const blockMark = 0x314159265359;
const endMark = 0x177245385090;
const maxCodeBits = 20;
const symbolsPerSelector = 50;

class Bits {
  readonly #data: Uint8Array;
  #at = 0;
  #buffer = 0;
  #count = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Up to 24 bits, most significant first. */
  take(count: number): number {
    while (this.#count < count) {
      const byte = this.#data[this.#at++];
      if (byte === undefined) throw new Bzip2Error('data is cut');
      this.#buffer = ((this.#buffer & 0xffffff) << 8) | byte;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#buffer >>> this.#count) & ((1 << count) - 1);
  }

  alignToByte(): void {
    this.#count -= this.#count % 8;
  }

  atEnd(): boolean {
    return this.#count < 8 && this.#at >= this.#data.length;
  }
}

/** One Huffman table: for each code length the first code past it, and where its symbols start in `symbols`. */
interface Table {
  readonly past: Int32Array;
  readonly offset: Int32Array;
  readonly symbols: number[];
}

/** Reads one block up to, but not through, its outer run-length layer. `column` is scratch space of the block's size. */
function readBlock(bits: Bits, column: Uint8Array, maxBytes: number): Uint8Array {
  if (bits.take(1) === 1) throw new Bzip2Error('randomised blocks are obsolete');
  const origin = bits.take(24);
  const alphabet = readAlphabet(bits);
  const tableCount = bits.take(3);
  if (tableCount < 2 || tableCount > 6) throw new Bzip2Error('bad table count');
  const selectors = readSelectors(bits, tableCount);
  const tables = Array.from({ length: tableCount }, () => readTable(bits, alphabet.length + 2));
  const length = readSymbols(bits, selectors, tables, alphabet, column);
  // five bytes of the run-length layer say four at least: what would be too large anyway need not be sorted first
  if (length * 4 > maxBytes * 5) throw new Bzip2SizeError('output too large');
  return undoSorting(column.subarray(0, length), origin);
}

function readAlphabet(bits: Bits): number[] {
  const groups = bits.take(16);
  const alphabet: number[] = [];
  for (let group = 0; group < 16; group++) {
    if ((groups & (0x8000 >> group)) === 0) continue;
    const members = bits.take(16);
    for (let member = 0; member < 16; member++)
      if ((members & (0x8000 >> member)) !== 0) alphabet.push(group * 16 + member);
  }
  if (alphabet.length === 0) throw new Bzip2Error('empty alphabet');
  return alphabet;
}

function readSelectors(bits: Bits, tableCount: number): number[] {
  const count = bits.take(15);
  const order = [0, 1, 2, 3, 4, 5].slice(0, tableCount);
  return Array.from({ length: count }, () => {
    let index = 0;
    while (bits.take(1) === 1) if (++index >= tableCount) throw new Bzip2Error('bad selector');
    return moveToFront(order, index);
  });
}

function moveToFront(order: number[], index: number): number {
  const value = order[index];
  if (value === undefined) throw new Bzip2Error('bad symbol');
  order.copyWithin(1, 0, index);
  order[0] = value;
  return value;
}

function readTable(bits: Bits, symbolCount: number): Table {
  const byLength: number[][] = Array.from({ length: maxCodeBits + 1 }, () => []);
  let length = bits.take(5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    while (bits.take(1) === 1) {
      length += bits.take(1) === 1 ? -1 : 1;
      if (length < 1 || length > maxCodeBits) break;
    }
    const symbols = length < 1 ? undefined : byLength[length];
    if (symbols === undefined) throw new Bzip2Error('bad code length');
    symbols.push(symbol);
  }
  const past = new Int32Array(maxCodeBits + 1);
  const offset = new Int32Array(maxCodeBits + 1);
  let code = 0;
  let seen = 0;
  byLength.forEach((symbols, bitCount) => {
    code *= 2;
    offset[bitCount] = seen - code;
    code += symbols.length;
    seen += symbols.length;
    past[bitCount] = code;
  });
  return { past, offset, symbols: byLength.flat() };
}

function readSymbol(bits: Bits, table: Table): number {
  let code = 0;
  for (let length = 1; length <= maxCodeBits; length++) {
    code = code * 2 + bits.take(1);
    if (code < (table.past[length] ?? 0)) {
      const symbol = table.symbols[code + (table.offset[length] ?? 0)];
      if (symbol !== undefined) return symbol;
      break;
    }
  }
  throw new Bzip2Error('bad code');
}

/** Fills `block` with the sorted column; returns its length. Symbols 0 and 1 spell run lengths in bijective base two. */
function readSymbols(bits: Bits, selectors: number[], tables: Table[], alphabet: number[], block: Uint8Array): number {
  const endOfBlock = alphabet.length + 1;
  const order = alphabet.slice();
  let length = 0;
  let run = 0;
  let runDigit = 1;
  for (const selector of selectors) {
    const table = tables[selector];
    if (table === undefined) throw new Bzip2Error('bad selector');
    for (let index = 0; index < symbolsPerSelector; index++) {
      const symbol = readSymbol(bits, table);
      if (symbol < 2) {
        run += runDigit * (symbol + 1);
        runDigit *= 2;
        // Checked at every digit, or a long spelling would pass the integers.
        if (length + run > block.length) throw new Bzip2Error('block too long');
        continue;
      }
      if (run > 0) {
        block.fill(order[0] ?? 0, length, length + run);
        length += run;
        run = 0;
        runDigit = 1;
      }
      if (symbol === endOfBlock) return length;
      if (length >= block.length) throw new Bzip2Error('block too long');
      block[length++] = moveToFront(order, symbol - 1);
    }
  }
  throw new Bzip2Error('block without an end');
}

/** Undoes the Burrows-Wheeler transform. */
function undoSorting(last: Uint8Array, origin: number): Uint8Array {
  const starts = new Uint32Array(257);
  for (const byte of last) starts[byte + 1] = (starts[byte + 1] ?? 0) + 1;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1] = (starts[byte + 1] ?? 0) + (starts[byte] ?? 0);
  const next = new Uint32Array(last.length);
  last.forEach((byte, row) => {
    const start = starts[byte] ?? 0;
    next[start] = row;
    starts[byte] = start + 1;
  });
  if (origin >= last.length) throw new Bzip2Error('bad origin');
  const text = new Uint8Array(last.length);
  let row = next[origin] ?? 0;
  for (let at = 0; at < text.length; at++) {
    text[at] = last[row] ?? 0;
    row = next[row] ?? 0;
  }
  return text;
}

/** Undoes the outer run-length layer: after four equal bytes comes a count of further ones. */
function unpackRuns(packed: Uint8Array, maxBytes: number): Buffer {
  const out = Buffer.allocUnsafe(unpackedLength(packed, maxBytes));
  let length = 0;
  walkRuns(packed, (byte, count) => {
    // nearly every run is one byte, for which a call of `fill` is a hundred times too slow
    if (count === 1) out[length] = byte;
    else out.fill(byte, length, length + count);
    length += count;
  });
  return out;
}

function unpackedLength(packed: Uint8Array, maxBytes: number): number {
  let length = 0;
  walkRuns(packed, (_byte, count) => {
    length += count;
  });
  if (length > maxBytes) throw new Bzip2SizeError('output too large');
  return length;
}

function walkRuns(packed: Uint8Array, emit: (byte: number, count: number) => void): void {
  let equal = 0;
  let previous = -1;
  for (const byte of packed) {
    if (equal === 4) {
      emit(previous, byte);
      equal = 0;
      previous = -1;
      continue;
    }
    equal = byte === previous ? equal + 1 : 1;
    previous = byte;
    emit(byte, 1);
  }
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** bzip2's CRC-32: most significant bit first, unlike zlib's. */
function checksumOf(bytes: Uint8Array): number {
  // signed until the end: the engine would box what is above 31 bits
  let crc = -1;
  for (const byte of bytes) crc = (crc << 8) ^ (crcTable[((crc >>> 24) ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}
