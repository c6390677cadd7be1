import { brotliDecompressSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { bunzip2, Bzip2SizeError } from './bzip2.ts';
import { CeleryDecodeError, excerpt } from './errors.ts';
import type { JsonValue } from './json.ts';
import { BZIP2_RATIO_FREE_BYTES, MAX_BYTES, MAX_BZIP2_BYTES, MAX_RATIO, RATIO_FREE_BYTES } from './limits.ts';

type Decompress = (data: Uint8Array, maxOutputLength: number) => Uint8Array;

const inflate: Decompress = (data, maxOutputLength) => inflateSync(data, { maxOutputLength });
const brotli: Decompress = (data, maxOutputLength) => brotliDecompressSync(data, { maxOutputLength });
const zstd: Decompress = (data, maxOutputLength) => zstdDecompressSync(data, { maxOutputLength });

/** By content type and by the aliases kombu accepts in the header. */
const methods: ReadonlyMap<JsonValue, Decompress> = new Map([
  // kombu's "gzip" is zlib's format, not gzip's.
  ['application/x-gzip', inflate],
  ['gzip', inflate],
  ['zlib', inflate],
  ['application/x-bz2', bunzip2],
  ['bzip2', bunzip2],
  ['bzip', bunzip2],
  ['application/x-brotli', brotli],
  ['brotli', brotli],
  ['application/zstd', zstd],
  ['zstd', zstd],
  ['zstandard', zstd],
]);

/**
 * Undoes kombu's `compression` header. LZMA is not supported: neither Node nor a well-kept package decodes it.
 *
 * Output is bounded by {@link MAX_BYTES} and, above {@link RATIO_FREE_BYTES} (bzip2: {@link BZIP2_RATIO_FREE_BYTES}), by {@link MAX_RATIO} times the input.
 * @throws CeleryDecodeError `CELERY_COMPRESSION_UNSUPPORTED`, `CELERY_COMPRESSION_INVALID`, `CELERY_TOO_LARGE`
 */
export function decompress(data: Uint8Array, method: JsonValue): Uint8Array {
  const run = methods.get(method);
  if (run === undefined) {
    const name = typeof method === 'string' ? excerpt(method) : typeof method;
    throw new CeleryDecodeError('CELERY_COMPRESSION_UNSUPPORTED', `compression ${name}`, { method: name });
  }
  const freeBytes = run === bunzip2 ? BZIP2_RATIO_FREE_BYTES : RATIO_FREE_BYTES;
  const limit = Math.min(MAX_BYTES, Math.max(freeBytes, data.length * MAX_RATIO));
  const facts = { method: String(method), compressedBytes: data.length, limit };
  if (run === bunzip2 && data.length > MAX_BZIP2_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `bzip2 body of ${data.length} bytes`, facts);
  }
  try {
    return run(data, limit);
  } catch (cause) {
    if (cause instanceof Bzip2SizeError || (cause as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new CeleryDecodeError('CELERY_TOO_LARGE', `body decompresses to more than ${limit} bytes`, facts, cause);
    }
    throw new CeleryDecodeError('CELERY_COMPRESSION_INVALID', `body is not ${facts.method}`, facts, cause);
  }
}
