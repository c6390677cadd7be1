import { encode, ExtData } from '@msgpack/msgpack';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf } from '../test/wire.ts';
import { readMsgpack } from './msgpack.ts';

const options = { useBigInt64: true };

test('reads what another implementation writes', () => {
  const value = fc.jsonValue({ stringUnit: 'grapheme' });
  fc.assert(
    fc.property(value, (written) => {
      fc.pre(!JSON.stringify(written).includes('__proto__'));
      expect(readMsgpack(encode(written))).toEqual(JSON.parse(JSON.stringify(written)));
    }),
  );
});

test('integers of every width keep their value', () => {
  for (let power = 0n; power <= 63n; power++) {
    for (const integer of [2n ** power, 2n ** power - 1n, -(2n ** power)]) {
      const small = Number.isSafeInteger(Number(integer));
      expect(readMsgpack(encode(small ? Number(integer) : integer, options))).toBe(small ? Number(integer) : integer);
    }
  }
  expect(readMsgpack(encode(2n ** 64n - 1n, options))).toBe(2n ** 64n - 1n);
});

test('long strings, lists and maps are whole', () => {
  for (const length of [31, 32, 255, 256, 65_535, 65_536]) {
    expect(readMsgpack(encode('é'.repeat(length)))).toBe('é'.repeat(length));
    expect(readMsgpack(encode(Array.from({ length }, () => 1)))).toHaveLength(length);
    const record = Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, index]));
    expect(readMsgpack(encode(record))).toEqual(record);
  }
});

test('bytes and extensions stay closed', () => {
  expect(readMsgpack(encode(Buffer.from('hi')))).toEqual({ __type__: 'base64', __value__: 'aGk=' });
  expect(readMsgpack(encode(new ExtData(5, Buffer.from('abc'))))).toEqual({
    __type__: 'msgpack-ext:5',
    __value__: 'YWJj',
  });
  expect(readMsgpack(encode(new Date(0)))).toEqual({ __type__: 'msgpack-ext:-1', __value__: 'AAAAAA==' });
});

test('__proto__ is an ordinary key', () => {
  const value = readMsgpack(Buffer.concat([Buffer.from([0x81, 0xa9]), Buffer.from('__proto__'), Buffer.from([0x80])]));
  expect(Object.keys(value as object)).toEqual(['__proto__']);
});

test.each([
  ['nothing', []],
  ['an unused type', [0xc1]],
  ['cut text', [0xa3, 0x61]],
  ['a list that claims 4294967295 items', [0xdd, 0xff, 0xff, 0xff, 0xff]],
  ['a map that claims 4294967295 items', [0xdf, 0xff, 0xff, 0xff, 0xff]],
  ['text that claims 4294967295 bytes', [0xdb, 0xff, 0xff, 0xff, 0xff]],
  ['two values', [0x01, 0x02]],
  ['a list as a key', [0x81, 0x90, 0x01]],
])('refuses %s', (_what, bytes) => {
  expect(codeOf(() => readMsgpack(Buffer.from(bytes)))).toBe('CELERY_MSGPACK_INVALID');
});

test('nesting and bad text are typed errors', () => {
  expect(codeOf(() => readMsgpack(Buffer.alloc(100_000, 0x91)))).toBe('CELERY_TOO_DEEP');
  expect(codeOf(() => readMsgpack(Buffer.from([0xa1, 0xff])))).toBe('CELERY_TEXT_INVALID');
});
