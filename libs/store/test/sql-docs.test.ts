import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  insertAudit,
  insertGaps,
  insertLoss,
  insertQueueSamples,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  insertWorkerSamples,
  openSqlConsole,
  PUBLIC_TABLES,
  readDocs,
  type SqlConsole,
  type Store,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, task } from './database.ts';

const page = await readFile(new URL('../../../docs/sql.md', import.meta.url), 'utf8');
const { examples } = readDocs(page);

let store: Store;
let sql: SqlConsole;

beforeAll(async () => {
  store = await openMigratedStore();
  const user = { username: 'default', password: '', restricted: false };
  const limits = { seconds: 30, memoryBytes: 1e9, threads: 2 };
  sql = openSqlConsole({ ...user, limits, store, url: inject('clickhouseUrl'), database: store.database });
  const now = Date.now() / 1000;
  const root_id = '7d3bb1f2-6b1f-4c8e-9f0e-3f2b5f6f2d11';
  const known = { name: 'app.add', queue: 'celery', root_id };
  const lines = linesOf([
    event('task-received', root_id, now - 61, known),
    event('task-started', root_id, now - 60, { ...known, wait_seconds: 0.5 }),
    event('task-succeeded', root_id, now - 59, { ...known, runtime: 1 }),
    event('task-failed', 'other', now - 58, {
      ...known,
      exception_type: 'ValueError',
      fingerprint: '77ad4437f178daed',
    }),
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
      task(root_id, now - 60, {
        ...{ state: 'SUCCESS', attempts: 2, attempt_log, finished_at: now - 59, kwargs: "{'customer_id': 42}" },
      }),
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
  const worker = { cluster: 'prod', worker: 'celery@w1', active: 1, processed: 2, loadavg: [0.5, 0.4, 0.3] };
  await insertWorkers(store, { lines: linesOf([{ ...worker, offline: false, updated_at: now }]), token: '1' });
  await insertWorkerSamples(store, {
    lines: linesOf([
      { ...worker, type: 'worker-heartbeat', event_id: '1', timestamp: now - 60, collected_at: now - 60 },
    ]),
    token: '1',
  });
  const gap = { cluster: 'prod', collector: 'c1', reason: 'disconnected', estimated_events: null };
  await insertGaps(store, { lines: linesOf([{ ...gap, started_at: now - 60, ended_at: now - 30 }]), token: '1' });
  const started_at = Math.floor(now) - 60;
  await insertLoss(store, {
    rows: [
      { cluster: 'prod', started_at, ended_at: started_at + 30, workers: 1, expected: 2, heard: 1, unmeasured: 0 },
    ],
    token: '1',
  });
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

describe('questions of docs/sql.md', () => {
  test('there are at least twenty', () => {
    expect(examples.filter(({ title }) => title.endsWith('?')).length).toBeGreaterThanOrEqual(20);
  });

  test.each(examples)('$title', async ({ statement }) => {
    const input = { parameters: {}, clusters: null, maxRows: 100, maxBytes: 1e6 };
    const own = statement.replaceAll('meadow.', `${store.database}.`);
    const rows: string[] = [];
    for await (const step of sql.run({ ...input, statement: own }, new AbortController().signal)) {
      if (step.kind === 'rows') rows.push(...step.rows);
    }
    expect(rows.length).toBeGreaterThan(0);
  });
});

test('the tables of the page are those that people may ask', () => {
  const tables = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  expect(tables.sort()).toEqual([...PUBLIC_TABLES].sort());
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
