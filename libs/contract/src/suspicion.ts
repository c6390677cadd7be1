/**
 * Makes the look at a text's bytes that decides, for nearly every text, that masking would leave it as it is. It may
 * suspect too much, never too little: it looks for the first three characters of every word, whatever their case, and for
 * 13 digits with nothing but spaces and dashes between them.
 *
 * @param words what betrays a secret; with one that is shorter, or has other characters than are looked for, every text
 *   is suspected
 * @returns whether the ASCII text in the bytes from `start` to `end` may hold a secret
 */
export function createSuspicion(words: readonly string[]): (bytes: Uint8Array, start: number, end: number) => boolean {
  const triples = new Uint8Array(1 << 15);
  for (const word of words) {
    let triple = 0;
    for (let index = 0; index < 3; index++) {
      const unit = index < word.length ? word.charCodeAt(index) : 0x80;
      const letter = unit < 0x80 ? (CLASSES[unit] ?? OTHER) : OTHER;
      if (letter === OTHER || letter === DIGIT || letter === SPACE) return () => true;
      triple = (triple << 5) | letter;
    }
    triples[triple] = 1;
  }
  return (bytes, start, end) => {
    let triple = 0;
    let digits = 0;
    for (let at = start; at < end; at++) {
      const letter = CLASSES[bytes[at] ?? 0] ?? OTHER;
      triple = ((triple << 5) | letter) & 0x7fff;
      if (triples[triple] === 1) return true;
      if (letter === DIGIT) {
        if (++digits === CARD_DIGITS) return true;
      } else if (letter !== SPACE) digits = 0;
    }
    return false;
  };
}

/** Digits of the shortest number of a card. */
const CARD_DIGITS = 13;

/** By byte: a letter, whatever its case, as 1 to 26; the marks that betray a URL; and what stands in and between digits. */
const OTHER = 0;
const DIGIT = 29;
const SPACE = 30;
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const lower = byte | 0x20;
  if (lower >= 0x61 && lower <= 0x7a && byte < 0x80) return lower - 0x60;
  if (byte >= 0x30 && byte <= 0x39) return DIGIT;
  if (byte === 0x20 || byte === 0x2d) return SPACE;
  return byte === 0x3a ? 27 : byte === 0x2f ? 28 : OTHER;
});
