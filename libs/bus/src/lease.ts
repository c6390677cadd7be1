import type { Bucket } from './bucket.ts';
import { BusError } from './errors.ts';
import { setTimeout as delay } from 'node:timers/promises';

export interface LeaseRecord {
  readonly holder: string;
  /** Unix milliseconds by the holder's clock, for people; expiry is judged by silence, not by clocks. */
  readonly renewedAt: number;
}

/** A lease is free when its record has not changed for this long, as seen by the one who wants it. */
const EXPIRES_MS = 6_000;
const RENEW_MS = 2_000;

/**
 * Waits until this replica holds the lease `name`, then runs `work` under it. The signal given to `work` is aborted when
 * the lease is lost or `signal` is aborted. Clocks of replicas are never compared: a lease is taken over when its record
 * stood still for 6 s of the taker's own time, and compare-and-set on the revision lets only one taker win.
 */
export async function withLease(
  bucket: Bucket<LeaseRecord>,
  name: string,
  holder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  let revision = await acquire(bucket, name, holder, signal);
  const lost = new AbortController();
  const renewing = (async () => {
    let lastRenewed = performance.now();
    while (!lost.signal.aborted) {
      await delay(RENEW_MS, undefined, { signal: lost.signal });
      try {
        revision = await bucket.update(name, { holder, renewedAt: Date.now() }, revision);
        lastRenewed = performance.now();
      } catch (error) {
        const taken = error instanceof BusError && error.code === 'BUS_CONFLICT';
        if (taken || performance.now() - lastRenewed > EXPIRES_MS - RENEW_MS) {
          lost.abort(new BusError('BUS_CONFLICT', `lease ${name} is lost`, error));
        }
      }
    }
  })().catch(() => undefined);
  try {
    await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    const mine = !lost.signal.aborted;
    lost.abort();
    await renewing;
    // hand over at once instead of letting it run out
    if (mine) await bucket.delete(name, revision).catch(() => undefined);
  }
}

async function acquire(
  bucket: Bucket<LeaseRecord>,
  name: string,
  holder: string,
  signal: AbortSignal,
): Promise<number> {
  let seen = { revision: -1, at: performance.now() };
  for (;;) {
    signal.throwIfAborted();
    try {
      const entry = await bucket.get(name);
      const record = { holder, renewedAt: Date.now() };
      if (entry === null) return await bucket.create(name, record);
      if (entry.revision !== seen.revision) seen = { revision: entry.revision, at: performance.now() };
      else if (performance.now() - seen.at > EXPIRES_MS) return await bucket.update(name, record, entry.revision);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
    await delay(250, undefined, { signal });
  }
}
