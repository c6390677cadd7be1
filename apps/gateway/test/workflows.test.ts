import { insertTaskEvents, insertTasks, migrate, openStore, type Store } from '@meadow/store';
import { startMeadow, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, type Client } from './client.ts';
import { eventLine, linesOf, writeRow } from './rows.ts';

let meadow: Meadow;
let store: Store;
let client: Client;
const now = Date.now() / 1000;
const T = now - 600;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  client = connect(meadow.services.gateway?.url ?? '');
  store = openStore({ url: meadow.clickhouse.url });
  await migrate(store);
  const task = (id: string, parent_id: string, at: number, more: object) =>
    writeRow(id, {
      ...{
        first_seen_at: T + at,
        sent_at: T + at,
        started_at: T + at + 1,
        name: 'shop.step',
        root_id: 'root',
        parent_id,
      },
      ...{ is_final: true, state: 'SUCCESS', finished_at: T + at + 3 },
      ...more,
    });
  const ticks = Array.from({ length: 20 }, (_, turn) => turn).filter((turn) => turn !== 12);
  await insertTasks(store, {
    token: 'tasks',
    rows: [
      task('root', '', 0, { name: 'shop.checkout' }),
      task('a', 'root', 2, {}),
      task('b', 'unseen', 3, { state: 'FAILURE', finished_at: T + 60 }),
      ...ticks.map((turn) => {
        const sent_at = T - 300 + turn * 30;
        return writeRow(`tick-${turn}`, { name: 'shop.tick', client: 'gen1@beat', first_seen_at: sent_at, sent_at });
      }),
    ],
  });
  const lines = linesOf(
    ticks.flatMap((turn) => [
      eventLine('task-received', `tick-${turn}`, { name: 'shop.tick', queue: 'beat', timestamp: T - 300 + turn * 30 }),
      eventLine(turn === 3 ? 'task-failed' : 'task-succeeded', `tick-${turn}`, {
        ...{ name: 'shop.tick', queue: 'beat', timestamp: T - 299 + turn * 30 },
        ...(turn === 3 ? { exception_type: 'KeyError' } : { runtime: 0.5 }),
      }),
    ]),
  );
  await insertTaskEvents(store, { token: 'events', lines });
}, 90_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
});

test('a workflow is told with every task in its place, its totals and its critical path', async () => {
  const found = await client.workflows.get.query({ cluster: 'prod', rootId: 'root' });
  expect(found).toMatchObject({
    ...{ cluster: 'prod', name: 'shop.checkout', state: 'failed', capped: false, seen: 3, unseen: 1 },
    totals: { SUCCESS: 2, FAILURE: 1 },
  });
  expect(found.members.map(({ task_id, depth, seen }) => [task_id, depth, seen])).toEqual([
    ['root', 0, true],
    ['a', 1, true],
    ['unseen', 1, false],
    ['b', 2, true],
  ]);
  expect(found.critical.map(({ member }) => found.members[member]?.task_id)).toEqual(['root', 'unseen', 'b']);
  expect(await client.workflows.size.query({ cluster: 'prod', rootId: 'root' })).toEqual({ tasks: 3 });
  expect((await failureOf(client.workflows.get.query({ cluster: 'prod', rootId: 'nobody' }))).told).toBe(
    '404 TASK_NOT_FOUND',
  );
});

test('recent workflows are told in short', async () => {
  const { rows, more } = await client.workflows.list.query({ range: '1h' });
  expect(more).toBe(false);
  expect(rows).toMatchObject([
    { rootId: 'root', name: 'shop.checkout', state: 'failed', totals: { SUCCESS: 2, FAILURE: 1 } },
  ]);
  expect(rows[0]?.endedAt).toBeCloseTo(T + 60, 3);
});

test('a task type has its figures, and the schedule that its runs follow', async () => {
  const { types } = await client.types.list.query({ cluster: 'prod', range: '1h' });
  const tick = types.find(({ name }) => name === 'shop.tick');
  expect(tick).toMatchObject({ received: 19, ended: 19, failed: 1, failedShare: 1 / 19, queues: ['beat'] });
  expect(tick?.trend.reduce((sum, count) => sum + count)).toBe(19);
  expect(tick?.runtime.p95).toBeCloseTo(0.5, 1);

  const found = await client.types.get.query({ cluster: 'prod', name: 'shop.tick', range: '1h' });
  expect(found.series.reduce((sum, point) => sum + point.succeeded, 0)).toBe(18);
  expect(found.failures).toMatchObject([{ exception_type: 'KeyError', failed: 1 }]);
  expect(found.schedule).toMatchObject({ cron: null, client: 'gen1@beat', runs: 19 });
  expect(found.schedule?.everySeconds).toBeCloseTo(30, 6);
  expect(found.schedule?.missed.at(-1)).toBeCloseTo(T - 300 + 12 * 30, 3);
  expect(await client.types.schedules.query({ cluster: 'prod' })).toMatchObject([
    { cluster: 'prod', name: 'shop.tick', cron: null, missedCount: found.schedule?.missedCount },
  ]);
  expect((await failureOf(client.types.get.query({ cluster: 'prod', name: 'shop.no' }))).told).toBe(
    '404 TASK_NOT_FOUND',
  );
});
