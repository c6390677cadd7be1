import { expect, test } from 'vitest';
import { forgotten, readMemory, remembered, saved } from './search-memory.ts';

const EMPTY = readMemory(null);

test('the newest searches are remembered, each once', () => {
  let memory = EMPTY;
  for (const query of ['a', 'b', ' ', ' a ']) memory = remembered(memory, query);
  expect(memory.recent).toEqual(['a', 'b']);
  for (let index = 0; index < 50; index++) memory = remembered(memory, `q${index}`);
  expect(memory.recent).toHaveLength(8);
  expect(memory.recent[0]).toBe('q49');
});

test('a search is kept under a name, and another takes its place', () => {
  const one = saved(saved(EMPTY, { name: 'night', query: 'state:FAILURE' }), { name: 'Day', query: 'a' });
  const other = saved(one, { name: ' night ', query: 'state:LOST ' });
  expect(other.saved).toEqual([
    { name: 'Day', query: 'a' },
    { name: 'night', query: 'state:LOST' },
  ]);
  expect(forgotten(other, 'Day').saved).toEqual([{ name: 'night', query: 'state:LOST' }]);
  expect(saved(one, { name: ' ', query: 'x' })).toBe(one);
});

test('what was stored comes back, and what is no memory is an empty one', () => {
  const memory = saved(remembered(EMPTY, 'a'), { name: 'n', query: 'q' });
  expect(readMemory(JSON.stringify(memory))).toEqual(memory);
  for (const text of ['', 'null', '[]', '{"recent":7,"saved":{}}', '{"recent":[7],"saved":[{"name":1}, null]}'])
    expect(readMemory(text)).toEqual(EMPTY);
});
