import { expect, test } from 'vitest';
import { replicaOf } from './replica.ts';

const supervised = (start: string) => replicaOf({ MEADOW_SUPERVISED: start });

test('a supervised replica replaces those that were started before it in its place, and no other', () => {
  const tenth = supervised('0123abcd.10');
  expect(tenth.replaces(supervised('0123abcd.9').id)).toBe(true);
  for (const other of ['0123abcd.10', '0123abcd.11', '4567abcd.9']) {
    expect(tenth.replaces(supervised(other).id)).toBe(false);
  }
  expect(tenth.replaces(replicaOf({}).id)).toBe(false);
});

test('a replica without a supervisor replaces nobody', () => {
  const alone = replicaOf({ MEADOW_SUPERVISED: '1' });
  expect(alone.id).not.toBe(replicaOf({}).id);
  expect(alone.replaces(supervised('0123abcd.1').id)).toBe(false);
});
