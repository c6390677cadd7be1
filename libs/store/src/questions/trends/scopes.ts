import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';
import { minutesWhere, paramsOf } from './scope.ts';

/** What trends of a span may be narrowed to; each in order, at most 500. */
export interface TrendScopes {
  readonly tasks: readonly string[];
  readonly queues: readonly string[];
  readonly workers: readonly string[];
  readonly pools: readonly string[];
}

const MOST = 500;

const valueRow = z.object({ tasks: z.array(z.string()), queues: z.array(z.string()), workers: z.array(z.string()) });
const poolRow = z.object({ pools: z.array(z.string()) });

/** Tasks, queues, workers and pools of a span. @throws StoreError */
export async function trendScopes(
  store: Store,
  input: TimeRange & { readonly cluster?: string | undefined },
  options: AskOptions = {},
): Promise<TrendScopes> {
  const from = Math.floor(input.from);
  const to = Math.ceil(input.to);
  const { cluster } = input;
  const params = paramsOf({ cluster }, { from, to });
  const [values, pools] = await Promise.all([
    ask(
      store,
      'trend scopes',
      valueRow,
      `SELECT arraySort(groupUniqArrayIf(${MOST})(r.name, r.name != '')) AS tasks,
              arraySort(groupUniqArrayIf(${MOST})(r.queue, r.queue != '')) AS queues,
              arraySort(groupUniqArrayIf(${MOST})(r.worker, r.received + r.started + r.succeeded > 0)) AS workers
       FROM ${store.database}.task_rollup AS r
       WHERE ${minutesWhere(store, { cluster })}`,
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
  return { ...(values[0] ?? { tasks: [], queues: [], workers: [] }), pools: pools[0]?.pools ?? [] };
}
