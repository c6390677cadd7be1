import type { StoredBatch } from '@meadow/bus';
import type { ServiceFacts } from '@meadow/contract';

/** What passes the bound is forgotten, and read back from the store when needed. */
const MEMORY = { name: 'idle tasks held in memory', cluster: '', unit: 'bytes' } as const;
/** How long the lag of what passed last is told. */
const TOLD_SECONDS = 15;

/** What flows through the aggregator, for reports and metrics. */
export class AggregatorFlow {
  #taken: { readonly waited: number; readonly pending: number; readonly atMs: number } | null = null;
  #stored: { readonly lag: number; readonly until: number; readonly atMs: number } | null = null;
  /** Since when the store has refused; null while it takes. */
  #heldSinceMs: number | null = null;
  #memory: { readonly used: number; readonly bound: number } | null = null;

  took({ publishedAt, pending }: StoredBatch): void {
    const waited = Math.max(0, Date.now() / 1000 - publishedAt);
    this.#taken = { waited, pending, atMs: performance.now() };
  }

  /** @param until Unix seconds at which the newest event of the batch was collected; 0 when it had none */
  stored(lagSeconds: number, until: number): void {
    this.#heldSinceMs = null;
    if (until === 0) return;
    this.#stored = { lag: lagSeconds, until: Math.max(until, this.#stored?.until ?? 0), atMs: performance.now() };
  }

  held(): void {
    this.#heldSinceMs ??= performance.now();
  }

  /** Bytes. */
  memory(memory: { readonly used: number; readonly bound: number }): void {
    this.#memory = memory;
  }

  /** Nothing is to be done here: what waits is others'. */
  rests(): void {
    this.#taken = null;
    this.#stored = null;
    this.#heldSinceMs = null;
  }

  read(): Pick<ServiceFacts, 'hops' | 'buffers'> {
    const now = performance.now();
    const ago = (since: { readonly atMs: number }): number => (now - since.atMs) / 1000;
    const taken = this.#taken;
    const stored = this.#stored;
    let waited: number | null = null;
    // nothing more is taken while the store holds us up, so what waits grows older; what passed long ago says nothing
    if (taken !== null && taken.pending > 0) waited = taken.waited + ago(taken);
    else if (taken !== null) waited = ago(taken) < TOLD_SECONDS ? taken.waited : 0;
    let lag: number | null = null;
    if (this.#heldSinceMs !== null) lag = (now - this.#heldSinceMs) / 1000;
    else if (stored !== null) lag = ago(stored) < TOLD_SECONDS ? stored.lag : 0;
    return {
      hops: [
        { hop: 'nats-aggregator', cluster: '', lag_seconds: waited, waiting: taken?.pending ?? null },
        { hop: 'aggregator-store', cluster: '', lag_seconds: lag, waiting: null },
      ],
      buffers: this.#memory === null || this.#memory.bound === 0 ? [] : [{ ...MEMORY, ...this.#memory }],
    };
  }

  /** For the report. */
  facts(missing: string | null): ServiceFacts {
    const held = this.#heldSinceMs === null ? null : 'the store does not take events; they wait in NATS';
    return { missing: missing ?? held, ...this.read(), brokers: [], stored_until: this.#stored?.until ?? null };
  }
}
