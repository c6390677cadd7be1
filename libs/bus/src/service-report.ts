import { BUCKETS, serviceStatus, type ServiceFacts, type ServiceStatus } from '@meadow/contract';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bucket } from './bucket.ts';
import type { Bus } from './bus.ts';
import { BusError } from './errors.ts';

const REPORT_INTERVAL_MS = 5_000;
/** A report disappears by itself after this, when a service ended without a word. */
const REPORT_TTL_MS = 20_000;

/** The bucket in which services tell how they are doing. */
export function serviceReports(bus: Bus): Promise<Bucket<ServiceStatus>> {
  return bus.bucket(BUCKETS.services, (value) => serviceStatus.parse(value), { ttlMs: REPORT_TTL_MS });
}

export interface ServiceReportOptions {
  /** Unique to this process. */
  readonly id: string;
  readonly service: string;
  readonly version: string;
  /** Asked at each report. */
  readonly facts: () => ServiceFacts;
  readonly vitals: () => {
    readonly cpu: number | null;
    readonly rssBytes: number;
    readonly loopDelaySeconds: number | null;
  };
}

/**
 * Tells how this service is doing, every 5 s until `signal` is aborted, and then takes the report back. While NATS is away
 * nothing is told and nothing fails.
 */
export async function reportService(bus: Bus, options: ServiceReportOptions, signal: AbortSignal): Promise<void> {
  const { id, service, version, facts, vitals } = options;
  const startedAt = Date.now() / 1000;
  let bucket: Bucket<ServiceStatus> | null = null;
  while (!signal.aborted) {
    try {
      const { cpu, rssBytes, loopDelaySeconds } = vitals();
      bucket ??= await serviceReports(bus);
      await bucket.put(id, {
        ...{ id, service, version, host: hostname(), pid: process.pid, started_at: startedAt },
        ...{ reported_at: Date.now() / 1000, cpu, rss_bytes: rssBytes, loop_delay_seconds: loopDelaySeconds },
        ...facts(),
      });
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
    await delay(REPORT_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
  await bucket?.delete(id).catch(() => undefined);
}
