/** One message of a pattern subscription. `payload` is a view of what was read from the socket. */
export type OnPatternMessage = (channel: string, payload: Buffer) => void;

/**
 * Reads RESP2 and takes the messages of pattern subscriptions out of it; every other reply is handed on, whole and as it
 * came, to whoever waits for replies. ioredis reads each reply with some forty calls, for 5 µs; a message takes 0.3 here.
 *
 * Has to begin between two replies, e.g. before the subscription.
 */
export class PatternMessages {
  readonly #onMessage: OnPatternMessage;
  readonly #onReply: (bytes: Buffer) => void;
  /** A reply that is not whole yet. */
  #parts: Buffer[] = [];
  #held = 0;
  /** Bytes it takes at least to get on with it. */
  #wanted = 0;
  readonly #channels: { readonly bytes: Buffer; readonly name: string }[] = [];

  constructor(onMessage: OnPatternMessage, onReply: (bytes: Buffer) => void) {
    this.#onMessage = onMessage;
    this.#onReply = onReply;
  }

  /** Takes what came from the socket; keeps views of it. */
  write(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held > 0) {
      this.#parts.push(chunk);
      this.#held += chunk.length;
      if (this.#held < this.#wanted) return;
      bytes = Buffer.concat(this.#parts, this.#held);
    }
    const rest = this.#read(bytes);
    this.#parts = rest < bytes.length ? [bytes.subarray(rest)] : [];
    this.#held = bytes.length - rest;
  }

  /** @returns where the first reply begins that is not whole */
  #read(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      const end = isMessage(bytes, at) ? this.#message(bytes, at) : replyEnd(bytes, at);
      if (end < 0) {
        // a size is not known before its line is whole
        this.#wanted = Math.max(-end, bytes.length + 1) - at;
        return at;
      }
      if (!isMessage(bytes, at)) this.#onReply(bytes.subarray(at, end));
      at = end;
    }
    return at;
  }

  /** @returns where the message ends; minus where it would have to end at least when it is not whole */
  #message(bytes: Buffer, start: number): number {
    const patternEnd = bulkEnd(bytes, start + MESSAGE.length - 1);
    if (patternEnd < 0) return patternEnd;
    const channelEnd = bulkEnd(bytes, patternEnd);
    if (channelEnd < 0) return channelEnd;
    const end = bulkEnd(bytes, channelEnd);
    if (end < 0) return end;
    const channel = this.#channel(bytes, lineEnd(bytes, patternEnd), channelEnd - 2);
    this.#onMessage(channel, bytes.subarray(lineEnd(bytes, channelEnd), end - 2));
    return end;
  }

  /** Channels are few: their names are not made anew for each message. */
  #channel(bytes: Buffer, start: number, end: number): string {
    for (const known of this.#channels) {
      if (known.bytes.length === end - start && isSame(known.bytes, bytes, start)) return known.name;
    }
    const own = Buffer.from(bytes.subarray(start, end));
    const name = own.toString();
    if (this.#channels.length === KNOWN_CHANNELS) this.#channels.pop();
    this.#channels.unshift({ bytes: own, name });
    return name;
  }
}

const MESSAGE = Buffer.from('*4\r\n$8\r\npmessage\r\n$');
const KNOWN_CHANNELS = 32;
const CR = 0x0d;

function isMessage(bytes: Buffer, start: number): boolean {
  return bytes.length - start >= MESSAGE.length && isSame(MESSAGE, bytes, start);
}

function isSame(text: Buffer, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) if (text[index] !== bytes[start + index]) return false;
  return true;
}

/** Where the line that begins at `start` ends, its line break included; negative when it is not whole. */
function lineEnd(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length - 1; at++) if (bytes[at] === CR) return at + 2;
  return -(bytes.length + 1);
}

/** The number in a line such as `$12`. */
function sizeIn(bytes: Buffer, start: number): number {
  if (bytes[start + 1] === 0x2d) return -1;
  let size = 0;
  for (let at = start + 1; bytes[at] !== CR; at++) size = size * 10 + (bytes[at] ?? 0) - 0x30;
  return size;
}

/** Where a text with its size before it ends; minus where it would have to end when it is not whole. */
function bulkEnd(bytes: Buffer, start: number): number {
  const textStart = lineEnd(bytes, start);
  if (textStart < 0) return textStart;
  const size = sizeIn(bytes, start);
  const end = size < 0 ? textStart : textStart + size + 2;
  return end <= bytes.length ? end : -end;
}

/** Where any reply ends; as `bulkEnd`. */
function replyEnd(bytes: Buffer, start: number): number {
  const type = bytes[start];
  if (type === 0x24) return bulkEnd(bytes, start);
  let at = lineEnd(bytes, start);
  if (type !== 0x2a || at < 0) return at;
  for (let left = sizeIn(bytes, start); left > 0; left--) {
    if (at >= bytes.length) return -(bytes.length + 1);
    at = replyEnd(bytes, at);
    if (at < 0) return at;
  }
  return at;
}
