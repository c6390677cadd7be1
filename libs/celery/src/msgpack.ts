import { CeleryDecodeError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_DEPTH } from './limits.ts';
import { numberOrBigInt, taggedBytes } from './plain.ts';
import { asBuffer, utf8Text } from './text.ts';

/**
 * Reads one msgpack value. Integers a double cannot hold are bigints, bytes take kombu's tag
 * `{"__type__": "base64", "__value__": …}`, an extension stays closed under `"msgpack-ext:<type>"`, keys that are not text
 * become text.
 *
 * Written here because the usual package reserves memory for whatever length a header claims and has no depth bound;
 * nothing here is reserved before its bytes are seen.
 * @throws CeleryDecodeError `CELERY_MSGPACK_INVALID`, `CELERY_TEXT_INVALID`, or `CELERY_TOO_DEEP` beyond {@link MAX_DEPTH}
 */
export function readMsgpack(bytes: Uint8Array): JsonValue {
  const reader = new MsgpackReader(bytes);
  const value = reader.value(0);
  reader.end();
  return value;
}

class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = asView(bytes);
  }

  end(): void {
    if (this.#at < this.#bytes.length) this.#fail('bytes after the value');
  }

  value(depth: number): JsonValue {
    const byte = this.#uint(1);
    if (byte < 0x80) return byte;
    if (byte < 0x90) return this.#map(byte & 0x0f, depth);
    if (byte < 0xa0) return this.#array(byte & 0x0f, depth);
    if (byte < 0xc0) return this.#text(byte & 0x1f);
    if (byte >= 0xe0) return byte - 0x100;
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return taggedBytes('base64', this.#take(this.#uint(1 << (byte - 0xc4))));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#uint(1 << (byte - 0xc7)));
      case 0xca:
        return asView(this.#take(4)).getFloat32(0);
      case 0xcb:
        return asView(this.#take(8)).getFloat64(0);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (byte - 0xcc));
      case 0xcf:
        return numberOrBigInt(asView(this.#take(8)).getBigUint64(0));
      case 0xd0:
        return asView(this.#take(1)).getInt8(0);
      case 0xd1:
        return asView(this.#take(2)).getInt16(0);
      case 0xd2:
        return asView(this.#take(4)).getInt32(0);
      case 0xd3:
        return numberOrBigInt(asView(this.#take(8)).getBigInt64(0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (byte - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (byte - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (byte - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (byte - 0xde)), depth);
      default:
        return this.#fail('unused type byte');
    }
  }

  #array(length: number, depth: number): JsonValue[] {
    this.#check(depth);
    const array: JsonValue[] = [];
    for (let index = 0; index < length; index++) array.push(this.value(depth + 1));
    return array;
  }

  #map(length: number, depth: number): JsonObject {
    this.#check(depth);
    const entries: [string, JsonValue][] = [];
    for (let index = 0; index < length; index++) {
      const key = this.value(depth + 1);
      if (typeof key === 'object' && key !== null) this.#fail('key is not a scalar');
      entries.push([String(key), this.value(depth + 1)]);
    }
    // `fromEntries` defines keys; assigning `__proto__` would not.
    return Object.fromEntries(entries);
  }

  #text(length: number): string {
    return utf8Text(this.#take(length));
  }

  #extension(length: number): JsonObject {
    const type = asView(this.#take(1)).getInt8(0);
    return taggedBytes(`msgpack-ext:${type}`, this.#take(length));
  }

  #uint(byteLength: number): number {
    const start = this.#at;
    this.#take(byteLength);
    if (byteLength === 1) return this.#view.getUint8(start);
    return byteLength === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) this.#fail('data is cut');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #check(depth: number): void {
    if (depth < MAX_DEPTH) return;
    throw new CeleryDecodeError('CELERY_TOO_DEEP', `msgpack nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
  }

  #fail(reason: string): never {
    throw new CeleryDecodeError('CELERY_MSGPACK_INVALID', `not msgpack: ${reason} at ${this.#at}`, {
      offset: this.#at,
    });
  }
}

function asView(bytes: Uint8Array): DataView {
  const { buffer, byteOffset, byteLength } = asBuffer(bytes);
  return new DataView(buffer, byteOffset, byteLength);
}
