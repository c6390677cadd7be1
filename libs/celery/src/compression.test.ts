import { createHash } from 'node:crypto';
import { brotliCompressSync, deflateSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lines } from '../test/recorded.ts';
import { codeOf } from '../test/wire.ts';
import { bunzip2, Bzip2Error } from './bzip2.ts';
import { decompress } from './compression.ts';

const recorded = new Map(
  lines<{ content: string; bz2: string; zlib?: string }>('compression/python.jsonl').map((line) => [
    line.content,
    line,
  ]),
);

function bytesOf(content: string, format: 'bz2' | 'zlib'): Buffer {
  const text = recorded.get(content)?.[format];
  if (text === undefined) throw new Error(`no ${format} of ${content}`);
  return Buffer.from(text, 'base64');
}

const text = '[[1, 2], {}, {"callbacks": null}]';

test.each([
  ['application/x-gzip', bytesOf('task', 'zlib')],
  ['zlib', deflateSync(text)],
  ['application/x-bz2', bytesOf('task', 'bz2')],
  ['application/x-brotli', brotliCompressSync(text)],
  ['application/zstd', zstdCompressSync(text)],
])('undoes %s', (method, data) => {
  expect(Buffer.from(decompress(data, method)).toString()).toBe(text);
});

test.each(['empty', 'one byte', 'all bytes', 'runs', 'lines', 'zeros'])('bzip2 and zlib agree on %s', (content) => {
  const sha = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
  const expected = decompress(bytesOf(content, 'zlib'), 'gzip');
  expect(sha(bunzip2(bytesOf(content, 'bz2'), 1e8))).toBe(sha(expected));
});

test('bzip2 streams one after another are one text', () => {
  expect(bunzip2(bytesOf('two streams', 'bz2'), 1000).toString()).toBe('first second');
});

test.each(['application/x-lzma', 'xz', 'constructor', 7, null, ['gzip']])('refuses the method %j', (method) => {
  expect(codeOf(() => decompress(Buffer.from('x'), method))).toBe('CELERY_COMPRESSION_UNSUPPORTED');
});

test.each(['gzip', 'bzip2', 'brotli', 'zstd'])('damaged %s is a typed error', (method) => {
  expect(codeOf(() => decompress(Buffer.from('BZh9 not at all'), method))).toBe('CELERY_COMPRESSION_INVALID');
  expect(codeOf(() => decompress(Buffer.alloc(0), method))).toBe('CELERY_COMPRESSION_INVALID');
});

test('bombs are stopped at their ratio', () => {
  const zeros = Buffer.alloc(60_000_000);
  expect(codeOf(() => decompress(deflateSync(zeros), 'gzip'))).toBe('CELERY_TOO_LARGE');
  expect(codeOf(() => decompress(brotliCompressSync(zeros), 'brotli'))).toBe('CELERY_TOO_LARGE');
  expect(codeOf(() => decompress(zstdCompressSync(zeros), 'zstd'))).toBe('CELERY_TOO_LARGE');
  expect(codeOf(() => decompress(bytesOf('bomb', 'bz2'), 'bzip2'))).toBe('CELERY_TOO_LARGE');
});

test('mutated bzip2 fails or decodes, and ends', () => {
  const data = bytesOf('runs', 'bz2');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: data.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 }),
      (changes) => {
        const mutated = Buffer.from(data);
        for (const [at, byte] of changes) mutated[at] = byte;
        try {
          bunzip2(mutated, 1_000_000);
        } catch (error) {
          expect(error).toBeInstanceOf(Bzip2Error);
        }
      },
    ),
    { numRuns: 300 },
  );
});
