import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertAudit, insertQueueSamples, insertTaskEvents, insertTasks, type Store } from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

const page = await readFile(new URL('../../../docs/sql.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^(.+):\n\n```sql\n([^`]+)```/gm)].map(([, title, statement]) => ({
  title,
  statement: statement!,
}));

let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
  const now = Date.now() / 1000;
  const root_id = '7d3bb1f2-6b1f-4c8e-9f0e-3f2b5f6f2d11';
  const known = { name: 'app.add', queue: 'celery', root_id };
  const lines = linesOf([
    event('task-started', root_id, now - 60, { ...known, wait_seconds: 0.5 }),
    event('task-succeeded', root_id, now - 59, { ...known, runtime: 1 }),
    event('task-failed', 'other', now - 58, { ...known, exception_type: 'ValueError' }),
  ]);
  const run = {
    retries: 0,
    worker: 'celery@w1',
    received_at: null,
    started_at: null,
    ended_at: null,
    redelivered: false,
  };
  const attempt_log = [1, 2].map((number) => ({ ...run, number, state: 'RETRY', exception: '' }));
  await insertTaskEvents(store, { lines, token: '1' });
  await insertTasks(store, {
    rows: [
      task(root_id, now - 60, { state: 'SUCCESS', attempts: 2, attempt_log }),
      task('lost', now - 60, { state: 'LOST', end_source: 'derived', end_reason: 'worker-lost' }),
    ],
    token: '1',
  });
  await insertQueueSamples(store, {
    lines: linesOf([{ cluster: 'prod', queue: 'celery', at: now - 60, kind: 'list', source: 'redis', ready: 3 }]),
    token: '1',
  });
  await insertAudit(store, {
    lines: linesOf([{ cluster: 'prod', at: now - 60, id: '1', action: 'task.retry', outcome: 'refused' }]),
    token: '1',
  });
});
afterAll(() => store[Symbol.asyncDispose]());

describe('examples of docs/sql.md', () => {
  // these are about what the little history above does not have
  const EMPTY = [
    'Load of workers, as they stand now and over the last hour',
    'When numbers are lower bounds',
    'How much of what happened was heard, by cluster and day',
  ];

  test('there are some', () => expect(examples.length).toBeGreaterThan(7));

  test.each(examples)('$title', async ({ title, statement }) => {
    const rows = await sql(store, statement);
    expect(rows.length > 0).toBe(!EMPTY.includes(title!));
  });
});

test('the page lists the columns that exist, in their order and types', async () => {
  const documented = [...page.matchAll(/^### (\w+)\n([^#]+)/gm)].flatMap(([, table, text]) =>
    [...text!.matchAll(/^\| (\w+) \| (.+?) \| .+ \|$/gm)]
      .filter(([, name]) => name !== 'column')
      .map(([, name, type]) => ({ table, name, type })),
  );
  const tables = [...new Set(documented.map((column) => column.table))];
  const existing = await store.query(
    'columns',
    `SELECT table, name, type FROM system.columns
     WHERE database = {database:String} AND table IN {tables:Array(String)}
     ORDER BY indexOf({tables:Array(String)}, table), position`,
    { database: store.database, tables },
    {},
  );
  expect(documented).toEqual(existing);
});
