import { expect, test } from 'vitest';
import { insertTasks, taskList, type Store, type TaskListInput } from '../src/index.ts';
import { openMigratedStore, task } from './database.ts';

const T = Math.floor(Date.now() / 1000) - 3600;

async function pages(store: Store, input: TaskListInput, between: (page: number) => Promise<void>): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 1000; page++) {
    const answer = await taskList(store, { ...input, cursor });
    ids.push(...answer.rows.map((row) => row.task_id));
    if (answer.next === null) return ids;
    cursor = answer.next;
    await between(page);
  }
  throw new Error('the list has no end');
}

test('pages hold every task once, newest first, while others are added and changed', async () => {
  await using store = await openMigratedStore();
  // many of the same instant, some hours, days and weeks apart
  const ages = Array.from({ length: 300 }, (_, index) =>
    index < 100 ? 0 : index < 200 ? index * 50 : (index - 199) * 40_000,
  );
  const tasks = ages.map((age, index) => task(`id-${String(index).padStart(3, '0')}`, T - age - 0.125));
  await insertTasks(store, { rows: tasks, token: 'first' });
  const expected = tasks
    .toSorted((a, b) => b.first_seen_at - a.first_seen_at || (a.task_id < b.task_id ? 1 : -1))
    .map((row) => row.task_id);
  const seen = await pages(store, { limit: 37 }, async (page) => {
    await insertTasks(store, {
      rows: [task(`added-${page}`, T + page), task('id-150', T - 7500.125, { version: page + 2, state: 'STARTED' })],
      token: `page ${page}`,
    });
  });
  expect(seen).toEqual(expected);
});

test('a page as long as what there is says that it is the last', async () => {
  await using store = await openMigratedStore();
  expect(await taskList(store, {})).toEqual({ rows: [], next: null });
  await insertTasks(store, { rows: [task('a', T), task('b', T - 1)], token: '1' });
  const page = await taskList(store, { limit: 2 });
  expect(page.rows.map((row) => row.task_id)).toEqual(['a', 'b']);
  expect(page.next).toBeNull();
  expect((await taskList(store, { limit: 1 })).next).not.toBeNull();
  await expect(taskList(store, { cursor: 'bm9uZQ' })).rejects.toMatchObject({ code: 'STORE_BAD_CURSOR' });
});

test('filters find what they say, whatever characters they hold', async () => {
  await using store = await openMigratedStore();
  const nasty = `it's "ü" \\ %_{x:String} 💥\n\t\u0001 -- ;`;
  await insertTasks(store, {
    rows: [
      task('a', T, { name: 'app.mail.send', state: 'FAILURE', queue: 'mail', exception: "KeyError('Straße')" }),
      task('b', T - 1, { name: 'app.mail', state: 'SUCCESS', worker: 'celery@w2', args: 'x'.repeat(500) }),
      task('c', T - 2, { name: nasty, queue: nasty, worker: nasty, kwargs: nasty, cluster: 'test', state: nasty }),
      task('d', T - 3, { name: 'app', state: 'STARTED', version: 1 }),
    ],
    token: '1',
  });
  await insertTasks(store, { rows: [task('d', T - 3, { name: 'app', state: 'SUCCESS', version: 2 })], token: '2' });
  const found = async (input: TaskListInput) => (await taskList(store, input)).rows.map((row) => row.task_id);
  expect(await found({})).toEqual(['a', 'b', 'c', 'd']);
  expect(await found({ cluster: 'prod' })).toEqual(['a', 'b', 'd']);
  expect(await found({ states: ['FAILURE', 'SUCCESS'] })).toEqual(['a', 'b', 'd']);
  expect(await found({ states: ['STARTED'] })).toEqual([]);
  expect(await found({ states: [nasty, "')--"] })).toEqual(['c']);
  expect(await found({ name: 'app.mail' })).toEqual(['b']);
  expect(await found({ name: 'app.mail*' })).toEqual(['a', 'b']);
  expect(await found({ name: nasty, queue: nasty, worker: nasty, text: nasty })).toEqual(['c']);
  expect(await found({ name: `${nasty.slice(0, 12)}*` })).toEqual(['c']);
  expect(await found({ queue: 'mail' })).toEqual(['a']);
  expect(await found({ worker: 'celery@w2' })).toEqual(['b']);
  expect(await found({ text: 'STRAßE' })).toEqual(['a']);
  expect(await found({ text: 'MAIL' })).toEqual(['a', 'b']);
  expect(await found({ text: '%' })).toEqual(['c']);
  expect(await found({ from: T - 2, to: T })).toEqual(['b', 'c']);
  expect(await found({ from: T - 2 })).toEqual(['a', 'b', 'c']);
  expect((await taskList(store, { name: 'app.mail' })).rows[0]?.args).toHaveLength(200);
  expect((await taskList(store, { name: 'app' })).rows).toMatchObject([{ task_id: 'd', state: 'SUCCESS' }]);
});
