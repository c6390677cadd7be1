import { Buffer } from 'node:buffer';

const SLOTS = 512;

/**
 * Strings of ASCII names that come again and again. Each name has one place, from which another name of the same hash may
 * drive it: then it is made again.
 */
export class KnownNames {
  readonly #bytes: (Buffer | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  readonly #names = new Array<string>(SLOTS).fill('');

  /** The name in the bytes from `start` to `end`. */
  at(bytes: Buffer, start: number, end: number): string {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 9)) & (SLOTS - 1);
    const known = this.#bytes[slot];
    if (known !== undefined && isAt(known, bytes, start, end)) return this.#names[slot] ?? '';
    this.#bytes[slot] = Buffer.from(bytes.subarray(start, end));
    return (this.#names[slot] = bytes.toString('latin1', start, end));
  }
}

function isAt(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index++) if (name[index] !== bytes[start + index]) return false;
  return true;
}
