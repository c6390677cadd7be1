import { z } from 'zod';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

const tableRow = z.object({ table: z.string(), rows: z.number(), bytes: z.number() });
const versionRow = z.object({ version: z.string(), schema_version: z.number().nullable() });

export interface TableInfo {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface DbInfo {
  /** ClickHouse's version, e.g. '26.7.1.1'. */
  readonly version: string;
  /** Number of the newest migration; null when none was applied. */
  readonly schema_version: number | null;
  readonly rows: number;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly tables: readonly TableInfo[];
}

/** How much is stored, by table. @throws StoreError */
export async function dbInfo(store: Store, options: AskOptions = {}): Promise<DbInfo> {
  const [versions, tables] = await Promise.all([
    ask(
      store,
      'database version',
      versionRow,
      `SELECT version() AS version, maxOrNull(number) AS schema_version FROM ${store.database}.schema_migrations`,
      {},
      options,
    ),
    ask(
      store,
      'database size',
      tableRow,
      `SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
       FROM system.parts
       WHERE database = {database:String} AND active
       GROUP BY table
       ORDER BY table
       LIMIT 1000`,
      { database: store.database },
      options,
    ),
  ]);
  return {
    version: versions[0]?.version ?? '',
    schema_version: versions[0]?.schema_version ?? null,
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
    tables,
  };
}
