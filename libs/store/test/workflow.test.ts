import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertTasks, workflow, workflowList, workflowSize, type Store } from '../src/index.ts';
import { openMigratedStore, sql, task } from './database.ts';

/** A whole hour. */
const T = (Math.floor(Date.now() / 3_600_000) - 2) * 3_600;
const TO = T + 7_200;

let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
  const child = (id: string, after: number, more = {}) => task(id, T + after, { root_id: 'root', ...more });
  const run = { worker: 'celery@w1', received_at: null, exception: '', redelivered: false };
  const attempt_log = [1, 2].map((number) => ({
    ...{ ...run, number, retries: number - 1, started_at: T + number, ended_at: T + number + 0.5, state: 'RETRY' },
  }));
  const done = { state: 'SUCCESS', is_final: true };
  await insertTasks(store, {
    rows: [
      task('root', T, { ...done, name: 'shop.checkout', finished_at: T + 1 }),
      // heard of before its root was, and in an hour before
      child('early', -1_800, { ...done, parent_id: 'root', finished_at: T + 5 }),
      child('late', 5_000, { parent_id: 'early', state: 'STARTED' }),
      child('again', 10, { parent_id: 'root', state: 'STARTED', attempts: 2, attempt_log, exception: 'x'.repeat(300) }),
      task('other', T + 1),
      task('namesake', T, { root_id: 'root', cluster: 'test', parent_id: 'unseen' }),
      task('stray', T + 20, { cluster: 'test', root_id: 'far' }),
    ],
    token: '1',
  });
  await insertTasks(store, {
    rows: [
      child('again', 10, { ...done, parent_id: 'root', attempts: 2, attempt_log, finished_at: T + 9, version: 2 }),
    ],
    token: '2',
  });
});
afterAll(() => store[Symbol.asyncDispose]());

test('a workflow is its root and all that name it, as they stand now, of one cluster', async () => {
  const { members, capped } = await workflow(store, { cluster: 'prod', rootId: 'root' });
  expect(capped).toBe(false);
  expect(members.map(({ task_id, parent_id, state }) => [task_id, parent_id, state])).toEqual([
    ['root', '', 'SUCCESS'],
    ['early', 'root', 'SUCCESS'],
    ['again', 'root', 'SUCCESS'],
    ['late', 'early', 'STARTED'],
  ]);
  const again = members.find(({ task_id }) => task_id === 'again');
  expect(again?.attempt_log.map(({ started_at }) => started_at)).toEqual([T + 1, T + 2]);
  expect(members[0]).toMatchObject({ name: 'shop.checkout', first_seen_at: T, finished_at: T + 1, sent_at: null });
});

test('a workflow is found without its root, told when it is cut, and empty when nobody knows it', async () => {
  const orphans = await workflow(store, { cluster: 'test', rootId: 'far' });
  expect(orphans.members.map(({ task_id }) => task_id)).toEqual(['stray']);
  const cut = await workflow(store, { cluster: 'prod', rootId: 'root', limit: 2 });
  expect(cut).toMatchObject({ capped: true, members: [{ task_id: 'root' }, { task_id: 'early' }] });
  expect(await workflow(store, { cluster: 'prod', rootId: 'root', limit: 4 })).toMatchObject({ capped: false });
  expect(await workflowSize(store, { cluster: 'prod', rootId: 'root' })).toBe(4);
  expect(await workflowSize(store, { cluster: 'test', rootId: 'far' })).toBe(2);
  expect(await workflow(store, { cluster: 'prod', rootId: 'nobody' })).toEqual({ members: [], capped: false });
});

test('recent workflows are roots of which other tasks came, with what became of these', async () => {
  const { rows, more } = await workflowList(store, { from: T - 3_600, to: TO });
  expect(more).toBe(false);
  expect(rows).toEqual([
    {
      ...{ cluster: 'prod', root_id: 'root', name: 'shop.checkout', root_state: 'SUCCESS' },
      ...{ states: { SUCCESS: 3, STARTED: 1 }, started_at: T - 1_800, finished_at: null, newest_at: T + 5_000 },
    },
    // its root was not seen
    { ...line('far'), states: { RECEIVED: 1 }, started_at: T + 20, newest_at: T + 20 },
    { ...line('root'), states: { RECEIVED: 1 }, started_at: T, newest_at: T },
  ]);
  const one = await workflowList(store, { from: T - 3_600, to: TO, limit: 1, cluster: 'prod' });
  expect(one).toMatchObject({ rows: [{ cluster: 'prod' }], more: false });
  expect(await workflowList(store, { from: T - 3_600, to: TO, limit: 2 })).toMatchObject({ more: true });
  expect(await workflowList(store, { from: T + 6_000, to: TO })).toEqual({ rows: [], more: false });
});

const line = (root_id: string) => ({ cluster: 'test', root_id, name: '', root_state: '', finished_at: null });

test('finding a workflow among many tasks passes over nearly all of them', async () => {
  const db = store.database;
  const step = (statement: string) => store.command('test', statement.replaceAll('meadow.', `${db}.`), {}, {});
  await step(`INSERT INTO meadow.tasks_raw (cluster, task_id, name, state, root_id, updated_at, first_seen_at, version, keep_until)
    SELECT 'many', toString(generateUUIDv4()) AS id, 'app.add', 'SUCCESS', if(number % 100000 = 7, 'needle', id),
           toDateTime(${T}) - number / 10, toDateTime(${T}) - number / 10, 1, now() + INTERVAL 1 DAY
    FROM numbers(300000)`);
  await step('OPTIMIZE TABLE meadow.tasks_raw FINAL');
  const { members } = await workflow(store, { cluster: 'many', rootId: 'needle' });
  expect(members).toHaveLength(3);
  const explained = await sql<{ explain: string }>(
    store,
    `EXPLAIN indexes = 1 SELECT * FROM meadow.tasks_raw WHERE cluster = 'many' AND root_id = 'needle'`,
  );
  const granules = explained
    .map(({ explain }) => /Granules: (\d+)\/(\d+)/.exec(explain))
    .filter((found) => found !== null);
  const [, left, of] = granules.at(-1) ?? [];
  expect(Number(of)).toBeGreaterThan(30);
  expect(Number(left)).toBeLessThan(6);
}, 60_000);
