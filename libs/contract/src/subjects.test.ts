import { expect, test } from 'vitest';
import { batchSubject, parseBatchSubject } from './subjects.ts';

test.each(['task', 'worker', 'poison', 'gap', 'audit', 'queue'] as const)('a subject of %s tells its parts', (kind) => {
  expect(parseBatchSubject(batchSubject(kind, 'my_prod-1', 7))).toEqual({ kind, cluster: 'my_prod-1', partition: 7 });
});

test('a kind of a later release is told as one, and what is no subject of a batch is none', () => {
  expect(parseBatchSubject('meadow.events.later.prod.0')).toEqual({ kind: 'unknown', cluster: 'prod', partition: 0 });
  expect(parseBatchSubject('meadow.events.tasks.prod.0')?.kind).toBe('unknown');
  for (const other of ['meadow.events.task.prod', 'meadow.live.tasks.prod', 'meadow.events.task.prod.0.1', '']) {
    expect(parseBatchSubject(other)).toBeNull();
  }
});
