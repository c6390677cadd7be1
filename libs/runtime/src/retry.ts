import { setTimeout as delay } from 'node:timers/promises';

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Called before each wait. */
  readonly onRetry: (error: unknown, waitMs: number, attempt: number) => void;
  /** Whether another try can help. @default always */
  readonly retryable?: (error: unknown) => boolean;
  /** @default 200 */
  readonly firstWaitMs?: number;
  /** @default 10000 */
  readonly maxWaitMs?: number;
}

/**
 * Tries until `work` succeeds, with waits that double up to a bound, each shortened by up to a third at random so that
 * replicas do not march in step. Ends by the signal or by an error that is not retryable.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (options.signal.aborted || options.retryable?.(error) === false) throw error;
      const wait = Math.min(options.maxWaitMs ?? 10_000, (options.firstWaitMs ?? 200) * 2 ** Math.min(attempt - 1, 20));
      const waitMs = Math.round(wait * (1 - Math.random() / 3));
      options.onRetry(error, waitMs, attempt);
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}
