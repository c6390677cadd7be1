import type { GapRecord } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, limitOf, type AskOptions, type TimeRange } from './options.ts';

const gapRow = z.object({
  cluster: z.string(),
  collector: z.string(),
  started_at: z.number(),
  ended_at: z.number(),
  // a row of another release may have a reason that this one does not know: still worth showing
  reason: z.custom<GapRecord['reason']>((value) => typeof value === 'string'),
  estimated_events: z.number().nullable(),
});

export interface IngestGapsInput extends TimeRange {
  readonly cluster?: string | undefined;
  /** 1 to 500. @default 100 */
  readonly limit?: number | undefined;
}

/** Spans that touch the range in which events may be missing, newest first. @throws StoreError */
export async function ingestGaps(store: Store, input: IngestGapsInput, options: AskOptions = {}): Promise<GapRecord[]> {
  return ask(
    store,
    'ingest gaps',
    gapRow,
    `SELECT g.cluster AS cluster, g.collector AS collector, ${seconds('g.started_at')} AS started_at,
            ${seconds('g.ended_at')} AS ended_at, g.reason AS reason, g.estimated_events AS estimated_events
     FROM ${store.database}.ingest_gaps AS g
     WHERE ({cluster:String} = '' OR g.cluster = {cluster:String})
       AND g.ended_at >= toDateTime64({from:Float64}, 6, 'UTC') AND g.started_at < toDateTime64({to:Float64}, 6, 'UTC')
     ORDER BY g.started_at DESC
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster ?? '', from: input.from, to: input.to, limit: limitOf(input.limit, 100, 500) },
    options,
  );
}
