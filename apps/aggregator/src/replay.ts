import type { Bus } from '@meadow/bus';
import { Batch, Output, type Memory } from './batch.ts';
import { insertBatch, type InsertOptions } from './inserts.ts';
import { versionOf, type Intent } from './intent.ts';
import { openPast, recallWorkers } from './past.ts';
import { RecentIds } from './recent-ids.ts';
import { RecentRecords } from './recent-records.ts';
import { TaskMemory } from './task-memory.ts';

/** Reading what is in the stream already takes no longer. */
const READ_DEADLINE_MS = 60_000;

/**
 * Writes a batch again: the same events, of the same messages, with the same token. The rows may differ in form, since this
 * process asks the store for what the first one had in memory; the store knows the batch by its token alone.
 */
export async function replay(bus: Bus, intent: Intent, options: InsertOptions): Promise<void> {
  const { signal } = options;
  const { to } = intent;
  const done = new Map(Object.entries(intent.done).map(([partition, from]) => [Number(partition), from]));
  const dropped = new Set(intent.dropped);
  const { firstSeq, lastSeq } = await bus.events.state();
  const from = Math.min(...done.values()) + 1;
  const last = Math.min(to, lastSeq);
  if (last < Math.max(from, firstSeq)) return;
  const workers = await recallWorkers(new Set(done.keys()), options);
  const memory: Memory = {
    ...{ tasks: new TaskMemory(), workers, output: new Output() },
    ...{ recent: new RecentIds(2), audit: new RecentRecords() },
  };
  const batch = new Batch(1, memory, (place) => dropped.has(place));
  const deadline = AbortSignal.timeout(READ_DEADLINE_MS);
  for await (const message of bus.events.read(from, AbortSignal.any([signal, deadline]))) {
    if (message.seq > to) break;
    if (message.seq > (done.get(message.partition) ?? Infinity)) batch.add(message);
    if (message.seq >= last) break;
  }
  signal.throwIfAborted();
  deadline.throwIfAborted();
  await batch.resolve(openPast(options));
  const writes = batch.writes(options.retentionOf, versionOf(intent));
  await insertBatch(writes, workers.takeWrites(), intent, options);
}
