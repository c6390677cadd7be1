import { parseTaskQuery, TASK_FIELDS } from '@meadow/contract';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TASK_SORTS, taskFacets, taskList, type Store } from '../src/index.ts';
import { openMigratedStore } from './database.ts';

const page = await readFile(new URL('../../../docs/search.md', import.meta.url), 'utf8');
const queries = [...page.matchAll(/^```query\n([^`]+)```/gm)].flatMap(([, lines = '']) => lines.trim().split('\n'));
const NOW = Date.now() / 1000;

let store: Store;
beforeAll(async () => {
  store = await openMigratedStore();
});
afterAll(() => store[Symbol.asyncDispose]());

test('there are some', () => expect(queries.length).toBeGreaterThan(15));

test.each(queries)('%s is understood, by the store, too', async (text) => {
  const query = parseTaskQuery(text, NOW);
  expect(query.terms.length).toBeGreaterThan(0);
  expect(await taskList(store, { query })).toMatchObject({ rows: [] });
  expect(await taskFacets(store, { query })).toMatchObject({ total: 0, exact: true });
});

test('the page has every field, each in an example, and every order', () => {
  const rows = page.slice(page.indexOf('## Fields'), page.indexOf('**Durations**'));
  const told = [...rows.matchAll(/^\| (`[^|]+) \| (?:text|number|duration|time) \|/gm)].flatMap(([, names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  expect(told.toSorted()).toEqual([...TASK_FIELDS].toSorted());
  const used = new Set(
    queries.flatMap((text) => [...text.matchAll(/(?:^|[ -])(\w+)(?:\.\w+)?[:=<>]/g)].map(([, name]) => name)),
  );
  expect(TASK_FIELDS.filter((field) => !used.has(field) && !['id', 'args', 'kwargs'].includes(field))).toEqual([]);
  const orders = /sorted by ([^;]+);/.exec(page)?.[1] ?? '';
  expect([...orders.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(TASK_SORTS);
});
