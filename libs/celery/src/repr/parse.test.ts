import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lines } from '../../test/recorded.ts';
import { isCut } from './cut.ts';
import { reprToJson, reprToJsonText } from './json.ts';
import { MAX_REPR_LENGTH, parseRepr } from './parse.ts';

/** The value when it is exact, `inexact` otherwise. */
function exact(text: string): unknown {
  const result = parseRepr(text);
  expect(result.exact).toBe(reprToJsonText(result.value) !== undefined && !result.cut);
  return result.exact ? reprToJson(result.value) : 'inexact';
}

describe('values JSON has', () => {
  test.each<[string, unknown]>([
    ['()', []],
    ['(1,)', [1]],
    ["(1, 'a', None, True, False, -2.5)", [1, 'a', null, true, false, -2.5]],
    ["{'x': {'k': [1, ()]}, '__proto__': 2}", JSON.parse('{"x":{"k":[1,[]]},"__proto__":2}')],
    ['9007199254740993', 9007199254740993n],
    ["'it\\'s'", "it's"],
    ['\'say "hi"\'', 'say "hi"'],
    ['["it\'s"]', ["it's"]],
    ["'line\nbreak\ttab\0'", 'line\nbreak\ttab\0'],
    ["(')', '[', ', ')", [')', '[', ', ']],
  ])('%j is exact', (text, value) => {
    expect(exact(text)).toEqual(value);
  });

  test('floats and integers stay apart in JSON text', () => {
    expect(reprToJsonText(parseRepr("[1, 1.0, 1e+16, -0.0, 9007199254740993, 'a']").value)).toBe(
      '[1,1.0,1e+16,-0.0,9007199254740993,"a"]',
    );
  });
});

describe('values JSON does not have', () => {
  test.each<[string, object]>([
    [
      'datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)',
      { kind: 'datetime', iso: '2024-01-02T03:04:05+00:00' },
    ],
    ['datetime.datetime(2024, 1, 2, 3, 4, 0, 6)', { kind: 'datetime', iso: '2024-01-02T03:04:00.000006' }],
    [
      'datetime.datetime(2024, 1, 2, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=73800)))',
      { kind: 'datetime', iso: '2024-01-02T00:00:00-03:30' },
    ],
    ['datetime.date(2024, 1, 2)', { kind: 'date', iso: '2024-01-02' }],
    ['datetime.timedelta(days=1, seconds=2)', { kind: 'timedelta', seconds: 86_402 }],
    ["UUID('00000000-0000-0000-0000-000000000005')", { kind: 'uuid', value: '00000000-0000-0000-0000-000000000005' }],
    ["Decimal('1.10')", { kind: 'decimal', value: '1.10' }],
    ["b'bytes'", { kind: 'bytes', text: 'bytes' }],
    ['nan', { kind: 'float', text: 'nan' }],
    ['-inf', { kind: 'float', text: '-inf' }],
    ['(1+2j)', { kind: 'complex', text: '(1+2j)' }],
    ['set()', { kind: 'set', items: [] }],
    [
      '{1, 2}',
      {
        kind: 'set',
        items: [
          { kind: 'int', value: 1 },
          { kind: 'int', value: 2 },
        ],
      },
    ],
    ["frozenset({'it\\'s'})", { kind: 'frozenset', items: [{ kind: 'str', value: "it's" }] }],
    ['<Foo object at 0x7f>', { kind: 'opaque', text: '<Foo object at 0x7f>' }],
    ['Color.RED', { kind: 'opaque', text: 'Color.RED' }],
    ['OrderedDict([])', { kind: 'call', name: 'OrderedDict', args: [{ kind: 'list', items: [] }] }],
    [
      "Foo(a=1, b='x\\ny')",
      { kind: 'call', name: 'Foo', named: [{ name: 'a' }, { name: 'b', value: { value: 'x\ny' } }] },
    ],
    ['{1: 2}', { kind: 'dict' }],
    ["{'a': 1, 'a': 2}", { kind: 'dict' }],
  ])('%s has a node of its own and is not exact', (text, node) => {
    expect(parseRepr(text)).toMatchObject({ value: node, exact: false, cut: false, cutAt: null, raw: text });
    expect(reprToJson(parseRepr(`[${text}]`).value)).toBeUndefined();
  });
});

describe('what Celery leaves out', () => {
  test.each<[string, number]>([
    ['([...],)', 2],
    ["{'k': {...}}", 7],
    ['(...,)', 1],
    ['frozenset({...})', 11],
    ['([1, 22..., ...],)', 7],
    ["('a', , ...)", 8],
    ["{'a': 1, 'k', ...}", 14],
    ["{'k': , ...}", 8],
    ["('a', , ...])", 8],
    ['Foo(aaaa...', 8],
    [`['${'x'.repeat(1000)}...', ...]`, 1002],
    ['(1, 2', 5],
    ["('abc", 5],
    ["{'a': ", 6],
    ['<Foo object', 11],
  ])('%s is cut', (text, at) => {
    expect(parseRepr(text)).toMatchObject({ cut: true, cutAt: at, exact: false });
    expect(isCut(text)).toBe(true);
  });

  test('dots at the end of a short string are neither a cut nor certain', () => {
    expect(parseRepr("'wait...'")).toMatchObject({ cut: false, exact: false });
    expect(parseRepr("('a...b',)")).toMatchObject({ cut: false, exact: true });
  });
});

describe('quotes and backslashes', () => {
  test('a string that ends in a backslash is told from an escaped quote by what follows', () => {
    expect(parseRepr("('quote\\'\"\\', 'nul')").value).toMatchObject({
      items: [{ value: 'quote\'"\\' }, { value: 'nul' }],
    });
    expect(parseRepr("('a\\')")).toMatchObject({ value: { items: [{ value: 'a\\' }] }, cut: false, exact: false });
  });

  test('a backslash is kept but never exact: Celery and Python write it differently', () => {
    expect(parseRepr("('C:\\new',)")).toMatchObject({ value: { items: [{ value: 'C:\\new' }] }, exact: false });
  });
});

describe("Celery's own saferepr", () => {
  interface Vector {
    text: string;
    json: string | null;
    cut: boolean;
  }
  const vectors = lines<Vector>('saferepr/saferepr.jsonl');

  test('what is exact is the value that was written', () => {
    let count = 0;
    for (const { text, json, cut } of vectors) {
      const { exact, value } = parseRepr(text);
      if (!exact) continue;
      count += 1;
      expect({ text, cut, json: json?.replaceAll(/(?<=[,:]) /g, '') }).toEqual({
        text,
        cut: false,
        json: expect.any(String),
      });
      expect(JSON.parse(reprToJsonText(value) ?? '')).toEqual(JSON.parse(json ?? ''));
    }
    expect(count).toBeGreaterThan(350);
  });

  test('every plain value is exact', () => {
    const plain = vectors.filter(({ text, json, cut }) => json !== null && !cut && !/\\|\.\.\.'/.test(text));
    expect(plain.length).toBeGreaterThan(300);
    expect(plain.filter(({ text }) => !parseRepr(text).exact)).toEqual([]);
  });

  test('a cut is seen, and none invented; only a long last word cut off a short string leaves no trace', () => {
    const wrong = vectors.filter(({ text, cut }) => parseRepr(text).cut !== cut || isCut(text) !== cut);
    expect(wrong.filter(({ text, cut }) => !cut || !/'Bearer\.\.\.'/.test(text))).toEqual([]);
    expect(vectors.filter(({ cut }) => cut).length).toBeGreaterThan(150);
  });

  test('only strings that end in a backslash beside escaped delimiters defeat it', () => {
    const unread = vectors.filter(({ text, json }) => json !== null && parseRepr(text).value.kind === 'opaque');
    expect(unread.filter(({ text }) => !/\\'[,:\])}]/.test(text))).toEqual([]);
    expect(unread.length).toBeLessThan(vectors.length / 30);
  });
});

describe('hostile text', () => {
  const n = 100_000;
  test.each([
    ['brackets', '('.repeat(n)],
    ['braces', "{'a':".repeat(n)],
    ['calls', 'A('.repeat(n)],
    ['single quotes', "'".repeat(n)],
    ['escaped quotes', `('${"\\',".repeat(n)}`],
    ['backslashes', `'${'\\'.repeat(n)}`],
    ['many short strings', `[${"'a',".repeat(n)}]`],
    ['angles', '<a...,'.repeat(n)],
    ['dots', `[${'...,'.repeat(n)}`],
    ['dots and closers', '...)'.repeat(n)],
    ['a huge number', '9'.repeat(10 * n)],
    ['a dotted name', 'a.'.repeat(n)],
    ['bytes', "[b'".repeat(n)],
    ['more than the limit', `[${'1,'.repeat(MAX_REPR_LENGTH)}]`],
  ])('%s: an answer within linear time', (_name, text) => {
    const begin = performance.now();
    const result = parseRepr(text);
    isCut(text);
    expect(performance.now() - begin).toBeLessThan(1500);
    expect(result.raw).toBe(text);
  });

  test('no text throws, and no opaque or cut one is exact', () => {
    const alphabet = [
      ...'()[]{}<>\'"\\,.:=-+ \n01aNb',
      '...',
      ', ...',
      'None',
      "b'",
      'Foo(',
      'datetime.date(',
      'frozenset({',
      "\\'",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 40 }), (parts) => {
        const text = parts.join('');
        const result = parseRepr(text);
        JSON.stringify(result);
        if (result.exact) expect(result.cut).toBe(false);
        expect(result.cut).toBe(result.cutAt !== null);
        if (text.includes('...')) expect(isCut(text)).toBe(result.cut);
      }),
      { numRuns: 3000 },
    );
  });
});
