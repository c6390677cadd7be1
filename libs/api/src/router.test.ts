import type { TaskRow } from '@meadow/contract';
import { TRPCError } from '@trpc/server';
import { expect, expectTypeOf, test } from 'vitest';
import type { Errors } from './error-groups.ts';
import { ApiError } from './errors.ts';
import type { Marks } from './marks.ts';
import type { Control, Ports, Questions, TasksQuestion } from './ports.ts';
import { appRouter } from './router.ts';
import type { SqlConsole } from './sql.ts';
import type { Trends } from './trends.ts';
import type { TaskTypeQuestions } from './task-types.ts';
import type { Workflows } from './workflows.ts';

const NOW = 1_700_000_000;

/** An installation in which nothing has happened yet. */
const EMPTY: Questions = {
  overview: () => Promise.reject(new ApiError('STORE_NOT_READY', 'no tables yet')),
  clusterSummaries: async () => new Map(),
  tasks: async () => ({ rows: [], next: null, searchedTo: null }),
  task: async () => null,
  taskEvents: async () => [],
  facets: async () => ({ total: { count: 0, exact: true }, countedFrom: null, facets: [], seconds: 0 }),
  values: async () => [],
  toldTasks: async () => new Map(),
  queues: async () => [],
  queueTrend: async () => ({ bucket_seconds: 60, series: [] }),
  worker: async () => null,
  workers: async () => [],
  gaps: async () => [],
  poison: async () => [],
  loss: async () => [],
  audit: async () => ({ rows: [], next: null }),
  auditRequest: async () => [],
  info: async () => ({ version: '26.7', rows: 0, bytes: 0, tables: [], load: null }),
  problem: async () => null,
};

const notHere = (): Promise<never> => Promise.reject(new ApiError('CONTROL_REFUSED', 'not here'));
const NO_CONTROL: Control = {
  ...{ inspect: async () => [], run: notHere, queues: notHere, peek: notHere, broker: notHere, purge: notHere },
  ...{ remove: notHere, pause: notHere, resume: notHere, send: notHere, draft: notHere, abort: notHere },
  ...{ move: () => ReadableStream.from<never>([]), retry: () => ReadableStream.from<never>([]) },
};

const NO_ERRORS = new Proxy({} as Errors, { get: () => notHere });

const NO_WORKFLOWS: Workflows = {
  members: async () => ({ members: [], capped: false }),
  size: async () => 1,
  recent: async () => ({ rows: [], more: false }),
};

const NO_TRENDS = new Proxy({} as Trends, { get: () => notHere });
const NO_SQL = new Proxy({} as SqlConsole, { get: () => notHere });
const NO_MARKS: Marks = { list: async () => [], add: notHere, remove: async () => false };

const NO_TYPES: TaskTypeQuestions = {
  list: async () => ({ from: 0, to: 0, bucketSeconds: 60, types: [] }),
  schedules: async () => [],
  get: async () => null,
};

const ended = ReadableStream.from<never>([]);

function caller(questions: Partial<Questions> = {}, ports: Partial<Ports> = {}) {
  return appRouter.createCaller({
    questions: { ...EMPTY, ...questions },
    live: { viewers: 0, tasks: () => ended, workers: () => ended },
    clusters: { list: () => [], services: () => [] },
    doctor: { examine: async () => [] },
    control: NO_CONTROL,
    errors: NO_ERRORS,
    marks: NO_MARKS,
    sql: NO_SQL,
    trends: NO_TRENDS,
    workflows: NO_WORKFLOWS,
    taskTypes: NO_TYPES,
    requester: { actor: '', signed_in: 'anonymous', address: '127.0.0.1', user_agent: '' },
    bus: { problem: () => null, stream: async () => null },
    version: '0.1.0',
    startedAt: NOW,
    now: () => NOW,
    ...ports,
  });
}

async function failure(call: Promise<unknown>): Promise<TRPCError> {
  const error = await call.then(() => null, (thrown: unknown) => thrown); // prettier-ignore
  if (!(error instanceof TRPCError)) throw new Error('the call did not fail as promised', { cause: error });
  return error;
}

test('a failure of ours keeps its code and gets the one that HTTP knows', async () => {
  const error = await failure(caller().overview.get({ range: '1h' }));
  expect(error).toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: 'no tables yet',
    cause: { code: 'STORE_NOT_READY' },
  });
  expect((await failure(caller().tasks.get({ cluster: 'prod', taskId: 'x' }))).code).toBe('NOT_FOUND');
});

test('turns a range into a time and passes every filter on', async () => {
  const asked: TasksQuestion[] = [];
  const remember: Questions['tasks'] = async (question) => {
    asked.push(question);
    return { rows: [], next: null, searchedTo: null };
  };
  await caller({ tasks: remember }).tasks.list({ cluster: 'prod', query: 'state:failure received>-1m', range: '1h' });
  const place = { not: false };
  expect(asked).toEqual([
    {
      ...{ cluster: 'prod', from: NOW - 3_600, limit: 50, sort: { by: 'seen', desc: true } },
      query: {
        terms: [
          {
            ...{ ...place, kind: 'text', field: 'state', position: 0, length: 13 },
            values: [{ how: 'exact', value: 'FAILURE' }],
          },
          {
            ...{ ...place, kind: 'number', field: 'received', position: 14, length: 12 },
            spans: [{ min: NOW - 60, minIncluded: false, max: null, maxIncluded: false }],
          },
        ],
      },
    },
  ]);
});

test('refuses what no task list can mean', async () => {
  const { list } = caller().tasks;
  const refused = [
    { limit: 501 },
    { from: 2, to: 1 },
    { query: 'x'.repeat(4_001) },
    { query: 'stat:x' },
    { sort: { by: 'args', desc: true } },
    { range: '1h', from: 1 },
    { nmae: 'x' },
  ];
  for (const input of refused) expect((await failure(list(input as object))).code).toBe('BAD_REQUEST');
});

test('lists clusters without the store, but not out of nothing', async () => {
  const down: Partial<Questions> = {
    clusterSummaries: () => Promise.reject(new ApiError('STORE_UNAVAILABLE', 'down')),
  };
  const clusters = { list: () => [{ name: 'prod', status: null }], services: () => [] };
  expect(await caller(down, { clusters }).clusters.list()).toEqual([
    { name: 'prod', state: 'unreported', stale: false, status: null, summary: null },
  ]);
  expect((await failure(caller(down).clusters.list())).code).toBe('SERVICE_UNAVAILABLE');
});

test('refuses what no question of queues can mean, and passes on what it can', async () => {
  const { queues } = caller();
  const named = { cluster: 'prod', queue: 'mail' };
  const refused: Promise<unknown>[] = [
    queues.list({ cluster: 'No such' }),
    queues.trend({ ...named, queue: '' }),
    queues.trend({ ...named, range: '1y' as '1h' }),
    queues.now({ cluster: 'prod', queues: [] }),
    queues.now({ cluster: 'prod', queues: Array<string>(1_001).fill('mail') }),
    queues.peek({ ...named, limit: 101 }),
    queues.peek({ ...named, offset: -1 }),
    queues.purge({ ...named } as { cluster: string; queue: string; confirm: string }),
    queues.remove({ ...named, handle: '' }),
    queues.pause({ ...named, queue: 'q'.repeat(256) }),
    queues.resume({ ...named, workers: [''] }),
    queues.move({ cluster: 'prod', from: 'a', to: 'b', limit: 0 }),
    queues.move({ cluster: 'prod', from: 'a', to: '' }),
    queues.resume({ ...named, wokers: [] } as object as typeof named),
  ];
  for (const call of refused) expect((await failure(call)).code).toBe('BAD_REQUEST');

  const asked: unknown[] = [];
  const control: Control = {
    ...NO_CONTROL,
    peek: async (question) => {
      asked.push(question);
      return { messages: [], ready: 0, requeues: false, at: NOW };
    },
    move: async function* (question) {
      asked.push(question);
      yield { kind: 'progress', done: 1, total: null };
    },
  };
  const able = caller({}, { control }).queues;
  await able.peek(named);
  for await (const step of await able.move({ cluster: 'prod', from: 'a', to: 'b' })) asked.push(step);
  expect(asked).toEqual([
    { ...named, offset: 0, limit: 20 },
    {
      cluster: 'prod',
      from: 'a',
      to: 'b',
      limit: null,
      by: expect.objectContaining({ address: '127.0.0.1' }) as object,
    },
    { kind: 'progress', done: 1, total: null },
  ]);
});

test('its types name what a client gets', async () => {
  expectTypeOf<Awaited<ReturnType<ReturnType<typeof caller>['tasks']['get']>>['state']>().toEqualTypeOf<
    TaskRow['state']
  >();
});
