import { parseTaskQuery } from '@meadow/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  insertQueueSamples,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  seenValues,
  taskExport,
  taskFacets,
  type SeenValuesInput,
  type Store,
  type TaskSearch,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, task } from './database.ts';

const NOW = Math.floor(Date.now() / 1000);
const T = NOW - 600;
const DAYS = 20;

let store: Store;

/** 600 tasks over 20 days, each written three times in random order, of which the last says how it is. */
const TASKS = Array.from({ length: 600 }, (_, index) => ({
  id: `id-${String(index).padStart(3, '0')}`,
  at: T - ((index * 7919) % 600) * ((DAYS * 86_400) / 600),
  state: index % 10 === 0 ? 'FAILURE' : 'SUCCESS',
  name: `app.t${index % 7}`,
  queue: index % 4 === 0 ? 'high' : 'low',
  worker: index % 50 === 0 ? '' : `celery@w${index % 3}`,
  exception_type: index % 10 === 0 ? ['KeyError', 'OSError'][(index / 10) % 2]! : '',
  kwargs: `{'customer_id': ${index % 30}}`,
}));

beforeAll(async () => {
  store = await openMigratedStore();
  for (const version of [2, 3, 1]) {
    const rows = TASKS.map(({ id, at, state, ...facts }) =>
      task(id, at, version === 3 ? { ...facts, state, version } : { state: 'STARTED', kwargs: facts.kwargs, version }),
    );
    await insertTasks(store, { rows, token: String(version) });
  }
  await insertTaskEvents(store, {
    lines: linesOf([
      event('task-failed', 'x', T, { name: 'app.t0', exception_type: 'KeyError' }),
      event('task-failed', 'y', T, { name: 'app.t0', exception_type: 'KeyError' }),
      event('task-failed', 'z', T, { name: 'app.t1', exception_type: 'OSError', cluster: 'test' }),
    ]),
    token: '1',
  });
  await insertQueueSamples(store, {
    lines: linesOf([{ cluster: 'prod', queue: 'idle', at: T, kind: 'list', source: 'redis', ready: 0 }]),
    token: '1',
  });
  const worker = {
    ...{ cluster: 'prod', pid: 7, freq: 2, active: 0, processed: 0, loadavg: [], sw_ident: '', sw_ver: '', sw_sys: '' },
    ...{
      started_at: T,
      last_heartbeat_at: T,
      last_heard_at: T,
      clock_offset_seconds: 0,
      offline: false,
      updated_at: T,
    },
  };
  await insertWorkers(store, { rows: [{ ...worker, worker: 'celery@idle', pool: 'spare' }], token: '1' });
});
afterAll(() => store[Symbol.asyncDispose]());

type Task = (typeof TASKS)[number];

/** The same, counted here. */
function counted(tasks: readonly Task[], column: 'state' | 'name' | 'queue' | 'worker' | 'exception_type') {
  const counts = new Map<string, number>();
  for (const { [column]: value } of tasks) if (value !== '') counts.set(value, (counts.get(value) ?? 0) + 1);
  return Array.from(counts, ([value, count]) => ({ value, count })).toSorted(
    (a, b) => b.count - a.count || (a.value < b.value ? -1 : 1),
  );
}

test.each<[string, (task: Task) => boolean, TaskSearch]>([
  ['', () => true, {}],
  ['state:FAILURE', ({ state }) => state === 'FAILURE', {}],
  ['state:STARTED', () => false, {}],
  ['kwargs.customer_id=3 -queue:high', ({ kwargs, queue }) => kwargs.includes(' 3}') && queue === 'low', {}],
  ['exception:KeyError seen>-5d', ({ exception_type, at }) => exception_type === 'KeyError' && at > NOW - 432_000, {}],
  ['name:app.t1', ({ name, at }) => name === 'app.t1' && at >= T - 259_200, { from: T - 259_200, cluster: 'prod' }],
  ['', () => false, { cluster: 'test' }],
])('facets of %j count each task once, as it is now', async (query, isCounted, search) => {
  const facets = await taskFacets(store, { ...search, query: parseTaskQuery(query, NOW) }, { timeoutMs: 30_000 });
  const tasks = TASKS.filter(isCounted);
  expect(facets).toEqual({
    ...{ total: tasks.length, exact: true, countedFrom: null },
    facets: [
      { field: 'state', values: counted(tasks, 'state') },
      { field: 'name', values: counted(tasks, 'name') },
      { field: 'queue', values: counted(tasks, 'queue') },
      { field: 'worker', values: counted(tasks, 'worker') },
      { field: 'exception', values: counted(tasks, 'exception_type') },
    ],
  });
});

test('facets that are out of time are those of the newest tasks, and say so', async () => {
  const facets = await taskFacets(store, {}, { timeoutMs: 1 });
  expect(facets.exact).toBe(false);
  const from = facets.countedFrom ?? Infinity;
  const tasks = TASKS.filter(({ at }) => at >= from);
  expect(tasks.length).toBeLessThan(TASKS.length);
  expect(facets.total).toBe(tasks.length);
  expect(facets.facets[0]?.values).toEqual(counted(tasks, 'state'));
});

test('values that were seen: those that begin with what is typed first, then the most frequent', async () => {
  const seen = async (field: SeenValuesInput['field'], part = '', more: Partial<SeenValuesInput> = {}) =>
    (await seenValues(store, { field, part, from: NOW - 30 * 86_400, ...more })).map(({ value }) => value);
  expect(await seen('name', 'T1')).toEqual(['app.t1']);
  expect((await seen('queue')).toSorted()).toEqual(['celery', 'high', 'idle', 'low']);
  expect(await seen('queue', 'l')).toEqual(['low', 'celery', 'idle']);
  expect((await seen('worker', 'W')).slice().toSorted()).toEqual(['celery@w0', 'celery@w1', 'celery@w2']);
  expect(await seen('worker', 'idle')).toEqual(['celery@idle']);
  expect(await seen('pool')).toEqual(['spare']);
  expect(await seen('kwargs', 'cu')).toEqual(['customer_id']);
  expect(await seen('client')).toEqual([]);
  expect(await seen('name', '', { cluster: 'test' })).toEqual([]);
  expect(await seen('name', '', { limit: 2 })).toHaveLength(2);
  expect(await seenValues(store, { field: 'exception', part: '', from: NOW - 3600 })).toEqual([
    { value: 'KeyError', count: 2 },
    { value: 'OSError', count: 1 },
  ]);
});

test('an export has every task that is looked for once, whole, newest first', async () => {
  const ids: string[] = [];
  let pages = 0;
  for await (const page of taskExport(store, { query: parseTaskQuery('-queue:high', NOW) })) {
    pages += 1;
    expect(page.length).toBeLessThanOrEqual(250);
    ids.push(...page.map(({ task_id }) => task_id));
    expect(page.every(({ traceback, attempt_log }) => traceback === '' && attempt_log.length === 0)).toBe(true);
  }
  expect(pages).toBeGreaterThan(1);
  const expected = TASKS.filter(({ queue }) => queue !== 'high').toSorted((a, b) => b.at - a.at);
  expect(ids).toEqual(expected.map(({ id }) => id));
});
