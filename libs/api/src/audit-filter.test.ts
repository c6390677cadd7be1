import { expect, test } from 'vitest';
import { prettifyError } from 'zod';
import { auditFilter, auditSelection } from './audit-filter.ts';

test('a range is a time up to now, everything else is passed on', () => {
  const filter = auditFilter.parse({ cluster: 'prod', who: 'ann', outcomes: ['begun'], worker: 'w@h', range: '1h' });
  expect(auditSelection(filter, 10_000)).toEqual({
    ...{ cluster: 'prod', who: 'ann', outcomes: ['begun'], worker: 'w@h', from: 6_400 },
  });
  expect(auditSelection(auditFilter.parse({ from: 1, to: 2 }), 10_000)).toEqual({ from: 1, to: 2 });
});

test.each([
  [{ outcomes: ['finished'] }, '"finished" is no outcome: use one of begun, done'],
  [{ targetKind: 'pod' }, '"pod" is no kind of target: use one of cluster, worker'],
  [{ outcomes: [] }, 'leave it out to see all'],
  [{ range: '1y' }, 'use one of 15m'],
  [{ range: '1h', from: 1 }, 'use either range or from'],
  [{ from: 2, to: 2 }, 'from must lie before to'],
  [{ who: '' }, 'leave it out rather than empty'],
  [{ actr: 'ann' }, '"actr"'],
])('%j is refused: %s', (filter, why) => {
  const { error } = auditFilter.safeParse(filter);
  expect(error === undefined ? '' : prettifyError(error)).toContain(why);
});
