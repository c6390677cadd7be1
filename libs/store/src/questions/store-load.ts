import { z } from 'zod';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

const loadRow = z.object({
  parts: z.number(),
  merges: z.number(),
  inserts_delayed: z.number(),
  memory_bytes: z.number(),
  disk_free_bytes: z.number(),
  disk_total_bytes: z.number(),
});

/** How busy ClickHouse is. */
export interface StoreLoad {
  /** Active parts of all tables: thousands mean that merging does not keep up. */
  readonly parts: number;
  /** Merges under way. */
  readonly merges: number;
  /** Inserts held back because there are too many parts. */
  readonly inserts_delayed: number;
  readonly memory_bytes: number;
  /** Of the disks that ClickHouse writes to. */
  readonly disk_free_bytes: number;
  readonly disk_total_bytes: number;
}

/** @throws StoreError */
export async function storeLoad(store: Store, options: AskOptions = {}): Promise<StoreLoad | null> {
  const rows = await ask(
    store,
    'store load',
    loadRow,
    `SELECT (SELECT count() FROM system.parts WHERE database = {database:String} AND active) AS parts,
            (SELECT count() FROM system.merges) AS merges,
            (SELECT sumIf(value, metric = 'DelayedInserts') FROM system.metrics) AS inserts_delayed,
            (SELECT sumIf(value, metric = 'MemoryTracking') FROM system.metrics) AS memory_bytes,
            (SELECT sum(unreserved_space) FROM system.disks) AS disk_free_bytes,
            (SELECT sum(total_space) FROM system.disks) AS disk_total_bytes`,
    { database: store.database },
    options,
  );
  return rows[0] ?? null;
}
