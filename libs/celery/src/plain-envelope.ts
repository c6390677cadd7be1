import { Buffer } from 'node:buffer';

/** By byte: 0 for a character that stands for itself in a JSON string in ASCII. */
export const STRING_CLASS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte > 0x7f || byte === 0x22 || byte === 0x5c ? 1 : 0,
);

/** Bytes, and a view of the same. */
export interface Memory {
  readonly bytes: Buffer;
  readonly view: DataView;
}

const OPENING = expected('{"body": "');
/** Where the body begins, from the beginning of the envelope. */
export const BODY_START = OPENING.bytes.length;

/**
 * What kombu writes behind the body of an event, in these very bytes, and between them four texts that matter to nobody
 * here: the sender, the exchange, the routing key, a random tag.
 */
const REST = [
  '", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "',
  '"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "',
  '", "routing_key": "',
  '"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "',
  '"}}',
].map(expected);

/**
 * From `begin` to `end`, finds the body, which is base64 around JSON in UTF-8, in an envelope of kombu's on Redis that says nothing but what it
 * says of nearly every event.
 * @returns where the body ends, or -1 when the envelope has to be read to know what it says
 */
export function plainBody({ bytes, view }: Memory, begin: number, end: number, mostBytes: number): number {
  if (end - begin > mostBytes || !isAt(view, begin, end, OPENING)) return -1;
  const bodyEnd = bytes.indexOf(0x22, begin + BODY_START);
  let at = bodyEnd;
  for (let index = 0; at !== -1; index++) {
    const text = REST[index];
    if (text === undefined) return at === end ? bodyEnd : -1;
    if (!isAt(view, at, end, text)) return -1;
    at += text.bytes.length;
    if (index < REST.length - 1) while (at < end && STRING_CLASS[bytes[at] ?? 0] === 0) at++;
  }
  return -1;
}

/** A text that is looked for, and its beginning as words of four bytes: these are compared in a third of the time. */
interface Expected {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

function expected(text: string): Expected {
  const bytes = Buffer.from(text);
  const words = Int32Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readInt32BE(index * 4));
  return { bytes, words };
}

function isAt(memory: DataView, start: number, end: number, { bytes, words }: Expected): boolean {
  if (end - start < bytes.length) return false;
  for (let index = 0; index < words.length; index++) {
    if (memory.getInt32(start + index * 4) !== words[index]) return false;
  }
  for (let index = words.length * 4; index < bytes.length; index++) {
    if (memory.getUint8(start + index) !== bytes[index]) return false;
  }
  return true;
}
