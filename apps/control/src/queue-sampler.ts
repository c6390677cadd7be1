import { openQueues, type QueueFigures, type QueuesDefinition } from '@meadow/broker';
import type { EventStream } from '@meadow/bus';
import { batchSubject, queueSampleLine, type QueueSample } from '@meadow/contract';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Telemetry } from './telemetry.ts';

/** Between two looks at a cluster's queues. */
const INTERVAL_MS = 15_000;
/** New queues are looked for at every fourth look: Redis has to walk through its keys for it. */
const LOOKS_BETWEEN_NAMES = 4;
/** Queues that are looked at; of more, those that come first by name. */
const MOST_QUEUES = 5_000;
/** Samples in one message of NATS, which holds 1 MB. */
const AT_A_TIME = 1_000;

export interface QueueSamplerOptions {
  readonly definition: QueuesDefinition;
  readonly replica: string;
  readonly stream: EventStream;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/**
 * Looks at a cluster's queues now and then, on a connection of its own, and publishes what it sees, until `signal` is
 * aborted. A queue that was seen once is looked at on, so that its end is seen too. Never rejects.
 */
export async function sampleQueues({
  definition,
  replica,
  stream,
  telemetry,
  signal,
}: QueueSamplerOptions): Promise<void> {
  const { name: cluster } = definition;
  const seen = new Set<string>();
  try {
    await using queues = openQueues(definition, { signal, clientName: `meadow control ${replica} queues` });
    for (let look = 0; !signal.aborted; look++) {
      try {
        if (look % LOOKS_BETWEEN_NAMES === 0) {
          const { names } = await queues.names(signal);
          for (const name of names) if (seen.size < MOST_QUEUES) seen.add(name);
        }
        const at = Date.now() / 1000;
        const { queues: figures, degraded } = await queues.figures([...seen], signal);
        const samples = figures.filter(({ exists }) => exists !== false).map((each) => sampleOf(cluster, at, each));
        for (const { name, exists } of figures) if (exists === false) seen.delete(name);
        for (let from = 0; from < samples.length; from += AT_A_TIME) {
          const lines = samples.slice(from, from + AT_A_TIME);
          await stream.publish(batchSubject('queue', cluster, 0), Buffer.from(lines.map(queueSampleLine).join('')), {
            ...{ id: `queue-${randomUUID()}`, count: lines.length, collector: replica },
          });
        }
        telemetry.queuesLook(cluster, degraded);
      } catch (error) {
        if (!signal.aborted) telemetry.queuesLook(cluster, error);
      }
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  } catch (error) {
    if (!signal.aborted) telemetry.queuesLook(cluster, error);
  }
}

function sampleOf(cluster: string, at: number, figures: QueueFigures): QueueSample {
  const { name, kind, source, ready, unacked, consumers, bytes, nextSentAt, rates, byPriority } = figures;
  return {
    ...{ cluster, queue: name, at, kind, source, ready, unacked, consumers, bytes },
    oldest_age_seconds: nextSentAt === null ? null : Math.max(0, at - nextSentAt),
    published_per_second: rates?.published ?? null,
    delivered_per_second: rates?.delivered ?? null,
    by_priority: byPriority && Object.fromEntries(byPriority.map(({ step, ready: count }) => [String(step), count])),
  };
}
