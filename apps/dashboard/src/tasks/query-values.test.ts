import { toggleValue } from '@meadow/contract/task-query';
import { expect, test } from 'vitest';
import { chosenValues } from './query-values.ts';

test('values that a field may have are told from those that it must not', () => {
  const query = 'state:FAILURE,"RETRY" -state:LOST state=SUCCESS name:STARTED';
  expect([...chosenValues(query, 'state')]).toEqual(['FAILURE', 'RETRY']);
});

test('what is toggled is chosen, and is not when it is toggled once more', () => {
  const once = toggleValue('runtime>3', 'name', 'a b');
  expect(chosenValues(once, 'name').has('a b')).toBe(true);
  expect(toggleValue(once, 'name', 'a b')).toBe('runtime>3');
});
