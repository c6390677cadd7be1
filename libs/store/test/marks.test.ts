import { expect, test } from 'vitest';
import { addMark, markList, removeMark, type Mark } from '../src/index.ts';
import { openMigratedStore } from './database.ts';

const NOW = Math.floor(Date.now() / 1000);
const mark = (id: string, more: Partial<Mark> = {}): Mark => ({
  ...{ id, cluster: 'prod', at: NOW - 60, kind: 'deployment', title: `shop ${id}`, text: '', url: '', by: 'ci' },
  ...more,
});

test('marks come back as they were, oldest first, those of all clusters with each', async () => {
  await using store = await openMigratedStore();
  const everywhere = mark('1', { cluster: '', at: NOW - 0.25, kind: 'note', text: "it's\n“quoted”" });
  const written = [everywhere, mark('2', { at: NOW - 100 }), mark('3', { cluster: 'test' })];
  for (const each of written) await addMark(store, each, NOW);
  // said again, as a job does that is tried again
  for (const each of written) await addMark(store, each, NOW);
  const span = { from: NOW - 3_600, to: NOW };
  expect(await markList(store, { ...span, cluster: 'prod' })).toEqual([written[1], everywhere]);
  expect((await markList(store, span)).map(({ id }) => id)).toEqual(['2', '3', '1']);
  expect(await markList(store, { from: NOW - 100, to: NOW - 60 })).toEqual([written[1]]);
});

test('a mark that is taken back is gone, and stays gone', async () => {
  await using store = await openMigratedStore();
  await addMark(store, mark('1'), NOW);
  await addMark(store, mark('2'), NOW);
  expect(await removeMark(store, '1', NOW + 1)).toBe(true);
  expect(await removeMark(store, '1', NOW + 2)).toBe(false);
  expect(await removeMark(store, 'none', NOW)).toBe(false);
  // whoever made it tries once more
  await addMark(store, mark('1'), NOW);
  expect((await markList(store, { from: NOW - 3_600, to: NOW })).map(({ id }) => id)).toEqual(['2']);
});
