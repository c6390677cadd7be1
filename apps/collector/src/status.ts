import type { Bucket } from '@meadow/bus';
import type { ClusterStatus, ResultsStatus } from '@meadow/contract';

/** How often each cluster's status is told while nothing changes. A report older than three of these is stale. */
const REPORT_INTERVAL_MS = 5_000;

type Facts = Omit<ClusterStatus, 'reportedAt' | 'standby'>;

/**
 * What the collector that holds a cluster tells of it, for pages and people. Changes of state are told at once, counters every few
 * seconds; a report that cannot be delivered is simply followed by the next.
 */
export class StatusReport implements Disposable {
  readonly #bucket: Bucket<ClusterStatus>;
  #facts: Facts;
  readonly #standby: () => string | null;
  readonly #timer: NodeJS.Timeout;

  /** @param standby asked for each report: who could take over without a gap */
  constructor(
    bucket: Bucket<ClusterStatus>,
    facts: Pick<Facts, 'cluster' | 'collector' | 'endpoint' | 'transport'>,
    standby: () => string | null,
  ) {
    this.#bucket = bucket;
    this.#standby = standby;
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

  /** How results are read; told with the next report. */
  results(results: ResultsStatus | null): void {
    this.#facts.results = results;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #send(): void {
    const report = { ...this.#facts, standby: this.#standby(), reportedAt: Date.now() / 1000 };
    this.#bucket.put(report.cluster, report).catch(() => undefined);
  }
}
