import { deflateSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { codeOf } from '../test/wire.ts';
import { decodeContent } from './content.ts';
import type { JsonValue } from './json.ts';

function read(
  body: string | Uint8Array,
  contentType: string | null,
  contentEncoding: string | null = 'utf-8',
  headers = {},
) {
  const envelope = { body: Buffer.from(body), contentType, contentEncoding, headers, properties: {} };
  return decodeContent(envelope).value;
}

const json = 'application/json';
const yaml = 'application/x-yaml';

test('reads every serializer but pickle', () => {
  const value = { a: [1, 'é', null, true, 1.5] };
  expect(read(JSON.stringify(value), json)).toEqual(value);
  expect(read(encode(value), 'application/x-msgpack', 'binary')).toEqual(value);
  expect(read('a:\n- 1\n- é\n- null\n- true\n- 1.5\n', yaml)).toEqual(value);
  expect(read('é', 'text/plain')).toBe('é');
});

test('a pickle is refused with its type and size', () => {
  const contentType = 'application/x-python-serialize';
  expect(() => read('\x80\x05.', contentType, 'binary')).toThrow(
    expect.objectContaining({ code: 'CELERY_PICKLE_REFUSED', facts: { contentType, bytes: 4 } }),
  );
});

test.each([null, '', 'application/xml', 'APPLICATION/JSON', '__proto__'])('content type %j is unsupported', (type) => {
  expect(codeOf(() => read('{}', type))).toBe('CELERY_CONTENT_UNSUPPORTED');
});

test('charsets: absent, any case, unknown', () => {
  for (const known of [null, 'UTF-8', 'utf8', 'us-ascii', 'binary']) expect(read('["é"]', json, known)).toEqual(['é']);
  for (const unknown of ['latin-1', 'utf-16', 'x'.repeat(500), '']) {
    expect(codeOf(() => read('[]', json, unknown))).toBe('CELERY_CHARSET_UNSUPPORTED');
  }
});

test('bytes that are not UTF-8 are a typed error, for each text type', () => {
  for (const type of [json, yaml, 'text/plain']) {
    expect(codeOf(() => read(Buffer.from([0x22, 0xff, 0x22]), type))).toBe('CELERY_TEXT_INVALID');
  }
});

test('decompresses first', () => {
  expect(read(deflateSync('[1]'), json, 'utf-8', { compression: 'application/x-gzip' })).toEqual([1]);
  expect(read('[1]', json, 'utf-8', { compression: null })).toEqual([1]);
  expect(codeOf(() => read('[1]', json, 'utf-8', { compression: 'xz' }))).toBe('CELERY_COMPRESSION_UNSUPPORTED');
});

test.each<[string, JsonValue]>([
  ['[Yes, on, TRUE, NO, Off, y, n]', [true, true, true, false, false, 'y', 'n']],
  ['[1e3, 1.5e3, 1.5e+3, -1.5e-3, 1., .5, +.5, 1__0.5]', ['1e3', '1.5e3', 1500, -0.0015, 1, 0.5, '+.5', 10.5]],
  ['[017, 08, 0x1F, 0b11, -017, 0o7, 1_000, +1, 1:30]', [15, '08', 31, 3, -15, '0o7', 1000, 1, 90]],
  ['[~, Null, ., _, e]', [null, null, '.', '_', 'e']],
  ['123456789012345678901', 123456789012345678901n],
  ['2026-01-02 03:04:05', '2026-01-02 03:04:05'],
  ['.nan', NaN],
  ['&a [1, 2]', [1, 2]],
  ['{x: &a [1], y: *a}', { x: [1], y: [1] }],
  ['{base: &b {p: 1}, more: {<<: *b, q: 2}}', { base: { p: 1 }, more: { p: 1, q: 2 } }],
  ['', null],
])('yaml as PyYAML reads it: %s', (text, value) => {
  expect(read(text, yaml)).toEqual(value);
});

test('yaml: __proto__ is an ordinary key', () => {
  const value = read('{__proto__: {polluted: 1}}', yaml);
  expect(Object.keys(value as object)).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('yaml: bombs, cycles, damage and size end in a typed error', () => {
  const laughs = `a0: &a0 [x]\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n')}`;
  expect(codeOf(() => read(laughs, yaml))).toBe('CELERY_YAML_INVALID');
  expect(codeOf(() => read('&a [*a]', yaml))).toMatch(/^CELERY_(TOO_DEEP|YAML_INVALID)$/);
  expect(codeOf(() => read('['.repeat(100_000), yaml))).toBe('CELERY_YAML_INVALID');
  expect(codeOf(() => read('a: b: c', yaml))).toBe('CELERY_YAML_INVALID');
  expect(codeOf(() => read(`"${'x'.repeat(1_100_000)}"`, yaml))).toBe('CELERY_TOO_LARGE');
});

test('yaml: python tags are not honoured', () => {
  const value = read('!!python/object/apply:os.system ["true"]', yaml);
  expect(value).toEqual(['true']);
});
