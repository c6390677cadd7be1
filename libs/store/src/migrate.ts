import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { StoreError } from './errors.ts';
import type { Store } from './store.ts';

/** How `migrate` runs. */
export interface MigrateOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Runs `fn` while no other replica does, e.g. under a NATS key-value lease. ClickHouse has no locks, and statements may be
   * repeated one after the other, but not at the same time: leave it out only where nobody else migrates.
   */
  readonly withLock?: (<Result>(name: string, fn: () => Promise<Result>) => Promise<Result>) | undefined;
  /** Folder of the numbered `.sql` files. @default the ones of this library */
  readonly folder?: string | undefined;
}

/** What `migrate` did. */
export interface MigrateResult {
  /** Numbers of the migrations applied now; empty when the database was up to date. */
  readonly applied: readonly number[];
  /** The schema's version, now. */
  readonly version: number;
}

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

const OWN_FOLDER = fileURLToPath(new URL('../migrations', import.meta.url));

/**
 * Brings the database to this release's schema; does nothing when it is there already. Forward only.
 * @throws StoreError STORE_SCHEMA_NEWER when a newer release migrated it, STORE_SCHEMA_CHANGED when a migration that
 *   was applied differs from ours
 */
export async function migrate(store: Store, options: MigrateOptions = {}): Promise<MigrateResult> {
  const migrations = await readMigrations(options.folder ?? OWN_FOLDER, store.database);
  const newest = migrations.at(-1)?.number ?? 0;
  // looking first spares the lock in the usual case: nothing to do
  const before = await readApplied(store, options.signal);
  if (missing(migrations, before).length === 0) return { applied: [], version: newest };
  const run = () => applyMissing(store, migrations, options.signal);
  const applied = await (options.withLock === undefined ? run() : options.withLock('store-migrate', run));
  return { applied, version: newest };
}

async function applyMissing(
  store: Store,
  migrations: readonly Migration[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const db = store.database;
  await store.command('create database', `CREATE DATABASE IF NOT EXISTS ${db}`, {}, { signal });
  // rows of replicas that raced fall into one: same number, same checksum
  await store.command(
    'create schema_migrations',
    `CREATE TABLE IF NOT EXISTS ${db}.schema_migrations
     (
         number UInt32 COMMENT 'Number of the migration',
         name String COMMENT 'Its file',
         checksum String COMMENT 'SHA-256 of the file',
         applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
     )
     ENGINE = ReplacingMergeTree ORDER BY number
     COMMENT 'Which migrations were applied'`,
    {},
    { signal },
  );
  const applied: number[] = [];
  for (const migration of missing(migrations, await readApplied(store, signal))) {
    for (const statement of migration.statements) {
      await store.command(`migration ${migration.name}`, statement, {}, { signal, timeoutMs: 600_000 });
    }
    await store.command(
      `record migration ${migration.name}`,
      `INSERT INTO ${db}.schema_migrations (number, name, checksum) SELECT {number:UInt32}, {name:String}, {checksum:String}`,
      { number: migration.number, name: migration.name, checksum: migration.checksum },
      { signal },
    );
    store.logger?.info('migration applied', { migration: migration.name, database: db });
    applied.push(migration.number);
  }
  return applied;
}

type Applied = ReadonlyMap<number, string>;

/** Number and checksum of what was applied; empty when there is no database yet. */
async function readApplied(store: Store, signal: AbortSignal | undefined): Promise<Applied> {
  try {
    const rows = await store.query<{ number: number; checksum: string }>(
      'read schema_migrations',
      `SELECT number, checksum FROM ${store.database}.schema_migrations FINAL`,
      {},
      { signal },
    );
    return new Map(rows.map((row) => [row.number, row.checksum]));
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_SCHEMA_MISSING') return new Map();
    throw error;
  }
}

function missing(migrations: readonly Migration[], applied: Applied): Migration[] {
  const newest = migrations.at(-1)?.number ?? 0;
  for (const number of applied.keys()) {
    if (number > newest) {
      throw new StoreError(
        'STORE_SCHEMA_NEWER',
        `the database has migration ${number}, this release knows up to ${newest}`,
        {
          operation: 'migrate',
        },
      );
    }
  }
  return migrations.filter((migration) => {
    const checksum = applied.get(migration.number);
    if (checksum === undefined) return true;
    if (checksum !== migration.checksum) {
      throw new StoreError('STORE_SCHEMA_CHANGED', `migration ${migration.name} was applied with other contents`, {
        operation: 'migrate',
      });
    }
    return false;
  });
}

async function readMigrations(folder: string, database: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(`${folder}/${name}`, 'utf8');
      return {
        number: Number(name.slice(0, 4)),
        name,
        checksum: createHash('sha256').update(text).digest('hex'),
        statements: statementsOf(text).map((statement) => statement.replaceAll(/\bmeadow\./g, `${database}.`)),
      };
    }),
  );
}

/** The statements of a migration: each ends in `;` at a line's end. Comments go, since `;` and quotes in them mislead. */
export function statementsOf(text: string): string[] {
  return text
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
