import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerError } from './errors.ts';
import type { BrokerStatus } from './event-source.ts';

/** One connection that works. */
export interface Session {
  /** Resolves, never rejects, when the connection is lost: why it was. */
  readonly lost: Promise<BrokerError>;
  close(): Promise<void>;
}

export interface KeepConnectedOptions<Target> {
  /** Tried one after the other; a pause follows when each has failed. */
  readonly targets: readonly [Target, ...Target[]];
  /** Must settle soon after `signal` is aborted, and have a deadline of its own. */
  readonly open: (target: Target, signal: AbortSignal) => Promise<Session>;
  readonly toError: (error: unknown, target: Target) => BrokerError;
  readonly onStatus: (status: BrokerStatus) => void;
  readonly signal: AbortSignal;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

/**
 * Holds a connection for as long as `signal` allows; never throws.
 *
 * connecting → connected → (lost) connecting → …
 * connecting → failed → … → connected. A failed attempt stays `failed` until one succeeds: each failure is told with its
 * own error, `sinceMs` is that of the first.
 */
export async function keepConnected<Target>(options: KeepConnectedOptions<Target>): Promise<void> {
  const { targets, signal } = options;
  let attempt = 0;
  let index = 0;
  let failedSinceMs: number | null = null;
  options.onStatus({ state: 'connecting', sinceMs: Date.now(), error: null });
  while (!signal.aborted) {
    const target = targets[index % targets.length] ?? targets[0];
    try {
      const session = await options.open(target, signal);
      const connectedAtMs = Date.now();
      failedSinceMs = null;
      options.onStatus({ state: 'connected', sinceMs: connectedAtMs, error: null });
      const error = await lostOrAborted(session, signal);
      await session.close();
      if (error === null) return;
      // A connection that lasted proves the broker well; one that is dropped at once must not be hammered.
      if (Date.now() - connectedAtMs > options.maxBackoffMs) attempt = 0;
      options.onStatus({ state: 'connecting', sinceMs: Date.now(), error });
    } catch (cause) {
      if (signal.aborted) return;
      failedSinceMs ??= Date.now();
      options.onStatus({ state: 'failed', sinceMs: failedSinceMs, error: options.toError(cause, target) });
      index += 1;
      if (index % targets.length !== 0) continue;
    }
    await pause(backoffMs(attempt, options), signal);
    attempt += 1;
  }
}

/** Half of the pause is certain, half is chance, so that many clients do not come back at once. */
function backoffMs(
  attempt: number,
  { minBackoffMs, maxBackoffMs }: { minBackoffMs: number; maxBackoffMs: number },
): number {
  const full = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempt, 16));
  return full / 2 + (Math.random() * full) / 2;
}

async function lostOrAborted(session: Session, signal: AbortSignal): Promise<BrokerError | null> {
  if (signal.aborted) return null;
  const { promise, resolve } = Promise.withResolvers<null>();
  const onAbort = (): void => resolve(null);
  signal.addEventListener('abort', onAbort, { once: true });
  const outcome = await Promise.race([session.lost, promise]);
  signal.removeEventListener('abort', onAbort);
  return outcome;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // aborted: the loop sees it
  }
}
