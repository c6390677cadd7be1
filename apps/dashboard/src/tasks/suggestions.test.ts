import { describe, expect, test } from 'vitest';
import { readMemory, remembered, saved } from './search-memory.ts';
import { lookupAt, suggestionsAt } from './suggestions.ts';

const NOTHING = readMemory(null);
const at = (text: string, seen: readonly string[] = [], memory = NOTHING) =>
  suggestionsAt(
    text.replace('|', ''),
    text.indexOf('|'),
    seen.map((value) => ({ value, count: 1200 })),
    memory,
  );
const taken = (text: string, label: string, seen: readonly string[] = []) => {
  const found = at(text, seen).find((each) => each.label === label);
  return found === undefined ? null : `${found.text.slice(0, found.caret)}|${found.text.slice(found.caret)}`;
};

describe('what is suggested at the caret', () => {
  test.each([
    ['sta|', 'state', [], 'state:|'],
    ['name:a -que|', 'queue', [], 'name:a -queue:|'],
    ['state:F|', 'FAILURE', [], 'state:FAILURE |'],
    ['state:RETRY,F| name:a', 'FAILURE', [], 'state:RETRY,FAILURE| name:a'],
    ['received>|', 'yesterday', [], 'received>yesterday |'],
    ['name:sho|', 'shop.pay', ['shop.pay'], 'name:shop.pay |'],
    ['queue:"high |', 'high "prio"', ['high "prio"'], 'queue:"high \\"prio\\"" |'],
    ['kwargs.cust|', 'customer_id', ['customer_id'], 'kwargs.customer_id=|'],
    ['has:kwargs.c|', 'customer_id', ['customer_id'], 'has:kwargs.customer_id |'],
  ] as const)('%s: %s', (text, label, seen, result) => {
    expect(taken(text, label, seen)).toBe(result);
  });

  test('counts of values are told', () => {
    expect(at('name:|', ['shop.pay'])).toMatchObject([{ kind: 'value', note: '1,200' }]);
  });

  test('an empty field offers what was kept and searched for before its fields', () => {
    const memory = saved(remembered(NOTHING, 'runtime>30'), { name: 'Night', query: 'state:LOST' });
    const [first, second, third] = at('|', [], memory);
    expect(first).toMatchObject({ kind: 'saved', label: 'Night', note: 'state:LOST', text: 'state:LOST', caret: 10 });
    expect(second).toMatchObject({ kind: 'recent', label: 'runtime>30', text: 'runtime>30' });
    expect(third?.kind).toBe('field');
    expect(at('a |', [], memory).every(({ kind }) => kind === 'field')).toBe(true);
  });
});

test.each([
  ['name:shop|', { field: 'name', prefix: 'shop' }],
  ['-queue:a,b|', { field: 'queue', prefix: 'b' }],
  ['kwargs.cust|', { field: 'kwargs', prefix: 'cust' }],
  ['kwargs:cust|', null],
  ['kwargs.a=4|', null],
  ['state:F|', null],
  ['na|', null],
])('at %s values are looked up: %o', (text, lookup) => {
  expect(lookupAt(text.replace('|', ''), text.indexOf('|'))).toEqual(lookup);
});
