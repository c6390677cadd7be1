import { Buffer, isAscii } from 'node:buffer';
import { CeleryDecodeError } from './errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads bytes as UTF-8, exactly.
 * @throws CeleryDecodeError `CELERY_TEXT_INVALID` when they are not
 */
export function utf8Text(bytes: Uint8Array): string {
  // Celery escapes all but ASCII, and a one-byte string is cheaper to make and to parse.
  if (isAscii(bytes)) return asBuffer(bytes).toString('latin1', 0, bytes.length);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new CeleryDecodeError('CELERY_TEXT_INVALID', 'bytes are not utf-8', { bytes: bytes.length }, cause);
  }
}

/**
 * Decodes base64 completely or not at all: `Buffer` alone would silently stop at damage. Line breaks are let through.
 * @throws CeleryDecodeError `CELERY_BASE64_INVALID`
 */
export function base64Bytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (isWhole(text, bytes.length)) return bytes;
  const packed = text.replace(/\s+/g, '');
  if (packed.length !== text.length && isWhole(packed, bytes.length)) return bytes;
  throw new CeleryDecodeError('CELERY_BASE64_INVALID', 'body is cut or not base64', { characters: text.length });
}

function isWhole(text: string, byteLength: number): boolean {
  if (text.length % 4 !== 0) return false;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding === byteLength;
}

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
