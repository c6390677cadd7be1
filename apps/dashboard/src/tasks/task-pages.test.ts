import { expect, test } from 'vitest';
import type { TaskPageInput } from '../api/search-api.ts';
import { sampleRow } from '../live/sample-row.ts';
import { TaskPages } from './task-pages.ts';

const { signal } = new AbortController();

/** A store of numbered tasks, whose cursor is the number of the next. */
function pagesOf(count: number) {
  const asked: Pick<TaskPageInput, 'cursor' | 'limit'>[] = [];
  const store = { ids: Array.from({ length: count }, (_, index) => index) };
  const list = ({ cursor, limit }: TaskPageInput) => {
    asked.push({ cursor, limit });
    const from = Number(cursor ?? 0);
    const rows = store.ids.slice(from, from + limit).map((id) => sampleRow({ task_id: String(id) }));
    return Promise.resolve({
      rows,
      next: from + limit < store.ids.length ? String(from + limit) : null,
      searchedTo: null,
    });
  };
  const question = { filter: { cluster: '', query: '' }, span: '1h', sort: { by: 'runtime', desc: true } } as const;
  const pages = new TaskPages({ list }, question);
  return { pages, asked, store, ids: () => pages.shown.rows.map((row) => Number(row.task_id)) };
}

test('all that is shown is asked for anew', async () => {
  const { pages, asked, store, ids } = pagesOf(250);
  await pages.look(signal);
  await pages.more(signal);
  expect(ids()).toEqual(store.ids.slice(0, 200));
  store.ids.unshift(999);
  await pages.look(signal);
  expect(ids()).toEqual(store.ids.slice(0, 200));
  expect(asked.at(-1)).toEqual({ cursor: null, limit: 200 });
  await pages.more(signal);
  expect(ids()).toEqual(store.ids);
  expect(pages.shown.next).toBeNull();
});

test('a task that moved from one page to the next is shown once', async () => {
  const { pages, store, ids } = pagesOf(150);
  await pages.look(signal);
  store.ids.unshift(999);
  await pages.more(signal);
  expect(ids()).toEqual(Array.from({ length: 150 }, (_, index) => index));
});

test('held or long it stands still, until it begins anew', async () => {
  const { pages, asked, ids } = pagesOf(700);
  await pages.look(signal);
  pages.hold(true);
  await pages.look(signal);
  expect(asked).toHaveLength(1);
  pages.hold(false);
  for (let page = 0; page < 5; page++) await pages.more(signal);
  expect(pages.isStill).toBe(true);
  await pages.look(signal);
  expect(ids()).toHaveLength(600);
  pages.beginAnew();
  await pages.look(signal);
  expect(ids()).toHaveLength(100);
});

test('an answer that crosses a new page does not take it away', async () => {
  const { pages, store, ids } = pagesOf(250);
  await pages.look(signal);
  await Promise.all([pages.more(signal), pages.look(signal)]);
  expect(ids()).toEqual(store.ids.slice(0, 200));
});
