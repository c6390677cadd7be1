import type { Queues } from '@meadow/broker';
import type { EventStream } from '@meadow/bus';
import { batchSubject, queueSampleLine, type QueueFigures, type QueueSample } from '@meadow/contract';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { KnownQueues } from './known-queues.ts';
import type { Telemetry } from './telemetry.ts';

/** Between two looks at a cluster's queues. */
const INTERVAL_MS = 15_000;
/** Samples in one message of NATS, which holds 1 MB. */
const AT_A_TIME = 1_000;

export interface QueueSamplerOptions {
  readonly cluster: string;
  readonly queues: Queues;
  readonly known: KnownQueues;
  readonly replica: string;
  readonly stream: EventStream;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/**
 * Looks at a cluster's queues now and then, and publishes what it sees, until `signal` is aborted. A queue that was seen once
 * is looked at on, so that its end is seen too. Never rejects.
 */
export async function sampleQueues(options: QueueSamplerOptions): Promise<void> {
  const { cluster, queues, known, replica, stream, telemetry, signal } = options;
  while (!signal.aborted) {
    try {
      const names = await known.names(signal);
      const at = Date.now() / 1000;
      const { queues: figures, degraded } = await queues.figures(names, signal);
      for (const { name, exists } of figures) {
        if (exists === true) known.saw(name);
        else if (exists === false) known.forget(name);
      }
      const samples = figures.filter(({ exists }) => exists !== false).map((each) => sampleOf(cluster, at, each));
      for (let from = 0; from < samples.length; from += AT_A_TIME) {
        const lines = samples.slice(from, from + AT_A_TIME);
        await stream.publish(batchSubject('queue', cluster, 0), Buffer.from(lines.map(queueSampleLine).join('')), {
          ...{ id: `queue-${randomUUID()}`, count: lines.length, collector: replica },
        });
      }
      await known.keep();
      telemetry.queuesLook(cluster, degraded);
    } catch (error) {
      if (!signal.aborted) telemetry.queuesLook(cluster, error);
    }
    await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
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
