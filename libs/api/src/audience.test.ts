import { expect, test } from 'vitest';
import type { WorkerLine } from './answers.ts';
import { audienceInput, audienceOf } from './audience.ts';

const line = (cluster: string, worker: string, pool: string, state: WorkerLine['state'] = 'online'): WorkerLine => ({
  ...{ cluster, worker, pool, state, pid: null, started_at: null, last_heartbeat_at: null, last_heard_at: null },
  ...{ clock_offset_seconds: null, active: null, processed: null, loadavg: [], freq: null },
  ...{ sw_ident: '', sw_ver: '', sw_sys: '', succeeded_last_hour: 0, failed_last_hour: 0 },
});
const LINES = [
  line('prod', 'celery@web-2', 'celery@web'),
  line('prod', 'celery@web-1', 'celery@web', 'lost'),
  line('prod', 'celery@web-0', 'celery@web', 'offline'),
  line('prod', 'celery@gpu', 'celery@gpu', 'quiet'),
  line('lab', 'celery@web-1', 'celery@web'),
];
const named = (input: object): string[] =>
  audienceOf(LINES, audienceInput.parse(input)).map(({ cluster, worker }) => `${cluster} ${worker}`);

test('a cluster, a pool, a name with stars and states narrow it; who is offline is left out unless asked for', () => {
  expect(named({})).toEqual(['lab celery@web-1', 'prod celery@gpu', 'prod celery@web-1', 'prod celery@web-2']);
  expect(named({ cluster: 'prod', pool: 'celery@web' })).toEqual(['prod celery@web-1', 'prod celery@web-2']);
  expect(named({ worker: 'celery@web-1' })).toEqual(['lab celery@web-1', 'prod celery@web-1']);
  expect(named({ cluster: 'prod', states: ['offline'] })).toEqual(['prod celery@web-0']);
  expect(named({ pool: 'nobody' })).toEqual([]);
});

test.each([
  ['*', 4],
  ['celery@web*', 3],
  ['*-1', 2],
  ['*e*y@*-*', 3],
  ['celery', 0],
  ['celery@web-1*1', 0],
  ['(.*)+$', 0],
])('%s names %i workers', (worker, count) => {
  expect(named({ worker })).toHaveLength(count);
});
