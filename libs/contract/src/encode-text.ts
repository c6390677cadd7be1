/** Up to here a loop is faster than a call of the engine's writer, which takes 30 ns, and the length is one byte. Characters. */
const SHORT_TEXT = 16;

/**
 * Writes a String of RowBinary, its length as LEB128 and its UTF-8 bytes. There have to be five bytes of room,
 * the most that a length of 32 bits takes, and three for each UTF-16 unit. @returns the place behind it
 */
export function encodeText(buffer: Buffer, at: number, value: string): number {
  const { length } = value;
  if (length <= SHORT_TEXT) {
    const start = at + 1;
    let index = 0;
    for (; index < length; index++) {
      const unit = value.charCodeAt(index);
      if (unit > 0x7f) break;
      buffer[start + index] = unit;
    }
    if (index === length) {
      buffer[at] = length;
      return start + length;
    }
  }
  // behind the room that the length takes if the text is ASCII, and moved when it was not
  const guess = at + lengthBytes(length);
  const bytes = buffer.write(value, guess);
  const start = at + lengthBytes(bytes);
  // before the length is written: it reaches into the text then
  if (start !== guess) buffer.copyWithin(start, guess, guess + bytes);
  encodeLength(buffer, at, bytes);
  return start + bytes;
}

/** Writes a length as LEB128. @returns the place behind it */
export function encodeLength(buffer: Buffer, at: number, length: number): number {
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
  buffer[at++] = rest;
  return at;
}

function lengthBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}
