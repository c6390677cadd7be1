import { z } from 'zod';
import type { Store } from '../store.ts';
import { ask, type AskOptions, type TimeRange } from './options.ts';

/** What was never heard of a cluster's starts, as far as its workers' counters tell. */
export interface ClusterLoss {
  readonly cluster: string;
  /** Starts that workers counted, of the workers that could be measured. */
  readonly expected: number;
  /** Of these, starts never heard. Never below 0. */
  readonly lost: number;
  /** Starts of workers whose task events are not heard at all: nothing is known of them. */
  readonly unmeasured: number;
  /** End of the newest window measured, Unix seconds. */
  readonly measured_until: number;
  /** Spans in which some were lost, newest first, at most 200. */
  readonly windows: readonly LossWindow[];
}

export interface LossWindow {
  /** Unix seconds. */
  readonly started_at: number;
  readonly ended_at: number;
  readonly expected: number;
  readonly lost: number;
}

const totalRow = z.object({
  cluster: z.string(),
  expected: z.number(),
  lost: z.number(),
  unmeasured: z.number(),
  measured_until: z.number(),
});
const windowRow = z.object({
  cluster: z.string(),
  started_at: z.number(),
  ended_at: z.number(),
  expected: z.number(),
  lost: z.number(),
});

const MOST_WINDOWS = 200;

/**
 * The measured loss of each cluster in a range, by name. A cluster without a line was not measured: none of its workers
 * was online, or nobody measures.
 * @param input.bucketSeconds windows are added up to this width, so that a mark on a chart is as wide as a point of it
 * @throws StoreError
 */
export async function ingestLoss(
  store: Store,
  input: TimeRange & { readonly cluster?: string | undefined; readonly bucketSeconds: number },
  options: AskOptions = {},
): Promise<ClusterLoss[]> {
  const params = {
    cluster: input.cluster ?? '',
    from: Math.floor(input.from),
    to: Math.ceil(input.to),
    bucket: Math.max(1, Math.trunc(input.bucketSeconds)),
    limit: MOST_WINDOWS,
  };
  const rows = `FROM ${store.database}.ingest_loss AS l FINAL
     WHERE ({cluster:String} = '' OR l.cluster = {cluster:String})
       AND l.started_at >= toDateTime({from:UInt32}, 'UTC') AND l.started_at < toDateTime({to:UInt32}, 'UTC')`;
  const [totals, windows] = await Promise.all([
    ask(
      store,
      'ingest loss',
      totalRow,
      `SELECT l.cluster AS cluster, sum(l.expected) AS expected, greatest(sum(l.lost), 0) AS lost,
              sum(l.unmeasured) AS unmeasured, toUInt32(max(l.ended_at)) AS measured_until
       ${rows}
       GROUP BY cluster
       ORDER BY cluster`,
      params,
      options,
    ),
    ask(
      store,
      'ingest loss windows',
      windowRow,
      `SELECT l.cluster AS cluster, toUInt32(min(l.started_at)) AS started_at, toUInt32(max(l.ended_at)) AS ended_at,
              sum(l.expected) AS expected, sum(l.lost) AS lost
       ${rows}
       GROUP BY cluster, intDiv(toUInt32(l.started_at), {bucket:UInt32})
       HAVING lost > 0
       ORDER BY started_at DESC, cluster
       LIMIT {limit:UInt32} BY cluster`,
      params,
      options,
    ),
  ]);
  const byCluster = Map.groupBy(windows, (window) => window.cluster);
  return totals.map((total) => ({
    ...total,
    windows: (byCluster.get(total.cluster) ?? []).map(({ cluster: _, ...window }) => window),
  }));
}
