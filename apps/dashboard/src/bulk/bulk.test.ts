import type { BulkProgress } from '@meadow/api';
import { expect, test } from 'vitest';
import { after, barOf, lastsSeconds, NOTHING_YET, readRate, targetInWords } from './bulk.ts';

const progress = (more: Partial<BulkProgress>): BulkProgress => ({
  ...{ kind: 'progress', total: 10, capped: false, done: 0, refused: 0, unsure: 0, refusals: [] },
  ...more,
});

test('a target is told in the words of its search', () => {
  const filter = { cluster: 'north', query: 'state:FAILURE name:shop.*' };
  expect(targetInWords({ filter, span: '1h' })).toBe(
    'All tasks on north, that match state:FAILURE name:shop.*, first seen in the last hour',
  );
  expect(targetInWords({ filter: { cluster: '', query: '' }, span: '24h' })).toBe(
    'All tasks on every cluster, first seen in the last 24 hours',
  );
  expect(targetInWords({ tasks: [{ cluster: 'a', taskId: '1' }] })).toBe('1 task, chosen one by one');
});

test('the bar counts what was looked at, whatever came of it', () => {
  expect(barOf(progress({ done: 3, refused: 1, unsure: 1 }))).toMatchObject({ share: 0.5, current: 5, total: 10 });
  expect(barOf(progress({ total: 0 })).share).toBeNull();
});

test('a rate is a number of tasks a second, or none', () => {
  expect([readRate(''), readRate(' 2.5 '), readRate('0'), readRate('fast'), readRate('2000')]).toEqual([
    null,
    2.5,
    ...[undefined, undefined, undefined],
  ]);
  expect([lastsSeconds(100, 8), lastsSeconds(100, null)]).toEqual([13, null]);
});

test('the last count stays when it has ended', () => {
  const end = { kind: 'ended', outcome: 'done', detail: '', requests: [] } as const;
  const so = after(after(NOTHING_YET, progress({ done: 10 })), end);
  expect(so).toEqual({ progress: progress({ done: 10 }), end });
});
