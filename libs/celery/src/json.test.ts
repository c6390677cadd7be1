import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf } from '../test/wire.ts';
import { parsePythonJson, stringifyPythonJson } from './json.ts';
import type { JsonValue } from './json.ts';
import { readJson } from './json-reader.ts';
import { MAX_DEPTH } from './limits.ts';

describe('reading', () => {
  test('reads the tokens JSON lacks', () => {
    expect(parsePythonJson('[NaN, Infinity, -Infinity, {"a": NaN}]')).toEqual([NaN, Infinity, -Infinity, { a: NaN }]);
  });

  test('keeps integers a double cannot hold, wherever they stand', () => {
    expect(parsePythonJson('9007199254740993')).toBe(9007199254740993n);
    expect(parsePythonJson('-9007199254740993')).toBe(-9007199254740993n);
    expect(parsePythonJson('{"a": [1, 18446744073709551616], "b":12345678901234567890}')).toEqual({
      a: [1, 18446744073709551616n],
      b: 12345678901234567890n,
    });
    for (let shift = 0; shift < 40; shift++) {
      expect(parsePythonJson(`["${'x'.repeat(shift)}",9007199254740993]`)).toEqual([
        'x'.repeat(shift),
        9007199254740993n,
      ]);
    }
  });

  test('gives numbers that a double holds as numbers', () => {
    expect(parsePythonJson('[9007199254740991, 1e20, 0.12345678901234567890, 1795169474.1865022, -0.0]')).toEqual([
      9007199254740991, 1e20, 0.12345678901234568, 1795169474.1865022, -0,
    ]);
  });

  test('is not misled by long digits inside strings', () => {
    const text = '{"args": "(1, 9223372036854775808)", "q\\"": "\\\\", "n": 7, "s": ", 9223372036854775808"}';
    expect(parsePythonJson(text)).toEqual(JSON.parse(text));
  });

  test('keeps lone surrogates and makes __proto__ an ordinary key', () => {
    expect(parsePythonJson('"\\ud800"')).toBe('\ud800');
    for (const extra of ['1', '9007199254740993', 'NaN']) {
      const value = parsePythonJson(`{"__proto__": {"polluted": 1}, "n": ${extra}}`) as object;
      expect(Object.keys(value)).toEqual(['__proto__', 'n']);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test.each([
    '',
    ' ',
    '{',
    '[1,',
    '[1 2]',
    '{"a" 1}',
    '{a:1}',
    "{'a':1}",
    '01',
    '1.',
    '.5',
    '+1',
    'nan',
    'nul',
    '"a',
    '"\\x"',
    '"\n"',
    '[]x',
    '[NaN,]',
    '-',
    '\0',
    '[9007199254740993, 1',
  ])('refuses %j', (text) => {
    expect(codeOf(() => parsePythonJson(text))).toBe('CELERY_JSON_INVALID');
  });

  test('refuses integers of more digits than Python converts', () => {
    expect(codeOf(() => parsePythonJson('9'.repeat(5000)))).toBe('CELERY_JSON_INVALID');
    expect(parsePythonJson('9'.repeat(4300))).toBe(BigInt('9'.repeat(4300)));
  });

  test.each(['[', '{"a":', '[NaN,', '[[],', '[9007199254740993,'])('bounds the nesting of %s', (opening) => {
    expect(codeOf(() => parsePythonJson(opening.repeat(100_000)))).toBe('CELERY_TOO_DEEP');
  });

  test('reads down to the bound and not a level further', () => {
    const nest = (levels: number, core: string): string => '['.repeat(levels) + core + ']'.repeat(levels);
    for (const core of ['', '1', '"[[["', 'NaN', '9007199254740993', '[],[],[]']) {
      const coreDepth = core === '[],[],[]' ? 1 : 0;
      expect(codeOf(() => parsePythonJson(nest(MAX_DEPTH - coreDepth, core)))).toBeNull();
      expect(codeOf(() => parsePythonJson(nest(MAX_DEPTH + 1 - coreDepth, core)))).toBe('CELERY_TOO_DEEP');
    }
  });

  test('does not count brackets in strings or brackets already closed', () => {
    const many = `[${'{"a":[]},'.repeat(5000)}"${'[{'.repeat(5000)}\\"["]`;
    expect(parsePythonJson(many)).toEqual(JSON.parse(many));
  });
});

const pythonJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.double().filter((number) => !Number.isInteger(number) || Number.isSafeInteger(number)),
    fc.bigInt().filter((integer) => !Number.isSafeInteger(Number(integer))),
    fc.maxSafeInteger(),
    fc.constantFrom(null, true, false, NaN, Infinity, -Infinity),
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value')).map((record) => ({ ...record })),
  ),
})).value;

test('what is written reads back the same', () => {
  fc.assert(
    fc.property(pythonJson, (value) => {
      expect(parsePythonJson(stringifyPythonJson(value))).toEqual(value);
    }),
  );
});

test('the exact reader and JSON.parse agree on plain JSON', () => {
  const rounded = (value: JsonValue): string =>
    JSON.stringify(value, (_key, item: JsonValue) => (typeof item === 'bigint' ? Number(item) : item));
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
      const expected = JSON.stringify(JSON.parse(text));
      expect(rounded(readJson(text))).toBe(expected);
      expect(rounded(parsePythonJson(text))).toBe(expected);
    }),
  );
});

test('whole doubles beyond 2^53 stay doubles', () => {
  for (const value of [2 ** 53, 1e20, 1e300, -(2 ** 60)])
    expect(parsePythonJson(stringifyPythonJson(value))).toBe(value);
});

test('writing bounds its depth', () => {
  const cycle: JsonValue[] = [];
  cycle.push(cycle);
  expect(codeOf(() => stringifyPythonJson(cycle))).toBe('CELERY_TOO_DEEP');
});
