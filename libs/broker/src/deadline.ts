/**
 * Waits for `work`, at most `ms`, and not beyond the abort of `signal`; then calls `giveUp`, which must make `work` end,
 * and throws what `onTimeout` makes, or the signal's reason. The late outcome of `work` is ignored.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  options: {
    readonly ms: number;
    readonly signal: AbortSignal;
    readonly giveUp: () => void;
    readonly onTimeout: () => Error;
  },
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (reason: unknown): void => {
    options.giveUp();
    reject(reason);
  };
  const onAbort = (): void => stop(options.signal.reason);
  const timer = setTimeout(() => stop(options.onTimeout()), options.ms);
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', onAbort);
  }
}
