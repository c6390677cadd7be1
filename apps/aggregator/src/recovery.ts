import type { Bucket, Bus } from '@meadow/bus';
import { PARTITIONS } from '@meadow/contract';
import type { InsertOptions } from './inserts.ts';
import type { PartitionTable, Places } from './partition-table.ts';
import { replay } from './replay.ts';
import { tokenOf, type Intent } from './writer.ts';

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
    const { done, to, dropped } = entry.value;
    const positions = new Map(Object.entries(done).map(([partition, from]) => [Number(partition), from]));
    const repeats = new Set(dropped);
    const wasDropped = (place: number): boolean => repeats.has(place);
    await replay(bus, { done: positions, to, wasDropped, token: tokenOf(entry.value) }, inserts);
    for (const [partition, from] of positions) if (through.has(partition)) through.set(partition, Math.max(from, to));
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
  const now = await table.read();
  const entries = await intents.all();
  if (now === null) return;
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

/** What a release before 0.2 kept of its last batch, when one aggregator wrote for all. */
interface OldIntent {
  readonly stream: string;
  readonly from: number;
  readonly to: number;
  readonly dropped: readonly string[];
}
const OLD_KEY = 'events';

/**
 * Begins the record of partitions where it is missing or tells of another stream; goes on where an older release stopped.
 * One replica at a time.
 * @returns whether the stream is another than before
 */
export async function beginPartitions(stream: string, options: RecoveryOptions): Promise<boolean> {
  const { bus, table, intents, inserts } = options;
  const before = await table.read();
  if (before?.stream === stream) return false;
  const old = (await intents.get(OLD_KEY)) as { readonly value: OldIntent | Intent } | null;
  let written = 0;
  if (old !== null && 'from' in old.value && old.value.stream === stream) {
    const { from, to, dropped } = old.value;
    const repeats = new Set(dropped);
    const done = new Map(Array.from({ length: PARTITIONS }, (_, partition) => [partition, from - 1]));
    const wasDropped = (_: number, id: string): boolean => repeats.has(id);
    await replay(bus, { done, to, wasDropped, token: `${stream}/${from}-${to}` }, inserts);
    written = to;
  }
  await table.begin(stream, written);
  if (old !== null) await intents.delete(OLD_KEY);
  return before !== null || (old !== null && written === 0);
}
