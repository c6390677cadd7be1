import { expect, test } from 'vitest';
import { KnownNames } from './known-names.ts';

test('a name is made once, whoever else is named in between, and is never another name', () => {
  const names = new KnownNames();
  const all = Array.from({ length: 5_000 }, (_, index) => `celery@worker-${index}`);
  const bytes = Buffer.from(all.join(''));
  for (let round = 0; round < 2; round++) {
    let at = 0;
    for (const name of all) {
      expect(names.at(bytes, at, at + name.length)).toBe(name);
      at += name.length;
    }
  }
  expect(names.at(Buffer.from(''), 0, 0)).toBe('');
});

test('memory that is written over does not change a known name', () => {
  const names = new KnownNames();
  const bytes = Buffer.from('one two');
  expect(names.at(bytes, 0, 3)).toBe('one');
  bytes.write('two one');
  expect(names.at(bytes, 4, 7)).toBe('one');
  expect(names.at(bytes, 0, 3)).toBe('two');
});
