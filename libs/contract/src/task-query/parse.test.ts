import { expect, test } from 'vitest';
import { TaskQueryError } from './error.ts';
import { parseTaskQuery } from './parse.ts';

/** 2026-11-21T12:00:00Z */
const NOON = Date.UTC(2026, 10, 21, 12) / 1000;
const DAY = 86_400;
const MIDNIGHT = NOON - DAY / 2;

const parse = (text: string) => parseTaskQuery(text, NOON).terms.map(({ position: _, length: __, ...term }) => term);
const spans = (text: string) => {
  const term = parse(text)[0];
  if (term?.kind !== 'number') throw new Error(`${text} is no number`);
  return term.spans.map(
    ({ min, max, minIncluded, maxIncluded }) =>
      `${minIncluded ? '[' : '('}${min ?? ''} ${max ?? ''}${maxIncluded ? ']' : ')'}`,
  );
};
const failure = (text: string): TaskQueryError => {
  try {
    parseTaskQuery(text, NOON);
  } catch (error) {
    if (error instanceof TaskQueryError) return error;
    throw error;
  }
  throw new Error(`'${text}' was read`);
};

test('a query is terms between blanks, negated by a dash, with values between commas', () => {
  expect(parse('  state:failure,RETRY\tname:reports.*  -worker:~GPU "free \\"text\\" \\\\" -plain ')).toEqual([
    {
      ...{ kind: 'text', field: 'state', not: false },
      values: [
        { how: 'exact', value: 'FAILURE' },
        { how: 'exact', value: 'RETRY' },
      ],
    },
    { kind: 'text', field: 'name', not: false, values: [{ how: 'glob', value: 'reports.*' }] },
    { kind: 'text', field: 'worker', not: true, values: [{ how: 'contains', value: 'GPU' }] },
    { kind: 'free', not: false, text: 'free "text" \\' },
    { kind: 'free', not: true, text: 'plain' },
  ]);
  expect(parse('')).toEqual([]);
  expect(parse(' \n')).toEqual([]);
});

test('every term tells where it stands', () => {
  const text = ' a  -name:"x y",z runtime>3';
  expect(parseTaskQuery(text, NOON).terms.map(({ position, length }) => text.substr(position, length))).toEqual([
    'a',
    '-name:"x y",z',
    'runtime>3',
  ]);
});

test('what looks like a term and is none is a free text where it cannot be meant as one', () => {
  for (const text of ['-', 'a-b', '3>2', 'celery@w1', 'a,b', 'reports.daily', '*', '💥']) {
    expect(parse(text)).toEqual([{ kind: 'free', not: false, text }]);
  }
});

test('= takes a star for a star, and a comma within quotes separates nothing', () => {
  expect(parse('name=a* queue:"a,b",c')).toMatchObject([
    { values: [{ how: 'exact', value: 'a*' }] },
    { values: [{ value: 'a,b' }, { value: 'c' }] },
  ]);
});

test('numbers and durations are compared, or lie in spans', () => {
  expect(spans('runtime>30')).toEqual(['(30 )']);
  expect(spans('runtime>=250ms')).toEqual(['[0.25 )']);
  expect(spans('wait<5m')).toEqual(['( 300)']);
  expect(spans('wait<=1.5h')).toEqual(['( 5400]']);
  expect(spans('retries:3,5..7,9..')).toEqual(['[3 3]', '[5 7]', '[9 )']);
  expect(spans('retries=0')).toEqual(['[0 0]']);
  expect(spans('runtime:..2d')).toEqual([`[ ${2 * DAY}]`]);
});

test('times are told from now, by day, by minute or exactly, and a day is all of it', () => {
  expect(spans('received>-1h')).toEqual([`(${NOON - 3600} )`]);
  expect(spans('eta<+30m')).toEqual([`( ${NOON + 1800})`]);
  expect(spans('seen:today')).toEqual([`[${MIDNIGHT} ${MIDNIGHT + DAY})`]);
  expect(spans('seen:yesterday..now')).toEqual([`[${MIDNIGHT - DAY} ${NOON}]`]);
  expect(spans('sent:2026-11-20')).toEqual([`[${MIDNIGHT - DAY} ${MIDNIGHT})`]);
  expect(spans('sent>2026-11-20')).toEqual([`[${MIDNIGHT} )`]);
  expect(spans('sent>=2026-11-20')).toEqual([`[${MIDNIGHT - DAY} )`]);
  expect(spans('sent<2026-11-20')).toEqual([`( ${MIDNIGHT - DAY})`]);
  expect(spans('sent<=2026-11-20')).toEqual([`( ${MIDNIGHT})`]);
  expect(spans('started:2026-11-21T10:00')).toEqual([`[${NOON - 7200} ${NOON - 7140})`]);
  expect(spans('started:2026-11-21T10:00:00Z..2026-11-21T10:00:00.500Z')).toEqual([
    `[${NOON - 7200} ${NOON - 7199.5}]`,
  ]);
});

test('what is not known is asked for by has:, or by nothing between quotes', () => {
  expect(parse('has:exception -has:runtime runtime:"" -finished:"" queue:"" exception:""')).toEqual([
    { kind: 'has', field: 'exception', not: false },
    { kind: 'has', field: 'runtime', not: true },
    { kind: 'has', field: 'runtime', not: true },
    { kind: 'has', field: 'finished', not: false },
    { kind: 'text', field: 'queue', not: false, values: [{ how: 'exact', value: '' }] },
    { kind: 'has', field: 'exception', not: true },
  ]);
});

test.each([
  ['nmae:x', 'nmae', "there is no field 'nmae': did you mean name?"],
  ['a -started_at>-1h', 'started_at', 'did you mean started?'],
  ['task_id:x', 'task_id', 'did you mean id?'],
  ['http://x', 'http', 'is put in quotes'],
  ['name:', '', 'a value is missing'],
  ['state:A,,B', '', 'a value is missing'],
  ['name:"x', '"x', 'not closed'],
  ['"x"y', 'y', 'a blank behind the closing quote'],
  ['""', '""', 'is empty'],
  ['name>x', 'name>x', 'name is a text'],
  ['runtime:~3', ':~', 'is no text'],
  ['runtime>abc', 'abc', "'abc' is no duration"],
  ['retries>3s', '3s', "'3s' is no number"],
  ['received>1h', '1h', "'1h' is no time: write -1h for 1h ago"],
  ['received>2026-02-30', '2026-02-30', 'is no time'],
  ['received:-1h', '-1h', 'received:-1h..now'],
  ['runtime:5..1', '5..1', 'ends before it begins'],
  ['runtime:1..2..3', '1..2..3', 'a..b'],
  ['error:abc', 'abc', '16 hex digits'],
  ['name:~""', '""', 'has:name'],
  ['kwargs.a.b=1', 'a.b', 'write kwargs.b, which is found at any depth'],
  ['kwargs.=1', '', 'name a key'],
  ['kwargs.a>1', '>', 'use = or :~'],
  ['args.x=1', 'x', 'args.0'],
  ['name.x=1', '.x', 'only args and kwargs'],
  ['kwargs.a:*a*b*c*', '*a*b*c*', 'at most 3 *'],
  [`kwargs.a=${'1,'.repeat(20)}1`, `kwargs.a=${'1,'.repeat(20)}1`, 'more than 20 values of an argument'],
  ['has:name,queue', 'has:name,queue', 'one field'],
  ['has:nmae', 'nmae', 'did you mean name?'],
  ['a '.repeat(51), 'a ', 'more than 50 terms'],
  ['a'.repeat(4001), 'a', '4000'],
])('%s is refused with its place and a remedy', (text, place, message) => {
  const error = failure(text);
  expect(error.message).toContain(message);
  expect(text.substr(error.position, error.length)).toBe(place);
});
