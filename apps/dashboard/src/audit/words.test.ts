import { expect, test } from 'vitest';
import { sampleRecord } from './sample-record.ts';
import { actionWords, actorName, knownBy, outcomeLook, requestLook, targetsIn, targetWords } from './words.ts';

test.each([
  ['pool_grow', 'Grow the pool'],
  ['queue.purge', 'Purge a queue'],
  ['query_task', 'Query task'],
  ['constructor', 'Constructor'],
  ['cluster.add', 'Cluster add'],
  ['.', 'Unknown action'],
])('%s is read as %s', (action, words) => {
  expect(actionWords(action)).toBe(words);
});

test('a request runs until its end is there, but not for ever', () => {
  const begun = sampleRecord({ outcome: 'begun', at: 1000 });
  expect(requestLook(begun, 1010).label).toBe('Running');
  expect(requestLook(begun, 3000)).toMatchObject({ label: 'No end known', tone: 'warn' });
  expect(requestLook({ ...begun, outcome: 'done' }, 9000).label).toBe('Done');
  expect(outcomeLook('of another release')).toMatchObject({ label: 'of another release', tone: 'custom' });
});

test('who it was is told with how that is known and where it came from', () => {
  const told = (facts: Parameters<typeof sampleRecord>[0]): string => {
    const record = sampleRecord(facts);
    return `${actorName(record)}: ${knownBy(record)}`;
  };
  expect(told({})).toBe('ann: 10.0.0.7 · password');
  expect(told({ actor: '', signed_in: 'anonymous' })).toBe('Anonymous: 10.0.0.7 · not signed in');
  expect(told({ actor: '', signed_in: 'system', address: '' })).toBe('Meadow: Meadow itself');
  expect(told({ signed_in: 'passkey', address: '' })).toBe('ann: passkey');
});

test('targets are the first of them and how many more, also where a record does not hold all', () => {
  const on = (target_kind: string, targets: readonly string[]) =>
    Object.values(targetWords(sampleRecord({ target_kind, targets: [...targets] }))).join(' | ');
  expect(on('worker', ['a'])).toBe('a | 0 | worker');
  expect(on('task', ['a', 'b', '…and 900 more'])).toBe('a | 901 | tasks');
  expect(on('cluster', [])).toBe('the whole cluster | 0 | ');
  expect(targetsIn(['…and 2 more'])).toEqual({ named: [], more: 2 });
});
