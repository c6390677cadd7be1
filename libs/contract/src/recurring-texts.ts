import type { Buffer } from 'node:buffer';

/** Texts that a few thousand values make up: each is made once, and the copies of it are one. Bounded: 2048 short ones. */
export class RecurringTexts {
  readonly #held: string[] = new Array<string>(2048).fill('');

  at(data: Buffer, begin: number, end: number): string {
    const length = end - begin;
    if (length === 0) return '';
    if (length > 64) return data.toString('utf8', begin, end);
    // names differ in how they end
    let hash = length;
    for (let index = Math.max(begin, end - 8); index < end; index++) hash = Math.imul(hash, 31) + (data[index] ?? 0);
    const place = (hash ^ (hash >>> 11)) & 2047;
    const held = this.#held[place] ?? '';
    if (held.length === length && equals(held, data, begin)) return held;
    const text = interned(data.toString('utf8', begin, end));
    this.#held[place] = text;
    return text;
  }
}

/** The engine's own copy of a text: only by that does it find a property, or compare two texts, at once. */
function interned(text: string): string {
  for (const key in { [text]: 0 }) return key;
  return text;
}

/** Whether a text is ASCII and the same; what is not ASCII has other bytes and is made anew each time. */
function equals(text: string, data: Buffer, begin: number): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== data[begin + index]) return false;
  return true;
}
