import type { Bucket, Bus } from '@meadow/bus';
import type { InsertOptions } from './inserts.ts';
import type { Intent } from './intent.ts';
import type { PartitionTable, Places } from './partition-table.ts';
import { replay } from './replay.ts';

export interface RecoveryOptions {
  readonly bus: Bus;
  readonly table: PartitionTable;
  readonly intents: Bucket<Intent>;
  readonly inserts: InsertOptions;
}

/**
 * Ends a writer that is dead or taken for dead: writes its last batch again and frees its partitions. Any number of replicas
 * may try at once, at any speed, and the writer may be alive after all: from the first step on it can begin no batch.
 * @throws BusError BUS_CONFLICT when the writer went on, or another replica does the same
 */
export async function recoverWriter(writer: string, options: RecoveryOptions): Promise<void> {
  const { bus, table, intents, inserts } = options;
  const entry = await intents.get(writer);
  // the fence; without a record the writer can begin nothing either
  const revision = entry === null ? 0 : await intents.update(writer, entry.value, entry.revision);
  const now = await table.read();
  const through = new Map(now === null ? [] : partitionsOf(now, writer).map((partition) => [partition, 0]));
  if (entry !== null && through.size > 0 && entry.value.stream === now?.stream) {
    const { done, to } = entry.value;
    await replay(bus, entry.value, inserts);
    for (const partition of through.keys()) {
      const from = done[partition];
      if (from !== undefined) through.set(partition, Math.max(from, to));
    }
  }
  await table.release(writer, through);
  if (entry !== null) await intents.delete(writer, revision);
}

/**
 * Frees what no writer needs of the stream any more, and removes what a crash left behind: records of writers that are not
 * alive and hold nothing.
 */
export async function tidy(
  { bus, table, intents }: RecoveryOptions,
  alive: (writer: string) => boolean,
): Promise<void> {
  // in this order: a writer makes its record first, so that the table names whoever of these has begun to work
  const entries = await intents.all();
  const now = await table.read();
  // positions of a stream that is gone would free what nobody has read of the new one
  if (now === null || (await bus.events.state()).createdAt !== now.stream) return;
  const byWriter = new Map(entries.map(({ key, value }) => [key, value]));
  // of a writer the begin of its last batch counts: until the next one a crash repeats it
  const needed = now.places.map(({ writer, done }, partition) => {
    const intent = byWriter.get(writer ?? '');
    return intent?.stream === now.stream ? Math.max(done, intent.done[partition] ?? 0) : done;
  });
  await bus.events.purgeThrough(Math.min(...needed));
  for (const { key, revision } of entries) {
    if (!alive(key) && partitionsOf(now, key).length === 0) await intents.delete(key, revision);
  }
}

export function partitionsOf({ places }: Places, writer: string): number[] {
  return places.flatMap((place, partition) => (place.writer === writer ? [partition] : []));
}
