import { expect, test } from 'vitest';
import type { ArgumentPattern } from './query.ts';
import { parseTaskQuery } from './parse.ts';

function patternsOf(text: string): readonly ArgumentPattern[] {
  const [term] = parseTaskQuery(text, 0).terms;
  if (term?.kind !== 'argument') throw new Error(`${text} is about no argument`);
  return term.patterns;
}

const finds = (query: string, repr: string): boolean =>
  patternsOf(query).some(({ source, ignoreCase }) => new RegExp(source, ignoreCase ? 'i' : '').test(repr));

test.each([
  ['kwargs.id=42', "{'id': 42}"],
  ['kwargs.id=42', "{'id': '42', 'x': 1}"],
  ['kwargs.id=42', "{'x': 1, 'id': 42}"],
  ['kwargs.id=42', "{'x': {'id': 42}}"],
  ['kwargs.id=42', "{'x': [{'id': 42}, 1]}"],
  ['kwargs.id=41,42', "{'id': 42}"],
  ['kwargs.id=-1.5', "{'id': -1.5}"],
  ['kwargs.name="it\'s, [so]"', "{'name': 'it\\'s, [so]'}"],
  ['kwargs.on=true', "{'on': True}"],
  ['kwargs.on=null', "{'on': None}"],
  ['kwargs.on=None', "{'on': None}"],
  ['kwargs.text=""', "{'text': ''}"],
  ['kwargs.ids="[1, 2]"', "{'ids': [1, 2]}"],
  ['kwargs.at="datetime.date(2026, 11, 21)"', "{'at': datetime.date(2026, 11, 21)}"],
  ['kwargs.mail:*@example.com', "{'mail': 'ada@example.com'}"],
  ['kwargs.id:4*', "{'id': 420}"],
  ['kwargs.mail:~EXAMPLE', "{'mail': 'ada@example.com'}"],
  ['kwargs.id:~2', "{'id': 420}"],
  ['has:kwargs.id', "{'x': 1, 'id': [1]}"],
  ['args.0=3', '(3, 4)'],
  ['args.0=3', "('3',)"],
  ['args.0=3', '[3]'],
  ['args.1=4', '(3, 4)'],
  ['args.2=x', "([1, [2, 3]], {'a': ('b', 'c'), 'd': \"e, f\"}, 'x', 9)"],
  ['args.1=x', "('it\\'s, (all', 'x')"],
  ['args.1=5', "(UUID('6f9619ff-8b86-d011-b42d-00c04fc964ff'), 5)"],
  ['args.1:a*c', "(0, 'abc')"],
  ['args.1:~B', "(0, 'abc')"],
])('%s finds %s', (query, repr) => {
  expect(finds(query, repr)).toBe(true);
  // a text without any of the needles is not even looked at
  const needles = patternsOf(query).flatMap((pattern) => pattern.needles);
  if (needles.length > 0) expect(needles.some((needle) => repr.includes(needle))).toBe(true);
});

test.each([
  ['kwargs.id=42', "{'id': 420}"],
  ['kwargs.id=42', "{'id': '420'}"],
  ['kwargs.id=42', "{'id': 4.2, 'other_id': 42}"],
  ['kwargs.id=42', "{'id': [42]}"],
  ['kwargs.id=42', "{'x': \"'id': 42\"}"],
  ['kwargs.id=4.2', "{'id': 432}"],
  ['kwargs.name=it', "{'name': 'it\\'s'}"],
  ['kwargs.id=a*', "{'id': 'ab'}"],
  ['kwargs.id:4*', "{'id': 'x', 'y': 4}"],
  ['kwargs.id:~4', "{'id': 'x', 'y': '4'}"],
  ['has:kwargs.id', "{'x': 'id'}"],
  ['args.0=3', '(4, 3)'],
  ['args.0=3', '(33, 4)'],
  ['args.0=3', '([3, 4], 3)'],
  ['args.1=4', '([3, 4], 5)'],
  ['args.1=x', "('it\\'s, x', 'y')"],
  ['args.1=4', '(3, 44)'],
])('%s does not find %s', (query, repr) => expect(finds(query, repr)).toBe(false));

test('a text made to hold the engine up is judged at once', () => {
  const hostile = `{'k': '${'a'.repeat(200)}`;
  const began = performance.now();
  expect(finds('kwargs.k:*a*a*ab', hostile)).toBe(false);
  expect(finds('args.20=1', `(${'[1, '.repeat(50)}`)).toBe(false);
  expect(performance.now() - began).toBeLessThan(1000);
});
