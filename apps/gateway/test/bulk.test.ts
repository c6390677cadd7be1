import type { AppRouter, BulkStep } from '@meadow/api';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRedis,
  waitFor,
  type Meadow,
} from '@meadow/testkit';
import { createTRPCClient, httpBatchStreamLink } from '@trpc/client';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Client } from './client.ts';

const TASKS = 300;
const FAILED = { cluster: 'garden', query: 'name:garden.fail state:FAILURE' };
const stack = new AsyncDisposableStack();
let brokerUrl: string;
let meadow: Meadow;
let client: Client;

/** As the dashboard asks for what is told in steps. */
const streaming = () =>
  createTRPCClient<AppRouter>({
    links: [httpBatchStreamLink({ url: `${meadow.services.gateway?.url}/trpc`, maxItems: 1 })],
  });
type BulkInput = Parameters<ReturnType<typeof streaming>['tasks']['bulk']['mutate']>[0];

interface Told {
  readonly step: BulkStep;
  readonly atMs: number;
}

/** Every step, and when it came. */
async function bulk(
  input: BulkInput,
  signal?: AbortSignal,
  onStep = (_: BulkStep): void => undefined,
): Promise<Told[]> {
  const told: Told[] = [];
  for await (const step of await streaming().tasks.bulk.mutate(input, signal === undefined ? {} : { signal })) {
    told.push({ step, atMs: performance.now() });
    onStep(step);
  }
  return told;
}

const endOf = (told: readonly Told[]) => told.map(({ step }) => step).find((step) => step.kind === 'ended');
const lastOf = (told: readonly Told[]) => told.map(({ step }) => step).findLast((step) => step.kind === 'progress');

async function waiting(): Promise<number> {
  const script = `
import garden
with garden.app.connection() as connection:
    print(connection.default_channel.client.llen("celery"))`;
  return Number(await runPython(script, { env: celeryEnvironment({ brokerUrl }) }));
}

beforeAll(async () => {
  const redis = stack.use(await startRedis());
  brokerUrl = redis.url;
  const clusters = [{ name: 'garden', broker: brokerUrl }];
  meadow = stack.use(await startMeadow({ services: ['aggregator', 'collector', 'control', 'gateway'], clusters }));
  client = connect(meadow.services.gateway?.url ?? '');
  const worker = await startCeleryWorker({ brokerUrl });
  await runPython(`import garden\nfor n in range(${TASKS}): garden.fail.delay(n)`, {
    env: celeryEnvironment({ brokerUrl }),
  });
  await waitFor(
    async () => {
      const dry = await bulk({ action: 'retry', target: { filter: FAILED }, dryRun: true });
      return lastOf(dry)?.total === TASKS;
    },
    { what: 'all of them to have failed', deadlineMs: 60_000, everyMs: 500 },
  );
  // what is sent from now on stays where it can be counted
  await worker.stop();
}, 180_000);
afterAll(() => stack.disposeAsync(), 60_000);

test('a dry run counts, and sends nothing', async () => {
  const told = await bulk({ action: 'retry', target: { filter: FAILED }, dryRun: true });
  expect(lastOf(told)).toEqual({
    ...{ kind: 'progress', total: TASKS, capped: false, done: TASKS, refused: 0, unsure: 0, refusals: [] },
  });
  expect(endOf(told)).toEqual({
    ...{ kind: 'ended', outcome: 'done', detail: '300 of 300 would be sent', requests: [] },
  });
  expect(await waiting()).toBe(0);
  expect((await client.audit.list.query({ action: 'task.retry' })).rows).toEqual([]);
}, 60_000);

test('hanging up stops it between two tasks, and steps came as they were made', async () => {
  const stop = new AbortController();
  const steps: { done: number; atMs: number }[] = [];
  const going = bulk(
    { action: 'retry', target: { filter: FAILED }, dryRun: false, perSecond: 50 },
    stop.signal,
    (step) => {
      if (step.kind === 'progress') steps.push({ done: step.done, atMs: performance.now() });
      if (step.kind === 'progress' && step.done >= TASKS / 2) stop.abort();
    },
  );
  await going.catch(() => undefined);
  // 150 tasks at 50 a second take three: what is held back would come at once
  expect(steps.length).toBeGreaterThan(6);
  expect((steps.at(-1)?.atMs ?? 0) - (steps[0]?.atMs ?? 0)).toBeGreaterThan(2_000);
  expect(steps.map(({ done }) => done)).toEqual(steps.map(({ done }) => done).toSorted((a, b) => a - b));
  const records = await waitFor(
    async () => {
      const { rows } = await client.audit.list.query({ action: 'task.retry' });
      return rows.some(({ outcome }) => outcome === 'stopped') ? rows : null;
    },
    { what: 'the end in the audit', deadlineMs: 30_000, everyMs: 200 },
  );
  const arrived = await waiting();
  expect(arrived).toBeGreaterThanOrEqual(TASKS / 2);
  expect(arrived).toBeLessThan(TASKS / 2 + 60);
  await delay(1_000);
  expect(await waiting()).toBe(arrived);
  const [request, ...others] = new Set(records.map((row) => row.request_id));
  expect(others).toEqual([]);
  const rows = await client.audit.request.query({ cluster: 'garden', requestId: request ?? '' });
  const sent = rows.flatMap(({ answers }) => JSON.parse(answers) as { outcome: string }[]);
  expect(sent.filter(({ outcome }) => outcome === 'sent').length).toBe(arrived);
}, 90_000);

test('everything that matches is sent once, and another cluster that fails stops nothing', async () => {
  const before = await waiting();
  const { rows } = await client.tasks.list.query({ ...FAILED, limit: 100 });
  const named = rows.map(({ task_id }) => ({ cluster: 'garden', taskId: task_id }));
  const target = { tasks: [{ cluster: 'elsewhere', taskId: 'a' }, ...named, ...named] };
  const told = await bulk({ action: 'retry', target, dryRun: false });
  expect(lastOf(told)).toMatchObject({
    ...{ total: 101, done: 100, refused: 1, unsure: 0 },
    refusals: [{ code: 'CONTROL_UNAVAILABLE', count: 1, cluster: 'elsewhere', task_id: 'a' }],
  });
  expect(endOf(told)).toMatchObject({
    ...{ outcome: 'partly', detail: '100 of 101 sent, 1 refused', requests: [{ cluster: 'garden' }] },
  });
  expect(await waiting()).toBe(before + 100);
}, 60_000);

test('tasks that have ended are not revoked, those that wait are, and in a dry run nobody is told', async () => {
  const ended = await bulk({ action: 'revoke', target: { filter: FAILED }, dryRun: false });
  expect(lastOf(ended)).toMatchObject({
    ...{ total: TASKS, done: 0, refused: TASKS, refusals: [{ code: 'TASK_ENDED', count: TASKS }] },
  });
  expect(endOf(ended)).toMatchObject({ outcome: 'refused', requests: [] });
  await runPython('import garden\nfor n in range(20): garden.add.apply_async((n, n), queue="beds")', {
    env: celeryEnvironment({ brokerUrl }),
  });
  const filter = { cluster: 'garden', query: 'name:garden.add queue:beds' };
  const dry = await waitFor(
    async () => {
      const told = await bulk({ action: 'revoke', target: { filter }, dryRun: true });
      return lastOf(told)?.total === 20 ? told : null;
    },
    { what: 'them to be known', deadlineMs: 30_000, everyMs: 300 },
  );
  expect(lastOf(dry)).toMatchObject({ done: 20, refused: 0 });
  expect((await client.audit.list.query({ action: 'revoke' })).rows).toEqual([]);
  await using _worker = await startCeleryWorker({
    ...{ brokerUrl, name: 'beds', args: ['-Q', 'nothing-yet', '--pool', 'solo'] },
  });
  const told = await bulk({ action: 'terminate', target: { filter }, dryRun: false });
  expect(lastOf(told)).toMatchObject({ done: 20, refused: 0, unsure: 0 });
  const { workers } = await client.control.run.mutate({
    ...{ cluster: 'garden', command: { method: 'revoked' }, workers: [`beds@${hostname()}`] },
  });
  expect(workers[0]?.value).toHaveLength(20);
  const [request] = endOf(told)?.requests ?? [];
  const rows = await waitFor(
    async () => {
      const found = await client.audit.request.query({ cluster: 'garden', requestId: request?.request_id ?? '' });
      return found.length === 2 ? found : null;
    },
    { what: 'the records', deadlineMs: 30_000, everyMs: 200 },
  );
  expect(rows[1]).toMatchObject({ action: 'revoke', target_kind: 'task' });
  expect(rows[1]?.targets.length).toBe(20);
  // what waits is not sent a second time
  const open = await bulk({ action: 'retry', target: { filter }, dryRun: true });
  expect(lastOf(open)).toMatchObject({ done: 0, refused: 20, refusals: [{ code: 'TASK_OPEN', count: 20 }] });
}, 90_000);
