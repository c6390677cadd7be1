import {
  BrokerConfigError,
  maskUrl,
  openEventSource,
  type BrokerStatus,
  type EventGap,
  type EventSource,
} from '@meadow/broker';
import { withLease, type Bucket, type EventStream, type LeaseRecord, type Requests, type Share } from '@meadow/bus';
import type { ClusterDefinition, ClusterStatus, HeardRecord } from '@meadow/contract';
import { retry } from '@meadow/runtime';
import { holdCluster } from './hold.ts';
import type { Flows } from './flow.ts';
import { StatusReport } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface ClusterDeps {
  readonly collector: string;
  readonly stream: EventStream;
  readonly requests: Requests;
  readonly leases: Bucket<LeaseRecord>;
  readonly heard: Bucket<HeardRecord>;
  readonly status: Bucket<ClusterStatus>;
  readonly share: Share;
  readonly telemetry: Telemetry;
  readonly flows: Flows;
  /** Aborted when the service ends. */
  readonly ending: AbortSignal;
}

/** When the service ends, so long the next collector may take to listen before this one stops. */
const HANDOVER_MS = 3_500;
const FAULT_WAIT_MS = 10_000;

/**
 * Watches one cluster as this collector's share has it, until `signal` is aborted. Nothing that its broker does or fails
 * to do ends it or touches another cluster; a definition that can never work is told and waited out, until it is changed.
 *
 * none → standing by → holding → none. Standing by it listens and keeps the last seconds, if the broker does not; holding
 * it has the lease and publishes. Only a holder tells the cluster's status. When another is to hold the cluster, the
 * holder goes on until that one listens.
 */
export async function watchCluster(
  definition: ClusterDefinition,
  deps: ClusterDeps,
  signal: AbortSignal,
): Promise<void> {
  const { name } = definition;
  const { share, telemetry } = deps;
  const endpoint = maskUrl(definition.broker);
  telemetry.watching(name, endpoint);
  while (!signal.aborted) {
    try {
      await share.until(() => share.roleOf(name) !== 'none', signal);
      if (!signal.aborted) await serve(definition, deps, signal);
    } catch (error) {
      if (!signal.aborted) await tellFailure(definition, deps, signal, error);
    }
  }
  telemetry.forgotten(name);
}

/** From standing by, which every holder begins with, to the end of holding, or of being wanted for either. */
async function serve(definition: ClusterDefinition, deps: ClusterDeps, signal: AbortSignal): Promise<void> {
  const { name } = definition;
  const { collector, share, telemetry } = deps;
  const closing = new AbortController();
  const held = new AbortController();
  let report: StatusReport | null = null;
  let onGap: (gap: EventGap) => void = () => undefined;
  const tellStatus = ({ state, error }: BrokerStatus): void => {
    report?.change(state, error === null ? null : { code: error.code, message: error.message });
    if (state === 'connected') telemetry.connected(name);
    else if (error !== null) telemetry.failed(name, error.code, error.message);
  };
  let source: EventSource | null = null;
  const offer = (): void => share.offer(name, source?.ready === true && report === null);
  await using opened = await openEventSource(definition, {
    signal: closing.signal,
    clientName: `meadow ${collector}`,
    standby: true,
    onStatus: (status) => {
      tellStatus(status);
      offer();
    },
    onGap: (gap) => onGap(gap),
    onOtherBounds: (actual) => telemetry.otherBounds(name, actual),
  });
  source = opened;
  try {
    offer();
    telemetry.standingBy(name);
    while (!held.signal.aborted) {
      await share.until(() => share.roleOf(name) !== 'standby', signal);
      if (signal.aborted || share.roleOf(name) === 'none') return;
      await hold();
    }
  } finally {
    share.offer(name, false);
    closing.abort();
  }

  async function hold(): Promise<void> {
    const unwanted = new AbortController();
    void share
      .until(() => share.roleOf(name) !== 'primary', AbortSignal.any([signal, held.signal]))
      .then(() => {
        if (!held.signal.aborted) unwanted.abort();
      });
    const options = { isGone: (holder: string) => share.isGone(holder), unreachable: 'go-on' } as const;
    const work = async (lost: AbortSignal): Promise<void> => {
      held.abort();
      await publish(lost);
    };
    try {
      await withLease(deps.leases, `collector.${name}`, collector, unwanted.signal, work, options);
    } catch (error) {
      if (!unwanted.signal.aborted) throw error;
    }
  }

  async function publish(lost: AbortSignal): Promise<void> {
    using telling = openReport(definition, deps);
    report = telling;
    offer();
    telemetry.holding(name);
    tellStatus(opened.status);
    const over = new AbortController();
    const handingOver = untilHandedOver(name, deps, AbortSignal.any([signal, over.signal]), lost);
    void handingOver.then(() => over.abort());
    try {
      const onRetry = (error: unknown, waitMs: number): void => telemetry.held(name, error, waitMs);
      const reading = retry(() => deps.heard.get(name), { signal: over.signal, onRetry });
      const before = await reading.catch((error: unknown) => {
        if (!over.signal.aborted) throw error;
        return null;
      });
      if (over.signal.aborted) return;
      const place = { definition, source: opened, report: telling, before: before?.value ?? null };
      await holdCluster({ ...deps, ...place, onGap: (listener) => (onGap = listener) }, over.signal);
    } finally {
      over.abort();
      report = null;
      telemetry.released(name);
    }
  }
}

/** Resolves when this collector is to let go of a cluster that it holds. */
async function untilHandedOver(
  cluster: string,
  { share, ending }: ClusterDeps,
  signal: AbortSignal,
  lost: AbortSignal,
): Promise<void> {
  await share.until(() => share.heirReady(cluster) === true, AbortSignal.any([signal, lost]));
  if (!ending.aborted || lost.aborted) return;
  await share.until(
    () => share.heirReady(cluster) !== false,
    AbortSignal.any([lost, AbortSignal.timeout(HANDOVER_MS)]),
  );
}

/** Tells what went wrong: until the definition is changed when that is at fault, else for a while before the next try. */
async function tellFailure(
  definition: ClusterDefinition,
  deps: ClusterDeps,
  signal: AbortSignal,
  error: unknown,
): Promise<void> {
  const { name } = definition;
  const { share, telemetry } = deps;
  const code = error instanceof BrokerConfigError ? error.code : 'COLLECTOR_FAILED';
  const message = error instanceof Error ? error.message : String(error);
  telemetry.failed(name, code, message);
  const final = error instanceof BrokerConfigError;
  const end = final ? signal : AbortSignal.any([signal, AbortSignal.timeout(FAULT_WAIT_MS)]);
  while (!end.aborted) {
    await share.until(() => share.roleOf(name) === 'primary', end);
    if (end.aborted) return;
    using report = openReport(definition, deps);
    report.change('failed', { code, message });
    await share.until(() => share.roleOf(name) !== 'primary', end);
  }
}

function openReport({ name, broker }: ClusterDefinition, { status, collector, share }: ClusterDeps): StatusReport {
  const transport = /^redis|^sentinel/.test(broker) ? 'redis' : 'amqp';
  const facts = { cluster: name, collector, endpoint: maskUrl(broker), transport } as const;
  return new StatusReport(status, facts, () => share.standbyOf(name));
}
