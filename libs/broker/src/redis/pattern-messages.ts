import { Buffer } from 'node:buffer';
import type { SocketReader } from './connection.ts';
import { letGo, takeSlab } from './slab.ts';
import type { Slab } from './slab.ts';

/** One message of a pattern subscription lies in `slab` from `begin` to `end`: whoever keeps that is one more user of it. */
export type OnPatternMessage = (channel: string, slab: Slab, begin: number, end: number) => void;

/** A socket is never asked to read less at a time. */
const LEAST_ROOM = 65_536;

/**
 * Reads RESP2 and takes the messages of pattern subscriptions out of it; every other reply is handed on, whole and as it
 * came, to whoever waits for replies. ioredis reads each reply with some forty calls, for 5 µs; a message takes 0.3 here.
 *
 * The socket reads into memory that is used again and again: chunks of its own, and putting together what it cut, would
 * cost more in copies and garbage than reading what is in them.
 */
export class PatternMessages implements SocketReader {
  readonly #onMessage: OnPatternMessage;
  readonly #onReply: (bytes: Buffer) => void;
  #slab = takeSlab(0);
  /** What was read and is not handed out yet, which is never a whole reply, lies between these two. */
  #begin = 0;
  #end = 0;
  /** Where it takes the bytes to reach, at least, to get on with it. */
  #wanted = 0;
  readonly #channels: { readonly bytes: Buffer; readonly name: string }[] = [];

  constructor(onMessage: OnPatternMessage, onReply: (bytes: Buffer) => void) {
    this.#onMessage = onMessage;
    this.#onReply = onReply;
  }

  room(): Buffer {
    if (this.#begin === this.#end && this.#slab.users === 1) this.#begin = this.#end = this.#wanted = 0;
    else if (this.#slab.bytes.length - this.#end < LEAST_ROOM) this.#move();
    return this.#slab.bytes.subarray(this.#end);
  }

  took(bytes: number): void {
    this.#end += bytes;
    if (this.#end >= this.#wanted) this.#read();
  }

  /** Goes on in another slab. It grows with what has come, not with what a size promises. */
  #move(): void {
    const held = this.#end - this.#begin;
    const more = Math.min(this.#wanted - this.#end, held);
    const next = takeSlab(held + Math.max(LEAST_ROOM, more));
    this.#slab.bytes.copy(next.bytes, 0, this.#begin, this.#end);
    letGo(this.#slab);
    this.#slab = next;
    this.#wanted -= this.#begin;
    this.#begin = 0;
    this.#end = held;
  }

  #read(): void {
    const bytes = this.#slab.bytes.subarray(0, this.#end);
    let at = this.#begin;
    this.#wanted = 0;
    while (at < bytes.length) {
      const message = isMessage(bytes, at);
      const end = message ? this.#message(bytes, at) : replyEnd(bytes, at);
      if (end < 0) {
        // a size is not known before its line is whole
        this.#wanted = Math.max(-end, bytes.length + 1);
        break;
      }
      if (!message) this.#onReply(Buffer.from(bytes.subarray(at, end)));
      at = end;
    }
    this.#begin = at;
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
    this.#onMessage(channel, this.#slab, lineEnd(bytes, channelEnd), end - 2);
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
