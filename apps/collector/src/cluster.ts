import {
  BrokerConfigError,
  maskUrl,
  openEventSource,
  type BrokerStatus,
  type Burst,
  type EventGap,
} from '@meadow/broker';
import type { Bucket, EventStream } from '@meadow/bus';
import type { ClusterDefinition, ClusterStatus, GapRecord } from '@meadow/contract';
import { once } from 'node:events';
import { HEARTBEAT_INTERVAL_MS } from './heartbeats.ts';
import { Intake } from './intake.ts';
import { createMask } from './mask.ts';
import { Publisher } from './publisher.ts';
import { StatusReport } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface ClusterDeps {
  readonly collector: string;
  readonly stream: EventStream;
  readonly status: Bucket<ClusterStatus>;
  readonly telemetry: Telemetry;
}

/** After the end is asked for, what was taken from the broker may still be published this long. */
const DRAIN_MS = 4_000;
/** At the end, what has arrived is taken until nothing comes for this long, at most for so long. */
const QUIET_MS = 100;
const LAST_BURSTS_MS = 1_500;
/** How many of a task's events share a message when a worker is busy: what a lost message is taken to hold. */
const EVENTS_PER_MESSAGE = 4;

/**
 * Watches one cluster until `signal` is aborted. Nothing that its broker does or fails to do ends it or touches another
 * cluster; a definition that can never work is told and waited out, until it is changed.
 */
export async function watchCluster(
  definition: ClusterDefinition,
  deps: ClusterDeps,
  signal: AbortSignal,
): Promise<void> {
  const { name } = definition;
  const { telemetry, collector } = deps;
  const endpoint = maskUrl(definition.broker);
  const transport = /^redis|^sentinel/.test(definition.broker) ? 'redis' : 'amqp';
  const report = new StatusReport(deps.status, { cluster: name, collector, endpoint, transport });
  telemetry.watching(name, endpoint);
  try {
    await follow(definition, deps, report, signal);
  } catch (error) {
    if (!signal.aborted) {
      const code = error instanceof BrokerConfigError ? error.code : 'COLLECTOR_FAILED';
      const message = error instanceof Error ? error.message : String(error);
      report.change('failed', { code, message });
      telemetry.failed(name, code, message);
      await once(signal, 'abort');
    }
  } finally {
    report.close();
    telemetry.forgotten(name);
  }
}

async function follow(
  definition: ClusterDefinition,
  deps: ClusterDeps,
  report: StatusReport,
  signal: AbortSignal,
): Promise<void> {
  const { name } = definition;
  const { telemetry, collector, stream } = deps;
  // publishing outlives the source by the time it takes to drain
  const giveUp = new AbortController();
  const publisher = new Publisher({
    cluster: name,
    collector,
    stream,
    signal: giveUp.signal,
    onPublished: (events, bytes) => telemetry.published(name, events, bytes),
    onRetry: (error, waitMs) => telemetry.held(name, error, waitMs),
    onLost: (events, error) => telemetry.lost(name, events, error),
  });
  const intake = new Intake({ cluster: name, mask: createMask(definition.masking) }, publisher);
  const closing = new AbortController();
  await using source = await openEventSource(definition, {
    signal: closing.signal,
    clientName: `meadow ${collector}`,
    onStatus: (status) => tellStatus(name, status, report, telemetry),
    onGap: (gap) => {
      const record = gapRecord(name, collector, gap);
      publisher.add('gap', 0, `${JSON.stringify(record)}\n`);
      report.count({ gaps: 1 });
      telemetry.gap(name, record.reason, record.ended_at - record.started_at, record.estimated_events);
    },
  });
  const heartbeats = setInterval(() => intake.releaseHeartbeats(), HEARTBEAT_INTERVAL_MS);
  const take = async (burst: Burst): Promise<void> => {
    let events = 0;
    let rejected = 0;
    let newest = 0;
    for (const delivery of burst.deliveries) {
      const taken = intake.take(delivery);
      events += taken.events;
      rejected += taken.rejected.length;
      for (const code of taken.rejected) telemetry.undecodable(name, code);
      if (taken.newest > newest) newest = taken.newest;
    }
    publisher.settleWhenPublished(() => burst.settle());
    telemetry.received(name, burst.deliveries.length, events);
    const now = Date.now() / 1000;
    if (newest > 0) telemetry.lag(name, Math.max(0, now - newest));
    report.count(events > 0 ? { events, rejected, lastEventAt: now } : { rejected });
    await publisher.room();
  };
  try {
    await takeAll(source.bursts[Symbol.asyncIterator](), take, signal);
  } finally {
    clearInterval(heartbeats);
    intake.releaseHeartbeats();
    await publisher.drain(DRAIN_MS);
    giveUp.abort();
    closing.abort();
  }
}

/** Takes bursts until `signal` is aborted, and then what has arrived already: Redis would not give it again. */
async function takeAll(
  bursts: AsyncIterator<Burst, void, void>,
  take: (burst: Burst) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let next = bursts.next();
  // a race against one long-lived promise would hold on to every burst ever taken: a waiter is made for each instead
  let wake: () => void = () => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const arrived = (waitMs: number | null): Promise<IteratorResult<Burst, void> | null> =>
    new Promise((resolve, reject) => {
      wake = () => resolve(null);
      next.then(resolve, reject);
      if (waitMs !== null) setTimeout(wake, waitMs);
    });
  while (!signal.aborted) {
    const result = await arrived(null);
    if (result === null) break;
    if (result.done === true) return;
    await take(result.value);
    next = bursts.next();
  }
  signal.removeEventListener('abort', onAbort);
  const end = performance.now() + LAST_BURSTS_MS;
  while (performance.now() < end) {
    const result = await arrived(QUIET_MS);
    if (result === null || result.done === true) return;
    await take(result.value);
    next = bursts.next();
  }
}

function tellStatus(cluster: string, status: BrokerStatus, report: StatusReport, telemetry: Telemetry): void {
  const { state, error } = status;
  report.change(state, error === null ? null : { code: error.code, message: error.message });
  if (state === 'connected') telemetry.connected(cluster);
  else if (error !== null) telemetry.failed(cluster, error.code, error.message);
}

function gapRecord(cluster: string, collector: string, gap: EventGap): GapRecord {
  const { reason, fromMs, toMs, lost, recentMessagesPerSecond } = gap;
  const from = fromMs ?? toMs;
  const messages = lost ?? (recentMessagesPerSecond === null ? null : (recentMessagesPerSecond * (toMs - from)) / 1000);
  return {
    cluster,
    collector,
    started_at: from / 1000,
    ended_at: toMs / 1000,
    reason,
    estimated_events: messages === null ? null : Math.round(messages * EVENTS_PER_MESSAGE),
  };
}
