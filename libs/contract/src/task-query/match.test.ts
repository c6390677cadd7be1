import { expect, test } from 'vitest';
import type { TaskListRow } from '../task.ts';
import { taskMatcher } from './match.ts';
import { parseTaskQuery } from './parse.ts';

const NOW = 1_790_000_000;
const ROW: TaskListRow = {
  ...{
    cluster: 'prod',
    task_id: 'abc-1',
    name: 'reports.daily',
    state: 'FAILURE',
    queue: 'high',
    worker: 'celery@gpu1',
  },
  ...{ root_id: 'abc-0', parent_id: '', args: '(1, 2)', kwargs: "{'customer_id': 42}", result: '', progress: '' },
  ...{ exception: "requests.TimeoutError('Connection REFUSED by Straße')", retries: 1, attempts: 2, sent_at: null },
  ...{ received_at: NOW - 60, started_at: NOW - 50, finished_at: NOW - 10, updated_at: NOW - 10 },
  ...{ first_seen_at: NOW - 60, wait_seconds: null, runtime_seconds: 40 },
};
const judge = (query: string, row: Partial<TaskListRow> = {}) =>
  taskMatcher(parseTaskQuery(query, NOW))?.({ ...ROW, ...row });

test.each([
  ['', true],
  ['state:failure,RETRY name:reports.* queue:high worker:~GPU runtime>30 received>-1h', true],
  ['kwargs.customer_id=42 args.1=2 exception:TimeoutError root:abc-0 -name:heartbeat', true],
  ['exception:Timeout*', true],
  ['exception:TimeoutErr', false],
  ['exception:~refused', true],
  ['exception:~STRASSE', false],
  ['exception:~STRAßE', true],
  ['name:*', true],
  ['name:reports', false],
  ['name:r*ts*y', true],
  ['name:reports.daily*daily', false],
  ['name=reports.*', false],
  ['-name:reports.*', false],
  ['DAILY', true],
  ['"customer_id\': 4"', true],
  ['-nothing', true],
  ['runtime:40', true],
  ['runtime>40', false],
  ['runtime>=40', true],
  ['runtime:..39', false],
  ['wait>0', false],
  ['-wait>0', true],
  ['has:wait', false],
  ['sent:""', true],
  ['parent:""', true],
  ['has:parent', false],
  ['received>-1m', false],
  ['received>=-1m', true],
  ['cluster:prod,test retries:1', true],
])('%s is %s of the row', (query, verdict) => expect(judge(query)).toBe(verdict));

test('of a cut text it says only what the part that is there tells', () => {
  const cut = { kwargs: `{'customer_id': 42, 'text': '${'x'.repeat(171)}` };
  expect(cut.kwargs).toHaveLength(200);
  expect(judge('kwargs.customer_id=42', cut)).toBe(true);
  expect(judge('kwargs.other=1', cut)).toBeNull();
  expect(judge('-kwargs.other=1', cut)).toBeNull();
  expect(judge('kwargs:~customer', cut)).toBe(true);
  expect(judge('kwargs:{*', cut)).toBeNull();
  expect(judge('beyond', cut)).toBeNull();
  expect(judge('beyond state:SUCCESS', cut)).toBe(false);
  expect(judge('daily', cut)).toBe(true);
});

test.each(['traceback:~x', 'pool:a', '-client:a', 'error:0123456789abcdef', 'has:reason', 'eta>now', 'routing_key:x'])(
  '%s is nothing that a row of a list tells',
  (query) => expect(taskMatcher(parseTaskQuery(`name:x ${query}`, NOW))).toBeNull(),
);
