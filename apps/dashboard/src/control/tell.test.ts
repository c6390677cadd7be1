import { expect, test } from 'vitest';
import { Fault } from '../api/fault.ts';
import { readStats } from './stats.ts';
import { answersIn, audienceOf, faultWords, inAll, type Target } from './tell.ts';

const target = (worker: string, state: Target['facts']['state'], pool: object = {}): Target => ({
  cluster: 'prod',
  worker,
  facts: { state, stats: readStats({ pool }), settings: null },
});

test('who is offline, or known to be unable, is left out with the reason', () => {
  const targets = [
    target('a', 'online'),
    target('b', 'offline'),
    target('c', 'online', { threads: 2 }),
    target('d', 'lost'),
  ];
  const { touched, left } = audienceOf('pool_grow', targets);
  expect(touched.map(({ worker }) => worker)).toEqual(['a', 'd']);
  expect(left.map(({ target: { worker }, why }) => [worker, why])).toEqual([
    ['b', 'It is offline: nobody would hear it.'],
    ['c', 'A pool of threads keeps the size that it was started with.'],
  ]);
  expect(audienceOf('shutdown', targets).touched).toHaveLength(3);
});

const answer = (worker: string, outcome: 'done' | 'refused' | 'silent') => ({
  worker,
  outcome,
  words: '',
  value: null,
  seconds: 1,
});
const result = (...workers: ReturnType<typeof answer>[]) => ({
  request_id: '',
  outcome: 'partly' as const,
  detail: 'so',
  workers,
});

test('answers of all clusters are one list, what went wrong first', () => {
  const outcomes = [
    { cluster: 'a', result: result(answer('x', 'done'), answer('y', 'refused')), fault: null },
    { cluster: 'b', result: null, fault: new Fault('broken', 'no control service answers for cluster b') },
    { cluster: 'c', result: result(answer('z', 'silent')), fault: null },
  ];
  expect(answersIn(outcomes).map(({ cluster, worker }) => `${cluster} ${worker}`)).toEqual(['a y', 'c z', 'a x']);
  expect(inAll(outcomes)).toBe('a: so; b: no control service answers for cluster b; c: so');
  expect(inAll(outcomes.slice(0, 1))).toBe('so');
});

test('a refusal says that nothing was sent; without a gateway that is not known', () => {
  const schema = new Fault('refused', '✖ a rate is a number\n  → at rate_limit');
  expect(faultWords(schema)).toBe('nothing was sent: a rate is a number');
  expect(faultWords(new Fault('offline', 'fetch failed'))).toContain('not known');
});
