import { z } from 'zod';
import type { Store } from '../../store.ts';
import { HOUR } from '../buckets.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';
import { paramsOf, timesWhere } from './scope.ts';

/** What trends of a span may be narrowed to; each in order, at most 500. */
export interface TrendScopes {
  readonly tasks: readonly string[];
  readonly queues: readonly string[];
  readonly workers: readonly string[];
  readonly pools: readonly string[];
}

const MOST = 500;

const names = z.array(z.string());
const taskRow = z.object({ tasks: names, queues: names });
const workerRow = z.object({ workers: names });
const poolRow = z.object({ pools: z.array(z.string()) });

/** Tasks, queues, workers and pools of the hours that a span touches. @throws StoreError */
export async function trendScopes(
  store: Store,
  input: TimeRange & { readonly cluster?: string | undefined },
  options: AskOptions = {},
): Promise<TrendScopes> {
  const from = Math.floor(input.from / HOUR) * HOUR;
  const to = Math.ceil(input.to);
  const { cluster } = input;
  const params = paramsOf({ cluster }, { from, to });
  const [tasks, workers, pools] = await Promise.all([
    ask(
      store,
      'trend scopes',
      taskRow,
      `SELECT arraySort(groupUniqArrayIf(${MOST})(r.name, r.name != '')) AS tasks,
              arraySort(groupUniqArrayIf(${MOST})(r.queue, r.queue != '')) AS queues
       FROM ${store.database}.name_hour_rollup AS r
       WHERE ${timesWhere(store, { cluster }, 'hour')}`,
      params,
      options,
    ),
    ask(
      store,
      'trend workers of a span',
      workerRow,
      `SELECT arraySort(groupUniqArrayIf(${MOST})(r.worker, r.received + r.started + r.succeeded > 0)) AS workers
       FROM ${store.database}.worker_hour_rollup AS r
       WHERE ${timesWhere(store, { cluster }, 'hour')}`,
      params,
      options,
    ),
    ask(
      store,
      'trend pools',
      poolRow,
      `SELECT arraySort(groupUniqArrayIf(${MOST})(w.pool, w.pool != '')) AS pools
       FROM ${store.database}.workers AS w FINAL
       WHERE w.updated_at >= toDateTime64({from:UInt32}, 6, 'UTC')
         ${cluster === undefined ? '' : 'AND w.cluster = {cluster:String}'}`,
      params,
      options,
    ),
  ]);
  return {
    ...(tasks[0] ?? { tasks: [], queues: [] }),
    workers: workers[0]?.workers ?? [],
    pools: pools[0]?.pools ?? [],
  };
}
