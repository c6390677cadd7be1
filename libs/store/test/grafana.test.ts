import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { addMark, insertQueueSamples, insertTaskEvents, insertWorkerSamples, type Store } from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql } from './database.ts';

const target = z.object({ rawSql: z.string() });
const dashboard = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(target) })),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string(), query: z.string() })) }),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), target })) }),
});

const file = await readFile(new URL('../../../infra/grafana/meadow-clickhouse.json', import.meta.url), 'utf8');
const { panels, templating, annotations } = dashboard.parse(JSON.parse(file));
const statements = [
  ...panels.flatMap(({ title, targets }) => targets.map(({ rawSql }) => [title, rawSql] as const)),
  ...annotations.list.map((each) => [each.name, each.target.rawSql] as const),
  ...templating.list.filter(({ type }) => type === 'query').map(({ name, query }) => [`$${name}`, query] as const),
];

/** As the data source's plugin fills in what it knows, for the last day with points of five minutes. */
const filledIn = (statement: string): string =>
  statement
    .replaceAll(/\$__timeFilter\((\w+)\)/g, '$1 >= $__fromTime AND $1 <= $__toTime')
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval(toDateTime($1), INTERVAL 300 second)')
    .replaceAll('$__fromTime', 'now() - INTERVAL 1 DAY')
    .replaceAll('$__toTime', 'now()')
    .replaceAll('$__interval_s', '300')
    .replaceAll('${cluster:singlequote}', "'prod','test'")
    .replaceAll('${task:singlequote}', "'app.add','it''s'");

let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
  const now = Math.floor(Date.now() / 1000);
  const known = { name: 'app.add', queue: 'celery' };
  const lines = linesOf([
    event('task-started', 'a', now - 60, { ...known, wait_seconds: 0.5 }),
    event('task-succeeded', 'a', now - 59, { ...known, runtime: 1 }),
    event('task-failed', 'b', now - 58, { ...known, exception_type: 'ValueError' }),
  ]);
  await insertTaskEvents(store, { lines, token: '1' });
  const looked = { cluster: 'prod', queue: 'celery', at: now - 60, kind: 'list', source: 'redis', ready: 3 };
  await insertQueueSamples(store, { lines: linesOf([looked]), token: '1' });
  const beat = event('worker-heartbeat', '', now - 30, { active: 1, loadavg: [0.5, 0.4, 0.3] });
  await insertWorkerSamples(store, { lines: linesOf([beat]), token: '1' });
  const mark = { id: '1', cluster: '', at: now - 60, title: 'shop 2.4.1', text: '', url: '', by: '' };
  await addMark(store, { ...mark, kind: 'deployment' }, now);
});
afterAll(() => store[Symbol.asyncDispose]());

test.each(statements)('Grafana’s statement of %s is answered', async (_, statement) => {
  const asked = filledIn(statement);
  expect(asked).not.toContain('$');
  expect((await sql(store, asked)).length).toBeGreaterThan(0);
});
