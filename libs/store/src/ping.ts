import type { Store } from './store.ts';

/** Resolves when ClickHouse answers a query within 5 s. @throws StoreError */
export async function ping(store: Store, signal?: AbortSignal): Promise<void> {
  await store.ping(signal);
}
