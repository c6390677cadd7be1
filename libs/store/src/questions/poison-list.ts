import type { PoisonRecord } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, limitOf, type AskOptions, type TimeRange } from './options.ts';

const poisonRow = z.object({
  cluster: z.string(),
  collected_at: z.number(),
  reason: z.string(),
  detail: z.string(),
  content_type: z.string(),
  routing_key: z.string(),
  size: z.number(),
  body: z.string(),
});

export interface PoisonListInput extends TimeRange {
  readonly cluster?: string | undefined;
  /** 1 to 500. @default 50 */
  readonly limit?: number | undefined;
}

/** Messages that could not be decoded, newest first. @throws StoreError */
export async function poisonList(
  store: Store,
  input: PoisonListInput,
  options: AskOptions = {},
): Promise<PoisonRecord[]> {
  return ask(
    store,
    'poison list',
    poisonRow,
    `SELECT p.cluster AS cluster, ${seconds('p.collected_at')} AS collected_at, p.reason AS reason, p.detail AS detail,
            p.content_type AS content_type, p.routing_key AS routing_key, p.size AS size, p.body AS body
     FROM ${store.database}.poison AS p
     WHERE ({cluster:String} = '' OR p.cluster = {cluster:String})
       AND p.collected_at >= toDateTime64({from:Float64}, 6, 'UTC') AND p.collected_at < toDateTime64({to:Float64}, 6, 'UTC')
     ORDER BY p.collected_at DESC
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster ?? '', from: input.from, to: input.to, limit: limitOf(input.limit, 50, 500) },
    options,
  );
}
