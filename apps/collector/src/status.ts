import type { Bucket } from '@meadow/bus';
import type { ClusterStatus } from '@meadow/contract';

/** How often each cluster's status is told while nothing changes. A report older than three of these is stale. */
const REPORT_INTERVAL_MS = 5_000;

type Facts = Omit<ClusterStatus, 'reportedAt'>;

/**
 * What this collector tells of one cluster, for pages and people. Changes of state are told at once, counters every few
 * seconds; a report that cannot be delivered is simply followed by the next.
 */
export class StatusReport {
  readonly #bucket: Bucket<ClusterStatus>;
  #facts: Facts;
  readonly #timer: NodeJS.Timeout;

  constructor(bucket: Bucket<ClusterStatus>, facts: Pick<Facts, 'cluster' | 'collector' | 'endpoint' | 'transport'>) {
    this.#bucket = bucket;
    this.#facts = {
      ...facts,
      state: 'connecting',
      since: Date.now() / 1000,
      error: null,
      events: 0,
      rejected: 0,
      gaps: 0,
      lastEventAt: null,
    };
    this.#timer = setInterval(() => this.#send(), REPORT_INTERVAL_MS);
    this.#send();
  }

  /** A new state, told at once. */
  change(state: ClusterStatus['state'], error: ClusterStatus['error'], endpoint?: string): void {
    const since = state === this.#facts.state ? this.#facts.since : Date.now() / 1000;
    this.#facts = { ...this.#facts, state, error, since, endpoint: endpoint ?? this.#facts.endpoint };
    this.#send();
  }

  /** Adds to the counters; told with the next report. */
  count(added: {
    readonly events?: number;
    readonly rejected?: number;
    readonly gaps?: number;
    readonly lastEventAt?: number;
  }): void {
    const facts = this.#facts;
    facts.events += added.events ?? 0;
    facts.rejected += added.rejected ?? 0;
    facts.gaps += added.gaps ?? 0;
    if (added.lastEventAt !== undefined) facts.lastEventAt = added.lastEventAt;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #send(): void {
    this.#bucket.put(this.#facts.cluster, { ...this.#facts, reportedAt: Date.now() / 1000 }).catch(() => undefined);
  }
}
