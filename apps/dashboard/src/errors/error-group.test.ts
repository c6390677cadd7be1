import type { ErrorChange } from '@meadow/api';
import { expect, test } from 'vitest';
import { changeWords, groupTasks, statusMarks } from './error-group.ts';

const change = (facts: Partial<ErrorChange>): ErrorChange => ({
  ...{ at: 100, by: 'ann', status: null, assignee: null, note: null },
  ...facts,
});

test('all tasks of a group are those that stand at it, seen long before it failed first, too', () => {
  const first = 1_700_000_000.5;
  const { filter, span } = groupTasks(
    { cluster: 'prod', fingerprint: 'a'.repeat(16), first_seen_at: first },
    1_700_000_100.2,
  );
  expect(filter).toEqual({ cluster: 'prod', query: `error:${'a'.repeat(16)}` });
  expect(span).toEqual({ from: 1_700_000_000 - 90 * 86_400, to: 1_700_000_161 });
});

test('what was said is told in words', () => {
  expect(changeWords(change({ status: 'resolved', note: 'x' }))).toBe('resolved it, noted something');
  expect(changeWords(change({ status: 'open', assignee: '' }))).toBe('opened it, assigned it to nobody');
  expect(changeWords(change({ assignee: 'bob', note: '' }))).toBe('assigned it to bob, removed the note');
});

test('a chart is marked where the status was changed, and by whom', () => {
  const changes = [change({ status: 'resolved' }), change({ note: 'x' }), change({ status: 'ignored', by: '', at: 5 })];
  expect(statusMarks(changes)).toEqual([
    { at: 100, label: 'Resolved by ann' },
    { at: 5, label: 'Ignored' },
  ]);
});
