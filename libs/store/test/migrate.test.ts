import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { migrate, ping, type Store } from '../src/index.ts';
import { openFreshStore, sql } from './database.ts';

const tables = (store: Store) =>
  sql<{ name: string }>(store, `SELECT name FROM system.tables WHERE database = '${store.database}' ORDER BY name`);

async function ownMigrations(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meadow-migrations-'));
  await cp(fileURLToPath(new URL('../migrations', import.meta.url)), folder, { recursive: true });
  return folder;
}

const newest = (await readdir(new URL('../migrations', import.meta.url))).length;

test('a second run finds nothing to do', async () => {
  await using store = openFreshStore();
  await ping(store);
  expect(await migrate(store)).toMatchObject({ version: newest });
  const before = await tables(store);
  expect(await migrate(store)).toEqual({ applied: [], version: newest });
  expect(await tables(store)).toEqual(before);
});

test('replicas that start at once without a lock leave one complete schema', async () => {
  await using store = openFreshStore();
  await Promise.all([migrate(store), migrate(store), migrate(store), migrate(store)]);
  expect(await migrate(store)).toEqual({ applied: [], version: newest });
  const recorded = await sql(store, 'SELECT number FROM meadow.schema_migrations FINAL ORDER BY number');
  expect(recorded).toHaveLength(newest);
});

test('the lock is held while statements run, and not taken when there are none', async () => {
  await using store = openFreshStore();
  const names: string[] = [];
  const withLock = async <Result>(name: string, fn: () => Promise<Result>) => {
    names.push(name);
    return fn();
  };
  await migrate(store, { withLock });
  await migrate(store, { withLock });
  expect(names).toEqual(['store-migrate']);
});

test('a database of a newer release is refused', async () => {
  await using store = openFreshStore();
  const folder = await ownMigrations();
  try {
    await writeFile(
      join(folder, '0099_future.sql'),
      'CREATE TABLE IF NOT EXISTS meadow.future (a UInt8) ENGINE = Null;\n',
    );
    expect((await migrate(store, { folder })).version).toBe(99);
    await expect(migrate(store)).rejects.toMatchObject({ code: 'STORE_SCHEMA_NEWER', retryable: false });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a migration that was changed after it was applied is refused', async () => {
  await using store = openFreshStore();
  const folder = await ownMigrations();
  try {
    await migrate(store);
    await writeFile(
      join(folder, '0005_aside.sql'),
      'CREATE TABLE IF NOT EXISTS meadow.other (a UInt8) ENGINE = Null;\n',
    );
    await expect(migrate(store, { folder })).rejects.toMatchObject({ code: 'STORE_SCHEMA_CHANGED' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('every column of every table and view that people read has a comment', async () => {
  await using store = openFreshStore();
  await migrate(store);
  const bare = await sql(
    store,
    `SELECT c.table, c.name FROM system.columns AS c
     JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
     WHERE c.database = '${store.database}' AND c.comment = '' AND t.engine LIKE '%MergeTree'`,
  );
  expect(bare).toEqual([]);
});
