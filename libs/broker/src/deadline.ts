/**
 * Waits for `work`, at most `ms`, and not beyond the abort of `signal`, where there is one; then calls `giveUp`, which must make `work` end,
 * and throws what `onTimeout` makes, or the signal's reason. The late outcome of `work` is ignored.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  options: {
    readonly ms: number;
    readonly signal?: AbortSignal | undefined;
    readonly giveUp: () => void;
    readonly onTimeout: () => Error;
  },
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (reason: unknown): void => {
    options.giveUp();
    reject(reason);
  };
  const { signal } = options;
  const onAbort = (): void => stop(signal?.reason);
  const timer = setTimeout(() => stop(options.onTimeout()), options.ms);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
