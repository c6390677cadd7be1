import { z } from 'zod';
import { StoreError } from '../errors.ts';
import type { Store } from '../store.ts';

/** What every question takes besides its own input. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline, also for ClickHouse itself. @default 10_000 */
  readonly timeoutMs?: number | undefined;
}

/** A span of time, Unix seconds: from included, to excluded. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** Asks, and checks that the rows are what the question promises. @throws StoreError */
export async function ask<Schema extends z.ZodType>(
  store: Store,
  operation: string,
  schema: Schema,
  sql: string,
  params: Readonly<Record<string, unknown>>,
  options: AskOptions,
): Promise<z.output<Schema>[]> {
  const rows = await store.query<unknown>(operation, sql, params, {
    ...options,
    timeoutMs: options.timeoutMs ?? 10_000,
  });
  const parsed = z.array(schema).safeParse(rows);
  if (!parsed.success) {
    throw new StoreError('STORE_BAD_ROW', `${operation}: ${z.prettifyError(parsed.error)}`, {
      operation,
      cause: parsed.error,
    });
  }
  return parsed.data;
}

/** Holds a limit within what a question allows. */
export function limitOf(wanted: number | undefined, usual: number, most: number): number {
  return Math.min(Math.max(Math.trunc(wanted ?? usual), 1), most);
}
