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
/** How long giving it back may take. */
const RELEASE_MS = 2_000;

export interface LeaseOptions {
  /** Whether a holder is known to be gone, so that its lease need not run out. @default never */
  readonly isGone?: (holder: string) => boolean;
  /**
   * What a holder does that cannot reach NATS: `stop` when its lease must be taken for lost, or `go-on` until it learns that
   * another has taken it. Go on only where two holders at a time do no harm. @default 'stop'
   */
  readonly unreachable?: 'stop' | 'go-on';
}

/**
 * Waits until this replica holds the lease `name`, then runs `work` under it, and releases it at once when `work` ends: that
 * is how a holder gives it up. The signal given to `work` is aborted when the lease is lost or `signal` is aborted. Clocks
 * of replicas are never compared: a lease is taken over when its record stood still for 6 s of the taker's own time, and
 * compare-and-set on the revision lets only one taker win.
 * @param holder unique to this process, which wants a lease once at a time
 */
export async function withLease(
  bucket: Bucket<LeaseRecord>,
  name: string,
  holder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
  options: LeaseOptions = {},
): Promise<void> {
  let revision = await acquire(bucket, name, holder, signal, options.isGone ?? (() => false));
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = (async () => {
    let lastRenewed = performance.now();
    const ended = AbortSignal.any([lost.signal, done.signal]);
    while (!ended.aborted) {
      await delay(RENEW_MS, undefined, { signal: ended });
      try {
        revision = await renew(bucket, name, holder, revision);
        lastRenewed = performance.now();
      } catch (error) {
        const taken = error instanceof BusError && error.code === 'BUS_CONFLICT';
        const stop = options.unreachable !== 'go-on' && performance.now() - lastRenewed > EXPIRES_MS - RENEW_MS;
        if (taken || stop) lost.abort(new BusError('BUS_CONFLICT', `lease ${name} is lost`, error));
      }
    }
  })().catch(() => undefined);
  try {
    await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    done.abort();
    const release = async (): Promise<void> => {
      await renewing;
      if (!lost.signal.aborted) await bucket.delete(name, revision);
    };
    // handed over at once instead of left to run out, which it does when NATS is away
    await Promise.race([release().catch(() => undefined), delay(RELEASE_MS, undefined, { ref: false })]);
  }
}

async function renew(bucket: Bucket<LeaseRecord>, name: string, holder: string, revision: number): Promise<number> {
  const record = { holder, renewedAt: Date.now() };
  try {
    return await bucket.update(name, record, revision);
  } catch (error) {
    if (!(error instanceof BusError) || error.code !== 'BUS_CONFLICT') throw error;
    // an earlier renewal may have been written although its answer was lost
    const entry = await bucket.get(name);
    if (entry?.value.holder !== holder) throw error;
    return bucket.update(name, record, entry.revision);
  }
}

async function acquire(
  bucket: Bucket<LeaseRecord>,
  name: string,
  holder: string,
  signal: AbortSignal,
  isGone: (holder: string) => boolean,
): Promise<number> {
  let seen = { revision: -1, at: performance.now() };
  for (;;) {
    signal.throwIfAborted();
    try {
      const entry = await bucket.get(name);
      const record = { holder, renewedAt: Date.now() };
      if (entry === null) return await bucket.create(name, record);
      if (entry.revision !== seen.revision) seen = { revision: entry.revision, at: performance.now() };
      const silent = performance.now() - seen.at > EXPIRES_MS;
      const { holder: before } = entry.value;
      // our own: its writing was done although the answer was lost
      if (silent || before === holder || isGone(before)) return await bucket.update(name, record, entry.revision);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
    await delay(250, undefined, { signal });
  }
}
