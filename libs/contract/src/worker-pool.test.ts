import { expect, test } from 'vitest';
import { workerPool } from './worker-pool.ts';

test.each([
  ['celery@web-7d4b9c6f5-x2x9k', 'celery@web'],
  ['celery@web-api-65d8c9b7f4-zz2kq', 'celery@web-api'],
  ['celery@node-agent-x2x9k', 'celery@node-agent'],
  ['celery@worker-0', 'celery@worker'],
  ['celery@worker-127.workers.prod.svc.cluster.local', 'celery@worker'],
  ['celery3@box', 'celery@box'],
  ['w-2@box', 'w@box'],
  ['celery@ip-10-0-3-7.ec2.internal', 'celery@ip'],
  ['celery@10.0.3.7', 'celery@*'],
  ['celery@3f2a9bc81d2e', 'celery@*'],
  ['celery@gpu-box', 'celery@gpu-box'],
  ['reports@web-tests', 'reports@web-tests'],
  ['celery@42', 'celery@42'],
  ['7@host', '7@host'],
  ['no-at-sign-3', 'no-at-sign'],
  ['@', '@'],
  ['', ''],
])('%s is of pool %s', (worker, pool) => {
  expect(workerPool(worker)).toBe(pool);
});

test('a rule of the cluster goes before, and may name what a star stands for', () => {
  const rules = [
    { match: '*@reports-*', pool: 'reports' },
    { match: '*@team.*', pool: 'team $1' },
  ];
  expect(workerPool('celery@reports-1-b', rules)).toBe('reports');
  expect(workerPool('mail@team.x', rules)).toBe('team mail');
  // a dot is a dot, and what a star stands for is no pattern
  expect(workerPool('mail@teamx3', rules)).toBe('mail@teamx');
  expect(workerPool('$&@team.x', rules)).toBe('team $&');
});

test('a name made to be hard takes no time', () => {
  const rules = [{ match: '*a*a*b', pool: 'p' }];
  const began = performance.now();
  workerPool('a'.repeat(1000), rules);
  workerPool(`${'-2'.repeat(5000)}@${'x-2'.repeat(5000)}`, []);
  expect(performance.now() - began).toBeLessThan(1000);
});
