import { HEX_DIGITS } from './hex.ts';

/**
 * By what a task is known within its cluster: 128 bits of its id. Of a uuid as Celery writes it they are the uuid, so no two
 * share them; of any other id a digest. One key serves for any number of ids: it holds what was read last.
 */
export class TaskKey {
  a = 0;
  b = 0;
  c = 0;
  d = 0;

  /** @param data the id's UTF-8 from `begin` to `end` */
  read(data: Uint8Array, begin: number, end: number): void {
    if (end - begin !== UUID_CHARACTERS || !this.#readUuid(data, begin)) this.#digest(data, begin, end);
  }

  /** 32 bits that are spread evenly, whatever the ids have in common. */
  get hash(): number {
    return mixed(
      this.a ^ Math.imul(this.b, 0x9e3779b1) ^ Math.imul(this.c ^ Math.imul(this.d, 0xc2b2ae35), 0x85ebca6b),
    );
  }

  /** Reads what `writeTo` wrote. */
  readFrom(words: Int32Array, at: number): void {
    this.a = words[at] ?? 0;
    this.b = words[at + 1] ?? 0;
    this.c = words[at + 2] ?? 0;
    this.d = words[at + 3] ?? 0;
  }

  /** Writes four words. */
  writeTo(words: Int32Array, at: number): void {
    words[at] = this.a;
    words[at + 1] = this.b;
    words[at + 2] = this.c;
    words[at + 3] = this.d;
  }

  isAt(words: Int32Array, at: number): boolean {
    return words[at] === this.a && words[at + 1] === this.b && words[at + 2] === this.c && words[at + 3] === this.d;
  }

  #readUuid(data: Uint8Array, begin: number): boolean {
    for (const dash of DASHES) if (data[begin + dash] !== DASH) return false;
    let all = 0;
    let bits = 0;
    for (let digit = 0; digit < 32; digit++) {
      const value = HEX_DIGITS[data[begin + (DIGITS[digit] ?? 0)] ?? 0] ?? 0;
      all |= value;
      bits = (bits << 4) | value;
      if (digit === 7) this.a = bits;
      else if (digit === 15) this.b = bits;
      else if (digit === 23) this.c = bits;
    }
    this.d = bits;
    return all < 16;
  }

  #digest(data: Uint8Array, begin: number, end: number): void {
    let a = end - begin;
    let b = 0x9e3779b9;
    let c = 0x85ebca6b;
    let d = 0xc2b2ae35;
    for (let at = begin; at < end; at++) {
      const byte = data[at] ?? 0;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b + byte, 0x5bd1e995) ^ (b >>> 15);
      c = Math.imul(c ^ byte, 0x2c1b3c6d) + (c >>> 13);
      d = Math.imul(d + byte, 0x297a2d39) ^ (d >>> 11);
    }
    this.a = mixed(a ^ d);
    this.b = mixed(b ^ this.a);
    this.c = mixed(c ^ this.b);
    this.d = mixed(d ^ this.c);
  }
}

const UUID_CHARACTERS = 36;
const DASH = 0x2d;
const DASHES = [8, 13, 18, 23];
/** Where a uuid has its digits. */
const DIGITS = Uint8Array.from({ length: UUID_CHARACTERS }, (_, place) => place).filter(
  (place) => !DASHES.includes(place),
);

function mixed(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b);
  return value ^ (value >>> 16);
}
